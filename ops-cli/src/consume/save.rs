//! `--save`: a file of records that `publish --entries` sends again.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use kinesis_event_logger_core::line::push_json_string;

use super::page::StreamRecord;
use crate::error::{Error, Result};

const ENOUGH_BYTES: usize = 64 * 1024;

pub struct SavedRecords {
    file: File,
    path: PathBuf,
    lines: Vec<u8>,
}

impl SavedRecords {
    /// Creates the file.
    ///
    /// # Errors
    /// It exists, or cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error::usage(format!("--save {} exists already", path.display()))
                .hint("choose another name, or delete the file first"),
            _ => Error::file("create", path, &error),
        })?;
        Ok(Self { file, path: path.to_owned(), lines: Vec::new() })
    }

    /// Adds a record as it is on the stream: an aggregate as a whole, and compressed data as it is. An aggregate has a hash key,
    /// by which it is put on the shard of the records inside it.
    pub fn add(&mut self, shard: &str, record: &StreamRecord<'_>, hash_key: Option<u128>) -> Result<()> {
        push(&mut self.lines, shard, record, hash_key);
        if self.lines.len() >= ENOUGH_BYTES { self.flush() } else { Ok(()) }
    }

    pub fn flush(&mut self) -> Result<()> {
        let written = self.file.write_all(&self.lines);
        self.lines.clear();
        self.lines.shrink_to(ENOUGH_BYTES * 2);
        written.map_err(|error| Error::file("write", &self.path, &error))
    }
}

/// Appends the line of a record, in the form of the AWS CLI's `get-records` and of `publish --entries`.
fn push(lines: &mut Vec<u8>, shard: &str, record: &StreamRecord<'_>, hash_key: Option<u128>) {
    lines.extend_from_slice(b"{\"PartitionKey\":");
    // A stream that distributes records itself stores no keys, but every entry needs one.
    push_json_string(lines, record.partition_key.unwrap_or(record.sequence_number));
    if let Some(hash_key) = hash_key {
        lines.extend_from_slice(format!(",\"ExplicitHashKey\":\"{hash_key}\"").as_bytes());
    }
    if let Some(arrival_ms) = record.arrival_ms {
        let (seconds, ms) = (arrival_ms.div_euclid(1000), arrival_ms.rem_euclid(1000));
        lines.extend_from_slice(format!(",\"ApproximateArrivalTimestamp\":{seconds}.{ms:03}").as_bytes());
    }
    lines.extend_from_slice(b",\"ShardId\":");
    push_json_string(lines, shard);
    lines.extend_from_slice(b",\"SequenceNumber\":");
    push_json_string(lines, record.sequence_number);
    lines.extend_from_slice(b",\"Data\":\"");
    base64_simd::STANDARD.encode_append(record.data, lines);
    lines.extend_from_slice(b"\"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_record_is_an_entry_with_its_arrival() {
        let mut lines = Vec::new();
        let record = StreamRecord {
            sequence_number: "7",
            partition_key: Some("a\"b"),
            arrival_ms: Some(1_764_324_438_007),
            data: b"\xff",
        };
        push(&mut lines, "shardId-000000000000", &record, None);
        let record = StreamRecord { partition_key: None, arrival_ms: None, ..record };
        push(&mut lines, "shardId-000000000000", &record, Some(5));
        assert_eq!(
            String::from_utf8(lines).unwrap(),
            concat!(
                r#"{"PartitionKey":"a\"b","ApproximateArrivalTimestamp":1764324438.007,"ShardId":"shardId-000000000000","SequenceNumber":"7","Data":"/w=="}"#,
                "\n",
                r#"{"PartitionKey":"7","ExplicitHashKey":"5","ShardId":"shardId-000000000000","SequenceNumber":"7","Data":"/w=="}"#,
                "\n",
            )
        );
    }
}
