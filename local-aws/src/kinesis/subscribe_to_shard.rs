//! SubscribeToShard: a shard's records as an event stream, pushed as they arrive.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use kinesis_event_logger_core::limits;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::addressing::no_consumer;
use super::get_records::{ChildShard, Position, child_shards, millis_behind};
use super::shard::{SequenceText, Shard, Span};
use super::stream::{ConsumerStatus, Stream};
use super::{Kinesis, data_bytes, now, read_bytes, records};
use crate::encoding::Encoding;
use crate::error::AwsError;
use crate::event_stream;
use crate::metrics::{Direction, Metrics};
use crate::store::Store;
use crate::token_bucket::TokenBucket;

/// The duration of a subscription. <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html>
const SUBSCRIPTION: Duration = Duration::from_mins(5);

/// The interval of events without records. AWS's interval is undocumented.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// With limits, the shortest time before a consumer can subscribe to a shard again.
const MIN_INTERVAL_MS: u64 = 5000;

/// The most bytes of an event, which a consumer gets from a shard in one second.
const EVENT_BYTES: usize = limits::SHARD_READ_BYTES_PER_SECOND;

const INITIAL_RESPONSE: [(&str, &str); 2] = [(":message-type", "event"), (":event-type", "initial-response")];
const EVENT: [(&str, &str); 2] = [(":message-type", "event"), (":event-type", "SubscribeToShardEvent")];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SubscribeToShard {
    #[serde(rename = "ConsumerARN")]
    consumer_arn: String,
    shard_id: String,
    starting_position: Position,
    #[serde(default)]
    dry_run: bool,
}

/// The active subscription of a consumer to a shard. There is at most one.
pub(super) struct ActiveSubscription {
    /// Epoch milliseconds.
    started: u64,
    /// Ends the subscription with a message for its subscriber.
    replaced: oneshot::Sender<String>,
}

/// The members of an event other than its records.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EventAnswer {
    /// `None` at the end of the shard.
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation_sequence_number: Option<SequenceText>,
    millis_behind_latest: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    child_shards: Vec<ChildShard>,
}

/// Pushes the records of one shard.
struct Subscription {
    stream: Arc<Stream>,
    shard: Arc<Shard>,
    encoding: Encoding,
    /// The counter of the next record.
    next: u64,
    events: mpsc::Sender<Bytes>,
    store: Store,
    metrics: Metrics,
    /// With limits, the remaining bytes for the consumer.
    allowance: Option<TokenBucket>,
    replaced: oneshot::Receiver<String>,
}

/// An event, and the subscription's position after it.
struct PushedEvent {
    frame: Bytes,
    /// The bytes of keys and data of its records.
    bytes: usize,
    is_at_tip: bool,
    is_end: bool,
}

impl Kinesis {
    pub(super) async fn subscribe_to_shard(
        &self,
        encoding: Encoding,
        request: SubscribeToShard,
    ) -> Result<Response<Body>, AwsError> {
        let SubscribeToShard { consumer_arn, shard_id, starting_position, dry_run } = request;
        let (stream, consumer) = self.consumer(&consumer_arn).ok_or_else(|| no_consumer(&consumer_arn))?;
        if consumer.status != ConsumerStatus::Active {
            return Err(AwsError::bad_request(
                "ResourceInUseException",
                format!("Consumer {consumer_arn} is not ACTIVE."),
            ));
        }
        if !stream.state().status().is_available() {
            return Err(self.no_stream(&stream.name));
        }
        let shard_id = self.shard_id(&shard_id, &stream.name)?;
        let shard = stream.shard(&shard_id).ok_or_else(|| self.no_shard(&shard_id, &stream.name))?;
        let next = self.start_counter(&stream, &shard, &starting_position).await?;
        if dry_run {
            let subscriptions = self.shared.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
            self.check_pause(subscriptions.get(&(consumer_arn.clone(), shard_id)), &consumer_arn)?;
            return Err(self.dry_run(&stream.name, "SubscribeToShard"));
        }
        let replaced = self.replace_subscription((consumer_arn, shard_id))?;
        let (events, pushed) = mpsc::channel(1);
        let (store, metrics) = (self.shared.storage.store.clone(), self.shared.metrics.clone());
        let allowance = self.shared.has_limits.then(|| TokenBucket::full(EVENT_BYTES, now()));
        tokio::spawn(
            Subscription { stream, shard, encoding, next, events, store, metrics, allowance, replaced }.push(),
        );
        Ok(event_stream::response(pushed))
    }

    /// Replaces the active subscription: "If you call SubscribeToShard 5 seconds or more after a successful call, the
    /// second call takes over the subscription". The receiver resolves when a later call replaces this one, with the
    /// message for its subscriber.
    fn replace_subscription(&self, key: (String, String)) -> Result<oneshot::Receiver<String>, AwsError> {
        let mut subscriptions = self.shared.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_pause(subscriptions.get(&key), &key.0)?;
        let another = another(&key.0);
        let (replaced, ends) = oneshot::channel();
        if let Some(before) = subscriptions.insert(key, ActiveSubscription { started: now(), replaced }) {
            before.replaced.send(another).ok();
        }
        Ok(ends)
    }

    /// With limits, a consumer must wait before it subscribes to the shard again.
    fn check_pause(&self, before: Option<&ActiveSubscription>, consumer_arn: &str) -> Result<(), AwsError> {
        let is_too_soon = |before: &ActiveSubscription| now() < before.started + MIN_INTERVAL_MS;
        if self.shared.has_limits && before.is_some_and(is_too_soon) {
            return Err(AwsError::bad_request("ResourceInUseException", another(consumer_arn)));
        }
        Ok(())
    }

    /// Ends the subscriptions of a consumer that is deregistered.
    pub(super) fn end_subscriptions(&self, consumer_arn: &str) {
        let mut subscriptions = self.shared.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        subscriptions.retain(|(arn, _), _| arn != consumer_arn);
    }
}

// Unverified: AWS's message.
fn another(consumer_arn: &str) -> String {
    format!("Another active subscription exists for this consumer: {consumer_arn}")
}

impl Subscription {
    /// Pushes until the shard or the subscription ends or the subscriber disconnects.
    async fn push(mut self) {
        let ends = Instant::now() + SUBSCRIPTION;
        let mut changes = self.shard.changes();
        let mut continues = self.events.send(event_stream::message(INITIAL_RESPONSE, "")).await.is_ok();
        while continues && Instant::now() < ends {
            match self.replaced.try_recv() {
                Err(TryRecvError::Empty) => {}
                end => return self.end(end.ok()).await,
            }
            changes.borrow_and_update();
            let Some(PushedEvent { frame, bytes, is_at_tip, is_end }) = self.event().await else { return };
            // Records that were pushed survive a kill of this process, unless the store has failed.
            self.store.flushed().await.ok();
            continues = self.events.send(frame).await.is_ok() && !is_end;
            if let Some(allowance) = &mut self.allowance {
                let wait = allowance.pay(bytes, now());
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            if continues && is_at_tip {
                tokio::select! {
                    end = &mut self.replaced => return self.end(end.ok()).await,
                    changed = changes.changed() => continues = changed.is_ok(),
                    () = tokio::time::sleep(HEARTBEAT) => {}
                    () = tokio::time::sleep_until(ends) => {}
                    () = self.events.closed() => continues = false,
                }
            }
        }
    }

    /// Ends because of a later subscription, with an error, or together with its consumer.
    async fn end(self, replaced: Option<String>) {
        if let Some(message) = replaced {
            self.events.send(event_stream::exception("ResourceInUseException", &message)).await.ok();
        }
    }

    async fn event(&mut self) -> Option<PushedEvent> {
        let now = now();
        let cutoff = self.stream.state().configuration.cutoff(now);
        let span = Span { from: self.next, records: limits::GET_RECORDS_RECORDS, bytes: EVENT_BYTES, cutoff };
        let read = self.shard.read_on_blocking_thread(span).await;
        let read = read.inspect_err(|error| tracing::error!("SubscribeToShard: {error}")).ok()?;
        let items = read.items();
        self.metrics.records(Direction::Out, &self.stream.name, items.len(), data_bytes(&items));
        self.next = read.next(&items);
        let (is_at_tip, is_end) = (read.is_at_tip(self.next), read.is_at_end(self.next));
        let sequence = self.shard.sequence;
        let last = items.last().map(|last| last.number(sequence));
        let before = || sequence.number(self.next.saturating_sub(1), now / 1000);
        let event = EventAnswer {
            continuation_sequence_number: (!is_end).then(|| last.unwrap_or_else(before)),
            millis_behind_latest: millis_behind(&items, is_at_tip, now),
            child_shards: if is_end { child_shards(&self.stream.state(), &self.shard.id) } else { Vec::new() },
        };
        let content_type = match self.encoding {
            Encoding::Json => "application/json",
            Encoding::Cbor => "application/x-amz-cbor-1.1",
        };
        let payload = records::body(self.encoding, &items, sequence, &event).ok()?;
        let frame = event_stream::message(EVENT.into_iter().chain([(":content-type", content_type)]), payload);
        Some(PushedEvent { frame, bytes: read_bytes(&items), is_at_tip, is_end })
    }
}
