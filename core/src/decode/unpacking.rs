//! Unpacks the data of one record: aggregates, compression and shapes, in any order of nesting.

use std::ops::ControlFlow;

use super::{Aggregate, Compression, Data, Payload, Position, Record, classify, classify_with_members};
use crate::json::{self, MemberSet};
use crate::shape;

/// The number of layers of compression that are decompressed: one around an aggregate and one inside.
pub(super) const MAX_LAYERS: usize = 2;

/// The result of comparing the digest of data that may be an aggregate.
#[derive(Debug, Clone, Copy)]
pub(super) enum AggregateDigest {
    /// The digest was not compared yet.
    Unknown,
    Right,
    /// The digest is wrong, or there is none: the data is not an aggregate.
    Wrong,
}

/// The unpacking of one record of the stream.
pub(super) struct Unpacking<F> {
    /// The number of bytes that may still be decompressed.
    pub remaining_bytes: usize,
    pub splits_json: bool,
    pub each: F,
}

impl<F, E> Unpacking<F>
where
    F: FnMut(&Record<'_>) -> Result<(), E>,
{
    /// Unpacks the data of a record of the stream.
    pub fn begin(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        data: &[u8],
        digest: AggregateDigest,
        layers: &mut [Vec<u8>],
    ) -> Result<(), E> {
        let aggregate = match digest {
            AggregateDigest::Unknown => return self.unpack(position, problem, data, layers),
            AggregateDigest::Right => Aggregate::parse_verified(data),
            AggregateDigest::Wrong => None,
        };
        match aggregate {
            Some(aggregate) => self.unpack_aggregate(position, problem, &aggregate, layers),
            None => self.unpack_data(position, problem, data, layers),
        }
    }

    /// Unpacks `data`. `problem` is the problem with the record around it, and `layers` are the free buffers: as many as
    /// there may be more layers of compression.
    fn unpack(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        data: &[u8],
        layers: &mut [Vec<u8>],
    ) -> Result<(), E> {
        if position.sub_sequence_number.is_none()
            && let Some(aggregate) = Aggregate::parse(data)
        {
            return self.unpack_aggregate(position, problem, &aggregate, layers);
        }
        self.unpack_data(position, problem, data, layers)
    }

    /// Unpacks data that is not an aggregate.
    fn unpack_data(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        data: &[u8],
        layers: &mut [Vec<u8>],
    ) -> Result<(), E> {
        match Compression::of(data) {
            Some(compression) => self.unpack_compressed(position, problem, compression, data, layers),
            None => self.read_data(position, problem, data),
        }
    }

    fn unpack_aggregate(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        aggregate: &Aggregate<'_>,
        layers: &mut [Vec<u8>],
    ) -> Result<(), E> {
        let mut is_empty = true;
        for record in aggregate.records() {
            is_empty = false;
            let position = Position {
                sub_sequence_number: Some(record.sub_sequence_number),
                partition_key: record.partition_key,
                explicit_hash_key: record.explicit_hash_key,
                ..*position
            };
            let problem = join_problems(problem, record.problem.map(|problem| problem.to_string()));
            self.unpack(&position, problem.as_deref(), record.data, layers)?;
        }
        if is_empty {
            // The record was put on the stream, so it gets a line.
            let error = join_problems(problem, Some("an aggregate of no records".to_owned()));
            (self.each)(&Record { error, ..Record::new(*position, Data::Payload(Payload::Text(""))) })?;
        }
        Ok(())
    }

    fn unpack_compressed(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        compression: Compression,
        data: &[u8],
        layers: &mut [Vec<u8>],
    ) -> Result<(), E> {
        let error = match layers.split_first_mut() {
            None => format!("{compression} data is inside {MAX_LAYERS} layers of compression"),
            Some((layer, layers)) => match compression.decompress(data, self.remaining_bytes, layer) {
                Ok(()) => {
                    self.remaining_bytes -= layer.len();
                    return self.unpack(position, problem, layer, layers);
                }
                Err(error) => {
                    self.remaining_bytes = self.remaining_bytes.saturating_sub(layer.len());
                    error.to_string()
                }
            },
        };
        let error = join_problems(problem, Some(error));
        (self.each)(&Record { error, ..Record::new(*position, Data::Payload(classify(data))) })
    }

    fn read_data(&mut self, position: &Position<'_>, problem: Option<&str>, data: &[u8]) -> Result<(), E> {
        let (payload, markers) = classify_with_members(data, &shape::MARKERS);
        if self.splits_json
            && let Payload::Text(text) = payload
        {
            let (_, text) = json::split_byte_order_mark(text);
            if json::is_container_sequence(text) {
                return self.split_json(position, problem, text);
            }
        }
        self.read_shape(position, problem, payload, markers)
    }

    /// Reads each value of a sequence, which was checked to its end, because no part of a record may be lost.
    fn split_json(&mut self, position: &Position<'_>, problem: Option<&str>, mut rest: &str) -> Result<(), E> {
        let mut index = 0;
        while let Some((value, markers)) = json::next_container(&mut rest, &shape::MARKERS) {
            let sub_sequence_number = position.sub_sequence_number.or(Some(index));
            let position = Position { sub_sequence_number, ..*position };
            self.read_shape(&position, problem, Payload::Json(value), markers)?;
            index += 1;
        }
        Ok(())
    }

    fn read_shape(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        payload: Payload<'_>,
        markers: MemberSet,
    ) -> Result<(), E> {
        if let Payload::Json(json) = payload
            && !markers.is_empty()
        {
            let mut result = Ok(());
            let is_read = shape::read(json, markers, &mut |part| {
                let error = join_problems(problem, part.error.map(str::to_owned));
                let record =
                    Record { origin: Some(part.origin), error, ..Record::new(*position, Data::Payload(part.data)) };
                result = (self.each)(&record);
                if result.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if is_read {
                return result;
            }
        }
        let error = join_problems(problem, None);
        (self.each)(&Record { error, ..Record::new(*position, Data::Payload(payload)) })
    }
}

/// Joins the problem with the record around some data and the problem with the data.
fn join_problems(outer: Option<&str>, inner: Option<String>) -> Option<String> {
    match (outer, inner) {
        (Some(outer), Some(inner)) => Some(format!("{outer}; {inner}")),
        (outer, inner) => inner.or_else(|| outer.map(str::to_owned)),
    }
}
