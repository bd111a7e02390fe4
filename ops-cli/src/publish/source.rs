//! Where records come from: the argument, or the lines of a file or of stdin.

use std::fmt;
use std::io;
use std::path::Path;

use kinesis_event_logger_core::limits;
use tokio::fs::File;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::cli::Publish;
use crate::error::{Error, Result};

/// One record to put.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub data: Vec<u8>,
    pub partition_key: String,
}

impl Record {
    /// What Kinesis counts: data and key, in bytes.
    pub fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

/// What is to be published.
pub struct Source(Input);

enum Input {
    Argument(Vec<u8>),
    Stdin,
    File(std::fs::File, String),
}

impl Source {
    pub fn open(args: &Publish) -> Result<Self> {
        check_key(args.key.as_deref())?;
        Ok(Self(match (&args.data, &args.file) {
            (Some(data), _) => Input::Argument(data.clone().into_bytes()),
            (None, Some(file)) if file != Path::new("-") => {
                let opened = open(file).map_err(|error| unreadable(&file.display(), &error))?;
                Input::File(opened, file.display().to_string())
            }
            (None, _) => Input::Stdin,
        }))
    }

    /// The records, each with the key given, or one of its own. A record has `max_bytes` at most, its key included.
    pub fn records(self, key: Option<String>, max_bytes: usize) -> Records {
        match self.0 {
            Input::Argument(data) => {
                Records { lines: None, argument: Some(data), key, max_bytes, line: 0, name: "the argument".into() }
            }
            Input::Stdin => Records::from_lines(BufReader::new(tokio::io::stdin()), "stdin".into(), key, max_bytes),
            Input::File(file, name) => {
                Records::from_lines(BufReader::with_capacity(256 * 1024, File::from_std(file)), name, key, max_bytes)
            }
        }
    }
}

/// Opens a file; a folder opens too, and would fail only when it is read.
fn open(path: &Path) -> io::Result<std::fs::File> {
    let file = std::fs::File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

fn unreadable(name: &dyn fmt::Display, error: &io::Error) -> Error {
    Error::usage(format!("could not read {name}: {error}"))
        .hint("check the path and that you may read it; `--file -` is stdin")
}

fn check_key(key: Option<&str>) -> Result<()> {
    let chars = key.map_or(1, |key| key.chars().count());
    if limits::PARTITION_KEY_CHARS.contains(&chars) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "--key has {chars} characters, a partition key has 1 to {}",
        limits::PARTITION_KEY_CHARS.end()
    )))
}

/// Records as they are read, one at a time.
pub struct Records {
    lines: Option<Box<dyn AsyncBufRead + Unpin + Send>>,
    argument: Option<Vec<u8>>,
    key: Option<String>,
    max_bytes: usize,
    line: u64,
    name: String,
}

impl Records {
    fn from_lines(
        lines: impl AsyncBufRead + Unpin + Send + 'static,
        name: String,
        key: Option<String>,
        max_bytes: usize,
    ) -> Self {
        Self { lines: Some(Box::new(lines)), argument: None, key, max_bytes, line: 0, name }
    }

    /// The next record, `None` at the end. Line endings are not part of the data; empty lines are no records.
    pub async fn next(&mut self) -> Result<Option<Record>> {
        if let Some(data) = self.argument.take() {
            return self.record(data).map(Some);
        }
        while let Some(data) = self.next_line().await? {
            if !data.is_empty() {
                return self.record(data).map(Some);
            }
        }
        Ok(None)
    }

    /// Reads no further into a line than a record may be long: input without line ends does not fill the memory.
    async fn next_line(&mut self) -> Result<Option<Vec<u8>>> {
        let Some(lines) = &mut self.lines else { return Ok(None) };
        self.line += 1;
        let mut data = Vec::new();
        let limit = self.max_bytes as u64 + 2;
        let read = lines.take(limit).read_until(b'\n', &mut data).await;
        let read = read.map_err(|error| unreadable(&self.name, &error))?;
        if read == 0 {
            return Ok(None);
        }
        if data.last() == Some(&b'\n') {
            data.pop();
            if data.last() == Some(&b'\r') {
                data.pop();
            }
        }
        Ok(Some(data))
    }

    fn record(&self, data: Vec<u8>) -> Result<Record> {
        let partition_key = self.key.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let record = Record { data, partition_key };
        if record.size() <= self.max_bytes {
            return Ok(record);
        }
        let place = if self.line > 0 { format!("line {} of {}", self.line, self.name) } else { self.name.clone() };
        Err(Error::usage(format!(
            "{place} is too large: a record has {} bytes at most, its key included",
            self.max_bytes
        ))
        .hint("what came before it has been published; split the record, or compress it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &'static [u8]) -> Vec<Vec<u8>> {
        let mut records = Records::from_lines(BufReader::new(input), "test".into(), Some("k".into()), 100);
        let mut all = Vec::new();
        while let Some(record) = records.next().await.unwrap() {
            all.push(record.data);
        }
        all
    }

    #[tokio::test]
    async fn one_record_a_line_without_its_end() {
        assert_eq!(all(b"a\nb\r\n\nc").await, [b"a", b"b", b"c"]);
        assert_eq!(all(b"a\rb\n").await, [b"a\rb"]);
        assert!(all(b"\n\n").await.is_empty());
    }

    #[tokio::test]
    async fn a_line_over_the_limit_is_named() {
        let mut input = vec![b'x'; 100];
        input.insert(0, b'\n');
        let input: &'static [u8] = input.leak();
        let mut records = Records::from_lines(input, "big.txt".into(), None, 100);
        let error = records.next().await.unwrap_err();
        assert!(error.message.starts_with("line 2 of big.txt is too large"), "{}", error.message);
    }

    #[test]
    fn a_key_has_characters_and_not_too_many() {
        assert!(check_key(Some("é".repeat(256).as_str())).is_ok());
        assert!(check_key(Some("é".repeat(257).as_str())).is_err());
        assert!(check_key(Some("")).is_err());
    }
}
