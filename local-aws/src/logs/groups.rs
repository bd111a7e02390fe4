//! CreateLogGroup, DescribeLogGroups and DeleteLogGroup.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::error::AwsError;

use super::persist::{remove_group, store_group};
use super::state::{ESSENTIALS, Group, INFREQUENT_ACCESS, STANDARD};
use super::validation::{check_tags, invalid_parameter, page_size};
use super::{Logs, page_token};

/// The groups of a page without a limit.
const MAX_PAGE_GROUPS: usize = 50;

/// "If you specify either INFREQUENT_ACCESS or ESSENTIALS, the results include log groups in both".
fn is_of_class(group: &Group, class: &str) -> bool {
    const BOTH: [&str; 2] = [INFREQUENT_ACCESS, ESSENTIALS];
    group.class == class || BOTH.contains(&class) && BOTH.contains(&group.class.as_str())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateLogGroup {
    log_group_name: String,
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
    log_groups: Vec<LogGroup>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A group's description.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogGroup {
    log_group_name: String,
    creation_time: i64,
    metric_filter_count: usize,
    arn: String,
    log_group_class: String,
    log_group_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_protection_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_in_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
}

/// The input of operations that need only a group's name.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogGroupName {
    pub(super) log_group_name: String,
}

impl Logs {
    pub(super) fn create_log_group(&self, input: CreateLogGroup) -> Result<(), AwsError> {
        let (name, tags) = (input.log_group_name, input.tags.unwrap_or_default());
        check_tags(&tags)?;
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
            class: input.log_group_class.unwrap_or_else(|| STANDARD.to_owned()),
            deletion_protection: input.deletion_protection_enabled.unwrap_or_default(),
            tags,
            ..Group::new(now)
        };
        let mut batch = self.batch();
        store_group(&name, &group, &mut batch);
        batch.commit();
        state.groups.insert(name, group);
        Ok(())
    }

    pub(super) fn describe_log_groups(&self, input: DescribeLogGroups) -> Result<LogGroups, AwsError> {
        let limit = page_size(input.limit, MAX_PAGE_GROUPS);
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
        let listing = self.group_arn("");
        let after = input.next_token.as_deref().map(|token| page_token::decode::<1>(&listing, token)).transpose()?;
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
        // Recorded: with a pattern, every page that has groups has a token, and the last page is empty.
        let more = by_pattern || wanted.peek().is_some();
        Ok(LogGroups {
            next_token: page.last().filter(|_| more).map(|(name, _)| page_token::encode(&listing, &[name])),
            log_groups: page.into_iter().map(|(name, group)| self.describe_group(name, group, by_pattern)).collect(),
        })
    }

    /// Recorded: with a pattern, groups have no size and no deletion protection.
    fn describe_group(&self, name: &str, group: &Group, by_pattern: bool) -> LogGroup {
        let arn = self.group_arn(name);
        let bytes = || group.streams.iter().map(|(_, stream)| stream.events.totals().bytes).sum();
        LogGroup {
            log_group_name: name.to_owned(),
            creation_time: group.created,
            metric_filter_count: 0,
            arn: format!("{arn}:*"),
            log_group_class: group.class.clone(),
            log_group_arn: arn,
            stored_bytes: (!by_pattern).then(bytes),
            deletion_protection_enabled: (!by_pattern).then_some(group.deletion_protection),
            retention_in_days: group.retention_in_days,
            kms_key_id: group.kms_key_id.clone(),
        }
    }

    pub(super) fn delete_log_group(&self, input: LogGroupName) -> Result<(), AwsError> {
        let name = input.log_group_name;
        let mut state = self.write();
        if state.group(&name)?.deletion_protection {
            // Unverified: AWS's message is not recorded.
            let text = "The specified log group has deletion protection enabled.";
            return Err(AwsError::bad_request("ValidationException", text));
        }
        if let Some(group) = state.groups.remove(&name) {
            let mut batch = self.batch();
            remove_group(&name, &group, &mut batch);
            batch.commit();
        }
        Ok(())
    }
}
