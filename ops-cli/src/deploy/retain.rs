//! Decides which versions are deleted. Pure.

use crate::function::release::{Alias, Version};

/// The versions that are older than the newest `keep`, except those to which an alias points.
pub fn superseded(versions: &[Version], aliases: &[Alias], keep: usize) -> Vec<String> {
    let older = versions.len().saturating_sub(keep);
    let numbers = versions.iter().take(older).map(|version| version.number.to_string());
    numbers.filter(|number| !aliases.iter().any(|alias| alias.route.runs(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::release::Route;

    #[test]
    fn the_newest_and_those_of_an_alias_are_kept() {
        let versions: Vec<Version> = (1..=7)
            .map(|number| Version {
                number,
                description: String::new(),
                code_sha256: String::new(),
                published: String::new(),
            })
            .collect();
        let alias = |route| Alias { name: "live".into(), route, revision: None };
        let aliases = [alias(Route::to("1")), alias(Route::to("6").with_canary("3", 0.1))];
        assert_eq!(superseded(&versions, &aliases, 3), ["2", "4"]);
        assert_eq!(superseded(&versions, &aliases, 7), Vec::<String>::new());
        assert_eq!(superseded(&versions, &[], 1), ["1", "2", "3", "4", "5", "6"]);
    }
}
