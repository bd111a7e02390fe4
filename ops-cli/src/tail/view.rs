//! Renders events: for people (`pretty`), as they are, as JSON, or as chosen fields. Pure: events in, bytes out.

mod fields;
mod json_style;
mod pretty;
mod spans;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::event::Event;
use crate::output::{printable, printable_json};

pub use fields::{Fields, Template};
pub use pretty::Pretty;

/// A way to render events.
#[derive(Debug)]
pub enum View {
    Pretty(Box<Pretty>),
    /// The message alone. On a terminal it is escaped. Otherwise its bytes are not changed, and a line break is added if it ends
    /// with none.
    Raw {
        is_terminal: bool,
    },
    Json,
    Fields {
        fields: Fields,
        zone: TimeZone,
        as_json: bool,
    },
    Template {
        template: Template,
        zone: TimeZone,
        is_terminal: bool,
    },
}

impl View {
    /// Appends the lines that show the event. Text from others is escaped, except in a raw view and a template that are not on a
    /// terminal.
    pub fn render(&mut self, event: &Event, to: &mut Vec<u8>) {
        match self {
            Self::Pretty(pretty) => pretty.render(event, to),
            Self::Raw { is_terminal: false } => {
                to.extend_from_slice(event.message.strip_suffix('\n').unwrap_or(&event.message).as_bytes());
            }
            Self::Raw { is_terminal: true } => {
                let lines: Vec<_> = event.text().split('\n').map(printable).collect();
                to.extend_from_slice(lines.join("\n").as_bytes());
            }
            Self::Json => {
                let json = serde_json::to_string(event).unwrap_or_default();
                to.extend_from_slice(printable_json(&json).as_bytes());
            }
            Self::Fields { fields, zone, as_json: true } => {
                to.extend_from_slice(printable_json(&fields.json(event, zone)).as_bytes());
            }
            Self::Fields { fields, zone, as_json: false } => {
                to.extend_from_slice(printable(&fields.line(event, zone)).as_bytes());
            }
            Self::Template { template, zone, is_terminal } => {
                let line = template.line(event, zone);
                let line = if *is_terminal { printable(&line) } else { line.into() };
                to.extend_from_slice(line.as_bytes());
            }
        }
        if !matches!(self, Self::Pretty(_)) {
            to.push(b'\n');
        }
    }

    /// Whether lines contain our styles, which only a terminal understands.
    pub fn is_styled(&self) -> bool {
        matches!(self, Self::Pretty(_))
    }
}

/// Formats a time with milliseconds and the offset of its zone.
fn full_time(timestamp: i64, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(timestamp).unwrap_or_default();
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
