//! `publish`: put records on the stream.

use std::io::{self, Write};
use std::time::Duration;

use kinesis_event_logger_core::limits;
use serde::Serialize;

use super::local::interrupted;
use crate::aws::{self, Aws};
use crate::cli::{Format, Global, Publish};
use crate::error::{Error, Kind, Result};
use crate::output::{Output, Render};
use crate::progress::note;
use crate::provision::observed::stream_summary;
use crate::publish::compress::Compressor;
use crate::publish::keys::Keys;
use crate::publish::ledger::{Ledger, Summary};
use crate::publish::pace::Rate;
use crate::publish::pack::{AGGREGATE_BYTES, AGGREGATE_KEY, Packing, Request};
use crate::publish::progress::Progress;
use crate::publish::queue::{Next, Queue};
use crate::publish::read_ahead;
use crate::publish::receipts::{Acknowledged, InOrder, Receipts};
use crate::publish::record::Place;
use crate::publish::send::{Options, Run};
use crate::publish::shards::ShardMap;
use crate::publish::source::{Form, Records, Source};

pub async fn run(global: &Global, args: &Publish, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let keys = Keys::new(args)?;
    let compressor = args.compress.map(Compressor::new).transpose();
    let compressor = compressor.map_err(|error| Error::failed(format!("could not begin to compress: {error}")))?;
    let source = Source::open(args)?;
    let skip = args.resume.as_deref().map(Acknowledged::read).transpose()?.unwrap_or_default();
    let aws = Aws::connect(global).await?;
    let (client, stream) = (aws.kinesis(), names.stream());
    let max_bytes = record_limit(&aws, stream).await?;
    let shards = ShardMap::fetch(&client, stream).await?;

    let input_names = source.names.clone();
    let has_file = args.receipts.is_some() || args.resume.is_some();
    let mut progress = Progress::new(
        args.quiet || args.data.is_some(),
        !has_file && !args.quiet,
        source.read_bytes.clone(),
        source.total_bytes,
    );
    let records = source.records(Form::of(args), keys, compressor, max_bytes);
    if args.dry_run {
        return output.show(&plan(records, &input_names, shards, packing(args.ordered, args.aggregate, max_bytes)));
    }
    let ledger = Ledger::new(receipts(args, output)?, args.dead_letter.as_deref(), input_names)?;
    let mut run = Run::new(&client, stream, shards, options(args, max_bytes), ledger);
    let driven = run.drive(read_ahead::start(records, skip), interrupted, &mut progress).await;
    progress.finish();
    driven?;
    let error = run.take_error();
    let took = run.elapsed();
    let first_unread = run.ledger.first_unread;
    let input_names = run.ledger.names().to_vec();
    let (summary, _) = run.ledger.close(took)?;
    if error.is_none() && summary.read + summary.skipped == 0 {
        return Err(Error::usage("the input has no records")
            .hint("give the data as an argument, or one record a line on stdin or in --file"));
    }
    show(args, output, &summary, has_file)?;
    ended(args, error, &summary, first_unread, &input_names)
}

/// Bytes that one record of the stream may have, its key included.
pub async fn record_limit(aws: &Aws, stream: &str) -> Result<usize> {
    let summary = stream_summary(aws, stream).await?.ok_or_else(|| {
        Error::failed(format!("there is no stream {stream} in {}", aws.region))
            .hint("make it with `ops-cli provision --zip FILE`, or check --stream, --app, --stage and --region")
    })?;
    Ok(summary.max_record_size_in_kib.map_or(limits::RECORD_BYTES, |kib| kib as usize * 1024))
}

fn receipts(args: &Publish, output: Output) -> Result<Receipts> {
    match (&args.receipts, &args.resume) {
        (Some(path), _) => Receipts::to_file(path, false),
        (None, Some(path)) => Receipts::to_file(path, true),
        (None, None) if args.quiet => Ok(Receipts::Nowhere),
        (None, None) => Ok(Receipts::Stdout(InOrder::new(output))),
    }
}

/// How records become puts on a stream whose records have `max_bytes` at most.
pub fn packing(ordered: bool, aggregate: bool, max_bytes: usize) -> Packing {
    let aggregate_bytes = max_bytes.min(AGGREGATE_BYTES) - AGGREGATE_KEY.len();
    Packing { ordered, aggregate_bytes: aggregate.then_some(aggregate_bytes) }
}

fn options(args: &Publish, max_bytes: usize) -> Options {
    Options {
        deadline: Duration::from_secs(args.deadline),
        packing: packing(args.ordered, args.aggregate, max_bytes),
        // Without a file for them, going on would leave nothing of what could not be published.
        strict: args.strict || args.dead_letter.is_none(),
        rate: args.rate,
        rate_bytes: args.rate_bytes,
    }
}

/// The summary: data on stdout where the receipts are not, a notice on stderr else. One record needs none.
fn show(args: &Publish, output: Output, summary: &Summary, has_file: bool) -> Result<()> {
    let is_one = args.data.is_some() && summary.dead_lettered == 0;
    if args.quiet || (is_one && !has_file) {
        return Ok(());
    }
    if has_file && output.format == Format::Json {
        return output.show(summary);
    }
    let mut text = Vec::new();
    summary.text(&mut text)?;
    note(String::from_utf8_lossy(&text).trim_end());
    Ok(())
}

fn ended(
    args: &Publish,
    error: Option<Error>,
    summary: &Summary,
    first_unread: Option<Place>,
    names: &[String],
) -> Result<()> {
    if let Some(error) = error {
        let Some(place) = first_unread.filter(|_| error.kind != Kind::Usage) else { return Err(error) };
        let file = args.receipts.as_ref().or(args.resume.as_ref());
        let after = match (place.line, place.offset) {
            (_, 0) => "nothing of the input was published".to_owned(),
            _ => format!(
                "everything before record {} of the input (counted from 0, near {}) is done",
                place.offset,
                place.of(names)
            ),
        };
        return Err(match (file, error.hint.is_some()) {
            (Some(file), _) => Error { hint: None, ..error }
                .hint(format!("{after}; go on with the same input and --resume {}", file.display())),
            (None, false) => error.hint(format!("{after}; with --receipts FILE a later run could go on with --resume")),
            (None, true) => error,
        });
    }
    if summary.dead_lettered == 0 {
        return Ok(());
    }
    let what = format!("{} of {} records were not published", summary.dead_lettered, summary.read);
    Err(Error::failed(what).hint(match &args.dead_letter {
        Some(path) => format!("{} has each of them, and why", path.display()),
        None => {
            "give --dead-letter FILE to keep them; more shards take more, and --deadline sets how long to try".into()
        }
    }))
}

/// What would be sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan {
    records: u64,
    bytes: u64,
    requests: u64,
    /// Of all requests: one for each record, fewer with aggregates.
    entries: u64,
    input_errors: Vec<String>,
    shards: Vec<ShardPlan>,
}

#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
struct ShardPlan {
    shard_id: String,
    records: u64,
    bytes: u64,
}

impl Render for Plan {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(
            to,
            "would send {} records, {} bytes, in {} requests of {} entries",
            self.records, self.bytes, self.requests, self.entries
        )?;
        for ShardPlan { shard_id, records, bytes } in &self.shards {
            writeln!(to, "{shard_id}: {records} records, {bytes} bytes")?;
        }
        self.input_errors.iter().try_for_each(|error| writeln!(to, "would refuse {error}"))
    }
}

/// Packs the input as sending it would, with every request acknowledged at once.
fn plan(records: Records, names: &[String], shards: ShardMap, packing: Packing) -> Plan {
    let shard = |index| ShardPlan { shard_id: shards.id(index).to_owned(), records: 0, bytes: 0 };
    let mut plan = Plan {
        records: 0,
        bytes: 0,
        requests: 0,
        entries: 0,
        input_errors: Vec::new(),
        shards: (0..shards.len()).map(shard).collect(),
    };
    let mut queue = Queue::new(shards, packing, Rate::new(None, None, Duration::ZERO));
    let send = |queue: &mut Queue, plan: &mut Plan| {
        let Next::Send(Request { entries, puts }) = queue.next(Duration::ZERO) else { return false };
        plan.requests += 1;
        plan.entries += puts.len() as u64;
        for entry in &entries {
            let shard = &mut plan.shards[queue.shards().index_of(entry.record.hash_key)];
            let bytes = entry.record.size() as u64;
            (shard.records, shard.bytes) = (shard.records + 1, shard.bytes + bytes);
            (plan.records, plan.bytes) = (plan.records + 1, plan.bytes + bytes);
        }
        queue.settle(&entries, Vec::new(), Duration::ZERO);
        true
    };
    for item in records {
        match item {
            Ok(record) => queue.push(record),
            Err(rejected) => plan.input_errors.push(format!("{} {}", rejected.place.of(names), rejected.reason)),
        }
        while queue.has_a_full_request() && send(&mut queue, &mut plan) {}
    }
    while send(&mut queue, &mut plan) {}
    plan
}
