//! The streams of one group, by name and by the time of their last event.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::event_store::EventStore;

/// One log stream.
pub(super) struct Stream {
    /// Epoch milliseconds.
    pub(super) created: i64,
    pub(super) events: EventStore,
}

/// Orders streams by the timestamp of their last event, then by name. A stream without events comes first.
pub(super) type TimeKey = (Option<i64>, Arc<str>);

/// Streams in two orders, so that a page costs its own streams only. Every change of a stream's events goes through
/// [`StreamMap::update`], which keeps the second order.
#[derive(Default)]
pub(super) struct StreamMap {
    by_name: BTreeMap<Arc<str>, Stream>,
    by_time: BTreeSet<TimeKey>,
}

impl StreamMap {
    pub(super) fn get(&self, name: &str) -> Option<&Stream> {
        self.by_name.get(name)
    }

    /// The stream with the shared copy of its name.
    pub(super) fn get_entry(&self, name: &str) -> Option<(&Arc<str>, &Stream)> {
        self.by_name.get_key_value(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Stream)> {
        self.by_name.iter()
    }

    /// The streams between two names, from both ends.
    pub(super) fn range_by_name(
        &self,
        range: (Bound<&str>, Bound<&str>),
    ) -> impl DoubleEndedIterator<Item = (&Arc<str>, &Stream)> {
        self.by_name.range::<str, _>(range)
    }

    /// The keys of the streams between two keys, from both ends.
    pub(super) fn range_by_time(
        &self,
        range: (Bound<TimeKey>, Bound<TimeKey>),
    ) -> impl DoubleEndedIterator<Item = &TimeKey> {
        self.by_time.range(range)
    }

    pub(super) fn insert(&mut self, name: Arc<str>, stream: Stream) {
        self.by_time.insert(time_key(&name, &stream));
        self.by_name.insert(name, stream);
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Stream> {
        let (name, stream) = self.by_name.remove_entry(name)?;
        self.by_time.remove(&time_key(&name, &stream));
        Some(stream)
    }

    /// Changes the events of a stream. Returns `None` if the stream does not exist.
    pub(super) fn update<T>(&mut self, name: &str, change: impl FnOnce(&mut EventStore) -> T) -> Option<T> {
        let (name, _) = self.by_name.get_key_value(name)?;
        let name = Arc::clone(name);
        let stream = self.by_name.get_mut(&name)?;
        let before = last_event(stream);
        let result = change(&mut stream.events);
        let after = last_event(stream);
        if before != after {
            let mut key = (before, name);
            self.by_time.remove(&key);
            key.0 = after;
            self.by_time.insert(key);
        }
        Some(result)
    }

    /// Changes the events of every stream, up to the first error.
    pub(super) fn try_update_all<E>(
        &mut self,
        mut change: impl FnMut(&mut EventStore) -> Result<(), E>,
    ) -> Result<(), E> {
        let names: Vec<Arc<str>> = self.by_name.keys().cloned().collect();
        names.iter().try_for_each(|name| self.update(name, &mut change).unwrap_or(Ok(())))
    }
}

fn last_event(stream: &Stream) -> Option<i64> {
    stream.events.totals().span.map(|(_, last)| last.timestamp)
}

fn time_key(name: &Arc<str>, stream: &Stream) -> TimeKey {
    (last_event(stream), Arc::clone(name))
}
