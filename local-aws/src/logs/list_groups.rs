//! ListLogGroups: lists names and classes of groups, by class and by prefixes or parts of names.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::error::AwsError;

use super::validation::page_size;
use super::{Logs, page_token};

/// The groups of a page without a limit.
const DEFAULT_PAGE_GROUPS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListLogGroups {
    log_group_name_pattern: Option<String>,
    log_group_class: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogGroupSummaries {
    log_groups: Vec<LogGroupSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogGroupSummary {
    log_group_name: String,
    log_group_arn: String,
    log_group_class: String,
}

impl Logs {
    pub(super) fn list_log_groups(&self, input: ListLogGroups) -> Result<LogGroupSummaries, AwsError> {
        let limit = page_size(input.limit, DEFAULT_PAGE_GROUPS);
        let pattern = input.log_group_name_pattern;
        let listing = self.group_arn("");
        let after = input.next_token.as_deref().map(|token| page_token::decode::<1>(&listing, token)).transpose()?;
        let start = after.as_ref().map_or(Bound::Unbounded, |[name]| Bound::Excluded(name.as_str()));
        let state = self.read();
        let mut wanted = state
            .groups
            .range::<str, _>((start, Bound::Unbounded))
            .filter(|(name, _)| pattern.as_ref().is_none_or(|pattern| name_matches(pattern, name)))
            .filter(|(_, group)| input.log_group_class.as_ref().is_none_or(|class| group.class == *class))
            .peekable();
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let has_more = wanted.peek().is_some();
        let summary = |(name, group): &(&String, &super::state::Group)| LogGroupSummary {
            log_group_name: (*name).clone(),
            log_group_arn: self.group_arn(name),
            log_group_class: group.class.clone(),
        };
        Ok(LogGroupSummaries {
            next_token: page.last().filter(|_| has_more).map(|(name, _)| page_token::encode(&listing, &[name])),
            log_groups: page.iter().map(summary).collect(),
        })
    }
}

/// "Use ^ to match log group names by prefix. For a substring match, specify the string to match. [...] To match multiple
/// patterns, separate them with a | as in ^/aws/lambda|discover."
fn name_matches(pattern: &str, name: &str) -> bool {
    pattern.split('|').any(|part| match part.strip_prefix('^') {
        Some(prefix) => name.starts_with(prefix),
        None => name.contains(part),
    })
}
