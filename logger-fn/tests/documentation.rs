//! Compares the documents with the settings and with real lines.
//!
//! `UPDATE_GOLDEN=1 cargo test -p logger-fn --test documentation` rewrites the table of costs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::path::Path;

use kinesis_event_logger_core::settings::VARIABLES;
use kinesis_event_logger_core::{Data, LineFormat, LineOptions, LineWriter, Payload, Position, Record};

/// CloudWatch Logs counts this many bytes for each log event besides its message.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
const BYTES_PER_EVENT: usize = 26;

/// USD per GB ingested in us-east-1, by log class. <https://aws.amazon.com/cloudwatch/pricing/>
const STANDARD: f64 = 0.50;
const INFREQUENT_ACCESS: f64 = 0.25;

#[test]
fn every_setting_is_documented() {
    let page = include_str!("../../docs/settings.md");
    let mut documented: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.starts_with("LOGGER_"))
        .collect();
    documented.sort_unstable();
    assert_eq!(documented, VARIABLES);
}

/// Returns the length of the JSON line of a record with JSON data of `data_bytes`.
fn line_bytes(envelope: &str, data_bytes: usize) -> usize {
    let data = format!("{{\"text\":\"{}\"}}", "x".repeat(data_bytes - 11));
    assert_eq!(data.len(), data_bytes);
    let position = Position {
        stream: Some("orders-prod"),
        shard_id: Some("shardId-000000000006"),
        sequence_number: Some("49590338271490256608559692538361571095921575989136588898"),
        partition_key: Some("customer-4711"),
        arrival_ms: Some(1_795_452_960_000),
        ..Position::default()
    };
    let options = LineOptions { envelope: envelope.parse().unwrap(), ..LineOptions::DEFAULT };
    let request_id = "c9e64f6b-3c6c-4a36-9ad3-9d2a1a4e7a5f";
    let mut line = Vec::new();
    LineWriter::with_options(LineFormat::Json, request_id, 1_795_452_960_250, &options)
        .append(&Record::new(position, Data::Payload(Payload::Json(&data))), &mut line);
    // The newline separates log events and is not part of one.
    line.len() - 1
}

fn cost_table() -> String {
    let mut table = "\
| record | `LOGGER_FIELDS` | bytes of the line | USD per million records, class Standard | class Infrequent Access |
|---|---|---|---|---|
"
    .to_owned();
    for (size, data_bytes) in [("100 B", 100), ("1 KiB", 1024), ("10 KiB", 10 * 1024)] {
        for envelope in ["full", "compact", "data"] {
            let line = line_bytes(envelope, data_bytes);
            // A million records of so many bytes are so many thousandths of a GB.
            let usd = |per_gb: f64| (line + BYTES_PER_EVENT) as f64 / 1000.0 * per_gb;
            let (standard, infrequent) = (usd(STANDARD), usd(INFREQUENT_ACCESS));
            table += &format!("| {size} | `{envelope}` | {line} | {standard:.2} | {infrequent:.2} |\n");
        }
    }
    table
}

#[test]
fn the_table_of_costs_is_that_of_real_lines() {
    const BEGIN: &str = "| record | `LOGGER_FIELDS` |";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/permissions.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let begin = page.find(BEGIN).unwrap();
    let end = page[begin..].find("\n\n").map_or(page.len(), |end| begin + end + 1);
    let expected = cost_table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{}{expected}{}", &page[..begin], &page[end..])).unwrap();
    } else {
        assert_eq!(&page[begin..end], expected);
    }
}
