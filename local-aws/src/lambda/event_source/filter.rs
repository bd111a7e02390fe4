//! `FilterCriteria`: decides which records reach the function. A record passes if one of the patterns matches it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html> and `with-kinesis-filtering.html`.

mod pattern;

use kinesis_event_logger_core::event::epoch_seconds;
use serde_json::{Map, Value, json};

use super::event::EventFields;
use crate::error::AwsError;
use crate::kinesis::RecordRef;
use crate::lambda::errors::invalid_parameter;
use crate::validation::LAMBDA;
use pattern::{InvalidPattern, Pattern};

/// The most patterns a mapping can have (the quota's default).
const MAX_FILTERS: usize = 5;
const DATA: &str = "data";
/// The members of an event that patterns can name: its own, and those of `kinesis` beside them.
const MEMBERS: [&str; 12] = [
    "kinesisSchemaVersion",
    "partitionKey",
    "sequenceNumber",
    "approximateArrivalTimestamp",
    "eventSource",
    "eventVersion",
    "eventID",
    "eventName",
    "invokeIdentityArn",
    "awsRegion",
    "eventSourceARN",
    DATA,
];

/// The filters of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// The patterns as the client sent them.
    written: Vec<String>,
    patterns: Vec<Pattern>,
    /// The members that the patterns name.
    members: Vec<&'static str>,
}

impl Filters {
    /// Reads `FilterCriteria`. Returns `None` if it has no filters, which also removes earlier ones.
    ///
    /// # Errors
    /// A pattern is invalid or too long, or there are more than five.
    pub fn read(criteria: &Value) -> Result<Option<Self>, AwsError> {
        let filters = match criteria.get("Filters") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(filters)) => filters,
            Some(_) => return Err(invalid_definition()),
        };
        let written: Option<Vec<String>> =
            filters.iter().map(|filter| Some(filter.get("Pattern")?.as_str()?.to_owned())).collect();
        let written = written.ok_or_else(invalid_definition)?;
        LAMBDA.check("FilterCriteria", "filterCriteria", criteria)?;
        if written.len() > MAX_FILTERS {
            // AWS's message is unverified.
            return Err(invalid_parameter(format!(
                "{} filters exceed the limit of {MAX_FILTERS} for an event source mapping.",
                written.len()
            )));
        }
        let patterns: Result<Vec<Pattern>, InvalidPattern> =
            written.iter().map(|pattern| read_pattern(pattern)).collect();
        let patterns = patterns.map_err(|_| invalid_definition())?;
        let is_named = |member: &&str| patterns.iter().any(|pattern| pattern.names(member));
        let members = MEMBERS.into_iter().filter(is_named).collect();
        Ok((!written.is_empty()).then_some(Self { written, patterns, members }))
    }

    pub fn to_json(&self) -> Value {
        let filters: Vec<Value> = self.written.iter().map(|pattern| json!({ "Pattern": pattern })).collect();
        json!({ "Filters": filters })
    }

    /// Whether a record reaches the function. Data that is not JSON matches no pattern on `data`.
    pub fn pass(&self, record: RecordRef<'_>, fields: &EventFields<'_>) -> bool {
        let members = self.members.iter().filter_map(|name| Some(((*name).to_owned(), member(name, record, fields)?)));
        let event: Map<String, Value> = members.collect();
        self.patterns.iter().any(|pattern| pattern.matches(&event))
    }
}

/// Reads a pattern. A rule that only Kinesis has: the pattern of `data` must be an object.
fn read_pattern(text: &str) -> Result<Pattern, InvalidPattern> {
    let value: Value = serde_json::from_str(text).map_err(|_| InvalidPattern)?;
    match value.get(DATA) {
        None | Some(Value::Object(_)) => Pattern::read(&value),
        Some(_) => Err(InvalidPattern),
    }
}

/// AWS's message for every pattern it cannot read (cited in aws-cdk issue 23057).
fn invalid_definition() -> AwsError {
    invalid_parameter("Invalid filter pattern definition.")
}

/// One member of the event that patterns are matched against. `data` is decoded JSON, and absent if it is not JSON.
fn member(name: &str, record: RecordRef<'_>, fields: &EventFields<'_>) -> Option<Value> {
    Some(match name {
        "kinesisSchemaVersion" | "eventVersion" => json!("1.0"),
        "partitionKey" => json!(record.partition_key),
        "sequenceNumber" => json!(fields.sequence_number(record)),
        "approximateArrivalTimestamp" => serde_json::from_str(&epoch_seconds(record.arrival)).ok()?,
        "eventSource" => json!("aws:kinesis"),
        "eventID" => json!(format!("{}:{}", fields.shard_id, fields.sequence_number(record))),
        "eventName" => json!("aws:kinesis:record"),
        "invokeIdentityArn" => json!(fields.role_arn),
        "awsRegion" => json!(fields.region),
        "eventSourceARN" => json!(fields.event_source_arn),
        DATA => serde_json::from_slice(record.data).ok()?,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: EventFields<'static> = EventFields::EXAMPLE;

    fn record<'a>(partition_key: &'a str, data: &'a str) -> RecordRef<'a> {
        RecordRef { counter: 49, arrival: 1500, partition_key, data: data.as_bytes() }
    }

    fn filters(patterns: &[Value]) -> Result<Option<Filters>, AwsError> {
        let filters: Vec<Value> = patterns.iter().map(|pattern| json!({ "Pattern": pattern.to_string() })).collect();
        Filters::read(&json!({ "Filters": filters }))
    }

    fn passes(pattern: Value, key: &str, data: &str) -> bool {
        filters(&[pattern]).unwrap().unwrap().pass(record(key, data), &FIELDS)
    }

    #[test]
    fn data_is_matched_as_json_and_metadata_by_name() {
        let wanted = json!({ "data": { "event_type": ["function_1"] } });
        assert!(passes(wanted.clone(), "k", r#"{"event_type":"function_1","message":"foo"}"#));
        assert!(!passes(wanted, "k", r#"{"event_type":"function_2"}"#));
        let keyed = json!({ "partitionKey": [{ "prefix": "user-" }] });
        assert!(passes(keyed.clone(), "user-1", "not JSON"));
        assert!(!passes(keyed, "k", "{}"));
        assert!(passes(json!({}), "k", "not JSON"));
    }

    #[test]
    fn data_that_is_not_json_matches_no_pattern_on_data() {
        for pattern in [json!({ "data": { "a": [{ "exists": false }] } }), json!({ "data": { "a": ["x"] } })] {
            assert!(!passes(pattern, "k", "text"));
        }
        assert!(passes(json!({ "data": { "a": [{ "exists": false }] } }), "k", "{}"));
        let either = json!({ "$or": [{ "data": { "a": [{ "exists": false }] } }, { "partitionKey": ["k"] }] });
        assert!(passes(either.clone(), "k", "text") && !passes(either, "other", "text"));
    }

    #[test]
    fn metadata_is_matched_as_the_event_shows_it() {
        let number = FIELDS.sequence_number(record("k", ""));
        let event_id = format!("{}:{number}", FIELDS.shard_id);
        assert!(passes(json!({ "sequenceNumber": [number], "eventID": [event_id] }), "k", ""));
        assert!(passes(json!({ "approximateArrivalTimestamp": [{ "numeric": ["=", 1.5] }] }), "k", ""));
        assert!(passes(json!({ "invokeIdentityArn": [FIELDS.role_arn], "awsRegion": [FIELDS.region] }), "k", ""));
        assert!(!passes(json!({ "eventName": ["aws:kinesis:other"] }), "k", ""));
        assert!(passes(json!({ "unknown": [{ "exists": false }] }), "k", ""));
    }

    #[test]
    fn one_matching_filter_is_enough() {
        let two = filters(&[json!({ "partitionKey": ["a"] }), json!({ "partitionKey": ["b"] })]).unwrap().unwrap();
        assert_eq!(["a", "b", "c"].map(|key| two.pass(record(key, ""), &FIELDS)), [true, true, false]);
    }

    #[test]
    fn an_invalid_pattern_is_rejected_with_awss_message() {
        for written in ["", "null", "[]", "{", r#"{"eventName":"INSERT"}"#, r#"{"data":["text"]}"#, r#"{"data":{}}"#] {
            let error = Filters::read(&json!({ "Filters": [{ "Pattern": written }] })).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException", "{written}");
            assert_eq!(error.message, "Invalid filter pattern definition.");
        }
        assert!(Filters::read(&json!({ "Filters": [{}] })).is_err());
        let long = json!({ "partitionKey": ["x".repeat(4096)] });
        let error = filters(&[long]).unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert!(error.message.ends_with(
            "at 'filterCriteria.filters.1.member.pattern' failed to satisfy constraint: Member must have length less than or equal to 4096"
        ));
        let pattern = json!({ "partitionKey": ["x"] });
        assert!(filters(&vec![pattern.clone(); 6]).is_err());
        assert!(filters(&vec![pattern; 5]).is_ok());
        for empty in [json!({}), json!({ "Filters": [] }), json!({ "Filters": null })] {
            assert_eq!(Filters::read(&empty).unwrap(), None);
        }
    }
}

/// Whether a value is a pattern that matches the event.
#[cfg(fuzzing)]
pub fn matches(pattern: &Value, event: &Map<String, Value>) -> bool {
    Pattern::read(pattern).is_ok_and(|pattern| pattern.matches(event))
}
