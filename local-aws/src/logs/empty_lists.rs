//! Operations that list features which log groups do not have here. Tools call them when they describe groups or plan changes.

use serde::{Deserialize, Serialize};

use crate::error::AwsError;

use super::Logs;
use super::groups::LogGroupName;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeMetricFilters {
    log_group_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DescribeResourcePolicies {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetricFilters {
    metric_filters: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionFilters {
    subscription_filters: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResourcePolicies {
    resource_policies: [(); 0],
}

impl Logs {
    pub(super) fn describe_metric_filters(&self, input: DescribeMetricFilters) -> Result<MetricFilters, AwsError> {
        if let Some(name) = &input.log_group_name {
            self.read().group(name)?;
        }
        Ok(MetricFilters { metric_filters: [] })
    }

    pub(super) fn describe_subscription_filters(&self, input: LogGroupName) -> Result<SubscriptionFilters, AwsError> {
        self.read().group(&input.log_group_name)?;
        Ok(SubscriptionFilters { subscription_filters: [] })
    }

    pub(super) fn describe_resource_policies(&self, _: DescribeResourcePolicies) -> Result<ResourcePolicies, AwsError> {
        Ok(ResourcePolicies { resource_policies: [] })
    }
}
