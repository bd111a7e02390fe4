//! Sequence numbers along the lineage of shards, with a clock that jumps back.

use kinesis_event_logger_core::SequenceNumber;
use proptest::prelude::*;

use super::*;

const SETTINGS: Settings =
    Settings { is_encrypted: false, retention_ms: u64::MAX, max_record_bytes: 1 << 20, status: Status::Active };

/// A stream, and its shards as the engine describes them.
struct Lineage {
    store: Store,
    log: StreamLog,
    described: Vec<ShardDescription>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Puts a record on each open shard.
    Put,
    /// Splits an open shard.
    Split(usize),
    /// Merges an open shard with the one beside it.
    Merge(usize),
    Restart,
}

fn log(store: &Store) -> StreamLog {
    StreamLog::new("test".into(), 1, SETTINGS, store.clone(), Budget::new(usize::MAX))
}

impl Lineage {
    fn new(store: Store, now: u64) -> Self {
        let mut lineage = Self { log: log(&store), store, described: Vec::new() };
        lineage.add(0..=u128::MAX, &[], now);
        lineage.describe(now);
        lineage
    }

    /// As the engine does: by its clock alone.
    fn add(&mut self, hash_keys: RangeInclusive<u128>, parents: &[&str], now: u64) {
        let index = u32::try_from(self.described.len()).unwrap();
        self.described.push(ShardDescription {
            id: format!("shardId-{index:012}"),
            sequence: ShardSequence { created_seconds: now / 1000 + 1, index },
            hash_keys,
            parents: parents.iter().map(|parent| (*parent).to_owned()).collect(),
            closed: None,
        });
    }

    fn close(&mut self, id: &str, now: u64) {
        self.described.iter_mut().filter(|shard| shard.id == id).for_each(|shard| shard.closed = Some(now));
    }

    fn describe(&mut self, now: u64) {
        self.log.describe(SETTINGS, self.described.clone(), now);
        for (described, shard) in self.described.iter_mut().zip(&self.log.shards().all) {
            described.sequence = shard.sequence;
        }
    }

    fn open(&self, position: usize) -> (String, RangeInclusive<u128>) {
        let shards = self.log.shards();
        let shard = &shards.open()[position % shards.open().len()];
        (shard.id.clone(), shard.hash_keys.clone())
    }

    fn step(&mut self, step: &Step, now: u64, last: &mut Vec<SequenceNumber>) -> Result<(), TestCaseError> {
        match *step {
            Step::Put => return self.put(now, last),
            Step::Split(position) => {
                let (id, keys) = self.open(position);
                let middle = keys.start() + (keys.end() - keys.start()) / 2;
                self.close(&id, now);
                self.add(*keys.start()..=middle, &[&id], now);
                self.add(middle + 1..=*keys.end(), &[&id], now);
            }
            Step::Merge(position) => {
                let ((one, first), (other, second)) = (self.open(position), self.open(position + 1));
                if first.end().checked_add(1) != Some(*second.start()) {
                    return Ok(());
                }
                self.close(&one, now);
                self.close(&other, now);
                self.add(*first.start()..=*second.end(), &[&one, &other], now);
            }
            Step::Restart => self.log = log(&self.store),
        }
        self.describe(now);
        Ok(())
    }

    /// A number is above the last one of its shard, or of the parents of a shard without a record.
    fn put(&self, now: u64, last: &mut Vec<SequenceNumber>) -> Result<(), TestCaseError> {
        let shards = self.log.shards();
        for shard in shards.open() {
            let mut chunk = ChunkBuilder::with_capacity(0);
            chunk.push_data("k", b"data");
            let Appended { first, arrival } = shard.append(chunk, now, false);
            let number: SequenceNumber = shard.sequence.number(first, arrival / 1000).to_string().parse().unwrap();
            let index = shard.sequence.index as usize;
            last.resize(last.len().max(index + 1), "0".parse().unwrap());
            let mut before: Vec<usize> = vec![index];
            while let Some(earlier) = before.pop() {
                prop_assert!(last.get(earlier).is_none_or(|last| *last < number), "{}: {number}", shard.id);
                let parents = shards.all[earlier].parents.iter().filter_map(|id| shards.shard(id));
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
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn numbers_rise_along_the_lineage_whatever_the_clock_does(
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
