//! The figures of `--stats`. Pure.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::frequent::FrequentKeys;
use super::lag::Lag;
use crate::output::{Render, counted};

/// A shard with this many times its fair share of the bytes is hot.
const HOT: f64 = 1.5;
/// The number of keys that are shown, and the share of the records that makes one hot.
const TOP_KEYS: usize = 10;
const HOT_KEY: f64 = 0.1;

/// Counts records by shard and key.
#[derive(Debug, Default)]
pub struct Stats {
    shards: BTreeMap<Arc<str>, ShardCounts>,
    keys: FrequentKeys,
    keyed: u64,
}

#[derive(Debug, Default)]
struct ShardCounts {
    records: u64,
    entries: u64,
    bytes: u64,
}

impl Stats {
    /// Counts a record as it is on the stream, with the bytes of its data and its key.
    pub fn entry(&mut self, shard: &Arc<str>, bytes: usize) {
        let counts = self.of(shard);
        counts.entries += 1;
        counts.bytes += bytes as u64;
    }

    /// Counts a record inside an aggregate, or one that is none.
    pub fn record(&mut self, shard: &Arc<str>, key: Option<&str>) {
        self.of(shard).records += 1;
        if let Some(key) = key {
            self.keyed += 1;
            self.keys.add(key);
        }
    }

    fn of(&mut self, shard: &Arc<str>) -> &mut ShardCounts {
        if !self.shards.contains_key(shard) {
            self.shards.insert(Arc::clone(shard), ShardCounts::default());
        }
        self.shards.get_mut(shard).expect("it was inserted")
    }

    pub fn summary(&self, lag: &Lag, elapsed: Duration) -> Summary {
        let bytes: u64 = self.shards.values().map(|counts| counts.bytes).sum();
        let fair = bytes as f64 / self.shards.len().max(1) as f64;
        let shards = self.shards.iter().map(|(shard, counts)| ShardSummary {
            shard_id: Arc::clone(shard),
            records: counts.records,
            entries: counts.entries,
            bytes: counts.bytes,
            share: share(counts.bytes, bytes),
            is_hot: self.shards.len() > 1 && counts.bytes as f64 > HOT * fair,
            behind_ms: lag.of(shard),
        });
        let keys = self.keys.top(TOP_KEYS).into_iter().map(|(key, records)| KeySummary {
            key: key.to_owned(),
            records,
            share: share(records, self.keyed),
            is_hot: records as f64 > HOT_KEY * self.keyed as f64 && self.keyed >= 100,
        });
        let shards: Vec<_> = shards.collect();
        Summary {
            records: shards.iter().map(|shard| shard.records).sum(),
            entries: shards.iter().map(|shard| shard.entries).sum(),
            bytes,
            seconds: (elapsed.as_secs_f64() * 1000.0).round() / 1000.0,
            shards,
            keys: keys.collect(),
            key_error: self.keys.error(),
        }
    }
}

fn share(part: u64, of: u64) -> f64 {
    (part as f64 / of.max(1) as f64 * 1000.0).round() / 1000.0
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    records: u64,
    /// Records as they are on the stream: an aggregate is one.
    entries: u64,
    bytes: u64,
    seconds: f64,
    shards: Vec<ShardSummary>,
    /// The most frequent keys.
    keys: Vec<KeySummary>,
    /// The largest number of records by which the count of a key may be too small.
    key_error: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ShardSummary {
    shard_id: Arc<str>,
    records: u64,
    entries: u64,
    bytes: u64,
    share: f64,
    #[serde(rename = "hot")]
    is_hot: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    behind_ms: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct KeySummary {
    key: String,
    records: u64,
    share: f64,
    #[serde(rename = "hot")]
    is_hot: bool,
}

impl Render for Summary {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let aggregated = match self.entries {
            entries if entries != self.records => format!(" in {}", counted(entries, "entry")),
            _ => String::new(),
        };
        let records = counted(self.records, "record");
        writeln!(to, "read    {records}{aggregated}, {} in {:.1} s", size(self.bytes), self.seconds)?;
        for shard in &self.shards {
            let ShardSummary { shard_id, records, bytes, .. } = shard;
            let hot = if shard.is_hot { "  hot" } else { "" };
            let share = shard.share * 100.0;
            writeln!(to, "shard   {shard_id}  {}, {}, {share:.1} %{hot}", counted(*records, "record"), size(*bytes))?;
        }
        for KeySummary { key, records, share, is_hot } in &self.keys {
            let hot = if *is_hot { "  hot" } else { "" };
            let at_least = if self.key_error > 0 { "at least " } else { "" };
            let share = share * 100.0;
            writeln!(to, "key     {key:?}  {at_least}{}, {share:.1} %{hot}", counted(*records, "record"))?;
        }
        Ok(())
    }
}

/// A number of bytes for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats() -> Summary {
        let mut stats = Stats::default();
        let (a, b): (Arc<str>, Arc<str>) = ("shardId-000000000000".into(), "shardId-000000000001".into());
        for n in 0..300 {
            stats.entry(&a, 2000);
            stats.record(&a, Some(if n % 2 == 0 { "hot" } else { "warm" }));
        }
        stats.entry(&b, 100);
        (0..10).for_each(|n| stats.record(&b, Some(&format!("k{n}\n"))));
        let mut lag = Lag::default();
        lag.seen(&a, 1500);
        stats.summary(&lag, Duration::from_millis(1234))
    }

    #[test]
    fn the_text_names_hot_shards_and_keys() {
        let mut text = Vec::new();
        stats().text(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<_> = text.lines().take(6).collect();
        assert_eq!(
            lines,
            [
                "read    310 records in 301 entries, 586.0 KiB in 1.2 s",
                "shard   shardId-000000000000  300 records, 585.9 KiB, 100.0 %  hot",
                "shard   shardId-000000000001  10 records, 100 B, 0.0 %",
                "key     \"hot\"  150 records, 48.4 %  hot",
                "key     \"warm\"  150 records, 48.4 %  hot",
                "key     \"k0\\n\"  1 record, 0.3 %",
            ]
        );
    }

    #[test]
    fn the_json_has_the_same_figures() {
        let json = serde_json::to_value(stats()).unwrap();
        assert_eq!((&json["records"], &json["entries"], &json["keyError"]), (&310.into(), &301.into(), &0.into()));
        assert_eq!((&json["shards"][0]["hot"], &json["shards"][0]["behindMs"]), (&true.into(), &1500.into()));
        assert_eq!((&json["keys"][0]["key"], &json["keys"][0]["records"]), (&"hot".into(), &150.into()));
    }
}
