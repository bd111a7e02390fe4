//! `tail -n`: the last events of all groups at once.

use super::{Session, follower, now};
use crate::error::{Result, is_missing};
use crate::tail::event::Event;
use crate::tail::last::Last;
use crate::tail::sweep::SweepEnd;

impl Session {
    /// Shows the last events of all groups, and lets the followers begin after them.
    pub(super) async fn show_last(&mut self, count: usize) -> Result<()> {
        let mut found: Vec<Event> = Vec::new();
        for index in 0..self.groups.len() {
            let reader = self.groups[index].reader.clone();
            let sink = &self.sink;
            let mut selects = |event: &Event| sink.matches(event);
            let whole_milliseconds = self.options.follows;
            let mut last =
                Last { count, since: self.options.since, now: now(), selects: &mut selects, whole_milliseconds };
            match last.read(&reader).await {
                Ok(events) => found.extend(events),
                Err(error) if is_missing(&error) => self.ended(index, SweepEnd::NoGroup).await?,
                Err(error) => return Err(reader.failed(error)),
            }
        }
        found.sort_by_key(|event| event.timestamp);
        let surplus = found.len().saturating_sub(count);
        let first = match found.get(surplus) {
            _ if found.len() < count => self.options.since,
            Some(first) => first.timestamp,
            None => now(),
        };
        // What is older was not asked for, unless it is received from now on.
        let since = (first - self.options.overlap_ms).max(self.options.since);
        let ingested = found.iter().map(|event| event.ingestion_time).max().unwrap_or_default();
        for group in &mut self.groups {
            group.follower = follower(&self.options, since).without_old(first, ingested).resuming_at(now());
            // Also those that were not asked for, but have the first one's time.
            for event in found.iter().filter(|event| *event.log_group == *group.name) {
                group.follower.is_new(event.identified());
            }
        }
        self.sink.fit(self.groups.len());
        for event in found.split_off(surplus) {
            if self.is_complete {
                break;
            }
            self.sink.count(&event);
            self.is_complete = self.sink.show(&event)?;
        }
        self.sink.flush()
    }
}
