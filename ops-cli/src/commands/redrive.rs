//! `redrive`: send the records of failed batches again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Format, Output, counted};
use crate::progress::{note, note_outcome};
use crate::publish::accounting::receipts::{InOrder, Receipts};
use crate::redrive::batches::Batches;
use crate::redrive::input;
use crate::redrive::redriven::{Redriven, Target};
use crate::redrive::summary::{PlannedBatch, Summary};
use crate::redrive::to_function::{self, ToFunction};
use crate::redrive::to_stream;
use crate::signals::interrupted;
use crate::{stream, values};

const TASK: &str = "\
Reads on-failure documents, which a mapping sends to its on-failure destination instead of the records themselves, fetches \
exactly the records that they name, and sends them again: to the function, in the same batches, or to the stream, as new records. \
Prints a receipt for each record. A record that is past the stream's retention is reported, and the exit code is then 1.";

const EXAMPLES: &str = "\
Examples:
  aws sqs receive-message --queue-url URL --max-number-of-messages 10 > failed.json
  ops-cli redrive --to function --dry-run failed.json
  ops-cli redrive --to function failed.json
  aws s3 cp --recursive s3://BUCKET/aws/lambda/UUID/ failed/ && ops-cli redrive --to stream failed/*
  ops-cli --local redrive --to function --from-destination failed

An interrupted run:
  ops-cli redrive --to function --receipts receipts.ndjson failed.json
  ops-cli redrive --to function --resume receipts.ndjson failed.json

Documents may be bare or in the envelopes of SQS and SNS, and one after the other, in lines or in arrays. Documents of S3 contain \
the records, so that they can be redriven after the stream's retention. The function is invoked with records that keep their \
sequence numbers; on the stream they get new ones, after all others. Delivery is at least once. `ops-cli verify --receipts` \
checks that each record has its line.";

/// Send the records of failed batches to the function or the stream again
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Redrive {
    /// Files with on-failure documents; `-` is stdin (default: stdin)
    #[arg(value_name = "FILE", conflicts_with = "from_destination")]
    pub files: Vec<PathBuf>,
    /// Read the documents that this queue, topic or bucket of the local endpoint has received
    #[arg(long, value_name = "NAME")]
    pub from_destination: Option<String>,
    /// Where the records are sent
    #[arg(long, value_enum, value_name = "TARGET")]
    pub to: Target,
    /// Redrive all records between a batch's first and last, even if they are more than the batch had. Some of them were
    /// processed before
    #[arg(long, conflicts_with = "resume")]
    pub whole_range: bool,
    /// Number of invocations in a row without progress after which a batch is abandoned
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = values::number(1..=100_u32))]
    pub attempts: u32,
    /// Write receipts as JSON lines to this file, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Continue an interrupted run with the same documents: skip the records with a receipt in this file, and append new
    /// receipts to it
    #[arg(long, value_name = "RECEIPTS", conflicts_with = "receipts")]
    pub resume: Option<PathBuf>,
    /// Fetch the records, print what would be sent for each document, and send nothing
    #[arg(long, conflicts_with_all = ["receipts", "resume"])]
    pub dry_run: bool,
}

pub async fn run(global: &Global, args: &Redrive, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let redriven = args.resume.as_deref().map(|path| Redriven::read(path, args.to)).transpose()?.unwrap_or_default();
    let in_files = match &args.from_destination {
        Some(_) => Vec::new(),
        None => input::of_files(&args.files)?,
    };
    let aws = Aws::connect(global).await?;
    let documents = match &args.from_destination {
        Some(name) => input::of_destination(&aws, name, &names).await?,
        None => in_files,
    };
    let documents = input::distinct(documents);
    input::check(&documents, &names)?;
    redriven.check(&documents)?;
    let retention_hours = stream::retention_hours(&aws, names.stream()).await?;
    let mut batches = Batches::new(&aws, documents, args.whole_range, retention_hours, redriven);
    if args.dry_run {
        return plan(&mut batches, output).await;
    }
    let (named, documents) = (batches.named(), batches.batches.len() as u64);
    let receipts = receipts(args, output)?;
    let (mut summary, error) = match args.to {
        Target::Function => {
            let (mut summary, error) = invoke(&aws, args, &mut batches, receipts).await?;
            batches.count_unreached(&mut summary);
            (summary, error)
        }
        Target::Stream => to_stream::run(&aws, names.stream(), batches, receipts).await?,
    };
    summary.documents = documents;
    let settled = summary.redriven + summary.skipped + summary.absent + summary.failed;
    summary.not_reached = named.saturating_sub(settled);
    show(args, output, &summary)?;
    ended(args, error, &summary)
}

async fn plan(batches: &mut Batches, output: Output) -> Result<()> {
    let mut summary = Summary::default();
    while let Some(ready) = batches.next(&mut summary).await? {
        let bytes = ready.records.iter().map(|record| record.record.data.as_ref().len() as u64).sum();
        output.show(&PlannedBatch {
            shard_id: ready.batch.shard_id,
            start_sequence_number: ready.batch.first.to_string(),
            end_sequence_number: ready.batch.last.to_string(),
            records: ready.records.len() as u64,
            bytes,
            absent: ready.absent,
            problem: ready.problem,
        })?;
    }
    if summary.absent == 0 {
        return Ok(());
    }
    Err(incomplete(&summary))
}

fn receipts(args: &Redrive, output: Output) -> Result<Receipts> {
    match (&args.receipts, &args.resume) {
        (Some(path), _) => Receipts::to_file(path, false),
        (None, Some(path)) => Receipts::to_file(path, true),
        (None, None) => Ok(Receipts::Stdout(InOrder::new(output))),
    }
}

/// Invokes the function. The first interrupt ends the run after the invocation in progress, the second one at once.
async fn invoke(
    aws: &Aws,
    args: &Redrive,
    batches: &mut Batches,
    receipts: Receipts,
) -> Result<(Summary, Option<Error>)> {
    let function_arn = batches.batches.first().map(|batch| batch.function_arn.clone()).unwrap_or_default();
    let role_arn = to_function::role_arn(aws, &function_arn).await?;
    let stop = AtomicBool::new(false);
    let mut summary = Summary::default();
    let mut run = ToFunction { aws, attempts: args.attempts, stop: &stop, receipts, role_arn };
    let ended = tokio::select! {
        ended = run.run(batches, &mut summary) => ended,
        () = async {
            interrupted().await;
            stop.store(true, Ordering::Relaxed);
            note("waiting for the invocation in progress; interrupt again to abandon it");
            interrupted().await;
        } => Err(Error::interrupted()),
    };
    let error = match ended {
        Ok(()) if stop.load(Ordering::Relaxed) => Some(Error::interrupted()),
        ended => ended.err(),
    };
    Ok((summary, error))
}

/// Prints the summary to stderr, or to stdout if the receipts are in a file and programs read it.
fn show(args: &Redrive, output: Output, summary: &Summary) -> Result<()> {
    let has_file = args.receipts.is_some() || args.resume.is_some();
    if has_file && output.format == Format::Json {
        return output.show(summary);
    }
    note_outcome(summary);
    Ok(())
}

fn ended(args: &Redrive, error: Option<Error>, summary: &Summary) -> Result<()> {
    match error {
        Some(error) => {
            let resume = match args.resume.as_ref().or(args.receipts.as_ref()) {
                Some(path) => format!("continue with --resume {}", path.display()),
                None => "with --receipts FILE, an interrupted run can be continued".to_owned(),
            };
            let hint = [error.hint.clone(), Some(resume)].into_iter().flatten().collect::<Vec<_>>().join("; ");
            Err(error.hint(hint))
        }
        None if summary.is_complete() => Ok(()),
        None => Err(incomplete(summary)),
    }
}

fn incomplete(summary: &Summary) -> Error {
    let Summary { absent, failed, .. } = summary;
    let mut problems = Vec::new();
    if *absent > 0 {
        problems.push(format!("{} could not be fetched", counted(*absent, "record")));
    }
    if *failed > 0 {
        problems.push(format!("{} failed again", counted(*failed, "record")));
    }
    Error::failed(problems.join(", ")).hint("the notices above name the batches and the reasons")
}
