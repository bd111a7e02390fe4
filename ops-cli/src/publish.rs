//! Publishes records. [`input`] reads them, [`scheduling`] decides what is sent where and when, [`sending`] sends it, and
//! [`accounting`] counts every record and writes receipts and dead letters. [`run`] connects the four.

pub mod accounting;
pub mod input;
pub mod scheduling;
pub mod sending;

use std::path::PathBuf;
use std::sync::Arc;

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::signals::interrupted;
use accounting::ledger::Ledger;
use accounting::progress::Progress;
use accounting::receipts::{AcknowledgedOffsets, Receipts};
use accounting::summary::Summary;
use input::read_ahead::{self, Chunk};
use input::reader::RecordReader;
use input::record::InputPosition;
use input::replay::Replay;
use scheduling::shards::ShardMap;
use sending::run::{Run, SendOptions};
use tokio::sync::mpsc;

/// The records to publish.
pub struct Input {
    pub records: RecordReader,
    /// The names of the sources, for messages.
    pub names: Arc<[String]>,
    /// The records that an earlier run published.
    pub skip: AcknowledgedOffsets,
    /// The pace at which to read the records; `None` reads them as fast as they are sent.
    pub replay: Option<Replay>,
}

/// How to publish.
pub struct Options {
    pub send: SendOptions,
    pub receipts: Receipts,
    pub dead_letters: Option<PathBuf>,
    pub progress: Progress,
}

/// The report of a run.
pub struct RunReport {
    pub summary: Summary,
    pub receipts: Receipts,
    /// Why the run ended early, if it did.
    pub error: Option<Error>,
    /// The position at which an input error or an interrupt stopped reading.
    pub first_unread: Option<InputPosition>,
}

/// Publishes all records of the input. The first interrupt stops reading; the second one abandons the requests in flight.
///
/// # Errors
/// The stream's shards could not be listed, or the dead-letter file not opened. An error during the run is in the report
/// instead.
pub async fn run(aws: &Aws, stream: &str, input: Input, options: Options) -> Result<RunReport> {
    let Input { records, names, skip, replay } = input;
    run_chunks(aws, stream, names, || read_ahead::start(records, skip, replay), options).await
}

/// Publishes the records of chunks, as [`run`] does. `start` starts whatever sends the chunks.
pub async fn run_chunks(
    aws: &Aws,
    stream: &str,
    names: Arc<[String]>,
    start: impl FnOnce() -> mpsc::Receiver<Chunk>,
    options: Options,
) -> Result<RunReport> {
    let client = aws.kinesis();
    let Options { send, receipts, dead_letters, mut progress } = options;
    let shards = ShardMap::fetch(&client, stream, &aws.retry).await?;
    let ledger = Ledger::new(receipts, dead_letters.as_deref(), names)?;
    let mut run = Run::new(&client, stream, shards, send, ledger);
    let driven = run.drive(start(), interrupted, &mut progress).await;
    progress.finish();
    driven?;
    run.report()
}
