//! Decides which versions are deleted. Pure.

use crate::function::release::{Alias, LIVE, Version};

/// The versions to delete, the oldest first: all but `keep`, and never one to which an alias points. The live version and those that
/// were live before it are kept first, the latest first, so that versions that never became live cost no way back.
pub fn superseded(versions: &[Version], aliases: &[Alias], keep: usize) -> Vec<u64> {
    let live = aliases.iter().find(|alias| alias.name == LIVE);
    let was_live: Vec<u64> = live.into_iter().flat_map(|live| live.earlier()).collect();
    let is_run = |number: u64| aliases.iter().any(|alias| alias.route.runs(&number.to_string()));
    let rank = |number: u64| {
        let position = was_live.iter().position(|earlier| *earlier == number).unwrap_or(was_live.len());
        (!is_run(number), position, std::cmp::Reverse(number))
    };
    let mut numbers: Vec<_> = versions.iter().map(|version| version.number).collect();
    numbers.sort_by_key(|number| rank(*number));
    let mut superseded: Vec<_> = numbers.into_iter().skip(keep).filter(|number| !is_run(*number)).collect();
    superseded.sort_unstable();
    superseded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::release::Route;

    fn versions(numbers: impl Iterator<Item = u64>) -> Vec<Version> {
        let version = |number| Version {
            number,
            description: String::new(),
            code_sha256: String::new(),
            published: String::new(),
        };
        numbers.map(version).collect()
    }

    fn alias(name: &str, route: Route, earlier: Option<&[u64]>) -> Alias {
        Alias { name: name.into(), route, earlier: earlier.map(<[u64]>::to_vec), revision: None }
    }

    #[test]
    fn the_newest_and_those_of_an_alias_are_kept() {
        let versions = versions(1..=7);
        let aliases = [alias("old", Route::to("1"), None), alias(LIVE, Route::to("6").with_canary("3", 0.1), None)];
        assert_eq!(superseded(&versions, &aliases, 4), [2, 4, 7]);
        assert!(superseded(&versions, &aliases, 7).is_empty());
        assert_eq!(superseded(&versions, &[], 1), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn versions_that_never_became_live_do_not_displace_those_that_did() {
        // 1 was live, 2 to 6 failed their checks, 7 is live.
        let aliases = [alias(LIVE, Route::to("7"), Some(&[1]))];
        assert_eq!(superseded(&versions(1..=7), &aliases, 5), [2, 3]);
        assert_eq!(superseded(&versions(1..=7), &aliases, 2), [2, 3, 4, 5, 6]);
        assert_eq!(superseded(&versions(1..=7), &aliases, 1), [1, 2, 3, 4, 5, 6]);
    }
}
