//! What a function's answer says about a batch, when the mapping has `ReportBatchItemFailures`. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>, and recorded answers.

use serde_json::Value;

use super::batch::Outcome;

/// Reads a successful invocation's answer. `sequence_numbers` are those of the records it was given, `first` is the
/// index of the first of them in its batch.
pub fn outcome(payload: &[u8], sequence_numbers: &[&str], first: usize) -> Outcome {
    let Ok(answer) = serde_json::from_slice::<Value>(payload) else { return Outcome::Failure };
    let failures = match &answer {
        Value::Null => return Outcome::Success,
        Value::String(text) if text.is_empty() => return Outcome::Success,
        Value::Array(items) if items.is_empty() => return Outcome::Success,
        Value::Object(members) => members.get("batchItemFailures").unwrap_or(&Value::Null),
        // Unverified: an answer of another shape than asked for.
        _ => return Outcome::Failure,
    };
    match failures {
        Value::Null => Outcome::Success,
        Value::Array(items) => lowest(items, sequence_numbers, first),
        _ => Outcome::Failure,
    }
}

/// The lowest sequence number is the checkpoint. One item that names no record of the batch fails all of it.
fn lowest(items: &[Value], sequence_numbers: &[&str], first: usize) -> Outcome {
    let index_of = |item: &Value| {
        let identifier = item.get("itemIdentifier")?.as_str()?;
        sequence_numbers.iter().position(|number| *number == identifier)
    };
    let indexes: Option<Vec<usize>> = items.iter().map(index_of).collect();
    match indexes.map(|indexes| indexes.into_iter().min()) {
        None => Outcome::Failure,
        Some(None) => Outcome::Success,
        Some(Some(index)) => Outcome::DoneBefore(first + index),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Outcome {
        outcome(payload.as_bytes(), &["10", "11", "12"], 5)
    }

    #[test]
    fn nothing_reported_is_success() {
        for payload in
            [r#""""#, "null", "[]", "{}", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, r#"{"a":1}"#]
        {
            assert_eq!(read(payload), Outcome::Success, "{payload}");
        }
    }

    #[test]
    fn a_report_that_names_no_record_fails_the_batch() {
        for item in [
            r#"{"itemIdentifier":""}"#,
            r#"{"itemIdentifier":null}"#,
            r#"{"foo":"10"}"#,
            r#"{"foo":null}"#,
            r#"{"itemIdentifier":"99"}"#,
            r#"{"itemIdentifier":"11"},{"itemIdentifier":"99"}"#,
            r#""10""#,
        ] {
            assert_eq!(read(&format!(r#"{{"batchItemFailures":[{item}]}}"#)), Outcome::Failure, "{item}");
        }
        assert_eq!(read("not json"), Outcome::Failure);
        assert_eq!(read(r#"{"batchItemFailures":"10"}"#), Outcome::Failure);
    }

    #[test]
    fn the_lowest_reported_record_is_the_checkpoint() {
        let report = r#"{"batchItemFailures":[{"itemIdentifier":"12"},{"itemIdentifier":"11"}]}"#;
        assert_eq!(read(report), Outcome::DoneBefore(6));
        assert_eq!(read(r#"{"batchItemFailures":[{"itemIdentifier":"10"}]}"#), Outcome::DoneBefore(5));
    }
}
