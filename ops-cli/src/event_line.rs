//! How `local` shows an event of the endpoint: the time of day, what happened, and to what.

use std::fmt::{self, Write};

use anstyle::{AnsiColor, Style};
use jiff::ZonedDateTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::output::printable;

/// `21:27:03 batch failed  shard=shardId-000000000000 function=orders error=…`
pub struct EventLine;

impl<S, N> FormatEvent<S, N> for EventLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        writeln!(
            to,
            "{}",
            line(&ZonedDateTime::now().strftime("%H:%M:%S").to_string(), *event.metadata().level(), &parts)
        )
    }
}

#[derive(Default)]
struct Parts {
    message: String,
    /// Names and values, in the order in which the event gives them.
    fields: Vec<(&'static str, String)>,
}

impl Visit for Parts {
    /// Values come from requests and from functions: only text of theirs gets in here.
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Parts {
    fn add(&mut self, name: &'static str, value: &str) {
        let value = printable(value).into_owned();
        match name {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }
}

fn line(time: &str, level: Level, parts: &Parts) -> String {
    let dim = Style::new().dimmed();
    let colour = match level {
        Level::ERROR => AnsiColor::Red.on_default().bold(),
        Level::WARN => AnsiColor::Yellow.on_default(),
        Level::INFO => Style::new(),
        _ => dim,
    };
    let mut line = format!("{dim}{time}{dim:#} {colour}{}{colour:#}", parts.message);
    for (name, value) in &parts.fields {
        write!(line, " {dim}{name}={dim:#}{value}").ok();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_contains_time_and_event_and_escapes_control_characters() {
        let mut parts = Parts::default();
        for (name, value) in [("message", "batch failed"), ("function", "orders"), ("error", "a\u{1b}[31m\nb")] {
            parts.add(name, value);
        }
        let shown = anstream::adapter::strip_str(&line("21:27:03", Level::WARN, &parts)).to_string();
        assert_eq!(shown, "21:27:03 batch failed function=orders error=a\\u{1b}[31m\\nb");
    }
}
