//! The straightforward function, for comparison: it unpacks what logger-fn unpacks, with the crates that most people take.

use std::io::Read;

use aws_lambda_events::kinesis::KinesisEvent;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};
use md5::{Digest, Md5};
use prost::Message;

#[derive(Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_key_table: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<SubRecord>,
}

#[derive(Message)]
struct SubRecord {
    #[prost(uint64, tag = "1")]
    partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key_index: Option<u64>,
    #[prost(bytes, tag = "3")]
    data: Vec<u8>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    run(service_fn(log)).await
}

async fn log(event: LambdaEvent<KinesisEvent>) -> Result<(), Error> {
    for record in event.payload.records {
        log_data(&record.kinesis.data.0);
    }
    Ok(())
}

fn log_data(data: &[u8]) {
    if let Some(aggregate) = aggregate(data) {
        aggregate.records.iter().for_each(|record| log_data(&record.data));
    } else if data.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        if flate2::read::GzDecoder::new(data).read_to_end(&mut unpacked).is_ok() {
            log_text(&unpacked);
        }
    } else if data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        if let Ok(unpacked) = zstd::decode_all(data) {
            log_text(&unpacked);
        }
    } else {
        log_text(data);
    }
}

fn aggregate(data: &[u8]) -> Option<AggregatedRecord> {
    let rest = data.strip_prefix(&[0xf3, 0x89, 0x9a, 0xc2])?;
    let (body, checksum) = rest.split_last_chunk::<16>()?;
    (Md5::digest(body)[..] == checksum[..]).then(|| AggregatedRecord::decode(body).ok())?
}

fn log_text(data: &[u8]) {
    match std::str::from_utf8(data) {
        Ok(text) => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(envelope) if envelope["logEvents"].is_array() => {
                for event in envelope["logEvents"].as_array().into_iter().flatten() {
                    tracing::info!("{}", event["message"].as_str().unwrap_or_default());
                }
            }
            _ => tracing::info!("{text}"),
        },
        Err(_) => tracing::info!("{}", STANDARD.encode(data)),
    }
}
