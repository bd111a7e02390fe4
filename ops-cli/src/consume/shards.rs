//! Decides which shards may be read: a shard's parents are read to their ends before it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::position::{From, Start};

/// A shard as the service lists it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedShard {
    pub id: Arc<str>,
    pub parents: Vec<Arc<str>>,
    /// Whether it was split or merged, and has an end.
    pub is_closed: bool,
}

/// A shard to read.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedShard {
    pub id: Arc<str>,
    pub start: Start,
    pub is_closed: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// Waits for its parents.
    Waiting(Start),
    Reading,
    /// Read as far as the run reads it, which is not its end. Its children are newer than the run wants.
    AtTip,
    /// Read to its end, or never to be read.
    Ended,
    Skipped,
}

#[derive(Debug)]
struct KnownShard {
    shard: ListedShard,
    state: State,
}

/// The shards of a stream and how far they were read.
#[derive(Debug)]
pub struct Shards {
    known: BTreeMap<Arc<str>, KnownShard>,
    /// The only shards to read; none means all.
    only: Vec<Arc<str>>,
}

impl Shards {
    /// Starts with the shards that exist when the run begins. With `only`, no other shard is read.
    pub fn new(listed: &[ListedShard], from: &From, only: &[Arc<str>]) -> Self {
        let mut shards = Self { known: BTreeMap::new(), only: only.to_vec() };
        let mut listed: Vec<_> = listed.iter().collect();
        // A child has a larger id than its parents.
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        for shard in listed {
            let state = shards.initial_state(shard, from);
            shards.known.insert(Arc::clone(&shard.id), KnownShard { shard: shard.clone(), state });
        }
        shards
    }

    fn initial_state(&self, shard: &ListedShard, from: &From) -> State {
        if !self.includes(&shard.id) {
            return State::Skipped;
        }
        match from {
            // A closed shard receives no records any more.
            From::Everywhere(Start::Latest) if shard.is_closed => State::Ended,
            From::Everywhere(start) => State::Waiting(start.clone()),
            From::At(starts) => match starts.get(&shard.id) {
                Some(start) => State::Waiting(start.clone()),
                None if self.has_parent_that_is_read(shard) => State::Waiting(Start::TrimHorizon),
                None => State::Skipped,
            },
        }
    }

    fn includes(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| **only == *id)
    }

    fn has_parent_that_is_read(&self, shard: &ListedShard) -> bool {
        let parents = shard.parents.iter().filter_map(|parent| self.known.get(parent));
        parents.into_iter().any(|parent| parent.state != State::Skipped)
    }

    /// Adds shards that came to exist since the run began. They are read from their beginnings.
    pub fn add(&mut self, listed: &[ListedShard]) {
        for shard in listed {
            if let Some(known) = self.known.get_mut(&shard.id) {
                known.shard.is_closed |= shard.is_closed;
                continue;
            }
            let has_known_parents = shard.parents.iter().any(|parent| self.known.contains_key(parent));
            let is_read = self.includes(&shard.id) && (!has_known_parents || self.has_parent_that_is_read(shard));
            let state = if is_read { State::Waiting(Start::TrimHorizon) } else { State::Skipped };
            self.known.insert(Arc::clone(&shard.id), KnownShard { shard: shard.clone(), state });
        }
    }

    /// Returns the shards that may be read now, each once. A parent that is not listed any more has expired.
    pub fn take_ready(&mut self) -> Vec<PlannedShard> {
        let is_done = |parent: &Arc<str>| {
            self.known.get(parent).is_none_or(|parent| matches!(parent.state, State::Ended | State::Skipped))
        };
        let is_ready =
            |known: &&KnownShard| matches!(known.state, State::Waiting(_)) && known.shard.parents.iter().all(is_done);
        let ready: Vec<_> = self.known.values().filter(is_ready).map(|known| Arc::clone(&known.shard.id)).collect();
        ready.into_iter().filter_map(|id| self.begin(&id)).collect()
    }

    fn begin(&mut self, id: &str) -> Option<PlannedShard> {
        let known = self.known.get_mut(id)?;
        let State::Waiting(start) = std::mem::replace(&mut known.state, State::Reading) else { return None };
        Some(PlannedShard { id: Arc::clone(&known.shard.id), start, is_closed: known.shard.is_closed })
    }

    /// Notes that a shard was read to its end.
    pub fn ended(&mut self, id: &str) {
        self.set(id, State::Ended);
    }

    /// Notes that a shard was read as far as the run reads it.
    pub fn reached_tip(&mut self, id: &str) {
        self.set(id, State::AtTip);
    }

    fn set(&mut self, id: &str, state: State) {
        if let Some(known) = self.known.get_mut(id) {
            known.state = state;
        }
    }

    /// The shards that are being read.
    pub fn reading(&self) -> impl Iterator<Item = &Arc<str>> {
        self.known.iter().filter(|(_, known)| known.state == State::Reading).map(|(id, _)| id)
    }

    pub fn listed(&self) -> Vec<ListedShard> {
        self.known.values().map(|known| known.shard.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shard(id: &str, parents: &[&str], is_closed: bool) -> ListedShard {
        ListedShard { id: id.into(), parents: parents.iter().map(|&parent| parent.into()).collect(), is_closed }
    }

    fn ready(shards: &mut Shards) -> Vec<String> {
        shards.take_ready().into_iter().map(|shard| shard.id.to_string()).collect()
    }

    /// 0 was split into 2 and 3, which were merged into 4. 1 is open.
    fn family() -> Vec<ListedShard> {
        vec![
            shard("0", &[], true),
            shard("1", &[], false),
            shard("2", &["0"], true),
            shard("3", &["0"], true),
            shard("4", &["2", "3"], false),
        ]
    }

    #[test]
    fn parents_are_read_to_their_ends_before_their_children() {
        let mut shards = Shards::new(&family(), &From::Everywhere(Start::TrimHorizon), &[]);
        assert_eq!(ready(&mut shards), ["0", "1"]);
        assert!(ready(&mut shards).is_empty(), "each is returned once");
        shards.ended("0");
        assert_eq!(ready(&mut shards), ["2", "3"]);
        shards.ended("2");
        assert!(ready(&mut shards).is_empty(), "the other parent is not at its end");
        shards.ended("3");
        assert_eq!(ready(&mut shards), ["4"]);
    }

    #[test]
    fn a_parent_that_has_expired_is_not_waited_for() {
        let mut shards = Shards::new(&family()[2..], &From::Everywhere(Start::TrimHorizon), &[]);
        assert_eq!(ready(&mut shards), ["2", "3"]);
    }

    #[test]
    fn children_of_a_shard_at_its_tip_are_newer_than_the_run_wants() {
        let mut shards = Shards::new(&family()[..1], &From::Everywhere(Start::TrimHorizon), &[]);
        assert_eq!(ready(&mut shards), ["0"]);
        shards.add(&[shard("5", &["0"], false)]);
        shards.reached_tip("0");
        assert!(ready(&mut shards).is_empty() && shards.reading().next().is_none());
    }

    #[test]
    fn shards_that_appear_later_are_read_from_their_beginnings() {
        let mut shards = Shards::new(&family()[..2], &From::Everywhere(Start::Latest), &[]);
        assert_eq!(ready(&mut shards), ["1"], "a closed shard has no new records");
        shards.add(&[shard("1", &[], true), shard("5", &["1"], false)]);
        shards.ended("1");
        let planned = shards.take_ready();
        assert_eq!(planned, [PlannedShard { id: "5".into(), start: Start::TrimHorizon, is_closed: false }]);
    }

    #[test]
    fn a_position_selects_its_shard_and_the_descendants() {
        let from = From::At([("2".into(), Start::At("7".into()))].into());
        let mut shards = Shards::new(&family(), &from, &[]);
        let planned = shards.take_ready();
        assert_eq!((&*planned[0].id, &planned[0].start, planned.len()), ("2", &Start::At("7".into()), 1));
        shards.add(&[shard("5", &["1"], false), shard("6", &["4"], false)]);
        shards.ended("2");
        assert_eq!(ready(&mut shards), ["4"]);
        shards.ended("4");
        assert_eq!(ready(&mut shards), ["6"], "5 descends from a shard that is not read");
    }

    #[test]
    fn only_the_chosen_shards_are_read() {
        let mut shards = Shards::new(&family(), &From::Everywhere(Start::TrimHorizon), &["4".into()]);
        assert_eq!(ready(&mut shards), ["4"]);
        shards.add(&[shard("5", &["4"], false)]);
        shards.ended("4");
        assert!(ready(&mut shards).is_empty());
    }

    proptest! {
        /// Over random splits and merges, every shard is read once, and after its parents.
        #[test]
        fn every_shard_is_read_once_and_after_its_parents(
            changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..30),
            order in prop::collection::vec(any::<prop::sample::Index>(), 1..100),
        ) {
            let name = |n: usize| Arc::<str>::from(format!("{n:04}"));
            let mut listed = vec![shard("0000", &[], false), shard("0001", &[], false)];
            for (splits, index) in changes {
                let open: Vec<_> = (0..listed.len()).filter(|&n| !listed[n].is_closed).collect();
                let first = open[index.index(open.len())];
                let second = open[(index.index(open.len()) + 1) % open.len()];
                let parents = if splits || first == second { vec![first] } else { vec![first, second] };
                for &parent in &parents {
                    listed[parent].is_closed = true;
                }
                for _ in 0..if parents.len() == 1 { 2 } else { 1 } {
                    let parents = parents.iter().map(|&parent| name(parent)).collect();
                    listed.push(ListedShard { id: name(listed.len()), parents, is_closed: false });
                }
            }
            let mut shards = Shards::new(&listed, &From::Everywhere(Start::TrimHorizon), &[]);
            let (mut reading, mut ended) = (Vec::new(), Vec::<Arc<str>>::new());
            for index in order.iter().cycle() {
                for planned in shards.take_ready() {
                    let known = listed.iter().find(|shard| shard.id == planned.id).unwrap();
                    prop_assert!(known.parents.iter().all(|parent| ended.contains(parent)));
                    reading.push(planned.id);
                }
                if reading.is_empty() {
                    break;
                }
                let id = reading.swap_remove(index.index(reading.len()));
                shards.ended(&id);
                prop_assert!(!ended.contains(&id));
                ended.push(id);
            }
            prop_assert_eq!(ended.len(), listed.len());
        }
    }
}
