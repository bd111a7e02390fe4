//! `verify`: whether everything that was published came out as a log line, how late, and what is missing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::local::interrupted;
use super::publish::{packing, record_limit};
use crate::aws::{self, Aws};
use crate::cli::{Global, Verify};
use crate::error::{Error, Result};
use crate::output::{Output, counted};
use crate::progress::Step;
use crate::publish::keys::Keys;
use crate::publish::ledger::Ledger;
use crate::publish::progress::Progress;
use crate::publish::read_ahead;
use crate::publish::receipts::{self, Acknowledged, Receipt, Receipts};
use crate::publish::records::{Form, Records};
use crate::publish::send::{Options, Run};
use crate::publish::shards::ShardMap;
use crate::publish::source::Source;
use crate::tail::follow::Follower;
use crate::tail::sweep::{Event, Reader};
use crate::verify::line;
use crate::verify::report::Check;

/// How much earlier than the first put the log is read: clocks differ.
const CLOCK_SLACK_MS: i64 = 60_000;
const PAUSE: Duration = Duration::from_millis(200);

/// What is looked for.
struct Published {
    receipts: Vec<Receipt>,
    not_published: u64,
    /// In each record's data, where we published them.
    run_id: Option<String>,
}

pub async fn run(global: &Global, args: &Verify, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let timeout = duration("--timeout", &args.timeout)?;
    let settle = duration("--settle", &args.settle)?;
    let kept = args.receipts.as_deref().map(|path| {
        let mut kept = Vec::new();
        receipts::read(path, |receipt| kept.push(receipt)).map(|()| kept)
    });
    let kept = kept.transpose()?;
    let aws = Aws::connect(global).await?;
    let published = match kept {
        Some(receipts) => Published { receipts, not_published: 0, run_id: None },
        None => publish(&aws, names.stream(), args).await?,
    };
    if published.receipts.is_empty() && published.not_published == 0 {
        return Err(Error::usage("there is nothing to verify: the file has no receipts"));
    }
    let since = published.receipts.iter().map(|receipt| receipt.time).min().unwrap_or_default() - CLOCK_SLACK_MS;
    let reader = Reader {
        client: aws.logs(),
        log_group: names.log_group().to_owned(),
        filter: published.run_id.as_ref().map(|id| format!("\"{id}\"")),
    };
    let mut check = Check::new(published.receipts, published.run_id.is_some());
    let is_interrupted = tokio::select! {
        followed = follow(&reader, &mut check, since, timeout, settle) => followed.map(|()| false)?,
        () = interrupted() => true,
    };
    let report = check.report(published.run_id, published.not_published);
    output.show(&report)?;
    if is_interrupted {
        return Err(Error::interrupted().hint("the report is of what had been found by then"));
    }
    if report.is_whole() {
        return Ok(());
    }
    let hint =
        "`ops-cli status` shows the mapping's last result, `ops-cli tail` the function's log; --timeout waits longer";
    Err(Error::failed(format!(
        "{} without a log line, {} not published",
        counted(report.missing_count as u64, "record"),
        published.not_published
    ))
    .hint(hint))
}

/// Publishes marked records, and keeps their receipts.
async fn publish(aws: &Aws, stream: &str, args: &Verify) -> Result<Published> {
    let run_id = uuid::Uuid::new_v4().simple().to_string();
    let client = aws.kinesis();
    let max_bytes = record_limit(aws, stream).await?;
    let shards = ShardMap::fetch(&client, stream).await?;
    let source = Source::of_bytes("the marked records", marked(&run_id, args.count));
    let ledger = Ledger::new(Receipts::Kept(Vec::new()), None, source.names.clone())?;
    let records = Records::of(source, Form::Entries, Keys::random(), None, max_bytes);
    let options = Options {
        deadline: Duration::from_secs(60),
        // Else an entry that is refused and sent again would look like one that was logged out of order.
        packing: packing(true, args.aggregate, max_bytes),
        strict: true,
        rate: args.rate,
        rate_bytes: None,
    };
    let step = Step::begin(format!("publish {} marked records", args.count));
    let mut progress = Progress::silent();
    let mut run = Run::new(&client, stream, shards, options, ledger);
    run.drive(read_ahead::start(records, Acknowledged::default()), interrupted, &mut progress).await?;
    if let Some(error) = run.take_error() {
        return Err(error);
    }
    let took = run.elapsed();
    let (summary, receipts) = run.ledger.close(took)?;
    step.done();
    let Receipts::Kept(receipts) = receipts else { return Err(Error::failed("the receipts were not kept")) };
    Ok(Published { receipts, not_published: summary.dead_lettered, run_id: Some(run_id) })
}

/// Entries of PutRecords with the run's id in each, about 20 of a key.
fn marked(run_id: &str, count: u64) -> Vec<u8> {
    let keys = (count / 20).clamp(1, 1000);
    let line = |n: u64| {
        let data = base64_simd::STANDARD.encode_to_string(format!("{{\"verify\":\"{run_id}\",\"n\":{n}}}"));
        format!("{{\"PartitionKey\":\"verify-{}\",\"Data\":\"{data}\"}}\n", n % keys)
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

/// Reads the log until every record is there and has been for a while (`settle`), or until nothing more may be waited for.
async fn follow(reader: &Reader, check: &mut Check, since: i64, timeout: Duration, settle: Duration) -> Result<()> {
    let step = Step::begin(format!("find {} log lines", check.missing()));
    let mut follower = Follower::new(since);
    let begun = Instant::now();
    let mut found = None;
    loop {
        let take = |events: &[Event]| {
            for event in events {
                if let Some(logged) = line::parse(event.message.trim_end()) {
                    check.logged(logged, event.timestamp, event.ingestion_time);
                }
            }
            Ok(())
        };
        reader.sweep(&mut follower, Timestamp::now().as_millisecond(), take).await?;
        if check.missing() == 0 {
            // A batch that failed after its lines were written comes again, and that takes a moment.
            if found.get_or_insert_with(Instant::now).elapsed() >= settle {
                step.done();
                return Ok(());
            }
        } else if begun.elapsed() + PAUSE > timeout {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// `60s`, `5m`, or seconds.
fn duration(option: &str, text: &str) -> Result<Duration> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => text.parse::<SignedDuration>().ok().and_then(|duration| duration.try_into().ok()),
    };
    parsed.ok_or_else(|| Error::usage(format!("{option} {text} is not a duration")).hint("it looks like 60s or 5m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_duration_or_seconds() {
        assert_eq!(duration("--timeout", "60s").unwrap(), Duration::from_secs(60));
        assert_eq!(duration("--timeout", "5m").unwrap(), Duration::from_secs(300));
        assert_eq!(duration("--timeout", "7").unwrap(), Duration::from_secs(7));
        assert!(duration("--timeout", "-1s").is_err() && duration("--timeout", "soon").is_err());
    }
}
