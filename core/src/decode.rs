//! Unpacks data into records: base64, then KPL aggregates and compression in any order of nesting, then
//! [shapes](crate::shape).
//!
//! ```
//! use kinesis_event_logger_core::{AggregateBuilder, Data, Decoder, Payload, Position};
//!
//! let mut aggregate = AggregateBuilder::new(1024);
//! aggregate.add("user-1", None, b"one")?;
//! aggregate.add("user-2", None, b"{\"two\":2}")?;
//!
//! let position = Position { sequence_number: Some("4959"), ..Position::default() };
//! let mut keys = Vec::new();
//! Decoder::new().decode_bytes(&position, &aggregate.build(), |record| {
//!     keys.push((record.position.sub_sequence_number, record.position.partition_key.map(str::to_owned)));
//!     assert_eq!(record.position.sequence_number, Some("4959"));
//!     Ok::<_, std::convert::Infallible>(())
//! })?;
//! assert_eq!(keys, [(Some(0), Some("user-1".to_owned())), (Some(1), Some("user-2".to_owned()))]);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod aggregate;
mod ahead;
mod base64;
mod compression;
mod decoder;
mod payload;
mod record;
mod unpacking;

pub use aggregate::{AGGREGATE_MAGIC, Aggregate, AggregateBuilder, AggregateError, SubRecord, SubRecordProblem};
pub use ahead::{AheadRecord, ReadAhead};
pub use base64::Base64Error;
pub use compression::{Compression, DecompressError};
pub use decoder::{Decoder, MAX_DECOMPRESSED_BYTES};
pub(crate) use payload::classify_with_members;
pub use payload::{MAX_JSON_DEPTH, Payload, classify};
pub use record::{Data, Position, Record};
