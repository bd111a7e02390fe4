//! The envelope of a line: the fields before its data, chosen by name.

use std::borrow::Cow;
use std::str::FromStr;

use thiserror::Error;

use crate::shape;
use crate::similar::similar;

use super::names::{self, FieldName};

/// A field of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EnvelopeField {
    Timestamp,
    Level,
    Version,
    RequestId,
    Stream,
    Shard,
    SequenceNumber,
    SubSequenceNumber,
    PartitionKey,
    ExplicitHashKey,
    Arrival,
    LagMs,
    /// [`Stream`] to [`LagMs`]: on most lines, and written in one step because that is faster.
    Position,
    /// All fields of the record's shape, in the shape's order.
    Shape,
    /// One field of a shape, by its name.
    ShapeField(&'static str),
    Type,
}

use EnvelopeField::{
    Arrival, ExplicitHashKey, LagMs, Level, PartitionKey, Position, RequestId, SequenceNumber, Shape, ShapeField,
    Shard, Stream, SubSequenceNumber, Timestamp, Type, Version,
};

/// The fields that can be chosen, besides those of shapes.
const CHOICES: [(FieldName, EnvelopeField); 13] = [
    (names::TIMESTAMP, Timestamp),
    (names::LEVEL, Level),
    (names::VERSION, Version),
    (names::REQUEST_ID, RequestId),
    (names::STREAM, Stream),
    (names::SHARD, Shard),
    (names::SEQUENCE_NUMBER, SequenceNumber),
    (names::SUB_SEQUENCE_NUMBER, SubSequenceNumber),
    (names::PARTITION_KEY, PartitionKey),
    (names::EXPLICIT_HASH_KEY, ExplicitHashKey),
    (names::ARRIVAL, Arrival),
    (names::LAG_MS, LagMs),
    (names::TYPE, Type),
];

const FULL: &[EnvelopeField] = &[Timestamp, Level, Version, RequestId, Position, Shape, Type];

const COMPACT: &[EnvelopeField] =
    &[Version, SequenceNumber, SubSequenceNumber, PartitionKey, ExplicitHashKey, LagMs, Shape];

const COMPACT_WARN: &[EnvelopeField] =
    &[Timestamp, Level, Version, SequenceNumber, SubSequenceNumber, PartitionKey, ExplicitHashKey, LagMs, Shape];

/// The fields of a line's envelope, in order: `full`, `compact`, `data`, or a list of names.
///
/// ```
/// use kinesis_event_logger_core::line::Envelope;
///
/// assert_eq!("full".parse(), Ok(Envelope::FULL));
/// assert!("v,sequenceNumber,partitionKey".parse::<Envelope>().is_ok());
/// let error = "v,partitonKey".parse::<Envelope>().unwrap_err();
/// assert_eq!(error.to_string(), "\"partitonKey\" is not a field of the envelope (similar names: partitionKey)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    info: Cow<'static, [EnvelopeField]>,
    /// The fields of lines at level `WARN`. They always include timestamp and level, because Lambda takes a JSON line
    /// without them for `INFO`.
    warn: Cow<'static, [EnvelopeField]>,
}

impl Envelope {
    /// Every field.
    pub const FULL: Self = Self { info: Cow::Borrowed(FULL), warn: Cow::Borrowed(FULL) };

    /// The fields that neither the log event, nor the invocation, nor another field tells: the version, the sequence
    /// number, the partition key, the hash key, the lag and the fields of a shape. The log event has a timestamp, the
    /// invocation's `START` line the request's id, and the sequence number contains the shard.
    pub const COMPACT: Self = Self { info: Cow::Borrowed(COMPACT), warn: Cow::Borrowed(COMPACT_WARN) };

    /// No field: the line is the data alone.
    pub const DATA: Self = Self { info: Cow::Borrowed(&[]), warn: Cow::Borrowed(&[Timestamp, Level]) };

    pub(super) fn fields(&self, level: super::Level) -> &[EnvelopeField] {
        if level == super::Level::Info { &self.info } else { &self.warn }
    }

    /// Whether a line can be the data alone.
    pub fn is_empty(&self) -> bool {
        self.info.is_empty()
    }

    fn of(chosen: Vec<EnvelopeField>) -> Self {
        let warn = if chosen.contains(&Timestamp) && chosen.contains(&Level) {
            chosen.clone()
        } else {
            let others = chosen.iter().copied().filter(|field| ![Timestamp, Level].contains(field));
            [Timestamp, Level].into_iter().chain(others).collect()
        };
        Self { info: chosen.into(), warn: warn.into() }
    }
}

/// The error for a text that is not an [`Envelope`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// A name is not a field's.
    #[error("{name:?} is not a field of the envelope ({hint})")]
    Unknown {
        /// The name.
        name: String,
        /// Similar names, or all.
        hint: String,
    },
    /// A name is listed twice.
    #[error("{name} is listed twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// The field is not part of the envelope.
    #[error("{name} cannot be chosen: every line to which it applies has it, after the chosen fields")]
    AboutData {
        /// The name.
        name: String,
    },
}

impl FromStr for Envelope {
    type Err = EnvelopeError;

    /// Parses the name of a preset, in any case, or the JSON names of fields, separated by commas.
    fn from_str(text: &str) -> Result<Self, EnvelopeError> {
        match text.trim() {
            preset if preset.eq_ignore_ascii_case("full") => return Ok(Self::FULL),
            preset if preset.eq_ignore_ascii_case("compact") => return Ok(Self::COMPACT),
            preset if preset.eq_ignore_ascii_case("data") => return Ok(Self::DATA),
            _ => {}
        }
        let mut chosen = Vec::new();
        for name in text.split(',').map(str::trim) {
            let field = field_named(name)?;
            if chosen.contains(&field) {
                return Err(EnvelopeError::Duplicate { name: name.to_owned() });
            }
            chosen.push(field);
        }
        Ok(Self::of(chosen))
    }
}

fn field_named(name: &str) -> Result<EnvelopeField, EnvelopeError> {
    let choice = CHOICES.iter().find(|(choice, _)| choice.json == name).map(|(_, field)| *field);
    let of_shape = || shape::field_names().find(|field| *field == name).map(ShapeField);
    if let Some(field) = choice.or_else(of_shape) {
        return Ok(field);
    }
    let name = name.to_owned();
    if names::ABOUT_DATA.iter().any(|field| field.json == name) {
        return Err(EnvelopeError::AboutData { name });
    }
    let choices = || CHOICES.iter().map(|(choice, _)| choice.json).chain(shape::field_names());
    // Text lines abbreviate two of the names.
    let abbreviated = CHOICES.iter().find(|(choice, _)| choice.text == name).map(|(choice, _)| choice.json);
    let all = || choices().chain(["full", "compact", "data"]);
    let hint = match abbreviated.map_or_else(|| similar(&name, all()), |long| vec![long]).as_slice() {
        [] => {
            format!("a preset is full, compact or data; the fields are {}", join(choices()))
        }
        names => format!("similar names: {}", names.join(", ")),
    };
    Err(EnvelopeError::Unknown { name, hint })
}

fn join(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_fields_in_their_order() {
        let envelope: Envelope = " partitionKey , v,logGroup,timestamp".parse().unwrap();
        assert_eq!(*envelope.info, [PartitionKey, Version, ShapeField("logGroup"), Timestamp]);
        assert_eq!(*envelope.warn, [Timestamp, Level, PartitionKey, Version, ShapeField("logGroup")]);
        let envelope: Envelope = "level,stream,timestamp".parse().unwrap();
        assert_eq!(envelope.info, envelope.warn);
        assert_eq!(
            ("Full".parse(), "COMPACT".parse(), " data".parse()),
            (Ok(Envelope::FULL), Ok(Envelope::COMPACT), Ok(Envelope::DATA))
        );
        assert_eq!(Envelope::of(COMPACT.to_vec()), Envelope::COMPACT);
        assert_eq!(Envelope::of(Vec::new()), Envelope::DATA);
    }

    #[test]
    fn errors_say_what_is_accepted() {
        let error = |text: &str| text.parse::<Envelope>().unwrap_err().to_string();
        assert_eq!(error("v,requestID"), "\"requestID\" is not a field of the envelope (similar names: requestId)");
        assert_eq!(error("seq"), "\"seq\" is not a field of the envelope (similar names: sequenceNumber)");
        assert_eq!(error("compcat"), "\"compcat\" is not a field of the envelope (similar names: compact)");
        assert_eq!(error("v,shard,v"), "v is listed twice");
        for about in names::ABOUT_DATA {
            let error = error(&format!("v,{}", about.json));
            assert!(
                error.ends_with("cannot be chosen: every line to which it applies has it, after the chosen fields")
            );
        }
        let all = error("v,colour,shard");
        assert!(all.contains("a preset is full, compact or data; the fields are timestamp, level, v,"), "{all}");
    }
}
