//! Receipts: where each record was put. They go to stdout in the order of the input, or to a file as they arrive. A later
//! run reads the file and skips the records in it.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ledger::At;
use super::receipt_file::ReceiptFile;
use crate::error::{Error, ErrorKind, Result};
use crate::output::{Output, Render};
use crate::publish::scheduling::batch::QueuedEntry;
use crate::text;

/// The location of a record on the stream.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The index of the record in the input, from 0.
    pub offset: u64,
    pub shard_id: String,
    pub sequence_number: String,
    /// The index of the record in the aggregate with this sequence number, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_sequence_number: Option<u64>,
    /// The record that `redrive` sent again, as `SHARD:SEQUENCE_NUMBER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The number of attempts.
    pub attempts: u32,
    /// An earlier attempt was not answered, so that the stream may have the record twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_repeat: bool,
    /// The time of the acknowledgement, in epoch milliseconds.
    pub time: i64,
}

impl Receipt {
    fn of((number, entry): (Option<u64>, &QueuedEntry), at: &At<'_>) -> Self {
        Self {
            offset: entry.record.place.offset,
            shard_id: at.shard_id.to_owned(),
            sequence_number: at.sequence_number.to_owned(),
            sub_sequence_number: number,
            source: entry.record.source.clone(),
            attempts: entry.attempts,
            may_repeat: entry.may_be_put,
            time: at.time,
        }
    }
}

impl Render for Receipt {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { shard_id, sequence_number, .. } = self;
        match self.sub_sequence_number {
            Some(number) => writeln!(to, "{shard_id} {sequence_number} {number}"),
            None => writeln!(to, "{shard_id} {sequence_number}"),
        }
    }
}

/// The destination of receipts.
pub enum Receipts {
    Nowhere,
    Stdout(InOrder),
    File(ReceiptFile),
    Kept(Vec<Receipt>),
}

/// Receipts on stdout, each of which waits for those of earlier records.
pub struct InOrder {
    output: Output,
    slots: VecDeque<(u64, Slot)>,
}

enum Slot {
    Expected,
    Known(Receipt),
    /// The record was abandoned, and has no receipt.
    Never,
}

impl InOrder {
    pub fn new(output: Output) -> Self {
        Self { output, slots: VecDeque::new() }
    }

    fn settle(&mut self, offset: u64, slot: Slot) {
        if let Ok(index) = self.slots.binary_search_by_key(&offset, |(offset, _)| *offset) {
            self.slots[index].1 = slot;
        }
    }

    fn flush(&mut self) -> Result<()> {
        let known = self.slots.iter().take_while(|(_, slot)| !matches!(slot, Slot::Expected)).count();
        if known == 0 {
            return Ok(());
        }
        let known: Vec<_> = self.slots.drain(..known).collect();
        let receipts = known.iter().filter_map(|(_, slot)| match slot {
            Slot::Known(receipt) => Some(receipt),
            Slot::Expected | Slot::Never => None,
        });
        self.output.show_all(receipts)
    }
}

impl Receipts {
    /// Opens a file: a new one, or an existing one with `go_on`.
    pub fn to_file(path: &Path, go_on: bool) -> Result<Self> {
        let name = path.display().to_string();
        let failed = |error: io::Error| Error::usage(format!("could not write {name}: {error}"));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .or_else(|_| OpenOptions::new().write(true).open(path))
            .map_err(failed)?;
        if file.metadata().map_err(failed)?.is_file() {
            if !go_on && file.metadata().map_err(failed)?.len() > 0 {
                // Reports a file with other content as such.
                read(path, |_| {})?;
                return Err(Error::usage(format!("{name} already contains receipts"))
                    .hint(format!("continue with --resume {name}, or use another file")));
            }
            let whole = whole_lines(&mut file).map_err(failed)?;
            file.set_len(whole).map_err(failed)?;
            file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        }
        Ok(Self::File(ReceiptFile::new(file, name)))
    }

    /// Expects a receipt for a record. Records come in the order of their offsets.
    pub fn expect(&mut self, offset: u64) {
        if let Self::Stdout(in_order) = self {
            in_order.slots.push_back((offset, Slot::Expected));
        }
    }

    /// Whether so many receipts wait for an earlier one that no more records should be sent.
    pub fn is_full(&self) -> bool {
        const MOST: usize = 40_000;
        matches!(self, Self::Stdout(in_order) if in_order.slots.len() >= MOST)
    }

    /// Adds a receipt for each entry of one put. Each comes with its index in the aggregate, if it is in one.
    pub fn add<'e>(
        &mut self,
        entries: impl Iterator<Item = (Option<u64>, &'e QueuedEntry)>,
        at: &At<'_>,
    ) -> Result<()> {
        match self {
            Self::Nowhere => {}
            Self::Stdout(in_order) => {
                for receipt in entries.map(|entry| Receipt::of(entry, at)) {
                    in_order.settle(receipt.offset, Slot::Known(receipt));
                }
            }
            Self::File(lines) => lines.add(entries, at).map_err(|error| unwritten(&lines.name, &error))?,
            Self::Kept(receipts) => receipts.extend(entries.map(|entry| Receipt::of(entry, at))),
        }
        Ok(())
    }

    /// Adds the receipt of a record. Receipts are added in the order of the input.
    pub fn push(&mut self, receipt: Receipt) -> Result<()> {
        match self {
            Self::Nowhere => {}
            Self::Stdout(in_order) => in_order.slots.push_back((receipt.offset, Slot::Known(receipt))),
            Self::File(lines) => lines.push(&receipt).map_err(|error| unwritten(&lines.name, &error))?,
            Self::Kept(receipts) => receipts.push(receipt),
        }
        Ok(())
    }

    /// Marks a record as one that will have no receipt.
    pub fn never(&mut self, offset: u64) {
        if let Self::Stdout(in_order) = self {
            in_order.settle(offset, Slot::Never);
        }
    }

    /// Writes the receipts that no longer wait.
    pub fn flush(&mut self) -> Result<()> {
        match self {
            Self::Nowhere | Self::Kept(_) => Ok(()),
            Self::File(lines) => lines.flush().map_err(|error| unwritten(&lines.name, &error)),
            Self::Stdout(in_order) => match in_order.flush() {
                // The reader closed the pipe, which does not stop publishing.
                Err(error) if error.kind == ErrorKind::ClosedPipe => {
                    *self = Self::Nowhere;
                    Ok(())
                }
                flushed => flushed,
            },
        }
    }
}

fn unwritten(name: &str, error: &io::Error) -> Error {
    Error::failed(format!("could not write {name}: {error}"))
}

/// Returns the length of a file without its last line, if a kill cut that.
///
/// # Errors
/// The last line is cut and does not begin like a receipt. Nothing is cut off from a file with other content.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut whole = 0;
    let mut reader = BufReader::new(&*file);
    let mut line = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    while reader.read_until(b'\n', &mut line)? > 0 && line.last() == Some(&b'\n') {
        whole += line.len() as u64;
        line.clear();
    }
    if is_beginning(&line) { Ok(whole) } else { Err(io::Error::new(io::ErrorKind::InvalidData, NOT_A_RECEIPT)) }
}

const NOT_A_RECEIPT: &str = "its last line has no end, and is not the beginning of a receipt";

/// Whether a byte may be part of a value.
type Is = fn(u8) -> bool;

/// Whether the bytes are the beginning of a receipt as [`ReceiptFile`] writes it.
fn is_beginning(line: &[u8]) -> bool {
    const PARTS: [(&[u8], Is); 4] = [
        (b"{\"offset\":", |byte| byte.is_ascii_digit()),
        (b",\"shardId\":\"", |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')),
        (b"\",\"sequenceNumber\":\"", |byte| byte.is_ascii_digit()),
        (b"\",\"", |_| true),
    ];
    let mut rest = line;
    for (name, is_value) in PARTS {
        let common = name.iter().zip(rest).take_while(|(one, other)| one == other).count();
        if common == rest.len() {
            return true;
        }
        if common < name.len() {
            return false;
        }
        rest = &rest[common..];
        rest = &rest[rest.iter().take_while(|byte| is_value(**byte)).count()..];
    }
    rest.is_empty()
}

/// Calls `take` with each receipt of a file. Blank lines, and a last line that was cut, are ignored.
pub fn read(path: &Path, mut take: impl FnMut(Receipt)) -> Result<()> {
    let name = path.display();
    const HINT: &str = "use the file that --receipts wrote";
    let unreadable = |error: io::Error| Error::usage(format!("could not read {name}: {error}")).hint(HINT);
    let not_a_receipt = |number: u64, reason: &dyn std::fmt::Display| {
        Error::usage(format!("line {number} of {name} is not a receipt: {reason}")).hint(HINT)
    };
    let opened = File::open(path).and_then(|file| text::decoded(Box::new(file)));
    let mut reader = BufReader::new(opened.map_err(unreadable)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    while reader.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        number += 1;
        if number == 1 {
            text::check_first_line(&name.to_string(), &line)?;
        }
        if line.last() != Some(&b'\n') {
            if !is_beginning(&line) {
                return Err(not_a_receipt(number, &NOT_A_RECEIPT));
            }
            break;
        }
        if !line.trim_ascii().is_empty() {
            take(serde_json::from_slice(&line).map_err(|error| not_a_receipt(number, &error))?);
        }
        line.clear();
    }
    Ok(())
}

/// The offsets of the acknowledged records: all before one offset, and some after it.
#[derive(Debug, Default, PartialEq)]
pub struct AcknowledgedOffsets {
    all_before: u64,
    more: BTreeSet<u64>,
}

impl AcknowledgedOffsets {
    pub fn read(path: &Path) -> Result<Self> {
        let mut acknowledged = Self::default();
        let mut is_of_redrive = false;
        read(path, |receipt| {
            is_of_redrive |= receipt.source.is_some();
            acknowledged.add(receipt.offset);
        })?;
        if is_of_redrive {
            return Err(Error::usage(format!("{} has receipts of `ops-cli redrive`", path.display()))
                .hint("--resume continues a run of publish by the receipts of that run; nothing was sent"));
        }
        Ok(acknowledged)
    }

    fn add(&mut self, offset: u64) {
        if offset >= self.all_before {
            self.more.insert(offset);
        }
        // Records are acknowledged nearly in order, so that the set stays small.
        while self.more.remove(&self.all_before) {
            self.all_before += 1;
        }
    }

    /// The offset after the last acknowledged record.
    pub fn end(&self) -> u64 {
        self.more.last().map_or(self.all_before, |last| last + 1)
    }

    pub fn holds(&self, offset: u64) -> bool {
        offset < self.all_before || self.more.contains(&offset)
    }
}

#[cfg(test)]
mod tests;
