//! Parses the beginning of a line: which record it is about.

use std::borrow::Cow;

use thiserror::Error;

use crate::decode::Position;
use crate::json::{JsonKind, Reader, Value, string_literal};
use crate::timestamp::parse_rfc3339;

use super::names::{self, FieldName};
use super::{LINE_VERSION, Level};

/// The part of a line that identifies its record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedLine<'a> {
    /// The line's level.
    pub level: Level,
    /// The id of the invocation.
    pub request_id: Cow<'a, str>,
    /// The stream's name.
    pub stream: Option<Cow<'a, str>>,
    /// The shard's id.
    pub shard_id: Option<Cow<'a, str>>,
    /// The sequence number.
    pub sequence_number: Option<Cow<'a, str>>,
    /// The record's index in its aggregate.
    pub sub_sequence_number: Option<u64>,
    /// The partition key.
    pub partition_key: Option<Cow<'a, str>>,
    /// The explicit hash key.
    pub explicit_hash_key: Option<Cow<'a, str>>,
    /// The time at which Kinesis accepted the record, in epoch milliseconds.
    pub arrival_ms: Option<i64>,
}

impl ParsedLine<'_> {
    /// Returns the position of the line's record.
    pub fn position(&self) -> Position<'_> {
        Position {
            stream: self.stream.as_deref(),
            shard_id: self.shard_id.as_deref(),
            sequence_number: self.sequence_number.as_deref(),
            sub_sequence_number: self.sub_sequence_number,
            partition_key: self.partition_key.as_deref(),
            explicit_hash_key: self.explicit_hash_key.as_deref(),
            arrival_ms: self.arrival_ms,
        }
    }
}

/// The reason why a line could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The line is not a line of a record.
    #[error("the line is not the log line of a record")]
    NotARecord,
    /// The line has another version.
    #[error("the log line has version {version}, and only version {LINE_VERSION} can be parsed")]
    UnknownVersion {
        /// The line's version.
        version: String,
    },
}

/// Parses a line of a [`LineWriter`](super::LineWriter), in either format. Of text, only the part before the data is read.
///
/// ```
/// use kinesis_event_logger_core::line;
///
/// let text = r#"2026-11-23T16:56:00.123Z INFO 3f1c stream=orders shard=- seq=4959 key="user-1" arrival=- lagMs=- data={}"#;
/// let parsed = line::parse(text)?;
/// assert_eq!((parsed.sequence_number.as_deref(), parsed.partition_key.as_deref()), (Some("4959"), Some("user-1")));
///
/// let json = r#"{"timestamp":"2026-11-23T16:56:00.123Z","level":"INFO","v":2,"requestId":"3f1c","type":"text","data":""}"#;
/// let error = line::parse(json).unwrap_err();
/// assert_eq!(error.to_string(), "the log line has version 2, and only version 1 can be parsed");
/// # Ok::<_, line::ParseError>(())
/// ```
///
/// # Errors
/// Returns a [`ParseError`] if the line is not about a record, or if its `v` is not [`LINE_VERSION`]. Text lines do not have
/// a version.
pub fn parse(line: &str) -> Result<ParsedLine<'_>, ParseError> {
    if line.starts_with('{') { parse_json(line) } else { parse_text(line).ok_or(ParseError::NotARecord) }
}

fn parse_json(line: &str) -> Result<ParsedLine<'_>, ParseError> {
    let members = JsonMembers::read(line).ok_or(ParseError::NotARecord)?;
    match members.version {
        Some(version) if version.text() == LINE_VERSION.to_string() => {}
        Some(version) => return Err(ParseError::UnknownVersion { version: version.text().to_owned() }),
        None => return Err(ParseError::NotARecord),
    }
    members.into_line().ok_or(ParseError::NotARecord)
}

/// The members of a JSON line that are parsed.
#[derive(Default)]
struct JsonMembers<'a> {
    version: Option<Value<'a>>,
    level: Option<Value<'a>>,
    request_id: Option<Value<'a>>,
    stream: Option<Value<'a>>,
    shard: Option<Value<'a>>,
    sequence_number: Option<Value<'a>>,
    sub_sequence_number: Option<Value<'a>>,
    partition_key: Option<Value<'a>>,
    explicit_hash_key: Option<Value<'a>>,
    arrival: Option<Value<'a>>,
}

impl<'a> JsonMembers<'a> {
    /// Reads the members. Returns `None` if the line is not a JSON object.
    fn read(line: &'a str) -> Option<Self> {
        let mut members = Self::default();
        let mut reader = Reader::new(line);
        reader.enter(JsonKind::Object)?;
        let mut first = true;
        while reader.more(JsonKind::Object, first)? {
            first = false;
            let key = reader.key()?;
            let value = reader.value()?;
            if let Some(member) = members.member(&key) {
                *member = Some(value);
            }
        }
        reader.is_at_end().then_some(members)
    }

    fn member(&mut self, key: &str) -> Option<&mut Option<Value<'a>>> {
        Some(match key {
            names::VERSION => &mut self.version,
            names::LEVEL => &mut self.level,
            names::REQUEST_ID => &mut self.request_id,
            _ if key == names::STREAM.json => &mut self.stream,
            _ if key == names::SHARD.json => &mut self.shard,
            _ if key == names::SEQUENCE_NUMBER.json => &mut self.sequence_number,
            _ if key == names::SUB_SEQUENCE_NUMBER.json => &mut self.sub_sequence_number,
            _ if key == names::PARTITION_KEY.json => &mut self.partition_key,
            _ if key == names::EXPLICIT_HASH_KEY.json => &mut self.explicit_hash_key,
            _ if key == names::ARRIVAL.json => &mut self.arrival,
            _ => return None,
        })
    }

    fn into_line(self) -> Option<ParsedLine<'a>> {
        let text = |value: Option<Value<'a>>| value.and_then(Value::string);
        Some(ParsedLine {
            level: text(self.level)?.parse().ok()?,
            request_id: text(self.request_id)?,
            stream: text(self.stream),
            shard_id: text(self.shard),
            sequence_number: text(self.sequence_number),
            sub_sequence_number: self.sub_sequence_number.and_then(|number| number.text().parse().ok()),
            partition_key: text(self.partition_key),
            explicit_hash_key: text(self.explicit_hash_key),
            arrival_ms: text(self.arrival).and_then(|arrival| parse_rfc3339(&arrival)),
        })
    }
}

fn parse_text(line: &str) -> Option<ParsedLine<'_>> {
    let mut fields = TextFields { rest: line };
    parse_rfc3339(&fields.word()?)?;
    let level = fields.word()?.parse().ok()?;
    let request_id = fields.word()?;
    let stream = fields.required(names::STREAM)?;
    let shard_id = fields.required(names::SHARD)?;
    let sequence_number = fields.required(names::SEQUENCE_NUMBER)?;
    let sub_sequence_number = fields.optional(names::SUB_SEQUENCE_NUMBER)?;
    let partition_key = fields.required(names::PARTITION_KEY)?;
    let explicit_hash_key = fields.optional(names::EXPLICIT_HASH_KEY)?;
    let arrival = fields.required(names::ARRIVAL)?;
    fields.required(names::LAG_MS)?;
    Some(ParsedLine {
        level,
        request_id,
        stream,
        shard_id,
        sequence_number,
        sub_sequence_number: sub_sequence_number.and_then(|number| number.parse().ok()),
        partition_key,
        explicit_hash_key,
        arrival_ms: arrival.and_then(|arrival| parse_rfc3339(&arrival)),
    })
}

/// A cursor over the fields of a text line.
struct TextFields<'a> {
    rest: &'a str,
}

impl<'a> TextFields<'a> {
    /// Reads a word, which is a JSON string literal if it has special characters, and the space after it.
    fn word(&mut self) -> Option<Cow<'a, str>> {
        let (word, length) = match string_literal(self.rest) {
            Some((text, length)) => (text, length),
            None => {
                let length = self.rest.find(' ').unwrap_or(self.rest.len());
                (Cow::Borrowed(&self.rest[..length]), length)
            }
        };
        self.rest = self.rest[length..].strip_prefix(' ')?;
        Some(word)
    }

    /// Reads a field that every line has. Its value is `None` if it is marked as missing.
    fn required(&mut self, name: FieldName) -> Option<Option<Cow<'a, str>>> {
        self.rest = self.rest.strip_prefix(name.text)?.strip_prefix('=')?;
        let is_missing = self.rest.starts_with("- ");
        self.word().map(|word| (!is_missing).then_some(word))
    }

    /// Reads a field that only some lines have.
    fn optional(&mut self, name: FieldName) -> Option<Option<Cow<'a, str>>> {
        let is_here = self.rest.strip_prefix(name.text).is_some_and(|rest| rest.starts_with('='));
        if is_here { self.required(name) } else { Some(None) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Data, Payload, Record};
    use crate::line::{LineFormat, LineWriter};

    fn line_of(format: LineFormat, position: Position<'_>) -> String {
        let mut line = Vec::new();
        let record = Record::new(position, Data::Payload(Payload::Text("x seq=1 \"")));
        LineWriter::new(format, "request 1", 1_545_084_651_000).append(&record, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn lines_that_are_not_about_a_record_are_rejected() {
        for line in [
            "",
            "START RequestId: 3f1c Version: $LATEST",
            r#"{"time":"2026-11-23T16:56:00.123Z","type":"platform.start","record":{}}"#,
            r#"{"timestamp":"2026-11-23T16:56:00.123Z","level":"WARN","message":"x"}"#,
            r#"2026-11-23T16:56:00.123Z WARN - message="x""#,
            r#"{"timestamp":"2026-11-23T16:56:00.123Z","level":"INFO","v":1"#,
            "2026-11-23T16:56:00.123Z INFO 3f1c stream=orders shard=",
            "{",
        ] {
            assert_eq!(parse(line), Err(ParseError::NotARecord), "{line}");
        }
    }

    #[test]
    fn another_version_is_rejected() {
        let line = line_of(LineFormat::Json, Position::default()).replace("\"v\":1", "\"v\":2");
        assert_eq!(parse(&line), Err(ParseError::UnknownVersion { version: "2".to_owned() }));
    }

    prop_compose! {
        fn name()(name in prop::option::of("(-|[a-z \"\\\\=\n é]{0,9})")) -> Option<String> {
            name
        }
    }

    proptest! {
        #[test]
        fn a_written_line_parses_to_its_position(
            names in prop::collection::vec(name(), 5), sub_sequence_number: Option<u64>,
            arrival_ms in prop::option::of(crate::timestamp::WRITABLE_MS),
        ) {
            let position = Position {
                stream: names[0].as_deref(),
                shard_id: names[1].as_deref(),
                sequence_number: names[2].as_deref(),
                sub_sequence_number,
                partition_key: names[3].as_deref(),
                explicit_hash_key: names[4].as_deref(),
                arrival_ms,
            };
            for format in [LineFormat::Text, LineFormat::Json] {
                let line = line_of(format, position);
                let parsed = parse(&line).unwrap();
                prop_assert_eq!(parsed.position(), position, "{}", line);
                prop_assert_eq!((parsed.level, parsed.request_id.as_ref()), (Level::Info, "request 1"));
            }
        }

        #[test]
        fn any_text_is_parsed_or_rejected(text in "(2026-11-23T16:56:00.123Z INFO r stream=)?[a-z{}\":\\\\ =,-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
