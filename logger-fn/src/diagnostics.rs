//! Writes the program's own log events (`tracing`) in the format and at the level of the record lines.
//!
//! `lambda_runtime`'s own subscriber does not suit: its JSON lines have no timestamp, so that Lambda treats all of them as
//! INFO, and `RUST_LOG` overrides the level that Lambda is configured with.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use kinesis_event_logger_core::line::{Level, LineFormat, append_message};
use kinesis_event_logger_core::settings::Settings;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::clock;
use crate::output::Output;

/// Writes each event as one line on stdout. Spans are ignored.
pub struct Diagnostics {
    pub settings: Arc<Settings>,
    pub output: Arc<Output>,
}

/// Formats a line about the program, with the current time.
pub fn line(format: LineFormat, level: Level, message: &str) -> Vec<u8> {
    let mut line = Vec::new();
    append_message(format, clock::now_ms(), level, message, &mut line);
    line
}

impl Subscriber for Diagnostics {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Below INFO, lambda_runtime logs whole events, and so the raw records.
        *metadata.level() <= tracing::Level::INFO && self.settings.writes(level(metadata))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        self.output.notice(&line(self.settings.format, level(event.metadata()), &message.into_text()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn level(metadata: &Metadata<'_>) -> Level {
    match *metadata.level() {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::ERROR => Level::Error,
    }
}

/// An event's message, followed by its other fields as `name=value`.
#[derive(Default)]
struct Message {
    message: String,
    fields: String,
}

impl Message {
    fn into_text(self) -> String {
        match (self.message.is_empty(), self.fields.is_empty()) {
            (_, true) => self.message,
            (true, false) => self.fields.trim_start().to_owned(),
            (false, false) => self.message + ":" + &self.fields,
        }
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String never fails.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A subscriber that sends the text of each event.
    struct TextSender(std::sync::mpsc::Sender<String>);

    impl Subscriber for TextSender {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut message = Message::default();
            event.record(&mut message);
            self.0.send(message.into_text()).unwrap();
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn fields_follow_the_message() {
        let (sender, written) = std::sync::mpsc::channel();
        tracing::subscriber::with_default(TextSender(sender), || {
            tracing::warn!("plain {}", 1);
            tracing::warn!(status = 500, error = "gone", "failed");
            tracing::warn!(a = 1, b = ?Some(2));
        });
        let written: Vec<_> = written.iter().collect();
        assert_eq!(written, ["plain 1", "failed: status=500 error=\"gone\"", "a=1 b=Some(2)"]);
    }
}
