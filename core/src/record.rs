//! A decoded record: what one log line says.

use std::borrow::Cow;

use crate::decode::Payload;

/// One record, ready to be written as a line. What is not known is `None`, and left out of the line.
///
/// A record on the stream is one of these, or many: an aggregate gives one for each record inside it, a CloudWatch Logs
/// envelope one for each log event.
///
/// ```
/// use kinesis_event_logger_core::{Data, Payload, Record};
///
/// let record = Record { stream: Some("orders"), ..Record::new(Data::Payload(Payload::Text("hello"))) };
/// assert_eq!(record.partition_key, None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// The stream's name.
    pub stream: Option<&'a str>,
    /// The shard's id.
    pub shard_id: Option<&'a str>,
    /// The sequence number, a decimal number too large for any integer type. Records of one aggregate share it.
    pub sequence_number: Option<&'a str>,
    /// Which of the records of an aggregate this is, from 0.
    pub sub_sequence_number: Option<u64>,
    /// The partition key: of a record inside an aggregate, its own.
    pub partition_key: Option<&'a str>,
    /// The explicit hash key, a decimal number. Only aggregates tell it.
    pub explicit_hash_key: Option<&'a str>,
    /// When Kinesis took the record, in epoch milliseconds.
    pub arrival_ms: Option<i64>,
    /// What the data says about where it comes from.
    pub origin: Option<Origin<'a>>,
    /// What is wrong with the record. Its line is then a warning, whether or not the data could be read.
    pub error: Option<String>,
    /// What the record carries.
    pub data: Data<'a>,
}

impl<'a> Record<'a> {
    /// A record of which only the data is known.
    pub const fn new(data: Data<'a>) -> Self {
        Self {
            stream: None,
            shard_id: None,
            sequence_number: None,
            sub_sequence_number: None,
            partition_key: None,
            explicit_hash_key: None,
            arrival_ms: None,
            origin: None,
            error: None,
            data,
        }
    }
}

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// Its decoded data.
    Payload(Payload<'a>),
    /// No data could be decoded: what was there instead.
    Undecodable(&'a str),
}

/// A service that wrote the data, and what it says about where that comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin<'a> {
    /// One log event of a CloudWatch Logs subscription; the record's data is the event's message.
    LogEvent(LogEvent<'a>),
    /// A change of a DynamoDB table; the record's data is the whole change, keys and images included.
    Change(Change<'a>),
}

/// Where a log event was written
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogEvent<'a> {
    /// The account that owns the log group.
    pub owner: Option<&'a str>,
    /// The log group.
    pub log_group: Option<&'a str>,
    /// The log stream.
    pub log_stream: Option<&'a str>,
    /// Which of its envelope's events it is, from 0.
    pub index: usize,
    /// The event's id.
    pub id: Option<&'a str>,
    /// The event's time, in epoch milliseconds.
    pub timestamp_ms: Option<i64>,
}

/// What changed (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html>).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change<'a> {
    /// The table.
    pub table: Option<Cow<'a, str>>,
    /// `eventName`: `INSERT`, `MODIFY` or `REMOVE`.
    pub operation: Option<Cow<'a, str>>,
    /// The item's key attributes, in DynamoDB's JSON, as they are written.
    pub keys: Option<&'a str>,
    /// The item after the change, in DynamoDB's JSON.
    pub new_image: Option<&'a str>,
    /// The item before the change, in DynamoDB's JSON.
    pub old_image: Option<&'a str>,
}
