//! Requests → the stream: what fails is sent again, alone, until it is acknowledged or the time is up.

use std::io::{self, Write};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use serde::Serialize;
use tokio::time::Instant;

use super::source::Record;
use crate::error::{Error, Result};
use crate::output::Render;

/// How long one request's records are retried.
const DEADLINE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Where a record was put.
#[derive(Debug, Clone, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    pub shard_id: String,
    pub sequence_number: String,
}

impl Render for Receipt {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{} {}", self.shard_id, self.sequence_number)
    }
}

/// Sends requests to one stream.
pub struct Sender {
    client: Client,
    stream: String,
}

impl Sender {
    pub fn new(client: Client, stream: &str) -> Self {
        Self { client, stream: stream.to_owned() }
    }

    /// Sends one request's records; their receipts, in the same order.
    pub async fn send(&self, records: Vec<Record>) -> Result<Vec<Receipt>> {
        let mut receipts: Vec<Option<Receipt>> = vec![None; records.len()];
        let mut waiting: Vec<(usize, Record)> = records.into_iter().enumerate().collect();
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let refused = self.attempt(&mut waiting, &mut receipts).await?;
            let Some(refused) = refused else { break };
            if begun.elapsed() + pause > DEADLINE {
                return Err(Error::failed(format!(
                    "{} of {} records were still refused after {} s: {refused}",
                    waiting.len(),
                    receipts.len(),
                    DEADLINE.as_secs()
                ))
                .hint(
                    "the stream takes 1 MB and 1,000 records a second and shard: add shards, or publish more slowly",
                ));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(receipts.into_iter().flatten().collect())
    }

    /// Sends what is waiting, keeps what was refused waiting, and tells why the last one was.
    async fn attempt(
        &self,
        waiting: &mut Vec<(usize, Record)>,
        receipts: &mut [Option<Receipt>],
    ) -> Result<Option<String>> {
        let entries = waiting.iter().map(|(_, record)| entry(record)).collect::<Result<Vec<_>>>()?;
        let request = self.client.put_records().stream_name(&self.stream).set_records(Some(entries));
        let answer = request
            .send()
            .await
            .map_err(|error| Error::aws(format!("publish to the stream {}", self.stream), error))?;
        if answer.records.len() != waiting.len() {
            let (sent, told) = (waiting.len(), answer.records.len());
            return Err(Error::failed(format!("Kinesis was sent {sent} records and answered for {told}")));
        }
        let mut refused = None;
        let mut results = answer.records.into_iter();
        waiting.retain(|(index, _)| {
            let Some(result) = results.next() else { return true };
            match (result.shard_id, result.sequence_number) {
                (Some(shard_id), Some(sequence_number)) => {
                    receipts[*index] = Some(Receipt { shard_id, sequence_number });
                    false
                }
                _ => {
                    let code = result.error_code.unwrap_or_else(|| "no reason given".into());
                    refused = Some(format!("{code}: {}", result.error_message.unwrap_or_default()));
                    true
                }
            }
        });
        Ok(refused)
    }
}

fn entry(record: &Record) -> Result<PutRecordsRequestEntry> {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(record.data.clone()))
        .partition_key(&record.partition_key)
        .build()
        .map_err(|error| Error::failed(error.to_string()))
}
