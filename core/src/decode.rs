//! Bytes to records, in named steps: base64, then aggregate and compression, in whatever order they are nested, then
//! shape.

mod aggregate;
mod compression;
mod decoder;
mod shape;

use thiserror::Error;

use crate::event::SourceRecord;
use crate::record::{Data, Record};

pub use aggregate::{AGGREGATE_MAGIC, Aggregate, AggregateBuilder, AggregateError, SubRecord, SubRecordProblem};
pub use compression::{Compression, DecompressError};
pub use decoder::{Decoder, MAX_DECOMPRESSED_BYTES};
pub use shape::{Envelope, EnvelopeEvent, Shape};

/// What a record's data is. Whatever the bytes are, [`classify`] finds exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// One JSON object or array, as it was written, without the byte order mark that may stand before it.
    Json(&'a str),
    /// Any other UTF-8 text; the empty text for no bytes at all.
    Text(&'a str),
    /// Bytes that are not UTF-8.
    Binary(&'a [u8]),
    /// Bytes that are not UTF-8, and that are one CBOR map or array (RFC 8949).
    Cbor(&'a [u8]),
}

/// Tells what bytes are, by their syntax alone: [`Shape::of`] also knows what some services put on a stream.
///
/// A bare JSON scalar (`42`, `"x"`, `true`) is text: a line of digits is text to whoever put it, and the log line's
/// `type` keeps text and JSON apart. So is JSON that not every reader of the line could read back: nested deeper than
/// [`MAX_JSON_DEPTH`](crate::MAX_JSON_DEPTH), with a number beyond a double, or with half a surrogate pair. Text loses
/// nothing: the line holds it whole, as a string.
///
/// ```
/// use kinesis_event_logger_core::{Payload, classify};
///
/// assert_eq!(classify(b"{\"a\":1}"), Payload::Json("{\"a\":1}"));
/// assert_eq!(classify(b"42"), Payload::Text("42"));
/// assert_eq!(classify(b"\xff"), Payload::Binary(b"\xff"));
/// ```
pub fn classify(bytes: &[u8]) -> Payload<'_> {
    shape::payload(bytes).0
}

/// Why text is not base64 as Lambda writes it (RFC 4648 section 4, padded).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Base64Error {
    /// A character outside the alphabet, or padding before the end.
    #[error("not base64: {character:?} at character {position}")]
    Character {
        /// The character.
        character: char,
        /// How many characters stand before it.
        position: usize,
    },
    /// Not groups of four.
    #[error("not base64: {length} characters, not a multiple of 4")]
    Length {
        /// How many characters there are.
        length: usize,
    },
    /// The last group holds bits of a byte that is not there.
    #[error("not base64: the last group has bits left over")]
    TrailingBits,
}

/// Decodes base64 into `scratch`, replacing what it held.
///
/// # Errors
/// [`Base64Error`], naming what is wrong first.
pub fn base64<'s>(text: &str, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Base64Error> {
    scratch.clear();
    match base64_simd::STANDARD.decode_append(text, scratch) {
        Ok(()) => Ok(scratch),
        Err(_) => Err(diagnose(text)),
    }
}

/// The decoder says only that text is wrong; this finds where.
fn diagnose(text: &str) -> Base64Error {
    let unpadded = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let foreign = |&(_, character): &(usize, char)| !matches!(character, 'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/');
    if let Some((position, character)) = unpadded.chars().enumerate().find(foreign) {
        return Base64Error::Character { character, position };
    }
    if !text.len().is_multiple_of(4) {
        return Base64Error::Length { length: text.len() };
    }
    Base64Error::TrailingBits
}

/// Decodes a record as the event holds it, whatever may be inside: aggregates, compressed data and envelopes are left
/// closed, for a caller who wants one line a record of the stream. [`Decoder`] opens them.
///
/// `scratch` is where the decoded data lives: hand the same one to every record, and none allocates once the largest has
/// been seen.
pub fn decode<'a>(source: &'a SourceRecord<'_>, scratch: &'a mut Vec<u8>) -> Record<'a> {
    let (data, error) = match &source.data {
        Some(encoded) => match base64(encoded, scratch) {
            Ok(bytes) => (Data::Payload(classify(bytes)), None),
            Err(error) => (Data::Undecodable(encoded), Some(format!("{} is {error}", source.data_path))),
        },
        None => (Data::Undecodable(source.raw), None),
    };
    Record {
        stream: source.stream.as_deref(),
        shard_id: source.shard_id.as_deref(),
        sequence_number: source.sequence_number.as_deref(),
        partition_key: source.partition_key.as_deref(),
        arrival_ms: source.arrival_ms,
        sub_sequence_number: None,
        explicit_hash_key: None,
        origin: None,
        error: error.or_else(|| source.problem.as_ref().map(ToString::to_string)),
        data,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Event;

    #[test]
    fn every_shape_has_its_name() {
        assert_eq!(classify(b""), Payload::Text(""));
        assert_eq!(classify(b" [1, 2]\n"), Payload::Json(" [1, 2]\n"));
        assert_eq!(classify(b"\xEF\xBB\xBF {}\r\n"), Payload::Json(" {}\r\n"));
        for text in ["42", "\"x\"", "true", "null", "{", "hello", "\0", "\u{feff}hello", "\u{feff}\u{feff}{}"] {
            assert_eq!(classify(text.as_bytes()), Payload::Text(text));
        }
        assert_eq!(classify(b"{\"a\":\"\xff\"}"), Payload::Binary(b"{\"a\":\"\xff\"}"));
    }

    #[test]
    fn base64_errors_name_the_place() {
        let error = |text: &str| base64(text, &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error("aGk*"), "not base64: '*' at character 3");
        assert_eq!(error("é!"), "not base64: 'é' at character 0");
        assert_eq!(error("aG=k"), "not base64: '=' at character 2");
        assert_eq!(error("aGk=\n"), "not base64: '=' at character 3");
        assert_eq!(error("aGk"), "not base64: 3 characters, not a multiple of 4");
        assert_eq!(error("aGl="), "not base64: the last group has bits left over");
        assert_eq!(error("===="), "not base64: '=' at character 0");
    }

    #[test]
    fn a_bad_record_shows_what_was_there() {
        let event = r#"{"Records":[{"kinesis":{"data":"a*b"}},{"kinesis":{}},null,{"kinesis":{"data":"e30=","partitionKey":{}}}]}"#;
        let mut scratch = Vec::new();
        let mut decoded = Vec::new();
        for source in Event::parse(event).unwrap().records() {
            let record = decode(&source, &mut scratch);
            decoded.push(format!("{:?} {}", record.data, record.error.unwrap_or_default()));
        }
        let expected = [
            r#"Undecodable("a*b") kinesis.data is not base64: '*' at character 1"#,
            r#"Undecodable("{\"kinesis\":{}}") kinesis.data is missing"#,
            r#"Undecodable("null") the record is null, not an object"#,
            r#"Payload(Json("{}")) kinesis.partitionKey is an object, not a string"#,
        ];
        assert_eq!(decoded, expected);
    }

    proptest! {
        #[test]
        fn base64_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..200), before in prop::collection::vec(any::<u8>(), 0..9)) {
            let mut scratch = before;
            let encoded = base64_simd::STANDARD.encode_to_string(&bytes);
            prop_assert_eq!(base64(&encoded, &mut scratch), Ok(bytes.as_slice()));
        }

        #[test]
        fn any_text_is_base64_or_an_error(text in "[A-Za-z0-9+/]{0,8}[=é*]{0,3}[A-Za-z0-9+/=]{0,5}") {
            let mut scratch = Vec::new();
            match base64(&text, &mut scratch) {
                Ok(bytes) => prop_assert_eq!(base64_simd::STANDARD.encode_to_string(bytes), text),
                Err(Base64Error::TrailingBits) => prop_assert!(text.ends_with('=') && text.len().is_multiple_of(4)),
                Err(_) => {}
            }
        }

        #[test]
        fn classifying_loses_no_byte(bytes in prop::collection::vec(any::<u8>(), 0..100), has_mark: bool) {
            let bytes = if has_mark { [b"\xEF\xBB\xBF", bytes.as_slice()].concat() } else { bytes };
            let kept = match classify(&bytes) {
                // But for the mark before JSON.
                Payload::Json(text) => &bytes[bytes.len() - text.len()..],
                Payload::Text(text) => text.as_bytes(),
                Payload::Binary(bytes) | Payload::Cbor(bytes) => bytes,
            };
            prop_assert_eq!(kept, bytes.strip_prefix(b"\xEF\xBB\xBF").filter(|rest| kept.len() == rest.len()).unwrap_or(&bytes));
        }
    }
}
