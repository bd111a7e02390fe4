//! The log groups of the account: which of them match, and what they are called in ARNs.

use super::groups::{GroupPattern, similar};
use crate::aws::Aws;
use crate::error::Result;

/// Pages of 50 log groups that are read to suggest a name.
const PAGES_FOR_SUGGESTIONS: usize = 20;

#[derive(Debug, Clone, PartialEq)]
pub struct LogGroup {
    pub name: String,
    /// Without `:*` at its end.
    pub arn: String,
}

/// The log groups that match a pattern.
pub async fn matching(aws: &Aws, pattern: &GroupPattern) -> Result<Vec<LogGroup>> {
    let mut found = list(aws, pattern.prefix(), usize::MAX).await?;
    found.retain(|group| pattern.matches(&group.name));
    Ok(found)
}

/// Names like that of a log group that does not exist, in half a sentence for a hint. Listing may not be allowed: then
/// nothing is suggested.
pub async fn suggestion(aws: &Aws, wanted: &str) -> Option<String> {
    let groups = list(aws, "", PAGES_FOR_SUGGESTIONS).await.ok()?;
    let names: Vec<_> = groups.into_iter().map(|group| group.name).collect();
    let similar = similar(wanted, &names);
    (!similar.is_empty()).then(|| format!("similar names: {}", similar.join(", ")))
}

async fn list(aws: &Aws, prefix: &str, pages: usize) -> Result<Vec<LogGroup>> {
    let request = aws.logs().describe_log_groups();
    let request = request.set_log_group_name_prefix((!prefix.is_empty()).then(|| prefix.to_owned()));
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..pages {
        let page = aws.call("list the log groups", || request.clone().set_next_token(token.clone()).send()).await?;
        found.extend(page.log_groups.unwrap_or_default().into_iter().filter_map(|group| {
            let arn = group.log_group_arn.or(group.arn).unwrap_or_default();
            Some(LogGroup { name: group.log_group_name?, arn: arn.trim_end_matches(":*").to_owned() })
        }));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    Ok(found)
}
