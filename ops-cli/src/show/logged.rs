//! Finds the lines of a record among the events of the log. Pure.

use std::collections::HashMap;

use kinesis_event_logger_core::line;
use kinesis_event_logger_core::settings::Settings;

use super::lines::{FetchedRecord, Invocation, MadeLine};

/// The lines that the record has in the log.
#[derive(Debug, Default, PartialEq)]
pub struct LoggedLines {
    /// Of each line that the function makes: how often the log contains exactly that line.
    pub counts: Vec<u64>,
    /// Of each line: the first one in the log.
    pub texts: Vec<Option<String>>,
    /// The lines about the record that the function, with its present settings, would not make.
    pub others: Vec<String>,
}

/// Counts the lines of a record among messages of the log. `made` are its lines, made for any invocation.
pub fn find<'m>(
    record: &FetchedRecord<'_>,
    settings: &Settings,
    made: &[MadeLine],
    messages: impl IntoIterator<Item = &'m str>,
) -> LoggedLines {
    let mut found = LoggedLines { counts: vec![0; made.len()], texts: vec![None; made.len()], others: Vec::new() };
    let mut by_invocation: HashMap<Invocation, LinesOfInvocation> = HashMap::new();
    for message in messages {
        let message = message.trim_end_matches(['\n', '\r']);
        let invocation = invocation(message, record);
        let is_about_record = invocation.is_some();
        let invocation = invocation.unwrap_or(Invocation { request_id: String::new(), time: record.arrival_ms() });
        let lines = by_invocation.entry(invocation).or_insert_with_key(|invocation| LinesOfInvocation {
            lines: record.lines(settings, invocation),
            seen: HashMap::new(),
        });
        match lines.index_of(message) {
            Some(index) => {
                found.counts[index] += 1;
                found.texts[index].get_or_insert_with(|| message.to_owned());
            }
            None if is_about_record => found.others.push(message.to_owned()),
            None => {}
        }
    }
    found
}

/// The lines that one invocation makes of the record.
struct LinesOfInvocation {
    lines: Vec<MadeLine>,
    /// How often each text was found.
    seen: HashMap<String, usize>,
}

impl LinesOfInvocation {
    /// Returns the index of the line with this text. Equal lines are found in turn.
    fn index_of(&mut self, text: &str) -> Option<usize> {
        let alike: Vec<_> = (0..self.lines.len()).filter(|&index| self.lines[index].text == text).collect();
        if alike.is_empty() {
            return None;
        }
        let seen = self.seen.entry(text.to_owned()).or_default();
        *seen += 1;
        Some(alike[(*seen - 1) % alike.len()])
    }
}

/// Returns the invocation that wrote a line, if the line is about the record.
fn invocation(message: &str, record: &FetchedRecord<'_>) -> Option<Invocation> {
    let line = line::parse(message).ok()?;
    if line.sequence_number.as_deref() != Some(record.record.sequence_number.as_str())
        || record.sub_sequence_number.is_some() && line.sub_sequence_number != record.sub_sequence_number
    {
        return None;
    }
    // Lines without a timestamp have the lag, or nothing that depends on the time.
    let time = line.timestamp_ms.or_else(|| line.lag_ms.map(|lag| record.arrival_ms() + lag));
    let request_id = line.request_id.unwrap_or_default().into_owned();
    Some(Invocation { request_id, time: time.unwrap_or(record.arrival_ms()) })
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::{fetched, invocation, record};
    use super::*;

    #[test]
    fn a_line_is_found_as_often_as_it_was_logged() {
        let record = record(b"Hello");
        let (fetched, settings) = (fetched(&record), Settings::default());
        let made = fetched.lines(&settings, &invocation());
        let again = fetched.lines(&settings, &Invocation { request_id: "other".into(), time: 1_545_084_999_000 });
        let other = made[0].text.replace("4959", "4960");
        let changed = made[0].text.replace("Hello", "[redacted]");
        let messages = [&made[0].text, &format!("{}\n", again[0].text), &other, "START RequestId: 1", &changed];
        let found = find(&fetched, &settings, &made, messages);
        assert_eq!((found.counts, found.others), (vec![2], vec![changed]));
        assert_eq!(found.texts[0].as_ref(), Some(&made[0].text));
    }

    #[test]
    fn equal_lines_of_one_record_are_found_in_turn() {
        let event = r#"{"id":"1","timestamp":1,"message":"same"}"#;
        let envelope = format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{event},{event}]}}"#
        );
        let record = record(envelope.as_bytes());
        let (fetched, settings) = (fetched(&record), Settings::default());
        let made = fetched.lines(&settings, &invocation());
        let find = |count| find(&fetched, &settings, &made, std::iter::repeat_n(made[0].text.as_str(), count)).counts;
        assert_eq!((find(1), find(2), find(4)), (vec![1, 0], vec![1, 1], vec![2, 2]));
    }
}
