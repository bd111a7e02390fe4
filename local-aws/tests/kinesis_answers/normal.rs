//! Removes from responses what differs between runs: times, numbers, iterators and tokens.

use std::sync::LazyLock;

use kinesis_event_logger_core::SequenceNumber;
use regex::{Captures, Regex};
use serde_json::{Value, json};

static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[0-9]{56}\b").unwrap());
static CONSUMER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(consumer/[\w.-]+):[0-9]{10}\b").unwrap());
static MILLIS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b1[0-9]{12}\b").unwrap());

pub fn answer(value: Value) -> Value {
    member("", value)
}

fn member(name: &str, value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let value = member(&name, value);
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| member("", item)).collect(),
        Value::Number(_) if name.ends_with("Timestamp") => json!("<time>"),
        Value::Number(millis) if name == "MillisBehindLatest" && millis.as_f64() != Some(0.0) => json!("<behind>"),
        Value::String(_) if name.ends_with("ShardIterator") => json!("<iterator>"),
        Value::String(_) if name == "NextToken" => json!("<token>"),
        Value::String(text) => json!(shortened(&texts(&text))),
        other => other,
    }
}

fn texts(text: &str) -> String {
    let text = NUMBER.replace_all(text, |found: &Captures| number(&found[0]));
    let text = CONSUMER.replace_all(&text, "$1:<time>");
    MILLIS.replace_all(&text, "<ms>").into_owned()
}

fn number(text: &str) -> String {
    let Some(parts) = text.parse::<SequenceNumber>().ok().and_then(|number| number.parts()) else {
        return "<number>".to_owned();
    };
    let counter = match parts.counter {
        0 => "start",
        counter if counter == i64::MAX as u64 => "end",
        _ => "n",
    };
    format!("<#{} {counter}>", parts.shard_index)
}

/// Shortens a long text to its beginning, its length and its end.
pub fn shortened(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= 900 {
        return text.to_owned();
    }
    let part = |chars: &[char]| chars.iter().collect::<String>();
    format!("{}<{}>{}", part(&chars[..400]), chars.len(), part(&chars[chars.len() - 200..]))
}
