//! Reading in a thread of its own, a few chunks ahead: a read that blocks keeps nothing else waiting.

use tokio::sync::mpsc;

use super::receipts::Acknowledged;
use super::record::Record;
use super::source::{Records, Rejected};

const CHUNK_RECORDS: usize = 500;
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait to be taken.
const AHEAD: usize = 1;

/// What was read since the chunk before.
#[derive(Default)]
pub struct Chunk {
    pub items: Vec<Result<Record, Rejected>>,
    /// Records that were acknowledged in an earlier run.
    pub skipped: u64,
}

/// Reads until the end, or until nobody takes what is read.
pub fn start(records: Records, skip: Acknowledged) -> mpsc::Receiver<Chunk> {
    let (chunks, taken) = mpsc::channel(AHEAD);
    // Not a blocking task of the runtime: that would be waited for at the end, and stdin may never come.
    std::thread::spawn(move || read(records, &skip, &chunks));
    taken
}

fn read(mut records: Records, skip: &Acknowledged, chunks: &mpsc::Sender<Chunk>) {
    let mut chunk = Chunk::default();
    let mut bytes = 0;
    while let Some(item) = records.next() {
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
            if chunks.blocking_send(std::mem::take(&mut chunk)).is_err() {
                return;
            }
        }
    }
    chunks.blocking_send(chunk).ok();
}
