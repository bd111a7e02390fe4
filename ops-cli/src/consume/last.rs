//! Finds the last records over all shards, for `--from -1000`: reads windows of growing length up to now until one contains
//! enough records. Only positions are held, so that the records are read again when they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kinesis_event_logger_core::{Decoder, Position};

use super::engine::{Engine, Step};
use super::page::Page;
use super::position::{From, Start};
use super::reader::Shared;
use super::shards::ListedShard;
use crate::error::{Error, Result};
use crate::stream;

const FIRST_WINDOW_MS: i64 = 60_000;

/// The last records, as positions in their shards.
#[derive(Debug, Default)]
pub struct LastRecords {
    count: usize,
    /// Ordered by arrival. In a shard that is the order of its records.
    found: BTreeSet<Found>,
    shards: BTreeMap<Arc<str>, ReadShard>,
    records_read: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    arrival_ms: i64,
    shard: Arc<str>,
    /// The ordinal of the record, and its index in it.
    ordinal: u64,
    sub_record: u64,
    sequence_number: String,
}

/// The extent to which a shard was read.
#[derive(Debug, Default)]
struct ReadShard {
    newest_ms: i64,
    ordinal: u64,
    last: Option<String>,
}

/// The first record to show of a shard.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstRecord {
    pub sequence_number: String,
    /// The index in the aggregate.
    pub sub_record: u64,
}

impl LastRecords {
    fn new(count: usize) -> Self {
        Self { count, ..Self::default() }
    }

    fn add(
        &mut self,
        shard: &Arc<str>,
        page: &Page,
        decoder: &mut Decoder,
        buffer: &mut Vec<u8>,
    ) -> Result<(), String> {
        for index in 0..page.len() {
            let record = page.record(index, buffer)?;
            let mut sub_records = 0;
            let counted: Result<(), std::convert::Infallible> =
                decoder.decode_bytes(&Position::default(), record.data, |_| {
                    sub_records += 1;
                    Ok(())
                });
            counted.ok();
            self.push(shard, record.sequence_number, record.arrival_ms.unwrap_or_default(), sub_records);
        }
        Ok(())
    }

    fn push(&mut self, shard: &Arc<str>, sequence_number: &str, arrival_ms: i64, sub_records: u64) {
        let read = self.shards.entry(Arc::clone(shard)).or_default();
        // Arrival times are approximate, and the records of a shard must stay in order.
        read.newest_ms = read.newest_ms.max(arrival_ms);
        read.ordinal += 1;
        read.last = Some(sequence_number.to_owned());
        for sub_record in 0..sub_records {
            self.records_read += 1;
            self.found.insert(Found {
                arrival_ms: read.newest_ms,
                shard: Arc::clone(shard),
                ordinal: read.ordinal,
                sub_record,
                sequence_number: sequence_number.to_owned(),
            });
            if self.found.len() > self.count {
                self.found.pop_first();
            }
        }
    }

    /// The first record to show of each shard that has any.
    pub fn first_records(&self) -> BTreeMap<Arc<str>, FirstRecord> {
        let mut first = BTreeMap::new();
        for Found { shard, sequence_number, sub_record, .. } in &self.found {
            first
                .entry(Arc::clone(shard))
                .or_insert_with(|| FirstRecord { sequence_number: sequence_number.clone(), sub_record: *sub_record });
        }
        first
    }

    /// The last record that was read of each shard.
    pub fn last_records(&self) -> BTreeMap<Arc<str>, String> {
        let last = self.shards.iter().filter_map(|(shard, read)| Some((Arc::clone(shard), read.last.clone()?)));
        last.collect()
    }

    /// The positions at which a run that follows starts: at the first record to show of each shard, and behind the last one of the others.
    pub fn starts(&self, listed: &[ListedShard], window: &Start) -> From {
        let mut starts: BTreeMap<Arc<str>, Start> = BTreeMap::new();
        for shard in listed.iter().filter(|shard| !shard.is_closed) {
            let last = self.shards.get(&shard.id).and_then(|read| read.last.clone());
            starts.insert(Arc::clone(&shard.id), last.map_or(window.clone(), Start::After));
        }
        let first = self.first_records().into_iter();
        starts.extend(first.map(|(shard, record)| (shard, Start::At(record.sequence_number))));
        From::At(starts)
    }
}

/// Finds the last `count` records that have arrived so far. Returns also the shards, and the window that contains the records.
pub async fn find(
    shared: &Arc<Shared>,
    listed: &[ListedShard],
    only: &[Arc<str>],
    count: usize,
) -> Result<(LastRecords, Vec<ListedShard>, Start)> {
    let oldest_ms = oldest_ms(shared).await?;
    let mut window_ms = FIRST_WINDOW_MS;
    loop {
        let begin_ms = shared.range.began_ms - window_ms;
        let start = if begin_ms <= oldest_ms { Start::TrimHorizon } else { Start::Time(begin_ms) };
        let mut engine = Engine::new(Arc::clone(shared), listed, &From::Everywhere(start.clone()), only);
        let mut last = LastRecords::new(count);
        let (mut decoder, mut buffer) = (Decoder::new(), Vec::new());
        loop {
            match engine.next().await? {
                Step::Page { shard, page, reserved } => {
                    last.add(&shard, &page, &mut decoder, &mut buffer).map_err(Error::failed)?;
                    drop(reserved);
                }
                Step::Done { .. } => {}
                Step::End => break,
            }
        }
        if last.found.len() == count || start == Start::TrimHorizon {
            return Ok((last, engine.listed(), start));
        }
        window_ms = wider(window_ms, last.records_read, count);
    }
}

/// Returns the length of the next window: as long as the rate of the records suggests, and some more.
fn wider(window_ms: i64, found: u64, count: usize) -> i64 {
    let factor = if found == 0 { 16.0 } else { (1.5 * count as f64 / found as f64).clamp(2.0, 64.0) };
    (window_ms as f64 * factor) as i64
}

/// The time before which the stream has no records.
async fn oldest_ms(shared: &Shared) -> Result<i64> {
    let summary = stream::existing(&shared.connection.aws(), &shared.stream).await?;
    let created_ms = summary.stream_creation_timestamp.to_millis().unwrap_or_default();
    let retention_ms = i64::from(summary.retention_period_hours) * 3_600_000;
    Ok(created_ms.max(shared.range.began_ms - retention_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, is_closed: bool) -> ListedShard {
        ListedShard { id: id.into(), parents: Vec::new(), is_closed }
    }

    #[test]
    fn the_last_records_are_those_that_arrived_last() {
        let mut last = LastRecords::new(5);
        // Aggregates of three; the third record of shard 0 has an earlier time than the one before it.
        for (shard, number, arrival_ms) in
            [("0", "1", 10), ("0", "2", 30), ("0", "3", 25), ("1", "4", 5), ("1", "5", 20)]
        {
            last.push(&shard.into(), number, arrival_ms, 3);
        }
        let first = last.first_records();
        assert_eq!(first.keys().map(|shard| &**shard).collect::<Vec<_>>(), ["0"]);
        assert_eq!(first["0"], FirstRecord { sequence_number: "2".into(), sub_record: 1 });
        let listed = [shard("0", true), shard("1", false), shard("2", false), shard("3", true)];
        let From::At(starts) = last.starts(&listed, &Start::Time(7)) else { panic!() };
        let starts: Vec<_> = starts.iter().map(|(shard, start)| (&**shard, start.clone())).collect();
        let expected = [("0", Start::At("2".into())), ("1", Start::After("5".into())), ("2", Start::Time(7))];
        assert_eq!(starts, expected);
        assert_eq!(last.last_records()["0"], "3");
    }

    #[test]
    fn a_window_grows_as_the_rate_suggests() {
        assert_eq!(wider(60_000, 0, 1000), 960_000);
        assert_eq!(wider(60_000, 100, 1000), 900_000);
        assert_eq!(wider(60_000, 999, 1000), 120_000);
        assert_eq!(wider(60_000, 1, 1_000_000), 60_000 * 64);
    }
}
