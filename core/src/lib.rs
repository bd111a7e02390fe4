//! Reads Kinesis records as Lambda sends them, writes each as exactly one log line, and names the resources of a
//! Kinesis → Lambda → CloudWatch Logs path.
//!
//! ```
//! use kinesis_event_logger_core::{Decoder, Event, EventError, LineFormat, LineWriter};
//!
//! let event = r#"{"Records":[{"kinesis":{"partitionKey":"k","sequenceNumber":"4959","data":"SGVsbG8=",
//!     "approximateArrivalTimestamp":1545084650.987},"eventID":"shardId-000000000006:4959","eventSource":"aws:kinesis",
//!     "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/orders"}]}"#;
//!
//! let writer = LineWriter::new(LineFormat::Text, "3f1c", 1_545_084_651_000);
//! let (mut lines, mut decoder) = (Vec::new(), Decoder::new());
//! for source in Event::parse(event)?.records() {
//!     decoder.decode(&source, |record| {
//!         writer.append(record, &mut lines);
//!         Ok::<_, EventError>(())
//!     })?;
//! }
//! assert_eq!(
//!     String::from_utf8_lossy(&lines),
//!     "2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 key=\"k\" \
//!      arrival=2018-12-17T22:10:50.987Z lagMs=13 data=\"Hello\"\n"
//! );
//! # Ok::<_, EventError>(())
//! ```
//!
//! # What it promises
//! - No input makes it panic, recurse without bound or lose a record: every element of `Records` is yielded, with a
//!   named problem if it is not what it should be.
//! - One record is one line, and nothing in a record can end that line, begin another or move a terminal's cursor.
//! - JSON data keeps its numbers and key order: it is embedded, never parsed and written again.
//!
//! # What is in it
//! - [`Event`]: the event Lambda or EventBridge Pipes sends, read record by record, tumbling windows included.
//! - [`Decoder`]: a record to the records in it: base64, KPL aggregates ([`Aggregate`], and [`AggregateBuilder`] to make
//!   them), gzip and zstd ([`Compression`]) around and inside, CloudWatch Logs envelopes. It takes an event's records
//!   and, for a consumer of `GetRecords`, plain bytes.
//! - [`Shape`], [`classify`]: what bytes are: JSON, text, CBOR, other binary, a log envelope, a DynamoDB change.
//! - [`LineWriter`]: a record as one line, as text or JSON; [`LineOptions`] for its size, and what of the data is shown.
//! - [`Redactor`]: values replaced by JSON pointer or key name, everything else byte for byte.
//! - [`hash_key`], [`shard_of`]: which shard a partition key goes to. [`SequenceNumber`]: compared, read apart, built.
//! - [`Names`], [`names`], [`limits`]: what the resources of a path are called, and what the services take.
//!
//! # What it leaves to others
//! Input and output, clocks, randomness, threads and AWS: it works on values it is handed. It does not poll streams,
//! and does not decide what becomes of a record.

#![deny(missing_docs)]

mod decode;
mod escape;
mod event;
mod hash;
mod json;
pub mod limits;
mod line;
pub mod names;
mod record;
mod redact;
mod scan;
mod sequence;
mod timestamp;

pub use decode::{
    AGGREGATE_MAGIC, Aggregate, AggregateBuilder, AggregateError, Base64Error, Compression, Decoder, DecompressError,
    Envelope, EnvelopeEvent, MAX_DECOMPRESSED_BYTES, Payload, Shape, SubRecord, SubRecordProblem, base64, classify,
    decode,
};
pub use escape::is_escaped_on_lines;
pub use event::{Event, EventError, Problem, SourceRecord};
pub use hash::{HashKeyRange, InvalidHashKey, hash_key, parse_hash_key, shard_of};
pub use json::{JsonKind, MAX_JSON_DEPTH};
pub use line::{
    DataShown, LINE_VERSION, Level, LineFormat, LineOptions, LineWriter, MAX_NAME_BYTES, Outcome, UnknownDataShown,
    UnknownLevel, UnknownLineFormat, append_message,
};
pub use names::{Location, NameError, Names};
pub use record::{Change, Data, LogEvent, Origin, Record};
pub use redact::{REDACTION_MARK, Redacted, Redactor, RuleError};
pub use sequence::{InvalidSequenceNumber, SecondsOutOfRange, SequenceNumber, SequenceParts};
pub use timestamp::rfc3339;
