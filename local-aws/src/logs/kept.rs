//! Groups and streams in the store, and the bytes of their events in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, Weak};

use serde::{Deserialize, Serialize};

use crate::error::AwsError;
use crate::store::{Batch, Holder, Keyspace, StoreError};

use super::event_store::{EventStore, Totals};
use super::state::{Group, State, Stream};
use super::{Logs, Shared};

/// A stream as the store has it, under its group's name and its own. Its totals are apart, as they change with each event.
#[derive(Serialize, Deserialize)]
struct KeptStream {
    id: u64,
    created: i64,
}

/// A stream's events, as something whose oldest can leave memory.
struct StreamHolder {
    logs: Weak<Shared>,
    group: String,
    stream: Arc<str>,
    id: u64,
}

impl Holder for StreamHolder {
    fn let_go(&self, bytes: usize) -> usize {
        let Some(logs) = self.logs.upgrade() else { return 0 };
        let mut state = logs.state.write().unwrap_or_else(PoisonError::into_inner);
        let stream = state.groups.get_mut(&self.group).and_then(|group| group.streams.get_mut(&self.stream));
        // A stream made again under the name is another one.
        stream.filter(|stream| stream.events.id() == self.id).map_or(0, |stream| stream.events.let_go(bytes))
    }
}

impl Logs {
    /// Reads the groups and streams that the store keeps; their events stay there until they are asked for.
    pub(super) fn recover(&self) -> Result<(), StoreError> {
        let store = &self.shared.store;
        let id_of = |key: &[u8]| key.try_into().map_or(0, u64::from_be_bytes);
        let totals = store.all::<Totals>(Keyspace::LogTotals)?.into_iter().map(|(id, totals)| (id_of(&id), totals));
        let totals: HashMap<u64, Totals> = totals.collect();
        let mut state = self.write();
        for (name, group) in store.all::<Group>(Keyspace::LogGroups)? {
            state.groups.insert(String::from_utf8_lossy(&name).into_owned(), group);
        }
        for (key, KeptStream { id, created }) in store.all::<KeptStream>(Keyspace::LogStreams)? {
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

    /// Changes what is known of a group besides its streams. A change that fails must leave it as it was.
    pub(super) fn change_group(
        &self,
        name: &str,
        change: impl FnOnce(&mut Group) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        let mut state = self.write();
        let group = state.group_mut(name)?;
        change(group)?;
        let mut batch = self.batch();
        keep_group(name, group, &mut batch);
        batch.commit();
        Ok(())
    }

    /// The group of this name, made now if there is none.
    pub(super) fn group_or_new<'a>(&self, state: &'a mut State, name: &str, batch: &mut Batch) -> &'a mut Group {
        state.groups.entry(name.to_owned()).or_insert_with(|| {
            let group = Group::new(self.now());
            keep_group(name, &group, batch);
            group
        })
    }

    /// Makes the stream, with its group, unless they exist.
    pub(super) fn stream_or_new<'a>(
        &self,
        state: &'a mut State,
        group_name: &str,
        name: &str,
        batch: &mut Batch,
    ) -> &'a mut Stream {
        let next_stream = state.next_stream;
        let group = self.group_or_new(state, group_name, batch);
        if !group.streams.contains_key(name) {
            let created = self.now();
            batch.put_json(
                Keyspace::LogStreams,
                stream_key(group_name, name),
                &KeptStream { id: next_stream, created },
            );
            let events = self.event_store(next_stream, group_name, name.into(), Totals::default());
            group.streams.insert(name.into(), Stream { created, events });
            state.next_stream += 1;
        }
        let group = state.groups.get_mut(group_name).expect("made above, under the same lock");
        group.streams.get_mut(name).expect("made above, under the same lock")
    }

    fn event_store(&self, id: u64, group: &str, stream: Arc<str>, totals: Totals) -> EventStore {
        let logs = Arc::downgrade(&self.shared);
        let holder: Arc<dyn Holder> = Arc::new(StreamHolder { logs, group: group.to_owned(), stream, id });
        let memory = self.shared.budget.share(Arc::downgrade(&holder));
        EventStore::open(id, self.shared.store.clone(), totals, memory, holder)
    }
}

/// Has the store keep the group as it is now.
pub(super) fn keep_group(name: &str, group: &Group, batch: &mut Batch) {
    batch.put_json(Keyspace::LogGroups, name, group);
}

/// Removes a stream from the store.
pub(super) fn forget_stream(group: &str, name: &str, stream: &Stream, batch: &mut Batch) {
    batch.remove(Keyspace::LogStreams, stream_key(group, name));
    stream.events.remove(batch);
}

/// Removes a group from the store, with its streams.
pub(super) fn forget_group(name: &str, group: &Group, batch: &mut Batch) {
    batch.remove(Keyspace::LogGroups, name);
    group.streams.iter().for_each(|(stream_name, stream)| forget_stream(name, stream_name, stream, batch));
}

/// Neither name has a NUL in it: groups by their pattern; a stream's is the last, so that it may have.
fn stream_key(group: &str, stream: &str) -> String {
    format!("{group}\0{stream}")
}
