//! Unpacks one record of a stream into all the records in it.

use crate::event::EventRecord;

use super::ahead::{AheadRecord, Decoded};
use super::base64::decode_base64;
use super::unpacking::{AggregateDigest, MAX_LAYERS, Unpacking};
use super::{Data, Position, Record};

/// The default limit of decompressed data, in bytes per record of the stream: 16 MiB.
pub const MAX_DECOMPRESSED_BYTES: usize = 16 * 1024 * 1024;

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
        if let Some(Decoded { data, digest }) = ahead.decoded {
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
        let result = unpacking.begin(position, problem, data, digest, &mut self.layers);
        for layer in &mut self.layers {
            *layer = without_large_capacity(std::mem::take(layer));
        }
        result
    }
}

fn without_large_capacity(buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > MAX_RETAINED_BYTES { Vec::new() } else { buffer }
}

#[cfg(test)]
#[cfg(all(feature = "gzip", feature = "zstd"))]
mod tests {
    use super::super::compression::tests::{gzip, zstd};
    use super::super::{AggregateBuilder, Payload};
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
