//! `--format`: a line with directives, by kcat's letters where they fit. Pure.

use kinesis_event_logger_core::{Record, line};

use super::view::{BinaryForm, data_bytes, data_text};
use crate::error::{Error, Result};
use crate::output::printable;

#[derive(Debug, Clone, PartialEq)]
pub struct Format(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(Vec<u8>),
    Directive(Directive),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Directive {
    Stream,
    Shard,
    SequenceNumber,
    SubSequenceNumber,
    Key,
    KeyLength,
    HashKey,
    ArrivalMs,
    Arrival,
    Data,
    DataLength,
    Line,
}

const HINT: &str = "directives are %t stream, %p shard, %o sequence number, %i index in the aggregate, %k key, %K its length, %h explicit hash \
                    key, %T arrival in ms, %a arrival, %s data, %S its length, %v the function's line, %% percent; escapes are \\n, \\t, \\r, \\0, \\\\ and \\xHH";

impl Format {
    /// Parses directives and escapes.
    ///
    /// # Errors
    /// One that does not exist.
    pub fn parse(format: &str) -> Result<Self> {
        let wrong = |what: &str| Error::usage(format!("--format {format}: {what}")).hint(HINT);
        let (mut parts, mut text) = (Vec::new(), Vec::new());
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            match c {
                '%' => match rest.next() {
                    Some('%') => text.push(b'%'),
                    Some(letter) => {
                        let directive =
                            directive(letter).ok_or_else(|| wrong(&format!("there is no directive %{letter}")))?;
                        parts.push(Part::Text(std::mem::take(&mut text)));
                        parts.push(Part::Directive(directive));
                    }
                    None => return Err(wrong("a directive is missing after the % at the end")),
                },
                '\\' => match rest.next() {
                    Some('n') => text.push(b'\n'),
                    Some('t') => text.push(b'\t'),
                    Some('r') => text.push(b'\r'),
                    Some('0') => text.push(0),
                    Some('\\') => text.push(b'\\'),
                    Some('x') => {
                        let digits = rest.as_str().get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                        text.push(digits.ok_or_else(|| wrong("two hexadecimal digits follow \\x"))?);
                        rest = rest.as_str()[2..].chars();
                    }
                    Some(letter) => return Err(wrong(&format!("there is no escape \\{letter}"))),
                    None => return Err(wrong("an escape is missing after the \\ at the end")),
                },
                c => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        parts.push(Part::Text(text));
        parts.retain(|part| *part != Part::Text(Vec::new()));
        Ok(Self(parts))
    }

    /// Whether the line of the function is part of the format.
    pub fn has_line(&self) -> bool {
        self.0.contains(&Part::Directive(Directive::Line))
    }

    /// Appends the text of a record. `line` is the function's line. On a terminal, values are escaped.
    pub fn render(&self, record: &Record<'_>, line: &str, form: BinaryForm, is_terminal: bool, to: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => to.extend_from_slice(text),
                Part::Directive(directive) => {
                    let value = value(*directive, record, line, form);
                    if is_terminal {
                        let lines: Vec<_> = value.split('\n').map(printable).collect();
                        to.extend_from_slice(lines.join("\n").as_bytes());
                    } else {
                        to.extend_from_slice(value.as_bytes());
                    }
                }
            }
        }
    }
}

fn directive(letter: char) -> Option<Directive> {
    Some(match letter {
        't' => Directive::Stream,
        'p' => Directive::Shard,
        'o' => Directive::SequenceNumber,
        'i' => Directive::SubSequenceNumber,
        'k' => Directive::Key,
        'K' => Directive::KeyLength,
        'h' => Directive::HashKey,
        'T' => Directive::ArrivalMs,
        'a' => Directive::Arrival,
        's' => Directive::Data,
        'S' => Directive::DataLength,
        'v' => Directive::Line,
        _ => return None,
    })
}

/// The text of a directive. A value that the record does not have is `-`, as in a log line.
fn value<'a>(
    directive: Directive,
    record: &'a Record<'_>,
    line: &'a str,
    form: BinaryForm,
) -> std::borrow::Cow<'a, str> {
    let position = &record.position;
    let text = |text: Option<&'a str>| std::borrow::Cow::Borrowed(text.unwrap_or("-"));
    match directive {
        Directive::Stream => text(position.stream),
        Directive::Shard => text(position.shard_id),
        Directive::SequenceNumber => text(position.sequence_number),
        Directive::SubSequenceNumber => match position.sub_sequence_number {
            Some(number) => number.to_string().into(),
            None => text(None),
        },
        Directive::Key => text(position.partition_key),
        Directive::KeyLength => position.partition_key.map_or(0, str::len).to_string().into(),
        Directive::HashKey => text(position.explicit_hash_key),
        Directive::ArrivalMs => match position.arrival_ms {
            Some(ms) => ms.to_string().into(),
            None => text(None),
        },
        Directive::Arrival => match position.arrival_ms {
            Some(ms) => line::rfc3339(ms).into(),
            None => text(None),
        },
        Directive::Data => data_text(record.data, form),
        Directive::DataLength => data_bytes(record.data).len().to_string().into(),
        Directive::Line => line.into(),
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::{Data, Payload, Position};

    use super::*;

    fn record(data: Payload<'_>) -> Record<'_> {
        let position = Position {
            stream: Some("orders"),
            shard_id: Some("shardId-000000000001"),
            sequence_number: Some("4959"),
            sub_sequence_number: Some(2),
            partition_key: Some("clé"),
            explicit_hash_key: None,
            arrival_ms: Some(1_545_084_650_987),
        };
        Record::new(position, Data::Payload(data))
    }

    fn rendered(format: &str, data: Payload<'_>, is_terminal: bool) -> String {
        let mut out = Vec::new();
        Format::parse(format).unwrap().render(&record(data), "the line", BinaryForm::Base64, is_terminal, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_directive_has_its_value() {
        let all = r"%t %p %o %i %k %K %h %T %a %s %S %v %%\t\x41\\\n";
        let expected = "orders shardId-000000000001 4959 2 clé 4 - 1545084650987 2018-12-17T22:10:50.987Z a\nb 3 the line %\tA\\\n";
        assert_eq!(rendered(all, Payload::Text("a\nb"), false), expected);
        assert_eq!(rendered("%s %S", Payload::Binary(b"\xff\0"), false), "/wA= 2");
    }

    #[test]
    fn values_do_not_control_a_terminal() {
        assert_eq!(rendered("%s", Payload::Text("\u{1b}[31m"), true), "\\u{1b}[31m");
        assert_eq!(rendered("%s", Payload::Text("\u{1b}[31m"), false), "\u{1b}[31m");
    }

    #[test]
    fn an_unknown_directive_or_escape_is_rejected() {
        for (format, error) in [
            ("%q", "there is no directive %q"),
            ("a%", "a directive is missing"),
            ("\\q", "there is no escape \\q"),
            ("\\x4", "two hexadecimal digits"),
            ("\\", "an escape is missing"),
        ] {
            assert!(Format::parse(format).unwrap_err().message.contains(error), "{format}");
        }
    }
}
