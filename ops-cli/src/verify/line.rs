//! What one line of the function's log says of its record, in either form of the line.

use jiff::Timestamp;
use serde::Deserialize;

/// A record's line.
#[derive(Debug, PartialEq)]
pub struct Logged {
    pub sequence_number: String,
    /// Which record of the aggregate that was put with this sequence number.
    pub sub_sequence_number: Option<u64>,
    pub partition_key: String,
    /// When Kinesis took the record, in epoch milliseconds.
    pub arrival: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLine {
    sequence_number: String,
    sub_sequence_number: Option<u64>,
    #[serde(default)]
    partition_key: String,
    arrival: Option<String>,
}

/// The record that a line is about; `None` for the platform's lines and others.
pub fn parse(line: &str) -> Option<Logged> {
    if line.starts_with('{') {
        let JsonLine { sequence_number, sub_sequence_number, partition_key, arrival } =
            serde_json::from_str(line).ok()?;
        let arrival = arrival.as_deref().and_then(milliseconds);
        return Some(Logged { sequence_number, sub_sequence_number, partition_key, arrival });
    }
    // `seq` and `key` come before anything that a record's producer can choose.
    let (sequence_number, rest) = word(&line[line.find(" seq=")?..], " seq=");
    let sequence_number = sequence_number?.to_owned();
    let (sub_sequence_number, rest) = word(rest, " subSequenceNumber=");
    let (partition_key, rest) = match rest.strip_prefix(" key=\"") {
        Some(rest) => quoted(rest)?,
        None => ("", word(rest, " key=").1),
    };
    let (_, rest) = word(rest, " explicitHashKey=");
    let (arrival, _) = word(rest, " arrival=");
    Some(Logged {
        sequence_number,
        sub_sequence_number: sub_sequence_number.and_then(|number| number.parse().ok()),
        partition_key: partition_key.to_owned(),
        arrival: arrival.and_then(milliseconds),
    })
}

/// The word after the name that a text begins with, if it does, and the rest.
fn word<'t>(text: &'t str, name: &str) -> (Option<&'t str>, &'t str) {
    match text.strip_prefix(name) {
        Some(rest) => {
            let (word, rest) = rest.split_at(rest.find(' ').unwrap_or(rest.len()));
            (Some(word), rest)
        }
        None => (None, text),
    }
}

fn milliseconds(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// What stands before the closing quote, and what comes after it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_either_form_tells_its_record() {
        let text = r#"2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 key="a \" arrival=2000" arrival=2018-12-17T22:10:50.987Z lagMs=13 data="x seq=1""#;
        let logged = parse(text).unwrap();
        assert_eq!((logged.sequence_number.as_str(), logged.partition_key.as_str()), ("4959", r#"a \" arrival=2000"#));
        assert_eq!(logged.arrival, Some(1_545_084_650_987));
        let json = r#"{"timestamp":"2018-12-17T22:10:51.000Z","level":"INFO","v":1,"sequenceNumber":"4959","partitionKey":"k","arrival":"2018-12-17T22:10:50.987Z","data":1}"#;
        let logged = parse(json).unwrap();
        assert_eq!((logged.sequence_number.as_str(), logged.partition_key.as_str()), ("4959", "k"));
        assert_eq!(logged.arrival, Some(1_545_084_650_987));
    }

    #[test]
    fn a_line_of_a_record_in_an_aggregate_tells_which() {
        let text = r#"2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 subSequenceNumber=3 key="k" explicitHashKey=17 arrival=2018-12-17T22:10:50.987Z lagMs=13 data="x""#;
        let json = r#"{"sequenceNumber":"4959","subSequenceNumber":3,"partitionKey":"k","explicitHashKey":"17","arrival":"2018-12-17T22:10:50.987Z"}"#;
        let expected = Logged {
            sequence_number: "4959".into(),
            sub_sequence_number: Some(3),
            partition_key: "k".into(),
            arrival: Some(1_545_084_650_987),
        };
        assert_eq!(parse(text).as_ref(), Some(&expected));
        assert_eq!(parse(json), Some(expected));
    }

    #[test]
    fn other_lines_are_of_no_record() {
        assert_eq!(parse("START RequestId: 3f1c Version: $LATEST"), None);
        assert_eq!(parse(r#"{"time":"2026","type":"platform.start","record":{}}"#), None);
        assert_eq!(parse(""), None);
    }
}
