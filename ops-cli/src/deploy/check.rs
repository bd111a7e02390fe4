//! Checks a version before it becomes live: invokes it with a sample event, and waits for the record's line.

use std::time::Duration;

use jiff::Timestamp;
use kinesis_event_logger_core::event::NewRecord;
use kinesis_event_logger_core::names::{Location, Names};
use kinesis_event_logger_core::settings::Settings;

use super::event::{self, BuiltEvent, EventRecord, SHARD};
use super::invocation::invoke;
use super::target::TargetFunction;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::show::lines::{self, Invocation};
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
    let key = logged_key(&function.settings);
    let token = uuid::Uuid::new_v4().simple().to_string();
    let data = format!("check of version {version} by ops-cli deploy {token}").into_bytes();
    let record = EventRecord { partition_key: key.clone(), data: data.clone() };
    let now = Timestamp::now();
    let now_us = u64::try_from(now.as_microsecond()).unwrap_or_default();
    let BuiltEvent { bytes, sequence_numbers } = event::build(names, location, &function.role_arn, &[record], now_us)?;
    let invocation = invoke(aws, names.function(), version, bytes).await?;
    if !invocation.has_succeeded() {
        return Err(Error::failed(invocation.failure())
            .hint(format!("`ops-cli invoke --version {version} DATA` shows its log")));
    }
    let shown: Vec<&str> = sequence_numbers.iter().map(String::as_str).chain([token.as_str()]).collect();
    let record = NewRecord {
        partition_key: Some(&key),
        sequence_number: &sequence_numbers[0],
        arrival_ms: now_us / 1000,
        data: &data,
    };
    if !shows_any(&function.settings, &record, &shown) {
        note("the function's settings hide the record, so only the answer was checked, not its line");
        return Ok(());
    }
    let filter = shown.iter().map(|text| format!("?\"{text}\""));
    await_line(aws, &function.log_group, filter.collect::<Vec<_>>().join(" "), now.as_millisecond()).await.map_err(
        |error| Error { hint: Some(format!("`ops-cli invoke --version {version} DATA` shows what it logs")), ..error },
    )
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

/// A partition key whose records the function logs, if there is one.
fn logged_key(settings: &Settings) -> String {
    let mut keys = (0..KEYS).map(|number| format!("ops-cli-deploy-{number}"));
    keys.find(|key| settings.sample.includes(key)).unwrap_or_else(|| "ops-cli-deploy".to_owned())
}

/// Whether a line that the function writes about the record contains one of the texts.
fn shows_any(settings: &Settings, record: &NewRecord<'_>, texts: &[&str]) -> bool {
    let invocation = Invocation { request_id: String::new(), time: 0 };
    let lines = lines::of_record(record, "", SHARD, settings, &invocation);
    lines.iter().any(|line| line.unwritten.is_none() && texts.iter().any(|text| line.text.contains(text)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use aws_sdk_lambda::types::{ApplicationLogLevel, LogFormat, LoggingConfig};

    use super::*;
    use crate::function::settings;

    fn settings_of(format: LogFormat, variables: &[(&str, &str)]) -> Settings {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let level = if format == LogFormat::Json { Some(ApplicationLogLevel::Trace) } else { None };
        let logging = LoggingConfig::builder().log_format(format).set_application_log_level(level).build();
        settings::read(&variables.collect::<HashMap<_, _>>(), Some(&logging)).unwrap()
    }

    #[test]
    fn the_key_is_one_that_the_function_logs() {
        assert_eq!(logged_key(&Settings::default()), "ops-cli-deploy-0");
        let settings = settings_of(LogFormat::Text, &[("LOGGER_SAMPLE", "0.01")]);
        assert!(settings.sample.includes(&logged_key(&settings)));
    }

    #[test]
    fn the_line_is_expected_only_if_the_settings_show_the_record() {
        let shows = |settings: &Settings| {
            let key = logged_key(settings);
            let record = NewRecord {
                partition_key: Some(&key),
                sequence_number: "495903",
                arrival_ms: 0,
                data: b"check of version 1 by ops-cli deploy 3f1c",
            };
            shows_any(settings, &record, &["495903", "3f1c"])
        };
        for (variables, expected) in [
            (&[][..], true),
            (&[("LOGGER_DATA", "none")], true),
            (&[("LOGGER_FIELDS", "data")], true),
            (&[("LOGGER_FIELDS", "data"), ("LOGGER_DATA", "hash")], false),
            (&[("LOGGER_FIELDS", "data"), ("LOGGER_REDACT", "/card/number")], false),
            (&[("LOGGER_FIELDS", "data"), ("LOGGER_MAX_DATA_BYTES", "10")], false),
            (&[("LOGGER_FIELDS", "shard"), ("LOGGER_DATA", "none")], false),
            (&[("LOGGER_FIELDS", "shard,sequenceNumber"), ("LOGGER_DATA", "none")], true),
            (&[("LOGGER_SAMPLE", "0")], false),
        ] {
            for format in [LogFormat::Json, LogFormat::Text] {
                assert_eq!(shows(&settings_of(format.clone(), variables)), expected, "{format} {variables:?}");
            }
        }
        let warn = LoggingConfig::builder().application_log_level(ApplicationLogLevel::Warn).build();
        assert!(!shows(&settings::read(&HashMap::new(), Some(&warn)).unwrap()));
    }
}
