//! Sequence numbers along the lineage of shards, with a clock that jumps back.

use kinesis_event_logger_core::SequenceNumber;
use proptest::prelude::*;

use super::change::HashKey;
use super::stored::StoredStream;
use super::*;
use crate::kinesis::shard::{AppendedRecords, ChunkBuilder};
use crate::store::Keyspace;

const ARN: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/test";

/// A stream and its store.
struct Lineage {
    store: Store,
    stream: Stream,
}

#[derive(Debug, Clone)]
enum Step {
    /// Puts a record on each open shard.
    Put,
    /// Splits an open shard.
    Split(usize),
    /// Merges an open shard with an adjacent one.
    Merge(usize),
    /// Changes the number of open shards.
    Resize(u32),
    Restart,
}

fn storage(store: &Store) -> Storage {
    Storage { store: store.clone(), budget: Budget::new(usize::MAX) }
}

impl Lineage {
    fn new(store: Store, now: u64) -> Self {
        let state = StreamState::creating(Configuration { retention_hours: u32::MAX, ..Configuration::default() });
        let stream = Stream::new(ARN.to_owned(), 1, now / 1000, state, storage(&store));
        let lineage = Self { store, stream };
        lineage.change(Change::Create { shards: 1 }, now);
        lineage
    }

    fn change(&self, change: Change, now: u64) {
        let number = self.stream.update(|state| Ok(state.begin(change, now))).unwrap();
        assert_ne!(self.stream.state().status(), Status::Active);
        assert!(self.stream.finish(number, now).is_some());
        assert_eq!(self.stream.state().status(), Status::Active);
    }

    fn restart(&mut self) {
        let stored = self.store.all::<StoredStream>(Keyspace::Streams).unwrap().remove(0).1;
        self.stream = Stream::restore(ARN.to_owned(), stored, storage(&self.store));
    }

    fn open(&self, position: usize) -> (u32, RangeInclusive<u128>) {
        let state = self.stream.state();
        let shard = &state.open()[position % state.open().len()];
        (shard.sequence.index, shard.hash_keys.clone())
    }

    fn step(&mut self, step: &Step, now: u64, last: &mut Vec<SequenceNumber>) -> Result<(), TestCaseError> {
        match *step {
            Step::Put => return self.put(now, last),
            Step::Split(position) => {
                let (shard, keys) = self.open(position);
                let middle = keys.start() + (keys.end() - keys.start()) / 2;
                self.change(Change::Split { shard, at: HashKey(middle + 1) }, now);
            }
            Step::Merge(position) => {
                let ((shard, first), (adjacent, second)) = (self.open(position), self.open(position + 1));
                if first.end().checked_add(1) == Some(*second.start()) {
                    self.change(Change::Merge { shard, adjacent }, now);
                }
            }
            Step::Resize(shards) => self.change(Change::Resize { shards }, now),
            Step::Restart => self.restart(),
        }
        self.check_hash_keys()
    }

    /// The open shards cover every hash key once, and each shard begins where its parents end.
    fn check_hash_keys(&self) -> Result<(), TestCaseError> {
        let state = self.stream.state();
        prop_assert_eq!(*state.open()[0].hash_keys.start(), 0);
        prop_assert_eq!(*state.open().last().unwrap().hash_keys.end(), u128::MAX);
        for pair in state.open().windows(2) {
            prop_assert_eq!(pair[0].hash_keys.end().checked_add(1), Some(*pair[1].hash_keys.start()));
        }
        for (index, shard) in state.shards().iter().enumerate() {
            prop_assert_eq!(shard.sequence.index as usize, index);
            let ends = shard.parents.iter().map(|parent| state.shard(parent).unwrap().closed().unwrap());
            prop_assert_eq!(ends.max().unwrap_or(shard.opened), shard.opened);
        }
        Ok(())
    }

    /// A number is higher than the last one of its shard or, for a shard without records, of its parents.
    fn put(&self, now: u64, last: &mut Vec<SequenceNumber>) -> Result<(), TestCaseError> {
        let state = self.stream.state();
        for shard in state.open() {
            let mut chunk = ChunkBuilder::with_capacity(0);
            chunk.push_data("k", b"data");
            let AppendedRecords { first, arrival } = shard.append(chunk, now, false);
            let number: SequenceNumber = shard.sequence.number(first, arrival / 1000).to_string().parse().unwrap();
            let index = shard.sequence.index as usize;
            last.resize(last.len().max(index + 1), "0".parse().unwrap());
            let mut before: Vec<usize> = vec![index];
            while let Some(earlier) = before.pop() {
                prop_assert!(last.get(earlier).is_none_or(|last| *last < number), "{}: {number}", shard.id);
                let parents = state.shards()[earlier].parents.iter().filter_map(|id| state.shard(id));
                before.extend(parents.map(|parent| parent.sequence.index as usize));
            }
            last[index] = number;
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Put),
        2 => (0..8usize).prop_map(Step::Split),
        1 => (0..8usize).prop_map(Step::Merge),
        1 => (1..4u32).prop_map(Step::Resize),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn numbers_increase_along_the_lineage_even_if_the_clock_jumps_back(
        steps in proptest::collection::vec((step(), 1_000_000_u64..2_000_000_000), 1..25),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(dir.path())).unwrap();
        let (mut lineage, mut last) = (Lineage::new(store, 2_000_000_000), Vec::new());
        for (step, now) in &steps {
            lineage.step(step, *now, &mut last)?;
            lineage.put(*now, &mut last)?;
        }
    }
}

#[test]
fn a_change_replaces_the_pending_one_whose_late_timer_does_nothing() {
    let lineage = Lineage::new(Store::default(), 1_000_000);
    let begin = |change| lineage.stream.update(|state| Ok(state.begin(change, 0))).unwrap();
    let resize = begin(Change::Resize { shards: 2 });
    let delete = begin(Change::Delete);
    assert_eq!(lineage.stream.state().status(), Status::Deleting);
    assert_eq!(lineage.stream.finish(resize, 1_000_001), None);
    assert_eq!(lineage.stream.finish(delete, 1_000_001), Some(Change::Delete));
    let state = lineage.stream.state();
    assert!(!state.status().is_available() && state.shards().iter().all(|shard| shard.closed().is_some()));
}
