//! The state that the pollers of a mapping share, and the state that the batches of a shard share.

use std::sync::{Arc, Mutex, PoisonError};

use super::batch::Backoff;
use super::event::EventFields;
use super::mapping::{EventSource, PollerConfig};
use super::progress::Progress;
use crate::kinesis::{Kinesis, Shard, ShardSequence, Stream};
use crate::lambda::context::Context;
use crate::lambda::destinations::Destinations;

/// The state that the pollers of a mapping share.
pub struct PollerContext {
    pub uuid: String,
    pub source: EventSource,
    pub functions: Context,
    pub kinesis: Kinesis,
    pub destinations: Destinations,
    pub progress: Arc<Progress>,
}

/// The state that all batches of a shard share.
pub struct ShardContext {
    pub poller: Arc<PollerContext>,
    pub stream: Arc<Stream>,
    pub shard_id: String,
    pub sequence: ShardSequence,
    pub config: PollerConfig,
    /// The ARN of the function's role, as the last invocation found it. It is empty while the function does not exist.
    role: Mutex<Arc<str>>,
}

impl ShardContext {
    pub fn new(poller: Arc<PollerContext>, stream: Arc<Stream>, shard: &Shard, config: PollerConfig) -> Self {
        let role = poller.functions.with_name(&config.function, |function| function.settings.role.as_str().into());
        let role = Mutex::new(role.unwrap_or_default());
        Self { poller, stream, shard_id: shard.id.clone(), sequence: shard.sequence, config, role }
    }

    pub fn fields<'a>(&'a self, role_arn: &'a str) -> EventFields<'a> {
        EventFields {
            region: &self.poller.functions.config.region,
            // Unverified: with a consumer, it is the consumer's ARN.
            event_source_arn: &self.poller.source.arn,
            shard_id: &self.shard_id,
            sequence: self.sequence,
            role_arn,
        }
    }

    pub fn backoff(&self) -> Backoff {
        if self.poller.functions.config.fast_retries { Backoff::FAST } else { Backoff::AWS }
    }

    pub fn role(&self) -> Arc<str> {
        Arc::clone(&self.role.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes the role of an invocation.
    pub fn set_role(&self, role: &str) {
        let mut current = self.role.lock().unwrap_or_else(PoisonError::into_inner);
        if **current != *role {
            *current = role.into();
        }
    }
}
