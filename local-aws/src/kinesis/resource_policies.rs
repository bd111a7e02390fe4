//! PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy. Policies are stored and not enforced.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Kinesis, invalid};
use crate::error::AwsError;

#[derive(Deserialize)]
pub struct ResourcePolicy {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[serde(rename = "Policy")]
    policy: String,
}

#[derive(Deserialize)]
pub struct ResourceArn {
    #[serde(rename = "ResourceARN")]
    pub resource_arn: String,
}

pub fn put_resource_policy(kinesis: &Kinesis, request: ResourcePolicy) -> Result<(), AwsError> {
    let ResourcePolicy { resource_arn, policy } = request;
    let resource = kinesis.resource(resource_arn)?;
    if serde_json::from_str::<Value>(&policy).is_err() {
        // Unverified: AWS's message.
        return Err(invalid("Policy must be valid JSON."));
    }
    resource.update(|settings| {
        *settings.policy = Some(policy);
        Ok(())
    })
}

/// Recorded: without a policy, the response contains an empty one.
pub fn get_resource_policy(kinesis: &Kinesis, request: ResourceArn) -> Result<Value, AwsError> {
    let policy = kinesis.resource(request.resource_arn)?.policy();
    Ok(json!({ "Policy": policy.as_deref().unwrap_or("{}") }))
}

pub fn delete_resource_policy(kinesis: &Kinesis, request: ResourceArn) -> Result<(), AwsError> {
    let resource = kinesis.resource(request.resource_arn)?;
    if resource.policy().is_none() {
        // Unverified: AWS's message.
        let message = format!("No resource policy found for resource ARN {}", resource.arn);
        return Err(AwsError::bad_request("ResourceNotFoundException", message));
    }
    resource.update(|settings| {
        *settings.policy = None;
        Ok(())
    })
}
