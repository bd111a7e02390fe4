//! The services' limits, each with its unit and its source.
//!
//! ```
//! use kinesis_event_logger_core::limits;
//!
//! assert!(limits::PARTITION_KEY_CHARS.contains(&"user-1".chars().count()));
//! ```
//!
//! Kinesis: <https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html> and the API reference of the
//! operation named. Lambda: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>. CloudWatch Logs:
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>.

use std::ops::RangeInclusive;

/// Records in one `PutRecords` request (Kinesis API, `PutRecords`).
pub const PUT_RECORDS_RECORDS: usize = 500;
/// Bytes in one `PutRecords` request: data and partition keys of all its records (Kinesis API, `PutRecords`).
pub const PUT_RECORDS_BYTES: usize = 10 * MIB;
/// Bytes in one record, data and partition key, unless the stream is configured otherwise (Kinesis quotas).
pub const RECORD_BYTES: usize = MIB;
/// Bytes in one record, data and partition key, at the highest setting of a stream (Kinesis quotas).
pub const RECORD_BYTES_HIGHEST: usize = 10 * MIB;
/// Unicode characters in a partition key (Kinesis API, `PutRecord`).
pub const PARTITION_KEY_CHARS: RangeInclusive<usize> = 1..=256;
/// Digits in an explicit hash key, a decimal number below 2^128 (Kinesis API, `PutRecord`).
pub const EXPLICIT_HASH_KEY_DIGITS: usize = 39;
/// Bytes that one shard accepts per second (Kinesis quotas).
pub const SHARD_WRITE_BYTES_PER_SECOND: usize = MIB;
/// Records that one shard accepts per second (Kinesis quotas).
pub const SHARD_WRITE_RECORDS_PER_SECOND: usize = 1000;
/// Bytes that one shard returns per second to all polling readers (Kinesis quotas).
pub const SHARD_READ_BYTES_PER_SECOND: usize = 2 * MIB;
/// `GetRecords` calls that one shard answers per second (Kinesis quotas).
pub const SHARD_READS_PER_SECOND: usize = 5;
/// Records in one `GetRecords` response (Kinesis API, `GetRecords`).
pub const GET_RECORDS_RECORDS: usize = 10_000;
/// Bytes in one `GetRecords` response (Kinesis API, `GetRecords`).
pub const GET_RECORDS_BYTES: usize = 10 * MIB;
/// Seconds for which a shard iterator is valid (Kinesis API, `GetShardIterator`).
pub const SHARD_ITERATOR_SECONDS: u64 = 300;
/// Hours for which a stream can retain its records (Kinesis API, `IncreaseStreamRetentionPeriod`).
pub const STREAM_RETENTION_HOURS: RangeInclusive<u32> = 24..=8760;
/// Consumers with enhanced fan-out on one stream (Kinesis quotas).
pub const STREAM_CONSUMERS: usize = 20;

/// Bytes in the payload of one synchronous invocation, the event of a batch included (Lambda quotas).
pub const INVOCATION_PAYLOAD_BYTES: usize = 6 * MIB;
/// Bytes in the payload of one asynchronous invocation (Lambda quotas).
pub const ASYNC_INVOCATION_PAYLOAD_BYTES: usize = MIB;
/// MiB of memory of a function that is not on Managed Instances (Lambda quotas).
pub const FUNCTION_MEMORY_MIB: RangeInclusive<i64> = 128..=10_240;
/// Seconds that an invocation can run, 30 minutes since 2026-11 (Lambda quotas).
pub const FUNCTION_TIMEOUT_SECONDS: RangeInclusive<i64> = 1..=1_800;
/// Bytes in a zip that is uploaded in the request (Lambda quotas).
pub const FUNCTION_ZIP_BYTES: usize = 50 * MIB;
/// Bytes in a function's code, unpacked (Lambda quotas).
pub const FUNCTION_CODE_BYTES: usize = 250 * MIB;
/// Records in one batch of an event source mapping (Lambda API, `CreateEventSourceMapping`, `BatchSize`).
pub const MAPPING_BATCH_RECORDS: RangeInclusive<i64> = 1..=10_000;
/// Seconds for which a mapping can gather a batch (Lambda API, `MaximumBatchingWindowInSeconds`).
pub const MAPPING_BATCHING_WINDOW_SECONDS: RangeInclusive<i64> = 0..=300;
/// Batches of one shard that a mapping can process concurrently (Lambda API, `ParallelizationFactor`).
pub const MAPPING_PARALLELIZATION_FACTOR: RangeInclusive<i64> = 1..=10;
/// Retries of a batch by a mapping; −1 retries until the records expire (Lambda API, `MaximumRetryAttempts`).
pub const MAPPING_RETRY_ATTEMPTS: RangeInclusive<i64> = -1..=10_000;
/// Seconds after which a mapping can abandon a record; −1 is also allowed, and never abandons (Lambda API,
/// `MaximumRecordAgeInSeconds`).
pub const MAPPING_RECORD_AGE_SECONDS: RangeInclusive<i64> = 60..=604_800;
/// Seconds in a tumbling window; 0 is no window (Lambda API, `TumblingWindowInSeconds`).
pub const MAPPING_TUMBLING_WINDOW_SECONDS: RangeInclusive<i64> = 0..=900;
/// Filters of an event source mapping (Lambda Developer Guide, "Control which events Lambda sends to your function").
pub const MAPPING_FILTERS: usize = 5;
/// The environment variables of a function that Lambda sets itself
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>).
pub const RESERVED_VARIABLES: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];

/// Bytes in one `PutLogEvents` request, each event counted with [`PUT_LOG_EVENTS_OVERHEAD_BYTES`] (CloudWatch Logs API,
/// `PutLogEvents`).
pub const PUT_LOG_EVENTS_BYTES: usize = 1_048_576;
/// Bytes that CloudWatch Logs adds to the UTF-8 of each event when it measures a `PutLogEvents` request (CloudWatch Logs API, `PutLogEvents`).
pub const PUT_LOG_EVENTS_OVERHEAD_BYTES: usize = 26;
/// Events in one `PutLogEvents` request (CloudWatch Logs API, `PutLogEvents`).
pub const PUT_LOG_EVENTS_EVENTS: usize = 10_000;
/// Milliseconds between the first and the last event of one `PutLogEvents` request (CloudWatch Logs API, `PutLogEvents`).
pub const PUT_LOG_EVENTS_SPAN_MS: i64 = 24 * HOUR_MS;
/// Age of the oldest event that can be put, in milliseconds (CloudWatch Logs API, `PutLogEvents`).
pub const PUT_LOG_EVENTS_AGE_MS: i64 = 14 * 24 * HOUR_MS;
/// Time by which an event may be in the future when it is put, in milliseconds (CloudWatch Logs API, `PutLogEvents`).
pub const PUT_LOG_EVENTS_AHEAD_MS: i64 = 2 * HOUR_MS;
/// Days for which a log group can retain its events (CloudWatch Logs API, `PutRetentionPolicy`).
pub const LOG_RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Characters in a stream's name, of `[a-zA-Z0-9_.-]` (Kinesis API, `CreateStream`).
pub const STREAM_NAME_CHARS: RangeInclusive<usize> = 1..=128;
/// Characters in a function's name, of `[a-zA-Z0-9-_]` (Lambda API, `CreateFunction`).
pub const FUNCTION_NAME_CHARS: RangeInclusive<usize> = 1..=64;
/// Characters in a role's name, of `[\w+=,.@-]` (IAM API, `CreateRole`).
pub const ROLE_NAME_CHARS: RangeInclusive<usize> = 1..=64;
/// Characters in a log group's name, of `[\.\-_/#A-Za-z0-9]` (CloudWatch Logs API, `CreateLogGroup`).
pub const LOG_GROUP_NAME_CHARS: RangeInclusive<usize> = 1..=512;

const MIB: usize = 1024 * 1024;
const HOUR_MS: i64 = 60 * 60 * 1000;
