//! `verify`: check that every published record has its log line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Output, counted};
use crate::progress::{ProgressStep, note};
use crate::publish::accounting::progress::Progress;
use crate::publish::accounting::receipts::{self, AcknowledgedOffsets, Receipt, Receipts};
use crate::publish::input::keys::Keys;
use crate::publish::input::reader::{Form, RecordReader};
use crate::publish::input::source::Source;
use crate::publish::scheduling::batch::Packing;
use crate::publish::sending::run::SendOptions;
use crate::publish::{self, RunReport};
use crate::signals::interrupted;
use crate::tail::follow::Follower;
use crate::tail::sweep::{Event, Reader, SweepEnd};
use crate::verify::line;
use crate::verify::report::{Report, Verification};
use crate::verify::survey::{LogContents, LogSurvey};
use crate::{stream, time, values};

const TASK: &str = "\
Publishes marked records, reads the function's log until each has its line, and reports missing, repeated and out-of-order \
records and the time from stream to log. The exit code is 1 if a record is missing. While a service throttles or cannot be reached, \
verify retries until --timeout, and always reports on what it published.";

const EXAMPLES: &str = "\
Examples:
  ops-cli verify
  ops-cli verify --count 10000 --rate 500 --timeout 5m
  ops-cli --output json verify --count 100

Checking what an earlier run published:
  ops-cli publish --file events.ndjson --receipts receipts.ndjson
  ops-cli verify --receipts receipts.ndjson";

/// Publish test records, and check that each has its log line
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Verify {
    /// Number of records to publish
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = values::number(1..=1_000_000_u64))]
    pub count: u64,
    /// Maximum number of records published per second
    #[arg(long, value_name = "N", value_parser = values::positive)]
    pub rate: Option<f64>,
    /// How long to wait for missing lines after the last record was published
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub timeout: String,
    /// How long to continue reading after the last line was found, to count repeated lines
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub settle: String,
    /// Publish aggregated records, in the format of the KPL
    #[arg(long)]
    pub aggregate: bool,
    /// Publish nothing, and check the records of an earlier `publish --receipts FILE`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "rate", "aggregate"])]
    pub receipts: Option<PathBuf>,
}

/// How long before the first record was published the log is read, because clocks differ.
const CLOCK_SLACK_MS: i64 = 60_000;
const PAUSE: Duration = Duration::from_millis(200);

/// The time limit for publishing a record, and for the calls before it.
const PUBLISH_DEADLINE: Duration = Duration::from_secs(60);
/// The time limit for reading the log if no record was found in it.
const SURVEY_DEADLINE: Duration = Duration::from_secs(10);
const SURVEY_RETRY_DEADLINE: Duration = Duration::from_secs(2);

/// The records that should be in the log.
struct PublishedRecords {
    receipts: Vec<Receipt>,
    not_published: u64,
    /// The error that ended publishing early, if any.
    error: Option<Error>,
    /// The identifier in each record's data, if this run published the records.
    run_id: Option<String>,
}

pub async fn run(global: &Global, args: &Verify, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let timeout = time::duration("--timeout", &args.timeout)?;
    let settle = time::duration("--settle", &args.settle)?;
    let kept = args.receipts.as_deref().map(|path| {
        let mut kept = Vec::new();
        receipts::read(path, |receipt| kept.push(receipt)).map(|()| kept)
    });
    let kept = kept.transpose()?;
    let aws = Aws::connect(global).await?;
    let published = match kept {
        Some(receipts) => PublishedRecords { receipts, not_published: 0, run_id: None, error: None },
        None => publish_marked(&aws.clone().with_retry_deadline(Some(timeout)), names.stream(), args).await?,
    };
    let Some(first) = published.receipts.iter().map(|receipt| receipt.time).min() else {
        return Err(nothing_published(published.not_published, published.error));
    };
    let since = (first - CLOCK_SLACK_MS).max(0);
    // From here on, every failure is followed by the report.
    let aws = aws.with_retry_deadline(None);
    let filter = published.run_id.as_ref().map(|id| format!("\"{id}\""));
    let reader = Reader::new(&aws, names.log_group(), filter);
    let mut verification = Verification::new(published.receipts, published.run_id.is_some());
    let followed = tokio::select! {
        followed = follow(&reader, &mut verification, since, timeout, settle) => followed,
        () = interrupted() => Err(Error::interrupted().hint("the report covers the lines that were found so far")),
    };
    let mut report = verification.report(published.run_id, published.not_published);
    let unread = aws.retry.trouble();
    if followed.is_ok() && unread.is_none() && report.has_no_line() && report.log.is_none() {
        report.log = survey(&aws, names.log_group(), since).await;
    }
    output.show(&report)?;
    match (followed, published.error) {
        (Err(error), _) | (Ok(()), Some(error)) => Err(error),
        (Ok(()), None) if report.is_whole() => Ok(()),
        (Ok(()), None) => Err(not_whole(&report, unread)),
    }
}

/// There is no line to look for.
fn nothing_published(not_published: u64, error: Option<Error>) -> Error {
    match error {
        Some(error) if not_published == 0 => error,
        None if not_published == 0 => Error::usage("there is nothing to verify, because the file contains no receipts"),
        Some(error) => {
            let message = format!("nothing was published: {}; {not_published} not published", error.message);
            Error { message, ..error }
        }
        None => Error::failed(format!("nothing was published: {not_published} not published"))
            .hint("the notices above have the reasons; `ops-cli status` shows the state of the stream"),
    }
}

fn not_whole(report: &Report, unread: Option<String>) -> Error {
    let (missing, not_published) = (counted(report.missing_count as u64, "record"), report.not_published);
    let mut message = format!("{missing} without a log line, {not_published} not published");
    let mut hint = "`ops-cli status` shows the result of the mapping's last batch, `ops-cli tail` the function's log; --timeout sets how long to wait";
    if let Some(trouble) = unread {
        message += &format!("; when --timeout passed, verify {trouble}");
    }
    if let Some(LogContents::OtherLines { .. }) = report.log {
        message += "; the lines in the log are not the logger's";
        hint = "check that --function names a function that `ops-cli provision` created, and --log-group its log group; \
                with LOGGER_FIELDS=data its lines have no sequence numbers, and verify cannot match them";
    }
    if let Some(LogContents::Unidentified { .. }) = report.log {
        message = "cannot tell whether every record was logged, because the lines have no sequence numbers".to_owned();
        hint = "set the function's LOGGER_FIELDS to full or compact, or to a list with v and sequenceNumber, and run verify again";
    }
    Error::failed(message).hint(hint)
}

/// Describes a log in which no record was found. Reads it only briefly, because the report waits for it.
async fn survey(aws: &Aws, log_group: &str, since: i64) -> Option<LogContents> {
    let reader = Reader::new(&aws.clone().with_retry_deadline(Some(SURVEY_RETRY_DEADLINE)), log_group, None);
    let mut seen = LogSurvey::default();
    let take = |events: &[Event]| {
        events.iter().for_each(|event| seen.count(&event.message));
        Ok(())
    };
    let mut follower = Follower::new(since);
    let swept = reader.sweep(&mut follower, Timestamp::now().as_millisecond(), take);
    match tokio::time::timeout(SURVEY_DEADLINE, swept).await {
        Ok(Ok(SweepEnd::NoGroup)) => Some(LogContents::NoGroup { log_group: log_group.to_owned() }),
        Ok(Ok(SweepEnd::Whole)) => Some(seen.contents()),
        // The lines that were read before a failure are enough for a description, but no lines are not.
        _ => Some(seen.contents()).filter(|survey| *survey != LogContents::NoLines),
    }
}

/// Publishes marked records, and returns their receipts.
async fn publish_marked(aws: &Aws, stream_name: &str, args: &Verify) -> Result<PublishedRecords> {
    let run_id = uuid::Uuid::new_v4().simple().to_string();
    let max_bytes = stream::record_limit(aws, stream_name).await?;
    let source = Source::of_bytes("the marked records", marked(&run_id, args.count));
    let names = source.names.clone();
    let records = RecordReader::of(source, Form::Entries, Keys::random(), None, max_bytes);
    let send = SendOptions {
        deadline: PUBLISH_DEADLINE,
        // Otherwise a rejected entry that is sent again would count as out of order.
        packing: Packing::new(true, args.aggregate, max_bytes),
        strict: true,
        rate: args.rate,
        rate_bytes: None,
    };
    let step = ProgressStep::begin(format!("publish {} marked records", args.count));
    let input = publish::Input { records, names, skip: AcknowledgedOffsets::default(), replay: None };
    let receipts = Receipts::Kept(Vec::new());
    let options = publish::Options { send, receipts, dead_letters: None, progress: Progress::silent() };
    let RunReport { summary, receipts, error, .. } = publish::run(aws, stream_name, input, options).await?;
    if error.is_none() {
        step.done();
    }
    let Receipts::Kept(receipts) = receipts else { return Err(Error::failed("the receipts were not kept")) };
    Ok(PublishedRecords { receipts, not_published: summary.dead_lettered, run_id: Some(run_id), error })
}

/// Creates entries of PutRecords that contain the run's id, about 20 per key.
fn marked(run_id: &str, count: u64) -> Vec<u8> {
    let keys = (count / 20).clamp(1, 1000);
    let line = |n: u64| {
        let data = base64_simd::STANDARD.encode_to_string(format!("{{\"verify\":\"{run_id}\",\"n\":{n}}}"));
        format!("{{\"PartitionKey\":\"verify-{}\",\"Data\":\"{data}\"}}\n", n % keys)
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

/// Reads the log until `settle` has passed since the last record was found, or until `timeout` has passed.
async fn follow(
    reader: &Reader,
    verification: &mut Verification,
    since: i64,
    timeout: Duration,
    settle: Duration,
) -> Result<()> {
    let step = ProgressStep::begin(format!("find {} log lines", verification.missing()));
    let mut follower = Follower::new(since);
    let ends = Instant::now() + timeout;
    let mut found = None;
    let mut is_announced = false;
    loop {
        let take = |events: &[Event]| {
            for event in events {
                match line::parse(event.message.trim_end(), event.timestamp) {
                    Some(logged) => verification.logged(logged, event.timestamp, event.ingestion_time),
                    // The filter finds lines with the run's identifier only.
                    None if reader.query().filter.is_some() => verification.unidentified(),
                    None => {}
                }
            }
            Ok(())
        };
        // Once every record is found, only `settle` remains.
        let until = found.map_or(ends, |found: Instant| found + settle);
        let Ok(swept) = timeout_at(until, reader.sweep(&mut follower, Timestamp::now().as_millisecond(), take)).await
        else {
            return Ok(());
        };
        if swept? == SweepEnd::NoGroup && !std::mem::replace(&mut is_announced, true) {
            note(&format!("the log group {} does not exist yet; waiting for it", reader.log_group()));
        }
        if verification.cannot_tell() {
            return Ok(());
        }
        if verification.missing() == 0 {
            // A batch that failed after its lines were written is retried after a pause.
            if found.get_or_insert_with(Instant::now).elapsed() >= settle {
                step.done();
                return Ok(());
            }
        } else if Instant::now() + PAUSE > ends {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_could_publish_nothing_says_why() {
        let refused = || Error::failed("nothing was acknowledged for 60 s: ThrottlingException: Rate exceeded");
        for (not_published, error, expected) in [
            (
                3,
                Some(refused()),
                "nothing was published: nothing was acknowledged for 60 s: ThrottlingException: Rate exceeded; 3 not published",
            ),
            (3, None, "nothing was published: 3 not published"),
            (0, Some(Error::interrupted()), "interrupted"),
            (0, None, "there is nothing to verify, because the file contains no receipts"),
        ] {
            assert_eq!(nothing_published(not_published, error).message, expected);
        }
    }
}
