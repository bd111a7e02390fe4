//! One run of `tail`: rounds over all log groups, and the events of a Live Tail session in between.

mod groups;
mod last_events;
mod live_tail;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::catalog;
use super::event::Event;
use super::follow::Follower;
use super::groups::GroupPattern;
use super::identity::IdentifyBy;
use super::reorder::Reorder;
use super::sink::Sink;
use super::sweep::{Budget, Query, Step, Sweep, SweepEnd};
use super::{invocation, pace};
use crate::aws::Aws;
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::progress::note;
use groups::{Group, Presence};
use live_tail::LiveTail;

/// How often log groups are listed again, for those that appeared.
const LISTED_EVERY: Duration = Duration::from_secs(5);
/// How often waiting events are looked at.
const RELEASED_EVERY: Duration = Duration::from_millis(50);
/// Polling beside a Live Tail session: for events that it sampled or that were late.
const POLLED_BESIDE_LIVE: Duration = Duration::from_secs(30);

/// How long a follower waits after --until for events of the last moment.
const END_GRACE_MS: i64 = 2000;

/// What a run reads and shows.
pub struct Options {
    pub groups: Vec<GroupPattern>,
    pub query: Query,
    /// Epoch milliseconds.
    pub since: i64,
    pub overlap_ms: i64,
    pub reorder_ms: i64,
    pub last: Option<usize>,
    pub request_id: Option<String>,
    pub follows: bool,
    pub is_live: bool,
}

pub struct Session {
    connection: Connection,
    aws: Aws,
    options: Options,
    query: Arc<Query>,
    budget: Budget,
    groups: Vec<Group>,
    listed: Option<Instant>,
    live: LiveTail,
    reorder: Reorder,
    sink: Sink,
    is_complete: bool,
    /// Whether the last events that `options.last` asks for were shown.
    has_shown_last: bool,
}

impl Session {
    pub fn new(connection: Connection, options: Options, sink: Sink) -> Self {
        Self {
            aws: connection.aws(),
            connection,
            query: Arc::new(options.query.clone()),
            budget: Budget::default(),
            groups: Vec::new(),
            listed: None,
            live: LiveTail::new(options.is_live),
            reorder: Reorder::new(options.reorder_ms),
            sink,
            is_complete: false,
            has_shown_last: false,
            options,
        }
    }

    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Shows what is there, and what comes if it is to be followed.
    pub async fn run(&mut self) -> Result<()> {
        let connection = self.connection.clone();
        connection.run(async |aws| self.show(aws).await).await?;
        let now = self.sink.elapsed();
        self.sink.progress.read_up_to(now, now);
        self.finish()
    }

    /// Shows events until the end of the run, or until the credentials have expired. Continues where it ended before.
    async fn show(&mut self, aws: Aws) -> Result<()> {
        self.aws = aws;
        for group in &mut self.groups {
            group.reader = groups::reader(&self.aws, &group.name, &self.query, &self.budget);
        }
        self.list_groups().await?;
        if let Some(request_id) = self.options.request_id.clone() {
            return self.show_invocation(&request_id).await;
        }
        self.begin_live().await?;
        if let Some(count) = self.options.last.filter(|_| !self.has_shown_last) {
            self.show_last(count).await?;
            self.has_shown_last = true;
        }
        while !self.is_complete {
            if self.options.last.is_some() && !self.options.follows {
                break;
            }
            let began = self.sink.elapsed();
            let is_quiet = self.round().await?;
            self.connection.answered();
            let now = self.sink.elapsed();
            if !self.options.follows || self.is_over() || self.sink.progress.read_up_to(began, now) {
                break;
            }
            let pause = match self.live.is_connected() {
                true => POLLED_BESIDE_LIVE,
                false => pace::pause(is_quiet, self.groups.len()),
            };
            // Only a poll tells that nothing came.
            self.wait(self.sink.progress.idle_left(now).map_or(pause, |left| pause.min(left))).await?;
        }
        Ok(())
    }

    /// Whether the end of the time range has passed, and a moment for what was written then.
    fn is_over(&self) -> bool {
        self.options.query.end.is_some_and(|end| now() > end + END_GRACE_MS)
    }

    /// Shows what waits for older events.
    pub fn finish(&mut self) -> Result<()> {
        while !self.is_complete
            && let Some(event) = self.reorder.release()
        {
            self.is_complete = self.sink.show(&event)?;
        }
        self.sink.flush()
    }

    /// Reads every group once. The group that is furthest behind is read next, so that events come out in order. Returns whether
    /// there were none.
    async fn round(&mut self) -> Result<bool> {
        self.list_groups().await?;
        self.sink.fit(self.groups.len());
        let now = now();
        let mut sweeps: Vec<Option<Sweep>> = self.groups.iter().map(|_| None).collect();
        let mut waiting: Vec<usize> = (0..self.groups.len()).rev().collect();
        let mut is_quiet = true;
        loop {
            // One sweep after the other, unless they have to be merged: a first sweep can have many pages.
            if let Some(&next) = waiting.last()
                && (sweeps.iter().all(Option::is_none) || self.groups[next].follower.is_at_its_first_sweep())
            {
                waiting.pop();
                let Group { reader, follower, .. } = &mut self.groups[next];
                sweeps[next] = Some(Sweep::begin(reader, follower, now));
                continue;
            }
            let Some((index, _)) = furthest_behind(&sweeps) else { break };
            let Some(sweep) = &mut sweeps[index] else { break };
            match sweep.next(&mut self.groups[index].follower).await? {
                Step::Page(events) => {
                    is_quiet &= events.is_empty();
                    self.take(events);
                }
                Step::Ended(swept) => {
                    sweeps[index] = None;
                    self.ended(index, swept).await?;
                }
            }
            let reached = furthest_behind(&sweeps).map_or(i64::MAX, |(_, reached)| reached);
            self.release(reached)?;
            if self.is_complete {
                break;
            }
        }
        Ok(is_quiet)
    }

    /// Takes note of whether a group exists.
    async fn ended(&mut self, index: usize, swept: SweepEnd) -> Result<()> {
        let group = &mut self.groups[index];
        if swept == SweepEnd::NoGroup && !self.options.follows {
            let error = catalog::missing(&self.aws, &group.name).await;
            let hint = error.hint.clone().unwrap_or_default();
            return Err(error.hint(format!("{hint}; --follow waits for it")));
        }
        let notice = group.presence.seen(swept, &group.name);
        if swept == SweepEnd::NoGroup {
            // A new group of the same name has nothing in common with it.
            group.follower = follower(&self.options, self.options.since);
        }
        if let Some(mut notice) = notice {
            if group.presence == Presence::Missing
                && let Some(similar) = catalog::suggestion(&self.aws, &group.name).await
            {
                notice = format!("{notice}; {similar}");
            }
            note(&notice);
        }
        Ok(())
    }

    fn take(&mut self, events: Vec<Event>) {
        let now = now();
        for event in events {
            if self.sink.selects(&event) {
                self.reorder.push(event, now);
            }
        }
    }

    /// Shows the events that need not wait any longer.
    fn release(&mut self, reached: i64) -> Result<()> {
        let now = now();
        while !self.is_complete
            && let Some(event) = self.reorder.pop(now, reached)
        {
            self.is_complete = self.sink.show(&event)?;
        }
        self.sink.flush()
    }

    /// Waits for the next round. Events of a Live Tail session are shown meanwhile.
    async fn wait(&mut self, pause: Duration) -> Result<()> {
        let ends = Instant::now() + pause;
        while !self.is_complete {
            let wakes = if self.reorder.is_empty() { ends } else { ends.min(Instant::now() + RELEASED_EVERY) };
            let update = tokio::time::timeout_at(wakes, self.live.next()).await;
            let polls_now = update.is_ok_and(|update| self.live_update(update));
            self.release(i64::MAX)?;
            if polls_now || Instant::now() >= ends {
                break;
            }
        }
        Ok(())
    }

    async fn show_invocation(&mut self, request_id: &str) -> Result<()> {
        self.sink.fit(self.groups.len());
        let since = self.options.since;
        let mut count = 0;
        for index in 0..self.groups.len() {
            let reader = self.groups[index].reader.clone();
            let show = |events: &[Event]| {
                self.take(events.to_vec());
                self.release(i64::MAX)
            };
            let (swept, shown) = invocation::read(&reader, request_id, since, show).await?;
            if swept == SweepEnd::NoGroup {
                return Err(catalog::missing(&self.aws, reader.log_group()).await);
            }
            count += shown;
        }
        if count == 0 {
            return Err(Error::failed(format!("no event names the request {request_id}"))
                .hint("look further back with --since, or in other log groups with --group"));
        }
        Ok(())
    }
}

fn follower(options: &Options, since: i64) -> Follower {
    let identify_by = if options.is_live { IdentifyBy::Content } else { IdentifyBy::EventId };
    Follower::new(since).with_overlap(options.overlap_ms).identifying_by(identify_by)
}

/// The sweep that has read the least, and up to when.
fn furthest_behind(sweeps: &[Option<Sweep>]) -> Option<(usize, i64)> {
    let reached = sweeps.iter().enumerate().filter_map(|(index, sweep)| Some((index, sweep.as_ref()?.reached())));
    reached.min_by_key(|(_, reached)| *reached)
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
