//! Reads all lines of one invocation: every line of its log stream from its first to its last, including lines that do not
//! name it.

use std::collections::BTreeMap;

use kinesis_event_logger_core::line::{self, ParsedLine};

use super::event::Event;
use super::follow::Follower;
use super::sweep::{Query, Reader, SweepEnd};
use crate::error::Result;

/// The position of an invocation in a log stream: the lines that name it.
#[derive(Debug, Clone, Copy)]
struct Extent {
    first: i64,
    last: i64,
    lines: usize,
}

/// Passes the events of an invocation to `show`, page by page. Returns their number.
pub async fn read(
    reader: &Reader,
    request_id: &str,
    since: i64,
    mut show: impl FnMut(&[Event]) -> Result<()>,
) -> Result<(SweepEnd, usize)> {
    let mut extents: BTreeMap<String, Extent> = BTreeMap::new();
    let naming = reader.with_query(Query { filter: Some(format!("\"{request_id}\"")), ..reader.query().clone() });
    let note = |events: &[Event]| {
        for event in events.iter().filter(|event| names(&event.message, request_id)) {
            let found = Extent { first: event.timestamp, last: event.timestamp, lines: 0 };
            let extent = extents.entry(event.log_stream.clone()).or_insert(found);
            extent.first = extent.first.min(event.timestamp);
            extent.last = extent.last.max(event.timestamp);
            extent.lines += 1;
        }
        Ok(())
    };
    let now = jiff::Timestamp::now().as_millisecond();
    let swept = naming.sweep(&mut Follower::new(since), now, note).await?;
    let mut shown = 0;
    for (log_stream, extent) in extents {
        let query = Query { streams: Some(vec![log_stream]), end: Some(extent.last), ..Query::default() };
        let mut part = Part::new(request_id, extent.lines);
        let show = |events: &[Event]| {
            let own: Vec<Event> = events.iter().filter(|event| part.includes(&event.message)).cloned().collect();
            shown += own.len();
            show(&own)
        };
        reader.with_query(query).sweep(&mut Follower::new(extent.first), now, show).await?;
    }
    Ok((swept, shown))
}

/// The beginnings of Lambda's own lines, before the ID of the invocation.
const OF_LAMBDA: [&str; 3] = ["START RequestId: ", "END RequestId: ", "REPORT RequestId: "];

/// Whether a line is one of the invocation. Lines of Lambda and of the logger say so. Any other line is if it contains the ID.
fn names(message: &str, request_id: &str) -> bool {
    if let Some(rest) = OF_LAMBDA.iter().find_map(|beginning| message.strip_prefix(beginning)) {
        return rest.starts_with(request_id);
    }
    match line::parse(message.trim_end()) {
        Ok(ParsedLine { request_id: Some(named), sequence_number: Some(_), .. }) => named == request_id,
        _ => message.contains(request_id),
    }
}

/// Selects the part of a log stream that belongs to an invocation. Pure.
#[derive(Debug)]
struct Part<'a> {
    request_id: &'a str,
    lines_to_come: usize,
    has_begun: bool,
}

impl<'a> Part<'a> {
    fn new(request_id: &'a str, lines: usize) -> Self {
        Self { request_id, lines_to_come: lines, has_begun: false }
    }

    /// Whether the next line of the stream belongs to the invocation: it names the invocation, or is between lines that do.
    fn includes(&mut self, message: &str) -> bool {
        if names(message, self.request_id) {
            self.has_begun = true;
            self.lines_to_come = self.lines_to_come.saturating_sub(1);
            return true;
        }
        let is_of_another = OF_LAMBDA.iter().any(|beginning| message.starts_with(beginning));
        self.has_begun && self.lines_to_come > 0 && !is_of_another
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_another_invocation_may_contain_the_id() {
        assert!(names("an error of B", "B"));
        for (message, expected) in [("START RequestId: B Version: 1", true), ("START RequestId: C Version: B", false)] {
            assert_eq!(names(message, "B"), expected, "{message}");
        }
        let line = |id: &str| format!(r#"{{"v":1,"requestId":"{id}","sequenceNumber":"1","data":"about B"}}"#);
        assert!(names(&line("B"), "B") && !names(&line("C"), "B"));
    }

    #[test]
    fn an_invocation_includes_the_lines_between_those_that_name_it() {
        let mut part = Part::new("B", 5);
        let stream = [
            ("REPORT RequestId: A\tDuration", false),
            ("a line of A", false),
            ("START RequestId: B Version: $LATEST", true),
            ("a line that names nothing", true),
            ("START RequestId: C", false),
            (r#"{"requestId":"B"}"#, true),
            (r#"{"v":1,"requestId":"B","sequenceNumber":"1","data":"x"}"#, true),
            ("END RequestId: B", true),
            ("REPORT RequestId: B\tDuration", true),
            ("a line of D", false),
        ];
        for (message, expected) in stream {
            assert_eq!(part.includes(message), expected, "{message}");
        }
    }
}
