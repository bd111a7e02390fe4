//! A Kinesis event in; its lines, and what Lambda is to try again, out.

use std::fmt;
use std::io::{self, Write};

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_event_logger_core::{Event, EventError, LineWriter, decode};
use lambda_runtime::Diagnostic;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::settings::Settings;

/// Lines are handed over in pieces of about this many bytes: most batches are one piece, and a huge one does not double
/// its memory.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why an invocation fails as a whole, so that Lambda sends the batch again.
#[derive(Error)]
pub enum HandlerError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error("cannot write the batch's lines to stdout: {0}")]
    Write(#[from] io::Error),
}

/// `lambda_runtime` logs a failed invocation by its `Debug` text, which is read by people here.
impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the invoker and an on-failure destination see.
impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        let error_type = match error {
            HandlerError::Event(_) => "NotAKinesisEvent",
            HandlerError::Write(_) => "WriteFailed",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// The function between two invocations: what it was set to, where its lines go, and buffers that are used again.
pub struct Logger<W> {
    settings: Settings,
    output: W,
    lines: Vec<u8>,
    scratch: Vec<u8>,
}

impl<W: Write> Logger<W> {
    pub fn new(settings: Settings, output: W) -> Self {
        Self { settings, output, lines: Vec::new(), scratch: Vec::new() }
    }

    /// Logs every record of one event, stamped `now_ms` (epoch milliseconds).
    ///
    /// # Errors
    /// When the event is not a Kinesis event, or its lines cannot be written. A record that cannot be decoded is a line
    /// like any other: to fail for it would only block its shard, since trying again does not mend it.
    pub fn handle(
        &mut self,
        request_id: &str,
        event: &RawValue,
        now_ms: i64,
    ) -> Result<KinesisEventResponse, HandlerError> {
        let event = Event::from_raw(event)?;
        let writer = LineWriter::new(self.settings.format, request_id, now_ms);
        self.lines.clear();
        for source in event.records() {
            let record = decode(&source, &mut self.scratch);
            if self.settings.writes(record.level()) {
                writer.append(&record, &mut self.lines);
            }
            if self.lines.len() >= PIECE_BYTES {
                self.hand_over()?;
            }
        }
        self.hand_over()?;
        Ok(KinesisEventResponse::default())
    }

    /// Writes what has gathered, at once.
    fn hand_over(&mut self) -> io::Result<()> {
        if !self.lines.is_empty() {
            self.output.write_all(&self.lines)?;
            self.output.flush()?;
            self.lines.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::{Level, LineFormat};

    use super::*;

    /// Remembers each write, and fails once `room` writes were taken.
    struct Pipe {
        writes: Vec<String>,
        room: usize,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.writes.len() == self.room {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.writes.push(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn event(data: &[&str]) -> Box<RawValue> {
        let records: Vec<String> = data
            .iter()
            .map(|data| format!(r#"{{"kinesis":{{"data":"{data}"}},"eventSource":"aws:kinesis"}}"#))
            .collect();
        RawValue::from_string(format!("{{\"Records\":[{}]}}", records.join(","))).unwrap()
    }

    fn handled(settings: Settings, data: &[&str]) -> Vec<String> {
        let mut logger = Logger::new(settings, Pipe { writes: Vec::new(), room: usize::MAX });
        let response = logger.handle("id", &event(data), 0).unwrap();
        assert!(response.batch_item_failures.is_empty());
        logger.output.writes
    }

    #[test]
    fn a_batch_is_one_write() {
        let writes = handled(Settings::default(), &["YQ==", "Yg==", "*"]);
        assert_eq!(writes.len(), 1);
        let lines: Vec<_> = writes[0].lines().collect();
        assert!(lines[0].ends_with(r#"data="a""#) && lines[1].ends_with(r#"data="b""#), "{lines:?}");
        assert!(lines[2].contains(" WARN id ") && lines[2].ends_with(r#"data=undecodable:"*""#), "{lines:?}");
    }

    #[test]
    fn a_huge_batch_is_written_in_whole_lines() {
        let data = base64_simd::STANDARD.encode_to_string(vec![b'x'; 400_000]);
        let writes = handled(Settings::default(), &[&*data; 7]);
        assert_eq!(writes.len(), 3);
        assert!(writes.iter().all(|write| write.ends_with('\n')));
        assert_eq!(writes.concat().lines().count(), 7);
    }

    #[test]
    fn an_empty_batch_writes_nothing() {
        assert!(handled(Settings::default(), &[]).is_empty());
    }

    #[test]
    fn only_lines_of_the_set_level_are_written() {
        let at = |level| handled(Settings { format: LineFormat::Text, level }, &["YQ==", "*"]).concat();
        assert_eq!(at(Level::Trace).lines().count(), 2);
        assert!(at(Level::Warn).lines().count() == 1 && at(Level::Warn).contains("undecodable"));
        assert_eq!(at(Level::Error), "");
    }

    #[test]
    fn a_failed_write_fails_the_invocation_and_leaves_nothing_behind() {
        let mut logger = Logger::new(Settings::default(), Pipe { writes: Vec::new(), room: 0 });
        let error = logger.handle("id", &event(&["YQ=="]), 0).unwrap_err();
        assert_eq!(Diagnostic::from(error).error_type, "WriteFailed");
        logger.output.room = 1;
        logger.handle("id", &event(&["Yg=="]), 0).unwrap();
        assert_eq!(logger.output.writes.len(), 1);
        assert!(!logger.output.writes[0].contains(r#""a""#));
    }

    #[test]
    fn what_is_no_kinesis_event_is_an_error_that_says_so() {
        let mut logger = Logger::new(Settings::default(), Vec::new());
        let error = logger.handle("id", &RawValue::from_string("[]".to_owned()).unwrap(), 0).unwrap_err();
        let diagnostic = Diagnostic::from(error);
        assert_eq!(diagnostic.error_type, "NotAKinesisEvent");
        assert_eq!(diagnostic.error_message, "not a Kinesis event: an array, not an object");
    }
}
