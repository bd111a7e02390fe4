//! `publish`: put records on the stream.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::aws::{self, Aws};
use crate::error::{Error, ErrorKind, Result};
use crate::global::Global;
use crate::output::{Format, Output, counted};
use crate::progress::note_outcome;
use crate::publish::accounting::progress::Progress;
use crate::publish::accounting::receipts::{AcknowledgedOffsets, InOrder, Receipts};
use crate::publish::accounting::summary::Summary;
use crate::publish::input::compress::Compressor;
use crate::publish::input::keys::{KeyOptions, Keys};
use crate::publish::input::reader::{Form, RecordReader};
use crate::publish::input::record::InputPosition;
use crate::publish::input::replay::{self, Replay};
use crate::publish::input::source::Source;
use crate::publish::scheduling::batch::Packing;
use crate::publish::scheduling::dry_run::plan;
use crate::publish::scheduling::shards::ShardMap;
use crate::publish::sending::run::SendOptions;
use crate::publish::{self, RunReport};
use crate::{stream, time, values};

const TASK: &str = "\
Publishes the argument as one record, or each line of stdin or --file as a record. Prints a receipt for each record, with its \
shard and sequence number, in the order of the input; --receipts and --quiet change this. The summary on stderr counts records: \
read = acknowledged + dead-lettered.";

const EXAMPLES: &str = "\
Examples:
  ops-cli publish 'Hello, Lambda CLI World'
  ops-cli publish --key user-42 '{\"event\":\"login\"}'
  ops-cli publish --file events.ndjson --key-field /user/id --ordered
  journalctl -o json -f | ops-cli publish

A large file, an interrupted run, and the records that failed:
  ops-cli publish --file big.ndjson --receipts receipts.ndjson --dead-letter dead.ndjson
  ops-cli publish --file big.ndjson --resume receipts.ndjson
  ops-cli publish --file dead.ndjson --entries

Delivery is at least once: a request whose answer was lost is sent again, and the receipts of its records have mayRepeat set. \
An input error, such as a line over the limit, ends the run unless --dead-letter is given. With --entries, invalid \
entries are reported and the others are sent. Text is UTF-8. A byte order mark and line ends (LF or CRLF) are not part of the data, \
except with --whole.";

/// Publish records to the stream
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Publish {
    /// Data of one record (default: reads records from stdin, one per line)
    #[arg(conflicts_with = "file")]
    pub data: Option<String>,
    /// File with one record per line; `-` is stdin. Can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub file: Vec<PathBuf>,
    /// Publish each input as one record
    #[arg(long, conflicts_with_all = ["base64", "entries"], help_heading = "Input")]
    pub whole: bool,
    /// Decode each line as base64
    #[arg(long, conflicts_with_all = ["data", "entries"], help_heading = "Input")]
    pub base64: bool,
    /// Read each line as an entry of PutRecords: {"PartitionKey":"k","Data":"base64"}, optionally with "ExplicitHashKey"
    #[arg(long, conflicts_with_all = ["data", "key", "key_field", "key_random", "hash_key"], help_heading = "Input")]
    pub entries: bool,

    /// Partition key of every record
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["key_field", "key_random"], help_heading = "Keys")]
    pub key: Option<String>,
    /// JSON pointer to the field with each record's partition key, for example /user/id
    #[arg(long, value_name = "POINTER", conflicts_with = "key_random", help_heading = "Keys")]
    pub key_field: Option<String>,
    /// Random partition key for each record, which distributes them over the shards (default)
    #[arg(long, help_heading = "Keys")]
    pub key_random: bool,
    /// Explicit hash key of every record, 0 to 2^128-1, which determines the shard instead of the partition key
    #[arg(long, value_name = "NUMBER", help_heading = "Keys")]
    pub hash_key: Option<String>,

    /// Keep the order of each partition key's records even when requests fail: at most one record of a key is in flight.
    /// Without it, the order holds as long as no request fails and no record is rejected
    #[arg(long, help_heading = "Sending")]
    pub ordered: bool,
    /// Aggregate records in the format of the KPL, which is cheaper and faster for small records. Consumers must
    /// deaggregate them, as the logger does. A record waits up to 100 ms for others
    #[arg(long, help_heading = "Sending")]
    pub aggregate: bool,
    /// Compress each record's data, which the logger decompresses
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Sending")]
    pub compress: Option<Compression>,
    /// Maximum number of records sent per second
    #[arg(long, value_name = "N", value_parser = values::positive, help_heading = "Sending")]
    pub rate: Option<f64>,
    /// Maximum number of bytes sent per second
    #[arg(long, value_name = "N", value_parser = values::positive, help_heading = "Sending")]
    pub rate_bytes: Option<f64>,
    /// Replay entries at the speed at which they arrived on their stream (ApproximateArrivalTimestamp): `recorded`, or a
    /// multiple such as 2x
    #[arg(long, value_name = "PACE", value_parser = replay::parse_speed, help_heading = "Sending")]
    pub pace: Option<f64>,
    /// Seconds for which a record is retried. Waiting for a shard that is at its limit does not count, unless the shard accepts
    /// nothing for that time
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = time::seconds::<u64>(1..=86_400), help_heading = "Sending")]
    pub deadline: u64,

    /// Write receipts as JSON lines to this file, instead of stdout
    #[arg(long, value_name = "FILE", help_heading = "Accounting")]
    pub receipts: Option<PathBuf>,
    /// Continue an interrupted run: skip the records with a receipt in this file, and append new receipts to it
    #[arg(long, value_name = "RECEIPTS", conflicts_with = "receipts", help_heading = "Accounting")]
    pub resume: Option<PathBuf>,
    /// Append records that could not be published to this file, with the reason, as JSON lines that --entries reads. The exit
    /// code is then 1
    #[arg(long, value_name = "FILE", help_heading = "Accounting")]
    pub dead_letter: Option<PathBuf>,
    /// Stop at the first input error, even with --dead-letter
    #[arg(long, help_heading = "Accounting")]
    pub strict: bool,
    /// Print errors only: no receipts, progress or summary
    #[arg(long, short, help_heading = "Accounting")]
    pub quiet: bool,
    /// Print how the input would be packed and to which shards it would go, and send nothing
    #[arg(long, conflicts_with_all = ["receipts", "resume"], help_heading = "Accounting")]
    pub dry_run: bool,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Compression {
    Gzip,
    Zstd,
}

impl Publish {
    /// Returns the form of the input that the options request.
    pub fn form(&self) -> Form {
        match self {
            _ if self.data.is_some() || self.whole => Form::Whole,
            _ if self.base64 => Form::Base64,
            _ if self.entries => Form::Entries,
            _ => Form::Lines,
        }
    }

    pub fn key_options(&self) -> KeyOptions<'_> {
        KeyOptions {
            key: self.key.as_deref(),
            field: self.key_field.as_deref(),
            hash_key: self.hash_key.as_deref(),
            is_aggregating: self.aggregate,
        }
    }
}

pub async fn run(global: &Global, args: &Publish, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let keys = Keys::new(args.key_options())?;
    let compressor = args.compress.map(Compressor::new).transpose();
    let compressor = compressor.map_err(|error| Error::failed(format!("could not begin to compress: {error}")))?;
    check_files(args)?;
    if args.pace.is_some() && !args.entries {
        return Err(Error::usage("--pace needs --entries").hint("only entries have the times at which they arrived"));
    }
    let source = Source::open(args.data.as_deref(), &args.file)?;
    let skip = args.resume.as_deref().map(AcknowledgedOffsets::read).transpose()?.unwrap_or_default();
    let aws = Aws::connect(global).await?.with_retry_deadline(Some(Duration::from_secs(args.deadline)));
    let stream_name = names.stream();
    let max_bytes = stream::record_limit(&aws, stream_name).await?;

    let input_names = source.names.clone();
    let has_file = args.receipts.is_some() || args.resume.is_some();
    let progress = Progress::new(
        args.quiet || args.data.is_some(),
        !has_file && !args.quiet,
        source.read_bytes.clone(),
        source.total_bytes,
    );
    let records = RecordReader::of(source, args.form(), keys, compressor, max_bytes).with_arrivals(args.pace.is_some());
    if args.dry_run {
        let shards = ShardMap::fetch(&aws.kinesis(), stream_name, &aws.retry).await?;
        return output.show(&plan(
            records,
            &input_names,
            shards,
            Packing::new(args.ordered, args.aggregate, max_bytes),
        ));
    }
    let resumed_to = skip.end();
    let input = publish::Input { records, names: input_names.clone(), skip, replay: args.pace.map(Replay::at) };
    let options = publish::Options {
        send: send_options(args, max_bytes),
        receipts: receipts(args, output)?,
        dead_letters: args.dead_letter.clone(),
        progress,
    };
    let RunReport { summary, error, first_unread, .. } = publish::run(&aws, stream_name, input, options).await?;
    if error.is_none() && summary.read + summary.skipped == 0 {
        return Err(Error::usage("the input has no records")
            .hint("give the data as an argument, or one record per line on stdin or in --file"));
    }
    show(args, output, &summary, has_file)?;
    if error.is_none() && resumed_to > summary.read + summary.skipped {
        return Err(Error::usage(format!(
            "the receipts are for an input of at least {resumed_to} records, and this one has {}",
            summary.read + summary.skipped
        ))
        .hint("--resume continues with the same input, from its beginning"));
    }
    ended(args, error, &summary, first_unread, &input_names)
}

const STDIN: &str = "/dev/stdin";

/// Rejects a file that is both read and written, or written twice. Reading its own dead letters, a run would never end.
fn check_files(args: &Publish) -> Result<()> {
    let is_stdin = |path: &Path| path == Path::new("-");
    let reads_stdin = args.data.is_none() && args.file.is_empty();
    let files = args.file.iter().map(|path| if is_stdin(path) { Path::new(STDIN) } else { path });
    let mut taken: Vec<_> = files.chain(reads_stdin.then_some(Path::new(STDIN))).filter_map(regular).collect();
    for path in [&args.receipts, &args.resume, &args.dead_letter].into_iter().flatten() {
        if is_stdin(path) {
            return Err(Error::usage("--receipts and --dead-letter need a file path; `-` is not supported")
                .hint("receipts go to stdout without --receipts; /dev/stdout and /dev/stderr are files"));
        }
        let Some(file) = regular(path) else { continue };
        if taken.contains(&file) {
            return Err(Error::usage(format!("{} is given twice, and would be written to", path.display()))
                .hint("use a separate file for each of input, receipts and dead letters"));
        }
        taken.push(file);
    }
    Ok(())
}

/// Returns the regular file at a path, existing or to be created; `None` for a terminal, a pipe or another special file.
fn regular(path: &Path) -> Option<PathBuf> {
    if let Ok(real) = path.canonicalize() {
        return real.is_file().then_some(real);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

fn receipts(args: &Publish, output: Output) -> Result<Receipts> {
    match (&args.receipts, &args.resume) {
        (Some(path), _) => Receipts::to_file(path, false),
        (None, Some(path)) => Receipts::to_file(path, true),
        (None, None) if args.quiet => Ok(Receipts::Nowhere),
        (None, None) => Ok(Receipts::Stdout(InOrder::new(output))),
    }
}

fn send_options(args: &Publish, max_bytes: usize) -> SendOptions {
    SendOptions {
        deadline: Duration::from_secs(args.deadline),
        packing: Packing::new(args.ordered, args.aggregate, max_bytes),
        // Without a dead-letter file, continuing would lose the records that fail. Entries are exempt: their file still has
        // them, and a dead letter that cannot be sent must not hold back the others.
        strict: args.strict || (args.dead_letter.is_none() && !args.entries),
        rate: args.rate,
        rate_bytes: args.rate_bytes,
    }
}

/// Prints the summary to stdout, or to stderr if stdout has the receipts. A single record has no summary.
fn show(args: &Publish, output: Output, summary: &Summary, has_file: bool) -> Result<()> {
    let is_one = args.data.is_some() && summary.dead_lettered == 0;
    if args.quiet || (is_one && !has_file) {
        return Ok(());
    }
    if has_file && output.format == Format::Json {
        return output.show(summary);
    }
    note_outcome(summary);
    Ok(())
}

fn ended(
    args: &Publish,
    error: Option<Error>,
    summary: &Summary,
    first_unread: Option<InputPosition>,
    names: &[String],
) -> Result<()> {
    match error {
        Some(error) => {
            let done = PublishedPart::of(summary, first_unread);
            let hint: Vec<_> = [error.hint, Some(done.text(&error.kind, names)), done.way_on(args, &error.kind)]
                .into_iter()
                .flatten()
                .collect();
            Err(Error { hint: Some(hint.join("; ")), ..error })
        }
        None if summary.dead_lettered > 0 => Err(not_published(args, summary)),
        None => Ok(()),
    }
}

/// How far a run came that ended early.
enum PublishedPart {
    Nothing,
    Before(InputPosition, HasDeadLetters),
    All(HasDeadLetters),
}

/// Whether records were abandoned.
type HasDeadLetters = bool;

impl PublishedPart {
    fn of(summary: &Summary, first_unread: Option<InputPosition>) -> Self {
        let has_dead = summary.dead_lettered > 0;
        match first_unread {
            _ if summary.acknowledged + summary.skipped == 0 && !has_dead => Self::Nothing,
            Some(place) => Self::Before(place, has_dead),
            None => Self::All(has_dead),
        }
    }

    fn text(&self, kind: &ErrorKind, names: &[String]) -> String {
        let but = |has_dead| if has_dead { ", except for dead letters" } else { "" };
        match self {
            Self::Nothing => "no record of the input was published".to_owned(),
            Self::Before(_, dead) if *kind == ErrorKind::Usage => {
                format!("everything before it was published{}", but(*dead))
            }
            // Shards differ in speed, so later records may already be published.
            Self::Before(place, _) if place.offset == 0 => "only some of the input was published".to_owned(),
            Self::Before(place, dead) => {
                let (offset, place, but) = (place.offset, place.of(names), but(*dead));
                format!("everything before record {offset} of the input (counted from 0, near {place}) is done{but}")
            }
            Self::All(dead) => format!("all of the input is done{}", but(*dead)),
        }
    }

    /// Describes how a later run continues, if anything is left to publish.
    fn way_on(&self, args: &Publish, kind: &ErrorKind) -> Option<String> {
        let Self::Before(..) = self else { return None };
        let file = args.receipts.as_ref().or(args.resume.as_ref()).map(|file| file.display());
        match (kind, file) {
            (ErrorKind::Usage, Some(file)) => Some(format!("then continue with --resume {file}")),
            (ErrorKind::Usage, None) => None,
            (_, Some(file)) => Some(format!("continue with the same input and --resume {file}")),
            (_, None) => Some("with --receipts FILE, a later run could continue with --resume".to_owned()),
        }
    }
}

fn not_published(args: &Publish, summary: &Summary) -> Error {
    let were = if summary.read == 1 { "was" } else { "were" };
    let what = format!("{} of {} {were} not published", summary.dead_lettered, counted(summary.read, "record"));
    Error::failed(what).hint(match &args.dead_letter {
        Some(path) => format!("{} contains each of them with the reason", path.display()),
        None if args.entries => {
            "the input still contains them; --dead-letter FILE stores them with the reasons in a separate file".into()
        }
        None => {
            "--dead-letter FILE stores them; more shards accept more, and --deadline sets how long a record is retried"
                .into()
        }
    })
}
