//! Where records come from: the argument, or files and stdin. Read by one thread, a little ahead of what is sent.

use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kinesis_event_logger_core::{limits, parse_hash_key};
use memchr::memchr;
use serde::Deserialize;

use super::compress::Compressor;
use super::keys::{self, Keys};
use super::memory;
use super::record::{Key, Place, Record};
use crate::cli::Publish;
use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 256 * 1024;
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

/// The inputs, opened.
pub struct Source {
    inputs: Vec<Input>,
    pub names: Arc<[String]>,
    /// Bytes in all, if that is known before they are read.
    pub total_bytes: Option<u64>,
    /// Bytes read so far.
    pub read_bytes: Arc<AtomicU64>,
}

type Input = BufReader<Counted>;

impl Source {
    /// Opens every input, so that what cannot be read is known before anything is sent.
    pub fn open(args: &Publish) -> Result<Self> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let mut source = Self { inputs: Vec::new(), names: Arc::new([]), total_bytes: Some(0), read_bytes };
        let mut names = Vec::new();
        let stdin = [Path::new("-").to_owned()];
        match &args.data {
            Some(data) => {
                names.push("the argument".to_owned());
                source.add(Box::new(Cursor::new(data.clone().into_bytes())), Some(data.len() as u64));
            }
            None => {
                for path in if args.file.is_empty() { &stdin[..] } else { &args.file } {
                    names.push(source.add_path(path)?);
                }
            }
        }
        source.names = names.into();
        Ok(source)
    }

    /// Input that is already in memory.
    pub fn of_bytes(name: &str, data: Vec<u8>) -> Self {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let mut source = Self { inputs: Vec::new(), names: [name.to_owned()].into(), total_bytes: Some(0), read_bytes };
        source.add(Box::new(Cursor::new(data)), None);
        source
    }

    fn add_path(&mut self, path: &Path) -> Result<String> {
        if path == Path::new("-") {
            self.add(Box::new(io::stdin()), None);
            return Ok("stdin".into());
        }
        let (file, length) = open(path).map_err(|error| unreadable(&path.display(), &error))?;
        self.add(Box::new(file), length);
        Ok(path.display().to_string())
    }

    fn add(&mut self, reader: Box<dyn Read + Send>, length: Option<u64>) {
        self.total_bytes = self.total_bytes.zip(length).map(|(total, length)| total + length);
        let counted = Counted { reader, bytes: Arc::clone(&self.read_bytes) };
        self.inputs.push(BufReader::with_capacity(BUFFER_BYTES, counted));
    }

    /// The records. One has `max_bytes` at most, its key included.
    pub fn records(self, form: Form, keys: Keys, compressor: Option<Compressor>, max_bytes: usize) -> Records {
        // What is too large may be small enough when it is compressed.
        let most_data = if compressor.is_some() { limits::RECORD_BYTES_HIGHEST } else { max_bytes };
        let longest = form.longest(most_data);
        Records { inputs: self.inputs, form, keys, compressor, longest, max_bytes, offset: 0, input: 0, line: 0 }
    }
}

/// Counts what is read.
struct Counted {
    reader: Box<dyn Read + Send>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a file, and its length if it has one; a folder opens too, and would fail only when it is read.
fn open(path: &Path) -> io::Result<(std::fs::File, Option<u64>)> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata.is_file().then_some(metadata.len())))
}

fn unreadable(name: &dyn fmt::Display, error: &io::Error) -> Error {
    Error::usage(format!("could not read {name}: {error}"))
        .hint("check the path and that you may read it; `--file -` is stdin")
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
struct Entry {
    partition_key: String,
    data: String,
    explicit_hash_key: Option<String>,
}

/// Data, where it is not the line itself; partition key; explicit hash key.
type Parsed = (Option<Vec<u8>>, Key, Option<u128>);

/// Records as they are read, one at a time.
pub struct Records {
    inputs: Vec<Input>,
    form: Form,
    keys: Keys,
    compressor: Option<Compressor>,
    /// Bytes of input that one record can take.
    longest: usize,
    max_bytes: usize,
    offset: u64,
    input: usize,
    line: u64,
}

impl Records {
    /// Whether the next record may be a while in coming: what was read until now should not wait for it.
    pub fn may_block(&self) -> bool {
        self.inputs.get(self.input).is_none_or(|input| memchr(b'\n', input.buffer()).is_none())
    }

    fn place(&self) -> Place {
        Place { offset: self.offset, input: self.input, line: self.line }
    }

    /// The raw bytes of the next record; whether they were cut, being too long for any record.
    fn next_raw(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        let longest = self.longest;
        let Some(input) = self.inputs.get_mut(self.input) else { return Ok(None) };
        if self.form == Form::Whole {
            if self.line > 0 {
                return Ok(None);
            }
            self.line = 1;
            let mut data = memory::large();
            input.take(longest as u64 + 1).read_to_end(&mut data)?;
            let is_cut = data.len() > longest;
            return Ok(Some((memory::fitting(data), is_cut)));
        }
        self.line += 1;
        let buffered = input.fill_buf()?;
        if let Some(end) = memchr(b'\n', &buffered[..buffered.len().min(longest + 1)]) {
            let line = &buffered[..end];
            let data = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
            input.consume(end + 1);
            return Ok(Some((data, false)));
        }
        let mut data = memory::large();
        // No further than a record may be long: input without line ends does not fill the memory.
        if input.take(longest as u64 + 2).read_until(b'\n', &mut data)? == 0 {
            return Ok(None);
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
        Ok(Some((memory::fitting(data), is_cut)))
    }

    fn record(&mut self, raw: Vec<u8>, is_cut: bool) -> Result<Record, Rejected> {
        let mut place = self.place();
        if self.form == Form::Whole {
            place.line = 0;
        }
        self.offset += 1;
        let max_bytes = self.max_bytes;
        let too_large = || format!("is too large: a record has {max_bytes} bytes at most, its key included");
        if is_cut {
            return Err(Rejected { place, reason: too_large(), data: raw });
        }
        let (data, key, explicit_hash_key) = match self.parse(&raw) {
            Ok((data, key, explicit_hash_key)) => (data.unwrap_or(raw), key, explicit_hash_key),
            Err(reason) => return Err(Rejected { place, reason, data: raw }),
        };
        let compressed = match self.compressor.as_mut().map(|compressor| compressor.compress(&data)).transpose() {
            Ok(compressed) => compressed,
            Err(error) => return Err(Rejected { place, reason: format!("could not be compressed: {error}"), data }),
        };
        if compressed.as_ref().map_or(data.len(), Vec::len) + key.text.len() > max_bytes {
            return Err(Rejected { place, reason: too_large(), data });
        }
        Ok(Record::new(place, compressed.unwrap_or(data), key, explicit_hash_key))
    }

    fn parse(&mut self, raw: &[u8]) -> Result<Parsed, String> {
        let decode =
            |text: &[u8]| base64_simd::STANDARD.decode_to_vec(text).map_err(|_| "is not valid base64".to_owned());
        match self.form {
            Form::Lines | Form::Whole => Ok((None, self.keys.of(raw)?, self.keys.explicit_hash_key)),
            Form::Base64 => {
                let data = decode(raw)?;
                let key = self.keys.of(&data)?;
                Ok((Some(data), key, self.keys.explicit_hash_key))
            }
            Form::Entries => {
                let entry: Entry = serde_json::from_slice(raw).map_err(|error| format!("is not an entry: {error}"))?;
                keys::check(&entry.partition_key).map_err(|reason| format!("has a PartitionKey that {reason}"))?;
                let hash_key = entry.explicit_hash_key.as_deref().map(parse_hash_key).transpose();
                let hash_key = hash_key.map_err(|reason| format!("has an ExplicitHashKey, which {reason}"))?;
                let data = decode(entry.data.as_bytes()).map_err(|_| "has Data that is not valid base64".to_owned())?;
                Ok((Some(data), entry.partition_key.into(), hash_key))
            }
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, Rejected>;

    /// Line endings are not part of the data; empty lines are no records.
    fn next(&mut self) -> Option<Self::Item> {
        while self.input < self.inputs.len() {
            match self.next_raw() {
                Ok(Some((raw, _))) if raw.is_empty() && self.form != Form::Whole => {}
                Ok(Some((raw, is_cut))) => return Some(self.record(raw, is_cut)),
                Ok(None) => (self.input, self.line) = (self.input + 1, 0),
                Err(error) => {
                    let rejected =
                        Rejected { place: self.place(), reason: format!("could not be read: {error}"), data: vec![] };
                    self.offset += 1;
                    (self.input, self.line) = (self.input + 1, 0);
                    return Some(Err(rejected));
                }
            }
        }
        None
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
        Source::of_bytes("test", input.to_vec()).records(Form::of(&args), keys, compressor, max_bytes).collect()
    }

    fn data(input: &[u8], more: &[&str]) -> Vec<Vec<u8>> {
        all(input, more, 100).into_iter().map(|record| record.unwrap().data).collect()
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
        let record = all(line, &["--entries"], 100).remove(0).unwrap();
        assert_eq!((&*record.partition_key, &*record.data), ("k", &b"Hello"[..]));
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
        let lengths: Vec<_> = read.iter().map(|read| read.as_ref().map(|record| record.data.len()).ok()).collect();
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
