//! The description of a version: the commit that it was built from.

use std::process::Command;

/// The most characters of a description.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html>
const MAX_CHARACTERS: usize = 256;

/// The commit of the working directory, its subject, and whether files differ from it. Empty outside a checkout.
pub fn description() -> String {
    let Some(commit) = git(&["log", "-1", "--format=%h %s"]) else { return String::new() };
    let is_changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|files| !files.is_empty());
    describe(&commit, is_changed)
}

fn describe(commit: &str, is_changed: bool) -> String {
    let (hash, subject) = commit.split_once(' ').unwrap_or((commit, ""));
    let mark = if is_changed { "+changes" } else { "" };
    format!("{hash}{mark} {subject}").trim_end().chars().take(MAX_CHARACTERS).collect()
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn a_description_names_the_commit_and_whether_files_differ_from_it() {
        assert_eq!(describe("1a2b3c4 Add a field", false), "1a2b3c4 Add a field");
        assert_eq!(describe("1a2b3c4 Add a field", true), "1a2b3c4+changes Add a field");
        assert_eq!(describe("1a2b3c4", false), "1a2b3c4");
        assert_eq!(describe(&format!("1a2b3c4 {}", "ü".repeat(300)), true).chars().count(), 256);
    }
}
