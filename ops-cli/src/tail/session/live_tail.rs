//! The part of Live Tail in a run: events arrive between the polls, and polling finds those that a session misses.

use std::sync::Arc;

use super::Session;
use crate::error::Result;
use crate::progress::note;
use crate::tail::catalog;
use crate::tail::groups::GroupPattern;
use crate::tail::live::{Live, MOST_GROUPS, Update};

/// The Live Tail sessions of a run.
pub struct LiveTail {
    sessions: Sessions,
    /// Whether the last events were sampled.
    is_sampling: bool,
}

enum Sessions {
    /// Not asked for, or refused by the service: never begun again.
    Off,
    /// Asked for, but no group exists yet, or there are too many.
    None,
    /// Before the first session, or after one that broke off.
    Connecting(Live),
    Connected(Live),
}

impl LiveTail {
    pub fn new(is_wanted: bool) -> Self {
        Self { sessions: if is_wanted { Sessions::None } else { Sessions::Off }, is_sampling: false }
    }

    pub fn is_connected(&self) -> bool {
        matches!(self.sessions, Sessions::Connected(_))
    }

    /// The next update. Waits for ever if there are no sessions.
    pub async fn next(&mut self) -> Update {
        match &mut self.sessions {
            Sessions::Connecting(live) | Sessions::Connected(live) => live.next().await,
            Sessions::Off | Sessions::None => std::future::pending().await,
        }
    }

    fn connect(&mut self) {
        self.sessions = match std::mem::replace(&mut self.sessions, Sessions::None) {
            Sessions::Connecting(live) => Sessions::Connected(live),
            other => other,
        };
    }

    fn disconnect(&mut self) {
        self.sessions = match std::mem::replace(&mut self.sessions, Sessions::None) {
            Sessions::Connected(live) => Sessions::Connecting(live),
            other => other,
        };
    }
}

impl Session {
    /// Begins sessions on the groups that exist, in place of earlier sessions.
    pub(super) async fn begin_live(&mut self) -> Result<()> {
        if matches!(self.live.sessions, Sessions::Off) {
            return Ok(());
        }
        self.live.sessions = Sessions::None;
        if self.groups.len() > MOST_GROUPS {
            note(&format!(
                "a Live Tail session has at most {MOST_GROUPS} log groups, not {}; polling",
                self.groups.len()
            ));
            return Ok(());
        }
        let mut found = Vec::new();
        for group in &self.groups {
            let pattern = GroupPattern(group.name.to_string());
            found.extend(catalog::matching(&self.aws, &pattern).await?.into_iter().filter(|it| it.name == *group.name));
        }
        if !found.is_empty() {
            self.live.sessions = Sessions::Connecting(Live::begin(&self.aws, found, Arc::clone(&self.query)));
        }
        Ok(())
    }

    /// Takes an update of the Live Tail session. Returns whether the next round is due at once.
    pub(super) fn live_update(&mut self, update: Update) -> bool {
        match update {
            Update::Began => {
                self.live.connect();
                self.groups.iter_mut().for_each(|group| group.live = Default::default());
                true
            }
            Update::Events { events, is_sampled } => {
                if is_sampled && !self.live.is_sampling {
                    note("Live Tail samples: more than 500 events a second match; polling shows the others");
                }
                self.live.is_sampling = is_sampled;
                // A line that was polled before may also be another, identical one: only polling can tell.
                let mut has_repeated = false;
                let mut new = Vec::new();
                let end = self.options.query.end.unwrap_or(i64::MAX);
                for event in events.into_iter().filter(|event| event.timestamp <= end) {
                    let Some(group) = self.groups.iter_mut().find(|group| *group.name == *event.log_group) else {
                        continue;
                    };
                    if group.follower.is_new_in(&mut group.live, event.identified()) {
                        new.push(event);
                    } else {
                        has_repeated = true;
                    }
                }
                self.take(new);
                is_sampled || has_repeated
            }
            Update::Broke(cause) => {
                self.live.disconnect();
                note(&format!("the Live Tail session broke off: {cause}; polling until it is back"));
                true
            }
            Update::Refused(cause) => {
                note(&format!("Live Tail is refused: {cause}; polling instead"));
                self.live.sessions = Sessions::Off;
                true
            }
        }
    }
}
