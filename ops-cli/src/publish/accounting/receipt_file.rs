//! Writes receipts as lines of a file. Serialized by hand, because there is one for every record: the part that the receipts
//! of one put share is formatted once.

use std::fs::File;
use std::io::{self, Write};

use super::ledger::At;
use super::receipts::Receipt;
use crate::publish::scheduling::batch::QueuedEntry;
use kinesis_event_logger_core::line::push_json_string;

const ENOUGH_BYTES: usize = 64 * 1024;

pub struct ReceiptFile {
    file: File,
    pub name: String,
    lines: Vec<u8>,
    /// The part that all receipts of one put share.
    place: Vec<u8>,
}

impl ReceiptFile {
    pub fn new(file: File, name: String) -> Self {
        Self { file, name, lines: Vec::new(), place: Vec::new() }
    }

    /// Adds a receipt for each entry of one put. Each comes with its index in the aggregate, if it is in one.
    pub fn add<'e>(
        &mut self,
        entries: impl Iterator<Item = (Option<u64>, &'e QueuedEntry)>,
        at: &At<'_>,
    ) -> io::Result<()> {
        self.place.clear();
        self.place.extend_from_slice(b",\"shardId\":");
        push_json_string(&mut self.place, at.shard_id);
        self.place.extend_from_slice(b",\"sequenceNumber\":");
        push_json_string(&mut self.place, at.sequence_number);
        for (number, entry) in entries {
            push(&mut self.lines, "{\"offset\":", entry.record.place.offset);
            self.lines.extend_from_slice(&self.place);
            if let Some(number) = number {
                push(&mut self.lines, ",\"subSequenceNumber\":", number);
            }
            if let Some(source) = &entry.record.source {
                self.lines.extend_from_slice(b",\"source\":");
                push_json_string(&mut self.lines, source);
            }
            push(&mut self.lines, ",\"attempts\":", entry.attempts);
            if entry.may_be_put {
                self.lines.extend_from_slice(b",\"mayRepeat\":true");
            }
            push(&mut self.lines, ",\"time\":", at.time);
            self.lines.extend_from_slice(b"}\n");
        }
        if self.lines.len() >= ENOUGH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds one receipt.
    pub fn push(&mut self, receipt: &Receipt) -> io::Result<()> {
        serde_json::to_writer(&mut self.lines, receipt)?;
        self.lines.push(b'\n');
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.lines)?;
        self.lines.clear();
        Ok(())
    }
}

fn push(lines: &mut Vec<u8>, name: &str, number: impl itoa::Integer) {
    lines.extend_from_slice(name.as_bytes());
    lines.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}
