//! Reads Kinesis records as Lambda sends them, writes each as exactly one log line, and names the resources of a
//! Kinesis → Lambda → CloudWatch Logs path.
//!
//! ```
//! use kinesis_event_logger_core::{Event, LineFormat, LineWriter, decode};
//!
//! let event = r#"{"Records":[{"kinesis":{"partitionKey":"k","sequenceNumber":"4959","data":"SGVsbG8=",
//!     "approximateArrivalTimestamp":1545084650.987},"eventID":"shardId-000000000006:4959","eventSource":"aws:kinesis",
//!     "eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/orders"}]}"#;
//!
//! let writer = LineWriter::new(LineFormat::Text, "3f1c", 1_545_084_651_000);
//! let (mut lines, mut scratch) = (Vec::new(), Vec::new());
//! for source in Event::parse(event)?.records() {
//!     writer.append(&decode(&source, &mut scratch), &mut lines);
//! }
//! assert_eq!(
//!     String::from_utf8_lossy(&lines),
//!     "2018-12-17T22:10:51.000Z INFO 3f1c stream=orders shard=shardId-000000000006 seq=4959 key=\"k\" \
//!      arrival=2018-12-17T22:10:50.987Z lagMs=13 data=\"Hello\"\n"
//! );
//! # Ok::<_, kinesis_event_logger_core::EventError>(())
//! ```
//!
//! # What it promises
//! - No input makes it panic, recurse without bound or lose a record: every element of `Records` is yielded, with a
//!   named problem if it is not what it should be.
//! - One record is one line, and nothing in a record can end that line, begin another or move a terminal's cursor.
//! - JSON data keeps its numbers and key order: it is embedded, never parsed and written again.
//!
//! # What it leaves to others
//! Input and output, clocks, randomness, threads and AWS: it works on values it is handed. It does not poll streams,
//! and does not decide what becomes of a record.

#![deny(missing_docs)]

mod decode;
mod escape;
mod event;
mod json;
pub mod limits;
mod line;
pub mod names;
mod record;
mod redact;
mod scan;
mod timestamp;

pub use decode::{Base64Error, Payload, base64, classify, decode};
pub use event::{Event, EventError, Problem, SourceRecord};
pub use json::{JsonKind, MAX_JSON_DEPTH};
pub use line::{
    DataShown, LINE_VERSION, Level, LineFormat, LineOptions, LineWriter, MAX_NAME_BYTES, Outcome, UnknownDataShown,
    UnknownLevel, UnknownLineFormat, append_message,
};
pub use names::{Location, NameError, Names};
pub use record::{Change, Data, LogEvent, Origin, Record};
pub use redact::{REDACTION_MARK, Redacted, Redactor, RuleError};
