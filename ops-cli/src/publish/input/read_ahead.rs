//! Reads in a thread of its own, a few chunks ahead, so that a read that blocks delays nothing else.

use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::reader::{RecordReader, RejectedInput};
use super::record::Record;
use super::replay::Replay;
use crate::publish::accounting::receipts::AcknowledgedOffsets;

const CHUNK_RECORDS: usize = 500;
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait for the run or are being read.
const AHEAD: usize = 1;

/// The records that were read since the previous chunk.
#[derive(Default)]
pub struct Chunk {
    pub items: Vec<Result<Record, RejectedInput>>,
    /// Records that an earlier run published.
    pub skipped: u64,
}

/// Reads until the end of the input, or until the receiver is dropped.
pub fn start(records: RecordReader, skip: AcknowledgedOffsets, replay: Option<Replay>) -> mpsc::Receiver<Chunk> {
    let (chunks, taken) = mpsc::channel(AHEAD);
    let runtime = Handle::current();
    // Not `spawn_blocking`: the runtime would wait for that task at the end, and a read of stdin may never return.
    std::thread::spawn(move || read(records, &skip, replay, &chunks, &runtime));
    taken
}

fn read(
    mut records: RecordReader,
    skip: &AcknowledgedOffsets,
    mut replay: Option<Replay>,
    chunks: &mpsc::Sender<Chunk>,
    runtime: &Handle,
) {
    let mut chunk = Chunk::default();
    let mut bytes = 0;
    // Reserves capacity before reading the chunk, which bounds memory: a record may have 10 MiB.
    let Ok(mut place) = runtime.block_on(chunks.reserve()) else { return };
    let begun = Instant::now();
    while let Some(item) = records.next() {
        let is_sent = item.as_ref().is_ok_and(|record| !skip.holds(record.place.offset));
        let arrival = records.arrival.filter(|_| is_sent);
        let wait = replay.as_mut().zip(arrival).map(|(replay, arrival)| replay.wait(arrival, begun.elapsed()));
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            // Earlier records are already due, so that they are sent without waiting for this one.
            bytes = 0;
            place.send(std::mem::take(&mut chunk));
            let Ok(next) = runtime.block_on(chunks.reserve()) else { return };
            place = next;
            std::thread::sleep(wait);
        }
        match item {
            Ok(record) if skip.holds(record.place.offset) => chunk.skipped += 1,
            Ok(record) => {
                bytes += record.size();
                chunk.items.push(Ok(record));
            }
            Err(rejected) => {
                bytes += rejected.data.len();
                chunk.items.push(Err(rejected));
            }
        }
        let is_full = chunk.items.len() >= CHUNK_RECORDS || bytes >= CHUNK_BYTES;
        let is_waited_for = records.may_block() && !(chunk.items.is_empty() && chunk.skipped == 0);
        if is_full || is_waited_for {
            bytes = 0;
            place.send(std::mem::take(&mut chunk));
            let Ok(next) = runtime.block_on(chunks.reserve()) else { return };
            place = next;
        }
    }
    place.send(chunk);
}
