//! What becomes of a function's `Event` invocations: how often and for how long they are tried, and who is told.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::destinations::{Destination, DestinationConfig, Service, check_arn};
use super::functions::{Functions, list};
use super::names::{LATEST, Reference, function_arn};
use super::persist::Changed;
use super::validation::{Constraints, invalid_parameter, not_found};
use super::wire::{self, Query};
use crate::error::AwsError;

/// Configurations of one page, at most. <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html>
const PAGE: usize = 50;

/// The configuration of a version or alias; without one, the defaults hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EventInvokeConfig {
    max_retries: Option<u32>,
    max_age_seconds: Option<i64>,
    /// ARNs; empty: nobody is told.
    pub on_success: String,
    pub on_failure: String,
    /// Epoch seconds.
    last_modified: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    maximum_retry_attempts: Option<i64>,
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<DestinationConfig>,
}

impl EventInvokeConfig {
    pub fn max_retries(&self) -> u32 {
        self.max_retries.unwrap_or(2)
    }

    pub fn max_age(&self) -> Duration {
        Duration::from_secs(self.max_age_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(21_600))
    }

    fn with(mut self, input: &Input) -> Self {
        let retries = input.maximum_retry_attempts.and_then(|retries| u32::try_from(retries).ok());
        self.max_retries = retries.or(self.max_retries);
        self.max_age_seconds = input.maximum_event_age_in_seconds.or(self.max_age_seconds);
        if let Some(config) = &input.destination_config {
            config.on_success().clone_into(&mut self.on_success);
            config.on_failure().clone_into(&mut self.on_failure);
        }
        self.last_modified = Timestamp::now().as_millisecond() as f64 / 1000.0;
        self
    }

    fn to_json(&self, function_arn: String) -> Value {
        let destination = |arn: &str| if arn.is_empty() { json!({}) } else { json!({ "Destination": arn }) };
        let mut members = json!({
            "FunctionArn": function_arn,
            "LastModified": self.last_modified,
            "DestinationConfig": {
                "OnSuccess": destination(&self.on_success), "OnFailure": destination(&self.on_failure),
            },
        });
        if let Some(retries) = self.max_retries {
            members["MaximumRetryAttempts"] = json!(retries);
        }
        if let Some(seconds) = self.max_age_seconds {
            members["MaximumEventAgeInSeconds"] = json!(seconds);
        }
        members
    }
}

impl Functions {
    /// Replaces what there is.
    pub fn put_event_invoke_config(
        &self,
        resource: &str,
        query: &Query,
        body: &[u8],
    ) -> Result<Response<Bytes>, AwsError> {
        self.set_event_invoke_config(resource, query, body, false)
    }

    /// Changes what there is.
    pub fn update_event_invoke_config(
        &self,
        resource: &str,
        query: &Query,
        body: &[u8],
    ) -> Result<Response<Bytes>, AwsError> {
        self.set_event_invoke_config(resource, query, body, true)
    }

    pub fn get_event_invoke_config(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let (reference, qualifier) = self.qualified(resource, query)?;
        let found = self.event_invoke_config(&reference.name, &qualifier);
        let found = found.ok_or_else(|| self.has_none(&reference))?;
        Ok(wire::json(200, &found.to_json(reference.arn(self.config()))))
    }

    pub fn delete_event_invoke_config(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let (reference, qualifier) = self.qualified(resource, query)?;
        let taken = self.with_name(&reference.name, |latest| {
            let taken = latest.event_invoke.remove(&qualifier);
            self.keep(latest, Changed::Configuration);
            taken
        });
        let taken = taken.ok().flatten();
        taken.map(|_| wire::empty(204)).ok_or_else(|| self.has_none(&reference))
    }

    pub fn list_event_invoke_configs(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        wire::max_items(query, 50)?;
        let name = Reference::read(resource, None, self.config())?.name;
        let arn = function_arn(self.config(), &name);
        let shown = self.with_name(&name, |latest| {
            let shown = latest
                .event_invoke
                .iter()
                .map(|(qualifier, config)| (qualifier.as_str(), config.to_json(format!("{arn}:{qualifier}"))));
            let (page, marker) = wire::page(shown, query, PAGE)?;
            Ok(list("FunctionEventInvokeConfigs", page, marker))
        });
        shown.map_err(|_| no_function())?
    }

    /// That of a version or alias.
    pub fn event_invoke_config(&self, name: &str, qualifier: &str) -> Option<EventInvokeConfig> {
        self.with_name(name, |latest| latest.event_invoke.get(qualifier).cloned()).ok().flatten()
    }

    fn set_event_invoke_config(
        &self,
        resource: &str,
        query: &Query,
        body: &[u8],
        is_update: bool,
    ) -> Result<Response<Bytes>, AwsError> {
        let input: Input = wire::read(body)?;
        let (reference, qualifier) = self.qualified(resource, query)?;
        let mut constraints = Constraints::default();
        constraints.range(input.maximum_retry_attempts, "maximumRetryAttempts", 0, 2);
        constraints.range(input.maximum_event_age_in_seconds, "maximumEventAgeInSeconds", 60, 21_600);
        constraints.finish()?;
        let handling = input.maximum_retry_attempts.or(input.maximum_event_age_in_seconds);
        if handling.is_none() && input.destination_config.is_none() {
            return Err(invalid_parameter("You must specify at least one of error handling or destination setting."));
        }
        self.with(&reference, |_| ()).map_err(|_| no_function())?;
        if let Some(config) = &input.destination_config {
            self.check_destination(&reference.name, config.on_success(), "onSuccess")?;
            self.check_destination(&reference.name, config.on_failure(), "onFailure")?;
        }
        let shown = self.with_name(&reference.name, |latest| {
            let before = latest.event_invoke.get(&qualifier).filter(|_| is_update).cloned();
            if is_update && before.is_none() {
                return None;
            }
            let config = before.unwrap_or_default().with(&input);
            let shown = config.to_json(reference.arn(self.config()));
            latest.event_invoke.insert(qualifier, config);
            self.keep(latest, Changed::Configuration);
            Some(shown)
        })?;
        shown.map(|shown| wire::json(200, &shown)).ok_or_else(|| self.has_none(&reference))
    }

    fn check_destination(&self, function: &str, arn: &str, member: &str) -> Result<(), AwsError> {
        check_arn(arn, member)?;
        match arn.split(':').nth(2) {
            Some("lambda") => {
                let target = Reference::read(arn, None, self.config());
                let found = target.and_then(|target| self.with(&target, |found| found.name.clone()));
                let found = found.map_err(|_| invalid_parameter(format!("The destination ARN {arn} is invalid.")))?;
                if found == function {
                    return Err(invalid_parameter("You can't specify the function as a destination for itself."));
                }
                Ok(())
            }
            Some("sqs" | "sns" | "s3" | "events") | None => {
                let is_bucket = Destination::read(arn)?.is_some_and(|destination| destination.service == Service::S3);
                match is_bucket && member == "onSuccess" {
                    // AWS's wording is unverified; that a bucket is told of failures only is its documentation's.
                    true => Err(invalid_parameter(format!("The destination ARN {arn} is invalid."))),
                    false => Ok(()),
                }
            }
            Some(_) => {
                let (success, failure) = match member {
                    "onSuccess" => (format!("OnSuccess(destination={arn})"), "null".to_owned()),
                    _ => ("null".to_owned(), format!("OnFailure(destination={arn})")),
                };
                Err(invalid_parameter(format!(
                    "The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) is invalid."
                )))
            }
        }
    }

    /// What a request names, `$LATEST` if it names no version or alias.
    fn qualified(&self, resource: &str, query: &Query) -> Result<(Reference, String), AwsError> {
        let mut reference = Reference::read(resource, query.get("Qualifier"), self.config())?;
        let qualifier = reference.qualifier.get_or_insert_with(|| LATEST.to_owned()).clone();
        Ok((reference, qualifier))
    }

    fn has_none(&self, reference: &Reference) -> AwsError {
        not_found(format!("The function {} doesn't have an EventInvokeConfig", reference.arn(self.config())))
    }
}

fn no_function() -> AwsError {
    not_found("The function doesn't exist.")
}
