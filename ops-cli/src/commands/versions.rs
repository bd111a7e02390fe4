//! `versions`: list the published versions of the function.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::deploy::canary::percentage;
use crate::error::Result;
use crate::function::release::{Alias, LIVE, Releases, Version};
use crate::global::Global;
use crate::output::{Output, Render};

const TASK: &str = "\
Lists the published versions of the function, the newest first, with the share of invocations that each runs, and which of them \
were live before.";

const EXAMPLES: &str = "\
Examples:
  ops-cli versions
  ops-cli --output json versions";

/// List the function's versions, and which of them is live
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Versions {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionRow {
    version: u64,
    /// The share of invocations that run it.
    live: f64,
    /// Whether it was live before, so that `rollback` can choose it.
    was_live: bool,
    published: String,
    code_sha256: String,
    description: String,
}

impl VersionRow {
    fn of(version: Version, live: Option<&Alias>) -> Self {
        let number = version.number.to_string();
        Self {
            live: live.map_or(0.0, |alias| share(alias, &number)),
            was_live: live.is_some_and(|alias| alias.earlier().contains(&version.number)),
            version: version.number,
            published: version.published,
            code_sha256: version.code_sha256,
            description: version.description,
        }
    }
}

fn share(alias: &Alias, version: &str) -> f64 {
    let canary = alias.route.canary.as_ref();
    match canary {
        Some((other, share)) if other == version => *share,
        _ if alias.route.version == version => 1.0 - canary.map_or(0.0, |(_, share)| *share),
        _ => 0.0,
    }
}

impl Render for VersionRow {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let live = match self.live {
            0.0 if self.was_live => "was live".to_owned(),
            0.0 => String::new(),
            1.0 => LIVE.to_owned(),
            share => format!("{LIVE} {}", percentage(share)),
        };
        let code: String = self.code_sha256.chars().take(8).collect();
        let published = self.published.split('.').next().unwrap_or_default();
        writeln!(to, "{:>4}  {live:<10}  {published}  {code}  {}", self.version, self.description)
    }
}

pub async fn run(global: &Global, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?;
    let releases = Releases { aws: &aws, function: names.function() };
    let (versions, live) = tokio::try_join!(releases.versions(), releases.live())?;
    let rows: Vec<VersionRow> =
        versions.into_iter().rev().map(|version| VersionRow::of(version, live.as_ref())).collect();
    output.show_all(rows.iter())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::release::Route;

    #[test]
    fn the_shares_of_an_alias_are_those_of_its_versions() {
        let alias = |route| Alias { name: LIVE.into(), route, earlier: None, revision: None };
        let both = alias(Route::to("1").with_canary("2", 0.25));
        assert_eq!(["1", "2", "3"].map(|version| share(&both, version)), [0.75, 0.25, 0.0]);
        assert_eq!(["1", "2"].map(|version| share(&alias(Route::to("2")), version)), [0.0, 1.0]);
    }
}
