//! Prepares a record's data for its line: applies redaction, then the data mode, then the size limit.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use crate::decode::{Data, Payload, Record};
use crate::escape::{MAX_ESCAPE_BYTES, fitting_prefix};
use crate::redact::{REDACTION_MARK, Redacted};

use super::{DataMode, LineOptions};

/// The line's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DataType {
    Json,
    Text,
    Binary,
    Cbor,
    Undecodable,
}

impl DataType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Cbor => "cbor",
            Self::Undecodable => "undecodable",
        }
    }

    /// The prefix of the data in a text line, for data whose form does not identify its type.
    pub(super) fn text_prefix(self) -> &'static str {
        match self {
            Self::Cbor => "cbor:",
            Self::Undecodable => "undecodable:",
            Self::Json | Self::Text | Self::Binary => "",
        }
    }
}

/// The data as the line writes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DataValue<'a> {
    Json(Cow<'a, str>),
    Text(Cow<'a, str>),
    Base64(&'a [u8]),
    Hidden,
}

/// The data of one line, and the line's fields about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineData<'a> {
    pub(super) data_type: DataType,
    pub(super) value: DataValue<'a>,
    /// The length of all of the data, if the line contains it.
    pub(super) bytes: Option<usize>,
    pub(super) sha256: Option<String>,
    pub(super) redacted: usize,
    pub(super) redacted_whole: Option<&'static str>,
    pub(super) truncated: bool,
}

impl<'a> LineData<'a> {
    pub(super) fn new(record: &Record<'a>, options: &LineOptions) -> Self {
        let mut data = Self::whole(record.data);
        if !options.redactor.is_empty() {
            data.redact(options.redactor.redact_record(record));
        }
        match options.data {
            DataMode::Full => data.truncate(options.max_data_bytes),
            DataMode::Hash => {
                data.bytes = Some(data.value.as_bytes().len());
                data.sha256 = Some(sha256(data.value.as_bytes()));
                data.value = DataValue::Hidden;
            }
            DataMode::None => {
                data.bytes = Some(data.value.as_bytes().len());
                data.value = DataValue::Hidden;
            }
        }
        data
    }

    fn whole(data: Data<'a>) -> Self {
        let (data_type, value) = match data {
            Data::Payload(Payload::Json(json)) => (DataType::Json, DataValue::Json(json.into())),
            Data::Payload(Payload::Text(text)) => (DataType::Text, DataValue::Text(text.into())),
            Data::Payload(Payload::Binary(bytes)) => (DataType::Binary, DataValue::Base64(bytes)),
            Data::Payload(Payload::Cbor(bytes)) => (DataType::Cbor, DataValue::Base64(bytes)),
            Data::Undecodable(found) => (DataType::Undecodable, DataValue::Text(found.into())),
        };
        let bytes = if let DataValue::Base64(bytes) = value { Some(bytes.len()) } else { None };
        Self { data_type, value, bytes, sha256: None, redacted: 0, redacted_whole: None, truncated: false }
    }

    fn redact(&mut self, redacted: Redacted) {
        match redacted {
            Redacted::Nothing => {}
            Redacted::Values { json, count } => {
                self.redacted = count;
                self.value = DataValue::Json(json.into());
            }
            Redacted::Whole { reason } => {
                self.redacted = 1;
                self.redacted_whole = Some(reason);
                self.bytes = None;
                self.value = DataValue::Text(REDACTION_MARK.into());
            }
        }
    }

    /// Truncates the data so that it has at most `max` bytes on the line.
    fn truncate(&mut self, max: usize) {
        let whole = self.value.as_bytes();
        // Fast path: the data fits even if every byte of it is escaped.
        if whole.len() <= max / MAX_ESCAPE_BYTES {
            return;
        }
        let length = match &self.value {
            DataValue::Json(json) => match fitting_prefix(json, false, max) {
                length if length == json.len() => length,
                // Truncated JSON is shown as a string, in which quotes are escaped too.
                _ => fitting_prefix(json, true, max),
            },
            DataValue::Text(text) => fitting_prefix(text, true, max),
            DataValue::Base64(bytes) if base64_simd::STANDARD.encoded_length(bytes.len()) <= max => bytes.len(),
            DataValue::Base64(_) => max / 4 * 3,
            DataValue::Hidden => return,
        };
        if length == whole.len() {
            return;
        }
        (self.bytes, self.sha256, self.truncated) = (Some(whole.len()), Some(sha256(whole)), true);
        match &mut self.value {
            DataValue::Json(text) => {
                self.data_type = DataType::Text;
                self.value = DataValue::Text(prefix(text, length));
            }
            DataValue::Text(text) => self.value = DataValue::Text(prefix(text, length)),
            DataValue::Base64(bytes) => *bytes = &bytes[..length],
            DataValue::Hidden => {}
        }
    }
}

impl DataValue<'_> {
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

/// Returns the SHA-256 in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Position;

    fn prepared(payload: Payload<'_>, max_data_bytes: usize) -> LineData<'_> {
        LineData::new(
            &Record::new(Position::default(), Data::Payload(payload)),
            &LineOptions { max_data_bytes, ..LineOptions::DEFAULT },
        )
    }

    #[test]
    fn data_of_exactly_the_limit_is_not_truncated() {
        assert!(!prepared(Payload::Text("12345"), 5).truncated);
        assert!(!prepared(Payload::Json("{\"a\":1}"), 7).truncated);
        assert!(!prepared(Payload::Binary(&[0xFF; 6]), 8).truncated);
        assert!(prepared(Payload::Text("12345"), 4).truncated);
        assert!(prepared(Payload::Binary(&[0xFF; 6]), 7).truncated);
    }

    #[test]
    fn truncation_keeps_whole_characters_and_counts_escapes() {
        assert_eq!(prepared(Payload::Text("aé€😀"), 9).value, DataValue::Text("aé€".into()));
        assert_eq!(prepared(Payload::Text("\0\0\0"), 17).value, DataValue::Text("\0\0".into()));
        let cut = prepared(Payload::Json("{\"a\":12345}"), 8);
        assert_eq!((cut.data_type, &cut.value), (DataType::Text, &DataValue::Text("{\"a\":1".into())));
        let cut = prepared(Payload::Binary(&[0xFF; 9]), 8);
        assert_eq!((cut.bytes, cut.value), (Some(9), DataValue::Base64(&[0xFF; 6])));
    }

    #[test]
    fn truncated_data_has_its_full_length_and_hash() {
        let cut = prepared(Payload::Text("hello"), 1);
        assert_eq!(cut.bytes, Some(5));
        // `printf hello | sha256sum`
        let expected = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(cut.sha256.as_deref(), Some(expected));
        let hashed = LineData::new(
            &Record::new(Position::default(), Data::Payload(Payload::Text("hello"))),
            &LineOptions { data: DataMode::Hash, ..LineOptions::DEFAULT },
        );
        assert_eq!((hashed.sha256.as_deref(), hashed.value), (Some(expected), DataValue::Hidden));
    }
}
