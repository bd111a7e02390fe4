//! The report about a record.

use std::io::{self, Write};

use serde::Serialize;

use super::layers::Layer;
use crate::output::{Render, counted};

/// Everything that `show` finds out about a record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub stream: String,
    pub shard_id: String,
    pub sequence_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_sequence_number: Option<u64>,
    /// RFC 3339.
    pub arrival: String,
    pub partition_key: Option<String>,
    /// Bytes of data and partition key.
    pub bytes: usize,
    pub data_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_key: Option<HashKey>,
    pub data: Layer,
    /// Completes the sentence "the settings are …".
    pub settings: String,
    pub log_group: String,
    /// The part of the log that was read, RFC 3339.
    pub log_from: String,
    pub log_to: String,
    pub lines: Vec<Line>,
    /// Lines about the record that the function, with its present settings, would not write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_lines: Vec<String>,
}

/// The hash of the partition key, and the shard that has it today.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HashKey {
    /// A decimal number.
    pub value: String,
    pub shard_id: String,
    /// Whether the record's own shard has the hash key. If not, the record was put with an explicit hash key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_in_records_shard: Option<bool>,
}

/// A line that the function makes of the record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_sequence_number: Option<u64>,
    /// The line in the log; if there is none, the line that the function would write, without request id and time.
    pub line: String,
    /// How often the log contains the line.
    pub logged: u64,
    /// Why the function does not write the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<&'static str>,
}

impl Report {
    /// Whether every line that the function writes is in the log.
    pub fn is_logged(&self) -> bool {
        self.lines.iter().all(|line| line.logged > 0 || line.unwritten.is_some())
    }

    fn hash_key_text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Some(HashKey { value, shard_id, is_in_records_shard }) = &self.hash_key else {
            return writeln!(to, "hash key   unknown, because the record has no partition key");
        };
        writeln!(to, "hash key   {value}, the MD5 of the key")?;
        match is_in_records_shard {
            Some(false) => writeln!(to, "shard      {shard_id}, but the record was put here with an explicit hash key"),
            Some(true) if *shard_id != self.shard_id => {
                writeln!(to, "shard      the record's, which is closed; now {shard_id}")
            }
            _ => writeln!(to, "shard      {shard_id}"),
        }
    }

    fn lines_text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { log_group, log_from, log_to, settings, .. } = self;
        writeln!(to, "settings   {settings}")?;
        writeln!(to, "log        {log_group}")?;
        writeln!(to, "searched   {log_from} to {log_to}")?;
        for line in &self.lines {
            writeln!(to)?;
            let number = line.sub_sequence_number.map(|number| format!("of sub-record {number}: ")).unwrap_or_default();
            match (line.logged, line.unwritten) {
                (0, Some(reason)) => writeln!(to, "line       {number}not written, because {reason}")?,
                (0, None) => writeln!(to, "line       {number}not in the log")?,
                (1, _) => writeln!(to, "line       {number}once in the log")?,
                (count, _) => writeln!(to, "line       {number}{} in the log", counted(count, "time"))?,
            }
            writeln!(to, "  {}", line.line)?;
        }
        for line in &self.other_lines {
            writeln!(to)?;
            writeln!(to, "other line in the log, which the function would not write with its present settings")?;
            writeln!(to, "  {line}")?;
        }
        Ok(())
    }
}

impl Render for Report {
    const HEADINGS: &'static [&'static str] = &[
        "record", "stream", "arrival", "key", "hash", "shard", "size", "data", "settings", "log", "searched", "line",
        "other",
    ];

    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { stream, shard_id, sequence_number, arrival, bytes, data_bytes, .. } = self;
        let number = self.sub_sequence_number.map(|number| format!(":{number}")).unwrap_or_default();
        writeln!(to, "record     {shard_id}:{sequence_number}{number}")?;
        writeln!(to, "stream     {stream}")?;
        writeln!(to, "arrival    {arrival}")?;
        match &self.partition_key {
            Some(key) => writeln!(to, "key        {}", serde_json::Value::from(key.as_str()))?,
            None => writeln!(to, "key        none: the stream distributes records itself")?,
        }
        self.hash_key_text(to)?;
        writeln!(
            to,
            "size       {}: {data_bytes} of data, {} of key",
            counted(*bytes as u64, "byte"),
            bytes - data_bytes
        )?;
        layer_text(&self.data, "data       ", 0, to)?;
        self.lines_text(to)
    }
}

fn layer_text(layer: &Layer, label: &str, depth: usize, to: &mut dyn Write) -> io::Result<()> {
    const NO_LABEL: &str = "           ";
    let indent = "  ".repeat(depth);
    match layer {
        Layer::Aggregate { bytes, count, records } => {
            let which = match &records[..] {
                [one] if *count > 1 => format!(", of which number {} is shown", one.sub_sequence_number),
                _ => String::new(),
            };
            let count = counted(*count as u64, "sub-record");
            writeln!(to, "{label}{indent}aggregate with {count}{which}, {}", in_bytes(*bytes))?;
            for record in records {
                let key = record
                    .partition_key
                    .as_ref()
                    .map_or("none".into(), |key| serde_json::Value::from(key.as_str()).to_string());
                write!(to, "{NO_LABEL}{indent}  {} key {key}", record.sub_sequence_number)?;
                if let Some(hash_key) = &record.explicit_hash_key {
                    write!(to, ", explicit hash key {hash_key}")?;
                }
                if let Some(problem) = &record.problem {
                    write!(to, " ({problem})")?;
                }
                writeln!(to)?;
                layer_text(&record.inside, NO_LABEL, depth + 2, to)?;
            }
            Ok(())
        }
        Layer::Compression { format, bytes, decompressed_bytes: Some(decompressed), inside: Some(inside), .. } => {
            writeln!(to, "{label}{indent}{format}, {bytes} → {}", in_bytes(*decompressed))?;
            layer_text(inside, NO_LABEL, depth + 1, to)
        }
        Layer::Compression { format, bytes, error, .. } => {
            let error = error.as_deref().unwrap_or("not decompressed");
            writeln!(to, "{label}{indent}{format}, {} ({error})", in_bytes(*bytes))
        }
        Layer::Shape { shape, bytes, records } => {
            writeln!(to, "{label}{indent}{shape}, {}: {}", in_bytes(*bytes), counted(*records as u64, "record"))
        }
        Layer::Data { syntax, bytes } => writeln!(to, "{label}{indent}{syntax}, {}", in_bytes(*bytes)),
    }
}

fn in_bytes(bytes: usize) -> String {
    counted(bytes as u64, "byte")
}
