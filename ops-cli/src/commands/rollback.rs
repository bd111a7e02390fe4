//! `rollback`: make an earlier version live.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::deploy::target::TargetFunction;
use crate::error::{Error, Result};
use crate::function::release::{Alias, LIVE, Releases, Route, Version};
use crate::global::Global;
use crate::output::{Output, Render};

const TASK: &str = "\
Moves the alias `live` back to the version that was live before, or to the given version. It ends a canary: without a version, \
`live` then stays at the version that ran the other invocations.";

const EXAMPLES: &str = "\
Examples:
  ops-cli rollback
  ops-cli rollback 7";

/// Make an earlier version of the function live
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Rollback {
    /// Version to make live (default: the one that was live before)
    #[arg(value_parser = version_number)]
    version: Option<u64>,
}

fn version_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected the number of a version, as `ops-cli versions` lists it".to_owned())
}

#[derive(Serialize)]
struct RollbackReport {
    function: String,
    version: String,
    /// The route of `live` before.
    previous: Route,
}

impl Render for RollbackReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { function, version, previous } = self;
        if *previous == Route::to(version) {
            return writeln!(to, "nothing to do: {LIVE} of {function} runs version {version}");
        }
        let canary = previous.canary.as_ref().map(|(canary, _)| format!(" and {canary}")).unwrap_or_default();
        writeln!(to, "{LIVE} of {function} runs version {version} (before: {}{canary})", previous.version)
    }
}

pub async fn run(global: &Global, args: &Rollback, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?;
    let releases = Releases { aws: &aws, function: names.function() };
    let (function, live, versions) =
        tokio::try_join!(TargetFunction::read(&aws, &names), releases.live(), releases.versions())?;
    function.must_be_ours(&names)?;
    let live = live.ok_or_else(|| {
        Error::failed(format!("the function {} has no alias {LIVE}", names.function()))
            .hint("`ops-cli deploy` creates it")
    })?;
    let version = target(args.version, &live, &versions)?;
    let previous = live.route.clone();
    if previous != Route::to(&version) {
        releases.point_live(&Route::to(&version), Some(&live)).await?;
    }
    output.show(&RollbackReport { function: names.function().to_owned(), version, previous })
}

/// The version to make live.
fn target(requested: Option<u64>, live: &Alias, versions: &[Version]) -> Result<String> {
    let numbers = || versions.iter().map(|version| version.number);
    if let Some(version) = requested {
        let list = numbers().map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        return numbers().find(|number| *number == version).map(|number| number.to_string()).ok_or_else(|| {
            Error::usage(format!("there is no version {version}")).hint(format!("these exist: {list}"))
        });
    }
    if live.route.canary.is_some() {
        return Ok(live.route.version.clone());
    }
    let before = live.earlier().into_iter().find(|earlier| numbers().any(|number| number == *earlier));
    before.map(|number| number.to_string()).ok_or_else(|| {
        Error::failed(format!("no version was live before version {}", live.route.version))
            .hint("`ops-cli versions` lists all versions; `ops-cli rollback VERSION` makes any of them live")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_the_version_before_or_the_one_that_is_requested() {
        let versions: Vec<Version> = [1, 3, 4]
            .map(|number| Version {
                number,
                description: String::new(),
                code_sha256: String::new(),
                published: String::new(),
            })
            .into();
        let target = |requested, route: Route, earlier: Option<&[u64]>| {
            let earlier = earlier.map(<[u64]>::to_vec);
            let live = Alias { name: LIVE.into(), route, earlier, revision: None };
            target(requested, &live, &versions).map_err(|error| error.message)
        };
        assert_eq!(target(None, Route::to("4"), None), Ok("3".into()));
        assert_eq!(target(None, Route::to("3"), None), Ok("1".into()));
        assert_eq!(target(None, Route::to("4"), Some(&[2, 1])), Ok("1".into()));
        assert_eq!(target(None, Route::to("3").with_canary("4", 0.1), Some(&[1])), Ok("3".into()));
        assert_eq!(target(Some(4), Route::to("1"), Some(&[])), Ok("4".into()));
        assert_eq!(target(Some(2), Route::to("4"), None), Err("there is no version 2".into()));
        let none = Err("no version was live before version 4".into());
        assert_eq!(target(None, Route::to("4"), Some(&[2])), none);
    }
}
