//! Reads records: lines, base64 lines, entries of PutRecords, or whole inputs.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, Read};

use kinesis_event_logger_core::limits;
use kinesis_event_logger_core::route::parse_hash_key;
use memchr::memchr;
use serde::Deserialize;

use super::compress::Compressor;
use super::encoding::{advice, of_wide_ascii, of_wide_line, without_mark};
use super::keys::{self, Keys};
use super::memory;
use super::record::{InputPosition, Key, Record};
use super::replay::{Arrival, problem};
use super::source::{Inputs, Source};

/// The room for keys and JSON around an entry's data. Keys may be written in escapes of 6 bytes per character.
const ENTRY_OVERHEAD_BYTES: usize = 4096;

/// What to do about most rejected input.
const CORRECT_IT: &str = "correct the input or split the record, or go on past such records with --dead-letter FILE";

/// Input that could not become a record.
#[derive(Debug)]
pub struct RejectedInput {
    pub place: InputPosition,
    /// The reason, which completes the sentence that begins with the position.
    pub reason: String,
    /// The input as far as it was read; of an entry its data, if that could be decoded.
    pub data: Vec<u8>,
    /// `data` is truncated.
    pub is_cut: bool,
    /// The input has another form than the options say, so that reading more of it is useless.
    pub is_other_form: bool,
    /// What to do about it.
    pub remedy: &'static str,
    /// The partition key and the explicit hash key, if they could be determined.
    pub keys: Option<Box<EntryKeys>>,
}

/// A partition key, and an explicit hash key.
pub type EntryKeys = (String, Option<u128>);

impl RejectedInput {
    fn new(place: InputPosition, reason: impl Into<String>, data: Vec<u8>) -> Self {
        Self { place, reason: reason.into(), data, is_cut: false, is_other_form: false, remedy: CORRECT_IT, keys: None }
    }
}

/// The form of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// One record per line.
    Lines,
    /// One record per input.
    Whole,
    /// One record per line, in base64.
    Base64,
    /// One record per line, as an entry of PutRecords: its key, and its data in base64.
    Entries,
}

impl Form {
    /// The most bytes of input that one record can have.
    fn longest(self, max_bytes: usize) -> usize {
        match self {
            Self::Lines | Self::Whole => max_bytes,
            Self::Base64 => max_bytes.div_ceil(3) * 4,
            Self::Entries => max_bytes.div_ceil(3) * 4 + ENTRY_OVERHEAD_BYTES,
        }
    }
}

/// A line of `--entries`. Dead letters have the same form.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InputEntry<'a> {
    partition_key: Option<String>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    explicit_hash_key: Option<String>,
    /// The time at which the record arrived on the stream it was read from.
    approximate_arrival_timestamp: Option<Arrival>,
    /// In a dead letter: the data is truncated.
    #[serde(default, rename = "truncated")]
    is_truncated: bool,
}

/// Text that is borrowed if it has no escapes, because it may be large.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An iterator over the records of the inputs.
pub struct RecordReader {
    inputs: Inputs,
    form: Form,
    keys: Keys,
    compressor: Option<Compressor>,
    /// The most bytes of input that one record can have.
    longest: usize,
    max_bytes: usize,
    offset: u64,
    line: u64,
    /// The arrival time of the last record, if its entry has one.
    pub arrival: Option<Arrival>,
    needs_arrival: bool,
}

impl RecordReader {
    /// Reads the records of a source. A record has at most `max_bytes`, including its key.
    pub fn of(source: Source, form: Form, keys: Keys, compressor: Option<Compressor>, max_bytes: usize) -> Self {
        // Data over the limit may be within it after compression.
        let most_data = if compressor.is_some() { limits::RECORD_BYTES_HIGHEST } else { max_bytes };
        let longest = form.longest(most_data);
        let is_argument = source.is_argument();
        let inputs = source.into_inputs(form != Form::Whole || is_argument);
        Self {
            inputs,
            form,
            keys,
            compressor,
            longest,
            max_bytes,
            offset: 0,
            line: 0,
            arrival: None,
            needs_arrival: false,
        }
    }

    /// Rejects entries without an arrival time.
    pub fn with_arrivals(self, needs_arrival: bool) -> Self {
        Self { needs_arrival, ..self }
    }

    /// Whether reading the next record may block. Records that were read before should not wait for it.
    pub fn may_block(&self) -> bool {
        memchr(b'\n', self.inputs.buffered()).is_none()
    }

    fn place(&self) -> InputPosition {
        InputPosition { offset: self.offset, input: self.inputs.number(), line: self.line }
    }

    /// Reads the raw bytes of the next record, up to the size limit of a record.
    fn next_raw(&mut self) -> io::Result<Next> {
        let longest = self.longest;
        let Some(input) = self.inputs.current()? else { return Ok(Next::End) };
        if self.form == Form::Whole {
            if self.line > 0 {
                return Ok(Next::EndOfInput);
            }
            self.line = 1;
            let mut data = memory::large();
            input.take(longest as u64 + 1).read_to_end(&mut data)?;
            let is_cut = data.len() > longest;
            return Ok(Next::Raw(Raw { data: memory::fitting(data), is_too_long: is_cut, is_cut }));
        }
        self.line += 1;
        let buffered = input.fill_buf()?;
        if let Some(end) = memchr(b'\n', &buffered[..buffered.len().min(longest + 1)]) {
            let line = &buffered[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let mut data = Vec::with_capacity(line.len() + Record::ROOM_FOR_KEY);
            data.extend_from_slice(line);
            input.consume(end + 1);
            return Ok(Next::Raw(Raw { data, is_too_long: false, is_cut: false }));
        }
        let mut data = memory::large();
        // Limits the line's length: input without line ends must not fill the memory.
        if input.take(longest as u64 + 2).read_until(b'\n', &mut data)? == 0 {
            return Ok(Next::EndOfInput);
        }
        let mut is_cut = false;
        if data.last() == Some(&b'\n') {
            data.pop();
            if data.last() == Some(&b'\r') {
                data.pop();
            }
        } else if data.len() > longest {
            is_cut = !matches!(input.fill_buf()?.first(), None | Some(b'\n'));
            input.skip_until(b'\n')?;
        }
        let is_too_long = data.len() > longest;
        Ok(Next::Raw(Raw { data: memory::fitting(data), is_too_long, is_cut }))
    }

    fn record(&mut self, raw: Raw) -> Result<Record, RejectedInput> {
        let mut place = self.place();
        if self.form == Form::Whole {
            place.line = 0;
        }
        self.offset += 1;
        let Raw { mut data, is_too_long, is_cut } = raw;
        if self.form == Form::Entries && place.line == 1 && is_array(&data) {
            let reason = format!("begins a JSON array, {NOT_NDJSON} (`jq -c '.[]'` converts an array)");
            let remedy = "write one entry per line, or leave out --entries to publish each line as it is";
            return Err(RejectedInput { is_other_form: true, remedy, ..RejectedInput::new(place, reason, Vec::new()) });
        }
        let max_bytes = self.max_bytes;
        let too_large = || format!("is too large: a record has at most {max_bytes} bytes, including its key");
        if is_too_long {
            let keys = self.known_keys();
            return Err(RejectedInput { is_cut, keys, ..RejectedInput::new(place, too_large(), data) });
        }
        self.arrival = None;
        let (key, explicit_hash_key) = match parse(self.form, &mut self.keys, &mut data, &mut self.arrival) {
            Ok(keys) => keys,
            Err(InvalidRecord { reason, keys, is_cut }) => {
                return Err(RejectedInput { keys, is_cut, ..RejectedInput::new(place, reason, data) });
            }
        };
        let unplayable = if self.needs_arrival { problem(self.arrival, now_seconds()) } else { None };
        if let Some(reason) = unplayable {
            let keys = Some(Box::new((key.text.clone(), explicit_hash_key)));
            return Err(RejectedInput { keys, ..RejectedInput::new(place, reason, data) });
        }
        let rejected = |reason, data| {
            let keys = Some(Box::new((key.text.clone(), explicit_hash_key)));
            Err(RejectedInput { keys, ..RejectedInput::new(place, reason, data) })
        };
        let compressed = match self.compressor.as_mut().map(|compressor| compressor.compress(&data)).transpose() {
            Ok(compressed) => compressed,
            Err(error) => return rejected(format!("could not be compressed: {error}"), data),
        };
        if compressed.as_ref().map_or(data.len(), Vec::len) + key.text.len() > max_bytes {
            return rejected(too_large(), data);
        }
        Ok(Record::new(place, compressed.unwrap_or(data), &key, explicit_hash_key))
    }

    /// Returns the encoding if the input's first line has wider units than UTF-8.
    fn wide_encoding(&self, line: &[u8]) -> Option<&'static str> {
        of_wide_line(line).filter(|_| self.form == Form::Lines && self.line == 1)
    }

    /// Ends an input that cannot be read, and returns the error in place of its next record.
    fn unreadable(&mut self, reason: &dyn fmt::Display) -> Result<Record, RejectedInput> {
        const REMEDY: &str = "nothing more of this input is read; --dead-letter FILE goes on with the others";
        let rejected = RejectedInput::new(self.place(), format!("could not be read: {reason}"), Vec::new());
        self.offset += 1;
        Err(RejectedInput { remedy: REMEDY, ..rejected })
    }

    /// The keys of a record that was not read completely. Encoded input is not the record's data, so that no key can be
    /// derived from it.
    fn known_keys(&mut self) -> Option<Box<EntryKeys>> {
        if !matches!(self.form, Form::Lines | Form::Whole) {
            return None;
        }
        let explicit_hash_key = self.keys.explicit_hash_key;
        self.keys.without_data().map(|key| Box::new((key.text.clone(), explicit_hash_key)))
    }
}

/// The next item of the input.
enum Next {
    Raw(Raw),
    EndOfInput,
    End,
}

/// The bytes of a record as in the input.
struct Raw {
    data: Vec<u8>,
    is_too_long: bool,
    /// The record had more bytes than these.
    is_cut: bool,
}

/// The reason why input cannot become a record.
struct InvalidRecord {
    reason: String,
    keys: Option<Box<EntryKeys>>,
    is_cut: bool,
}

impl<T: Into<String>> From<T> for InvalidRecord {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), keys: None, is_cut: false }
    }
}

/// Parses the input in place, because it may be large: `line` then holds the record's data. Returns its partition key and
/// its explicit hash key.
fn parse<'k>(
    form: Form,
    keys: &'k mut Keys,
    data: &mut Vec<u8>,
    arrival: &mut Option<Arrival>,
) -> Result<(Cow<'k, Key>, Option<u128>), InvalidRecord> {
    let explicit_hash_key = keys.explicit_hash_key;
    match form {
        Form::Lines | Form::Whole => Ok((Cow::Borrowed(keys.of(data)?), explicit_hash_key)),
        Form::Base64 => {
            strip_mark(data);
            base64_simd::STANDARD.check(data).map_err(|_| match of_wide_ascii(data) {
                Some(encoding) => format!("is not base64: {}", advice(encoding)),
                None => "is not valid base64".to_owned(),
            })?;
            decode(data);
            Ok((Cow::Borrowed(keys.of(data)?), explicit_hash_key))
        }
        Form::Entries => {
            strip_mark(data);
            let (key, explicit_hash_key) = parse_entry(data, arrival)?;
            Ok((Cow::Owned(key.into()), explicit_hash_key))
        }
    }
}

/// Strips a byte order mark. Concatenated files have some within them, and neither base64 nor JSON contains any.
fn strip_mark(line: &mut Vec<u8>) {
    let mark = line.len() - without_mark(line).len();
    line.drain(..mark);
}

const NOT_NDJSON: &str = "and --entries expects NDJSON with one entry per line";

/// Whether a line begins a JSON array.
fn is_array(line: &[u8]) -> bool {
    without_mark(line).trim_ascii_start().first() == Some(&b'[')
}

/// Explains why a line is not an entry.
fn not_an_entry(line: &[u8], error: &serde_json::Error) -> String {
    let first = line.trim_ascii_start().first();
    match of_wide_ascii(line) {
        Some(encoding) => format!("is not an entry: {}", advice(encoding)),
        None if error.is_eof() => format!("is not a whole JSON object, {NOT_NDJSON}"),
        None if error.is_data() && first != Some(&b'{') => format!("is not a JSON object, {NOT_NDJSON}"),
        None => format!("is not an entry: {error}"),
    }
}

/// Parses an entry and leaves its data in place. On error the data remains if it could be decoded, so that the dead letter
/// is an entry again.
fn parse_entry(line: &mut Vec<u8>, arrival: &mut Option<Arrival>) -> Result<EntryKeys, InvalidRecord> {
    if is_array(line) {
        return Err(format!("is a JSON array, {NOT_NDJSON}").into());
    }
    let entry: InputEntry = serde_json::from_slice(line).map_err(|error| not_an_entry(line, &error))?;
    let InputEntry { partition_key, data, explicit_hash_key, approximate_arrival_timestamp, is_truncated } = entry;
    *arrival = approximate_arrival_timestamp;
    let Text(data) = data.ok_or("has no Data")?;
    base64_simd::STANDARD.check(data.as_bytes()).map_err(|_| "has Data that is not valid base64")?;
    let within = match data {
        Cow::Borrowed(text) => Ok((text.as_ptr().addr() - line.as_ptr().addr(), text.len())),
        Cow::Owned(text) => Err(text),
    };
    match within {
        Ok((start, length)) => {
            line.copy_within(start..start + length, 0);
            line.truncate(length);
        }
        Err(text) => *line = text.into_bytes(),
    }
    decode(line);
    match (entry_keys(partition_key, explicit_hash_key.as_deref()), is_truncated) {
        (Ok(keys), false) => Ok(keys),
        (keys, true) => {
            let reason = "contains only the beginning of its record: publish the record from its source".into();
            Err(InvalidRecord { reason, keys: keys.ok().map(Box::new), is_cut: true })
        }
        (Err(reason), false) => Err(reason.into()),
    }
}

fn entry_keys(partition_key: Option<String>, explicit_hash_key: Option<&str>) -> Result<EntryKeys, String> {
    let partition_key = partition_key.ok_or("has no PartitionKey")?;
    keys::check(&partition_key).map_err(|reason| format!("has a PartitionKey that {reason}"))?;
    let hash_key = explicit_hash_key.map(parse_hash_key).transpose();
    Ok((partition_key, hash_key.map_err(|reason| format!("has an invalid ExplicitHashKey: {reason}"))?))
}

/// Decodes text that was checked to be base64.
fn decode(text: &mut Vec<u8>) {
    let length = base64_simd::STANDARD.decode_inplace(text).expect("it was checked to be base64").len();
    text.truncate(length);
}

impl Iterator for RecordReader {
    type Item = Result<Record, RejectedInput>;

    /// Line endings are not part of the data. Empty lines are skipped.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let ended = match self.next_raw() {
                Ok(Next::End) => return None,
                Ok(Next::Raw(raw)) if raw.data.is_empty() && self.form != Form::Whole => continue,
                Ok(Next::Raw(raw)) => match self.wide_encoding(&raw.data) {
                    Some(name) => Some(self.unreadable(&advice(name))),
                    None => return Some(self.record(raw)),
                },
                Ok(Next::EndOfInput) => None,
                Err(error) => Some(self.unreadable(&error)),
            };
            self.inputs.advance();
            self.line = 0;
            if ended.is_some() {
                return ended;
            }
        }
    }
}

fn now_seconds() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1e3
}

#[cfg(test)]
mod tests;
