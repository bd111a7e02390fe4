//! Records abandoned records and the reasons: in a file or, without one, the first few by name on stderr.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::output::printable;
use crate::progress::note;
use crate::publish::input::reader::RejectedInput;
use crate::publish::input::record::InputPosition;
use crate::publish::scheduling::batch::QueuedEntry;

/// The number of dead letters that are named on stderr.
const NAMED: u64 = 10;

/// An abandoned record. Its first members form an entry, so that `publish --entries` can send it again.
#[derive(Serialize)]
pub struct DeadLetter<'a> {
    #[serde(rename = "PartitionKey", skip_serializing_if = "Option::is_none")]
    partition_key: Option<&'a str>,
    #[serde(rename = "Data")]
    data: Base64<'a>,
    #[serde(rename = "ExplicitHashKey", skip_serializing_if = "Option::is_none")]
    explicit_hash_key: Option<String>,
    offset: u64,
    input: &'a str,
    line: u64,
    reason: &'a str,
    /// `Data` is truncated, so that `publish --entries` does not send it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
    attempts: u32,
    /// A request that contained it was not answered, so that the stream may have it already.
    #[serde(rename = "mayBePut", skip_serializing_if = "std::ops::Not::not")]
    may_be_put: bool,
}

impl<'a> DeadLetter<'a> {
    /// The dead letter of an entry that was sent or queued.
    pub fn of_entry(entry: &'a QueuedEntry, names: &'a [String], reason: &'a str) -> Self {
        let record = &entry.record;
        Self {
            partition_key: Some(record.partition_key()),
            explicit_hash_key: record.explicit_hash_key().map(|key| key.to_string()),
            attempts: entry.attempts,
            may_be_put: entry.may_be_put,
            ..Self::of_data(record.data(), record.place, names, reason)
        }
    }

    /// The dead letter of input that could not become a record.
    pub fn of_rejected(rejected: &'a RejectedInput, names: &'a [String]) -> Self {
        let keys = rejected.keys.as_deref();
        Self {
            partition_key: keys.map(|(key, _)| key.as_str()),
            explicit_hash_key: keys.and_then(|(_, explicit)| explicit.map(|key| key.to_string())),
            truncated: rejected.is_cut,
            ..Self::of_data(&rejected.data, rejected.place, names, &rejected.reason)
        }
    }

    fn of_data(data: &'a [u8], place: InputPosition, names: &'a [String], reason: &'a str) -> Self {
        Self {
            partition_key: None,
            data: Base64(data),
            explicit_hash_key: None,
            offset: place.offset,
            input: names.get(place.input).map_or("", String::as_str),
            line: place.line,
            reason,
            truncated: false,
            attempts: 0,
            may_be_put: false,
        }
    }

    fn name(&self) {
        let Self { input, line, reason, .. } = self;
        let place = if *line > 0 { format!("line {line} of {input}") } else { (*input).to_owned() };
        note(&format!("not published: {place} {}", printable(reason)));
    }
}

/// Data that is serialized as base64 in chunks, because it may be large.
struct Base64<'a>(&'a [u8]);

impl fmt::Display for Base64<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The base64 of chunks whose length is a multiple of three is the base64 of the whole.
        let mut pieces = self.0.chunks(3 * 1024);
        pieces.try_for_each(|piece| f.write_str(&base64_simd::STANDARD.encode_to_string(piece)))
    }
}

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The destination of dead letters.
pub struct DeadLetters {
    file: Option<(File, String)>,
    named: u64,
}

impl DeadLetters {
    /// Opens the destination. A file is appended to, because it may hold the dead letters of an earlier run.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        Ok(Self { file: path.map(open).transpose()?, named: 0 })
    }

    /// Adds a dead letter. After a write error the file is closed, and this and later dead letters are named on stderr.
    pub fn add(&mut self, letter: &DeadLetter<'_>) -> Result<()> {
        let Some((file, name)) = &mut self.file else {
            self.named += 1;
            if self.named <= NAMED {
                letter.name();
            }
            return Ok(());
        };
        let mut to = BufWriter::new(file);
        let written = serde_json::to_writer(&mut to, letter).map_err(io::Error::from);
        // Each letter is flushed, so that an error is reported for the letter that is not in the file.
        let written = written.and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
        let Err(error) = written else { return Ok(()) };
        // Dropping the writer would retry the write.
        drop(to.into_parts());
        let error = Error::failed(format!("could not write {name}: {error}"));
        self.file = None;
        self.add(letter)?;
        Err(error)
    }
}

/// Opens or creates a file of dead letters. A file with other content is not changed.
fn open(path: &Path) -> Result<(File, String)> {
    const BEGINNINGS: [&[u8]; 2] = [b"{\"PartitionKey\":", b"{\"Data\":"];
    let name = path.display().to_string();
    let failed = |error: io::Error| Error::usage(format!("could not write {name}: {error}"));
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_file() {
        let mut existing = File::open(path).map_err(failed)?;
        let mut head = Vec::new();
        Read::by_ref(&mut existing).take(32).read_to_end(&mut head).map_err(failed)?;
        if !head.is_empty() {
            if !BEGINNINGS.iter().any(|beginning| head.starts_with(&beginning[..beginning.len().min(head.len())])) {
                return Err(Error::usage(format!("{name} is not a file of dead letters and was not changed"))
                    .hint("use another file: --dead-letter appends to the dead letters of earlier runs"));
            }
            let mut last = [0];
            existing.seek(SeekFrom::End(-1)).and_then(|_| existing.read_exact(&mut last)).map_err(failed)?;
            if last != *b"\n" {
                // The last line was cut by a kill: the next letter begins on a new line.
                file.write_all(b"\n").map_err(failed)?;
            }
        }
    }
    Ok((file, name))
}

#[cfg(test)]
mod tests {
    use super::{Base64, open};

    #[test]
    fn a_file_with_other_content_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        for content in ["hello", "{\"offset\":0}\n", "\n", "{", "{\"Data\":\"\"}\n", "{\"PartitionKey\":\"k\",\"Da"] {
            let path = dir.path().join("file");
            std::fs::write(&path, content).unwrap();
            let is_ours = content.starts_with("{\"Data") || content.starts_with("{\"Part") || content == "{";
            assert_eq!(open(&path).is_ok(), is_ours, "{content}");
            let end = if is_ours && !content.ends_with('\n') { "\n" } else { "" };
            assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{content}{end}"));
        }
    }

    #[test]
    fn base64_of_chunks_equals_the_base64_of_the_whole() {
        for length in [0, 1, 3, 3071, 3072, 3073, 10_000] {
            let data: Vec<u8> = (0..length).map(|n| n as u8).collect();
            assert_eq!(Base64(&data).to_string(), base64_simd::STANDARD.encode_to_string(&data));
        }
    }
}
