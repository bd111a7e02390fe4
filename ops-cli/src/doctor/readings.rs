//! Reads everything that the checks need, with calls that change nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_kinesis::primitives::{Blob, DateTime};
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, Shard, ShardFilter, ShardFilterType, ShardIteratorType};
use aws_sdk_lambda::types::InvocationType;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};
use kinesis_event_logger_core::line;
use kinesis_event_logger_core::names::{Location, Names};

use crate::aws::Aws;
use crate::error::{Error, Result, is_missing};
use crate::function::release::{Alias, LIVE, Releases};
use crate::provision::observed::{self, LiveVersion, ObservedPart, live, observe_part};
use crate::provision::setting::Part;
use crate::tail::follow::Follower;
use crate::tail::platform::Platform;
use crate::tail::sweep::{Event, Reader};

/// The number of shards whose load is sampled.
const SAMPLED_SHARDS: usize = 20;
/// The time over which a shard's load is measured.
const LOAD_WINDOW: Duration = Duration::from_secs(60);
/// The time over which failed invocations are counted.
const FAILURE_WINDOW: Duration = Duration::from_secs(15 * 60);
/// Lines that report a failed invocation or a failed start, in text and in JSON.
const FAILURES: &str = r#"?"Status: error" ?"Status: timeout" ?"Task timed out after" ?"Error: Runtime " ?"\"status\":\"error\"" ?"\"status\":\"timeout\"" ?"\"status\":\"failure\"" ?"GLIBC_" ?"exec format error""#;

/// The values that the checks need. A value that could not be read is its error.
pub struct Readings {
    pub location: Result<Location>,
    /// The service's clock minus this machine's.
    pub clock_skew: Option<SignedDuration>,
    pub parts: BTreeMap<Part, Result<Option<ObservedPart>>>,
    /// The version behind the alias.
    pub live: Result<Option<LiveVersion>>,
    pub alias: Result<Option<Alias>>,
    /// The result of the mapping's last batch.
    pub last_result: Result<Option<String>>,
    /// Whether PutRecords would succeed; `None` if it was not tried, or if there is no stream.
    pub puts: Option<Result<()>>,
    /// Whether Invoke would succeed; `None` if there is no function.
    pub invocations: Option<Result<()>>,
    pub concurrency: Result<Concurrency>,
    pub shard_quota: Result<ShardQuota>,
    pub shards: Result<Vec<ShardLoad>>,
    pub failures: Result<Failures>,
}

/// The account's concurrent invocations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Concurrency {
    /// Those that no function has reserved.
    pub unreserved: i32,
}

/// The account's shards in the region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShardQuota {
    pub limit: i32,
    pub open: i32,
}

/// The load of an open shard; without values if it was not sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardLoad {
    pub shard_id: String,
    pub rates: Option<Rates>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    pub bytes_per_second: f64,
    pub records_per_second: f64,
}

/// The failures that the log contains.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Failures {
    pub count: u64,
    /// The last line.
    pub last: Option<String>,
    /// A line that says why the function's process could not start.
    pub cannot_start: Option<String>,
}

impl Readings {
    pub async fn read(aws: &Aws, names: &Names, is_local: bool) -> Self {
        let (location, clock_skew) = location(aws).await;
        let known = location.as_ref().ok();
        let part = async |part| match known {
            Some(location) => observe_part(aws, names, location, part).await,
            None => Ok(None),
        };
        let (stream, role, log_group, function, mapping) = tokio::join!(
            part(Part::Stream),
            part(Part::Role),
            part(Part::LogGroup),
            part(Part::Function),
            part(Part::Mapping)
        );
        let uuid = mapping.as_ref().ok().and_then(|it| it.as_ref()).map(|mapping| mapping.id.clone());
        let releases = Releases { aws, function: names.function() };
        let (live, alias) = tokio::join!(live(aws, names), releases.live());
        let qualifier = matches!(live, Ok(Some(_))).then_some(LIVE);
        // Another emulator may not know `DryRun`, and would write the record.
        let can_try = is_local || !aws.has_own_endpoint();
        let puts = async { if can_try { try_put(aws, names).await.transpose() } else { None } };
        let (last_result, puts, invocations, concurrency, shard_quota, shards, failures) = tokio::join!(
            observed::last_result(aws, uuid),
            puts,
            async { try_invocation(aws, names, qualifier).await.transpose() },
            concurrency(aws),
            shard_quota(aws),
            shard_loads(aws, names),
            failures(aws, names),
        );
        let parts = [
            (Part::Stream, stream),
            (Part::Role, role),
            (Part::LogGroup, log_group),
            (Part::Function, function),
            (Part::Mapping, mapping),
        ];
        Self {
            location,
            clock_skew,
            parts: parts.into(),
            live,
            alias,
            last_result,
            puts,
            invocations,
            concurrency,
            shard_quota,
            shards,
            failures,
        }
    }
}

/// Reads the account, and compares the clocks by the time of the answer, even if it is an error.
async fn location(aws: &Aws) -> (Result<Location>, Option<SignedDuration>) {
    let date = AnswerDate::default();
    let request = aws.sts().get_caller_identity();
    let answer = aws.call("get the account", || request.clone().customize().interceptor(date.clone()).send()).await;
    let account = answer.and_then(|answer| {
        answer.account.ok_or_else(|| Error::failed("STS did not return the account of the credentials"))
    });
    let location = account.map(|account_id| Location { region: aws.region.clone(), account_id });
    (location, date.skew())
}

/// Stores the difference between the time in an answer and this machine's clock.
#[derive(Debug, Default, Clone)]
struct AnswerDate(Arc<Mutex<Option<SignedDuration>>>);

impl AnswerDate {
    fn skew(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        let skew = date.map(|date| date.duration_since(Timestamp::now()));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = skew;
        Ok(())
    }
}

/// Asks Kinesis whether it would accept a record. Returns `None` if there is no stream.
async fn try_put(aws: &Aws, names: &Names) -> Result<Option<()>> {
    let entry = PutRecordsRequestEntry::builder().partition_key("doctor").data(Blob::new("doctor"));
    let entry = entry.build().map_err(|error| Error::failed(error.to_string()))?;
    match aws.kinesis().put_records().stream_name(names.stream()).records(entry).dry_run(true).send().await {
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) if error.code() != Some("DryRunOperationException") => {
            Err(Error::aws("put a record (dry run)", error))
        }
        _ => Ok(Some(())),
    }
}

/// Asks Lambda whether it would invoke the function. Returns `None` if there is no function.
async fn try_invocation(aws: &Aws, names: &Names, qualifier: Option<&str>) -> Result<Option<()>> {
    let request = aws.lambda().invoke().function_name(names.function()).invocation_type(InvocationType::DryRun);
    let request = request.set_qualifier(qualifier.map(str::to_owned));
    aws.find("invoke the function (dry run)", || request.clone().send()).await.map(|answer| answer.map(drop))
}

async fn concurrency(aws: &Aws) -> Result<Concurrency> {
    let request = aws.lambda().get_account_settings();
    let answer = aws.call("read the account's limits in Lambda", || request.clone().send()).await?;
    let unreserved = answer.account_limit.and_then(|limit| limit.unreserved_concurrent_executions);
    let unreserved = unreserved.ok_or_else(|| Error::failed("Lambda did not return the account's concurrency"))?;
    Ok(Concurrency { unreserved })
}

async fn shard_quota(aws: &Aws) -> Result<ShardQuota> {
    let request = aws.kinesis().describe_limits();
    let answer = aws.call("read the account's limits in Kinesis", || request.clone().send()).await?;
    Ok(ShardQuota { limit: answer.shard_limit, open: answer.open_shard_count })
}

/// The open shards, and the load of the first of them.
async fn shard_loads(aws: &Aws, names: &Names) -> Result<Vec<ShardLoad>> {
    let kinesis = aws.kinesis();
    let open = ShardFilter::builder().r#type(ShardFilterType::AtLatest).build();
    let open = open.map_err(|error| Error::failed(error.to_string()))?;
    let mut shards: Vec<Shard> = Vec::new();
    let mut request = kinesis.list_shards().stream_name(names.stream()).shard_filter(open);
    while let Some(page) = aws.find("list the stream's shards", || request.clone().send()).await? {
        shards.extend(page.shards.unwrap_or_default());
        match page.next_token {
            Some(token) => request = kinesis.list_shards().next_token(token),
            None => break,
        }
    }
    let mut loads = Vec::with_capacity(shards.len());
    for (index, Shard { shard_id, .. }) in shards.into_iter().enumerate() {
        let rates = if index < SAMPLED_SHARDS { Some(rates(aws, names, &shard_id).await?) } else { None };
        loads.push(ShardLoad { shard_id, rates });
    }
    Ok(loads)
}

/// Measures the records of the last minute, or of the part of it that one answer contains.
async fn rates(aws: &Aws, names: &Names, shard_id: &str) -> Result<Rates> {
    let doing = || format!("read {shard_id}");
    let kinesis = aws.kinesis();
    let start = Timestamp::now() - LOAD_WINDOW;
    let request = kinesis.get_shard_iterator().stream_name(names.stream()).shard_id(shard_id);
    let request = request.shard_iterator_type(ShardIteratorType::AtTimestamp);
    let request = request.timestamp(DateTime::from_millis(start.as_millisecond()));
    let iterator = aws.call(doing(), || request.clone().send()).await?.shard_iterator;
    let request = kinesis.get_records().set_shard_iterator(iterator);
    let page = aws.call(doing(), || request.clone().send()).await?;
    let is_whole = page.millis_behind_latest.is_none_or(|behind| behind == 0);
    let last = page.records.last().and_then(|record| record.approximate_arrival_timestamp);
    let seconds = match last {
        Some(last) if !is_whole => last.as_secs_f64() - start.as_millisecond() as f64 / 1e3,
        _ => LOAD_WINDOW.as_secs_f64(),
    };
    let key_bytes = |key: &Option<String>| key.as_ref().map_or(0, String::len);
    let bytes = page.records.iter().map(|it| it.data.as_ref().len() + key_bytes(&it.partition_key)).sum::<usize>();
    let seconds = seconds.max(1.0);
    Ok(Rates { bytes_per_second: bytes as f64 / seconds, records_per_second: page.records.len() as f64 / seconds })
}

async fn failures(aws: &Aws, names: &Names) -> Result<Failures> {
    let reader = Reader::new(aws, names.log_group(), Some(FAILURES.to_owned()));
    let start = Timestamp::now() - FAILURE_WINDOW;
    let mut follower = Follower::new(start.as_millisecond());
    let mut failures = Failures::default();
    let take = |events: &[Event]| {
        events.iter().for_each(|event| failures.add(&event.message));
        Ok(())
    };
    reader.sweep(&mut follower, Timestamp::now().as_millisecond(), take).await?;
    Ok(failures)
}

impl Failures {
    /// Counts a line, unless it is a record's.
    fn add(&mut self, message: &str) {
        let has_failed = match Platform::parse(message) {
            Some(Platform::Report(report)) => report.has_failed(),
            Some(Platform::Fault) => true,
            Some(Platform::Routine) => false,
            None => {
                if line::parse(message).is_err() && is_start_failure(message) {
                    self.cannot_start = Some(message.trim_end().to_owned());
                }
                false
            }
        };
        if has_failed {
            self.count += 1;
            self.last = Some(message.trim_end().to_owned());
        }
    }
}

/// Whether the loader or the kernel rejected the function's executable.
fn is_start_failure(message: &str) -> bool {
    (message.contains("GLIBC_") && message.contains("not found")) || message.contains("exec format error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_platform_and_the_loader_are_failures() {
        let mut failures = Failures::default();
        failures.add("REPORT RequestId: 1\tDuration: 1.00 ms\tStatus: timeout");
        failures.add(r#"2026-11-29T01:00:00.000Z INFO 8476 stream=s shard=- seq=1 key="k" arrival=- lagMs=- data="GLIBC_2.38 not found""#);
        failures.add("REPORT RequestId: 1\tDuration: 1.00 ms");
        assert_eq!((failures.count, &failures.cannot_start), (1, &None));
        let loader =
            "/var/task/bootstrap: /lib64/libc.so.6: version `GLIBC_2.38' not found (required by /var/task/bootstrap)";
        failures.add(loader);
        assert_eq!(failures.cannot_start.as_deref(), Some(loader));
    }
}
