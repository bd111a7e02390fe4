//! One event: its position among all events, its ID, and its form in the store.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use kinesis_event_logger_core::limits::PUT_LOG_EVENTS_OVERHEAD_BYTES;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// One event to store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InputEvent {
    /// Epoch milliseconds.
    pub timestamp: i64,
    pub message: String,
}

/// The position of an event among all events of the endpoint. It is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    /// Epoch milliseconds.
    pub(super) timestamp: i64,
    /// The number of the event among all streams, in order of arrival.
    pub(super) sequence: u64,
}

impl Position {
    /// The position before every event of this timestamp.
    pub(super) fn at(timestamp: i64) -> Self {
        Self { timestamp, sequence: 0 }
    }

    /// The position after every event.
    pub(super) const END: Self = Self { timestamp: i64::MAX, sequence: u64::MAX };

    /// The position right after this one.
    pub(super) fn next(self) -> Self {
        Self { timestamp: self.timestamp, sequence: self.sequence + 1 }
    }
}

/// A stored event; clones share the message.
#[derive(Debug, Clone)]
pub(super) struct StoredEvent {
    pub(super) position: Position,
    /// The arrival in epoch milliseconds.
    pub(super) ingested: i64,
    pub(super) message: Arc<str>,
}

impl StoredEvent {
    /// The bytes that count against AWS's limits.
    pub(super) fn size(&self) -> usize {
        self.message.len() + PUT_LOG_EVENTS_OVERHEAD_BYTES
    }

    /// The bytes that the event takes in memory, approximately.
    pub(super) fn memory_bytes(&self) -> usize {
        /// The message's reference counts and the average overhead of an allocation.
        const ALLOCATION: usize = 32;
        size_of::<Self>() + self.message.len() + ALLOCATION
    }

    /// The event's value in the store: its arrival and its message.
    pub(super) fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(8 + self.message.len());
        bytes.put_i64(self.ingested);
        bytes.put_slice(self.message.as_bytes());
        bytes.into()
    }

    /// Reads an event from its key and value in the store.
    ///
    /// # Errors
    /// They are not those of an event.
    pub(super) fn read(key: &[u8], value: &[u8]) -> Result<Self, StoreError> {
        let read = || {
            let (_, key) = key.split_first_chunk::<8>()?;
            let (timestamp, sequence) = key.split_first_chunk()?;
            let (ingested, message) = value.split_first_chunk()?;
            Some(Self {
                position: Position {
                    timestamp: i64::from_be_bytes(*timestamp),
                    sequence: u64::from_be_bytes(sequence.try_into().ok()?),
                },
                ingested: i64::from_be_bytes(*ingested),
                message: std::str::from_utf8(message).ok()?.into(),
            })
        };
        read().ok_or(StoreError::NotAnEvent)
    }

    /// The event's ID: 56 digits, as on AWS. IDs sort like their events.
    pub(super) fn id(&self) -> String {
        let Position { timestamp, sequence } = self.position;
        format!("3{timestamp:019}{sequence:020}{:016}", self.ingested)
    }
}
