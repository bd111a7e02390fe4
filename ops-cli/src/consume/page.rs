//! The records of one answer of GetRecords, or of one event of SubscribeToShard. An answer is parsed in place: the SDK would
//! allocate four values for each record. Pure.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_kinesis::types::{ChildShard, SubscribeToShardEvent};
use serde::Deserialize;

use super::shards::ListedShard;

/// The records of one answer, and what it says about the shard.
#[derive(Debug, Default)]
pub struct Page {
    /// The answer, which the entries refer to.
    body: Vec<u8>,
    /// Whether data is base64.
    is_encoded: bool,
    entries: Vec<PageEntry>,
    /// The bytes of data and keys, as the service counts them.
    pub bytes: usize,
    /// Missing at the end of the shard.
    pub next_iterator: Option<String>,
    pub millis_behind: i64,
    /// The shards that follow at the end of the shard.
    pub children: Vec<ListedShard>,
}

#[derive(Debug)]
struct PageEntry {
    sequence_number: Text,
    partition_key: Option<Text>,
    data: Text,
    arrival_ms: Option<i64>,
}

/// A text in the body, or outside it if it was written with escapes.
#[derive(Debug)]
enum Text {
    In(Range<usize>),
    Outside(Box<str>),
}

/// One record of a stream, as it was put: possibly an aggregate, possibly compressed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamRecord<'a> {
    pub sequence_number: &'a str,
    /// Missing on streams that distribute records themselves.
    pub partition_key: Option<&'a str>,
    pub arrival_ms: Option<i64>,
    pub data: &'a [u8],
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(borrow, default)]
    records: Vec<AnsweredRecord<'a>>,
    next_shard_iterator: Option<String>,
    #[serde(default)]
    millis_behind_latest: Option<i64>,
    #[serde(default)]
    child_shards: Option<Vec<AnsweredChild>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnsweredRecord<'a> {
    #[serde(borrow)]
    sequence_number: AnsweredText<'a>,
    #[serde(borrow)]
    partition_key: Option<AnsweredText<'a>>,
    #[serde(borrow)]
    data: AnsweredText<'a>,
    /// In seconds.
    approximate_arrival_timestamp: Option<f64>,
}

#[derive(Deserialize)]
struct AnsweredText<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AnsweredChild {
    shard_id: String,
    #[serde(default)]
    parent_shards: Vec<String>,
}

impl Page {
    /// Parses the body of an answer of GetRecords.
    ///
    /// # Errors
    /// The reason why it is unreadable.
    pub fn parse(body: Vec<u8>) -> Result<Self, String> {
        let text = std::str::from_utf8(&body).map_err(|error| error.to_string())?;
        let answer: Answer<'_> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut entries = Vec::with_capacity(answer.records.len());
        let mut bytes = 0;
        for record in answer.records {
            bytes += record.data.0.len() / 4 * 3 + record.partition_key.as_ref().map_or(0, |key| key.0.len());
            entries.push(PageEntry {
                sequence_number: Text::of(record.sequence_number, text),
                partition_key: record.partition_key.map(|key| Text::of(key, text)),
                data: Text::of(record.data, text),
                arrival_ms: record.approximate_arrival_timestamp.map(|seconds| (seconds * 1000.0).round() as i64),
            });
        }
        let children = answer.child_shards.unwrap_or_default().into_iter().map(|child| ListedShard {
            id: child.shard_id.into(),
            parents: child.parent_shards.into_iter().map(Arc::from).collect(),
            is_closed: false,
        });
        let children = children.collect();
        Ok(Self {
            next_iterator: answer.next_shard_iterator,
            millis_behind: answer.millis_behind_latest.unwrap_or_default(),
            children,
            is_encoded: true,
            entries,
            bytes,
            body,
        })
    }

    /// Returns the records of an event of a subscription.
    pub fn of_event(event: SubscribeToShardEvent) -> Self {
        let mut page = Self { millis_behind: event.millis_behind_latest, ..Self::default() };
        page.children = event.child_shards.unwrap_or_default().into_iter().map(child).collect();
        for record in event.records {
            let mut push = |bytes: &[u8]| {
                page.body.extend_from_slice(bytes);
                Text::In(page.body.len() - bytes.len()..page.body.len())
            };
            let key = record.partition_key.unwrap_or_default();
            let entry = PageEntry {
                sequence_number: push(record.sequence_number.as_bytes()),
                partition_key: Some(key.as_bytes()).filter(|key| !key.is_empty()).map(&mut push),
                data: push(record.data.as_ref()),
                // Rounded: 1.485 seconds are less than 1485 ms as a binary fraction.
                arrival_ms: record
                    .approximate_arrival_timestamp
                    .map(|time| (time.as_secs_f64() * 1000.0).round() as i64),
            };
            page.bytes += key.len() + record.data.as_ref().len();
            page.entries.push(entry);
        }
        page
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns a record, whose data may be decoded into the buffer.
    ///
    /// # Errors
    /// The data is not base64.
    pub fn record<'a>(&'a self, index: usize, buffer: &'a mut Vec<u8>) -> Result<StreamRecord<'a>, String> {
        let entry = &self.entries[index];
        let sequence_number = self.text(&entry.sequence_number);
        let data = entry.data.bytes(&self.body);
        let data = if self.is_encoded {
            buffer.clear();
            let decoded = base64_simd::STANDARD.decode_append(data, buffer);
            decoded.map_err(|_| format!("the data of the record {sequence_number} is not base64"))?;
            buffer
        } else {
            data
        };
        let partition_key = entry.partition_key.as_ref().map(|key| self.text(key));
        Ok(StreamRecord { sequence_number, partition_key, arrival_ms: entry.arrival_ms, data })
    }

    fn text<'a>(&'a self, text: &'a Text) -> &'a str {
        std::str::from_utf8(text.bytes(&self.body)).unwrap_or_default()
    }

    /// The sequence number of the last record.
    pub fn last_sequence_number(&self) -> Option<&str> {
        self.entries.last().map(|entry| self.text(&entry.sequence_number))
    }

    /// The time at which the last record arrived.
    pub fn last_arrival_ms(&self) -> Option<i64> {
        self.entries.last().and_then(|entry| entry.arrival_ms)
    }

    /// Removes what follows the record with this sequence number. Returns whether the page contains that record.
    pub fn cut_after(&mut self, sequence_number: &str) -> bool {
        let is_it = |entry: &PageEntry| self.text(&entry.sequence_number) == sequence_number;
        let Some(index) = self.entries.iter().position(is_it) else { return false };
        self.entries.truncate(index + 1);
        true
    }
}

fn child(child: ChildShard) -> ListedShard {
    let parents = child.parent_shards.into_iter().map(Arc::from).collect();
    ListedShard { id: child.shard_id.into(), parents, is_closed: false }
}

impl Text {
    fn of(text: AnsweredText<'_>, body: &str) -> Self {
        match text.0 {
            Cow::Borrowed(text) => {
                let start = text.as_ptr() as usize - body.as_ptr() as usize;
                Self::In(start..start + text.len())
            }
            Cow::Owned(text) => Self::Outside(text.into()),
        }
    }

    fn bytes<'a>(&'a self, body: &'a [u8]) -> &'a [u8] {
        match self {
            Self::In(range) => &body[range.clone()],
            Self::Outside(text) => text.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_kinesis::primitives::{Blob, DateTime};
    use aws_sdk_kinesis::types::Record;

    use super::*;

    const ANSWER: &str = r#"{"Records":[
        {"SequenceNumber":"1","ApproximateArrivalTimestamp":1764324438.567,"Data":"SGVsbG8=","PartitionKey":"a"},
        {"PartitionKey":"\u00e9\"","Data":"\u004c\/8=","SequenceNumber":"2","EncryptionType":"KMS"},
        {"Data":"","SequenceNumber":"3","ApproximateArrivalTimestamp":1.5}],
        "NextShardIterator":"next","MillisBehindLatest":250}"#;

    #[test]
    fn an_answer_is_parsed_with_and_without_escapes() {
        let page = Page::parse(ANSWER.into()).unwrap();
        let mut buffer = Vec::new();
        let expected = [
            ("1", Some("a"), Some(1_764_324_438_567), &b"Hello"[..]),
            ("2", Some("é\""), None, b"/\xff"),
            ("3", None, Some(1500), b""),
        ];
        for (index, (sequence_number, partition_key, arrival_ms, data)) in expected.into_iter().enumerate() {
            let record = page.record(index, &mut buffer).unwrap();
            assert_eq!(record, StreamRecord { sequence_number, partition_key, arrival_ms, data });
        }
        assert_eq!((page.len(), page.next_iterator.as_deref(), page.millis_behind), (3, Some("next"), 250));
        assert_eq!((page.last_sequence_number(), page.last_arrival_ms()), (Some("3"), Some(1500)));
    }

    #[test]
    fn the_end_of_a_shard_names_its_children() {
        let body = r#"{"Records":[],"MillisBehindLatest":0,"ChildShards":[{"ShardId":"3","ParentShards":["1","2"],"HashKeyRange":{}}]}"#;
        let page = Page::parse(body.into()).unwrap();
        assert_eq!((page.len(), page.next_iterator), (0, None));
        let child = ListedShard { id: "3".into(), parents: vec!["1".into(), "2".into()], is_closed: false };
        assert_eq!(page.children, [child]);
    }

    #[test]
    fn a_page_is_cut_after_a_record() {
        let mut page = Page::parse(ANSWER.into()).unwrap();
        assert!(!page.cut_after("9") && page.len() == 3);
        assert!(page.cut_after("2") && page.len() == 2);
    }

    #[test]
    fn an_unreadable_answer_is_an_error() {
        for body in [&b"{"[..], b"\xff", br#"{"Records":[{"SequenceNumber":"1"}]}"#] {
            assert!(Page::parse(body.into()).is_err());
        }
        let page = Page::parse(br#"{"Records":[{"SequenceNumber":"1","Data":"*"}]}"#.into()).unwrap();
        assert!(page.record(0, &mut Vec::new()).unwrap_err().contains("is not base64"));
    }

    #[test]
    fn an_event_of_a_subscription_is_a_page() {
        let record = |number: &str, key: &str| {
            let record = Record::builder().sequence_number(number).partition_key(key).data(Blob::new("data"));
            record.approximate_arrival_timestamp(DateTime::from_millis(1500)).build().unwrap()
        };
        let event = SubscribeToShardEvent::builder().records(record("1", "k")).records(record("2", ""));
        let event = event.continuation_sequence_number("2").millis_behind_latest(7).build().unwrap();
        let page = Page::of_event(event);
        let mut buffer = Vec::new();
        let first =
            StreamRecord { sequence_number: "1", partition_key: Some("k"), arrival_ms: Some(1500), data: b"data" };
        assert_eq!(page.record(0, &mut buffer), Ok(first));
        assert_eq!(page.record(1, &mut buffer).unwrap().partition_key, None);
        assert_eq!((page.len(), page.bytes, page.millis_behind), (2, 9, 7));
    }
}
