//! The table of settings.

use kinesis_event_logger_core::limits;
use serde_json::Value;

use super::Call::{
    self, Concurrency, DeletionProtection, Distribution, Encryption, Fixed, FunctionConfiguration, LogKey,
    LogRetention, MaxRecordSize, RolePolicy, Shards, StreamRetention, WarmThroughput,
};
use super::Part::{self, Function, LogGroup, Mapping, Role, Stream};
use super::SetBy::{Creation, OwnCall};
use super::{Kind, SetBy, Setting};

const LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// A change that costs and loses nothing.
fn safe(_: &Value, _: &Value) -> Option<&'static str> {
    None
}

fn reshards(_: &Value, _: &Value) -> Option<&'static str> {
    Some("the stream is resharded, or changes its mode, and costs another amount")
}

fn shortens(old: &Value, new: &Value) -> Option<&'static str> {
    // 0 is forever.
    let end = |value: &Value| value.as_i64().filter(|&end| end > 0).unwrap_or(i64::MAX);
    (end(new) < end(old)).then_some("what is older than the new retention is lost")
}

fn reserves_throughput(_: &Value, _: &Value) -> Option<&'static str> {
    Some("warm throughput is charged by the hour")
}

fn ignores_keys(_: &Value, new: &Value) -> Option<&'static str> {
    (new == "AUTO").then_some("Kinesis ignores partition keys then, and records of a key lose their order")
}

fn decrypts(_: &Value, new: &Value) -> Option<&'static str> {
    (new == "none").then_some("new data is no longer encrypted with your key")
}

fn encrypts_with_lambdas_key(_: &Value, new: &Value) -> Option<&'static str> {
    (new == "none").then_some("the environment variables are no longer encrypted with your key")
}

fn moves_network(_: &Value, _: &Value) -> Option<&'static str> {
    Some("the function runs in another network, from which it may not reach what it needs")
}

fn unprotects(_: &Value, new: &Value) -> Option<&'static str> {
    (new == &Value::Bool(false)).then_some("the log group can be deleted then")
}

fn stops(_: &Value, new: &Value) -> Option<&'static str> {
    (new == &Value::Bool(false))
        .then_some("records are no longer logged, and expire at the end of the stream's retention")
}

fn repeats_whole_batches(_: &Value, new: &Value) -> Option<&'static str> {
    (new == &Value::Bool(false))
        .then_some("Lambda treats a partial answer as success, and loses the records that failed")
}

fn drops_records(_: &Value, new: &Value) -> Option<&'static str> {
    new.as_array().is_some_and(|patterns| !patterns.is_empty()).then_some("records that match no filter are not logged")
}

/// A row without a default, without a cost, and changed by its own call.
const fn row(
    part: Part,
    key: &'static str,
    flag: &'static str,
    value_name: &'static str,
    kind: Kind,
    call: Call,
    about: &'static str,
) -> Setting {
    Setting { part, key, flag, value_name, kind, default: None, call, set_by: Creation, cost: safe, about }
}

impl Setting {
    const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    const fn asks(mut self, cost: fn(&Value, &Value) -> Option<&'static str>) -> Self {
        self.cost = cost;
        self
    }

    const fn set_by(mut self, set_by: SetBy) -> Self {
        self.set_by = set_by;
        self
    }
}

#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &[
    row(Stream, "shards", "shards", "N|on-demand", Kind::Shards, Shards,
        "Number of shards, or `on-demand`, with which Kinesis scales the stream").default("1").asks(reshards),
    row(Stream, "retention-hours", "stream-retention-hours", "HOURS", Kind::Integer(24..=8760), StreamRetention,
        "Hours for which the stream keeps records, 24 to 8760").asks(shortens).set_by(OwnCall),
    row(Stream, "max-record-kib", "max-record-kib", "KIB", Kind::Integer(1024..=10_240), MaxRecordSize,
        "Largest record in KiB, 1024 to 10240"),
    row(Stream, "warm-throughput-mibps", "warm-throughput-mibps", "MIBPS", Kind::Integer(0..=10_240), WarmThroughput,
        "MiB per second that an on-demand stream accepts at once").asks(reserves_throughput),
    row(Stream, "distribution", "distribution", "STRATEGY", Kind::OneOf(&["USER_PARTITION_KEY", "AUTO"]), Distribution,
        "How records are assigned to shards: by their partition keys, or by Kinesis").asks(ignores_keys),
    row(Stream, "encryption-key", "encryption-key", "KEY", Kind::TextOrNone, Encryption,
        "KMS key that encrypts the stream: an ARN, an ID, `alias/NAME`, or `none`").asks(decrypts).set_by(OwnCall),

    row(Role, "managed-policy", "managed-policy", "BOOL", Kind::Bool, RolePolicy,
        "Use the managed policy AWSLambdaKinesisExecutionRole, instead of a policy for exactly this path").default("false").set_by(OwnCall),

    row(LogGroup, "retention-days", "retention-days", "DAYS", Kind::RetentionDays, LogRetention,
        "Days for which the log group keeps events; 0 keeps them forever").default("30").asks(shortens).set_by(OwnCall),
    row(LogGroup, "class", "log-class", "CLASS", Kind::OneOf(&["STANDARD", "INFREQUENT_ACCESS", "ESSENTIALS"]), Fixed,
        "Class of a new log group"),
    row(LogGroup, "kms-key", "log-kms-key", "ARN", Kind::ArnOrNone, LogKey,
        "KMS key that encrypts the log group, or `none`").asks(decrypts),
    row(LogGroup, "deletion-protection", "deletion-protection", "BOOL", Kind::Bool, DeletionProtection,
        "Protect the log group from deletion").asks(unprotects),

    row(Function, "memory", "memory", "MB", Kind::Integer(limits::FUNCTION_MEMORY_MIB), FunctionConfiguration,
        "Memory in MB, 128 to 10240").default("128"),
    row(Function, "timeout", "timeout", "SECONDS", Kind::Seconds(limits::FUNCTION_TIMEOUT_SECONDS), FunctionConfiguration,
        "Time limit of an invocation in seconds, 1 to 1800").default("30"),
    row(Function, "log-format", "log-format", "FORMAT", Kind::OneOf(&["JSON", "Text"]), FunctionConfiguration,
        "Format of the log lines").default("JSON"),
    row(Function, "application-log-level", "application-log-level", "LEVEL", Kind::OneOf(LEVELS), FunctionConfiguration,
        "Lowest level of the function's lines, with JSON logs; records are logged at INFO"),
    row(Function, "system-log-level", "system-log-level", "LEVEL", Kind::OneOf(&["DEBUG", "INFO", "WARN"]), FunctionConfiguration,
        "Lowest level of Lambda's own lines, with JSON logs"),
    row(Function, "tracing", "tracing", "MODE", Kind::OneOf(&["Active", "PassThrough"]), FunctionConfiguration,
        "X-Ray tracing"),
    row(Function, "kms-key", "function-kms-key", "ARN", Kind::ArnOrNone, FunctionConfiguration,
        "KMS key that encrypts the function's environment variables, or `none` for Lambda's own key").asks(encrypts_with_lambdas_key),
    row(Function, "subnets", "subnets", "IDS", Kind::Ids("subnet-"), FunctionConfiguration,
        "Subnets of the VPC in which the function runs, with commas between them, or `none`").asks(moves_network),
    row(Function, "security-groups", "security-groups", "IDS", Kind::Ids("sg-"), FunctionConfiguration,
        "Security groups of the function in its VPC, with commas between them, or `none`").asks(moves_network),
    row(Function, "environment", "env", "NAME=VALUE", Kind::Variables, FunctionConfiguration,
        "Environment variable of the function, such as LOGGER_DATA=hash; several if you like"),
    row(Function, "reserved-concurrency", "reserved-concurrency", "N", Kind::IntegerOrNone(0..=1_000_000), Concurrency,
        "Concurrent invocations reserved for the function, or `none`").set_by(OwnCall),

    row(Mapping, "enabled", "enabled", "BOOL", Kind::Bool, Call::Mapping,
        "Whether the mapping reads the stream").default("true").asks(stops),
    row(Mapping, "batch-size", "batch-size", "N", Kind::Integer(limits::MAPPING_BATCH_RECORDS), Call::Mapping,
        "Maximum number of records in a batch, 1 to 10000").default("100"),
    row(Mapping, "batch-window", "batch-window", "SECONDS", Kind::Seconds(limits::MAPPING_BATCHING_WINDOW_SECONDS), Call::Mapping,
        "Seconds for which Lambda collects a batch, 0 to 300"),
    row(Mapping, "parallelization-factor", "parallelization-factor", "N", Kind::Integer(limits::MAPPING_PARALLELIZATION_FACTOR), Call::Mapping,
        "Batches of one shard that are processed at a time, 1 to 10"),
    row(Mapping, "retries", "retries", "N", Kind::Integer(limits::MAPPING_RETRY_ATTEMPTS), Call::Mapping,
        "Retries of a failed batch, up to 10000; -1 retries until its records expire"),
    row(Mapping, "max-record-age", "max-record-age", "SECONDS", Kind::SecondsOrNever(limits::MAPPING_RECORD_AGE_SECONDS), Call::Mapping,
        "Age at which a failed record is abandoned, 60 to 604800 seconds; -1 abandons none"),
    row(Mapping, "bisect", "bisect", "BOOL", Kind::Bool, Call::Mapping,
        "Split a failed batch in two before it is retried").default("true"),
    row(Mapping, "partial-responses", "partial-responses", "BOOL", Kind::Bool, Call::Mapping,
        "Retry a failed batch from its first failed record").default("true").asks(repeats_whole_batches),
    row(Mapping, "on-failure", "on-failure", "ARN", Kind::ArnOrNone, Call::Mapping,
        "Queue, topic or bucket that receives abandoned batches, or `none`"),
    row(Mapping, "filters", "mapping-filter", "PATTERN", Kind::Patterns, Call::Mapping,
        "Event pattern of the records to log, up to 5, joined with OR; `none` removes them").asks(drops_records),
    row(Mapping, "tumbling-window", "tumbling-window", "SECONDS", Kind::Seconds(limits::MAPPING_TUMBLING_WINDOW_SECONDS), Call::Mapping,
        "Seconds of a tumbling window, 0 to 900"),
    row(Mapping, "metrics", "mapping-metrics", "BOOL", Kind::Bool, Call::Mapping,
        "Metrics of the mapping (EventCount) in CloudWatch"),
    row(Mapping, "fan-out", "fan-out", "BOOL", Kind::Bool, Fixed,
        "Whether a new mapping reads through an enhanced fan-out consumer of its own, which has 2 MB/s of each shard for itself and is \
charged by the hour and by the GB"),
    row(Mapping, "starting-position", "starting-position", "POSITION", Kind::OneOf(&["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]), Fixed,
        "Where a new mapping starts to read: at the oldest record, after the newest, or at a time").default("TRIM_HORIZON"),
    row(Mapping, "starting-timestamp", "starting-timestamp", "TIME", Kind::Time, Fixed,
        "Time at which a new mapping starts to read, with AT_TIMESTAMP"),
];
