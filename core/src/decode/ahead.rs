//! Reads the records of an event ahead, so that the digests of several aggregates are computed at once.

use std::collections::VecDeque;

use super::aggregate::{VERIFIED_AT_ONCE, verify};
use super::base64::decode_base64;
use super::unpacking::AggregateDigest;
use crate::event::EventRecord;

/// The beginning of an aggregate's base64: that of its magic number, without the last character, which depends on what follows.
const AGGREGATE_BASE64: &str = "84mawg";
const _: () = assert!(matches!(super::AGGREGATE_MAGIC, [0xF3, 0x89, 0x9A, 0xC2]));

/// No more is read ahead once this much base64 was, in bytes. A larger aggregate is decoded alone.
const MAX_AHEAD_BYTES: usize = 1024 * 1024;

/// The records of an event, of which aggregates are decoded several at a time, because their MD5s take most of the time that they
/// need. Records that are not aggregates pass as they are.
///
/// ```
/// use kinesis_event_logger_core::decode::ReadAhead;
/// use kinesis_event_logger_core::{Decoder, Event};
///
/// let event = r#"{"Records":[{"kinesis":{"data":"SGVsbG8="},"eventSource":"aws:kinesis"}]}"#;
/// let event = Event::parse(event)?;
/// let (mut records, mut decoder, mut count) = (ReadAhead::new(event.records()), Decoder::new(), 0);
/// while let Some(record) = records.next() {
///     decoder.decode_ahead(&record, |_| {
///         count += 1;
///         Ok::<_, std::convert::Infallible>(())
///     });
/// }
/// assert_eq!(count, 1);
/// # Ok::<_, kinesis_event_logger_core::event::EventError>(())
/// ```
#[derive(Debug)]
pub struct ReadAhead<'a, I> {
    records: I,
    /// Records that were read and are not returned yet, the first of which is returned next.
    ready: VecDeque<Read<'a>>,
    /// The record that was returned last.
    current: Option<Read<'a>>,
    free: Vec<Vec<u8>>,
}

/// A record of an event, and its data if that was decoded ahead.
#[derive(Debug, Clone, Copy)]
pub struct AheadRecord<'r, 'a> {
    /// The record.
    pub record: &'r EventRecord<'a>,
    pub(super) decoded: Option<Decoded<'r>>,
}

/// Data that was decoded ahead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoded<'r> {
    pub data: &'r [u8],
    pub digest: AggregateDigest,
}

#[derive(Debug)]
struct Read<'a> {
    record: EventRecord<'a>,
    decoded: Option<(Vec<u8>, AggregateDigest)>,
}

impl<'a, I: Iterator<Item = EventRecord<'a>>> ReadAhead<'a, I> {
    /// Reads these records ahead.
    pub fn new(records: I) -> Self {
        Self { records, ready: VecDeque::new(), current: None, free: Vec::new() }
    }

    /// Returns the next record.
    #[expect(clippy::should_implement_trait, reason = "the record is lent until the next one")]
    pub fn next(&mut self) -> Option<AheadRecord<'_, 'a>> {
        if let Some((buffer, _)) = self.current.take().and_then(|before| before.decoded) {
            self.free.push(buffer);
        }
        if self.ready.is_empty() {
            self.read();
        }
        self.current = self.ready.pop_front();
        let Read { record, decoded } = self.current.as_ref()?;
        let decoded = decoded.as_ref().map(|(data, digest)| Decoded { data, digest: *digest });
        Some(AheadRecord { record, decoded })
    }

    /// Reads the next record and, if it is an aggregate, those that follow it.
    fn read(&mut self) {
        let (mut aggregates, mut bytes) = (0, 0);
        for record in self.records.by_ref() {
            let length = aggregate(&record).map(str::len);
            self.ready.push_back(Read { record, decoded: None });
            let Some(length) = length else { break };
            (aggregates, bytes) = (aggregates + 1, bytes + length);
            if bytes >= MAX_AHEAD_BYTES || aggregates == VERIFIED_AT_ONCE {
                break;
            }
        }
        // One alone gains nothing.
        if aggregates < 2 {
            return;
        }
        for read in &mut self.ready {
            let Some(data) = aggregate(&read.record) else { continue };
            let mut buffer = self.free.pop().unwrap_or_default();
            // The decoder reports the error of a text that is not base64.
            if decode_base64(data, &mut buffer).is_ok() {
                read.decoded = Some((buffer, AggregateDigest::Unknown));
            }
        }
        let all: Vec<_> = self.ready.iter().filter_map(|read| Some(read.decoded.as_ref()?.0.as_slice())).collect();
        let verified = verify(&all);
        let decoded = self.ready.iter_mut().filter_map(|read| read.decoded.as_mut());
        for ((_, digest), is_right) in decoded.zip(verified) {
            *digest = if is_right { AggregateDigest::Right } else { AggregateDigest::Wrong };
        }
    }
}

/// The base64 of a record that is probably an aggregate, and not too large to be decoded ahead.
fn aggregate<'r>(record: &'r EventRecord<'_>) -> Option<&'r str> {
    let data = record.data.as_deref()?;
    (data.starts_with(AGGREGATE_BASE64) && data.len() <= MAX_AHEAD_BYTES).then_some(data)
}

impl<'r, 'a> From<&'r EventRecord<'a>> for AheadRecord<'r, 'a> {
    fn from(record: &'r EventRecord<'a>) -> Self {
        Self { record, decoded: None }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use base64_simd::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{AggregateBuilder, Decoder};
    use crate::event::Event;

    /// The records of each record of an event: its number, and the record as text.
    type Seen = Vec<(usize, String)>;

    fn seen(records: &[String]) -> (Seen, Seen) {
        let records = records.iter().enumerate().map(|(number, data)| {
            format!(r#"{{"kinesis":{{"sequenceNumber":"{number}","data":"{data}"}},"eventSource":"aws:kinesis"}}"#)
        });
        let event = format!(r#"{{"Records":[{}]}}"#, records.collect::<Vec<_>>().join(","));
        let event = Event::parse(&event).unwrap();
        let mut decoder = Decoder::new();
        let (mut ahead, mut alone) = (Vec::new(), Vec::new());
        let mut read = ReadAhead::new(event.records());
        let mut number = 0;
        while let Some(record) = read.next() {
            // Twice, as a caller does whose output was full.
            for _ in 0..2 {
                ahead.truncate(ahead.iter().take_while(|(seen, _)| *seen < number).count());
                let Ok(()) = decoder.decode_ahead(&record, |record| {
                    ahead.push((number, format!("{record:?}")));
                    Ok::<_, Infallible>(())
                });
            }
            number += 1;
        }
        for (number, record) in event.records().enumerate() {
            let Ok(()) = decoder.decode(&record, |record| {
                alone.push((number, format!("{record:?}")));
                Ok::<_, Infallible>(())
            });
        }
        (ahead, alone)
    }

    fn aggregate(records: usize, bytes: usize) -> Vec<u8> {
        let mut builder = AggregateBuilder::new(2 << 20);
        (0..records).for_each(|number| builder.add(&format!("k{number}"), None, &vec![b'x'; bytes]).unwrap());
        builder.build()
    }

    /// An aggregate, something that looks like one, or other data, in base64 or in what looks like it.
    fn data() -> impl Strategy<Value = String> {
        let valid = (0..4_usize, 0..200_usize).prop_map(|(records, bytes)| aggregate(records, bytes));
        let damaged = (valid.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut data, at, byte)| {
            let at = at.index(data.len());
            data[at] = byte;
            data
        });
        let cut =
            (valid.clone(), any::<prop::sample::Index>()).prop_map(|(data, at)| data[..at.index(data.len())].to_vec());
        let other = prop::collection::vec(any::<u8>(), 0..50);
        let encoded = prop_oneof![4 => valid, 1 => damaged, 1 => cut, 1 => other]
            .prop_map(|data| STANDARD.encode_to_string(data));
        prop_oneof![8 => encoded, 1 => Just("84mawg".to_owned()), 1 => Just("84mawg*A".to_owned())]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

        #[test]
        fn records_read_ahead_are_decoded_as_records_alone(records in prop::collection::vec(data(), 0..30)) {
            let (ahead, alone) = seen(&records);
            prop_assert_eq!(ahead, alone);
        }
    }

    #[test]
    fn aggregates_are_read_ahead_up_to_a_limit() {
        let encode = |data: Vec<u8>| STANDARD.encode_to_string(data);
        for (records, ready) in [
            (vec![encode(aggregate(1, 10)); 20], VERIFIED_AT_ONCE),
            (vec![encode(aggregate(1, 10)); 2], 2),
            (vec![encode(aggregate(1, 1 << 20)); 3], 1),
            (vec![encode(b"other".to_vec()); 3], 1),
            (vec![encode(aggregate(1, 10)), encode(b"other".to_vec()), encode(aggregate(1, 10))], 2),
        ] {
            let text = |data: &String| format!(r#"{{"kinesis":{{"data":"{data}"}},"eventSource":"aws:kinesis"}}"#);
            let event = format!(r#"{{"Records":[{}]}}"#, records.iter().map(text).collect::<Vec<_>>().join(","));
            let event = Event::parse(&event).unwrap();
            let mut read = ReadAhead::new(event.records());
            assert!(read.next().is_some());
            assert_eq!(read.ready.len() + 1, ready);
            let (ahead, alone) = seen(&records);
            assert_eq!(ahead, alone);
        }
    }
}
