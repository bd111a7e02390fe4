//! PutLogEvents and its rules.

use kinesis_event_logger_core::limits;
use serde::{Deserialize, Serialize};

use crate::error::AwsError;
use crate::store::StoreError;

use super::Logs;
use super::event::InputEvent;
use super::event_store::EventStore;
use super::state::{Group, no_such_stream};
use super::validation::{Checks, invalid_parameter};

/// `sequenceToken` and `entity` are accepted and ignored. AWS ignores the token since 2023, and only consoles use the entity.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLogEvents {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    log_events: Option<Vec<LogEvent>>,
}

#[derive(Deserialize)]
struct LogEvent {
    timestamp: Option<i64>,
    message: Option<String>,
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
        let mut checks = Checks::default();
        let group_name = checks.required_group_name(input.log_group_name);
        let stream_name = checks.required_stream_name(input.log_stream_name);
        let events = check_events(&mut checks, input.log_events);
        checks.finish()?;

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

fn check_events(checks: &mut Checks, events: Option<Vec<LogEvent>>) -> Vec<InputEvent> {
    let events = match events {
        Some(events) => {
            checks.count("logEvents", events.len(), 1, limits::PUT_LOG_EVENTS_EVENTS);
            events
        }
        None => checks.required("logEvents", None),
    };
    let checked = events.into_iter().zip(1..).map(|(event, number)| {
        let member = |name: &str| format!("logEvents.{number}.member.{name}");
        checks.not_negative(&member("timestamp"), event.timestamp);
        if event.message.as_deref() == Some("") {
            checks.length(&member("message"), "", 1, usize::MAX);
        }
        InputEvent {
            timestamp: checks.required(&member("timestamp"), event.timestamp),
            message: checks.required(&member("message"), event.message),
        }
    });
    checked.collect()
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
