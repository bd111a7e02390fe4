//! Opens the inputs: the argument, or files and stdin, one after the other.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};
use crate::text::{self, Reader};

const BUFFER_BYTES: usize = 256 * 1024;

/// The inputs.
pub struct Source {
    inputs: Vec<OpenInput>,
    pub names: Arc<[String]>,
    /// The bytes of all inputs, if their sizes are known in advance.
    pub total_bytes: Option<u64>,
    /// The bytes read so far.
    pub read_bytes: Arc<AtomicU64>,
    is_argument: bool,
}

/// An input that is not open yet. Files are opened one at a time, because there may be more of them than the limit of open
/// files.
type OpenInput = Box<dyn FnOnce() -> io::Result<Reader> + Send>;

impl Source {
    /// Opens every input once, so that one that cannot be read is reported before anything is sent.
    pub fn open(argument: Option<&str>, files: &[PathBuf]) -> Result<Self> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let mut source = Self {
            inputs: Vec::new(),
            names: Arc::new([]),
            total_bytes: Some(0),
            read_bytes,
            is_argument: argument.is_some(),
        };
        let mut names = Vec::new();
        let stdin = [Path::new("-").to_owned()];
        match argument {
            Some(data) => {
                names.push("the argument".to_owned());
                source.add_bytes(data.as_bytes().to_vec());
            }
            None => {
                for path in if files.is_empty() { &stdin[..] } else { files } {
                    names.push(source.add_path(path)?);
                }
            }
        }
        source.names = names.into();
        Ok(source)
    }

    /// Creates an input from bytes in memory.
    pub fn of_bytes(name: &str, data: Vec<u8>) -> Self {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let names = [name.to_owned()].into();
        let mut source = Self { inputs: Vec::new(), names, total_bytes: Some(0), read_bytes, is_argument: false };
        source.add_bytes(data);
        source
    }

    fn add_bytes(&mut self, data: Vec<u8>) {
        let length = data.len() as u64;
        self.add(Box::new(|| Ok(Box::new(Cursor::new(data)))), Some(length));
    }

    fn add_path(&mut self, path: &Path) -> Result<String> {
        if path == Path::new("-") {
            self.add(Box::new(|| Ok(Box::new(io::stdin()))), None);
            return Ok("stdin".into());
        }
        let (input, length) = open(path).map_err(|error| unreadable(&path.display(), &error))?;
        self.add(input, length);
        Ok(path.display().to_string())
    }

    fn add(&mut self, input: OpenInput, length: Option<u64>) {
        self.total_bytes = self.total_bytes.zip(length).map(|(total, length)| total + length);
        self.inputs.push(input);
    }

    /// Whether the input is the command line's argument, which is text.
    pub fn is_argument(&self) -> bool {
        self.is_argument
    }

    /// Returns the inputs in order. Of text, a byte order mark is skipped, and another encoding than UTF-8 is rejected by
    /// name. Other input is read as bytes.
    pub fn into_inputs(self, is_text: bool) -> Inputs {
        Inputs { waiting: self.inputs.into_iter(), current: None, number: 0, read_bytes: self.read_bytes, is_text }
    }
}

/// The inputs, one at a time.
pub struct Inputs {
    waiting: std::vec::IntoIter<OpenInput>,
    current: Option<BufReader<CountingReader>>,
    number: usize,
    read_bytes: Arc<AtomicU64>,
    is_text: bool,
}

impl Inputs {
    /// Returns the current input; `None` after the last.
    pub fn current(&mut self) -> io::Result<Option<&mut BufReader<CountingReader>>> {
        if self.current.is_none()
            && let Some(open) = self.waiting.next()
        {
            let mut reader = open()?;
            if self.is_text {
                reader = text::decoded(reader)?;
            }
            let counted = CountingReader { reader, bytes: Arc::clone(&self.read_bytes) };
            self.current = Some(BufReader::with_capacity(BUFFER_BYTES, counted));
        }
        Ok(self.current.as_mut())
    }

    /// The bytes of the current input that are buffered and not yet consumed.
    pub fn buffered(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], BufReader::buffer)
    }

    /// Moves on to the next input.
    pub fn advance(&mut self) {
        self.current = None;
        self.number += 1;
    }

    /// The index of the current input, from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

/// A reader that counts the bytes it reads.
pub struct CountingReader {
    reader: Reader,
    bytes: Arc<AtomicU64>,
}

impl Read for CountingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a file, and finds its length if it has one. A folder is rejected here: it can be opened, and only reading it fails.
fn open(path: &Path) -> io::Result<(OpenInput, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() {
        let path = path.to_owned();
        return Ok((Box::new(|| Ok(Box::new(File::open(path)?))), Some(metadata.len())));
    }
    // A pipe, for example, cannot be opened a second time.
    Ok((Box::new(|| Ok(Box::new(file))), None))
}

fn unreadable(name: &dyn fmt::Display, error: &io::Error) -> Error {
    Error::usage(format!("could not read {name}: {error}"))
        .hint("check the path and that you may read it; `--file -` is stdin")
}
