//! Options that each change one setting of a provisioned path, in an order in which every change can be made.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use super::Run;

/// Options, and the field that they change.
pub const CHANGES: &[(&[&str], &str)] = &[
    (&["--shards", "2"], "shards"),
    (&["--stream-retention-hours", "48"], "retention-hours"),
    (&["--stream-retention-hours", "24"], "retention-hours"),
    (&["--max-record-kib", "2048"], "max-record-kib"),
    (&["--encryption-key", "alias/mine"], "encryption-key"),
    (&["--encryption-key", "none"], "encryption-key"),
    (&["--shards", "on-demand"], "shards"),
    (&["--warm-throughput-mibps", "10"], "warm-throughput-mibps"),
    (&["--distribution", "auto"], "distribution"),
    (&["--managed-policy"], "managed-policy"),
    (&["--managed-policy=false"], "managed-policy"),
    (&["--retention-days", "7"], "retention-days"),
    (&["--retention-days", "0"], "retention-days"),
    (&["--log-kms-key", "arn:aws:kms:us-east-1:000000000000:key/k"], "kms-key"),
    (&["--log-kms-key", "none"], "kms-key"),
    (&["--deletion-protection"], "deletion-protection"),
    (&["--deletion-protection=false"], "deletion-protection"),
    (&["--memory", "256"], "memory"),
    (&["--timeout", "60"], "timeout"),
    (&["--application-log-level", "DEBUG"], "application-log-level"),
    (&["--system-log-level", "WARN"], "system-log-level"),
    (&["--log-format", "text"], "log-format"),
    (&["--tracing", "Active"], "tracing"),
    (&["--env", "LOGGER_DATA=hash"], "environment.LOGGER_DATA"),
    (&["--reserved-concurrency", "5"], "reserved-concurrency"),
    (&["--reserved-concurrency", "none"], "reserved-concurrency"),
    (&["--enabled=false"], "enabled"),
    (&["--enabled"], "enabled"),
    (&["--batch-size", "7"], "batch-size"),
    (&["--batch-window", "1"], "batch-window"),
    (&["--parallelization-factor", "2"], "parallelization-factor"),
    (&["--parallelization-factor", "1"], "parallelization-factor"),
    (&["--retries", "3"], "retries"),
    (&["--max-record-age", "60"], "max-record-age"),
    (&["--bisect=false"], "bisect"),
    (&["--partial-responses=false"], "partial-responses"),
    (&["--on-failure", "arn:aws:sqs:us-east-1:000000000000:failed"], "on-failure"),
    (&["--on-failure", "none"], "on-failure"),
    (&["--mapping-filter", r#"{"data":{"level":["ERROR"]}}"#], "filters"),
    (&["--mapping-filter", "none"], "filters"),
    (&["--tumbling-window", "5"], "tumbling-window"),
    (&["--mapping-metrics"], "metrics"),
    (&["--mapping-metrics=false"], "metrics"),
    (&["--function-kms-key", "arn:aws:kms:us-east-1:000000000000:key/k"], "kms-key"),
    (&["--function-kms-key", "none"], "kms-key"),
    (&["--tag", "team=a"], "tags.team"),
];

/// The fields that a plan changes, without those that follow from others.
pub fn planned(run: &Run) -> Vec<String> {
    let plan = run.json().remove(0);
    let steps = plan["steps"].as_array().unwrap().clone();
    let fields = steps.iter().flat_map(|step| step["changes"].as_array().unwrap().clone());
    let fields = fields.map(|change| change["field"].as_str().unwrap().to_owned());
    let derived = ["live", "inline-policy", "retries", "max-record-age"];
    let mut fields: Vec<_> = fields.filter(|field| !derived.contains(&field.as_str())).collect();
    // A tag is set on every part.
    fields.dedup();
    fields
}
