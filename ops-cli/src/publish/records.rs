//! Records as they are read: lines, base64 lines, entries of PutRecords, or whole inputs.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use kinesis_event_logger_core::{limits, parse_hash_key};
use memchr::memchr;
use serde::Deserialize;

use super::compress::Compressor;
use super::keys::{self, Keys};
use super::memory;
use super::record::{Key, Place, Record};
use super::source::{Inputs, Source};
use crate::cli::Publish;

/// A record's data in an entry is base64, and its keys may be written in escapes of 6 bytes.
const ENTRY_OVERHEAD_BYTES: usize = 4096;

/// What could not become a record.
#[derive(Debug)]
pub struct Rejected {
    pub place: Place,
    /// Completes the sentence that begins with the place.
    pub reason: String,
    /// The input as it stood there, as far as it was read.
    pub data: Vec<u8>,
}

/// What the input is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Form {
    /// A record a line.
    Lines,
    /// A record an input.
    Whole,
    /// A record a line, as base64.
    Base64,
    /// A record a line, as an entry of PutRecords: its key, and its data as base64.
    Entries,
}

impl Form {
    pub fn of(args: &Publish) -> Self {
        match args {
            _ if args.data.is_some() || args.whole => Self::Whole,
            _ if args.base64 => Self::Base64,
            _ if args.entries => Self::Entries,
            _ => Self::Lines,
        }
    }

    /// The bytes of input that one record can take.
    fn longest(self, max_bytes: usize) -> usize {
        match self {
            Self::Lines | Self::Whole => max_bytes,
            Self::Base64 => max_bytes.div_ceil(3) * 4,
            Self::Entries => max_bytes.div_ceil(3) * 4 + ENTRY_OVERHEAD_BYTES,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    partition_key: String,
    #[serde(borrow)]
    data: Cow<'a, str>,
    explicit_hash_key: Option<String>,
}

/// Records, one at a time.
pub struct Records {
    inputs: Inputs,
    form: Form,
    keys: Keys,
    compressor: Option<Compressor>,
    /// Bytes of input that one record can take.
    longest: usize,
    max_bytes: usize,
    offset: u64,
    line: u64,
}

impl Records {
    /// Those of a source. One has `max_bytes` at most, its key included.
    pub fn of(source: Source, form: Form, keys: Keys, compressor: Option<Compressor>, max_bytes: usize) -> Self {
        // What is too large may be small enough when it is compressed.
        let most_data = if compressor.is_some() { limits::RECORD_BYTES_HIGHEST } else { max_bytes };
        let longest = form.longest(most_data);
        Self { inputs: source.into_inputs(), form, keys, compressor, longest, max_bytes, offset: 0, line: 0 }
    }

    /// Whether the next record may be a while in coming: what was read until now should not wait for it.
    pub fn may_block(&self) -> bool {
        memchr(b'\n', self.inputs.buffered()).is_none()
    }

    fn place(&self) -> Place {
        Place { offset: self.offset, input: self.inputs.number(), line: self.line }
    }

    /// The raw bytes of the input's next record; whether they were cut, being too long for any record.
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
            return Ok(Next::Raw(memory::fitting(data), is_cut));
        }
        self.line += 1;
        let buffered = input.fill_buf()?;
        if let Some(end) = memchr(b'\n', &buffered[..buffered.len().min(longest + 1)]) {
            let line = &buffered[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let mut data = Vec::with_capacity(line.len() + Record::ROOM_FOR_KEY);
            data.extend_from_slice(line);
            input.consume(end + 1);
            return Ok(Next::Raw(data, false));
        }
        let mut data = memory::large();
        // No further than a record may be long: input without line ends does not fill the memory.
        if input.take(longest as u64 + 2).read_until(b'\n', &mut data)? == 0 {
            return Ok(Next::EndOfInput);
        }
        let is_whole = data.last() == Some(&b'\n');
        if is_whole {
            data.pop();
            if data.last() == Some(&b'\r') {
                data.pop();
            }
        } else if data.len() > longest {
            input.skip_until(b'\n')?;
        }
        let is_cut = data.len() > longest;
        Ok(Next::Raw(memory::fitting(data), is_cut))
    }

    fn record(&mut self, mut data: Vec<u8>, is_cut: bool) -> Result<Record, Rejected> {
        let mut place = self.place();
        if self.form == Form::Whole {
            place.line = 0;
        }
        self.offset += 1;
        let max_bytes = self.max_bytes;
        let too_large = || format!("is too large: a record has {max_bytes} bytes at most, its key included");
        if is_cut {
            return Err(Rejected { place, reason: too_large(), data });
        }
        let (key, explicit_hash_key) = match parse(self.form, &mut self.keys, &mut data) {
            Ok(keys) => keys,
            Err(reason) => return Err(Rejected { place, reason, data }),
        };
        let compressed = match self.compressor.as_mut().map(|compressor| compressor.compress(&data)).transpose() {
            Ok(compressed) => compressed,
            Err(error) => return Err(Rejected { place, reason: format!("could not be compressed: {error}"), data }),
        };
        if compressed.as_ref().map_or(data.len(), Vec::len) + key.text.len() > max_bytes {
            return Err(Rejected { place, reason: too_large(), data });
        }
        Ok(Record::new(place, compressed.unwrap_or(data), &key, explicit_hash_key))
    }
}

/// What comes next in the input.
enum Next {
    /// The bytes of a record; whether they were cut.
    Raw(Vec<u8>, bool),
    EndOfInput,
    End,
}

/// Leaves of what was read the record's data, in place: it may be large. Its partition key, and its explicit hash key.
fn parse<'k>(form: Form, keys: &'k mut Keys, data: &mut Vec<u8>) -> Result<(Cow<'k, Key>, Option<u128>), String> {
    let explicit_hash_key = keys.explicit_hash_key;
    match form {
        Form::Lines | Form::Whole => Ok((Cow::Borrowed(keys.of(data)?), explicit_hash_key)),
        Form::Base64 => {
            base64_simd::STANDARD.check(data).map_err(|_| "is not valid base64")?;
            decode(data);
            Ok((Cow::Borrowed(keys.of(data)?), explicit_hash_key))
        }
        Form::Entries => {
            let Entry { partition_key, data: text, explicit_hash_key } =
                serde_json::from_slice(data).map_err(|error| format!("is not an entry: {error}"))?;
            keys::check(&partition_key).map_err(|reason| format!("has a PartitionKey that {reason}"))?;
            let hash_key = explicit_hash_key.as_deref().map(parse_hash_key).transpose();
            let hash_key = hash_key.map_err(|reason| format!("has an ExplicitHashKey, which {reason}"))?;
            base64_simd::STANDARD.check(text.as_bytes()).map_err(|_| "has Data that is not valid base64")?;
            let within = match text {
                Cow::Borrowed(text) => Ok((text.as_ptr().addr() - data.as_ptr().addr(), text.len())),
                Cow::Owned(text) => Err(text),
            };
            match within {
                Ok((start, length)) => {
                    data.copy_within(start..start + length, 0);
                    data.truncate(length);
                }
                Err(text) => *data = text.into_bytes(),
            }
            decode(data);
            Ok((Cow::Owned(partition_key.into()), hash_key))
        }
    }
}

/// Decodes base64, which it is known to be.
fn decode(text: &mut Vec<u8>) {
    let length = base64_simd::STANDARD.decode_inplace(text).expect("it was checked to be base64").len();
    text.truncate(length);
}

impl Iterator for Records {
    type Item = Result<Record, Rejected>;

    /// Line endings are not part of the data; empty lines are no records.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let ended = match self.next_raw() {
                Ok(Next::End) => return None,
                Ok(Next::Raw(raw, _)) if raw.is_empty() && self.form != Form::Whole => continue,
                Ok(Next::Raw(raw, is_cut)) => return Some(self.record(raw, is_cut)),
                Ok(Next::EndOfInput) => None,
                Err(error) => {
                    let reason = format!("could not be read: {error}");
                    let rejected = Rejected { place: self.place(), reason, data: Vec::new() };
                    self.offset += 1;
                    Some(Err(rejected))
                }
            };
            self.inputs.advance();
            self.line = 0;
            if ended.is_some() {
                return ended;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(more: &[&str]) -> Publish {
        match Cli::parse_from(["ops-cli", "publish"].iter().chain(more)).command {
            Command::Publish(args) => args,
            _ => unreachable!("it is publish"),
        }
    }

    fn all(input: &[u8], more: &[&str], max_bytes: usize) -> Vec<Result<Record, Rejected>> {
        let args = args(more);
        let keys = Keys::new(&args).unwrap();
        let compressor = args.compress.map(|compression| Compressor::new(compression).unwrap());
        let source = Source::of_bytes("test", input.to_vec());
        Records::of(source, Form::of(&args), keys, compressor, max_bytes).collect()
    }

    fn data(input: &[u8], more: &[&str]) -> Vec<Vec<u8>> {
        all(input, more, 100).into_iter().map(|record| record.unwrap().data().to_vec()).collect()
    }

    fn refused(input: &[u8], more: &[&str]) -> String {
        let rejected = all(input, more, 100).into_iter().find_map(Result::err).unwrap();
        format!("{} {}", rejected.place.of(&["test".to_owned()]), rejected.reason)
    }

    #[test]
    fn one_record_a_line_without_its_end() {
        assert_eq!(data(b"a\nb\r\n\nc", &[]), [b"a", b"b", b"c"]);
        assert_eq!(data(b"a\rb\n", &[]), [b"a\rb"]);
        assert!(data(b"\n\n", &[]).is_empty());
    }

    #[test]
    fn what_is_too_large_may_be_small_enough_compressed() {
        let line = b"x".repeat(1000);
        assert!(refused(&line, &[]).contains("100 bytes at most"));
        assert!(data(&line, &["--compress", "zstd"])[0].len() < 100);
        let random: Vec<u8> = (0..1000).map(|_| fastrand::u8(b'a'..)).collect();
        let rejected = all(&random, &["--whole", "--compress", "gzip"], 100).remove(0).unwrap_err();
        assert_eq!(rejected.data, random, "as it was before it was compressed");
    }

    #[test]
    fn a_whole_input_and_base64_lines() {
        assert_eq!(data(b"a\nb\n", &["--whole"]), [b"a\nb\n"]);
        assert_eq!(data(b"SGVsbG8=\n/w==\n", &["--base64"]), [&b"Hello"[..], b"\xff"]);
        assert_eq!(refused(b"SGVsbG8=\n%%%\n", &["--base64"]), "line 2 of test is not valid base64");
    }

    #[test]
    fn entries_carry_their_keys() {
        let line = br#"{"PartitionKey":"k","Data":"SGVsbG8=","ExplicitHashKey":"7","more":1}"#;
        let escaped = br#"{"PartitionKey":"k","Data":"\/w=="}"#;
        assert_eq!(data(escaped, &["--entries"]), [b"\xff"]);
        let record = all(line, &["--entries"], 100).remove(0).unwrap();
        assert_eq!((record.partition_key(), record.data()), ("k", &b"Hello"[..]));
        assert_eq!(record.hash_key, 7);
        let without = refused(br#"{"Data":""}"#, &["--entries"]);
        assert!(without.starts_with("line 1 of test is not an entry: missing field `PartitionKey`"), "{without}");
        let wrong = refused(br#"{"PartitionKey":"k","Data":"","ExplicitHashKey":"07"}"#, &["--entries"]);
        assert!(wrong.contains("ExplicitHashKey, which takes a decimal number below 2^128"), "{wrong}");
    }

    #[test]
    fn a_line_over_the_limit_is_named_and_the_next_one_read() {
        // 99 bytes and a key of one are 100.
        let lines: Vec<Vec<u8>> = [99, 100, 102, 103, 5000, 1].map(|length| vec![b'x'; length]).into();
        let read = all(&lines.join(&b'\n'), &["--key", "k"], 100);
        let lengths: Vec<_> = read.iter().map(|read| read.as_ref().map(|record| record.data().len()).ok()).collect();
        assert_eq!(lengths, [Some(99), None, None, None, None, Some(1)]);
        let rejected = read[2].as_ref().unwrap_err();
        assert_eq!((rejected.place.offset, rejected.place.line), (2, 3));
        assert!(rejected.reason.starts_with("is too large: a record has 100 bytes"));
    }

    #[test]
    fn a_key_of_many_bytes_counts_in_bytes() {
        assert!(all("x".repeat(98).as_bytes(), &["--key", "é"], 100)[0].is_ok());
        assert!(all("x".repeat(99).as_bytes(), &["--key", "é"], 100)[0].is_err());
    }

    #[test]
    fn a_missing_field_is_named_with_its_line() {
        let input = b"{\"id\":1}\n{}\n";
        assert_eq!(refused(input, &["--key-field", "/id"]), "line 2 of test has no field /id");
    }
}
