//! Stores groups and streams, and evicts their oldest events from memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use serde::{Deserialize, Serialize};

use crate::error::AwsError;
use crate::store::{Batch, Keyspace, MemoryOwner, StoreError};

use super::event_store::{EventStore, Totals};
use super::state::{Group, State};
use super::stream_map::Stream;
use super::{Logs, Shared};

/// A stream's entry in the store, under its group's name and its own. Its totals have an entry of their own, because they change
/// with every event.
#[derive(Serialize, Deserialize)]
struct StoredStream {
    id: u64,
    created: i64,
}

/// Evicts the oldest events of one stream.
struct StreamEvictor {
    logs: Weak<Shared>,
    group: String,
    stream: Arc<str>,
    id: u64,
}

impl MemoryOwner for StreamEvictor {
    fn evict(&self, bytes: usize) -> usize {
        let Some(logs) = self.logs.upgrade() else { return 0 };
        let mut state = logs.state.write().unwrap_or_else(PoisonError::into_inner);
        let Some(group) = state.groups.get_mut(&self.group) else { return 0 };
        // A later stream of the same name has another ID.
        let evict = |events: &mut EventStore| if events.id() == self.id { events.evict(bytes) } else { 0 };
        group.streams.update(&self.stream, evict).unwrap_or(0)
    }
}

impl Logs {
    /// Restores the groups and streams from the store. Their events are read when a request needs them.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let id_of = |key: &[u8]| key.try_into().map_or(0, u64::from_be_bytes);
        let totals = store.all::<Totals>(Keyspace::LogTotals)?.into_iter().map(|(id, totals)| (id_of(&id), totals));
        let totals: HashMap<u64, Totals> = totals.collect();
        let mut state = self.write();
        for (name, group) in store.all::<Group>(Keyspace::LogGroups)? {
            state.groups.insert(String::from_utf8_lossy(&name).into_owned(), group);
        }
        for (key, StoredStream { id, created }) in store.all::<StoredStream>(Keyspace::LogStreams)? {
            let key = String::from_utf8_lossy(&key).into_owned();
            let Some((group, name)) = key.split_once('\0') else { continue };
            let totals = totals.get(&id).copied().unwrap_or_default();
            let events = self.event_store(id, group, name.into(), totals);
            state.next_stream = state.next_stream.max(id + 1);
            state.next_sequence = state.next_sequence.max(totals.next_sequence);
            if let Some(group) = state.groups.get_mut(group) {
                group.streams.insert(name.into(), Stream { created, events });
            }
        }
        Ok(())
    }

    /// Changes a group's own members. A change that fails must leave the group as it was.
    pub(super) fn change_group(
        &self,
        name: &str,
        change: impl FnOnce(&mut Group) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut state = self.write();
        let group = state.group_mut(name)?;
        change(group)?;
        let mut batch = self.batch();
        store_group(name, group, &mut batch);
        batch.commit();
        Ok(())
    }

    /// The group of this name. Creates it if it does not exist.
    pub(super) fn group_or_new<'a>(&self, state: &'a mut State, name: &str, batch: &mut Batch) -> &'a mut Group {
        state.groups.entry(name.to_owned()).or_insert_with(|| {
            let group = Group::new(self.now());
            store_group(name, &group, batch);
            group
        })
    }

    /// Creates the stream and its group unless they exist. Returns the group.
    pub(super) fn group_with_stream<'a>(
        &self,
        state: &'a mut State,
        group_name: &str,
        name: &str,
        batch: &mut Batch,
    ) -> &'a mut Group {
        let next_stream = state.next_stream;
        let group = self.group_or_new(state, group_name, batch);
        if group.streams.get(name).is_none() {
            let created = self.now();
            batch.put_json(
                Keyspace::LogStreams,
                stream_key(group_name, name),
                &StoredStream { id: next_stream, created },
            );
            let events = self.event_store(next_stream, group_name, name.into(), Totals::default());
            group.streams.insert(name.into(), Stream { created, events });
            state.next_stream += 1;
        }
        state.groups.get_mut(group_name).expect("it was created above, under the same lock")
    }

    fn event_store(&self, id: u64, group: &str, stream: Arc<str>, totals: Totals) -> EventStore {
        let logs = Arc::downgrade(&self.shared);
        let holder: Arc<dyn MemoryOwner> = Arc::new(StreamEvictor { logs, group: group.to_owned(), stream, id });
        let memory = self.shared.budget.share(Arc::downgrade(&holder));
        EventStore::open(id, self.shared.store.clone(), totals, memory, holder)
    }
}

/// Stores the group as it is now.
pub(super) fn store_group(name: &str, group: &Group, batch: &mut Batch) {
    batch.put_json(Keyspace::LogGroups, name, group);
}

/// Removes a stream from the store.
pub(super) fn remove_stream(group: &str, name: &str, stream: &Stream, batch: &mut Batch) {
    batch.remove(Keyspace::LogStreams, stream_key(group, name));
    stream.events.remove(batch);
}

/// Removes a group from the store, with its streams.
pub(super) fn remove_group(name: &str, group: &Group, batch: &mut Batch) {
    batch.remove(Keyspace::LogGroups, name);
    group.streams.iter().for_each(|(stream_name, stream)| remove_stream(name, stream_name, stream, batch));
}

/// The key of a stream. A group's name cannot contain NUL, and a stream's name is the last part.
fn stream_key(group: &str, stream: &str) -> String {
    format!("{group}\0{stream}")
}
