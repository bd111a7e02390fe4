//! `demo`: run the whole path once on this machine, from the function's source to its log line, and delete it.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::endpoint::InProcessEndpoint;
use crate::error::{Error, Result};
use crate::function::{self, FunctionZip, Target};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::{note, seconds};
use crate::provision::apply::apply;
use crate::provision::delete;
use crate::provision::desired::DesiredPath;
use crate::provision::observed::observe;
use crate::provision::plan::plan;
use crate::publish::accounting::progress::Progress;
use crate::publish::accounting::receipts::Receipt;
use crate::publish::accounting::receipts::{AcknowledgedOffsets, Receipts};
use crate::publish::input::keys::Keys;
use crate::publish::input::reader::{Form, RecordReader};
use crate::publish::input::source::Source;
use crate::publish::scheduling::batch::Packing;
use crate::publish::sending::run::SendOptions;
use crate::publish::{self, RunReport};
use crate::signals::interrupted;
use crate::tail::follow::Follower;
use crate::tail::sweep::{Event, Reader};
use crate::wait::{self, Poll};
use kinesis_event_logger_core::limits;

const MESSAGE: &str = "Hello, Lambda CLI World";
const PUBLISH_DEADLINE: Duration = Duration::from_secs(60);
const LINE_DEADLINE: Duration = Duration::from_secs(30);

const TASK: &str = "\
Builds the function in a checkout of this project, starts the local endpoint on a free port, provisions the path, publishes \
\"Hello, Lambda CLI World\", waits for its log line, prints it, and deletes everything.";

const EXAMPLES: &str = "\
Examples:
  cargo demo
  ops-cli demo";

/// Run the whole path once on this machine
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Demo {}

/// The log line, and how long each step took.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DemoReport {
    /// The log line that the function wrote for the record.
    line: String,
    shard_id: String,
    sequence_number: String,
    steps: Vec<StepTime>,
    /// From the start of the endpoint to the end of the teardown.
    total_ms: f64,
}

#[derive(Serialize)]
struct StepTime {
    step: &'static str,
    ms: f64,
}

impl Render for DemoReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{}", self.line.trim_end())?;
        writeln!(to)?;
        for StepTime { step, ms } in &self.steps {
            writeln!(to, "{step:<24}{:>10}", seconds(Duration::from_secs_f64(ms / 1000.0)))?;
        }
        writeln!(to, "{:<24}{:>10}", "start to torn down", seconds(Duration::from_secs_f64(self.total_ms / 1000.0)))
    }
}

pub async fn run(global: &Global, output: Output) -> Result<()> {
    let mut clock = StepClock { steps: Vec::new(), last: Instant::now() };
    note("building the function …");
    let zip = function::build(None, Target::ThisMachine)?.zip;
    clock.done("package the function");

    let begun = Instant::now();
    let endpoint = InProcessEndpoint::start(global).await?;
    let global = endpoint.global(global);
    clock.done("start the endpoint");
    let result = tokio::select! {
        result = run_path(&global, zip, &mut clock) => result,
        () = interrupted() => Err(Error::interrupted()),
    };
    // Also after a failure, so that no function process outlives the demo.
    endpoint.stop().await?;
    let (line, receipt) = result?;
    let Receipt { shard_id, sequence_number, .. } = receipt;
    let total_ms = milliseconds(begun.elapsed());
    output.show(&DemoReport { line, shard_id, sequence_number, steps: clock.steps, total_ms })
}

/// Provisions the path, publishes a record, waits for its line, and deletes the path.
async fn run_path(global: &Global, zip: FunctionZip, clock: &mut StepClock) -> Result<(String, Receipt)> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?;
    let desired = DesiredPath::new(names, aws.location().await?, zip);
    let observed = observe(&aws, &desired.names, &desired.location).await?;
    apply(&aws, &desired, &plan(&desired, &observed)?).await?;
    clock.done("provision");

    let receipt = publish_message(&aws, desired.names.stream()).await?;
    clock.done("publish");
    let line = await_line(&aws, &desired, &receipt).await?;
    clock.done("record → log line");

    delete::delete_ours(&aws, &desired.names, &desired.location).await?;
    clock.done("tear down");
    Ok((line, receipt))
}

/// Publishes the message as one record.
async fn publish_message(aws: &Aws, stream: &str) -> Result<Receipt> {
    let source = Source::of_bytes("the message", MESSAGE.into());
    let names = source.names.clone();
    let records = RecordReader::of(source, Form::Whole, Keys::fixed("demo"), None, limits::RECORD_BYTES);
    let input = publish::Input { records, names, skip: AcknowledgedOffsets::default(), replay: None };
    let send = SendOptions {
        deadline: PUBLISH_DEADLINE,
        packing: Packing::default(),
        strict: true,
        rate: None,
        rate_bytes: None,
    };
    let receipts = Receipts::Kept(Vec::new());
    let options = publish::Options { send, receipts, dead_letters: None, progress: Progress::silent() };
    let RunReport { receipts, error, .. } = publish::run(aws, stream, input, options).await?;
    match (receipts, error) {
        (_, Some(error)) => Err(error),
        (Receipts::Kept(mut receipts), None) if receipts.len() == 1 => Ok(receipts.remove(0)),
        _ => Err(Error::failed("the record was not published")),
    }
}

struct StepClock {
    steps: Vec<StepTime>,
    last: Instant,
}

impl StepClock {
    fn done(&mut self, step: &'static str) {
        let now = Instant::now();
        self.steps.push(StepTime { step, ms: milliseconds(now - self.last) });
        self.last = now;
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Waits for the line of the record, which contains its sequence number.
async fn await_line(aws: &Aws, desired: &DesiredPath, receipt: &Receipt) -> Result<String> {
    let filter = format!("\"{}\"", receipt.sequence_number);
    let reader = Reader::new(aws, desired.names.log_group(), Some(filter));
    let mut follower = Follower::new(0);
    wait::until(&aws.retry, "the record's log line", LINE_DEADLINE, async || {
        let mut line = None;
        let now = Timestamp::now().as_millisecond();
        let take = |events: &[Event]| {
            line = events.first().map(|event| event.message.clone());
            Ok(())
        };
        reader.sweep(&mut follower, now, take).await?;
        Ok(line.map_or_else(|| Poll::Pending("missing".into()), Poll::Ready))
    })
    .await
}
