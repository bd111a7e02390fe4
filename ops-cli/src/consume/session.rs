//! One run of `consume`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{self, Engine, Step};
use super::fan_out::Consumer;
use super::get_records::Budget;
use super::last::{self, FirstRecord};
use super::position::{self, Beginning, From};
use super::reader::{Range, Shared, now_ms};
use super::shards::ListedShard;
use super::sink::Sink;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::stream::position::RecordPosition;

/// The memory for pages, of which the largest has 10 MiB of data in base64. What is shown and the rest of the program need as
/// much again to stay below 64 MiB.
const PAGE_BYTES: usize = 20 << 20;

/// How often the width of the terminal is read.
const FITTED_EVERY: Duration = Duration::from_millis(500);

/// The options of a run.
pub struct Options {
    pub stream: String,
    pub beginning: Beginning,
    pub end_ms: Option<i64>,
    pub follows: bool,
    /// The ids of the only shards to read.
    pub shards: Vec<Arc<str>>,
    /// Whether the lag is noted while the run follows.
    pub notes_lag: bool,
}

pub struct Session<'a> {
    connection: Connection,
    options: Options,
    consumer: Option<&'a Consumer>,
    sink: Sink,
}

impl<'a> Session<'a> {
    pub fn new(connection: Connection, options: Options, consumer: Option<&'a Consumer>, sink: Sink) -> Self {
        Self { connection, options, consumer, sink }
    }

    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Shows what is there, and what comes if it is to be followed.
    pub async fn run(&mut self) -> Result<()> {
        let stream = &self.options.stream;
        let listed = self.connection.run(async |aws| engine::list(&aws, stream).await).await?;
        let known: Vec<_> = listed.iter().map(|shard| &*shard.id).collect();
        self.options.shards.iter().try_for_each(|wanted| check_shard(wanted, &known, "--shard"))?;
        if let Beginning::Records(records) = &self.options.beginning {
            records.iter().try_for_each(|record| check_shard(&record.shard_id, &known, "--from"))?;
        }
        let consumer_arn = match self.consumer {
            Some(consumer) => Some(consumer.register().await?),
            None => None,
        };
        let mut engine = self.engine(listed, consumer_arn).await?;
        self.show(&mut engine).await
    }

    /// Creates the engine that reads from the beginning of the run.
    async fn engine(&mut self, listed: Vec<ListedShard>, consumer_arn: Option<String>) -> Result<Engine> {
        let shared = |shared: Shared| Arc::new(Shared { consumer_arn: consumer_arn.clone(), ..shared });
        match &self.options.beginning {
            Beginning::From(from) => Ok(Engine::new(shared(self.shared()), &listed, from, &self.options.shards)),
            Beginning::Records(records) => {
                self.sink.selection.first = first_records(records);
                let from = position::from_records(records);
                Ok(Engine::new(shared(self.shared()), &listed, &from, &self.options.shards))
            }
            Beginning::Last(count) => {
                let search = Shared { range: Range { follows: false, end_ms: None, ..self.range() }, ..self.shared() };
                let (last, listed, window) =
                    last::find(&Arc::new(search), &listed, &self.options.shards, *count).await?;
                let first = last.first_records();
                let (mut ends, mut only) = (BTreeMap::new(), self.options.shards.clone());
                if !self.options.follows {
                    // What arrived during the search is newer than the last records.
                    ends = last.last_records();
                    only = first.keys().cloned().collect();
                    if only.is_empty() {
                        return Ok(Engine::new(shared(self.shared()), &[], &From::At(BTreeMap::new()), &[]));
                    }
                }
                self.sink.selection.first = first;
                let shared = shared(Shared { ends, ..self.shared() });
                Ok(Engine::new(shared, &listed, &last.starts(&listed, &window), &only))
            }
        }
    }

    fn range(&self) -> Range {
        Range { follows: self.options.follows, began_ms: now_ms(), end_ms: self.options.end_ms }
    }

    fn shared(&self) -> Shared {
        Shared {
            connection: self.connection.clone(),
            stream: self.options.stream.clone(),
            range: self.range(),
            ends: BTreeMap::new(),
            budget: Budget::of_bytes(PAGE_BYTES),
            consumer_arn: None,
            throttling: Mutex::default(),
            began: Instant::now(),
        }
    }

    async fn show(&mut self, engine: &mut Engine) -> Result<()> {
        let mut fitted = None::<Instant>;
        loop {
            // At the tip every record is written at once; behind it, many are written together.
            if engine.is_idle() {
                self.sink.flush()?;
                self.note_lag();
            }
            if fitted.is_none_or(|fitted| fitted.elapsed() >= FITTED_EVERY) {
                self.sink.fit(engine.listed().len());
                fitted = Some(Instant::now());
            }
            match engine.next().await? {
                Step::Page { shard, page, reserved } => {
                    let is_complete = self.sink.page(&shard, &page)?;
                    drop(reserved);
                    if is_complete {
                        break;
                    }
                }
                Step::Done { shard } => self.sink.lag.done(&shard),
                Step::End => {
                    self.sink.read_up_to(Instant::now());
                    break;
                }
            }
            if engine.read_up_to().is_some_and(|time| self.sink.read_up_to(time)) {
                break;
            }
        }
        self.sink.flush()
    }

    /// Writes what was rendered when a run is ended from outside.
    pub fn finish(&mut self) -> Result<()> {
        self.sink.flush()
    }

    fn note_lag(&mut self) {
        if self.options.follows && self.options.notes_lag {
            let now = self.sink.elapsed();
            if let Some(notice) = self.sink.lag.notice(now) {
                note(&notice);
            }
        }
    }
}

fn check_shard(wanted: &str, known: &[&str], option: &str) -> Result<()> {
    const NAMED: usize = 8;
    if known.contains(&wanted) {
        return Ok(());
    }
    let more = if known.len() > NAMED { format!(" and {} more", known.len() - NAMED) } else { String::new() };
    let names = known[..known.len().min(NAMED)].join(", ");
    Err(Error::usage(format!("{option}: the stream has no shard {wanted}"))
        .hint(format!("its shards are {names}{more}")))
}

fn first_records(records: &[RecordPosition]) -> BTreeMap<Arc<str>, FirstRecord> {
    let first = records.iter().filter_map(|record| {
        let sub_record = record.sub_sequence_number?;
        let sequence_number = record.sequence_number.to_string();
        Some((Arc::from(record.shard_id.as_str()), FirstRecord { sequence_number, sub_record }))
    });
    first.collect()
}
