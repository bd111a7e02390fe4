//! CreateLogGroup, DescribeLogGroups, DeleteLogGroup, retention and deletion protection.

use std::collections::BTreeMap;
use std::ops::Bound;

use kinesis_event_logger_core::limits::LOG_RETENTION_DAYS;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;

use super::kept::{forget_group, keep_group};
use super::state::{DELIVERY, ESSENTIALS, Group, INFREQUENT_ACCESS, STANDARD};
use super::validation::{Checks, invalid_parameter};
use super::{Logs, page_token};

pub(super) const CLASSES: [&str; 4] = [STANDARD, INFREQUENT_ACCESS, DELIVERY, ESSENTIALS];

/// "If you specify either INFREQUENT_ACCESS or ESSENTIALS, the results include log groups in both".
fn is_of_class(group: &Group, class: &str) -> bool {
    const BOTH: [&str; 2] = [INFREQUENT_ACCESS, ESSENTIALS];
    group.class == class || BOTH.contains(&class) && BOTH.contains(&group.class.as_str())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateLogGroup {
    log_group_name: Option<String>,
    kms_key_id: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeLogGroups {
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogGroups {
    log_groups: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// The input of operations on a group that say nothing but its name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogGroupName {
    pub(super) log_group_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRetentionPolicy {
    log_group_name: Option<String>,
    retention_in_days: Option<i32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutDeletionProtection {
    log_group_identifier: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

impl Logs {
    pub(super) fn create_log_group(&self, input: CreateLogGroup) -> Result<(), AwsError> {
        let mut checks = Checks::default();
        let name = checks.required_group_name(input.log_group_name);
        if let Some(key) = &input.kms_key_id {
            checks.length("kmsKeyId", key, 0, 256);
        }
        if let Some(tags) = &input.tags {
            checks.tags(tags);
        }
        let class = input.log_group_class.unwrap_or_else(|| CLASSES[0].to_owned());
        checks.one_of("logGroupClass", &class, &CLASSES);
        checks.finish()?;
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws/")) {
            return Err(invalid_parameter("Log groups starting with AWS/ are reserved for AWS."));
        }

        let now = self.now();
        let mut state = self.write();
        if state.groups.contains_key(&name) {
            let text = "The specified log group already exists";
            return Err(AwsError::bad_request("ResourceAlreadyExistsException", text));
        }
        let group = Group {
            kms_key_id: input.kms_key_id,
            class,
            deletion_protection: input.deletion_protection_enabled.unwrap_or_default(),
            tags: input.tags.unwrap_or_default(),
            ..Group::new(now)
        };
        let mut batch = self.batch();
        keep_group(&name, &group, &mut batch);
        batch.commit();
        state.groups.insert(name, group);
        Ok(())
    }

    pub(super) fn describe_log_groups(&self, input: DescribeLogGroups) -> Result<LogGroups, AwsError> {
        let mut checks = Checks::default();
        let limit = checks.limit(input.limit, 50);
        if let Some(prefix) = &input.log_group_name_prefix {
            checks.group_name("logGroupNamePrefix", prefix);
        }
        if let Some(class) = &input.log_group_class {
            checks.one_of("logGroupClass", class, &CLASSES);
        }
        checks.finish()?;
        if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
            let text = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
            return Err(invalid_parameter(text));
        }
        let identified = match input.log_group_identifiers {
            Some(identifiers) => {
                let names = identifiers.into_iter().map(|identifier| self.group_name(None, Some(identifier)));
                Some(names.collect::<Result<Vec<_>, _>>()?)
            }
            None => None,
        };
        let after = input.next_token.as_deref().map(page_token::decode::<1>).transpose()?;
        let prefix = input.log_group_name_prefix.unwrap_or_default();
        let pattern = input.log_group_name_pattern.unwrap_or_default();
        let by_pattern = !pattern.is_empty();

        let state = self.read();
        let start = match &after {
            Some([name]) => Bound::Excluded(name.as_str()),
            None => Bound::Included(prefix.as_str()),
        };
        let mut wanted = state
            .groups
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(&prefix))
            .filter(|(name, _)| name.contains(&pattern))
            .filter(|(name, _)| identified.as_ref().is_none_or(|names| names.contains(name)))
            .filter(|(_, group)| input.log_group_class.as_ref().is_none_or(|class| is_of_class(group, class)))
            .peekable();
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        // A pattern's groups are found by searching: what AWS found comes with a token, and the last page is empty (recorded).
        let more = by_pattern || wanted.peek().is_some();
        Ok(LogGroups {
            next_token: page.last().filter(|_| more).map(|(name, _)| page_token::encode(&[name])),
            log_groups: page.into_iter().map(|(name, group)| self.describe_group(name, group, by_pattern)).collect(),
        })
    }

    /// Found by pattern, a group comes without its size and protection (recorded).
    fn describe_group(&self, name: &str, group: &Group, by_pattern: bool) -> Value {
        let arn = self.group_arn(name);
        let mut described = json!({
            "logGroupName": name,
            "creationTime": group.created,
            "metricFilterCount": 0,
            "arn": format!("{arn}:*"),
            "logGroupClass": group.class,
            "logGroupArn": arn,
        });
        if !by_pattern {
            let stored: usize = group.streams.values().map(|stream| stream.events.totals().bytes).sum();
            described["storedBytes"] = stored.into();
            described["deletionProtectionEnabled"] = group.deletion_protection.into();
        }
        if let Some(days) = group.retention_in_days {
            described["retentionInDays"] = days.into();
        }
        if let Some(key) = &group.kms_key_id {
            described["kmsKeyId"] = key.as_str().into();
        }
        described
    }

    pub(super) fn delete_log_group(&self, input: LogGroupName) -> Result<(), AwsError> {
        let name = self.required_group_name(input.log_group_name)?;
        let mut state = self.write();
        if state.group(&name)?.deletion_protection {
            // Unverified: AWS's text is not recorded.
            let text = "The specified log group has deletion protection enabled.";
            return Err(AwsError::bad_request("ValidationException", text));
        }
        if let Some(group) = state.groups.remove(&name) {
            let mut batch = self.batch();
            forget_group(&name, &group, &mut batch);
            batch.commit();
        }
        Ok(())
    }

    pub(super) fn put_retention_policy(&self, input: PutRetentionPolicy) -> Result<(), AwsError> {
        let mut checks = Checks::default();
        let name = checks.required_group_name(input.log_group_name);
        let days = checks.required("retentionInDays", input.retention_in_days);
        if input.retention_in_days.is_some() {
            let allowed = LOG_RETENTION_DAYS.map(|days| days.to_string());
            checks.one_of("retentionInDays", &days.to_string(), &allowed.each_ref().map(String::as_str));
        }
        checks.finish()?;
        let now = self.now();
        let mut state = self.write();
        let group = state.group_mut(&name)?;
        group.retention_in_days = Some(days);
        let oldest = group.oldest_kept(now);
        let mut batch = self.batch();
        keep_group(&name, group, &mut batch);
        let expired = group.streams.values_mut().try_for_each(|stream| stream.events.expire(oldest, &mut batch));
        batch.commit();
        Ok(expired?)
    }

    pub(super) fn delete_retention_policy(&self, input: LogGroupName) -> Result<(), AwsError> {
        let name = self.required_group_name(input.log_group_name)?;
        self.change_group(&name, |group| {
            group.retention_in_days = None;
            Ok(())
        })
    }

    pub(super) fn put_deletion_protection(&self, input: PutDeletionProtection) -> Result<(), AwsError> {
        let mut checks = Checks::default();
        let enabled = checks.required("deletionProtectionEnabled", input.deletion_protection_enabled);
        let identifier = checks.required("logGroupIdentifier", input.log_group_identifier);
        checks.finish()?;
        let name = self.group_name(None, Some(identifier))?;
        self.change_group(&name, |group| {
            group.deletion_protection = enabled;
            Ok(())
        })
    }

    /// The name in an input that must have it.
    pub(super) fn required_group_name(&self, name: Option<String>) -> Result<String, AwsError> {
        let mut checks = Checks::default();
        let name = checks.required_group_name(name);
        checks.finish()?;
        Ok(name)
    }
}
