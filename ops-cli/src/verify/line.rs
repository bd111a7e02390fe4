//! The record of a line of the function's log.

use kinesis_event_logger_core::line;

/// A record that was logged.
#[derive(Debug, PartialEq)]
pub struct LoggedRecord {
    pub sequence_number: String,
    /// The record's index in an aggregate.
    pub sub_sequence_number: Option<u64>,
    pub partition_key: String,
    /// When Kinesis accepted the record, in epoch milliseconds.
    pub arrival: Option<i64>,
}

/// Returns the record of a line whose log event has this timestamp. Returns `None` for a line of the platform or of another
/// function, and for one without a sequence number.
pub fn parse(line: &str, timestamp: i64) -> Option<LoggedRecord> {
    let line = line::parse(line).ok()?;
    Some(LoggedRecord {
        sequence_number: line.sequence_number?.into_owned(),
        sub_sequence_number: line.sub_sequence_number,
        partition_key: line.partition_key.unwrap_or_default().into_owned(),
        arrival: line.arrival_ms.or_else(|| Some(timestamp - line.lag_ms?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_formats_have_their_record() {
        let text = r#"2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 key="a \" arrival=2000" arrival=2018-12-17T22:10:50.987Z lagMs=13 data="x seq=1""#;
        let logged = parse(text, 0).unwrap();
        assert_eq!((logged.sequence_number.as_str(), logged.partition_key.as_str()), ("4959", r#"a " arrival=2000"#));
        assert_eq!(logged.arrival, Some(1_545_084_650_987));
        let json = r#"{"timestamp":"2018-12-17T22:10:51.000Z","level":"INFO","v":1,"requestId":"3f1c","sequenceNumber":"4959","partitionKey":"k","arrival":"2018-12-17T22:10:50.987Z","data":1}"#;
        let logged = parse(json, 0).unwrap();
        assert_eq!((logged.sequence_number.as_str(), logged.partition_key.as_str()), ("4959", "k"));
        assert_eq!(logged.arrival, Some(1_545_084_650_987));
    }

    #[test]
    fn a_line_of_an_aggregated_record_has_its_sub_sequence_number() {
        let text = r#"2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 subSequenceNumber=3 key="k" explicitHashKey=17 arrival=2018-12-17T22:10:50.987Z lagMs=13 data="x""#;
        let json = r#"{"timestamp":"2018-12-17T22:10:51.000Z","level":"INFO","v":1,"requestId":"3f1c","sequenceNumber":"4959","subSequenceNumber":3,"partitionKey":"k","explicitHashKey":"17","arrival":"2018-12-17T22:10:50.987Z"}"#;
        let expected = LoggedRecord {
            sequence_number: "4959".into(),
            sub_sequence_number: Some(3),
            partition_key: "k".into(),
            arrival: Some(1_545_084_650_987),
        };
        assert_eq!(parse(text, 0).as_ref(), Some(&expected));
        assert_eq!(parse(json, 0), Some(expected));
    }

    #[test]
    fn a_compact_line_has_its_arrival_by_its_lag() {
        let json = r#"{"v":1,"sequenceNumber":"4959","partitionKey":"k","lagMs":13,"data":1}"#;
        for line in [json, r#"seq=4959 key="k" lagMs=13 data=1"#] {
            let logged = parse(line, 1000).unwrap();
            assert_eq!((logged.sequence_number.as_str(), logged.arrival), ("4959", Some(987)), "{line}");
        }
    }

    #[test]
    fn other_lines_have_no_record() {
        assert_eq!(parse("START RequestId: 3f1c Version: $LATEST", 0), None);
        assert_eq!(parse(r#"{"time":"2026","type":"platform.start","record":{}}"#, 0), None);
        assert_eq!(parse("", 0), None);
    }
}
