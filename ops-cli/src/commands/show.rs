//! `show`: explain one record.

use std::io::{BufRead, BufReader};
use std::path::Path;

use aws_sdk_kinesis::types::Record;
use clap::Args;
use jiff::Timestamp;
use kinesis_event_logger_core::SequenceNumber;
use kinesis_event_logger_core::line;
use kinesis_event_logger_core::names::Names;
use kinesis_event_logger_core::route::hash_key;

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::Output;
use crate::progress::note;
use crate::publish::scheduling::shards::ShardMap;
use crate::show::layers::layers;
use crate::show::lines::{FetchedRecord, Invocation, MadeLine};
use crate::show::logged::{self, LoggedLines};
use crate::show::report::{HashKey, Line, Report};
use crate::show::settings;
use crate::stream::fetch::{Absence, Page, RangeReader, absence, arrival_ms};
use crate::stream::position::RecordPosition;
use crate::tail::catalog;
use crate::tail::follow::Follower;
use crate::tail::sweep::{Event, Query, Reader, SweepEnd};
use crate::{stream, text, time};

const TASK: &str = "\
Reads one record from the stream and explains it: its arrival, size and keys, the shard that its hash key maps to, each layer of \
its data (aggregate, compression, shape), the lines that the function makes of it, and whether the log contains them. The lines are \
made with the settings of the function, redaction included.";

const EXAMPLES: &str = "\
Examples:
  ops-cli show 1:49590338271490256608559692538361571095921575989136588898
  ops-cli show shardId-000000000001:49590338271490256608559692538361571095921575989136588898:3
  ops-cli tail --view raw --grep user-42 -n 1 | ops-cli show

The third part of a position selects one record of an aggregate. The exit code is 1 if the record does not exist, is past the \
stream's retention, or has a line that is not in the log.";

/// Explain one record: its layers, its shard, its log lines
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Show {
    /// Position of the record (default: reads a log line of the record from stdin)
    #[arg(value_name = "SHARD:SEQUENCE_NUMBER[:SUB]")]
    pub position: Option<RecordPosition>,
    /// How long after the record's arrival the log is searched for its lines
    #[arg(long, value_name = "DURATION", default_value = "15m")]
    pub within: String,
}

/// How long before the record's arrival the log is searched, because clocks differ.
const CLOCK_SLACK_MS: i64 = 60_000;

/// The record to show.
struct Target {
    stream: String,
    position: RecordPosition,
}

pub async fn run(global: &Global, args: &Show, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let within = time::duration("--within", &args.within)?;
    let target = match &args.position {
        Some(position) => Target { stream: names.stream().to_owned(), position: position.clone() },
        None => from_line(&first_line()?, names.stream())?,
    };
    let aws = Aws::connect(global).await?;
    let record = fetch(&aws, &target).await?;
    let within_ms = i64::try_from(within.as_millis()).unwrap_or(i64::MAX);
    let Explained { report, has_log_group } = explain(&aws, &names, &target, &record, within_ms).await?;
    output.show(&report)?;
    if !has_log_group {
        return Err(catalog::missing(&aws, names.log_group()).await);
    }
    if report.is_logged() {
        return Ok(());
    }
    Err(Error::failed(format!("the log has no line for {}", if report.lines.len() == 1 { "the record" } else { "some of the record's data" }))
        .hint("a function that is behind logs later: `--within 6h` searches longer; `ops-cli status` shows the result of the mapping's last batch"))
}

/// Reads the first line of stdin that is not empty. Says that others are ignored, if they are there already: a follower's come
/// later.
fn first_line() -> Result<String> {
    let failed = |error| Error::usage(format!("could not read stdin: {error}"));
    let (name, reader) = text::open(Path::new("-"))?;
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            return Err(Error::usage("stdin has no line")
                .hint("give a position as an argument, or a log line of the record on stdin"));
        }
        text::check_first_line(&name, &line)?;
    }
    if !reader.buffer().trim_ascii().is_empty() {
        note("stdin has more lines, which are ignored: show explains the record of the first one");
    }
    String::from_utf8(line).map_err(|_| Error::usage("the first line of stdin is not UTF-8 text"))
}

/// Finds the record of a log line. Lines may omit the stream and the shard.
fn from_line(text: &str, stream: &str) -> Result<Target> {
    const HINT: &str = "give the message of a log event unchanged, as `ops-cli tail --view raw` prints it, or a position as an argument";
    let parsed = line::parse(text.trim_end()).map_err(|error| Error::usage(error.to_string()).hint(HINT))?;
    let no_position = || Error::usage("the log line does not contain the position of its record").hint(HINT);
    let number = parsed.sequence_number.ok_or_else(no_position)?;
    let text = match &parsed.shard_id {
        Some(shard_id) => format!("{shard_id}:{number}"),
        None => number.into_owned(),
    };
    let mut position: RecordPosition = text.parse().map_err(|error: String| Error::usage(error).hint(HINT))?;
    position.sub_sequence_number = parsed.sub_sequence_number;
    Ok(Target { stream: parsed.stream.map_or(stream.to_owned(), Into::into), position })
}

async fn fetch(aws: &Aws, target: &Target) -> Result<Record> {
    let Target { stream, position } = target;
    let RecordPosition { shard_id, sequence_number: number, .. } = position;
    let retention_hours = stream::retention_hours(aws, stream).await?;
    let page = RangeReader::new(aws, stream, shard_id, number, number).next(1).await?;
    let reason = match page {
        Page::Records(mut records) => return Ok(records.swap_remove(0)),
        Page::End => None,
        Page::Refused(message) => Some(message),
    };
    Err(absent(position, stream, retention_hours, reason))
}

fn absent(position: &RecordPosition, stream: &str, retention_hours: i32, reason: Option<String>) -> Error {
    let number: &SequenceNumber = &position.sequence_number;
    let (shard_id, reason) = (&position.shard_id, reason.map(|reason| format!(" ({reason})")).unwrap_or_default());
    match absence(number, retention_hours, Timestamp::now().as_second()) {
        Absence::Expired => Error::failed(format!(
            "the record {shard_id}:{number} is past the retention of the stream {stream}, which is {retention_hours} hours{reason}"
        ))
        .hint("its line may still be in the log: `ops-cli tail --since 30d --filter '\"SEQUENCE_NUMBER\"'`"),
        Absence::NeverExisted => Error::failed(format!(
            "the stream {stream} has never had a record {shard_id}:{number}{reason}"
        ))
        .hint("check the shard, the sequence number, and --stream; a stream that was deleted and created again has other records"),
        Absence::Unknown => Error::failed(format!(
            "the stream {stream} has no record {shard_id}:{number}: it has expired or has never existed{reason}"
        ))
        .hint("check the shard, the sequence number, and --stream"),
    }
}

struct Explained {
    report: Report,
    has_log_group: bool,
}

async fn explain(aws: &Aws, names: &Names, target: &Target, record: &Record, within_ms: i64) -> Result<Explained> {
    let Target { stream, position } = target;
    let data = record.data.as_ref();
    let mut layer = layers(data);
    if let Some(number) = position.sub_sequence_number {
        layer.keep(number);
    }
    let settings = settings::read(aws, names.function()).await?;
    let fetched = FetchedRecord {
        record,
        stream,
        shard_id: &position.shard_id,
        sub_sequence_number: position.sub_sequence_number,
    };
    let arrival = arrival_ms(record);
    let made = fetched.lines(&settings.settings, &Invocation { request_id: "-".into(), time: arrival });
    if let (true, Some(number)) = (made.is_empty(), position.sub_sequence_number) {
        return Err(Error::failed(format!("the record has no sub-record {number}"))
            .hint("leave out the last part of the position to show all of the record"));
    }
    let (from, to) = (arrival - CLOCK_SLACK_MS, arrival.saturating_add(within_ms));
    let found = messages(aws, names.log_group(), record, &made, from, to).await?;
    let (has_log_group, messages) = (found.is_some(), found.unwrap_or_default());
    let logged = logged::find(&fetched, &settings.settings, &made, messages.iter().map(String::as_str));
    let partition_key = record.partition_key.clone();
    let report = Report {
        stream: stream.clone(),
        shard_id: position.shard_id.clone(),
        sequence_number: record.sequence_number.clone(),
        sub_sequence_number: position.sub_sequence_number,
        arrival: line::rfc3339(arrival),
        bytes: data.len() + partition_key.as_ref().map_or(0, String::len),
        data_bytes: data.len(),
        hash_key: match &partition_key {
            Some(key) => Some(hash_key_of(aws, stream, &position.shard_id, key).await?),
            None => None,
        },
        partition_key,
        data: layer,
        settings: settings.source,
        log_group: names.log_group().to_owned(),
        log_from: line::rfc3339(from),
        log_to: line::rfc3339(to),
        other_lines: logged.others.clone(),
        lines: lines(made, logged),
    };
    Ok(Explained { report, has_log_group })
}

async fn hash_key_of(aws: &Aws, stream: &str, shard_id: &str, partition_key: &str) -> Result<HashKey> {
    let shards = ShardMap::fetch(&aws.kinesis(), stream, &aws.retry).await?;
    let hash_key = hash_key(partition_key);
    Ok(HashKey {
        value: hash_key.to_string(),
        shard_id: shards.id(shards.index_of(hash_key)).to_owned(),
        is_in_records_shard: shards.takes(shard_id, std::iter::once(hash_key)),
    })
}

/// Reads the log around the record's arrival. Lines that name the record are found by its sequence number. Returns `None` if
/// the log group does not exist.
async fn messages(
    aws: &Aws,
    log_group: &str,
    record: &Record,
    made: &[MadeLine],
    from: i64,
    to: i64,
) -> Result<Option<Vec<String>>> {
    let names_record = made.iter().all(|made| made.text.contains(&record.sequence_number));
    let filter = names_record.then(|| format!("\"{}\"", record.sequence_number));
    let reader = Reader::new(aws, log_group, None).with_query(Query { filter, end: Some(to), ..Query::default() });
    let mut messages = Vec::new();
    let take = |events: &[Event]| {
        let texts = events.iter().map(|event| event.message.clone());
        // Lines that do not name the record are recognized by their text alone.
        messages.extend(texts.filter(|text| names_record || made.iter().any(|made| made.text == text.trim_end())));
        Ok(())
    };
    let swept = reader.sweep(&mut Follower::new(from), Timestamp::now().as_millisecond(), take).await?;
    Ok((swept == SweepEnd::Whole).then_some(messages))
}

fn lines(made: Vec<MadeLine>, logged: LoggedLines) -> Vec<Line> {
    let found = logged.counts.into_iter().zip(logged.texts);
    let line = |(made, (count, text)): (MadeLine, (u64, Option<String>))| Line {
        sub_sequence_number: made.sub_sequence_number,
        line: text.unwrap_or(made.text),
        logged: count,
        unwritten: made.unwritten,
    };
    made.into_iter().zip(found).map(line).collect()
}
