//! Reads the engine's journals without changing them. The format is that of fjall 3.1 (`journal/entry.rs`): a start with the number of
//! items and the engine's sequence number, then the items, then an end with their checksum.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::commits::PerTree;
use crate::store::layout::{MARKER_KEY, TREES};

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const TRAILER: [u8; 4] = *b"FJL\x03";
const START_BYTES: usize = 1 + 4 + 8;

/// The marker of a commit. Each tree that the commit writes to has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub number: u64,
    /// A lower bound of the commit's sequence number in the engine.
    pub floor: u64,
    /// The commits before this one, by tree.
    pub before: PerTree,
}

impl Marker {
    pub fn encode(&self) -> Vec<u8> {
        [self.number, self.floor].iter().chain(&self.before).flat_map(|number| number.to_le_bytes()).collect()
    }

    pub fn decode(value: &[u8]) -> Option<Self> {
        let (numbers, rest) = value.as_chunks::<8>();
        let numbers: [u64; 2 + TREES] =
            numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect::<Vec<_>>().try_into().ok()?;
        let [number, floor, before @ ..] = numbers;
        rest.is_empty().then_some(Self { number, floor, before })
    }
}

/// A whole write of the engine.
pub struct Batch<'a> {
    /// The byte range in the file.
    pub span: Range<usize>,
    pub seqno: u64,
    pub items: Vec<Item<'a>>,
}

pub struct Item<'a> {
    /// The index of the tree, from 0. `None` for a keyspace of the engine that is not one of our trees.
    pub tree: Option<usize>,
    pub key: &'a [u8],
    pub value: &'a [u8],
    /// The encoded item.
    pub bytes: &'a [u8],
}

impl Item<'_> {
    pub fn is_marker(&self) -> bool {
        self.key == MARKER_KEY
    }
}

impl Batch<'_> {
    /// The commit's marker. `None` for a commit of an earlier version, which had no numbers.
    pub fn marker(&self) -> Option<Marker> {
        self.items.iter().find(|item| item.is_marker()).and_then(|item| Marker::decode(item.value))
    }
}

/// A part of a journal.
pub enum Piece<'a> {
    Batch(Batch<'a>),
    /// Not a valid write. A valid write follows it.
    Damaged(Range<usize>),
    /// Not a valid write, and no valid write follows it, for example after a kill during a write.
    Torn(Range<usize>),
}

/// The pieces of a journal in order, without the zeros at its end.
pub fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let bytes = without_zeros(bytes);
    let (mut at, mut found) = (0, None);
    std::iter::from_fn(move || {
        if at == bytes.len() {
            return None;
        }
        if let Some(batch) = found.take().or_else(|| batch_at(bytes, at)) {
            at = batch.span.end;
            return Some(Piece::Batch(batch));
        }
        let begin = at;
        found = memchr::memchr_iter(START, &bytes[begin..]).find_map(|offset| batch_at(bytes, begin + offset));
        at = found.as_ref().map_or(bytes.len(), |batch| batch.span.start);
        Some(if found.is_some() { Piece::Damaged(begin..at) } else { Piece::Torn(begin..at) })
    })
}

/// A journal without its zeros. The engine preallocates a journal, filled with zeros. No write ends with a zero.
pub fn without_zeros(bytes: &[u8]) -> &[u8] {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut end = bytes.len();
    while end > 0 {
        let begin = end.saturating_sub(ZEROS.len());
        if bytes[begin..end] != ZEROS[..end - begin] {
            let last = bytes[begin..end].iter().rposition(|byte| *byte != 0);
            return &bytes[..begin + last.map_or(0, |last| last + 1)];
        }
        end = begin;
    }
    &[]
}

fn batch_at(bytes: &[u8], begin: usize) -> Option<Batch<'_>> {
    let mut reader = Reader { bytes, at: begin };
    if reader.array()? != [START] {
        return None;
    }
    let count = u32::from_le_bytes(reader.array()?);
    let seqno = u64::from_le_bytes(reader.array()?);
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(reader.item()?);
    }
    let end = reader.at;
    if reader.array()? != [END] || reader.array()? != xxh3_64(&bytes[begin + START_BYTES..end]).to_le_bytes() {
        return None;
    }
    let is_whole = count > 0 && reader.array()? == TRAILER;
    let batch = Batch { span: begin..reader.at, seqno, items };
    // The engine's checksum does not cover the start, so the marker bounds the sequence number. The engine uses a few numbers for its
    // own work.
    let is_expected = batch.marker().is_none_or(|marker| (marker.floor..marker.floor + 1024).contains(&seqno));
    (is_whole && is_expected).then_some(batch)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.bytes.get(self.at..)?.get(..count)?;
        self.at += count;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    /// Reads an item. A removal has no value. Items are never compressed, and other kinds of entries are not used.
    fn item(&mut self) -> Option<Item<'a>> {
        let begin = self.at;
        let [tag, kind, compression] = self.array()?;
        if tag != ITEM || kind > 1 || compression != 0 {
            return None;
        }
        let keyspace = u64::from_le_bytes(self.array()?);
        let key = u16::from_le_bytes(self.array()?).into();
        let value = u32::from_le_bytes(self.array()?);
        if value != u32::from_le_bytes(self.array()?) {
            return None;
        }
        let (key, value) = (self.take(key)?, self.take(value as usize)?);
        let tree = usize::try_from(keyspace).ok()?.checked_sub(1).filter(|tree| *tree < TREES);
        Some(Item { tree, key, value, bytes: &self.bytes[begin..self.at] })
    }
}

/// A write without its markers. `None` if nothing else is in it.
pub fn without_marker(batch: &Batch<'_>) -> Option<Vec<u8>> {
    let items: Vec<_> = batch.items.iter().filter(|item| !item.is_marker()).map(|item| item.bytes).collect();
    let count = u32::try_from(items.len()).ok().filter(|count| *count > 0)?;
    let mut bytes = vec![START];
    bytes.extend(count.to_le_bytes());
    bytes.extend(batch.seqno.to_le_bytes());
    bytes.extend(items.concat());
    let checksum = xxh3_64(&bytes[START_BYTES..]);
    bytes.push(END);
    bytes.extend(checksum.to_le_bytes());
    bytes.extend(TRAILER);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(seqno: u64, value: &[u8]) -> Vec<u8> {
        let item = [&[ITEM, 0, 0][..], &2u64.to_le_bytes(), &1u16.to_le_bytes()].concat();
        let length = u32::try_from(value.len()).unwrap().to_le_bytes();
        let item = [&item[..], &length, &length, b"k", value].concat();
        let batch = Batch { span: 0..0, seqno, items: vec![Item { tree: Some(1), key: b"k", value, bytes: &item }] };
        without_marker(&batch).unwrap()
    }

    fn shown(bytes: &[u8]) -> Vec<String> {
        let show = |piece| match piece {
            Piece::Batch(batch) => format!("{} {:?}", batch.seqno, batch.span),
            Piece::Damaged(span) => format!("damaged {span:?}"),
            Piece::Torn(span) => format!("torn {span:?}"),
        };
        pieces(bytes).map(show).collect()
    }

    #[test]
    fn a_tail_is_torn_only_if_nothing_valid_follows() {
        let (one, two) = (write(1, b"a"), write(2, &[1; 40]));
        let first = one.len();
        let whole = [&one[..], &two, &[0; 100]].concat();
        let end = first + two.len();
        assert_eq!(shown(&whole), [format!("1 0..{first}"), format!("2 {first}..{end}")]);
        assert_eq!(shown(&whole[..end - 1]), [format!("1 0..{first}"), format!("torn {first}..{}", end - 1)]);
        let mut flipped = whole.clone();
        flipped[first - 20] ^= 4;
        assert_eq!(shown(&flipped), [format!("damaged 0..{first}"), format!("2 {first}..{end}")]);
        assert!(shown(&[0; 200_000]).is_empty() && shown(&[]).is_empty());
    }

    #[test]
    fn a_marker_bounds_the_sequence_number_of_its_write() {
        let marker = Marker { number: 7, floor: 3, before: [1, 2, 6] };
        assert_eq!(Marker::decode(&marker.encode()), Some(marker));
        assert_eq!(Marker::decode(b"short"), None);
    }
}
