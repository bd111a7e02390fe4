//! Packs the input as for sending, with every request acknowledged at once, and reports the result.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::batch::{Packing, Request};
use super::bucket::Rate;
use super::queue::{Next, Queue};
use super::shards::ShardMap;
use crate::output::{Render, counted, printable};
use crate::publish::input::reader::RecordReader;

/// The number of input errors that are named, which bounds the memory of a dry run.
const NAMED: u64 = 100;

/// The requests that would be sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    records: u64,
    bytes: u64,
    requests: u64,
    /// Entries of all requests: one for each record, or fewer with aggregates.
    entries: u64,
    input_error_count: u64,
    /// The first input errors.
    input_errors: Vec<String>,
    shards: Vec<ShardPlan>,
}

#[derive(Serialize, Clone)]
#[serde(rename_all = "camelCase")]
struct ShardPlan {
    shard_id: String,
    records: u64,
    bytes: u64,
}

impl Render for Plan {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(
            to,
            "would send {}, {}, in {} of {}",
            counted(self.records, "record"),
            counted(self.bytes, "byte"),
            counted(self.requests, "request"),
            counted(self.entries, "entry"),
        )?;
        for ShardPlan { shard_id, records, bytes } in &self.shards {
            writeln!(to, "{shard_id}: {}, {}", counted(*records, "record"), counted(*bytes, "byte"))?;
        }
        for error in &self.input_errors {
            writeln!(to, "would refuse {}", printable(error))?;
        }
        match self.input_error_count - self.input_errors.len() as u64 {
            0 => Ok(()),
            more => writeln!(to, "and {more} more"),
        }
    }
}

/// Packs the input as for sending, with every request acknowledged at once.
pub fn plan(records: RecordReader, names: &[String], shards: ShardMap, packing: Packing) -> Plan {
    let shard = |index| ShardPlan { shard_id: shards.id(index).to_owned(), records: 0, bytes: 0 };
    let mut plan = Plan {
        records: 0,
        bytes: 0,
        requests: 0,
        entries: 0,
        input_error_count: 0,
        input_errors: Vec::new(),
        shards: (0..shards.len()).map(shard).collect(),
    };
    let mut queue = Queue::new(shards, packing, Rate::new(None, None, Duration::ZERO));
    let send = |queue: &mut Queue, plan: &mut Plan| {
        let Next::Send(Request { id, entries, puts, .. }) = queue.next(Duration::ZERO) else { return false };
        plan.requests += 1;
        plan.entries += puts.len() as u64;
        for entry in &entries {
            let shard = &mut plan.shards[queue.shards().index_of(entry.record.hash_key)];
            let bytes = entry.record.size() as u64;
            (shard.records, shard.bytes) = (shard.records + 1, shard.bytes + bytes);
            (plan.records, plan.bytes) = (plan.records + 1, plan.bytes + bytes);
        }
        queue.answered(id, Duration::ZERO);
        queue.settle(&entries, Vec::new(), Duration::ZERO);
        true
    };
    for item in records {
        match item {
            Ok(record) => queue.push(record),
            Err(rejected) => {
                if plan.input_error_count < NAMED {
                    plan.input_errors.push(format!("{} {}", rejected.place.of(names), rejected.reason));
                }
                plan.input_error_count += 1;
                if rejected.is_other_form {
                    break;
                }
            }
        }
        while queue.has_a_full_request() && send(&mut queue, &mut plan) {}
    }
    while send(&mut queue, &mut plan) {}
    plan
}
