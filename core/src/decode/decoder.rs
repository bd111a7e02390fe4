//! Unpacks one record of a stream into all the records in it.

use std::ops::ControlFlow;

use crate::event::EventRecord;
use crate::json::{self, MemberSet};
use crate::shape;

use super::ahead::{AheadRecord, Decoded};
use super::base64::decode_base64;
use super::{Aggregate, Compression, Data, Payload, Position, Record, classify, classify_with_members};

/// The default limit of decompressed data, in bytes per record of the stream: 16 MiB.
pub const MAX_DECOMPRESSED_BYTES: usize = 16 * 1024 * 1024;

/// The number of layers of compression that are decompressed: one around an aggregate and one inside.
const MAX_LAYERS: usize = 2;

/// A buffer that grew larger than this for one record is freed.
const MAX_RETAINED_BYTES: usize = 2 * 1024 * 1024;

/// Unpacks records: base64, aggregates, compression and [shapes](crate::shape).
///
/// A decoder owns the buffers that the unpacked data is in. Once they are large enough, decoding does not allocate them
/// again, so use one decoder for many records.
///
/// ```
/// use kinesis_event_logger_core::{Decoder, Position};
///
/// // `printf hello | zstd -19`
/// let data = b"\x28\xb5\x2f\xfd\x04\x68\x29\x00\x00hello\xa3\x6d\x9f\x88";
/// let mut seen = Vec::new();
/// Decoder::new().decode_bytes(&Position::default(), data, |record| {
///     seen.push(format!("{:?}", record.data));
///     Ok::<_, std::convert::Infallible>(())
/// })?;
/// # #[cfg(feature = "zstd")]
/// assert_eq!(seen, [r#"Payload(Text("hello"))"#]);
/// # Ok::<_, std::convert::Infallible>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    max_decompressed_bytes: usize,
    splits_json: bool,
    base64_buffer: Vec<u8>,
    layers: [Vec<u8>; MAX_LAYERS],
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Creates a decoder that decompresses at most [`MAX_DECOMPRESSED_BYTES`] per record of the stream.
    pub fn new() -> Self {
        Self::with_max_decompressed_bytes(MAX_DECOMPRESSED_BYTES)
    }

    /// Creates a decoder that decompresses at most `max_decompressed_bytes` per record of the stream.
    ///
    /// All compressed data in an aggregate shares the limit, so that many small decompression bombs gain nothing over a
    /// large one. Data beyond the limit stays compressed, and its record has an [`error`](Record::error).
    pub fn with_max_decompressed_bytes(max_decompressed_bytes: usize) -> Self {
        Self { max_decompressed_bytes, splits_json: false, base64_buffer: Vec::new(), layers: Default::default() }
    }

    /// Sets whether data that is several JSON objects or arrays, one per line or concatenated, becomes one record for each.
    ///
    /// Their [`sub_sequence_number`](Position::sub_sequence_number) counts them from 0. The values of a record inside an
    /// aggregate all have that of the record. Data that has anything else between, before or after its values is not split.
    ///
    /// ```
    /// use kinesis_event_logger_core::{Decoder, Position};
    ///
    /// let mut decoder = Decoder::new();
    /// decoder.set_split_json(true);
    /// let mut seen = Vec::new();
    /// decoder.decode_bytes(&Position::default(), b"{\"a\":1}\n{\"a\":2}\n", |record| {
    ///     seen.push((record.position.sub_sequence_number, format!("{:?}", record.data)));
    ///     Ok::<_, std::convert::Infallible>(())
    /// })?;
    /// let json = |number| format!(r#"Payload(Json("{{\"a\":{number}}}"))"#);
    /// assert_eq!(seen, [(Some(0), json(1)), (Some(1), json(2))]);
    /// # Ok::<_, std::convert::Infallible>(())
    /// ```
    pub fn set_split_json(&mut self, splits_json: bool) {
        self.splits_json = splits_json;
    }

    /// Calls `each` for every record in a record of an event, in order, at least once.
    ///
    /// Data that cannot be decoded becomes a record with an [`error`](Record::error).
    ///
    /// # Errors
    /// Returns the first error of `each`, which is not called again.
    pub fn decode<E>(
        &mut self,
        record: &EventRecord<'_>,
        each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.decode_ahead(&record.into(), each)
    }

    /// [`decode`](Self::decode) for a record that may have been read [ahead](super::ReadAhead).
    ///
    /// # Errors
    /// Returns the first error of `each`, which is not called again.
    pub fn decode_ahead<E>(
        &mut self,
        ahead: &AheadRecord<'_, '_>,
        mut each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let record = ahead.record;
        let position = record.position();
        let problem = record.problem.as_ref().map(ToString::to_string);
        let Some(encoded) = record.data.as_deref() else {
            return each(&Record { error: problem, ..Record::new(position, Data::Undecodable(record.raw)) });
        };
        if let Some(Decoded { data, is_verified }) = ahead.decoded {
            let digest = if is_verified { AggregateDigest::Right } else { AggregateDigest::Wrong };
            return self.unpack(&position, problem.as_deref(), data, digest, each);
        }
        let mut buffer = std::mem::take(&mut self.base64_buffer);
        let result = match decode_base64(encoded, &mut buffer) {
            Ok(bytes) => self.unpack(&position, problem.as_deref(), bytes, AggregateDigest::Unknown, each),
            Err(error) => {
                let error = Some(format!("{} is {}", record.data_path, error.complement()));
                each(&Record { error, ..Record::new(position, Data::Undecodable(encoded)) })
            }
        };
        self.base64_buffer = without_large_capacity(buffer);
        result
    }

    /// Calls `each` for every record in `data`, in order, at least once. `position` is the position of `data`.
    ///
    /// # Errors
    /// Returns the first error of `each`, which is not called again.
    pub fn decode_bytes<E>(
        &mut self,
        position: &Position<'_>,
        data: &[u8],
        each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.unpack(position, None, data, AggregateDigest::Unknown, each)
    }

    fn unpack<E>(
        &mut self,
        position: &Position<'_>,
        problem: Option<&str>,
        data: &[u8],
        digest: AggregateDigest,
        each: impl FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut unpacking =
            Unpacking { remaining_bytes: self.max_decompressed_bytes, splits_json: self.splits_json, each };
        let layers = &mut self.layers;
        let result = match digest {
            AggregateDigest::Unknown => unpacking.unpack(position, problem, data, layers),
            AggregateDigest::Right => match Aggregate::parse_verified(data) {
                Some(aggregate) => unpacking.unpack_aggregate(position, problem, &aggregate, layers),
                None => unpacking.unpack_data(position, problem, data, layers),
            },
            AggregateDigest::Wrong => unpacking.unpack_data(position, problem, data, layers),
        };
        for layer in &mut self.layers {
            *layer = without_large_capacity(std::mem::take(layer));
        }
        result
    }
}

fn without_large_capacity(buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > MAX_RETAINED_BYTES { Vec::new() } else { buffer }
}

/// What is known of the digest of an aggregate, if the data is one.
#[derive(Clone, Copy)]
enum AggregateDigest {
    Unknown,
    Right,
    Wrong,
}

/// The unpacking of one record of the stream.
struct Unpacking<F> {
    /// The number of bytes that may still be decompressed.
    remaining_bytes: usize,
    splits_json: bool,
    each: F,
}

impl<F, E> Unpacking<F>
where
    F: FnMut(&Record<'_>) -> Result<(), E>,
{
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

    /// Unpacks data that is no aggregate.
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

#[cfg(test)]
#[cfg(all(feature = "gzip", feature = "zstd"))]
mod tests {
    use super::super::AggregateBuilder;
    use super::super::compression::tests::{gzip, zstd};
    use super::*;
    use crate::event::Event;

    /// The records in some data, each as a text.
    fn unpacked(decoder: &mut Decoder, data: &[u8]) -> Vec<String> {
        let position = Position { partition_key: Some("outer"), ..Position::default() };
        let mut seen = Vec::new();
        let each = |record: &Record<'_>| {
            let data = match record.data {
                Data::Payload(Payload::Json(text) | Payload::Text(text)) => text.to_owned(),
                Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)) => format!("{} bytes", bytes.len()),
                Data::Undecodable(_) => "undecodable".to_owned(),
            };
            let sub = record.position.sub_sequence_number.map_or(String::new(), |number| format!("#{number} "));
            let key = record.position.partition_key.unwrap_or("-");
            let error = record.error.as_ref().map_or(String::new(), |error| format!(" ({error})"));
            seen.push(format!("{sub}{key}: {data}{error}"));
            Ok::<_, std::convert::Infallible>(())
        };
        decoder.decode_bytes(&position, data, each).unwrap();
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
    fn data_inside_and_around_aggregates_is_decompressed() {
        let inside = aggregate(&[&gzip(b"one"), b"two", &zstd(b"{}")]);
        let expected = ["#0 k0: one", "#1 k1: two", "#2 k2: {}"];
        assert_eq!(unpacked(&mut Decoder::new(), &inside), expected);
        assert_eq!(unpacked(&mut Decoder::new(), &gzip(&inside)), expected);
        assert_eq!(unpacked(&mut Decoder::new(), &zstd(&inside)), expected);
    }

    #[test]
    fn data_that_cannot_be_decompressed_stays_as_it_is_with_an_error() {
        let zipped = gzip(b"hello");
        let cut = &zipped[..zipped.len() - 3];
        let expected = format!("outer: {} bytes (gzip data ends in the middle)", cut.len());
        assert_eq!(unpacked(&mut Decoder::new(), cut), [expected]);
        let thrice = gzip(&gzip(&gzip(b"hello")));
        let expected = format!("outer: {} bytes (gzip data is inside 2 layers of compression)", zipped.len());
        assert_eq!(unpacked(&mut Decoder::new(), &thrice), [expected]);
        let nested = aggregate(&[&aggregate(&[b"x"])]);
        assert!(unpacked(&mut Decoder::new(), &nested)[0].ends_with(" bytes"));
        assert_eq!(unpacked(&mut Decoder::new(), b"\xf3\x89\x9a\xc2nope"), ["outer: 8 bytes"]);
    }

    #[test]
    fn many_small_bombs_share_the_limit_of_one() {
        let bomb = gzip(&[b'x'; 600]);
        let seen = unpacked(&mut Decoder::with_max_decompressed_bytes(1000), &aggregate(&[&bomb, &bomb, b"after"]));
        assert_eq!(seen[0], format!("#0 k0: {}", "x".repeat(600)));
        assert_eq!(seen[1], format!("#1 k1: {} bytes (gzip data holds more than 400 bytes)", bomb.len()));
        assert_eq!(seen[2], "#2 k2: after");
    }

    #[test]
    fn an_envelope_becomes_one_record_per_log_event() {
        let envelope = br#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":"{\"a\":1}"},{"id":"2"}]}"#;
        let expected = [r#"outer: {"a":1}"#, r#"outer: {"id":"2"} (the log event has no message)"#];
        assert_eq!(unpacked(&mut Decoder::new(), &gzip(envelope)), expected);
    }

    #[test]
    fn json_values_become_records_only_if_the_data_is_nothing_else() {
        let mut decoder = Decoder::new();
        decoder.set_split_json(true);
        let expected = ["#0 outer: {\"a\":1}", "#1 outer: [2]", "#2 outer: {}"];
        for data in ["{\"a\":1}\n[2]\r\n\n{}\n", "{\"a\":1}[2]{}", "\u{feff} {\"a\":1}\t[2] {}"] {
            assert_eq!(unpacked(&mut decoder, data.as_bytes()), expected, "{data}");
            assert_eq!(unpacked(&mut decoder, &gzip(data.as_bytes())), expected, "{data}");
            assert_eq!(unpacked(&mut Decoder::new(), data.as_bytes()).len(), 1, "{data}");
        }
        for data in
            ["{} {", "{}\n{\"a\":1", "{},{}", "{} x {}", "{}\n1", "1 2", "{}\0{}", "x{}{}", "{\"a\":\"\\ud800\"}{}"]
        {
            assert_eq!(unpacked(&mut decoder, data.as_bytes()), [format!("outer: {data}")]);
        }
        assert_eq!(unpacked(&mut decoder, b" {} \n"), ["outer:  {} \n"]);
        let inside = aggregate(&[b"{}{}", b"two", b"[1]\n[2]"]);
        let expected = ["#0 k0: {}", "#0 k0: {}", "#1 k1: two", "#2 k2: [1]", "#2 k2: [2]"];
        assert_eq!(unpacked(&mut decoder, &inside), expected);
    }

    #[test]
    fn each_value_may_have_a_shape() {
        let mut decoder = Decoder::new();
        decoder.set_split_json(true);
        let change = r#"{"eventName":"INSERT","tableName":"t","dynamodb":{"Keys":{"id":{"S":"7"}}}}"#;
        let mut seen = Vec::new();
        let Ok(()) = decoder.decode_bytes(&Position::default(), format!("{change}\n{{}}").as_bytes(), |record| {
            seen.push(record.origin.as_ref().map(|origin| origin.shape));
            Ok::<_, std::convert::Infallible>(())
        });
        assert_eq!(seen, [Some("dynamodb"), None]);
    }

    #[test]
    fn an_error_ends_decoding_and_large_buffers_are_freed() {
        let mut decoder = Decoder::new();
        let mut count = 0;
        let result = decoder.decode_bytes(&Position::default(), &aggregate(&[b"a", b"b", b"c"]), |_| {
            count += 1;
            if count == 2 { Err("full") } else { Ok(()) }
        });
        assert_eq!((result, count), (Err("full"), 2));
        unpacked(&mut decoder, &gzip(&vec![b'x'; 3 << 20]));
        assert!(decoder.layers.iter().all(|layer| layer.capacity() <= MAX_RETAINED_BYTES));
    }

    #[test]
    fn a_record_that_cannot_be_decoded_contains_what_was_there() {
        let event = r#"{"Records":[{"kinesis":{"data":"a*b"}},{"kinesis":{}},null,{"kinesis":{"data":"e30=","partitionKey":{}}}]}"#;
        let (mut decoder, mut seen) = (Decoder::new(), Vec::new());
        for record in Event::parse(event).unwrap().records() {
            let Ok(()) = decoder.decode(&record, |record| {
                seen.push(format!("{:?} {}", record.data, record.error.as_deref().unwrap_or_default()));
                Ok::<_, std::convert::Infallible>(())
            });
        }
        let expected = [
            r#"Undecodable("a*b") kinesis.data is not base64: '*' at character 1"#,
            r#"Undecodable("{\"kinesis\":{}}") kinesis.data is missing"#,
            r#"Undecodable("null") the record is null, not an object"#,
            r#"Payload(Json("{}")) kinesis.partitionKey is an object, not a string"#,
        ];
        assert_eq!(seen, expected);
    }
}
