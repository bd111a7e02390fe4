//! A process's output cut into log events. Pure.

use kinesis_event_logger_core::limits;

/// Bytes of one event: CloudWatch Logs takes 1,048,576, and counts 26 of its own for each.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
pub const MAX_EVENT_BYTES: usize = limits::PUT_LOG_EVENTS_BYTES - limits::PUT_LOG_EVENTS_OVERHEAD_BYTES;

/// Cuts a stream of bytes into lines, each with its newline, as Lambda stores them.
#[derive(Default)]
pub struct Lines {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and hands over every line they complete. A line longer than an event is handed over in parts.
    pub fn push(&mut self, mut bytes: &[u8], mut line: impl FnMut(String)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (complete, rest) = bytes.split_at(end + 1);
            bytes = rest;
            if self.begun.is_empty() && complete.len() <= MAX_EVENT_BYTES {
                line(String::from_utf8_lossy(complete).into_owned());
                continue;
            }
            self.begun.extend_from_slice(complete);
            self.split_long(&mut line);
            self.flush(&mut line);
        }
        self.begun.extend_from_slice(bytes);
        self.split_long(&mut line);
    }

    /// Hands over the line that has begun, if any.
    pub fn flush(&mut self, mut line: impl FnMut(String)) {
        if !self.begun.is_empty() {
            line(String::from_utf8_lossy(&self.begun).into_owned());
            self.begun.clear();
        }
    }

    fn split_long(&mut self, line: &mut impl FnMut(String)) {
        while self.begun.len() > MAX_EVENT_BYTES {
            let end = char_boundary(&self.begun, MAX_EVENT_BYTES);
            line(String::from_utf8_lossy(&self.begun[..end]).into_owned());
            self.begun.drain(..end);
        }
    }
}

/// The last place at or before `at` that is not within a UTF-8 character.
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
    fn lines_are_cut_wherever_the_reads_end() {
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
