//! Reads a function's response to a batch. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html>

use serde_json::Value;

/// Returns the number of records, from the first on, that the function has processed. A response without
/// `batchItemFailures` reports success, because the mapping may not have the option that makes Lambda read it.
pub fn processed(payload: &[u8], sequence_numbers: &[&str]) -> usize {
    let response: Value = serde_json::from_slice(payload).unwrap_or_default();
    let failures = response.get("batchItemFailures").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let index = |failure: &Value| {
        let number = failure.get("itemIdentifier")?.as_str()?;
        sequence_numbers.iter().position(|known| *known == number)
    };
    // An identifier that is not one of the batch's fails all of it, as it does in a mapping.
    failures.iter().map(|failure| index(failure).unwrap_or(0)).min().unwrap_or(sequence_numbers.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_failed_record_is_the_first_one_to_repeat() {
        let numbers = ["1", "2", "3"];
        for (response, expected) in [
            (r#"{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"2"}]}"#, 1),
            (r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#, 0),
            (r#"{"batchItemFailures":[{"itemIdentifier":"9"}]}"#, 0),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, 0),
            (r#"{"batchItemFailures":[]}"#, 3),
            (r#"{"batchItemFailures":null}"#, 3),
            ("null", 3),
            ("\"ok\"", 3),
            ("", 3),
        ] {
            assert_eq!(processed(response.as_bytes(), &numbers), expected, "{response}");
        }
    }
}
