//! Checks a version before it becomes live: invokes it with a sample event, and waits for the record's line.

use std::time::Duration;

use jiff::Timestamp;
use kinesis_event_logger_core::names::{Location, Names};
use kinesis_event_logger_core::settings::Sample;

use super::event::{self, BuiltEvent, EventRecord};
use super::invocation::invoke;
use super::target::TargetFunction;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::tail::follow::Follower;
use crate::tail::sweep::{Event, Reader};
use crate::wait::{self, Poll};

/// How long the line may take to appear.
const LINE_DEADLINE: Duration = Duration::from_secs(60);
/// How many partition keys are tried to find one that the function logs.
const KEYS: u32 = 100_000;

/// Invokes a version with one record and waits for its line. Fails if the function fails, or if the line does not appear.
pub async fn check(
    aws: &Aws,
    names: &Names,
    location: &Location,
    function: &TargetFunction,
    version: &str,
) -> Result<()> {
    let key = logged_key(function);
    let token = uuid::Uuid::new_v4().simple().to_string();
    let record = EventRecord {
        partition_key: key.clone().unwrap_or_else(|| "ops-cli-deploy".to_owned()),
        data: format!("check of version {version} by ops-cli deploy {token}").into_bytes(),
    };
    let now = Timestamp::now();
    let now_us = u64::try_from(now.as_microsecond()).unwrap_or_default();
    let BuiltEvent { bytes, sequence_numbers } = event::build(names, location, &function.role_arn, &[record], now_us)?;
    let invocation = invoke(aws, names.function(), version, bytes).await?;
    if !invocation.has_succeeded() {
        return Err(Error::failed(invocation.failure())
            .hint(format!("`ops-cli invoke --version {version} DATA` shows its log")));
    }
    if key.is_none() {
        note("the function's settings hide the record's line, so only the answer was checked");
        return Ok(());
    }
    // The settings may hide the data, or everything else.
    let filter = sequence_numbers.iter().chain([&token]).map(|text| format!("?\"{text}\""));
    await_line(aws, &function.log_group, filter.collect::<Vec<_>>().join(" "), now.as_millisecond()).await
}

async fn await_line(aws: &Aws, log_group: &str, filter: String, since: i64) -> Result<()> {
    let reader = Reader::new(aws, log_group, Some(filter));
    // The clock of Lambda may be behind.
    let mut follower = Follower::new(since - 60_000);
    wait::until(&aws.retry, &format!("the record's line in {log_group}"), LINE_DEADLINE, async || {
        let mut has_line = false;
        let take = |events: &[Event]| {
            has_line |= !events.is_empty();
            Ok(())
        };
        reader.sweep(&mut follower, Timestamp::now().as_millisecond(), take).await?;
        Ok(if has_line { Poll::Ready(()) } else { Poll::Pending("missing".to_owned()) })
    })
    .await
}

/// A partition key whose records the function logs; `None` if it writes no lines of records.
fn logged_key(function: &TargetFunction) -> Option<String> {
    let hides_records = |level: &str| matches!(level, "WARN" | "ERROR" | "FATAL");
    if function.application_log_level.as_deref().is_some_and(hides_records) {
        return None;
    }
    let sample = function.variables.get("LOGGER_SAMPLE").and_then(|share| share.parse().ok()).unwrap_or(Sample::ALL);
    (0..KEYS).map(|number| format!("ops-cli-deploy-{number}")).find(|key| sample.includes(key))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use lambda_package::Architecture;

    use super::*;

    fn function(level: Option<&str>, sample: Option<&str>) -> TargetFunction {
        TargetFunction {
            is_ours: true,
            code_sha256: String::new(),
            architecture: Architecture::X86_64,
            role_arn: String::new(),
            log_group: String::new(),
            application_log_level: level.map(str::to_owned),
            variables: sample
                .map(|share| ("LOGGER_SAMPLE".to_owned(), share.to_owned()))
                .into_iter()
                .collect::<HashMap<_, _>>(),
        }
    }

    #[test]
    fn the_key_is_one_that_the_function_logs() {
        assert_eq!(logged_key(&function(None, None)).as_deref(), Some("ops-cli-deploy-0"));
        let sampled = logged_key(&function(Some("INFO"), Some("0.01"))).unwrap();
        assert!("0.01".parse::<Sample>().unwrap().includes(&sampled));
        assert_eq!(logged_key(&function(None, Some("0"))), None);
        assert_eq!(logged_key(&function(Some("WARN"), None)), None);
    }
}
