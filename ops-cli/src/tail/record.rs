//! Splits a message into its level, its key and the rest, for display. Pure.

use std::borrow::Cow;

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

/// The members of a JSON line that the views use.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Line<'a> {
    #[serde(borrow)]
    level: Option<Cow<'a, str>>,
    v: Option<&'a RawValue>,
    sequence_number: Option<&'a RawValue>,
    #[serde(borrow)]
    partition_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    lag_ms: Option<f64>,
    data: Option<&'a RawValue>,
    #[serde(borrow, alias = "msg")]
    message: Option<&'a RawValue>,
}

impl<'a> Record<'a> {
    pub fn parse(message: &'a str) -> Self {
        let message = message.trim_end();
        let parsed = if message.starts_with('{') { json(message) } else { ours_as_text(message) };
        parsed.unwrap_or_else(|| plain(message))
    }
}

fn json(message: &str) -> Option<Record<'_>> {
    let line: Line<'_> = serde_json::from_str(message).ok()?;
    let level = line.level.as_deref().map_or(Level::Info, level);
    if line.v.is_none() || line.sequence_number.is_none() {
        let body = match line.message.and_then(text) {
            Some(text) => Body::Both(text, message),
            None => Body::Json(message),
        };
        return Some(Record { level, key: None, error: None, body, lag_ms: None, is_ours: false });
    }
    let data = line.data.map_or(Body::Text("".into()), |data| match text(data) {
        Some(text) => Body::Text(text),
        None => Body::Json(data.get()),
    });
    Some(Record {
        level,
        key: line.partition_key,
        error: line.error.and_then(text),
        body: data,
        lag_ms: line.lag_ms,
        is_ours: true,
    })
}

/// Decodes a JSON string. Returns `None` for other values.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(|Text(text)| text)
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Parses `TIME LEVEL REQUEST-ID stream=… shard=… seq=… key="…" arrival=… lagMs=… data=…`.
fn ours_as_text(message: &str) -> Option<Record<'_>> {
    let (head, rest) = message.split_once(" stream=")?;
    if !rest.contains(" seq=") {
        return None;
    }
    let level = level(head.split(' ').nth(1)?);
    let key = rest.split_once(" key=").and_then(|(_, key)| quoted(key));
    let lag = rest.split_once(" lagMs=").and_then(|(_, lag)| lag.split(' ').next()?.parse().ok());
    let error = rest.split_once(" error=").and_then(|(_, error)| quoted(error));
    let data = rest.split_once(" data=").map_or("", |(_, data)| data);
    let is_json = data.starts_with(['{', '[']) && serde_json::from_str::<&RawValue>(data).is_ok();
    let body = match quoted(data) {
        _ if is_json => Body::Json(data),
        Some(text) => Body::Text(text),
        None => Body::Text(data.into()),
    };
    Some(Record { level, key, error, body, lag_ms: lag, is_ours: true })
}

/// Decodes the JSON string at the beginning of a text.
fn quoted(text: &str) -> Option<Cow<'_, str>> {
    if !text.starts_with('"') {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Text<'_>>();
    values.next()?.ok().map(|Text(text)| text)
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
        let text = r#"2026-11-28T10:00:00.000Z INFO r stream=s shard=shardId-0 seq=495 key="user \"1\"" arrival=2026 lagMs=7 data={"b":1,"a":[2]}"#;
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
        let line = r#"{"level":"WARN","v":1,"sequenceNumber":"4","partitionKey":"k","type":"undecodable","error":"bad base64","data":"a\tb"}"#;
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
