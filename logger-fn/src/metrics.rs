//! Counts the records of one invocation.
//!
//! The embedded metric format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use kinesis_event_logger_core::line::{Level, rfc3339};
use serde_json::{Map, Value, json};

/// The namespace of the metrics in CloudWatch.
const NAMESPACE: &str = "KinesisEventLogger";

/// The counters of one invocation. All except `failed` count what was read, including records that Lambda sends again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the event that were read.
    pub records: u64,
    /// Records from the first one that was not logged on. Lambda sends them again.
    pub failed: u64,
    /// Records after unpacking aggregates and envelopes.
    pub decoded: u64,
    /// Records inside aggregates.
    pub sub_records: u64,
    /// Bytes of decoded data.
    pub bytes: u64,
    pub undecodable: u64,
    /// Lines on which `LOGGER_REDACT` hides a value.
    pub redacted: u64,
    /// Lines whose data `LOGGER_MAX_DATA_BYTES` truncates.
    pub truncated: u64,
    /// Records that `LOGGER_SAMPLE` excludes.
    pub sampled_out: u64,
    /// The longest time from a record's arrival to its line, in milliseconds. `None` if no record has an arrival time.
    pub max_lag_ms: Option<i64>,
}

/// The invocation that the counters are about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub function: &'a str,
    pub request_id: &'a str,
    /// Stream and shard of the first record. All records of a batch are from one shard.
    pub stream: Option<&'a str>,
    pub shard: Option<&'a str>,
    /// The level on the line, if it has one. With JSON logs, Lambda treats a line without level and timestamp as INFO, and
    /// drops it if the configured level is WARN or above
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>).
    pub level: Option<Level>,
}

impl Counts {
    pub fn add_lag(&mut self, lag_ms: i64) {
        self.max_lag_ms = self.max_lag_ms.max(Some(lag_ms));
    }

    /// Formats the line. The function's name is the only dimension. Request, stream and shard can be searched for without
    /// creating a metric each.
    pub fn emf(&self, subject: Subject<'_>, now_ms: i64) -> Vec<u8> {
        let counts = [
            ("Records", "Count", self.records),
            ("FailedRecords", "Count", self.failed),
            ("SubRecords", "Count", self.sub_records),
            ("DataBytes", "Bytes", self.bytes),
            ("UndecodableRecords", "Count", self.undecodable),
            ("RedactedRecords", "Count", self.redacted),
            ("TruncatedRecords", "Count", self.truncated),
            ("SampledOutRecords", "Count", self.sampled_out),
        ];
        let values = counts.into_iter().map(|(name, unit, value)| (name, unit, Value::from(value)));
        let max_lag = self.max_lag_ms.map(|lag_ms| ("MaxLag", "Milliseconds", Value::from(lag_ms)));
        let metrics: Vec<_> = values.chain(max_lag).collect();
        let names: Vec<_> = metrics.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [["FunctionName"]], "Metrics": names});

        let mut line = Map::new();
        if let Some(level) = subject.level {
            line.insert("timestamp".to_owned(), rfc3339(now_ms).into());
            line.insert("level".to_owned(), level.name().into());
        }
        line.insert("_aws".to_owned(), json!({"Timestamp": now_ms, "CloudWatchMetrics": [directive]}));
        line.insert("FunctionName".to_owned(), subject.function.into());
        line.insert("requestId".to_owned(), subject.request_id.into());
        for (name, value) in [("stream", subject.stream), ("shard", subject.shard)] {
            if let Some(value) = value {
                line.insert(name.to_owned(), value.into());
            }
        }
        line.extend(metrics.into_iter().map(|(name, _, value)| (name.to_owned(), value)));
        let mut line = Value::Object(line).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_conforms_to_the_specification() {
        let mut counts = Counts { records: 3, bytes: 7, sampled_out: 1, ..Counts::default() };
        counts.add_lag(5);
        counts.add_lag(-2);
        let subject = Subject {
            function: "logger",
            request_id: "r\n1",
            stream: Some("orders"),
            shard: Some("shardId-1"),
            level: None,
        };
        let line = String::from_utf8(counts.emf(subject, 1_795_452_960_123)).unwrap();
        assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_795_452_960_123_i64);
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert_eq!(directive["Dimensions"], json!([["FunctionName"]]));
        let named: Vec<_> = directive["Metrics"].as_array().unwrap().iter().collect();
        assert_eq!(named.len(), 9);
        for metric in named {
            assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric} has no value");
            assert!(["Count", "Bytes", "Milliseconds"].contains(&metric["Unit"].as_str().unwrap()), "{metric}");
        }
        assert_eq!((&line["Records"], &line["DataBytes"], &line["MaxLag"]), (&json!(3), &json!(7), &json!(5)));
        assert_eq!((&line["requestId"], &line["shard"]), (&json!("r\n1"), &json!("shardId-1")));
    }

    #[test]
    fn an_unknown_lag_is_omitted_and_the_level_is_the_field_that_lambda_reads() {
        let subject =
            Subject { function: "logger", request_id: "r", stream: None, shard: None, level: Some(Level::Warn) };
        let line: Value = serde_json::from_slice(&Counts::default().emf(subject, 0)).unwrap();
        assert_eq!((&line["timestamp"], &line["level"]), (&json!("1970-01-01T00:00:00.000Z"), &json!("WARN")));
        assert!(line.get("MaxLag").is_none() && line.get("stream").is_none());
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len(), 8);
    }
}
