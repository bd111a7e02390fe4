//! One event: its place among all, its identifier, its form in the store.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use kinesis_event_logger_core::limits::PUT_LOG_EVENTS_OVERHEAD_BYTES;
use serde::{Deserialize, Serialize};

use crate::store::StoreError;

/// An event's place among all events of the endpoint. No two events have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Position {
    /// Epoch milliseconds.
    pub(super) timestamp: i64,
    /// Numbers the events of all streams in the order of their arrival.
    pub(super) sequence: u64,
}

impl Position {
    /// Before every event of this timestamp.
    pub(super) fn at(timestamp: i64) -> Self {
        Self { timestamp, sequence: 0 }
    }

    /// After every event.
    pub(super) const END: Self = Self { timestamp: i64::MAX, sequence: u64::MAX };

    /// Right after this one.
    pub(super) fn next(self) -> Self {
        Self { timestamp: self.timestamp, sequence: self.sequence + 1 }
    }
}

/// A stored event; clones share the message.
#[derive(Debug, Clone)]
pub(super) struct StoredEvent {
    pub(super) position: Position,
    /// When it arrived, epoch milliseconds.
    pub(super) ingested: i64,
    pub(super) message: Arc<str>,
}

impl StoredEvent {
    /// What the event counts against the limits in bytes.
    pub(super) fn size(&self) -> usize {
        self.message.len() + PUT_LOG_EVENTS_OVERHEAD_BYTES
    }

    /// What the event takes in memory, about.
    pub(super) fn held(&self) -> usize {
        /// The reference counts before the message, and what an allocation takes on average besides.
        const ALLOCATION: usize = 32;
        size_of::<Self>() + self.message.len() + ALLOCATION
    }

    /// The event's value in the store: when it arrived, its message.
    pub(super) fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(8 + self.message.len());
        bytes.put_i64(self.ingested);
        bytes.put_slice(self.message.as_bytes());
        bytes.into()
    }

    /// Reads an event from its key and its value.
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

    /// 56 digits, as AWS's are; they sort as the events do.
    pub(super) fn id(&self) -> String {
        let Position { timestamp, sequence } = self.position;
        format!("3{timestamp:019}{sequence:020}{:016}", self.ingested)
    }
}
