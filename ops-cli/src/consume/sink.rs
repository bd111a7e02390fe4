//! Selects, counts, renders, stores and writes records.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kinesis_event_logger_core::{Data, Decoder, LineFormat, LineWriter, Payload, Position, Record, route};

use super::lag::Lag;
use super::last::FirstRecord;
use super::page::{Page, StreamRecord};
use super::reader::now_ms;
use super::save::SavedRecords;
use super::stats::{self, Stats, Summary};
use super::view::{BinaryForm, View};
use crate::error::{Error, Result};
use crate::output;
use crate::tail::matching::Matching;
use crate::tail::stop::Progress;

/// The number of rendered bytes that are written at once.
const CHUNK: usize = 64 * 1024;

/// The request id of the function's lines that are shown. No invocation has it.
const REQUEST_ID: &str = "consume";

/// The records that are shown.
#[derive(Debug, Default)]
pub struct Selection {
    /// Partition keys; none means all.
    pub keys: Vec<String>,
    pub matching: Matching,
    /// The last time, in epoch milliseconds.
    pub end_ms: Option<i64>,
    /// For each shard, the first record to show, if it is inside an aggregate.
    pub first: BTreeMap<Arc<str>, FirstRecord>,
}

impl Selection {
    fn includes(&self, record: &Record<'_>) -> bool {
        let has_key = || record.position.partition_key.is_some_and(|key| self.keys.iter().any(|wanted| wanted == key));
        (self.keys.is_empty() || has_key()) && self.matching.selects(searched(record.data))
    }

    /// Whether a record is inside the range of the run.
    fn is_in_range(&self, shard: &Arc<str>, record: &Record<'_>) -> bool {
        let Position { sequence_number, sub_sequence_number, arrival_ms, .. } = record.position;
        let is_late = matches!((arrival_ms, self.end_ms), (Some(arrival), Some(end)) if arrival > end);
        let is_before_first = self.first.get(shard).is_some_and(|first| {
            sequence_number == Some(&*first.sequence_number) && sub_sequence_number.unwrap_or(0) < first.sub_record
        });
        !is_late && !is_before_first
    }
}

/// The text that `--grep` searches. Binary data has none.
fn searched(data: Data<'_>) -> &str {
    match data {
        Data::Payload(Payload::Json(text) | Payload::Text(text)) | Data::Undecodable(text) => text,
        Data::Payload(_) => "",
    }
}

pub struct Sink {
    pub view: View,
    pub form: BinaryForm,
    pub selection: Selection,
    /// Whether lines are cut to the width of the terminal.
    pub is_cut: bool,
    pub stats: Option<Stats>,
    pub saved: Option<SavedRecords>,
    pub progress: Progress,
    pub lag: Lag,
    stream: String,
    began: Instant,
    decoder: Decoder,
    data: Vec<u8>,
    rendered: Vec<u8>,
    shown: u64,
    bytes: u64,
}

impl Sink {
    pub fn new(stream: &str, view: View, selection: Selection, progress: Progress) -> Self {
        Self {
            view,
            form: BinaryForm::Base64,
            selection,
            is_cut: false,
            stats: None,
            saved: None,
            progress,
            lag: Lag::default(),
            stream: stream.to_owned(),
            began: Instant::now(),
            decoder: Decoder::new(),
            data: Vec::new(),
            rendered: Vec::new(),
            shown: 0,
            bytes: 0,
        }
    }

    /// Shows the records of a page. Returns whether the run is complete.
    pub fn page(&mut self, shard: &Arc<str>, page: &Page) -> Result<bool> {
        self.lag.seen(shard, page.millis_behind);
        let now_ms = now_ms();
        let writer = LineWriter::new(LineFormat::Json, REQUEST_ID, now_ms);
        let mut data = std::mem::take(&mut self.data);
        let mut is_complete = self.progress.is_complete();
        for index in 0..page.len() {
            if is_complete {
                break;
            }
            let record = page.record(index, &mut data).map_err(Error::failed)?;
            is_complete = self.record(shard, &record, &writer, now_ms)?;
            if self.rendered.len() >= CHUNK {
                self.write()?;
            }
        }
        // The buffer of a record of 10 MiB is not held while small ones are read.
        data.shrink_to(1 << 20);
        self.data = data;
        Ok(is_complete)
    }

    /// Shows one record of the stream, which may contain many.
    fn record(
        &mut self,
        shard: &Arc<str>,
        record: &StreamRecord<'_>,
        writer: &LineWriter<'_>,
        now_ms: i64,
    ) -> Result<bool> {
        let position = Position {
            stream: Some(&self.stream),
            shard_id: Some(shard),
            sequence_number: Some(record.sequence_number),
            partition_key: record.partition_key,
            arrival_ms: record.arrival_ms,
            ..Position::default()
        };
        if let Some(stats) = &mut self.stats {
            stats.entry(shard, record.data.len() + record.partition_key.map_or(0, str::len));
        }
        let Self { view, form, selection, stats, progress, rendered, began, shown, bytes, .. } = self;
        let (mut is_selected, mut hash_key, mut is_complete) = (false, None, false);
        // The rest of an aggregate is not shown when the run is complete.
        let ended: Result<(), Option<Error>> = self.decoder.decode_bytes(&position, record.data, |record| {
            if !selection.is_in_range(shard, record) {
                return Ok(());
            }
            if let Some(stats) = stats {
                stats.record(shard, record.position.partition_key);
            }
            if !selection.includes(record) {
                return Ok(());
            }
            if record.position.sub_sequence_number.is_some() && !is_selected {
                hash_key = hash_key_of(&record.position);
            }
            is_selected = true;
            let before = rendered.len();
            view.render(record, writer, *form, now_ms, rendered);
            *shown += 1;
            *bytes += (rendered.len() - before) as u64;
            is_complete = progress.saw("", true, began.elapsed());
            // A record can contain millions of records.
            if rendered.len() >= 16 * CHUNK {
                write(view, rendered).map_err(Some)?;
            }
            if is_complete { Err(None) } else { Ok(()) }
        });
        if let Err(Some(error)) = ended {
            return Err(error);
        }
        if let Some(saved) = self.saved.as_mut().filter(|_| is_selected) {
            saved.add(shard, record, hash_key)?;
        }
        Ok(is_complete)
    }

    /// Writes the rendered lines, and the saved records.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(saved) = &mut self.saved {
            saved.flush()?;
        }
        self.write()
    }

    fn write(&mut self) -> Result<()> {
        write(&self.view, &mut self.rendered)
    }

    /// Adapts the view to the terminal, whose width may have changed, and to the number of shards.
    pub fn fit(&mut self, shards: usize) {
        let is_cut = self.is_cut;
        if let View::Pretty(records) = &mut self.view {
            records.pretty.set_columns(output::columns().filter(|_| is_cut));
            records.pretty.set_labels(shards > 1);
        }
    }

    /// Notes that everything that was there at a time was read. Returns whether nothing came for the idle time.
    pub fn read_up_to(&mut self, time: tokio::time::Instant) -> bool {
        let now = self.elapsed();
        self.progress.read_up_to(now.saturating_sub(time.elapsed()), now)
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn summary(&self) -> Option<Summary> {
        self.stats.as_ref().map(|stats| stats.summary(&self.lag, self.elapsed()))
    }

    /// Summarizes what was shown, in one line.
    pub fn line(&self) -> String {
        let records = output::counted(self.shown, "record");
        let lag = self.lag.describe().map(|lag| format!("; {lag}")).unwrap_or_default();
        format!("{records} ({}) shown in {:.1} s{lag}", stats::size(self.bytes), self.elapsed().as_secs_f64())
    }
}

/// The hash key by which a record inside an aggregate belongs to its shard.
fn hash_key_of(position: &Position<'_>) -> Option<u128> {
    let explicit = position.explicit_hash_key.and_then(|key| key.parse().ok());
    explicit.or_else(|| position.partition_key.map(route::hash_key))
}

fn write(view: &View, rendered: &mut Vec<u8>) -> Result<()> {
    if rendered.is_empty() {
        return Ok(());
    }
    let written = output::write_lines(rendered, view.is_styled());
    rendered.clear();
    rendered.shrink_to(32 * CHUNK);
    written.map_err(|error| {
        let error = Error::from(error);
        Error { message: format!("could not write to stdout: {}", error.message), ..error }
    })
}
