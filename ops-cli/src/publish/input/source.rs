//! Where records come from: the argument, or files and stdin, one after the other.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::encoding::{Beginning, MARK, advice, beginning};
use crate::commands::publish::Publish;
use crate::error::{Error, Result};

const BUFFER_BYTES: usize = 256 * 1024;

/// The inputs.
pub struct Source {
    inputs: Vec<Input>,
    pub names: Arc<[String]>,
    /// Bytes in all, if that is known before they are read.
    pub total_bytes: Option<u64>,
    /// Bytes read so far.
    pub read_bytes: Arc<AtomicU64>,
    is_argument: bool,
}

/// An input whose turn has not come. Files are not kept open until then: there may be more of them than may be open at once.
type Input = Box<dyn FnOnce() -> io::Result<Reader> + Send>;

type Reader = Box<dyn Read + Send>;

impl Source {
    /// Opens every input once, so that what cannot be read is known before anything is sent.
    pub fn open(args: &Publish) -> Result<Self> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let mut source = Self {
            inputs: Vec::new(),
            names: Arc::new([]),
            total_bytes: Some(0),
            read_bytes,
            is_argument: args.data.is_some(),
        };
        let mut names = Vec::new();
        let stdin = [Path::new("-").to_owned()];
        match &args.data {
            Some(data) => {
                names.push("the argument".to_owned());
                source.add_bytes(data.clone().into_bytes());
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

    fn add(&mut self, input: Input, length: Option<u64>) {
        self.total_bytes = self.total_bytes.zip(length).map(|(total, length)| total + length);
        self.inputs.push(input);
    }

    /// Whether it is the command line's argument, which is text.
    pub fn is_argument(&self) -> bool {
        self.is_argument
    }

    /// All of them, in order. Of text a byte order mark is skipped, and text that is not UTF-8 is refused by name; else
    /// they are bytes as they are.
    pub fn into_inputs(self, is_text: bool) -> Inputs {
        Inputs { waiting: self.inputs.into_iter(), current: None, number: 0, read_bytes: self.read_bytes, is_text }
    }
}

/// The inputs, one at a time.
pub struct Inputs {
    waiting: std::vec::IntoIter<Input>,
    current: Option<BufReader<Counted>>,
    number: usize,
    read_bytes: Arc<AtomicU64>,
    is_text: bool,
}

impl Inputs {
    /// The one to read from; none after the last.
    pub fn current(&mut self) -> io::Result<Option<&mut BufReader<Counted>>> {
        if self.current.is_none()
            && let Some(open) = self.waiting.next()
        {
            let mut reader = open()?;
            if self.is_text {
                reader = text(reader)?;
            }
            let counted = Counted { reader, bytes: Arc::clone(&self.read_bytes) };
            self.current = Some(BufReader::with_capacity(BUFFER_BYTES, counted));
        }
        Ok(self.current.as_mut())
    }

    /// What is read of the one to read from, and not taken yet.
    pub fn buffered(&self) -> &[u8] {
        self.current.as_ref().map_or(&[], BufReader::buffer)
    }

    /// The next one's turn.
    pub fn advance(&mut self) {
        self.current = None;
        self.number += 1;
    }

    /// Which one it is, counted from 0.
    pub fn number(&self) -> usize {
        self.number
    }
}

/// The text that a reader gives, without a byte order mark. No more is read before that than is needed to know it: a slow
/// input holds back nothing.
fn text(mut reader: Reader) -> io::Result<Reader> {
    let mut head = Vec::new();
    let mut is_end = false;
    let found = loop {
        if let Some(found) = beginning(&head, is_end) {
            break found;
        }
        let mut byte = [0];
        match reader.read(&mut byte) {
            Ok(0) => is_end = true,
            Ok(_) => head.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    match found {
        Beginning::Plain => {}
        Beginning::Mark => drop(head.drain(..MARK.len())),
        Beginning::Other(name) => return Err(io::Error::new(io::ErrorKind::InvalidData, advice(name))),
    }
    Ok(Box::new(Cursor::new(head).chain(reader)))
}

/// Counts what is read.
pub struct Counted {
    reader: Reader,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens a file, and finds its length if it has one; a folder opens too, and would fail only when it is read.
fn open(path: &Path) -> io::Result<(Input, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if metadata.is_file() {
        let path = path.to_owned();
        return Ok((Box::new(|| Ok(Box::new(File::open(path)?))), Some(metadata.len())));
    }
    // A pipe, say, that has a beginning only once.
    Ok((Box::new(|| Ok(Box::new(file))), None))
}

fn unreadable(name: &dyn fmt::Display, error: &io::Error) -> Error {
    Error::usage(format!("could not read {name}: {error}"))
        .hint("check the path and that you may read it; `--file -` is stdin")
}
