//! Parses the beginning of a line: which record it is about.

use std::borrow::Cow;

use thiserror::Error;

use crate::decode::Position;
use crate::json::{JsonKind, Reader, Value, string_literal};
use crate::shape;
use crate::timestamp::parse_rfc3339;

use super::names::{self, FieldName};
use super::{LINE_VERSION, Level};

/// The part of a line that identifies its record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParsedLine<'a> {
    /// The line's level. Lines without one are at `INFO`.
    pub level: Level,
    /// The line's timestamp, in epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// The id of the invocation.
    pub request_id: Option<Cow<'a, str>>,
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
    /// The time from the arrival to the line, in milliseconds.
    pub lag_ms: Option<i64>,
    /// The reason why the record could not be decoded or unpacked.
    pub error: Option<Cow<'a, str>>,
    /// The data as it is on the line: of a JSON line a JSON value, of a text line everything after `data=`.
    pub data: Option<&'a str>,
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
    /// The line is not a line of a record, or its envelope does not identify the record.
    #[error("the line is not the log line of a record")]
    NotARecord,
    /// The line has another version.
    #[error("the log line has version {version}, and only version {LINE_VERSION} can be parsed")]
    UnknownVersion {
        /// The line's version.
        version: String,
    },
}

/// Parses a line of a [`LineWriter`](super::LineWriter), in either format and with any [`Envelope`](super::Envelope) that identifies the
/// record: in JSON, one with `v` and `sequenceNumber` or `requestId`; in text, one with `seq`.
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
/// Returns a [`ParseError`] if the line is not about a record, if its envelope does not identify the record, or if its `v`
/// is not [`LINE_VERSION`]. Text lines do not have a version.
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
    timestamp: Option<Value<'a>>,
    level: Option<Value<'a>>,
    request_id: Option<Value<'a>>,
    stream: Option<Value<'a>>,
    shard: Option<Value<'a>>,
    sequence_number: Option<Value<'a>>,
    sub_sequence_number: Option<Value<'a>>,
    partition_key: Option<Value<'a>>,
    explicit_hash_key: Option<Value<'a>>,
    arrival: Option<Value<'a>>,
    lag: Option<Value<'a>>,
    error: Option<Value<'a>>,
    data: Option<Value<'a>>,
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
        let members = [
            (names::VERSION, &mut self.version),
            (names::TIMESTAMP, &mut self.timestamp),
            (names::LEVEL, &mut self.level),
            (names::REQUEST_ID, &mut self.request_id),
            (names::STREAM, &mut self.stream),
            (names::SHARD, &mut self.shard),
            (names::SEQUENCE_NUMBER, &mut self.sequence_number),
            (names::SUB_SEQUENCE_NUMBER, &mut self.sub_sequence_number),
            (names::PARTITION_KEY, &mut self.partition_key),
            (names::EXPLICIT_HASH_KEY, &mut self.explicit_hash_key),
            (names::ARRIVAL, &mut self.arrival),
            (names::LAG_MS, &mut self.lag),
            (names::ERROR, &mut self.error),
            (names::DATA, &mut self.data),
        ];
        members.into_iter().find(|(name, _)| name.json == key).map(|(_, member)| member)
    }

    /// Returns `None` if the members do not identify a record, or if the level is not one of ours.
    fn into_line(self) -> Option<ParsedLine<'a>> {
        let text = |value: Option<Value<'a>>| value.and_then(Value::string);
        let (request_id, sequence_number) = (text(self.request_id), text(self.sequence_number));
        if request_id.is_none() && sequence_number.is_none() {
            return None;
        }
        Some(ParsedLine {
            level: self.level.map_or(Some(Level::Info), |level| level.string()?.parse().ok())?,
            timestamp_ms: text(self.timestamp).and_then(|timestamp| parse_rfc3339(&timestamp)),
            request_id,
            stream: text(self.stream),
            shard_id: text(self.shard),
            sequence_number,
            sub_sequence_number: self.sub_sequence_number.and_then(|number| number.text().parse().ok()),
            partition_key: text(self.partition_key),
            explicit_hash_key: text(self.explicit_hash_key),
            arrival_ms: text(self.arrival).and_then(|arrival| parse_rfc3339(&arrival)),
            lag_ms: self.lag.and_then(|lag| lag.text().parse().ok()),
            error: text(self.error),
            data: self.data.map(Value::text),
        })
    }
}

/// The fields of a text line that have no names.
#[derive(Default)]
struct TextBeginning<'a> {
    timestamp: Option<i64>,
    level: Option<Level>,
    request_id: Option<Cow<'a, str>>,
}

impl<'a> TextBeginning<'a> {
    /// Recognizes a word by its form. Returns `None` if there are too many words.
    fn add(&mut self, word: Cow<'a, str>) -> Option<()> {
        if let (None, Some(timestamp)) = (self.timestamp, parse_rfc3339(&word)) {
            self.timestamp = Some(timestamp);
        } else if let (None, Ok(level)) = (self.level, word.parse()) {
            self.level = Some(level);
        } else if self.request_id.replace(word).is_some() {
            return None;
        }
        Some(())
    }
}

/// Returns `None` if the line does not have the fields of a line that identifies a record.
fn parse_text(line: &str) -> Option<ParsedLine<'_>> {
    let mut fields = TextFields { rest: line };
    let mut beginning = TextBeginning::default();
    let mut values: [Option<Cow<'_, str>>; TEXT_FIELDS.len()] = Default::default();
    let mut has_sequence_number = false;
    let data = loop {
        match fields.next()? {
            TextField::Word(word) => beginning.add(word)?,
            TextField::Named(name, value) => {
                has_sequence_number |= name == names::SEQUENCE_NUMBER.text;
                if let Some(index) = TEXT_FIELDS.iter().position(|field| field.text == name) {
                    values[index] = value;
                }
            }
            TextField::Data(data) => break data,
        }
    };
    let [stream, shard_id, sequence_number, sub_sequence_number, partition_key, explicit_hash_key, arrival, lag, error] =
        values;
    has_sequence_number.then(|| ParsedLine {
        level: beginning.level.unwrap_or(Level::Info),
        timestamp_ms: beginning.timestamp,
        request_id: beginning.request_id,
        stream,
        shard_id,
        sequence_number,
        sub_sequence_number: sub_sequence_number.and_then(|number| number.parse().ok()),
        partition_key,
        explicit_hash_key,
        arrival_ms: arrival.and_then(|arrival| parse_rfc3339(&arrival)),
        lag_ms: lag.and_then(|lag| lag.parse().ok()),
        error,
        data: Some(data),
    })
}

/// The named fields of a text line that are parsed.
const TEXT_FIELDS: [FieldName; 9] = [
    names::STREAM,
    names::SHARD,
    names::SEQUENCE_NUMBER,
    names::SUB_SEQUENCE_NUMBER,
    names::PARTITION_KEY,
    names::EXPLICIT_HASH_KEY,
    names::ARRIVAL,
    names::LAG_MS,
    names::ERROR,
];

/// The names in text lines, except that of the data.
fn text_names() -> impl Iterator<Item = &'static str> {
    let about_data = [names::REDACTED, names::REDACTED_WHOLE, names::BYTES, names::SHA256, names::TRUNCATED];
    TEXT_FIELDS.into_iter().chain(about_data).map(|field| field.text).chain(shape::field_names())
}

/// A field of a text line.
enum TextField<'a> {
    Word(Cow<'a, str>),
    /// The value is `None` if it is marked as missing.
    Named(&'a str, Option<Cow<'a, str>>),
    /// The rest of the line.
    Data(&'a str),
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

    /// Reads the next field. Returns `None` at a field that lines do not have.
    fn next(&mut self) -> Option<TextField<'a>> {
        let name = self.rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let Some(value) = self.rest[name..].strip_prefix('=') else { return self.word().map(TextField::Word) };
        let name = &self.rest[..name];
        if name == names::DATA.text {
            return Some(TextField::Data(value));
        }
        text_names().find(|known| *known == name)?;
        self.rest = value;
        let is_missing = value.starts_with("- ");
        self.word().map(|word| TextField::Named(name, (!is_missing).then_some(word)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::{Data, Payload, Record};
    use crate::line::{LineFormat, LineOptions, LineWriter};

    fn line_of(format: LineFormat, position: Position<'_>) -> String {
        line_with(format, "full", position)
    }

    fn line_with(format: LineFormat, envelope: &str, position: Position<'_>) -> String {
        let mut line = Vec::new();
        let record = Record::new(position, Data::Payload(Payload::Text("x seq=1 \"")));
        let options = LineOptions { envelope: envelope.parse().unwrap(), ..LineOptions::DEFAULT };
        LineWriter::with_options(format, "request 1", 1_545_084_651_000, &options).append(&record, &mut line);
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
            // Lines of others, or without the fields that identify a record.
            r#"{"level":30,"time":1545084650987,"msg":"x","v":1}"#,
            r#"{"level":"INFO","v":1,"data":{}}"#,
            r#"key="k" data={}"#,
            "seq=1 other=2 data={}",
            "seq=1 one two data={}",
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
                prop_assert_eq!((parsed.level, parsed.request_id.as_deref()), (Level::Info, Some("request 1")));
                prop_assert_eq!(parsed.timestamp_ms, Some(1_545_084_651_000));
                prop_assert_eq!(parsed.lag_ms, arrival_ms.map(|arrival_ms| 1_545_084_651_000 - arrival_ms));
                let data = if format == LineFormat::Json { parsed.data.unwrap() } else { parsed.data.unwrap().trim_end() };
                prop_assert_eq!(data, r#""x seq=1 \"""#);
            }
        }

        #[test]
        fn a_line_of_any_envelope_parses_to_its_fields_or_is_rejected(
            chosen in prop::sample::subsequence(vec!["v", "timestamp", "level", "requestId", "shard", "sequenceNumber", "partitionKey", "lagMs", "type", "owner"], 1..10)
                .prop_shuffle(),
            sequence_number in name(), partition_key in name(),
        ) {
            let position = Position {
                sequence_number: sequence_number.as_deref(), partition_key: partition_key.as_deref(), arrival_ms: Some(1_545_084_650_000),
                ..Position::default()
            };
            let has = |name: &str| chosen.contains(&name);
            for format in [LineFormat::Text, LineFormat::Json] {
                let line = line_with(format, &chosen.join(","), position);
                let identifies = match format {
                    LineFormat::Text => has("sequenceNumber"),
                    LineFormat::Json => has("v") && (has("requestId") || has("sequenceNumber") && sequence_number.is_some()),
                };
                match parse(&line) {
                    Err(error) => prop_assert!(!identifies, "{}: {}", line, error),
                    Ok(parsed) => {
                        prop_assert!(identifies, "{}", line);
                        let expected = |name: &str, value| if has(name) { value } else { None };
                        prop_assert_eq!(parsed.sequence_number.as_deref(), expected("sequenceNumber", position.sequence_number), "{}", line);
                        prop_assert_eq!(parsed.partition_key.as_deref(), expected("partitionKey", position.partition_key), "{}", line);
                        prop_assert_eq!(parsed.request_id.as_deref(), expected("requestId", Some("request 1")), "{}", line);
                        prop_assert_eq!(parsed.lag_ms, has("lagMs").then_some(1000), "{}", line);
                    }
                }
            }
        }

        #[test]
        fn any_text_is_parsed_or_rejected(text in "(2026-11-23T16:56:00.123Z INFO r stream=)?[a-z{}\":\\\\ =,-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
