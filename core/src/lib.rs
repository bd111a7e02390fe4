//! Reads Kinesis records and writes each of them as exactly one log line.
//!
//! ```
//! use kinesis_event_logger_core::event::EventError;
//! use kinesis_event_logger_core::{Decoder, Event, LineFormat, LineWriter};
//!
//! let event = r#"{"Records":[{"kinesis":{"partitionKey":"k","sequenceNumber":"4959","data":"SGVsbG8=",
//!     "approximateArrivalTimestamp":1545084650.987},"eventID":"shardId-000000000006:4959","eventSource":"aws:kinesis",
//!     "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/orders"}]}"#;
//!
//! let writer = LineWriter::new(LineFormat::Text, "3f1c", 1_545_084_651_000);
//! let (mut lines, mut decoder) = (Vec::new(), Decoder::new());
//! for record in Event::parse(event)?.records() {
//!     decoder.decode(&record, |record| {
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
//! # Modules
//! - [`event`] reads the event of Lambda or EventBridge Pipes, record by record, and writes that of Lambda.
//! - [`decode`] unpacks a record: base64, KPL aggregates, gzip, zstd. It also builds aggregates.
//! - [`shape`] knows the JSON of other services: CloudWatch Logs subscriptions and DynamoDB changes.
//! - [`redact`] replaces values by key name or JSON pointer.
//! - [`line`] writes a record as one line, in text or JSON.
//! - [`pointer`] finds a value in JSON.
//! - [`route`] finds the shard of a partition key, and compares, parses and builds sequence numbers.
//! - [`names`] derives and validates the names of an application's resources.
//! - [`settings`] reads and checks the function's settings.
//! - [`limits`] lists the services' limits.
//! - [`similar`] finds the names that a mistyped name may mean.
//!
//! # Guarantees
//! - No input makes the crate panic, recurse without bound or lose a record. Every element of `Records` is returned, with a
//!   problem if it is not a valid record.
//! - One record becomes one line. Nothing in a record can end the line, begin another one or control a terminal.
//! - JSON data keeps its numbers and the order of its keys. It is embedded in the line, not parsed and serialized.
//!
//! # Non-goals
//! The crate does no I/O, has no clock, no randomness and no threads, and does not call AWS. It does not poll streams, and
//! does not decide what happens to a record.
//!
//! # Cargo features
//! All features are on by default.
//! - `gzip` and `zstd` decompress data. Without one of them, data of that format stays compressed, and its record has an
//!   [`error`](Record::error) that names the feature.
//! - `cbor` recognizes CBOR. Without it, CBOR is [`Payload::Binary`].

#![deny(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod decode;
mod escape;
pub mod event;
mod json;
pub mod limits;
pub mod line;
pub mod names;
pub mod pointer;
pub mod redact;
pub mod route;
mod scan;
pub mod settings;
pub mod shape;
pub mod similar;
mod timestamp;

pub use decode::{AggregateBuilder, Data, Decoder, Payload, Position, Record};
pub use event::Event;
pub use line::{LineFormat, LineOptions, LineWriter};
pub use redact::Redactor;
pub use route::SequenceNumber;
