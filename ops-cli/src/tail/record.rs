//! Splits a message into its level, its key and the rest, for display. Pure.

use std::borrow::Cow;

use kinesis_event_logger_core::line::{self, ParsedLine};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The severity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// The parts of a message.
#[derive(Debug, PartialEq)]
pub struct Record<'a> {
    pub level: Level,
    /// The partition key of a record that this project's function logged.
    pub key: Option<Cow<'a, str>>,
    /// The function's message about a record that could not be decoded.
    pub error: Option<Cow<'a, str>>,
    pub body: Body<'a>,
    /// The time from the record's arrival in Kinesis until the function logged it.
    pub lag_ms: Option<f64>,
    pub is_ours: bool,
}

#[derive(Debug, PartialEq)]
pub enum Body<'a> {
    /// JSON as it was written.
    Json(&'a str),
    Text(Cow<'a, str>),
    /// The message of a structured line, and the whole line.
    Both(Cow<'a, str>, &'a str),
}

/// The members of another program's JSON line that the views use.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Line<'a> {
    #[serde(borrow)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "msg")]
    message: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    pub fn parse(message: &'a str) -> Self {
        let message = message.trim_end();
        match line::parse(message) {
            Ok(line) => ours(line, message.starts_with('{')),
            Err(_) => structured(message).or_else(|| literal(message)).unwrap_or_else(|| plain(message)),
        }
    }
}

fn ours(line: ParsedLine<'_>, is_json: bool) -> Record<'_> {
    let data = line.data.unwrap_or_default();
    // In a text line, data that begins like JSON may be the mark of other data, or truncated.
    let is_container = data.starts_with(['{', '[']) && (is_json || serde_json::from_str::<&RawValue>(data).is_ok());
    let body = match text(data) {
        Some(text) => Body::Text(text),
        None if is_container => Body::Json(data),
        None => Body::Text(data.into()),
    };
    Record {
        level: level(line.level.name()),
        key: line.partition_key,
        error: line.error,
        body,
        lag_ms: line.lag_ms.map(|lag| lag as f64),
        is_ours: true,
    }
}

/// Parses a JSON line of another program.
fn structured(message: &str) -> Option<Record<'_>> {
    if !message.starts_with('{') {
        return None;
    }
    let line: Line<'_> = serde_json::from_str(message).ok()?;
    let level = line.level.as_deref().map_or(Level::Info, level);
    let body = match line.message.and_then(|message| text(message.get())) {
        Some(text) => Body::Both(text, message),
        None => Body::Json(message),
    };
    Some(Record { level, key: None, error: None, body, lag_ms: None, is_ours: false })
}

/// Parses a message that is a JSON string: text data of a record whose line has no other fields.
fn literal(message: &str) -> Option<Record<'_>> {
    let body = Body::Text(text(message)?);
    Some(Record { level: Level::Info, key: None, error: None, body, lag_ms: None, is_ours: false })
}

/// Decodes a JSON string. Returns `None` for other texts.
fn text(json: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    if !json.starts_with('"') {
        return None;
    }
    serde_json::from_str::<Text<'_>>(json).ok().map(|Text(text)| text)
}

fn plain(message: &str) -> Record<'_> {
    let (level, text) = match of_runtime(message) {
        Some((level, text)) => (level, text),
        None => (level_in(message), message),
    };
    Record { level, key: None, error: None, body: Body::Text(text.into()), lag_ms: None, is_ours: false }
}

/// Parses level and text of the lines that AWS's runtimes write: Node.js has `TIME\tREQUEST-ID\tLEVEL\ttext`, and Python has
/// `[LEVEL]\tTIME\tREQUEST-ID\ttext`.
fn of_runtime(message: &str) -> Option<(Level, &str)> {
    let mut parts = message.splitn(4, '\t');
    let (first, second, third, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_time = |text: &str| text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[0].is_ascii_digit();
    if is_time(first) {
        return Some((level(third), text));
    }
    let name = first.strip_prefix('[')?.strip_suffix(']')?;
    is_time(second).then(|| (level(name), text))
}

fn level(name: &str) -> Level {
    match name.to_ascii_uppercase().as_str() {
        "ERROR" | "FATAL" | "CRITICAL" | "PANIC" => Level::Error,
        "WARN" | "WARNING" => Level::Warn,
        "DEBUG" | "TRACE" => Level::Debug,
        _ => Level::Info,
    }
}

/// Finds the level that a text names near its beginning, in capitals.
fn level_in(message: &str) -> Level {
    if message.starts_with("Traceback (most recent call last)") || message.contains("' panicked at ") {
        return Level::Error;
    }
    let words = message.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()).take(8);
    words
        .filter(|word| word.chars().all(|c| c.is_ascii_uppercase()))
        .map(level)
        .find(|level| *level != Level::Info)
        .unwrap_or(Level::Info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_are_parsed_from_json_and_text() {
        let json = r#"{"timestamp":"2026-11-28T10:00:00.000Z","level":"INFO","v":1,"requestId":"r","stream":"s",
            "shard":"shardId-0","sequenceNumber":"495","partitionKey":"user \"1\"","lagMs":7,"type":"json","data":{"b":1,"a":[2]}}"#;
        let text = r#"2026-11-28T10:00:00.000Z INFO r stream=s shard=shardId-0 seq=495 key="user \"1\"" arrival=2026-11-28T09:59:59.993Z lagMs=7 data={"b":1,"a":[2]}"#;
        let expected = || Record {
            level: Level::Info,
            key: Some("user \"1\"".into()),
            error: None,
            body: Body::Json(r#"{"b":1,"a":[2]}"#),
            lag_ms: Some(7.0),
            is_ours: true,
        };
        assert_eq!(Record::parse(json), expected());
        assert_eq!(Record::parse(text), expected());
    }

    #[test]
    fn an_undecodable_record_is_parsed_with_its_error() {
        let line = r#"{"timestamp":"2026-11-28T10:00:00.000Z","level":"WARN","v":1,"requestId":"r","sequenceNumber":"4","partitionKey":"k","type":"undecodable","error":"bad base64","data":"a\tb"}"#;
        let record = Record::parse(line);
        assert_eq!((record.level, record.error.as_deref()), (Level::Warn, Some("bad base64")));
        assert_eq!(record.body, Body::Text("a\tb".into()));
    }

    #[test]
    fn lines_of_other_functions_have_a_level_and_a_text() {
        for (message, level, text) in [
            ("hello", Level::Info, "hello"),
            ("[ERROR]\t2026-11-28T10:00:00.000Z\tid\tboom", Level::Error, "boom"),
            ("2026-11-28T10:00:00.000Z\tid\tWARN\tcareful", Level::Warn, "careful"),
            ("12:00 ERROR out of tune", Level::Error, "12:00 ERROR out of tune"),
            ("an ERRORS table", Level::Info, "an ERRORS table"),
            ("Traceback (most recent call last):\n  x", Level::Error, "Traceback (most recent call last):\n  x"),
        ] {
            let record = Record::parse(message);
            assert_eq!((record.level, record.body), (level, Body::Text(text.into())), "{message}");
        }
        let structured = r#"{"level":"error","msg":"failed","code":5}"#;
        let record = Record::parse(structured);
        assert_eq!((record.level, record.body), (Level::Error, Body::Both("failed".into(), structured)));
        assert_eq!(Record::parse(r#""hello\n""#).body, Body::Text("hello\n".into()));
        let structured = r#"{"_aws":{},"count":5}"#;
        assert_eq!(Record::parse(structured).body, Body::Json(structured));
    }

    #[test]
    fn no_message_panics() {
        for message in ["", "{", "{}", "\t\t\t", "[]\t\t\t", " stream= seq=", "a b stream=s seq=1 key=\"", "é\tZ\t\t"]
        {
            Record::parse(message);
        }
    }
}
