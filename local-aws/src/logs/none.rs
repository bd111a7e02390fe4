//! What a group here has none of. Tools that show groups, or plan changes of them, ask for it all the same.

use serde_json::{Value, json};

use crate::error::AwsError;

use super::Logs;
use super::groups::LogGroupName;

impl Logs {
    pub(super) fn describe_metric_filters(&self, input: LogGroupName) -> Result<Value, AwsError> {
        if input.log_group_name.is_some() {
            self.existing_group(input)?;
        }
        Ok(json!({ "metricFilters": [] }))
    }

    pub(super) fn describe_subscription_filters(&self, input: LogGroupName) -> Result<Value, AwsError> {
        self.existing_group(input)?;
        Ok(json!({ "subscriptionFilters": [] }))
    }

    pub(super) fn describe_resource_policies(&self, _: &Value) -> Result<Value, AwsError> {
        Ok(json!({ "resourcePolicies": [] }))
    }

    fn existing_group(&self, input: LogGroupName) -> Result<(), AwsError> {
        let name = self.required_group_name(input.log_group_name)?;
        self.read().group(&name).map(drop)
    }
}
