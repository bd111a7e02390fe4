//! GetShardIterator and GetRecords.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp as Time;
use kinesis_event_logger_core::limits;
use serde::{Deserialize, Serialize};

use super::addressing::{StreamAddress, possible_number};
use super::describe_stream::HashKeyRange;
use super::iterator::ShardIterator;
use super::shard::{Item, Shard, Span, shard_id};
use super::stream::{Stream, StreamState};
use super::{Kinesis, THROUGHPUT_EXCEEDED, data_bytes, invalid, now, read_bytes, records};
use crate::encoding::Encoding;
use crate::error::AwsError;
use crate::metrics::Direction;

const ITERATOR_MS: u64 = limits::SHARD_ITERATOR_SECONDS * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetShardIterator {
    #[serde(flatten)]
    stream: StreamAddress,
    shard_id: String,
    shard_iterator_type: PositionType,
    starting_sequence_number: Option<String>,
    timestamp: Option<f64>,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRecords {
    shard_iterator: String,
    limit: Option<usize>,
    #[serde(rename = "StreamARN")]
    stream_arn: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

/// The type of a position in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum PositionType {
    TrimHorizon,
    Latest,
    AtSequenceNumber,
    AfterSequenceNumber,
    AtTimestamp,
}

/// The position at which reading a shard starts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Position {
    pub r#type: PositionType,
    pub sequence_number: Option<String>,
    /// Epoch seconds.
    pub timestamp: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IteratorAnswer {
    shard_iterator: String,
}

/// The members of a response other than its records.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PageAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_shard_iterator: Option<String>,
    millis_behind_latest: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    child_shards: Option<Vec<ChildShard>>,
}

/// A shard that begins where its parents end.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChildShard {
    shard_id: String,
    parent_shards: Vec<String>,
    hash_key_range: HashKeyRange,
}

impl Kinesis {
    pub(super) async fn get_shard_iterator(&self, request: GetShardIterator) -> Result<IteratorAnswer, AwsError> {
        let GetShardIterator { stream, shard_id, shard_iterator_type, starting_sequence_number, timestamp, dry_run } =
            request;
        let name = self.name_of(stream)?;
        let shard_id = self.shard_id(&shard_id, &name)?;
        let missing = |_| self.no_shard(&shard_id, &name);
        let stream = self.available(&name).map_err(missing)?;
        let shard = stream.shard(&shard_id).ok_or_else(|| self.no_shard(&shard_id, &name))?;
        let position = Position { r#type: shard_iterator_type, sequence_number: starting_sequence_number, timestamp };
        let iterator = ShardIterator {
            created: now(),
            incarnation: stream.incarnation,
            shard_index: shard.sequence.index,
            next: self.start_counter(&stream, &shard, &position).await?,
            stream_name: name,
        };
        if dry_run {
            return Err(self.dry_run(&iterator.stream_name, "GetShardIterator"));
        }
        Ok(IteratorAnswer { shard_iterator: iterator.encode() })
    }

    pub(super) async fn get_records(
        &self,
        encoding: Encoding,
        request: GetRecords,
    ) -> Result<Response<Bytes>, AwsError> {
        let GetRecords { shard_iterator, limit, stream_arn, dry_run } = request;
        let now = now();
        let iterator = ShardIterator::decode(&shard_iterator).filter(|iterator| iterator.created <= now);
        let iterator = iterator.ok_or_else(|| invalid("Invalid ShardIterator."))?;
        check_age(iterator.created, now)?;
        // A request that names two different streams is rejected.
        self.name_of(StreamAddress { stream_name: Some(iterator.stream_name.clone()), stream_arn })?;
        let shard_id = shard_id(iterator.shard_index);
        let missing = || self.no_shard(&shard_id, &iterator.stream_name);
        let stream = self.available(&iterator.stream_name).map_err(|_| missing())?;
        let stream = Some(stream).filter(|stream| stream.incarnation == iterator.incarnation).ok_or_else(missing)?;
        let shard = stream.shard(&shard_id).ok_or_else(missing)?;
        if self.shared.has_limits && !shard.limits().read(now) {
            return Err(AwsError::bad_request(THROUGHPUT_EXCEEDED, self.rate_exceeded(&shard, &iterator.stream_name)));
        }
        if dry_run {
            return Err(self.dry_run(&iterator.stream_name, "GetRecords"));
        }
        let span = Span {
            from: iterator.next,
            records: limit.unwrap_or(limits::GET_RECORDS_RECORDS),
            bytes: limits::GET_RECORDS_BYTES,
            cutoff: stream.state().configuration.cutoff(now),
        };
        let read = shard.read_on_blocking_thread(span).await?;
        let items = read.items();
        self.shared.metrics.records(Direction::Out, &iterator.stream_name, items.len(), data_bytes(&items));
        if self.shared.has_limits {
            shard.limits().count_read_bytes(read_bytes(&items));
        }
        let next = read.next(&items);
        let is_end = read.is_at_end(next);
        let page = PageAnswer {
            next_shard_iterator: (!is_end).then(|| ShardIterator { created: now, next, ..iterator }.encode()),
            millis_behind_latest: millis_behind(&items, read.is_at_tip(next), now),
            child_shards: is_end.then(|| child_shards(&stream.state(), &shard_id)),
        };
        Ok(encoding.answer_with(records::body(encoding, &items, shard.sequence, &page)?))
    }

    /// The counter of the first record at or after a position.
    pub(super) async fn start_counter(
        &self,
        stream: &Stream,
        shard: &Arc<Shard>,
        position: &Position,
    ) -> Result<u64, AwsError> {
        match (position.r#type, &position.sequence_number, position.timestamp) {
            (PositionType::TrimHorizon, None, _) => Ok(0),
            (PositionType::Latest, None, _) => Ok(shard.next()),
            (PositionType::AtSequenceNumber, Some(number), _) => self.counter(stream, shard, number),
            (PositionType::AfterSequenceNumber, Some(number), _) => {
                self.counter(stream, shard, number).map(|counter| counter.saturating_add(1))
            }
            (PositionType::AtTimestamp, _, Some(seconds)) => at_timestamp(shard, seconds).await,
            (PositionType::AtTimestamp, _, None) => Err(invalid(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.",
            )),
            (kind, number, _) => {
                let kind = serde_json::to_value(kind).unwrap_or_default();
                let also = if number.is_some() { "also a" } else { "no" };
                Err(invalid(format!(
                    "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) \
                     TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {} and {also} StartingSequenceNumber.",
                    kind.as_str().unwrap_or_default()
                )))
            }
        }
    }

    /// The counter in a sequence number that a client declares as this shard's.
    fn counter(&self, stream: &Stream, shard: &Shard, number: &str) -> Result<u64, AwsError> {
        if let Some(counter) = shard.sequence.counter(number) {
            return Ok(counter);
        }
        let why = match possible_number(number, now()) {
            Some(parts) if parts.shard_index != shard.sequence.index => {
                return Err(invalid(format!(
                    "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a shard with {}",
                    shard_id(parts.shard_index),
                    shard.id
                )));
            }
            Some(_) => " because it did not come from this stream",
            None => "",
        };
        Err(invalid(format!(
            "StartingSequenceNumber {number} used in GetShardIterator on shard {} in stream {} under account {} is invalid{why}.",
            shard.id, stream.name, self.shared.account_id
        )))
    }

    pub(super) fn no_shard(&self, shard_id: &str, stream_name: &str) -> AwsError {
        let account = &self.shared.account_id;
        AwsError::bad_request(
            "ResourceNotFoundException",
            format!("Shard {shard_id} in stream {stream_name} under account {account} does not exist"),
        )
    }
}

async fn at_timestamp(shard: &Arc<Shard>, seconds: f64) -> Result<u64, AwsError> {
    // As Java converts it: a number that is too large becomes the largest `long`.
    let (millis, now) = ((seconds * 1000.0).round() as i64, now());
    let millis = u64::try_from(millis).unwrap_or_default();
    if millis > now {
        return Err(invalid(format!(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: {millis}, currentTimestampInMillis: {now}"
        )));
    }
    Ok(shard.at_time(millis).await?)
}

fn check_age(created: u64, now: u64) -> Result<(), AwsError> {
    if now - created <= ITERATOR_MS {
        return Ok(());
    }
    let text = |millis: u64| {
        let time = Time::from_millisecond(millis as i64).unwrap_or_default();
        time.strftime("%a %b %d %H:%M:%S UTC %Y").to_string()
    };
    Err(AwsError::bad_request(
        "ExpiredIteratorException",
        format!(
            "Iterator expired. The iterator was created at time {} while right now it is {} which is further in the future than the \
             tolerated delay of {ITERATOR_MS} milliseconds.",
            text(created),
            text(now)
        ),
    ))
}

/// The age of the last record that was read, in milliseconds, or 0 at the tip of the shard.
pub(super) fn millis_behind(items: &[Item], is_at_tip: bool, now: u64) -> u64 {
    match items.last() {
        Some(last) if !is_at_tip => now.saturating_sub(last.arrival).max(1),
        _ => 0,
    }
}

pub(super) fn child_shards(state: &StreamState, parent: &str) -> Vec<ChildShard> {
    let child = |shard: &Arc<Shard>| ChildShard {
        shard_id: shard.id.clone(),
        parent_shards: shard.parents.clone(),
        hash_key_range: HashKeyRange::of(shard),
    };
    state.children(parent).map(child).collect()
}
