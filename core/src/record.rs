//! A decoded record: what one log line says.

use crate::decode::Payload;

/// One record, ready to be written as a line. What is not known is `None`, and left out of the line.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// The stream's name.
    pub stream: Option<&'a str>,
    /// The shard's id.
    pub shard_id: Option<&'a str>,
    /// The sequence number, a decimal number too large for any integer type.
    pub sequence_number: Option<&'a str>,
    /// The partition key.
    pub partition_key: Option<&'a str>,
    /// When Kinesis took the record, in epoch milliseconds.
    pub arrival_ms: Option<i64>,
    /// What is wrong with the record. Its line is then a warning, whether or not the data could be read.
    pub error: Option<String>,
    /// What the record carries.
    pub data: Data<'a>,
}

/// What a record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// Its decoded data.
    Payload(Payload<'a>),
    /// No data could be decoded: what was there instead.
    Undecodable(&'a str),
}
