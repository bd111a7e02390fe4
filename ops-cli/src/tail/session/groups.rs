//! The log groups of a run: those that match now, and those that appear later.

use std::sync::Arc;

use tokio::time::Instant;

use super::{LISTED_EVERY, Session, follower};
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::tail::catalog;
use crate::tail::follow::Follower;
use crate::tail::identity::Pass;
use crate::tail::sweep::{Budget, Query, Reader, SweepEnd};

/// A log group that is read.
pub struct Group {
    pub name: Arc<str>,
    pub reader: Reader,
    pub follower: Follower,
    /// The pass of the present Live Tail session.
    pub live: Pass,
    pub presence: Presence,
}

pub fn reader(aws: &Aws, name: &str, query: &Arc<Query>, budget: &Budget) -> Reader {
    Reader::of(aws, name, Arc::clone(query), budget.clone())
}

impl Session {
    /// Adds the log groups that match and are not read yet. Lists them again only now and then.
    pub(super) async fn list_groups(&mut self) -> Result<()> {
        if self.listed.is_some_and(|listed| listed.elapsed() < LISTED_EVERY) {
            return Ok(());
        }
        let is_first = self.listed.replace(Instant::now()).is_none();
        let patterns = self.options.groups.clone();
        let mut added = 0;
        for pattern in &patterns {
            if !pattern.is_glob() {
                added += usize::from(is_first && self.add(&pattern.0, Presence::Unknown));
                continue;
            }
            let found = catalog::matching(&self.aws, pattern).await?;
            if found.is_empty() && is_first {
                self.no_match(&pattern.0)?;
            }
            for group in found {
                added += usize::from(self.add(&group.name, Presence::Exists));
                if !is_first && added > 0 {
                    note(&format!("the log group {} exists now", group.name));
                }
            }
        }
        if added > 0 && !is_first {
            self.begin_live().await?;
        }
        Ok(())
    }

    fn no_match(&self, pattern: &str) -> Result<()> {
        if self.options.follows {
            note(&format!("no log group matches {pattern} yet; waiting for one (Ctrl-C stops)"));
            return Ok(());
        }
        Err(Error::failed(format!("no log group matches {pattern}"))
            .hint("a star matches any characters, slashes too; quote it, so that the shell leaves it alone"))
    }

    fn add(&mut self, name: &str, presence: Presence) -> bool {
        if self.groups.iter().any(|group| *group.name == *name) {
            return false;
        }
        self.groups.push(Group {
            name: name.into(),
            reader: reader(&self.aws, name, &self.query, &self.budget),
            follower: follower(&self.options, self.options.since),
            live: Pass::default(),
            presence,
        });
        true
    }
}

/// Whether the log group existed at the last sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Presence {
    Unknown,
    Exists,
    Missing,
}

impl Presence {
    /// Takes note of what a sweep found; what is new about it, in a sentence.
    pub fn seen(&mut self, swept: SweepEnd, name: &str) -> Option<String> {
        let before = std::mem::replace(self, if swept == SweepEnd::NoGroup { Self::Missing } else { Self::Exists });
        match (before, *self) {
            (Self::Unknown, Self::Missing) => {
                Some(format!("the log group {name} does not exist yet; waiting for it (Ctrl-C stops)"))
            }
            (Self::Exists, Self::Missing) => {
                Some(format!("the log group {name} was deleted; waiting for a new one (Ctrl-C stops)"))
            }
            (Self::Missing, Self::Exists) => Some(format!("the log group {name} exists now")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_comes_and_goes_is_announced_once_each_time() {
        let mut group = Presence::Unknown;
        let mut notices = |swept| group.seen(swept, "g").unwrap_or_default();
        assert!(notices(SweepEnd::NoGroup).contains("does not exist yet"));
        assert_eq!(notices(SweepEnd::NoGroup), "");
        assert!(notices(SweepEnd::Whole).contains("exists now"));
        assert_eq!(notices(SweepEnd::Whole), "");
        assert!(notices(SweepEnd::NoGroup).contains("was deleted"));
        assert_eq!(Presence::Unknown.seen(SweepEnd::Whole, "g"), None);
    }
}
