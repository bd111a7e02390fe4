//! Reads the inputs that are text: files and stdin. A UTF-8 byte order mark is skipped, and another encoding is rejected by name.

use std::io::{self, Cursor, Read};
use std::path::Path;

use crate::error::{Error, Result};
use crate::publish::input::encoding::{Beginning, MARK, advice, beginning, of_wide_line};

/// Where text comes from.
pub type Reader = Box<dyn Read + Send>;

/// Opens a file, or stdin for `-`. Returns also its name.
pub fn open(path: &Path) -> Result<(String, Reader)> {
    if path == Path::new("-") {
        return Ok(("stdin".to_owned(), decoded(Box::new(io::stdin())).map_err(|error| unreadable("stdin", &error))?));
    }
    let opened = std::fs::File::open(path).and_then(|file| decoded(Box::new(file)));
    Ok((path.display().to_string(), opened.map_err(|error| Error::file("read", path, &error))?))
}

/// Reads a file, or stdin for `-`. Returns also its name.
pub fn read(path: &Path) -> Result<(String, Vec<u8>)> {
    let (name, mut reader) = open(path)?;
    let mut text = Vec::new();
    reader.read_to_end(&mut text).map_err(|error| unreadable(&name, &error))?;
    check_first_line(&name, text.split(|byte| *byte == b'\n').next().unwrap_or_default())?;
    Ok((name, text))
}

/// Rejects UTF-16 and UTF-32 without a byte order mark.
pub fn check_first_line(name: &str, line: &[u8]) -> Result<()> {
    match of_wide_line(line) {
        Some(encoding) => Err(unreadable(name, &advice(encoding))),
        None => Ok(()),
    }
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> Error {
    Error::usage(format!("could not read {name}: {error}"))
}

/// Skips a byte order mark and rejects other encodings. Reads only as many bytes as that needs, so that a slow input delays
/// nothing.
pub fn decoded(mut reader: Reader) -> io::Result<Reader> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_skipped_and_other_encodings_are_rejected_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        let read_back = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read(&path).map(|(_, text)| String::from_utf8(text).unwrap()).map_err(|error| error.message)
        };
        assert_eq!(read_back(b"\xef\xbb\xbf{}\n"), Ok("{}\n".to_owned()));
        assert_eq!(read_back(b"{}"), Ok("{}".to_owned()));
        assert_eq!(read_back(b""), Ok(String::new()));
        for (bytes, encoding) in [
            (&b"\xff\xfe{\0}\0"[..], "UTF-16"),
            (b"\xfe\xff\0{\0}", "UTF-16"),
            (b"{\0}\0\n\0", "UTF-16"),
            (b"\xff\xfe\0\0", "UTF-32"),
        ] {
            let error = read_back(bytes).unwrap_err();
            assert!(error.contains("could not read ") && error.contains(&format!("it is {encoding}")), "{error}");
        }
    }
}
