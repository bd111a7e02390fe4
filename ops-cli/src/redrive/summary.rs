//! The plan and the summary of a run.

use std::io::{self, Write};

use serde::Serialize;

use crate::output::{Render, counted};

/// The outcomes of the records that the documents name.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All documents, whether this run reached them or not.
    pub documents: u64,
    /// Sent again and acknowledged or processed.
    pub redriven: u64,
    /// Redriven by an earlier run.
    pub skipped: u64,
    /// Not on the stream any more, or not identified.
    pub absent: u64,
    /// Rejected by the function or by the stream.
    pub failed: u64,
    /// Not reached by this run, because it ended early.
    pub not_reached: u64,
}

impl Summary {
    /// Whether every record was redriven, by this run or an earlier one.
    pub fn is_complete(&self) -> bool {
        self.absent + self.failed + self.not_reached == 0
    }
}

impl Render for Summary {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { documents, redriven, skipped, absent, failed, not_reached } = self;
        let total = redriven + skipped + absent + failed + not_reached;
        write!(to, "{} of {}: {redriven} redriven", counted(total, "record"), counted(*documents, "document"))?;
        for (count, what) in [
            (skipped, "redriven before"),
            (absent, "not available"),
            (failed, "failed again"),
            (not_reached, "not reached"),
        ] {
            if *count > 0 {
                write!(to, ", {count} {what}")?;
            }
        }
        writeln!(to)
    }
}

/// The request that a run would send for one batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedBatch {
    pub shard_id: String,
    pub start_sequence_number: String,
    pub end_sequence_number: String,
    pub records: u64,
    pub bytes: u64,
    pub absent: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Render for PlannedBatch {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { shard_id, start_sequence_number, end_sequence_number, records, bytes, absent, problem } = self;
        let total = records + absent;
        write!(
            to,
            "{shard_id} {start_sequence_number}…{end_sequence_number}: {records} of {}, ",
            counted(total, "record")
        )?;
        write!(to, "{}", counted(*bytes, "byte"))?;
        match problem {
            Some(problem) => writeln!(to, "; {absent} {problem}"),
            None => writeln!(to),
        }
    }
}
