//! One record of a stream to all the records that are in it.

use crate::event::SourceRecord;
use crate::record::{Data, Origin, Record};

use super::shape::Shape;
use super::{Aggregate, Compression, Payload, base64, classify};

/// How much compressed data may hold, in bytes, unless a [`Decoder`] is told otherwise: 16 MiB.
pub const MAX_DECOMPRESSED_BYTES: usize = 16 * 1024 * 1024;

/// Layers of compression that are opened: one around an aggregate and one inside.
const LAYERS: usize = 2;

/// A buffer that grew beyond this for one record is given back.
const KEPT_BYTES: usize = 2 * 1024 * 1024;

/// Opens records: base64, aggregates, compression, envelopes. It holds the buffers that the data lives in, so that after
/// the first few records none allocates.
///
/// ```
/// use kinesis_event_logger_core::{AggregateBuilder, Decoder, Record, Data, Payload};
///
/// let mut builder = AggregateBuilder::new(1024);
/// builder.add("k1", None, b"one")?;
/// builder.add("k2", None, b"two")?;
///
/// let place = Record { sequence_number: Some("4959"), ..Record::new(Data::Payload(Payload::Text(""))) };
/// let mut seen = Vec::new();
/// Decoder::new().open(&place, &builder.build(), |record| {
///     seen.push(format!("{:?} {:?}", record.sub_sequence_number, record.partition_key));
///     Ok::<_, std::convert::Infallible>(())
/// })?;
/// assert_eq!(seen, [r#"Some(0) Some("k1")"#, r#"Some(1) Some("k2")"#]);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    max_decompressed_bytes: usize,
    data: Vec<u8>,
    layers: [Vec<u8>; LAYERS],
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder that opens at most [`MAX_DECOMPRESSED_BYTES`] of compressed data a record.
    pub fn new() -> Self {
        Self::with_max_decompressed_bytes(MAX_DECOMPRESSED_BYTES)
    }

    /// A decoder that opens at most so many bytes of compressed data a record of the stream: of all compressed data in an
    /// aggregate together, so that many small bombs are no better than a large one. What is beyond is shown compressed.
    pub fn with_max_decompressed_bytes(max_decompressed_bytes: usize) -> Self {
        Self { max_decompressed_bytes, data: Vec::new(), layers: Default::default() }
    }

    /// Gives `each` every record that is in one of an event's, in order; at least one.
    ///
    /// # Errors
    /// The first that `each` gives; nothing is given to it after that. Data that cannot be decoded is a record that says so.
    pub fn decode<E>(
        &mut self,
        source: &SourceRecord<'_>,
        mut each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut place = Record {
            stream: source.stream.as_deref(),
            shard_id: source.shard_id.as_deref(),
            sequence_number: source.sequence_number.as_deref(),
            partition_key: source.partition_key.as_deref(),
            arrival_ms: source.arrival_ms,
            error: source.problem.as_ref().map(ToString::to_string),
            ..Record::new(Data::Undecodable(source.raw))
        };
        let Some(encoded) = source.data.as_deref() else { return each(&place) };
        let mut data = std::mem::take(&mut self.data);
        let result = match base64(encoded, &mut data) {
            Ok(bytes) => self.open(&place, bytes, each),
            Err(error) => {
                place.data = Data::Undecodable(encoded);
                place.error = Some(format!("{} is {error}", source.data_path));
                each(&place)
            }
        };
        self.data = kept(data);
        result
    }

    /// Gives `each` every record that is in some data, in order; at least one. `place` says where the data is from; its
    /// own data counts for nothing.
    ///
    /// # Errors
    /// The first that `each` gives; nothing is given to it after that.
    pub fn open<E>(
        &mut self,
        place: &Record<'_>,
        data: &[u8],
        each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut opening = Opening { room: self.max_decompressed_bytes, each };
        let result = opening.open(place, data, &mut self.layers);
        for layer in &mut self.layers {
            *layer = kept(std::mem::take(layer));
        }
        result
    }
}

fn kept(buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > KEPT_BYTES { Vec::new() } else { buffer }
}

/// The opening of one record of the stream.
struct Opening<F> {
    /// Bytes that compressed data may still hold.
    room: usize,
    each: F,
}

impl<F, E> Opening<F>
where
    F: FnMut(&Record<'_>) -> Result<(), E>,
{
    /// `layers` are the buffers that are free: as many as layers of compression may still come.
    fn open(&mut self, place: &Record<'_>, data: &[u8], layers: &mut [Vec<u8>]) -> Result<(), E> {
        if place.sub_sequence_number.is_none()
            && let Some(aggregate) = Aggregate::parse(data)
        {
            return self.aggregate(place, &aggregate, layers);
        }
        match Compression::of(data) {
            Some(compression) => self.compressed(place, compression, data, layers),
            None => self.shape(place, data),
        }
    }

    fn aggregate(&mut self, place: &Record<'_>, aggregate: &Aggregate<'_>, layers: &mut [Vec<u8>]) -> Result<(), E> {
        let mut empty = true;
        for record in aggregate.records() {
            empty = false;
            let place = Record {
                sub_sequence_number: Some(record.sub_sequence_number),
                partition_key: record.partition_key,
                explicit_hash_key: record.explicit_hash_key,
                error: with(place, record.problem.map(|problem| problem.to_string())),
                ..at(place, place.data)
            };
            self.open(&place, record.data, layers)?;
        }
        if empty {
            // Nothing was put in it, and still it was put on the stream.
            let error = with(place, Some("an aggregate of no records".to_owned()));
            (self.each)(&Record { error, ..at(place, Data::Payload(Payload::Text(""))) })?;
        }
        Ok(())
    }

    fn compressed(
        &mut self,
        place: &Record<'_>,
        compression: Compression,
        data: &[u8],
        layers: &mut [Vec<u8>],
    ) -> Result<(), E> {
        let error = match layers.split_first_mut() {
            None => format!("{compression} data is inside {LAYERS} layers of compression"),
            Some((layer, layers)) => match compression.decompress(data, self.room, layer) {
                Ok(()) => {
                    self.room -= layer.len();
                    return self.open(place, layer, layers);
                }
                Err(error) => {
                    self.room = self.room.saturating_sub(layer.len());
                    error.to_string()
                }
            },
        };
        let error = with(place, Some(error));
        (self.each)(&Record { error, ..at(place, Data::Payload(classify(data))) })
    }

    fn shape(&mut self, place: &Record<'_>, data: &[u8]) -> Result<(), E> {
        match Shape::of(data) {
            Shape::Other(payload) => {
                (self.each)(&Record { error: with(place, None), ..at(place, Data::Payload(payload)) })
            }
            Shape::Change(json, change) => {
                let origin = Some(Origin::Change(change));
                (self.each)(&Record {
                    origin,
                    error: with(place, None),
                    ..at(place, Data::Payload(Payload::Json(json)))
                })
            }
            Shape::LogEvents(envelope) => {
                for event in envelope.events() {
                    let origin = Some(Origin::LogEvent(envelope.place(&event)));
                    let (data, error) = match &event.message {
                        Ok(message) => (classify(message.as_bytes()), None),
                        Err(found) => (classify(found.as_bytes()), Some("the log event has no message".to_owned())),
                    };
                    (self.each)(&Record { origin, error: with(place, error), ..at(place, Data::Payload(data)) })?;
                }
                Ok(())
            }
        }
    }
}

/// A record with the given data at the same place, so far without an error and an origin.
fn at<'a>(place: &Record<'a>, data: Data<'a>) -> Record<'a> {
    Record {
        stream: place.stream,
        shard_id: place.shard_id,
        sequence_number: place.sequence_number,
        sub_sequence_number: place.sub_sequence_number,
        partition_key: place.partition_key,
        explicit_hash_key: place.explicit_hash_key,
        arrival_ms: place.arrival_ms,
        ..Record::new(data)
    }
}

/// What was wrong before, and what is wrong besides.
fn with(place: &Record<'_>, error: Option<String>) -> Option<String> {
    match (&place.error, error) {
        (Some(before), Some(error)) => Some(format!("{before}; {error}")),
        (before, error) => error.or_else(|| before.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::AggregateBuilder;
    use super::super::compression::tests::{gzip, zstd};
    use super::*;

    /// What comes out, in words.
    fn opened(decoder: &mut Decoder, data: &[u8]) -> Vec<String> {
        let place = Record { partition_key: Some("outer"), ..Record::new(Data::Undecodable("")) };
        let mut seen = Vec::new();
        let each = |record: &Record<'_>| {
            let data = match record.data {
                Data::Payload(Payload::Json(text) | Payload::Text(text)) => text.to_owned(),
                Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)) => format!("{} bytes", bytes.len()),
                Data::Undecodable(_) => "undecodable".to_owned(),
            };
            let sub = record.sub_sequence_number.map_or(String::new(), |number| format!("#{number} "));
            let key = record.partition_key.unwrap_or("-");
            let error = record.error.as_ref().map_or(String::new(), |error| format!(" ({error})"));
            seen.push(format!("{sub}{key}: {data}{error}"));
            Ok::<_, std::convert::Infallible>(())
        };
        decoder.open(&place, data, each).unwrap();
        seen
    }

    fn aggregate(records: &[&[u8]]) -> Vec<u8> {
        let mut builder = AggregateBuilder::new(1 << 20);
        for (number, data) in records.iter().enumerate() {
            builder.add(&format!("k{number}"), None, data).unwrap();
        }
        builder.build()
    }

    #[test]
    fn compression_is_opened_in_and_around_aggregates() {
        let inside = aggregate(&[&gzip(b"one"), b"two", &zstd(b"{}")]);
        let expected = ["#0 k0: one", "#1 k1: two", "#2 k2: {}"];
        assert_eq!(opened(&mut Decoder::new(), &inside), expected);
        assert_eq!(opened(&mut Decoder::new(), &gzip(&inside)), expected);
        assert_eq!(opened(&mut Decoder::new(), &zstd(&inside)), expected);
    }

    #[test]
    fn what_cannot_be_opened_is_reported_and_shown_raw() {
        let zipped = gzip(b"hello");
        let cut = &zipped[..zipped.len() - 3];
        let expected = format!("outer: {} bytes (gzip data ends in the middle)", cut.len());
        assert_eq!(opened(&mut Decoder::new(), cut), [expected]);
        let thrice = gzip(&gzip(&gzip(b"hello")));
        let expected = format!("outer: {} bytes (gzip data is inside 2 layers of compression)", zipped.len());
        assert_eq!(opened(&mut Decoder::new(), &thrice), [expected]);
        let nested = aggregate(&[&aggregate(&[b"x"])]);
        assert!(opened(&mut Decoder::new(), &nested)[0].ends_with(" bytes"));
        assert_eq!(opened(&mut Decoder::new(), b"\xf3\x89\x9a\xc2nope"), ["outer: 8 bytes"]);
    }

    #[test]
    fn many_small_bombs_share_the_room_of_one() {
        let bomb = gzip(&[b'x'; 600]);
        let seen = opened(&mut Decoder::with_max_decompressed_bytes(1000), &aggregate(&[&bomb, &bomb, b"after"]));
        assert_eq!(seen[0], format!("#0 k0: {}", "x".repeat(600)));
        assert_eq!(seen[1], format!("#1 k1: {} bytes (gzip data holds more than 400 bytes)", bomb.len()));
        assert_eq!(seen[2], "#2 k2: after");
    }

    #[test]
    fn an_envelope_is_a_record_for_each_log_event() {
        let envelope = br#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":"{\"a\":1}"},{"id":"2"}]}"#;
        let expected = [r#"outer: {"a":1}"#, r#"outer: {"id":"2"} (the log event has no message)"#];
        assert_eq!(opened(&mut Decoder::new(), &gzip(envelope)), expected);
    }

    #[test]
    fn an_error_ends_it_and_huge_buffers_are_given_back() {
        let mut decoder = Decoder::new();
        let place = Record::new(Data::Undecodable(""));
        let mut count = 0;
        let result = decoder.open(&place, &aggregate(&[b"a", b"b", b"c"]), |_| {
            count += 1;
            if count == 2 { Err("full") } else { Ok(()) }
        });
        assert_eq!((result, count), (Err("full"), 2));
        opened(&mut decoder, &gzip(&vec![b'x'; 3 << 20]));
        assert!(decoder.layers.iter().all(|layer| layer.capacity() <= KEPT_BYTES));
    }
}
