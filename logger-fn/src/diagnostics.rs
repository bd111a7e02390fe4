//! What the program says about itself, through `tracing`, in the format and at the level of the record lines.
//!
//! Not `lambda_runtime`'s own helper: that writes no timestamp, so that Lambda takes each of its JSON lines for INFO,
//! and lets `RUST_LOG` override the level Lambda was set to.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use kinesis_event_logger_core::line::{Level, LineFormat, append_message};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::clock;
use crate::output::Output;
use crate::settings::Settings;

/// Writes each event as one line on stdout. Spans are not followed: each line stands for itself.
pub struct Diagnostics {
    pub settings: Arc<Settings>,
    pub output: Arc<Output>,
}

/// A line about the program, stamped with the present.
pub fn line(format: LineFormat, level: Level, message: &str) -> Vec<u8> {
    let mut line = Vec::new();
    append_message(format, clock::now_ms(), level, message, &mut line);
    line
}

impl Subscriber for Diagnostics {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Below INFO, lambda_runtime prints whole events: the records again, raw.
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

/// An event's message, then its other fields as `name=value`.
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
        // Writing to a String does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an event's fields are written as.
    struct Written(std::sync::mpsc::Sender<String>);

    impl Subscriber for Written {
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
        tracing::subscriber::with_default(Written(sender), || {
            tracing::warn!("plain {}", 1);
            tracing::warn!(status = 500, error = "gone", "failed");
            tracing::warn!(a = 1, b = ?Some(2));
        });
        let written: Vec<_> = written.iter().collect();
        assert_eq!(written, ["plain 1", "failed: status=500 error=\"gone\"", "a=1 b=Some(2)"]);
    }
}
