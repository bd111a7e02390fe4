//! Lists the account's log groups.

use super::groups::{GroupPattern, similar};
use crate::aws::Aws;
use crate::error::{Error, Result};

/// The number of pages of 50 log groups that are read to suggest a name.
const PAGES_FOR_SUGGESTIONS: usize = 20;

#[derive(Debug, Clone, PartialEq)]
pub struct LogGroup {
    pub name: String,
    /// The ARN without `:*` at its end.
    pub arn: String,
}

/// Lists the log groups that match a pattern.
pub async fn matching(aws: &Aws, pattern: &GroupPattern) -> Result<Vec<LogGroup>> {
    let mut found = list(aws, pattern.prefix(), usize::MAX).await?;
    found.retain(|group| pattern.matches(&group.name));
    Ok(found)
}

/// Suggests similar names for a log group that does not exist. Returns `None` if none is similar or listing is not allowed.
pub async fn suggestion(aws: &Aws, wanted: &str) -> Option<String> {
    let groups = list(aws, "", PAGES_FOR_SUGGESTIONS).await.ok()?;
    let names: Vec<_> = groups.into_iter().map(|group| group.name).collect();
    let similar = similar(wanted, &names);
    (!similar.is_empty()).then(|| format!("similar names: {}", similar.join(", ")))
}

/// The error of a log group that does not exist.
pub async fn missing(aws: &Aws, name: &str) -> Error {
    let similar = suggestion(aws, name).await.map(|similar| format!("{similar}; ")).unwrap_or_default();
    Error::failed(format!("there is no log group {name}")).hint(format!(
        "{similar}create it with `ops-cli provision --zip FILE`, or check --group, --log-group, --app, --stage and --region"
    ))
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
