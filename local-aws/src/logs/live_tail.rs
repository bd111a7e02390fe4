//! StartLiveTail: streams the events that arrive in some groups, once per second, while the client listens.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, interval_at, sleep_until};
use uuid::Uuid;

use crate::error::AwsError;
use crate::event_stream;
use crate::store::Store;

use super::Logs;
use super::event::StoredEvent;
use super::filter_pattern::FilterPattern;
use super::validation::invalid_parameter;

/// The most events of an update. The rules of sessions are from
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html>
const MAX_UPDATE_EVENTS: usize = 500;
/// The most updates that wait for a slow client. The oldest are dropped.
const MAX_WAITING_UPDATES: usize = 10;
const UPDATE_INTERVAL: Duration = Duration::from_secs(1);
const SESSION_DURATION: Duration = Duration::from_hours(3);
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const MAX_SESSIONS: usize = 15;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StartLiveTail {
    log_group_identifiers: Vec<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefixes: Option<Vec<String>>,
    log_event_filter_pattern: Option<String>,
}

/// The session of one client.
pub(super) struct Session {
    /// Names of groups, with their identifiers in events.
    groups: BTreeMap<String, String>,
    streams: FollowedStreams,
    pattern: FilterPattern,
    sample: Mutex<Sample>,
}

enum FollowedStreams {
    All,
    Named(Vec<String>),
    Prefixed(Vec<String>),
}

/// The events since the last update: all of them, or a random sample if there are too many for an update.
#[derive(Default)]
struct Sample {
    matched: usize,
    /// The sampled events, with their numbers among those that matched.
    events: Vec<(usize, LiveEvent)>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct LiveEvent {
    log_stream_name: String,
    log_group_identifier: String,
    message: String,
    /// Epoch milliseconds, like `ingestion_time`.
    timestamp: i64,
    ingestion_time: i64,
}

impl Logs {
    /// Starts a session. Returns the frames of its event stream. The session ends when the receiver is dropped.
    ///
    /// # Errors
    /// StartLiveTail's modelled errors.
    pub fn start_live_tail(&self, body: &[u8]) -> Result<mpsc::Receiver<Bytes>, AwsError> {
        let input: StartLiveTail = super::read_input("StartLiveTail", body)?;
        let start = json!({
            "requestId": Uuid::new_v4().to_string(),
            "sessionId": Uuid::new_v4().to_string(),
            "logGroupIdentifiers": input.log_group_identifiers,
            "logStreamNames": input.log_stream_names.as_deref().unwrap_or_default(),
            "logStreamNamePrefixes": input.log_stream_name_prefixes.as_deref().unwrap_or_default(),
            "logEventFilterPattern": input.log_event_filter_pattern.as_deref().unwrap_or_default(),
        });
        let session = Arc::new(self.session(input)?);
        let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|session| session.strong_count() > 0);
        if sessions.len() == MAX_SESSIONS {
            // Unverified: AWS's message is not recorded.
            let text = format!("There are {MAX_SESSIONS} Live Tail sessions already.");
            return Err(AwsError::bad_request("LimitExceededException", text));
        }
        sessions.push(Arc::downgrade(&session));
        let (frames, received) = mpsc::channel(1);
        tokio::spawn(session.run(start, self.shared.store.clone(), frames));
        Ok(received)
    }

    fn session(&self, input: StartLiveTail) -> Result<Session, AwsError> {
        let identifiers = input.log_group_identifiers;
        let pattern = input.log_event_filter_pattern.unwrap_or_default();
        let streams = match (input.log_stream_names, input.log_stream_name_prefixes) {
            // Unverified, like the next one: AWS's message is not recorded.
            (Some(_), Some(_)) => {
                return Err(invalid_parameter("logStreamNames and logStreamNamePrefixes are mutually exclusive."));
            }
            (Some(names), None) => FollowedStreams::Named(names),
            (None, Some(prefixes)) => FollowedStreams::Prefixed(prefixes),
            (None, None) => FollowedStreams::All,
        };
        if identifiers.len() > 1 && !matches!(streams, FollowedStreams::All) {
            return Err(invalid_parameter("Log streams can be named only with a single log group."));
        }
        let groups = identifiers.iter().map(|identifier| self.tailed_group(identifier));
        let pattern = FilterPattern::parse(&pattern).map_err(|error| invalid_parameter(error.to_string()))?;
        Ok(Session { groups: groups.collect::<Result<_, _>>()?, streams, pattern, sample: Mutex::default() })
    }

    /// The name of a group that can be followed, and its identifier in events.
    fn tailed_group(&self, identifier: &str) -> Result<(String, String), AwsError> {
        if !identifier.starts_with("arn:") || identifier.ends_with('*') {
            // Unverified: AWS's message is not recorded.
            let text = format!("'{identifier}' is not the ARN of a log group, which does not end with an asterisk.");
            return Err(invalid_parameter(text));
        }
        let name = self.group_of_arn(identifier)?;
        self.read().group(&name)?.must_be_standard("StartLiveTail", &name)?;
        let identifier_in_events = format!("{}:{name}", self.shared.account_id);
        Ok((name, identifier_in_events))
    }

    /// Passes new events to the sessions that follow them.
    pub(super) fn publish(&self, group: &str, stream: &str, events: &[StoredEvent]) {
        // Patterns are matched without the lock, because every write takes it.
        let following: Vec<Arc<Session>> = {
            let mut sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.retain(|session| session.strong_count() > 0);
            sessions.iter().filter_map(std::sync::Weak::upgrade).collect()
        };
        for session in following {
            session.receive(group, stream, events);
        }
    }
}

impl Session {
    fn receive(&self, group: &str, stream: &str, events: &[StoredEvent]) {
        let Some(identifier) = self.groups.get(group) else { return };
        let is_followed = match &self.streams {
            FollowedStreams::All => true,
            FollowedStreams::Named(names) => names.iter().any(|name| name == stream),
            FollowedStreams::Prefixed(prefixes) => prefixes.iter().any(|prefix| stream.starts_with(prefix)),
        };
        for event in events.iter().filter(|event| is_followed && self.pattern.matches(&event.message)) {
            let live = || LiveEvent {
                log_stream_name: stream.to_owned(),
                log_group_identifier: identifier.clone(),
                message: event.message.to_string(),
                timestamp: event.position.timestamp,
                ingestion_time: event.ingested,
            };
            self.sample().add(live, |end| fastrand::usize(..end));
        }
    }

    /// Sends updates until the receiver is dropped or the session expires.
    async fn run(self: Arc<Self>, start: Value, store: Store, frames: mpsc::Sender<Bytes>) {
        for frame in [event_stream::initial_response(), event_stream::event("sessionStart", &start)] {
            if frames.send(frame).await.is_err() {
                return;
            }
        }
        let started = Instant::now();
        let mut ticks = interval_at(started + UPDATE_INTERVAL, UPDATE_INTERVAL);
        let mut waiting: VecDeque<Bytes> = VecDeque::new();
        let error = loop {
            tokio::select! {
                permit = frames.reserve(), if !waiting.is_empty() => {
                    let (Ok(permit), Some(update)) = (permit, waiting.pop_front()) else { return };
                    permit.send(update);
                }
                _ = ticks.tick() => {
                    let update = self.sample().take();
                    // A kill of this process does not lose events that were sent, unless the store has failed.
                    store.flushed().await.ok();
                    waiting.push_back(event_stream::event("sessionUpdate", &update));
                    if waiting.len() > MAX_WAITING_UPDATES {
                        waiting.pop_front();
                    }
                }
                () = sleep_until(started + SESSION_DURATION) => {
                    break event_stream::exception("SessionTimeoutException", "The session has lasted for three hours.");
                }
                () = frames.closed() => return,
            }
        };
        frames.send(error).await.ok();
    }

    fn sample(&self) -> MutexGuard<'_, Sample> {
        self.sample.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sample {
    /// Adds an event. Every event of the update is in the sample with the same probability. `random` returns a number below its
    /// argument.
    fn add(&mut self, event: impl FnOnce() -> LiveEvent, random: impl FnOnce(usize) -> usize) {
        let number = self.matched;
        self.matched += 1;
        if self.events.len() < MAX_UPDATE_EVENTS {
            self.events.push((number, event()));
            return;
        }
        let index = random(self.matched);
        if let Some(sampled) = self.events.get_mut(index) {
            *sampled = (number, event());
        }
    }

    /// Returns the update, in the order of arrival, and starts the next sample.
    fn take(&mut self) -> Value {
        let Self { matched, mut events } = std::mem::take(self);
        events.sort_by_key(|(number, _)| *number);
        let events: Vec<LiveEvent> = events.into_iter().map(|(_, event)| event).collect();
        json!({ "sessionMetadata": { "sampled": matched > events.len() }, "sessionResults": events })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(number: usize) -> LiveEvent {
        LiveEvent {
            log_stream_name: String::new(),
            log_group_identifier: String::new(),
            message: number.to_string(),
            timestamp: 0,
            ingestion_time: 0,
        }
    }

    #[test]
    fn an_update_with_too_many_events_is_sampled_in_order() {
        let mut sample = Sample::default();
        let mut random = fastrand::Rng::with_seed(7);
        for (matched, sampled) in [(500, false), (5000, true), (0, false)] {
            (0..matched).for_each(|number| sample.add(|| live(number), |end| random.usize(..end)));
            let update = sample.take();
            assert_eq!(update["sessionMetadata"]["sampled"], sampled);
            let results = update["sessionResults"].as_array().unwrap();
            let numbers = results.iter().map(|event| event["message"].as_str().unwrap().parse::<usize>().unwrap());
            let numbers: Vec<usize> = numbers.collect();
            assert_eq!(numbers.len(), matched.min(500));
            assert!(numbers.is_sorted_by(|a, b| a < b));
            // The sample covers the whole interval, not only its beginning or end.
            let late = numbers.iter().filter(|number| **number >= matched / 2).count();
            assert!(late >= numbers.len() * 2 / 5 && late <= numbers.len() * 3 / 5, "{late}");
        }
    }
}
