//! What of a record's data its line shows: after redaction, then the switch, then the size.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::decode::Payload;
use crate::escape::{ESCAPE_BYTES, prefix_within};
use crate::record::{Data, Record};
use crate::redact::{REDACTION_MARK, Redacted};

use super::{DataShown, LineOptions};

/// The line's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Text,
    Binary,
    Cbor,
    Undecodable,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Cbor => "cbor",
            Self::Undecodable => "undecodable",
        }
    }

    /// What stands before the data in a text line, where its form does not tell the type.
    pub(super) fn text_mark(self) -> &'static str {
        match self {
            Self::Cbor => "cbor:",
            Self::Undecodable => "undecodable:",
            Self::Json | Self::Text | Self::Binary => "",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Json(Cow<'a, str>),
    Text(Cow<'a, str>),
    Base64(&'a [u8]),
    Hidden,
}

/// The data of one line, and what the line says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown<'a> {
    pub(super) kind: Kind,
    pub(super) value: Value<'a>,
    /// The length of the whole, where the line tells it.
    pub(super) bytes: Option<usize>,
    pub(super) sha256: Option<String>,
    pub(super) redacted: usize,
    pub(super) redacted_whole: Option<&'static str>,
    pub(super) truncated: bool,
}

impl<'a> Shown<'a> {
    pub(super) fn of(record: &Record<'a>, options: &LineOptions) -> Self {
        let mut shown = Self::whole(record.data);
        if !options.redactor.is_empty() {
            shown.redact(options.redactor.redact_record(record));
        }
        match options.data {
            DataShown::Full => shown.cut(options.max_data_bytes),
            DataShown::Hash => {
                shown.bytes = Some(shown.value.as_bytes().len());
                shown.sha256 = Some(sha256(shown.value.as_bytes()));
                shown.value = Value::Hidden;
            }
            DataShown::None => {
                shown.bytes = Some(shown.value.as_bytes().len());
                shown.value = Value::Hidden;
            }
        }
        shown
    }

    fn whole(data: Data<'a>) -> Self {
        let (kind, value) = match data {
            Data::Payload(Payload::Json(json)) => (Kind::Json, Value::Json(json.into())),
            Data::Payload(Payload::Text(text)) => (Kind::Text, Value::Text(text.into())),
            Data::Payload(Payload::Binary(bytes)) => (Kind::Binary, Value::Base64(bytes)),
            Data::Payload(Payload::Cbor(bytes)) => (Kind::Cbor, Value::Base64(bytes)),
            Data::Undecodable(found) => (Kind::Undecodable, Value::Text(found.into())),
        };
        let bytes = if let Value::Base64(bytes) = value { Some(bytes.len()) } else { None };
        Self { kind, value, bytes, sha256: None, redacted: 0, redacted_whole: None, truncated: false }
    }

    fn redact(&mut self, redacted: Redacted) {
        match redacted {
            Redacted::Nothing => {}
            Redacted::Values { json, count } => {
                self.redacted = count;
                self.value = Value::Json(json.into());
            }
            Redacted::Whole { reason } => {
                self.redacted = 1;
                self.redacted_whole = Some(reason);
                self.bytes = None;
                self.value = Value::Text(REDACTION_MARK.into());
            }
        }
    }

    /// Cuts the data to what takes at most `max` bytes on the line.
    fn cut(&mut self, max: usize) {
        let whole = self.value.as_bytes();
        // The worst that escaping can do decides at once for all but the longest.
        if whole.len() <= max / ESCAPE_BYTES {
            return;
        }
        let kept = match &self.value {
            Value::Json(json) => match prefix_within(json, false, max) {
                kept if kept == json.len() => kept,
                // Shown as a string from here on, where quotes are escaped too.
                _ => prefix_within(json, true, max),
            },
            Value::Text(text) => prefix_within(text, true, max),
            Value::Base64(bytes) if base64_simd::STANDARD.encoded_length(bytes.len()) <= max => bytes.len(),
            Value::Base64(_) => max / 4 * 3,
            Value::Hidden => return,
        };
        if kept == whole.len() {
            return;
        }
        (self.bytes, self.sha256, self.truncated) = (Some(whole.len()), Some(sha256(whole)), true);
        match &mut self.value {
            Value::Json(text) => {
                self.kind = Kind::Text;
                self.value = Value::Text(prefix(text, kept));
            }
            Value::Text(text) => self.value = Value::Text(prefix(text, kept)),
            Value::Base64(bytes) => *bytes = &bytes[..kept],
            Value::Hidden => {}
        }
    }
}

impl Value<'_> {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) | Self::Text(text) => text.as_bytes(),
            Self::Base64(bytes) => bytes,
            Self::Hidden => &[],
        }
    }
}

fn prefix<'a>(text: &mut Cow<'a, str>, length: usize) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[..length]),
        Cow::Owned(text) => {
            text.truncate(length);
            Cow::Owned(std::mem::take(text))
        }
    }
}

/// Sixty-four hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: Payload<'_>, max_data_bytes: usize) -> Shown<'_> {
        Shown::of(&Record::new(Data::Payload(payload)), &LineOptions { max_data_bytes, ..LineOptions::DEFAULT })
    }

    #[test]
    fn what_fits_is_whole_to_the_byte() {
        assert!(!shown(Payload::Text("12345"), 5).truncated);
        assert!(!shown(Payload::Json("{\"a\":1}"), 7).truncated);
        assert!(!shown(Payload::Binary(&[0xFF; 6]), 8).truncated);
        assert!(shown(Payload::Text("12345"), 4).truncated);
        assert!(shown(Payload::Binary(&[0xFF; 6]), 7).truncated);
    }

    #[test]
    fn a_cut_falls_between_characters_and_counts_escapes() {
        assert_eq!(shown(Payload::Text("aé€😀"), 9).value, Value::Text("aé€".into()));
        assert_eq!(shown(Payload::Text("\0\0\0"), 17).value, Value::Text("\0\0".into()));
        let cut = shown(Payload::Json("{\"a\":12345}"), 8);
        assert_eq!((cut.kind, &cut.value), (Kind::Text, &Value::Text("{\"a\":1".into())));
        let cut = shown(Payload::Binary(&[0xFF; 9]), 8);
        assert_eq!((cut.bytes, cut.value), (Some(9), Value::Base64(&[0xFF; 6])));
    }

    #[test]
    fn the_whole_is_told_by_length_and_hash() {
        let cut = shown(Payload::Text("hello"), 1);
        assert_eq!(cut.bytes, Some(5));
        // `printf hello | sha256sum`
        let expected = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(cut.sha256.as_deref(), Some(expected));
        let hashed = Shown::of(
            &Record::new(Data::Payload(Payload::Text("hello"))),
            &LineOptions { data: DataShown::Hash, ..LineOptions::DEFAULT },
        );
        assert_eq!((hashed.sha256.as_deref(), hashed.value), (Some(expected), Value::Hidden));
    }
}
