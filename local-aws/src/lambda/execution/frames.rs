//! The channel through which a runtime sends log records, apart from raw output. Pure.
//!
//! A process finds its descriptor in `_LAMBDA_TELEMETRY_LOG_FD`. The format is the one that AWS's runtime clients write:
//! a type (`0xa55a00` and a byte), the length, the time in microseconds (8 bytes), then the record; all big-endian.
//! The type's lowest two bits say text (3) or JSON (2), the next three the level: 0 none, 1 TRACE to 6 FATAL.
//! <https://github.com/aws/aws-lambda-python-runtime-interface-client> (`FramedTelemetryLogSink`)
//!
//! The type 1 is ours: our runtimes send printed output through it, so that output and records keep their order. It is
//! treated as raw output.

use kinesis_event_logger_core::line::Level;

use super::level;
use super::lines::{MAX_EVENT_BYTES, char_boundary};

const MAGIC: [u8; 3] = [0xa5, 0x5a, 0x00];
const HEADER_BYTES: usize = 16;
const RAW: u8 = 1;

/// A piece of a channel's content.
#[derive(Debug, PartialEq)]
pub enum Piece<'a> {
    /// Printed output.
    Raw(&'a [u8]),
    /// One log event, with its newline. A record that is longer than an event becomes several.
    Record { level: Option<Level>, text: String },
}

/// Splits a stream of bytes into records.
#[derive(Default)]
pub struct Frames {
    pending: Vec<u8>,
    open: Option<Open>,
}

/// A frame whose header was read.
#[derive(Clone, Copy)]
struct Open {
    kind: u8,
    /// The number of bytes that are still missing.
    left: usize,
}

impl Frames {
    /// Reads the next bytes and passes complete pieces to `each`. Bytes outside of a frame are raw output.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Piece<'_>)) {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(used) = step(&mut self.open, &self.pending[at..], &mut each) {
            at += used;
        }
        self.pending.drain(..at);
    }

    /// Passes an incomplete frame to `each`: its writer was killed.
    pub fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) {
        let rest = std::mem::take(&mut self.pending);
        match self.open.take() {
            // Raw output is never buffered.
            Some(Open { kind, .. }) if !rest.is_empty() => each(record(kind, &rest, true)),
            _ => each(Piece::Raw(&rest)),
        }
    }
}

fn record(kind: u8, bytes: &[u8], is_end: bool) -> Piece<'static> {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if is_end && !text.ends_with('\n') {
        text.push('\n');
    }
    Piece::Record { level: level::from_frame(kind >> 2), text }
}

/// Reads one piece from the beginning of `bytes` and returns its length; `None` if more bytes are needed.
fn step(open: &mut Option<Open>, bytes: &[u8], each: &mut impl FnMut(Piece<'_>)) -> Option<usize> {
    let Some(Open { kind, left }) = *open else { return begin(open, bytes, each) };
    let is_raw = kind & 0b11 == RAW;
    let used = match bytes.len().min(left) {
        some if some == left && (is_raw || left <= MAX_EVENT_BYTES) => left,
        some if is_raw && some > 0 => some,
        some if some > MAX_EVENT_BYTES => char_boundary(bytes, MAX_EVENT_BYTES),
        _ => return None,
    };
    let rest = left - used;
    *open = (rest > 0).then_some(Open { kind, left: rest });
    let bytes = &bytes[..used];
    if is_raw {
        each(Piece::Raw(bytes));
    } else {
        each(record(kind, bytes, rest == 0));
    }
    Some(used)
}

fn begin(open: &mut Option<Open>, bytes: &[u8], each: &mut impl FnMut(Piece<'_>)) -> Option<usize> {
    let is_begun = |at: usize| bytes[at..].iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
    let start = (0..bytes.len()).find(|at| is_begun(*at)).unwrap_or(bytes.len());
    if start > 0 {
        each(Piece::Raw(&bytes[..start]));
        return Some(start);
    }
    let header = bytes.first_chunk::<HEADER_BYTES>()?;
    let left = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
    *open = Some(Open { kind: header[3], left });
    Some(HEADER_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = MAGIC.to_vec();
        frame.push(kind);
        frame.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
        frame.extend(1_795_452_960_123_456_u64.to_be_bytes());
        frame.extend(text);
        frame
    }

    /// Levels and texts; raw output has the level `raw`.
    fn read<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut frames = Frames::default();
        let mut found: Vec<(String, String)> = Vec::new();
        for chunk in chunks {
            frames.push(chunk, |piece| match piece {
                Piece::Raw(bytes) => found.push(("raw".into(), String::from_utf8_lossy(bytes).into_owned())),
                Piece::Record { level, text } => found.push((format!("{level:?}"), text)),
            });
        }
        found
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(level, text)| ((*level).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_frame_is_one_record_regardless_of_read_boundaries() {
        let bytes = [frame(0x0b, b"two\nlines"), frame(0x16, "{\"grün\":1}\n".as_bytes()), frame(0x03, b"")].concat();
        let expected = pairs(&[("Some(Debug)", "two\nlines\n"), ("Some(Error)", "{\"grün\":1}\n"), ("None", "\n")]);
        for size in [1, 7, 16, 1000] {
            assert_eq!(read(bytes.chunks(size)), expected, "{size}");
        }
    }

    #[test]
    fn a_frame_names_its_level() {
        for (kind, level) in [(0x02, "None"), (0x06, "Trace"), (0x0f, "Info"), (0x12, "Warn"), (0x1b, "Fatal")] {
            let level = if level == "None" { level.to_owned() } else { format!("Some({level})") };
            assert_eq!(read([&frame(kind, b"a")[..]])[0].0, level);
        }
        assert_eq!(read([&frame(0x1e, b"a")[..]])[0].0, "None", "there is no seventh level");
    }

    #[test]
    fn raw_output_passes_without_waiting_for_its_end() {
        let raw = frame(RAW, b"progress");
        let mut frames = Frames::default();
        let mut seen = Vec::new();
        for chunk in [&raw[..20], &raw[20..]] {
            frames.push(chunk, |piece| match piece {
                Piece::Raw(bytes) => seen.push(bytes.to_vec()),
                Piece::Record { .. } => panic!("{piece:?}"),
            });
        }
        assert_eq!(seen, [b"prog".to_vec(), b"ress".to_vec()]);
    }

    #[test]
    fn an_incomplete_frame_is_passed_on_at_the_end() {
        for (len, expected) in
            [(16, ("raw", "")), (20, ("Some(Error)", "unfi\n")), (9, ("raw", "\u{fffd}Z\0\u{17}\0\0\0\n\0"))]
        {
            let mut frames = Frames::default();
            frames.push(&frame(0x17, b"unfinished")[..len], |piece| panic!("{piece:?}"));
            let mut found = Vec::new();
            frames.finish(|piece| match piece {
                Piece::Raw(bytes) => found.push(("raw".to_owned(), String::from_utf8_lossy(bytes).into_owned())),
                Piece::Record { level, text } => found.push((format!("{level:?}"), text)),
            });
            assert_eq!(found, pairs(&[expected]));
            assert!(frames.pending.is_empty() && frames.open.is_none());
        }
    }

    #[test]
    fn bytes_outside_of_frames_are_raw_output_and_lose_no_record() {
        let bytes = [b"stray \xa5".as_slice(), &frame(0x0e, b"{}"), b"\xa5\x5a!"].concat();
        let expected = pairs(&[("raw", "stray \u{fffd}"), ("Some(Info)", "{}\n"), ("raw", "\u{fffd}Z!")]);
        assert_eq!(read([&bytes[..]]), expected);
    }

    #[test]
    fn a_record_longer_than_an_event_is_split_without_buffering_it_whole() {
        let text = "ü".repeat(MAX_EVENT_BYTES) + "end";
        let bytes = frame(0x17, text.as_bytes());
        let mut frames = Frames::default();
        let mut parts = Vec::new();
        for chunk in bytes.chunks(100_000) {
            frames.push(chunk, |piece| match piece {
                Piece::Record { level: Some(Level::Error), text } => parts.push(text),
                piece => panic!("{piece:?}"),
            });
            assert!(frames.pending.len() <= MAX_EVENT_BYTES + 100_000);
        }
        assert!(parts.len() == 3 && parts.iter().all(|part| part.len() <= MAX_EVENT_BYTES + 1));
        assert_eq!(parts.concat(), text + "\n");
    }

    proptest::proptest! {
        #[test]
        fn no_input_panics_or_loses_output(chunks: Vec<Vec<u8>>) {
            let mut frames = Frames::default();
            let mut out = 0;
            let all: usize = chunks.iter().map(Vec::len).sum();
            for chunk in &chunks {
                frames.push(chunk, |piece| out += match piece {
                    Piece::Raw(bytes) => bytes.len(),
                    Piece::Record { text, .. } => text.len(),
                });
            }
            let has_magic = chunks.concat().windows(3).any(|bytes| bytes == MAGIC);
            proptest::prop_assert!(has_magic || out + frames.pending.len() == all);
        }
    }
}
