//! Reads all shards of a stream at once, and hands out their pages: the pages of a shard in order, and all of a parent's before
//! those of its children.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::get_records::Reserved;
use super::page::Page;
use super::position::From;
use super::reader::{Event, Report, Reports, ShardReader, Shared};
use super::shards::{ListedShard, Shards};
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::stream;

/// The pages that wait to be shown. Their bytes are limited by the budget.
const WAITING_PAGES: usize = 64;

pub struct Engine {
    shared: Arc<Shared>,
    shards: Shards,
    sender: Reports,
    receiver: mpsc::Receiver<Result<Report>>,
    readers: JoinSet<()>,
    /// The time up to which each shard that was read to its tip was read.
    read_up_to: BTreeMap<Arc<str>, Instant>,
}

/// The next thing to do for the owner of an engine.
pub enum Step {
    Page {
        shard: Arc<str>,
        page: Page,
        reserved: Reserved,
    },
    /// A shard is read no further.
    Done {
        shard: Arc<str>,
    },
    /// All shards are read.
    End,
}

impl Engine {
    pub fn new(shared: Arc<Shared>, listed: &[ListedShard], from: &From, only: &[Arc<str>]) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_PAGES);
        let shards = Shards::new(listed, from, only);
        Self { shared, shards, sender, receiver, readers: JoinSet::new(), read_up_to: BTreeMap::new() }
    }

    /// The shards that are known so far.
    pub fn listed(&self) -> Vec<ListedShard> {
        self.shards.listed()
    }

    /// Whether nothing waits to be shown: every shard is at its tip, or its next page is on its way.
    pub fn is_idle(&self) -> bool {
        self.receiver.is_empty()
    }

    /// The time up to which everything was handed out; `None` if a shard was not read to its tip yet.
    pub fn read_up_to(&self) -> Option<Instant> {
        let times = self.shards.reading().map(|shard| self.read_up_to.get(shard).copied());
        times.min().flatten()
    }

    /// Returns the next page, or the end of a shard or of all.
    pub async fn next(&mut self) -> Result<Step> {
        for shard in self.shards.take_ready() {
            let reader = ShardReader { shared: Arc::clone(&self.shared), shard, reports: self.sender.clone() };
            self.readers.spawn(reader.run());
        }
        if self.shards.reading().next().is_none() {
            return Ok(Step::End);
        }
        let report = self.receiver.recv().await.ok_or_else(|| Error::failed("the readers of the shards ended"))??;
        let Report { shard, event } = report;
        match event {
            Event::Page { page, reserved, sent } => {
                if page.millis_behind == 0 {
                    self.read_up_to.insert(Arc::clone(&shard), sent);
                }
                return Ok(Step::Page { shard, page, reserved });
            }
            Event::ReachedTip => self.shards.reached_tip(&shard),
            Event::Ended(children) => {
                self.shards.add(&children);
                self.relist().await?;
                self.shards.ended(&shard);
            }
            Event::Missing => {
                self.relist().await?;
                note(&format!("the shard {shard} has expired: its records are older than the stream's retention"));
                self.shards.ended(&shard);
            }
        }
        Ok(Step::Done { shard })
    }

    /// Finds shards that came to exist, also those that an answer does not name.
    async fn relist(&mut self) -> Result<()> {
        let Shared { connection, stream, .. } = &*self.shared;
        let listed = connection.run(async |aws| list(&aws, stream).await).await?;
        self.shards.add(&listed);
        Ok(())
    }
}

/// Lists the shards of a stream.
pub async fn list(aws: &Aws, stream: &str) -> Result<Vec<ListedShard>> {
    let client = aws.kinesis();
    let mut request = client.list_shards().stream_name(stream);
    let mut listed = Vec::new();
    loop {
        let page = aws.find("list the stream's shards", || request.clone().send()).await?;
        let Some(page) = page else { return Err(stream::not_found(aws, stream).await) };
        listed.extend(page.shards.unwrap_or_default().iter().map(listed_shard));
        match page.next_token {
            // A request with a token must not name the stream.
            Some(token) => request = client.list_shards().next_token(token),
            None => return Ok(listed),
        }
    }
}

fn listed_shard(shard: &aws_sdk_kinesis::types::Shard) -> ListedShard {
    let parents = [&shard.parent_shard_id, &shard.adjacent_parent_shard_id];
    let range = shard.sequence_number_range.as_ref();
    ListedShard {
        id: shard.shard_id.as_str().into(),
        parents: parents.into_iter().flatten().map(|parent| parent.as_str().into()).collect(),
        is_closed: range.is_some_and(|range| range.ending_sequence_number.is_some()),
    }
}
