//! `publish`, `verify` and `tail`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::time;

const PUBLISH: &str = "\
One record from the argument, or one for each line of stdin or of --file. Prints each record's shard and \
sequence number, in the order of the input, unless --receipts or --quiet says otherwise; on stderr a summary, in \
which records read = acknowledged + dead-lettered.

Examples:
  ops-cli publish 'Hello, Lambda CLI World'
  ops-cli publish --key user-42 '{\"event\":\"login\"}'
  ops-cli publish --file events.ndjson --key-field /user/id --ordered
  journalctl -o json -f | ops-cli publish
  ops-cli publish --file big.ndjson --receipts receipts.ndjson --dead-letter dead.ndjson
  ops-cli publish --file big.ndjson --resume receipts.ndjson
  ops-cli publish --file dead.ndjson --entries

Delivery is at least once: a request whose answer was lost is sent again, and the receipts of its records say so \
(mayRepeat). An input error, such as a line over the limit, stops the run unless --dead-letter takes it.";

#[derive(Args, Debug, Clone)]
#[command(after_help = PUBLISH)]
pub struct Publish {
    /// The record's data (default: stdin, one record a line)
    #[arg(conflicts_with = "file")]
    pub data: Option<String>,
    /// Read records from this file, one a line; `-` is stdin. Can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub file: Vec<PathBuf>,
    /// Each input is one record
    #[arg(long, conflicts_with_all = ["base64", "entries"], help_heading = "Input")]
    pub whole: bool,
    /// Lines are base64
    #[arg(long, conflicts_with_all = ["data", "entries"], help_heading = "Input")]
    pub base64: bool,
    /// Lines are entries of PutRecords: {"PartitionKey":"k","Data":"base64"}, with "ExplicitHashKey" if need be
    #[arg(long, conflicts_with_all = ["data", "key", "key_field", "key_random", "hash_key"], help_heading = "Input")]
    pub entries: bool,

    /// Partition key of every record
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["key_field", "key_random"], help_heading = "Keys")]
    pub key: Option<String>,
    /// Take each record's partition key from this field: a JSON pointer, as in /user/id
    #[arg(long, value_name = "POINTER", conflicts_with = "key_random", help_heading = "Keys")]
    pub key_field: Option<String>,
    /// A random partition key for each record, which spreads them over the shards (default)
    #[arg(long, help_heading = "Keys")]
    pub key_random: bool,
    /// Choose the shard by this number, 0 to 2^128-1, whatever the partition key
    #[arg(long, value_name = "NUMBER", help_heading = "Keys")]
    pub hash_key: Option<String>,

    /// Keep the order of each partition key's records, whatever fails: one record a key under way at a time
    #[arg(long, help_heading = "Sending")]
    pub ordered: bool,
    /// Put many records in one, in the format of the KPL: cheaper and faster for small records. Consumers take them apart,
    /// as the logger does. Receipts name each record inside; slow input waits up to 100 ms for company
    #[arg(long, help_heading = "Sending")]
    pub aggregate: bool,
    /// Compress each record's data, with --aggregate inside the aggregate: the logger opens either
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Sending")]
    pub compress: Option<Compression>,
    /// Send at most so many records a second
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Sending")]
    pub rate: Option<f64>,
    /// Send at most so many bytes a second
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Sending")]
    pub rate_bytes: Option<f64>,
    /// Seconds a record is tried for
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = time::seconds::<u64>(1..=86_400), help_heading = "Sending")]
    pub deadline: u64,

    /// Write a receipt for each record to this file, as lines of JSON, instead of to stdout
    #[arg(long, value_name = "FILE", help_heading = "Accounting")]
    pub receipts: Option<PathBuf>,
    /// Go on after an interrupted run: records with a receipt in this file are not sent; new receipts are added to it
    #[arg(long, value_name = "RECEIPTS", conflicts_with = "receipts", help_heading = "Accounting")]
    pub resume: Option<PathBuf>,
    /// Add what could not be published to this file, and why, as lines of JSON that --entries reads; exit code 1
    #[arg(long, value_name = "FILE", help_heading = "Accounting")]
    pub dead_letter: Option<PathBuf>,
    /// Stop at the first input error, also with --dead-letter
    #[arg(long, help_heading = "Accounting")]
    pub strict: bool,
    /// No receipts, progress or summary: errors only
    #[arg(long, short, help_heading = "Accounting")]
    pub quiet: bool,
    /// Show how the input would be packed and where it would go; send nothing
    #[arg(long, conflicts_with_all = ["receipts", "resume"], help_heading = "Accounting")]
    pub dry_run: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Compression {
    Gzip,
    Zstd,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".into()),
    }
}

const VERIFY: &str = "\
Publishes marked records, follows the function's log until each is there, and tells what is missing, what was \
logged again or out of order, and how long it took. Exit code 1 if anything is missing. It goes on while the service \
throttles or cannot be reached, until --timeout, and always reports on what it published.

Examples:
  ops-cli verify
  ops-cli verify --count 10000 --rate 500 --timeout 5m
  ops-cli publish --file events.ndjson --receipts receipts.ndjson && ops-cli verify --receipts receipts.ndjson
  ops-cli --output json verify --count 100";

#[derive(Args, Debug, Clone)]
#[command(after_help = VERIFY)]
pub struct Verify {
    /// Records to publish
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub count: u64,
    /// Publish at most so many a second
    #[arg(long, value_name = "N", value_parser = positive)]
    pub rate: Option<f64>,
    /// How long to wait for log lines after the last record was published
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub timeout: String,
    /// How long to go on reading once every record is found, for what is logged again
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub settle: String,
    /// Publish the records in aggregates, in the format of the KPL
    #[arg(long)]
    pub aggregate: bool,
    /// Publish nothing; look for the records of an earlier `publish --receipts`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "rate", "aggregate"])]
    pub receipts: Option<PathBuf>,
}

const TAIL: &str = "\
Every event once, late ones included. While the service throttles or cannot be reached, it says so, tries again more \
slowly, and then shows what it missed. --follow waits for a log group that does not exist yet, and follows one that is \
deleted and created again.

Examples:
  ops-cli tail --since 1h
  ops-cli tail --follow
  ops-cli tail --follow --filter '{ $.partitionKey = \"user-42\" }'
  ops-cli tail --since 'yesterday 14:50'
  ops-cli tail --since 2026-11-23T10:00:00Z --output json

Patterns are CloudWatch Logs filter patterns.";

#[derive(Args, Debug, Clone)]
#[command(after_help = TAIL)]
pub struct Tail {
    /// Go on with new events until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Begin so long ago (30s, 5m, 1d12h, 1w, "10min ago"), or at a time: 14:50, yesterday, 2026-11-28, 2026-11-28T14:50,
    /// an RFC 3339 time, or epoch milliseconds. A time without a zone is local
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub since: String,
    /// Only events that match this CloudWatch Logs filter pattern
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
}
