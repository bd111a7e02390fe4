//! Reads a function's response to a batch if the mapping has `ReportBatchItemFailures`. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>, and recorded responses.

use serde_json::Value;

use super::batch::InvocationOutcome;
use super::event::EventFields;
use super::record::Record;

/// The records of an invocation, which its response names by their sequence numbers.
pub struct InvokedRecords<'a> {
    pub records: &'a [Record],
    pub fields: &'a EventFields<'a>,
    /// The index of the first of them in its batch.
    pub first: usize,
}

impl InvokedRecords<'_> {
    /// Reads the response of a successful invocation.
    pub fn outcome(&self, payload: &[u8]) -> InvocationOutcome {
        let Ok(response) = serde_json::from_slice::<Value>(payload) else { return InvocationOutcome::Failure };
        let failures = match &response {
            Value::Null => return InvocationOutcome::Success,
            Value::String(text) if text.is_empty() => return InvocationOutcome::Success,
            Value::Array(items) if items.is_empty() => return InvocationOutcome::Success,
            Value::Object(members) => members.get("batchItemFailures").unwrap_or(&Value::Null),
            // Unverified: a response of any other shape.
            _ => return InvocationOutcome::Failure,
        };
        match failures {
            Value::Null => InvocationOutcome::Success,
            Value::Array(items) => self.lowest(items),
            _ => InvocationOutcome::Failure,
        }
    }

    /// The lowest sequence number is the checkpoint. One item that names no record of the batch fails all of it.
    fn lowest(&self, items: &[Value]) -> InvocationOutcome {
        let indexes: Option<Vec<usize>> =
            items.iter().map(|item| self.index_of(item.get("itemIdentifier")?.as_str()?)).collect();
        match indexes.map(|indexes| indexes.into_iter().min()) {
            None => InvocationOutcome::Failure,
            Some(None) => InvocationOutcome::Success,
            Some(Some(index)) => InvocationOutcome::DoneBefore(self.first + index),
        }
    }

    /// The index of the first record with this sequence number.
    fn index_of(&self, sequence_number: &str) -> Option<usize> {
        let counter = self.fields.sequence.counter(sequence_number)?;
        let index = self.records.partition_point(|record| record.counter < counter);
        let found = self.fields.sequence_number(self.records.get(index)?.as_ref());
        (found.as_str() == sequence_number).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::RecordRef;

    const FIELDS: EventFields<'static> = EventFields::EXAMPLE;

    fn record(counter: u64) -> Record {
        Record::new(RecordRef { counter, arrival: 0, partition_key: "k", data: b"" })
    }

    /// The sequence number of the record with this counter.
    fn number(counter: u64) -> String {
        FIELDS.sequence_number(record(counter).as_ref()).to_string()
    }

    fn read(payload: &str) -> InvocationOutcome {
        let records = [10, 11, 11, 12].map(record);
        InvokedRecords { records: &records, fields: &FIELDS, first: 5 }.outcome(payload.as_bytes())
    }

    fn report(identifiers: &[String]) -> String {
        let items: Vec<Value> =
            identifiers.iter().map(|identifier| serde_json::json!({ "itemIdentifier": identifier })).collect();
        serde_json::json!({ "batchItemFailures": items }).to_string()
    }

    #[test]
    fn a_response_without_failures_is_a_success() {
        for payload in
            [r#""""#, "null", "[]", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, r#"{"a":1}"#]
        {
            assert_eq!(read(payload), InvocationOutcome::Success, "{payload}");
        }
    }

    #[test]
    fn a_report_that_names_no_record_fails_the_batch() {
        let (known, unknown) = (number(10), number(99));
        for item in [
            r#"{"itemIdentifier":""}"#.to_owned(),
            r#"{"itemIdentifier":null}"#.to_owned(),
            format!(r#"{{"foo":"{known}"}}"#),
            r#"{"foo":null}"#.to_owned(),
            r#"{"itemIdentifier":"99"}"#.to_owned(),
            format!(r#"{{"itemIdentifier":"{unknown}"}}"#),
            format!(r#"{{"itemIdentifier":"0{known}"}}"#),
            format!(r#"{{"itemIdentifier":"{known}"}},{{"itemIdentifier":"{unknown}"}}"#),
            format!(r#""{known}""#),
        ] {
            assert_eq!(read(&format!(r#"{{"batchItemFailures":[{item}]}}"#)), InvocationOutcome::Failure, "{item}");
        }
        assert_eq!(read("not json"), InvocationOutcome::Failure);
        assert_eq!(read(&format!(r#"{{"batchItemFailures":"{known}"}}"#)), InvocationOutcome::Failure);
    }

    #[test]
    fn the_lowest_reported_record_is_the_checkpoint() {
        assert_eq!(read(&report(&[number(12), number(11)])), InvocationOutcome::DoneBefore(6));
        assert_eq!(read(&report(&[number(10)])), InvocationOutcome::DoneBefore(5));
    }
}
