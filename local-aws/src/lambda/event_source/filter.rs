//! `FilterCriteria`: which records reach the function. A record passes when one of the patterns matches it.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html> and `with-kinesis-filtering.html`.

mod pattern;

use serde_json::{Map, Value, json};

use super::event::Source;
use crate::error::AwsError;
use crate::kinesis::Record;
use crate::lambda::errors::invalid_parameter;
use crate::validation::LAMBDA;
use pattern::{Invalid, Pattern};

/// Patterns of one mapping, at most (the quota's default).
const MAX_FILTERS: usize = 5;
const DATA: &str = "data";

/// The filters of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// As the client wrote them.
    written: Vec<String>,
    patterns: Vec<Pattern>,
}

impl Filters {
    /// Reads `FilterCriteria`; none when it has no filters, which also takes earlier ones away.
    ///
    /// # Errors
    /// A pattern that is too long or no pattern; more than five.
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
            // AWS's wording is unverified.
            return Err(invalid_parameter(format!(
                "{} filters exceed the limit of {MAX_FILTERS} for an event source mapping.",
                written.len()
            )));
        }
        let patterns: Result<Vec<Pattern>, Invalid> = written.iter().map(|pattern| read_pattern(pattern)).collect();
        let patterns = patterns.map_err(|_| invalid_definition())?;
        Ok((!written.is_empty()).then_some(Self { written, patterns }))
    }

    pub fn to_json(&self) -> Value {
        let filters: Vec<Value> = self.written.iter().map(|pattern| json!({ "Pattern": pattern })).collect();
        json!({ "Filters": filters })
    }

    /// Whether a record reaches the function. Data that is no JSON passes no pattern on `data`.
    pub fn pass(&self, record: &Record, source: &Source) -> bool {
        let event = event(record, source, self.patterns.iter().any(|pattern| pattern.names(DATA)));
        self.patterns.iter().any(|pattern| pattern.matches(&event))
    }
}

/// A pattern, and the rule of its own that Kinesis has: what is asked of `data` is an object.
fn read_pattern(text: &str) -> Result<Pattern, Invalid> {
    let value: Value = serde_json::from_str(text).map_err(|_| Invalid)?;
    match value.get(DATA) {
        None | Some(Value::Object(_)) => Pattern::read(&value),
        Some(_) => Err(Invalid),
    }
}

/// AWS's words for every pattern it does not understand (cited in aws-cdk issue 23057).
fn invalid_definition() -> AwsError {
    invalid_parameter("Invalid filter pattern definition.")
}

/// What the patterns see: the event's own members, and those of `kinesis` beside them, with the data decoded.
fn event(record: &Record, source: &Source, with_data: bool) -> Map<String, Value> {
    let members = [
        ("kinesisSchemaVersion", json!("1.0")),
        ("partitionKey", json!(record.partition_key)),
        ("sequenceNumber", json!(record.sequence_number)),
        ("approximateArrivalTimestamp", json!(record.arrival)),
        ("eventSource", json!("aws:kinesis")),
        ("eventVersion", json!("1.0")),
        ("eventID", json!(format!("{}:{}", source.shard_id, record.sequence_number))),
        ("eventName", json!("aws:kinesis:record")),
        ("invokeIdentityArn", json!(source.role_arn)),
        ("awsRegion", json!(source.region)),
        ("eventSourceARN", json!(source.event_source_arn)),
    ];
    let mut event: Map<String, Value> = members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    let data = with_data.then(|| base64_simd::STANDARD.decode_to_vec(&record.data).ok()).flatten();
    if let Some(data) = data.and_then(|data| serde_json::from_slice::<Value>(&data).ok()) {
        event.insert(DATA.into(), data);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: Source<'static> =
        Source { region: "us-east-1", event_source_arn: "arn", shard_id: "shardId-000000000000", role_arn: "role" };

    fn filters(patterns: &[Value]) -> Result<Option<Filters>, AwsError> {
        let filters: Vec<Value> = patterns.iter().map(|pattern| json!({ "Pattern": pattern.to_string() })).collect();
        Filters::read(&json!({ "Filters": filters }))
    }

    fn passes(pattern: Value, key: &str, data: &str) -> bool {
        let record = Record {
            sequence_number: "49".into(),
            partition_key: key.into(),
            data: base64_simd::STANDARD.encode_to_string(data),
            arrival: 1.5,
        };
        filters(&[pattern]).unwrap().unwrap().pass(&record, &SOURCE)
    }

    #[test]
    fn data_is_matched_as_json_and_metadata_by_name() {
        let wanted = json!({ "data": { "event_type": ["function_1"] } });
        assert!(passes(wanted.clone(), "k", r#"{"event_type":"function_1","message":"foo"}"#));
        assert!(!passes(wanted, "k", r#"{"event_type":"function_2"}"#));
        let keyed = json!({ "partitionKey": [{ "prefix": "user-" }] });
        assert!(passes(keyed.clone(), "user-1", "no JSON"));
        assert!(!passes(keyed, "k", "{}"));
        assert!(passes(json!({}), "k", "no JSON"));
    }

    #[test]
    fn data_that_is_no_json_passes_no_pattern_on_data() {
        for pattern in [json!({ "data": { "a": [{ "exists": false }] } }), json!({ "data": { "a": ["x"] } })] {
            assert!(!passes(pattern, "k", "text"));
        }
        assert!(passes(json!({ "data": { "a": [{ "exists": false }] } }), "k", "{}"));
        let either = json!({ "$or": [{ "data": { "a": [{ "exists": false }] } }, { "partitionKey": ["k"] }] });
        assert!(passes(either.clone(), "k", "text") && !passes(either, "other", "text"));
    }

    #[test]
    fn one_matching_filter_is_enough() {
        let two = filters(&[json!({ "partitionKey": ["a"] }), json!({ "partitionKey": ["b"] })]).unwrap().unwrap();
        let record = |key: &str| Record {
            sequence_number: "1".into(),
            partition_key: key.into(),
            data: String::new(),
            arrival: 0.0,
        };
        assert_eq!(["a", "b", "c"].map(|key| two.pass(&record(key), &SOURCE)), [true, true, false]);
    }

    #[test]
    fn what_is_no_pattern_is_refused_in_awss_words() {
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
        for none in [json!({}), json!({ "Filters": [] }), json!({ "Filters": null })] {
            assert_eq!(Filters::read(&none).unwrap(), None);
        }
    }
}

/// Whether an event matches this pattern, if it is one.
#[cfg(fuzzing)]
pub fn matches(pattern: &Value, event: &Map<String, Value>) -> bool {
    Pattern::read(pattern).is_ok_and(|pattern| pattern.matches(event))
}
