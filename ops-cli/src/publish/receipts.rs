//! Receipts: where each record was put. To stdout in the order of the input, or to a file as they come, from which a
//! later run learns what it need not send again.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::output::{Output, Render};

/// Where a record was put.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Receipt<Text = String> {
    /// Which record of the input, counted from 0.
    pub offset: u64,
    pub shard_id: Text,
    pub sequence_number: Text,
    /// Which record of the aggregate that was put with this sequence number, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_sequence_number: Option<u64>,
    /// How often it was sent.
    pub attempts: u32,
    /// An attempt before was not answered: the record may be on the stream twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_repeat: bool,
    /// When it was acknowledged, in epoch milliseconds.
    pub time: i64,
}

impl Receipt<&str> {
    fn to_owned(&self) -> Receipt {
        let Self { offset, shard_id, sequence_number, sub_sequence_number, attempts, may_repeat, time } = *self;
        let (shard_id, sequence_number) = (shard_id.to_owned(), sequence_number.to_owned());
        Receipt { offset, shard_id, sequence_number, sub_sequence_number, attempts, may_repeat, time }
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

/// Where receipts go.
pub enum Receipts {
    Nowhere,
    Stdout(InOrder),
    File(BufWriter<File>, String),
    Kept(Vec<Receipt>),
}

/// Receipts that wait for those before them.
pub struct InOrder {
    output: Output,
    slots: VecDeque<(u64, Slot)>,
}

enum Slot {
    Expected,
    Known(Receipt),
    /// It was given up, and has none.
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
    /// A file: a new one, or one that is gone on with.
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
                return Err(Error::usage(format!("{name} holds receipts already"))
                    .hint(format!("go on there with --resume {name}, or name another file")));
            }
            let whole = whole_lines(&mut file).map_err(failed)?;
            file.set_len(whole).map_err(failed)?;
            file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        }
        Ok(Self::File(BufWriter::with_capacity(64 * 1024, file), name))
    }

    /// A record is on its way; records come in the order of their offsets.
    pub fn expect(&mut self, offset: u64) {
        if let Self::Stdout(in_order) = self {
            in_order.slots.push_back((offset, Slot::Expected));
        }
    }

    /// Whether receipts wait for an earlier one in such number that no more should be sent.
    pub fn is_full(&self) -> bool {
        const MOST: usize = 40_000;
        matches!(self, Self::Stdout(in_order) if in_order.slots.len() >= MOST)
    }

    pub fn add(&mut self, receipt: Receipt<&str>) -> Result<()> {
        match self {
            Self::Nowhere => {}
            Self::Stdout(in_order) => in_order.settle(receipt.offset, Slot::Known(receipt.to_owned())),
            Self::File(file, name) => {
                let written = serde_json::to_writer(&mut *file, &receipt).map_err(io::Error::from);
                written.and_then(|()| file.write_all(b"\n")).map_err(|error| unwritten(name, &error))?;
            }
            Self::Kept(receipts) => receipts.push(receipt.to_owned()),
        }
        Ok(())
    }

    /// There will be no receipt of this record.
    pub fn never(&mut self, offset: u64) {
        if let Self::Stdout(in_order) = self {
            in_order.settle(offset, Slot::Never);
        }
    }

    /// Writes what can be written now.
    pub fn flush(&mut self) -> Result<()> {
        match self {
            Self::Nowhere | Self::Kept(_) => Ok(()),
            Self::File(file, name) => file.flush().map_err(|error| unwritten(name, &error)),
            Self::Stdout(in_order) => match in_order.flush() {
                // Nobody reads on: that is no reason not to publish on.
                Err(error) if error.kind == Kind::ClosedPipe => {
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

/// The length of a file without a last line that was cut when its writer was killed.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut whole = 0;
    let mut reader = BufReader::new(&*file);
    let mut line = Vec::new();
    reader.seek(SeekFrom::Start(0))?;
    while reader.read_until(b'\n', &mut line)? > 0 && line.last() == Some(&b'\n') {
        whole += line.len() as u64;
        line.clear();
    }
    Ok(whole)
}

/// Calls `take` with each receipt of a file; a last line that was cut is none.
pub fn read(path: &Path, mut take: impl FnMut(Receipt)) -> Result<()> {
    let name = path.display();
    let unreadable = |error: io::Error| {
        Error::usage(format!("could not read {name}: {error}")).hint("it is the file that --receipts wrote")
    };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    while reader.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        number += 1;
        if line.pop() != Some(b'\n') {
            break;
        }
        let receipt = serde_json::from_slice(&line).map_err(|error| {
            Error::usage(format!("line {number} of {name} is not a receipt: {error}"))
                .hint("it is the file that --receipts wrote")
        })?;
        take(receipt);
        line.clear();
    }
    Ok(())
}

/// The records that are acknowledged: all before an offset, and some after it.
#[derive(Debug, Default, PartialEq)]
pub struct Acknowledged {
    all_before: u64,
    more: BTreeSet<u64>,
}

impl Acknowledged {
    pub fn read(path: &Path) -> Result<Self> {
        let mut acknowledged = Self::default();
        read(path, |receipt| acknowledged.add(receipt.offset))?;
        Ok(acknowledged)
    }

    fn add(&mut self, offset: u64) {
        if offset >= self.all_before {
            self.more.insert(offset);
        }
        // Sent records are close together, so little is ever held here.
        while self.more.remove(&self.all_before) {
            self.all_before += 1;
        }
    }

    pub fn holds(&self, offset: u64) -> bool {
        offset < self.all_before || self.more.contains(&offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(offset: u64) -> Receipt<&'static str> {
        Receipt {
            offset,
            shard_id: "shardId-000000000000",
            sequence_number: "4959",
            sub_sequence_number: None,
            attempts: 1,
            may_repeat: false,
            time: 5,
        }
    }

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("receipts-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_receipt_that_was_cut_is_written_over_and_its_record_sent_again() {
        let path = path("cut");
        std::fs::remove_file(&path).ok();
        let mut receipts = Receipts::to_file(&path, false).unwrap();
        for offset in [0, 2, 1, 5] {
            receipts.add(receipt(offset)).unwrap();
        }
        receipts.flush().unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"offset\":3,").unwrap();

        let acknowledged = Acknowledged::read(&path).unwrap();
        let holds: Vec<_> = (0..7).filter(|offset| acknowledged.holds(*offset)).collect();
        assert_eq!(holds, [0, 1, 2, 5]);
        assert_eq!(acknowledged, Acknowledged { all_before: 3, more: [5].into() });

        assert!(Receipts::to_file(&path, false).is_err(), "receipts are not overwritten");
        let mut receipts = Receipts::to_file(&path, true).unwrap();
        receipts.add(receipt(3)).unwrap();
        receipts.flush().unwrap();
        let mut offsets = Vec::new();
        read(&path, |receipt| offsets.push(receipt.offset)).unwrap();
        assert_eq!(offsets, [0, 2, 1, 5, 3]);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn on_stdout_a_receipt_waits_for_those_before_it() {
        let mut in_order = InOrder::new(Output { format: crate::cli::Format::Json });
        for offset in [3, 4, 9] {
            in_order.slots.push_back((offset, Slot::Expected));
        }
        in_order.settle(4, Slot::Known(receipt(4).to_owned()));
        in_order.flush().unwrap();
        assert_eq!(in_order.slots.len(), 3);
        in_order.settle(3, Slot::Never);
        in_order.flush().unwrap();
        assert_eq!(in_order.slots.len(), 1);
    }
}
