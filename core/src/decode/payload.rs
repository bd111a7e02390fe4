//! Classifies bytes by their syntax.

use crate::json;

pub use crate::json::MAX_JSON_DEPTH;

/// A record's bytes by their syntax. [`classify`] finds exactly one variant for any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// One JSON object or array as it was written, without a byte order mark in front of it.
    Json(&'a str),
    /// Any other UTF-8 text, the empty text included.
    Text(&'a str),
    /// Bytes that are not UTF-8.
    Binary(&'a [u8]),
    /// Bytes that are not UTF-8 and are one CBOR map or array (RFC 8949). Needs the Cargo feature `cbor`; without it,
    /// CBOR is [`Binary`](Self::Binary).
    Cbor(&'a [u8]),
}

/// Classifies bytes by their syntax. It does not look for [shapes](crate::shape).
///
/// A bare JSON scalar (`42`, `"x"`, `true`) is text, because a line of digits is text to the program that put it, and
/// the log line's `type` distinguishes text from JSON. JSON that some parsers could not read back from the line is text
/// too: nested deeper than [`MAX_JSON_DEPTH`], with a number beyond a double, or with half a surrogate pair. Text loses
/// nothing, because the line contains it as a string.
///
/// ```
/// use kinesis_event_logger_core::decode::{Payload, classify};
///
/// assert_eq!(classify(b"{\"a\":1}"), Payload::Json("{\"a\":1}"));
/// assert_eq!(classify(b"42"), Payload::Text("42"));
/// assert_eq!(classify(b"\xff"), Payload::Binary(b"\xff"));
/// ```
pub fn classify(bytes: &[u8]) -> Payload<'_> {
    classify_with_members(bytes, &[]).0
}

/// Classifies bytes, and finds which of `members` a JSON object has, from one pass over it.
pub(crate) fn classify_with_members<'a>(bytes: &'a [u8], members: &[&str]) -> (Payload<'a>, json::MemberSet) {
    let payload = match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => {
            let (_, json) = json::split_byte_order_mark(text);
            match json::validate_container(json, members) {
                Some(found) => return (Payload::Json(json), found),
                None => Payload::Text(text),
            }
        }
        Err(_) if is_cbor(bytes) => Payload::Cbor(bytes),
        Err(_) => Payload::Binary(bytes),
    };
    (payload, json::MemberSet::default())
}

/// Whether bytes are one CBOR map or array, possibly tagged. Almost any bytes would be CBOR if single numbers and strings
/// counted.
#[cfg(feature = "cbor")]
fn is_cbor(bytes: &[u8]) -> bool {
    const SELF_DESCRIBED_TAG: [u8; 3] = [0xD9, 0xD9, 0xF7];
    let item = bytes.strip_prefix(&SELF_DESCRIBED_TAG).unwrap_or(bytes);
    let mut decoder = minicbor::Decoder::new(item);
    matches!(item, [0x80..=0xBF, _, ..]) && decoder.skip().is_ok() && decoder.position() == item.len()
}

#[cfg(not(feature = "cbor"))]
fn is_cbor(_: &[u8]) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn classify_distinguishes_json_text_and_binary() {
        assert_eq!(classify(b""), Payload::Text(""));
        assert_eq!(classify(b" [1, 2]\n"), Payload::Json(" [1, 2]\n"));
        assert_eq!(classify(b"\xEF\xBB\xBF {}\r\n"), Payload::Json(" {}\r\n"));
        for text in ["42", "\"x\"", "true", "null", "{", "hello", "\0", "\u{feff}hello", "\u{feff}\u{feff}{}"] {
            assert_eq!(classify(text.as_bytes()), Payload::Text(text));
        }
        assert_eq!(classify(b"{\"a\":\"\xff\"}"), Payload::Binary(b"{\"a\":\"\xff\"}"));
    }

    #[test]
    fn cbor_is_one_whole_map_or_array() {
        // {"a": 1}, [_ 1, [2]], self-described {"a": h'ff'} (RFC 8949, appendix A and section 3.4.6).
        for cbor in [&b"\xa1\x61a\x01"[..], b"\x9f\x01\x81\x02\xff", b"\xd9\xd9\xf7\xa1\x61a\x41\xff"] {
            let expected = if cfg!(feature = "cbor") { Payload::Cbor(cbor) } else { Payload::Binary(cbor) };
            assert_eq!(classify(cbor), expected);
        }
        for binary in
            [&b"\xff"[..], b"\x80", b"\xa1\x61a", b"\xa1\x61a\x01\x00", b"\x9f\x01", b"\x41\xff", b"\xf9\x3c\x00"]
        {
            assert_eq!(classify(binary), Payload::Binary(binary));
        }
    }

    proptest! {
        #[test]
        fn classify_drops_only_a_byte_order_mark_before_json(bytes in prop::collection::vec(any::<u8>(), 0..100), has_mark: bool) {
            let bytes = if has_mark { [b"\xEF\xBB\xBF", bytes.as_slice()].concat() } else { bytes };
            let kept = match classify(&bytes) {
                Payload::Json(text) => &bytes[bytes.len() - text.len()..],
                Payload::Text(text) => text.as_bytes(),
                Payload::Binary(bytes) | Payload::Cbor(bytes) => bytes,
            };
            prop_assert_eq!(kept, bytes.strip_prefix(b"\xEF\xBB\xBF").filter(|rest| kept.len() == rest.len()).unwrap_or(&bytes));
        }
    }
}
