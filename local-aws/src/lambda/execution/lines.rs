//! Splits a process's output into log events. Pure.

use kinesis_event_logger_core::limits;

/// The most bytes of one event: CloudWatch Logs accepts 1,048,576 and counts 26 more for each event.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
pub const MAX_EVENT_BYTES: usize = limits::PUT_LOG_EVENTS_BYTES - limits::PUT_LOG_EVENTS_OVERHEAD_BYTES;

/// Splits a stream of bytes into lines, each with its newline, as Lambda stores them.
#[derive(Default)]
pub struct Lines {
    /// The beginning of an incomplete line.
    incomplete: Vec<u8>,
}

impl Lines {
    /// Reads the next bytes and passes every complete line to `line`. A line that is longer than an event is passed in parts.
    pub fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (complete, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.incomplete.is_empty() && complete.len() <= MAX_EVENT_BYTES {
                line(String::from_utf8_lossy(complete).into_owned());
                continue;
            }
            self.incomplete.extend_from_slice(complete);
            self.split_long(&mut line);
            self.flush(&mut line);
        }
        self.incomplete.extend_from_slice(bytes);
        self.split_long(&mut line);
    }

    /// Passes an incomplete line to `line`.
    pub fn flush(&mut self, mut line: impl FnMut(String)) {
        if !self.incomplete.is_empty() {
            line(String::from_utf8_lossy(&self.incomplete).into_owned());
            self.incomplete.clear();
        }
    }

    fn split_long(&mut self, line: &mut impl FnMut(String)) {
        while self.incomplete.len() > MAX_EVENT_BYTES {
            let end = char_boundary(&self.incomplete, MAX_EVENT_BYTES);
            line(String::from_utf8_lossy(&self.incomplete[..end]).into_owned());
            self.incomplete.drain(..end);
        }
    }
}

/// The last offset at or before `at` that is not within a UTF-8 character.
pub fn char_boundary(bytes: &[u8], at: usize) -> usize {
    let is_continuation = |index: usize| bytes[index] & 0xC0 == 0x80;
    (at.saturating_sub(3)..=at).rev().find(|&index| !is_continuation(index)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |line| found.push(line));
        }
        lines.flush(|line| found.push(line));
        found
    }

    #[test]
    fn lines_are_split_regardless_of_read_boundaries() {
        assert_eq!(cut(&[b"one\ntwo\n\nthr", b"ee", b"\nfour"]), ["one\n", "two\n", "\n", "three\n", "four"]);
        assert_eq!(cut(&[b"\n", b"", b"a\n"]), ["\n", "a\n"]);
        assert!(cut(&[b""]).is_empty());
    }

    #[test]
    fn a_character_cut_by_a_read_stays_whole() {
        let text = "grün\n".as_bytes();
        assert_eq!(cut(&[&text[..3], &text[3..]]), ["grün\n"]);
        assert_eq!(cut(&[b"bad \xff byte\n"]), ["bad \u{fffd} byte\n"]);
    }

    #[test]
    fn a_line_longer_than_an_event_is_split_between_characters() {
        let long = "ü".repeat(MAX_EVENT_BYTES) + "\n";
        let parts = cut(&[long.as_bytes()]);
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.len() <= MAX_EVENT_BYTES && !part.contains('\u{fffd}')));
        assert_eq!(parts.concat(), long);
        let exact = "x".repeat(MAX_EVENT_BYTES - 1) + "\n";
        assert_eq!(cut(&[&exact.as_bytes()[..10], &exact.as_bytes()[10..]]), [exact]);
    }
}
