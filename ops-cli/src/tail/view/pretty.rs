//! The view for people: `time  key  data` for our lines, one dim line for each invocation, and colours for warnings and
//! errors.

use anstyle::{AnsiColor, Style};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::json_style;
use super::spans::{self, Spans};
use crate::output::printable;
use crate::tail::event::Event;
use crate::tail::matching::Matching;
use crate::tail::members::members;
use crate::tail::platform::{Platform, Report};
use crate::tail::record::{Body, Level, Record};

/// Terminals narrower than this show times without milliseconds.
const NARROW: usize = 60;
/// The columns of a partition key, and of the name of a log group.
const WIDEST_KEY: usize = 24;
const WIDEST_LABEL: usize = 16;

const DIM: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();

#[derive(Debug)]
pub struct Pretty {
    zone: TimeZone,
    matching: Matching,
    /// The columns of the terminal. `None` lets the terminal wrap the lines.
    columns: Option<usize>,
    /// Whether lines name their log group.
    has_labels: bool,
    key_width: usize,
    label_width: usize,
    /// The day of the last line. It starts as the day on which the run began.
    day: Date,
}

impl Pretty {
    pub fn new(zone: TimeZone, matching: Matching, now: Timestamp) -> Self {
        let day = now.to_zoned_datetime(zone.clone()).date();
        Self { zone, matching, columns: None, has_labels: false, key_width: 0, label_width: 0, day }
    }

    /// Cuts lines to this many columns; `None` lets the terminal wrap them.
    pub fn set_columns(&mut self, columns: Option<usize>) {
        self.columns = columns;
    }

    pub fn set_labels(&mut self, has_labels: bool) {
        self.has_labels = has_labels;
    }

    /// Whether the view omits a message: lines of the platform that report only a start or an end.
    pub fn hides(message: &str) -> bool {
        Platform::parse(message) == Some(Platform::Routine)
    }

    pub fn render(&mut self, event: &Event, to: &mut Vec<u8>) {
        let at = Timestamp::from_millisecond(event.timestamp).unwrap_or_default().to_zoned_datetime(self.zone.clone());
        self.begin_day(&at, to);
        let mut line = self.head(event, &at);
        let indent = line.width();
        match Platform::parse(event.text()) {
            Some(Platform::Report(report)) => push_report(&report, &mut line),
            Some(Platform::Fault) => line.push(error_style(), fault(event.text())),
            Some(Platform::Routine) => line.push(DIM, event.text()),
            None => return self.message(event.text(), line, indent, to),
        }
        self.write(&line, to);
    }

    fn begin_day(&mut self, at: &ZonedDateTime, to: &mut Vec<u8>) {
        if self.day == at.date() {
            return;
        }
        self.day = at.date();
        let mut line = Spans::default();
        line.push_escaped(DIM, &format!("── {} ──", at.strftime("%A, %Y-%m-%d")));
        self.write(&line, to);
    }

    /// The time, the mark of a late event, and the log group.
    fn head(&mut self, event: &Event, at: &ZonedDateTime) -> Spans {
        let format = if self.columns.is_some_and(|columns| columns < NARROW) { "%H:%M:%S" } else { "%H:%M:%S%.3f" };
        let mut line = Spans::default();
        line.push_escaped(DIM, &at.strftime(format).to_string());
        if event.late {
            line.push_escaped(AnsiColor::Yellow.on_default(), " late");
        }
        line.push_escaped(PLAIN, "  ");
        if self.has_labels {
            let name = event.log_group.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let name = printable(name);
            self.label_width = self.label_width.max(spans::width(&name)).min(WIDEST_LABEL);
            line.push_escaped(label_style(&event.log_group), &spans::fit(&name, self.label_width));
            line.push_escaped(PLAIN, "  ");
        }
        line
    }

    /// Renders a line of a function: its level, the partition key of our lines, and its text.
    fn message(&mut self, message: &str, mut line: Spans, mut indent: usize, to: &mut Vec<u8>) {
        let record = Record::parse(message);
        if let Some(key) = &record.key {
            let key = printable(key).replace('\t', "  ");
            let widest = self.columns.map_or(WIDEST_KEY, |columns| (columns / 5).clamp(6, WIDEST_KEY));
            self.key_width = self.key_width.max(spans::width(&key)).min(widest);
            let key = if self.columns.is_some() { spans::fit(&key, self.key_width) } else { key };
            line.push_escaped(AnsiColor::Blue.on_default(), &key);
            line.push_escaped(PLAIN, "  ");
            indent = line.width();
        }
        let text = match &record.body {
            Body::Text(text) => one_line(text),
            _ => "",
        };
        if let Some((style, name)) = mark(record.level).filter(|(_, name)| !text.contains(name)) {
            line.push_escaped(style, name);
            line.push_escaped(PLAIN, " ");
        }
        if let Some(error) = &record.error {
            line.push(level_style(record.level), error);
            line.push_escaped(PLAIN, "  ");
        }
        match &record.body {
            Body::Json(json) => json_style::push(json, &mut line),
            Body::Text(text) => return self.lines(text, level_style(record.level), line, indent, to),
            Body::Both(text, json) => {
                line.push(level_style(record.level), one_line(text));
                push_members(json, &mut line);
            }
        }
        self.write(&line, to);
    }

    /// Renders a text, whose further lines are indented below its first.
    fn lines(&self, text: &str, style: Style, mut line: Spans, indent: usize, to: &mut Vec<u8>) {
        for (n, part) in text.trim_end().split('\n').enumerate() {
            if n > 0 {
                line = Spans::default();
                line.push_escaped(PLAIN, &" ".repeat(indent));
            }
            line.push(style, part.trim_end_matches('\r'));
            self.write(&line, to);
        }
    }

    fn write(&self, line: &Spans, to: &mut Vec<u8>) {
        line.write(self.columns, &self.matching.highlights(&line.text), to);
    }
}

/// Members that are shown elsewhere in the line, or that all lines share.
const SHOWN_ELSEWHERE: [&str; 9] =
    ["level", "message", "msg", "time", "timestamp", "@timestamp", "ts", "requestId", "AWSRequestId"];

fn push_members(json: &str, line: &mut Spans) {
    for (name, value) in members(json) {
        if !SHOWN_ELSEWHERE.contains(&&*name) {
            line.push_escaped(PLAIN, "  ");
            line.push(DIM, &format!("{name}="));
            json_style::push(value.get(), line);
        }
    }
}

fn push_report(report: &Report, line: &mut Spans) {
    let milliseconds = |value: f64| if value < 100.0 { format!("{value:.1} ms") } else { format!("{value:.0} ms") };
    if let Some(status) = &report.status {
        let error_type = report.error_type.as_deref().unwrap_or_default();
        let is_full = report.memory > 0 && report.used >= report.memory && !error_type.contains("OutOfMemory");
        for part in [status.as_str(), error_type, if is_full { "out of memory" } else { "" }] {
            if !part.is_empty() {
                line.push(error_style(), part);
                line.push_escaped(PLAIN, "  ");
            }
        }
    }
    if let Some(init) = report.init {
        line.push_escaped(AnsiColor::Magenta.on_default(), &format!("cold start {}", milliseconds(init)));
        line.push_escaped(PLAIN, "  ");
    }
    line.push_escaped(DIM, &format!("took {}, {} of {} MB", milliseconds(report.duration), report.used, report.memory));
}

fn one_line(text: &str) -> &str {
    text.trim_end().lines().next().unwrap_or_default()
}

/// Strips the time and the request ID from the beginning of a platform fault.
fn fault(text: &str) -> &str {
    let line = one_line(text);
    let beginnings = ["Task timed out after ", "Error: "];
    beginnings.iter().find_map(|beginning| line.find(beginning)).map_or(line, |at| &line[at..])
}

fn mark(level: Level) -> Option<(Style, &'static str)> {
    match level {
        Level::Error => Some((error_style(), "ERROR")),
        Level::Warn => Some((AnsiColor::Yellow.on_default().bold(), "WARN")),
        Level::Debug => Some((DIM, "DEBUG")),
        Level::Info => None,
    }
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Error => AnsiColor::Red.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Debug => DIM,
        Level::Info => PLAIN,
    }
}

fn error_style() -> Style {
    AnsiColor::Red.on_default().bold()
}

/// Returns the colour of a group, which is always the same.
fn label_style(group: &str) -> Style {
    const COLOURS: [AnsiColor; 5] =
        [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Green, AnsiColor::Yellow, AnsiColor::Blue];
    let sum: usize = group.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    COLOURS[sum % COLOURS.len()].on_default()
}
