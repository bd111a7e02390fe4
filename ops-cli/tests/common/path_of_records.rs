//! Helpers of the tests that follow records from the stream to the log: a function that fails on demand.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::types::{DestinationConfig, Environment, OnFailure};
use kinesis_event_logger_core::SequenceNumber;
use serde_json::Value;

use super::{Endpoint, eventually};

pub const FUNCTION: &str = "test-dev";

/// Sets the function's environment. A value that a setting does not accept makes every invocation fail.
pub async fn set_environment(endpoint: &Endpoint, variables: &[(&str, &str)]) {
    let lambda = Lambda::new(&endpoint.sdk_config().await);
    let mut environment = Environment::builder().set_variables(Some(Default::default()));
    for (name, value) in variables {
        environment = environment.variables(*name, *value);
    }
    let update = lambda.update_function_configuration().function_name(FUNCTION).environment(environment.build());
    update.send().await.unwrap();
    for _ in 0..1000 {
        let function = lambda.get_function_configuration().function_name(FUNCTION).send().await.unwrap();
        if function.last_update_status().is_none_or(|status| status.as_str() == "Successful") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // If the mapping invokes an alias, it gets the new settings with a version.
    if lambda.get_alias().function_name(FUNCTION).name("live").send().await.is_ok() {
        let version = lambda.publish_version().function_name(FUNCTION).send().await.unwrap().version.unwrap();
        let update = lambda.update_alias().function_name(FUNCTION).name("live").function_version(version);
        update.send().await.unwrap();
    }
}

/// Sends the documents of failed batches to this ARN after one attempt.
pub async fn send_failures_to(endpoint: &Endpoint, arn: &str) {
    let lambda = Lambda::new(&endpoint.sdk_config().await);
    let mappings = lambda.list_event_source_mappings().send().await.unwrap().event_source_mappings.unwrap();
    let destinations = OnFailure::builder().destination(arn).build();
    let update = lambda.update_event_source_mapping().uuid(mappings[0].uuid().unwrap()).maximum_retry_attempts(0);
    let destinations = DestinationConfig::builder().on_failure(destinations).build();
    update.destination_config(destinations).send().await.unwrap();
}

/// Waits until documents about so many records were delivered, and returns them as the endpoint lists them.
pub fn documents(endpoint: &Endpoint, records: u64) -> Vec<Value> {
    eventually("the documents of the failed records", || {
        let listed: Vec<Value> = serde_json::from_str(&endpoint.get("/_local/destinations").1).unwrap();
        let size = |listed: &Value| listed["document"]["KinesisBatchInfo"]["batchSize"].as_u64().unwrap_or_default();
        (listed.iter().map(size).sum::<u64>() >= records).then_some(listed)
    })
}

/// A sequence number of the same shard, put this many hours earlier, before all its records.
pub fn earlier(sequence_number: &str, hours: u64) -> String {
    let number: SequenceNumber = sequence_number.parse().unwrap();
    let mut parts = number.parts().unwrap();
    parts.counter = 0;
    parts.put_seconds -= hours * 3600;
    parts.build().unwrap().to_string()
}

/// A sequence number of the same shard that no record has, put at the same time.
pub fn unused(sequence_number: &str) -> String {
    let number: SequenceNumber = sequence_number.parse().unwrap();
    let mut parts = number.parts().unwrap();
    parts.counter += 1_000_000;
    parts.build().unwrap().to_string()
}
