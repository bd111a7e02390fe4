//! `invoke`: run the function with given data.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::deploy::event::{self, EventRecord};
use crate::deploy::invocation::invoke;
use crate::deploy::target::TargetFunction;
use crate::error::{Error, ErrorKind, Result};
use crate::function::release::{LATEST, LIVE, Releases};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::note;
use crate::publish::input::keys::{self, Keys};
use crate::publish::input::reader::{Form, RecordReader};
use crate::publish::input::source::Source;
use crate::text;
use kinesis_event_logger_core::limits;

const TASK: &str = "\
Runs the function with the event that Lambda would send for the given data, and prints the end of its log and its answer. Nothing \
is put on the stream.";

const EXAMPLES: &str = "\
Examples:
  ops-cli invoke 'Hello, Lambda CLI World' '{\"event\":\"login\"}'
  ops-cli invoke --records events.ndjson --version 7
  ops-cli invoke --event event.json

Lambda returns the last 4 KB of the log; `ops-cli tail` shows all of it. The exit code is 1 if the function fails or reports a \
record as failed.";

/// The log that Lambda returns at most.
const LOG_BYTES: usize = 4096;
/// The partition key of the records, unless another is given.
const KEY: &str = "ops-cli-invoke";

/// Run the function with given data, and show its log and its answer
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Invoke {
    /// Data of one record each
    #[arg(required_unless_present_any = ["event", "records"], conflicts_with_all = ["event", "records"])]
    data: Vec<String>,
    /// File with one record per line; `-` is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "event")]
    records: Option<PathBuf>,
    /// File with the whole event as JSON, which is sent as it is; `-` is stdin
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Partition key of the records
    #[arg(long, value_name = "TEXT", default_value = KEY, conflicts_with = "event")]
    key: String,
    /// Version or alias to run (default: live, or $LATEST if there is no alias)
    #[arg(long, value_name = "VERSION", value_parser = qualifier)]
    version: Option<String>,
}

fn qualifier(text: &str) -> Result<String, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_alias = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if is_number || is_alias || text == LATEST {
        return Ok(text.to_owned());
    }
    Err(format!("expected the number of a version, {LATEST}, or the name of an alias"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InvokeReport {
    version: String,
    /// The kind of error that the function ended with.
    error: Option<String>,
    answer: String,
    /// The lines at the end of the log.
    log: Vec<String>,
}

impl Render for InvokeReport {
    const HEADINGS: &'static [&'static str] = &["version", "answer", "error"];

    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        self.log.iter().try_for_each(|line| writeln!(to, "{line}"))?;
        writeln!(to, "version {}", self.version)?;
        writeln!(to, "{} {}", if self.error.is_some() { "error" } else { "answer" }, self.answer)
    }
}

pub async fn run(global: &Global, args: &Invoke, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    keys::check(&args.key).map_err(|reason| {
        Error::usage(format!("--key {reason}")).hint("leave the option out to use a key of ops-cli's own")
    })?;
    let records = records(args)?;
    let given = args.event.as_deref().map(read).transpose()?;
    let aws = Aws::connect(global).await?;
    let releases = Releases { aws: &aws, function: names.function() };
    let event = match given {
        Some(event) => event,
        None => {
            let (location, function) = tokio::try_join!(aws.location(), TargetFunction::read(&aws, &names))?;
            let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
            event::build(&names, &location, &function.role_arn, &records, now)?.bytes
        }
    };
    let qualifier = match &args.version {
        Some(version) => version.clone(),
        None => releases.live().await?.map_or(LATEST, |_| LIVE).to_owned(),
    };
    let invocation = invoke(&aws, names.function(), &qualifier, event).await?;
    if invocation.log.len() >= LOG_BYTES {
        note("the log is cut at its beginning; `ops-cli tail` shows all of it");
    }
    let has_succeeded = invocation.has_succeeded();
    output.show(&InvokeReport {
        version: invocation.version,
        error: invocation.error,
        answer: invocation.answer,
        log: invocation.log.lines().map(str::to_owned).collect(),
    })?;
    // The answer is the report.
    if has_succeeded { Ok(()) } else { Err(Error { message: String::new(), hint: None, kind: ErrorKind::Failed }) }
}

/// The records of the arguments or of the file. Their data is read as `publish` reads it.
fn records(args: &Invoke) -> Result<Vec<EventRecord>> {
    let record = |data: Vec<u8>| EventRecord { partition_key: args.key.clone(), data };
    let Some(path) = &args.records else {
        return Ok(args.data.iter().map(|data| record(data.clone().into_bytes())).collect());
    };
    let source = Source::open(None, std::slice::from_ref(path))?;
    let names = source.names.clone();
    let reader = RecordReader::of(source, Form::Lines, Keys::fixed(KEY), None, limits::RECORD_BYTES_HIGHEST);
    let mut records = Vec::new();
    for read in reader {
        let read =
            read.map_err(|rejected| Error::usage(format!("{}: {}", rejected.place.of(&names), rejected.reason)))?;
        records.push(record(read.data().to_vec()));
    }
    if records.is_empty() {
        return Err(Error::usage(format!("{} has no records", path.display())));
    }
    Ok(records)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let (name, event) = text::read(path)?;
    serde_json::from_slice::<serde::de::IgnoredAny>(&event)
        .map_err(|error| Error::usage(format!("{name} is not JSON: {error}")))?;
    Ok(event)
}
