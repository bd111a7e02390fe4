//! `publish`: put records on the stream.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kinesis_event_logger_core::limits;

use super::local::interrupted;
use crate::aws::{self, Aws};
use crate::cli::{Format, Global, Publish};
use crate::error::{Error, Kind, Result};
use crate::output::{Output, Render};
use crate::progress::note;
use crate::provision::observed::stream_summary;
use crate::publish::compress::Compressor;
use crate::publish::dry_run::plan;
use crate::publish::keys::Keys;
use crate::publish::ledger::Ledger;
use crate::publish::pack::{AGGREGATE_BYTES, AGGREGATE_KEY, Packing};
use crate::publish::progress::Progress;
use crate::publish::read_ahead;
use crate::publish::receipts::{Acknowledged, InOrder, Receipts};
use crate::publish::record::Place;
use crate::publish::records::{Form, Records};
use crate::publish::send::{Options, Run};
use crate::publish::shards::ShardMap;
use crate::publish::source::Source;
use crate::publish::summary::Summary;

pub async fn run(global: &Global, args: &Publish, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let keys = Keys::new(args)?;
    let compressor = args.compress.map(Compressor::new).transpose();
    let compressor = compressor.map_err(|error| Error::failed(format!("could not begin to compress: {error}")))?;
    check_files(args)?;
    let source = Source::open(args)?;
    let skip = args.resume.as_deref().map(Acknowledged::read).transpose()?.unwrap_or_default();
    let aws = Aws::connect(global).await?.with_patience(Some(Duration::from_secs(args.deadline)));
    let (client, stream) = (aws.kinesis(), names.stream());
    let max_bytes = record_limit(&aws, stream).await?;
    let shards = ShardMap::fetch(&client, stream, &aws.retry).await?;

    let input_names = source.names.clone();
    let has_file = args.receipts.is_some() || args.resume.is_some();
    let mut progress = Progress::new(
        args.quiet || args.data.is_some(),
        !has_file && !args.quiet,
        source.read_bytes.clone(),
        source.total_bytes,
    );
    let records = Records::of(source, Form::of(args), keys, compressor, max_bytes);
    if args.dry_run {
        return output.show(&plan(records, &input_names, shards, packing(args.ordered, args.aggregate, max_bytes)));
    }
    let resumed_to = skip.end();
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
    if error.is_none() && resumed_to > summary.read + summary.skipped {
        return Err(Error::usage(format!(
            "the receipts are of an input of {resumed_to} records at least, and this one has {}",
            summary.read + summary.skipped
        ))
        .hint("--resume goes on with the same input, from its beginning"));
    }
    ended(args, error, &summary, first_unread, &input_names)
}

const STDIN: &str = "/dev/stdin";

/// What is written is neither read nor written twice: dead letters that are read as input have no end.
fn check_files(args: &Publish) -> Result<()> {
    let is_stdin = |path: &Path| path == Path::new("-");
    let reads_stdin = args.data.is_none() && args.file.is_empty();
    let files = args.file.iter().map(|path| if is_stdin(path) { Path::new(STDIN) } else { path });
    let mut taken: Vec<_> = files.chain(reads_stdin.then_some(Path::new(STDIN))).filter_map(regular).collect();
    for path in [&args.receipts, &args.resume, &args.dead_letter].into_iter().flatten() {
        if is_stdin(path) {
            return Err(Error::usage("receipts and dead letters go to files, and `-` is none")
                .hint("receipts go to stdout without --receipts; /dev/stdout and /dev/stderr are files"));
        }
        let Some(file) = regular(path) else { continue };
        if taken.contains(&file) {
            return Err(Error::usage(format!("{} is given twice, and would be written to", path.display()))
                .hint("input, receipts and dead letters are a file each"));
        }
        taken.push(file);
    }
    Ok(())
}

/// The file that a path leads to, or will; none for a terminal, a pipe and the like.
fn regular(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return real.is_file().then_some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
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
    match error {
        Some(error) => {
            let file = args.receipts.as_ref().or(args.resume.as_ref()).map(|file| file.display());
            let way_on = match (error.kind, file) {
                (Kind::Usage, Some(file)) => Some(format!("then go on with --resume {file}")),
                (Kind::Usage, None) => None,
                (_, Some(file)) => Some(format!("go on with the same input and --resume {file}")),
                (_, None) => Some("with --receipts FILE a later run could go on with --resume".to_owned()),
            };
            let done = (error.kind != Kind::Usage).then(|| done(summary, first_unread, names));
            let hint: Vec<_> = [error.hint, done, way_on].into_iter().flatten().collect();
            Err(Error { hint: (!hint.is_empty()).then(|| hint.join("; ")), ..error })
        }
        None if summary.dead_lettered > 0 => Err(not_published(args, summary)),
        None => Ok(()),
    }
}

/// How far a run came that ended early.
fn done(summary: &Summary, first_unread: Option<Place>, names: &[String]) -> String {
    let done = match first_unread {
        Some(place) if place.offset == 0 => return "nothing of the input was published".to_owned(),
        Some(place) => {
            let (offset, place) = (place.offset, place.of(names));
            format!("everything before record {offset} of the input (counted from 0, near {place}) is done")
        }
        None => "all of the input is done".to_owned(),
    };
    if summary.dead_lettered > 0 { done + ", but for the dead-lettered" } else { done }
}

fn not_published(args: &Publish, summary: &Summary) -> Error {
    let what = format!("{} of {} records were not published", summary.dead_lettered, summary.read);
    Error::failed(what).hint(match &args.dead_letter {
        Some(path) => format!("{} has each of them, and why", path.display()),
        None => {
            "give --dead-letter FILE to keep them; more shards take more, and --deadline sets how long to try".into()
        }
    })
}
