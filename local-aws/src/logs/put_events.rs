//! PutLogEvents and its rules.

use std::collections::BTreeMap;

use kinesis_event_logger_core::limits;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::store::StoreError;
use crate::validation::LOGS;

use super::Logs;
use super::event::InputEvent;
use super::event_store::EventStore;
use super::state::{Group, no_such_stream};
use super::validation::{check_name_length, invalid_parameter};

/// `sequenceToken` and `entity` are validated and ignored. AWS ignores the token since 2023, and only consoles use the entity.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLogEvents {
    log_group_name: String,
    log_stream_name: String,
    log_events: Vec<InputEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Entity>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_attributes: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLogEventsOutput {
    next_sequence_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_events_info: Option<RejectedLogEventsInfo>,
}

/// The events of a batch that were not stored. "End" indexes are exclusive.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct RejectedLogEventsInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    too_new_log_event_start_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    too_old_log_event_end_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_log_event_end_index: Option<usize>,
}

impl Logs {
    pub(super) fn put_log_events(&self, input: PutLogEvents) -> Result<PutLogEventsOutput, AwsError> {
        input.check()?;
        let PutLogEvents { log_group_name: group_name, log_stream_name: stream_name, log_events: events, .. } = input;

        let now = self.now();
        let mut state = self.write();
        let group = state.group(&group_name)?;
        group.stream(&stream_name)?;
        check_batch(&events)?;
        let (accepted, rejected) = accept(events, group, now);

        self.count(&group_name, &accepted);
        let sequence = state.reserve_sequences(accepted.len());
        let mut batch = self.batch();
        let group = state.group_mut(&group_name)?;
        let oldest = group.oldest_retained(now);
        let append = |events: &mut EventStore| {
            events.expire(oldest, &mut batch)?;
            Ok::<_, StoreError>(events.append(accepted, sequence, now, &mut batch))
        };
        let events = group.streams.update(&stream_name, append).ok_or_else(no_such_stream)??;
        batch.commit();
        drop(state);
        self.publish(&group_name, &stream_name, &events);
        self.shared.budget.evict_excess();
        Ok(PutLogEventsOutput {
            next_sequence_token: upload_sequence_token(now),
            rejected_log_events_info: (rejected != RejectedLogEventsInfo::default()).then_some(rejected),
        })
    }
}

/// The sequence token that AWS still returns, although no operation requires one.
pub(super) fn upload_sequence_token(last_ingestion: i64) -> String {
    format!("49{last_ingestion:054}")
}

impl PutLogEvents {
    /// Checks the model's constraints, which are not checked when a request is read into this type at once.
    fn check(&self) -> Result<(), AwsError> {
        // Without `..`, so that no member is forgotten.
        let Self { log_group_name, log_stream_name, log_events, sequence_token, entity } = self;
        let has_events = (1..=limits::PUT_LOG_EVENTS_EVENTS).contains(&log_events.len())
            && log_events.iter().all(|event| event.timestamp >= 0 && !event.message.is_empty());
        let is_valid = |shape, value: Value| LOGS.check(shape, "", &value).is_ok();
        if has_events
            && is_valid("LogGroupName", json!(log_group_name))
            && is_valid("LogStreamName", json!(log_stream_name))
            && sequence_token.as_ref().is_none_or(|token| is_valid("SequenceToken", json!(token)))
            && entity.as_ref().is_none_or(|entity| is_valid("Entity", json!(entity)))
        {
            return Ok(());
        }
        check_name_length(log_group_name)?;
        check_name_length(log_stream_name)?;
        if log_events.len() > limits::PUT_LOG_EVENTS_EVENTS {
            // Not with every event, which would be a message of 600 KB.
            let (value, max) = (format!("'[{} members]'", log_events.len()), limits::PUT_LOG_EVENTS_EVENTS);
            let constraint = format!("have length less than or equal to {max}");
            return Err(LOGS.violation(&value, "logEvents", &constraint));
        }
        LOGS.check("PutLogEventsRequest", "", &json!(self))
    }
}

/// Checks the rules for the batch as a whole.
fn check_batch(events: &[InputEvent]) -> Result<(), AwsError> {
    let bytes: usize = events.iter().map(|event| event.message.len() + limits::PUT_LOG_EVENTS_OVERHEAD_BYTES).sum();
    if bytes > limits::PUT_LOG_EVENTS_BYTES {
        return Err(invalid_parameter(format!(
            "Upload too large: {bytes} bytes exceeds limit of {}",
            limits::PUT_LOG_EVENTS_BYTES
        )));
    }
    if !events.is_sorted_by_key(|event| event.timestamp) {
        let text = "Log events in a single PutLogEvents request must be in chronological order.";
        return Err(invalid_parameter(text));
    }
    let span = events.first().zip(events.last()).map_or(0, |(first, last)| last.timestamp - first.timestamp);
    if span > limits::PUT_LOG_EVENTS_SPAN_MS {
        let text = "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.";
        return Err(invalid_parameter(text));
    }
    Ok(())
}

/// Divides a chronological batch into the events to store and the report on those that are too old or too new.
fn accept(mut events: Vec<InputEvent>, group: &Group, now: i64) -> (Vec<InputEvent>, RejectedLogEventsInfo) {
    let older_than = |time: i64| events.partition_point(|event| event.timestamp < time);
    let (too_old, expired) = (older_than(now - limits::PUT_LOG_EVENTS_AGE_MS), older_than(group.oldest_retained(now)));
    let too_new = older_than(now.saturating_add(limits::PUT_LOG_EVENTS_AHEAD_MS + 1));
    let rejected = RejectedLogEventsInfo {
        too_new_log_event_start_index: Some(too_new).filter(|&start| start < events.len()),
        too_old_log_event_end_index: Some(too_old).filter(|&end| end > 0),
        expired_log_event_end_index: Some(expired).filter(|&end| end > 0),
    };
    events.truncate(too_new);
    events.drain(..too_old.max(expired).min(too_new));
    (events, rejected)
}
