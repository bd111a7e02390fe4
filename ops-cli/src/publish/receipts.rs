//! Receipts: where each record was put. To stdout in the order of the input, or to a file as they come, from which a
//! later run learns what it need not send again.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ledger::At;
use super::pack::Entry;
use super::receipt_lines::ReceiptLines;
use crate::error::{Error, Kind, Result};
use crate::output::{Output, Render};

/// Where a record was put.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// Which record of the input, counted from 0.
    pub offset: u64,
    pub shard_id: String,
    pub sequence_number: String,
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

impl Receipt {
    fn of((number, entry): (Option<u64>, &Entry), at: &At<'_>) -> Self {
        Self {
            offset: entry.record.place.offset,
            shard_id: at.shard_id.to_owned(),
            sequence_number: at.sequence_number.to_owned(),
            sub_sequence_number: number,
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

/// Where receipts go.
pub enum Receipts {
    Nowhere,
    Stdout(InOrder),
    File(ReceiptLines),
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
                // Of a file of something else the error says so.
                read(path, |_| {})?;
                return Err(Error::usage(format!("{name} holds receipts already"))
                    .hint(format!("go on there with --resume {name}, or name another file")));
            }
            let whole = whole_lines(&mut file).map_err(failed)?;
            file.set_len(whole).map_err(failed)?;
            file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        }
        Ok(Self::File(ReceiptLines::new(file, name)))
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

    /// A receipt for each entry of one put; with each which one of the aggregate it is, if it is one.
    pub fn add<'e>(&mut self, entries: impl Iterator<Item = (Option<u64>, &'e Entry)>, at: &At<'_>) -> Result<()> {
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
            Self::File(lines) => lines.flush().map_err(|error| unwritten(&lines.name, &error)),
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
///
/// # Errors
/// The last line is cut, and does not begin like a receipt: nothing of somebody else's file is cut off.
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

/// Whether these bytes are the beginning of a receipt, as it is written.
fn is_beginning(line: &[u8]) -> bool {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let is_any = |_| true;
    let parts: [(&[u8], &dyn Fn(u8) -> bool); 4] = [
        (b"{\"offset\":", &is_digit),
        (b",\"shardId\":\"", &is_id),
        (b"\",\"sequenceNumber\":\"", &is_digit),
        (b"\",\"", &is_any),
    ];
    let mut rest = line;
    for (name, is_value) in parts {
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

/// Calls `take` with each receipt of a file; a last line that was cut is none.
pub fn read(path: &Path, mut take: impl FnMut(Receipt)) -> Result<()> {
    let name = path.display();
    let unreadable = |error: io::Error| {
        Error::usage(format!("could not read {name}: {error}")).hint("it is the file that --receipts wrote")
    };
    let not_a_receipt = |number: u64, reason: &dyn std::fmt::Display| {
        Error::usage(format!("line {number} of {name} is not a receipt: {reason}"))
            .hint("name the file that --receipts wrote; this one is left as it is")
    };
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    while reader.read_until(b'\n', &mut line).map_err(unreadable)? > 0 {
        number += 1;
        if line.last() != Some(&b'\n') {
            if !is_beginning(&line) {
                return Err(not_a_receipt(number, &NOT_A_RECEIPT));
            }
            break;
        }
        line.pop();
        take(serde_json::from_slice(&line).map_err(|error| not_a_receipt(number, &error))?);
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

    /// The offset after the last.
    pub fn end(&self) -> u64 {
        self.more.last().map_or(self.all_before, |last| last + 1)
    }

    pub fn holds(&self, offset: u64) -> bool {
        offset < self.all_before || self.more.contains(&offset)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record::{Place, Record};
    use super::*;

    const AT: At<'_> = At { shard_id: "shardId-000000000000", sequence_number: "4959", time: 5 };

    fn entry(offset: u64) -> Entry {
        let place = Place { offset, input: 0, line: offset + 1 };
        Entry::of(Record::new(place, Vec::new(), &"k".into(), None))
    }

    fn add(receipts: &mut Receipts, offset: u64) {
        receipts.add([(None, &entry(offset))].into_iter(), &AT).unwrap();
    }

    #[test]
    fn a_line_is_the_receipt_in_json() {
        let path = path("line");
        std::fs::remove_file(&path).ok();
        let mut receipts = Receipts::to_file(&path, false).unwrap();
        let (plain, mut again) = (entry(0), entry(7));
        (again.attempts, again.may_be_put) = (3, true);
        let at = At { sequence_number: "\"1", ..AT };
        receipts.add([(None, &plain), (Some(4), &again)].into_iter(), &at).unwrap();
        receipts.flush().unwrap();
        let expected = [Receipt::of((None, &plain), &at), Receipt::of((Some(4), &again), &at)];
        let lines: String = expected.iter().map(|receipt| serde_json::to_string(receipt).unwrap() + "\n").collect();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
        std::fs::remove_file(&path).unwrap();
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
            add(&mut receipts, offset);
        }
        receipts.flush().unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"offset\":3,").unwrap();

        let acknowledged = Acknowledged::read(&path).unwrap();
        let holds: Vec<_> = (0..7).filter(|offset| acknowledged.holds(*offset)).collect();
        assert_eq!(holds, [0, 1, 2, 5]);
        assert_eq!(acknowledged, Acknowledged { all_before: 3, more: [5].into() });
        assert_eq!((acknowledged.end(), Acknowledged::default().end()), (6, 0));

        assert!(Receipts::to_file(&path, false).is_err(), "receipts are not overwritten");
        let mut receipts = Receipts::to_file(&path, true).unwrap();
        add(&mut receipts, 3);
        receipts.flush().unwrap();
        let mut offsets = Vec::new();
        read(&path, |receipt| offsets.push(receipt.offset)).unwrap();
        assert_eq!(offsets, [0, 2, 1, 5, 3]);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn every_beginning_of_a_receipt_is_one_and_nothing_else_is() {
        let mut sent = entry(12);
        sent.may_be_put = true;
        let receipt = serde_json::to_vec(&Receipt::of((Some(3), &sent), &AT)).unwrap();
        assert!((0..=receipt.len()).all(|end| is_beginning(&receipt[..end])));
        for other in
            ["hello", "\0\0\0", "{\"a", "{\"offset\":x", "{\"offset\":1,\"value\":2}", "{\"offset\":1}", " {\"off"]
        {
            assert!(!is_beginning(other.as_bytes()), "{other}");
        }
    }

    proptest! {
        /// No file is changed that is not a receipts file, whatever is in it and wherever it is cut.
        #[test]
        fn a_file_of_something_else_is_refused_and_left_as_it_is(
            content in prop_oneof!["[^{]{1,40}", "\\{\"n\":[0-9]{1,9}\\}\n?", "([ -~]{0,20}\n){0,3}[a-z]{1,9}"],
            receipts in 0_u64..3,
            go_on: bool,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let mut before = Vec::new();
            for offset in 0..receipts {
                serde_json::to_writer(&mut before, &Receipt::of((None, &entry(offset)), &AT)).unwrap();
                before.push(b'\n');
            }
            before.extend(content.as_bytes());
            std::fs::write(&path, &before).unwrap();
            prop_assert!(Acknowledged::read(&path).is_err());
            let opened = Acknowledged::read(&path).and_then(|_| Receipts::to_file(&path, go_on));
            prop_assert!(opened.is_err());
            prop_assert!(Receipts::to_file(&path, false).is_err());
            prop_assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn on_stdout_a_receipt_waits_for_those_before_it() {
        let mut in_order = InOrder::new(Output { format: crate::cli::Format::Json });
        for offset in [3, 4, 9] {
            in_order.slots.push_back((offset, Slot::Expected));
        }
        in_order.settle(4, Slot::Known(Receipt::of((None, &entry(4)), &AT)));
        in_order.flush().unwrap();
        assert_eq!(in_order.slots.len(), 3);
        in_order.settle(3, Slot::Never);
        in_order.flush().unwrap();
        assert_eq!(in_order.slots.len(), 1);
    }
}
