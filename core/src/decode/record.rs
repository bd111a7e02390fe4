//! A decoded record, and its position in a stream.

use super::Payload;
use crate::shape::Origin;

/// One record, ready to be written as a line.
///
/// A record on the stream becomes one of these or many: an aggregate becomes one for each record inside it, a CloudWatch
/// Logs envelope one for each log event.
///
/// ```
/// use kinesis_event_logger_core::{Data, Payload, Position, Record};
///
/// let position = Position { stream: Some("orders"), ..Position::default() };
/// let record = Record::new(position, Data::Payload(Payload::Text("hello")));
/// assert_eq!(record.position.partition_key, None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// The record's position in its stream.
    pub position: Position<'a>,
    /// The service that wrote the data, if the data has a known [shape](crate::shape).
    pub origin: Option<Origin<'a>>,
    /// The problem with the record. A record with a problem has a line of level `WARN`, whether or not its data was
    /// decoded.
    pub error: Option<String>,
    /// The record's data.
    pub data: Data<'a>,
}

impl<'a> Record<'a> {
    /// Creates a record without an origin and without a problem.
    pub const fn new(position: Position<'a>, data: Data<'a>) -> Self {
        Self { position, origin: None, error: None, data }
    }
}

/// A record's position in a stream. Unknown parts are `None`, and the line omits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position<'a> {
    /// The stream's name.
    pub stream: Option<&'a str>,
    /// The shard's id.
    pub shard_id: Option<&'a str>,
    /// The sequence number: a decimal number that is too large for any integer type. All records of one aggregate have
    /// the same.
    pub sequence_number: Option<&'a str>,
    /// The record's index in its aggregate, from 0.
    pub sub_sequence_number: Option<u64>,
    /// The partition key. A record inside an aggregate has its own.
    pub partition_key: Option<&'a str>,
    /// The explicit hash key, a decimal number. Only records inside aggregates have one.
    pub explicit_hash_key: Option<&'a str>,
    /// The time at which Kinesis accepted the record, in epoch milliseconds.
    pub arrival_ms: Option<i64>,
}

/// A record's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// The decoded data.
    Payload(Payload<'a>),
    /// The text in place of the data, because the data could not be decoded.
    Undecodable(&'a str),
}
