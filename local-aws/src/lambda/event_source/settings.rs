//! The settings of an event source mapping: reads them from a request, validates them and adds the defaults. A setting that
//! is not supported is rejected by name, never ignored.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kinesis_event_logger_core::limits;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::batch::{Backoff, Policy};
use super::filter::Filters;
use crate::error::AwsError;
use crate::kinesis::Start;
use crate::lambda::configuration::is_set;
use crate::lambda::destinations::{Destination, DestinationConfig, check_arn};
use crate::lambda::errors::invalid_parameter;
use crate::validation::LAMBDA;

/// The members that CreateEventSourceMapping and UpdateEventSourceMapping share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MappingInput {
    pub function_name: Option<String>,
    pub event_source_arn: Option<String>,
    pub enabled: Option<bool>,
    pub tags: BTreeMap<String, String>,
    starting_position: Option<String>,
    starting_position_timestamp: Option<Value>,
    batch_size: Option<i64>,
    maximum_batching_window_in_seconds: Option<i64>,
    maximum_record_age_in_seconds: Option<i64>,
    maximum_retry_attempts: Option<i64>,
    bisect_batch_on_function_error: Option<bool>,
    function_response_types: Option<Vec<String>>,
    parallelization_factor: Option<i64>,
    tumbling_window_in_seconds: Option<i64>,
    filter_criteria: Option<Value>,
    destination_config: Option<DestinationConfig>,
    metrics_config: Option<MetricsInput>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct MetricsInput {
    metrics: Vec<String>,
}

/// All settings of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub batch_size: usize,
    pub batching_window_seconds: u32,
    /// The number of batches of one shard that are processed at a time.
    pub parallelization_factor: usize,
    /// 0 disables tumbling windows.
    tumbling_window_seconds: u32,
    pub reports_item_failures: bool,
    /// Without filters, every record passes.
    pub filters: Option<Filters>,
    /// The destination of abandoned records.
    pub on_failure: Option<Destination>,
    max_record_age_seconds: i64,
    max_retry_attempts: i64,
    bisect: bool,
    /// Described as they were set: the endpoint has no CloudWatch metrics.
    metrics: Vec<String>,
}

/// The position where a mapping starts to read. It is fixed when the mapping is created.
#[derive(Debug, Clone, PartialEq)]
pub struct StartingPosition {
    pub start: Start,
}

impl Default for Settings {
    /// <https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html>
    fn default() -> Self {
        Self {
            batch_size: 100,
            batching_window_seconds: 0,
            parallelization_factor: 1,
            tumbling_window_seconds: 0,
            reports_item_failures: false,
            filters: None,
            on_failure: None,
            max_record_age_seconds: -1,
            max_retry_attempts: -1,
            bisect: false,
            metrics: Vec::new(),
        }
    }
}

impl Settings {
    /// These settings with those that a request names.
    ///
    /// # Errors
    /// A value is out of its range, or a setting is not supported.
    pub fn with(&self, input: &MappingInput) -> Result<Self, AwsError> {
        check(input)?;
        let mut settings = self.clone();
        if let Some(size) = input.batch_size.and_then(|size| usize::try_from(size).ok()) {
            settings.batch_size = size;
        }
        if let Some(window) = input.maximum_batching_window_in_seconds.and_then(|window| u32::try_from(window).ok()) {
            settings.batching_window_seconds = window;
        }
        if let Some(factor) = input.parallelization_factor.and_then(|factor| usize::try_from(factor).ok()) {
            settings.parallelization_factor = factor;
        }
        if let Some(window) = input.tumbling_window_in_seconds.and_then(|window| u32::try_from(window).ok()) {
            settings.tumbling_window_seconds = window;
        }
        settings.max_record_age_seconds = input.maximum_record_age_in_seconds.unwrap_or(self.max_record_age_seconds);
        settings.max_retry_attempts = input.maximum_retry_attempts.unwrap_or(self.max_retry_attempts);
        settings.bisect = input.bisect_batch_on_function_error.unwrap_or(self.bisect);
        if let Some(types) = &input.function_response_types {
            settings.reports_item_failures = !types.is_empty();
        }
        if let Some(criteria) = &input.filter_criteria {
            settings.filters = Filters::read(criteria)?;
        }
        if let Some(config) = &input.destination_config {
            settings.on_failure = on_failure(config)?;
        }
        if let Some(config) = &input.metrics_config {
            settings.metrics.clone_from(&config.metrics);
        }
        if settings.window_ms().is_some() && settings.parallelization_factor > 1 {
            // A window's state is its shard's. AWS rejects both together. Its message is unverified:
            // <https://github.com/terraform-aws-modules/terraform-aws-lambda/issues/619>.
            return Err(invalid_parameter("TumblingWindowInSeconds requires a ParallelizationFactor of 1."));
        }
        Ok(settings)
    }

    /// The length of a tumbling window, in milliseconds.
    pub fn window_ms(&self) -> Option<i64> {
        (self.tumbling_window_seconds > 0).then(|| i64::from(self.tumbling_window_seconds) * 1000)
    }

    pub fn policy(&self, backoff: Backoff) -> Policy {
        Policy {
            backoff,
            max_retries: u32::try_from(self.max_retry_attempts).ok(),
            max_age_ms: (self.max_record_age_seconds >= 0).then_some(self.max_record_age_seconds * 1000),
            bisect: self.bisect,
        }
    }

    /// The members of an `EventSourceMappingConfiguration` that are settings.
    pub fn to_json(&self) -> Map<String, Value> {
        let response_types: &[&str] = if self.reports_item_failures { &["ReportBatchItemFailures"] } else { &[] };
        let on_failure = match &self.on_failure {
            Some(destination) => json!({ "Destination": destination.arn }),
            None => json!({}),
        };
        let mut members: Map<String, Value> = [
            ("BatchSize", json!(self.batch_size)),
            ("MaximumBatchingWindowInSeconds", json!(self.batching_window_seconds)),
            ("MaximumRecordAgeInSeconds", json!(self.max_record_age_seconds)),
            ("MaximumRetryAttempts", json!(self.max_retry_attempts)),
            ("BisectBatchOnFunctionError", json!(self.bisect)),
            ("FunctionResponseTypes", json!(response_types)),
            ("ParallelizationFactor", json!(self.parallelization_factor)),
            ("TumblingWindowInSeconds", json!(self.tumbling_window_seconds)),
            ("DestinationConfig", json!({ "OnFailure": on_failure })),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        if let Some(filters) = &self.filters {
            members.insert("FilterCriteria".into(), filters.to_json());
        }
        if !self.metrics.is_empty() {
            members.insert("MetricsConfig".into(), json!({ "Metrics": self.metrics }));
        }
        members
    }
}

fn on_failure(config: &DestinationConfig) -> Result<Option<Destination>, AwsError> {
    if !config.on_success().is_empty() {
        // AWS's message is unverified. That there is no OnSuccess here is botocore's model.
        return Err(invalid_parameter("An event source mapping has no OnSuccess destination."));
    }
    check_arn(config.on_failure(), "onFailure")?;
    Destination::read(config.on_failure())
}

impl StartingPosition {
    /// Reads the starting position of a request.
    ///
    /// # Errors
    /// The position is missing or invalid, or AT_TIMESTAMP has no timestamp.
    pub fn read(input: &MappingInput) -> Result<Self, AwsError> {
        let Some(position) = input.starting_position.as_deref() else {
            // Recorded: this one validation error has another code, and a full stop.
            return Err(invalid_parameter(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must \
                 not be null.",
            ));
        };
        LAMBDA.check("EventSourcePosition", "startingPosition", &json!(position))?;
        let start = match (position, &input.starting_position_timestamp) {
            ("AT_TIMESTAMP", Some(timestamp)) => {
                let seconds = epoch_seconds(timestamp);
                let seconds = seconds.ok_or_else(|| invalid_parameter("StartingPositionTimestamp is not a time."))?;
                Start::AtTimestamp(seconds)
            }
            ("AT_TIMESTAMP", None) => {
                return Err(invalid_parameter("StartingPositionTimestamp is required with AT_TIMESTAMP."));
            }
            (_, Some(timestamp)) if is_set(timestamp) => {
                return Err(invalid_parameter("StartingPositionTimestamp goes with AT_TIMESTAMP only."));
            }
            ("LATEST", _) => Start::Latest,
            _ => Start::TrimHorizon,
        };
        Ok(Self { start })
    }

    pub fn to_json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        let name = match self.start {
            Start::TrimHorizon => "TRIM_HORIZON",
            Start::Latest => "LATEST",
            Start::AtTimestamp(seconds) => {
                members.insert("StartingPositionTimestamp".into(), json!(seconds));
                "AT_TIMESTAMP"
            }
        };
        members.insert("StartingPosition".into(), json!(name));
        members
    }
}

fn check(input: &MappingInput) -> Result<(), AwsError> {
    let (least_age, most_age) = limits::MAPPING_RECORD_AGE_SECONDS.into_inner();
    if input.maximum_record_age_in_seconds.is_some_and(|age| (0..least_age).contains(&age)) {
        // AWS's message is unverified.
        return Err(invalid_parameter(format!(
            "MaximumRecordAgeInSeconds must be -1, or between {least_age} and {most_age}."
        )));
    }
    match input.others.iter().find(|(_, value)| is_set(value)) {
        Some((name, _)) => Err(unsupported(name)),
        None => Ok(()),
    }
}

fn unsupported(setting: &str) -> AwsError {
    invalid_parameter(format!("The local endpoint does not support {setting} for event source mappings yet."))
}

/// Reads a timestamp: epoch seconds, or RFC 3339, which some clients send.
fn epoch_seconds(value: &Value) -> Option<f64> {
    if let Some(seconds) = value.as_f64() {
        return Some(seconds);
    }
    let timestamp: Timestamp = value.as_str()?.parse().ok()?;
    Some(timestamp.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(value: Value) -> MappingInput {
        serde_json::from_value(value).unwrap()
    }

    fn with(value: Value) -> Result<Settings, AwsError> {
        let mut members = value.as_object().unwrap().clone();
        members.insert("FunctionName".into(), json!("f"));
        let read = LAMBDA.read("CreateEventSourceMapping", serde_json::from_value(members.into()).unwrap())?;
        Settings::default().with(&input(read))
    }

    #[test]
    fn the_defaults_are_awss() {
        assert_eq!(
            Value::Object(with(json!({})).unwrap().to_json()),
            json!({
                "BatchSize": 100, "BisectBatchOnFunctionError": false, "DestinationConfig": { "OnFailure": {} },
                "FunctionResponseTypes": [], "MaximumBatchingWindowInSeconds": 0, "MaximumRecordAgeInSeconds": -1,
                "MaximumRetryAttempts": -1, "ParallelizationFactor": 1, "TumblingWindowInSeconds": 0,
            })
        );
    }

    #[test]
    fn settings_are_stored_and_described() {
        let settings = with(json!({
            "BatchSize": 10, "ParallelizationFactor": 10, "MaximumBatchingWindowInSeconds": 5, "MaximumRecordAgeInSeconds": 60,
            "MaximumRetryAttempts": 0, "BisectBatchOnFunctionError": true, "FunctionResponseTypes": ["ReportBatchItemFailures"],
        }))
        .unwrap();
        let backoff = Backoff::AWS;
        let policy = Policy { max_retries: Some(0), max_age_ms: Some(60_000), bisect: true, backoff };
        assert_eq!(settings.policy(Backoff::AWS), policy);
        let later = settings.with(&input(json!({ "MaximumRetryAttempts": -1, "FunctionResponseTypes": [] }))).unwrap();
        assert_eq!(later.policy(Backoff::AWS), Policy { max_retries: None, ..policy });
        assert_eq!((later.batch_size, later.parallelization_factor, later.reports_item_failures), (10, 10, false));
    }

    #[test]
    fn filters_are_described_as_written_and_removed_by_an_empty_list() {
        let criteria = json!({ "Filters": [{ "Pattern": r#"{ "data": {"a": [1]} }"# }] });
        let settings = with(json!({ "FilterCriteria": criteria })).unwrap();
        assert_eq!(settings.to_json()["FilterCriteria"], criteria);
        let unchanged = settings.with(&input(json!({ "BatchSize": 1 }))).unwrap();
        assert_eq!(unchanged.filters, settings.filters);
        let none = settings.with(&input(json!({ "FilterCriteria": { "Filters": [] } }))).unwrap();
        assert_eq!((&none.filters, none.to_json().get("FilterCriteria")), (&None, None));
    }

    #[test]
    fn metrics_are_described_and_removed_by_an_empty_list() {
        let config = json!({ "Metrics": ["EventCount"] });
        let settings = with(json!({ "MetricsConfig": config })).unwrap();
        assert_eq!(settings.to_json()["MetricsConfig"], config);
        let none = settings.with(&input(json!({ "MetricsConfig": { "Metrics": [] } }))).unwrap();
        assert_eq!(none.to_json().get("MetricsConfig"), None);
        assert!(with(json!({ "MetricsConfig": { "Metrics": ["Other"] } })).is_err());
    }

    #[test]
    fn a_tumbling_window_rejects_a_parallelization_factor() {
        let settings = with(json!({ "TumblingWindowInSeconds": 30 })).unwrap();
        assert_eq!((settings.window_ms(), with(json!({})).unwrap().window_ms()), (Some(30_000), None));
        assert!(settings.with(&input(json!({ "ParallelizationFactor": 2 }))).is_err());
    }

    #[test]
    fn an_on_failure_destination_is_set_retained_and_removed() {
        let config = json!({ "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:000000000000:q" } });
        let settings = with(json!({ "DestinationConfig": config })).unwrap();
        assert_eq!(settings.to_json()["DestinationConfig"], config);
        assert_eq!(settings.with(&input(json!({}))).unwrap().on_failure, settings.on_failure);
        for none in [json!({}), json!({ "OnFailure": {} }), json!({ "OnFailure": { "Destination": "" } })] {
            let cleared = settings.with(&input(json!({ "DestinationConfig": none }))).unwrap();
            assert_eq!(cleared.to_json()["DestinationConfig"], json!({ "OnFailure": {} }));
        }
        assert!(with(json!({ "DestinationConfig": { "OnSuccess": { "Destination": "arn:aws:s3:::abc" } } })).is_err());
    }

    #[test]
    fn ranges_are_awss() {
        for (setting, value) in [
            ("BatchSize", 0),
            ("BatchSize", 10_001),
            ("MaximumBatchingWindowInSeconds", 301),
            ("MaximumRetryAttempts", -2),
            ("MaximumRetryAttempts", 10_001),
            ("MaximumRecordAgeInSeconds", 604_801),
            ("ParallelizationFactor", 11),
            ("TumblingWindowInSeconds", 901),
        ] {
            assert_eq!(with(json!({ setting: value })).unwrap_err().code, "ValidationException", "{setting} {value}");
        }
        assert_eq!(
            with(json!({ "MaximumRecordAgeInSeconds": 59 })).unwrap_err().code,
            "InvalidParameterValueException"
        );
        assert!(with(json!({ "FunctionResponseTypes": ["Other"] })).is_err());
    }

    #[test]
    fn an_unsupported_setting_is_rejected_by_name() {
        for (setting, value) in
            [("KMSKeyArn", json!("arn:aws:kms:x")), ("ScalingConfig", json!({ "MaximumConcurrency": 2 }))]
        {
            let error = with(json!({ setting: value })).unwrap_err();
            assert_eq!(error.code, "InvalidParameterValueException");
            assert!(error.message.contains(setting), "{}", error.message);
        }
        let empty = json!({
            "FilterCriteria": { "Filters": [] }, "DestinationConfig": { "OnFailure": {} }, "ParallelizationFactor": 1,
            "TumblingWindowInSeconds": 0, "SourceAccessConfigurations": [],
        });
        assert!(with(empty).is_ok());
    }

    #[test]
    fn a_starting_position_is_required() {
        let read = |value: Value| StartingPosition::read(&input(value));
        let error = read(json!({})).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.ends_with("Member must not be null."));
        let error = read(json!({ "StartingPosition": "invalid" })).unwrap_err();
        assert_eq!(
            error.message,
            "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: Member must \
             satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
        );
        assert!(read(json!({ "StartingPosition": "AT_TIMESTAMP" })).is_err());
        let at =
            read(json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_545_084_650.5 })).unwrap();
        assert_eq!(at.start, Start::AtTimestamp(1_545_084_650.5));
        let text = json!({ "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": "2018-12-17T22:10:50.5Z" });
        assert_eq!(read(text).unwrap(), at);
    }
}
