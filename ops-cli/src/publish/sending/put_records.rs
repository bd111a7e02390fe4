//! Sends one PutRecords request, and classifies its failure as a whole.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::PutRecordsError;
use bytes::Bytes;

use super::response::{Response, StoredResponse};
use super::turn::{HoldLastByte, TurnEnd};
use crate::error::{Error, chain};
use crate::publish::input::memory;
use crate::publish::scheduling::batch::{AGGREGATE_KEY, Request};
use kinesis_event_logger_core::line::push_json_string;

/// The timeout of an answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// The reason why a request has no results for its entries.
#[derive(Debug)]
pub enum Failure {
    /// The next attempt may succeed. With `may_be_put`, this one may have been executed.
    Passing { reason: String, may_be_put: bool },
    /// The request was abandoned before it was complete, so that it was not executed.
    NotSent,
    /// The whole request was throttled by the stream's limits.
    Throttled(String),
    /// No attempt will succeed.
    Lasting(Error),
}

/// Returns a client that does not retry, because only the run knows which entries need a retry.
pub fn client(client: &Client) -> Client {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).build();
    let config = client.config().to_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts);
    Client::from_conf(config.build())
}

/// Sends the request, whose last byte waits for the turn of the request before it. The answer contains the result of each
/// put.
pub async fn put(
    client: &Client,
    stream: &str,
    request: &mut Request,
    after: Option<TurnEnd>,
) -> Result<Response, Failure> {
    let body = Bytes::from(body(stream, request));
    let kept = StoredResponse::default();
    // The SDK would copy every record into its own types, those into JSON, and the same for the answer. Here both are
    // written and parsed once. The SDK does the rest: endpoint, signature, connection and errors.
    let sent = client.put_records().stream_name(stream).set_records(Some(Vec::new())).customize();
    let mut sent = sent.interceptor(kept.clone()).mutate_request(move |request| {
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = body.clone().into();
    });
    if let Some(after) = after.clone() {
        sent = sent.interceptor(HoldLastByte(after));
    }
    let is_sent = || after.as_ref().is_none_or(|after| after.time().is_some());
    tokio::select! {
        sent = sent.send() => sent.map_err(|error| failure(stream, error, is_sent()))?,
        () = no_answer(after.clone()) => {
            let reason = format!("no answer within {} s", ANSWER_DEADLINE.as_secs());
            return Err(Failure::Passing { reason, may_be_put: true });
        }
    };
    Ok(kept.take())
}

/// Resolves when the time for an answer is over.
async fn no_answer(after: Option<TurnEnd>) {
    if let Some(after) = after {
        after.wait().await;
    }
    tokio::time::sleep(ANSWER_DEADLINE).await;
}

/// Serializes the request as JSON (Kinesis API, `PutRecords`). Takes the aggregates out of it. The entries stay for a
/// resend.
fn body(stream: &str, request: &mut Request) -> Vec<u8> {
    // Base64 turns three bytes into four. Names and quotes are about 100 bytes.
    let bytes: usize = request.entries.iter().map(|entry| entry.record.size()).sum();
    let mut body = memory::for_bytes(bytes / 3 * 4 + 128 * (request.puts.len() + 1));
    body.extend_from_slice(b"{\"StreamName\":");
    push_json_string(&mut body, stream);
    body.extend_from_slice(b",\"Records\":[");
    let mut at = 0;
    for put in &mut request.puts {
        if at > 0 {
            body.push(b',');
        }
        let record = &request.entries[at].record;
        at += put.entries;
        match put.aggregate.take() {
            Some(mut aggregate) => {
                push_entry(&mut body, &aggregate.builder.build(), AGGREGATE_KEY, Some(aggregate.hash_key));
            }
            None => push_entry(&mut body, record.data(), record.partition_key(), record.explicit_hash_key()),
        }
    }
    body.extend_from_slice(b"]}");
    body
}

fn push_entry(body: &mut Vec<u8>, data: &[u8], partition_key: &str, explicit_hash_key: Option<u128>) {
    body.extend_from_slice(b"{\"Data\":\"");
    base64_simd::STANDARD.encode_append(data, body);
    body.extend_from_slice(b"\",\"PartitionKey\":");
    push_json_string(body, partition_key);
    if let Some(key) = explicit_hash_key {
        body.extend_from_slice(b",\"ExplicitHashKey\":\"");
        body.extend_from_slice(key.to_string().as_bytes());
        body.push(b'"');
    }
    body.push(b'}');
}

/// Classifies an error. With `is_sent` the request was complete, so that it may have been executed.
fn failure(stream: &str, error: SdkError<PutRecordsError>, is_sent: bool) -> Failure {
    const THROTTLING: [&str; 4] = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "LimitExceededException",
        "KMSThrottlingException",
    ];
    let is_servers_fault = error.raw_response().is_some_and(|response| response.status().is_server_error());
    let Some(service) = error.as_service_error() else {
        return match error {
            SdkError::ConstructionFailure(_) => Failure::Lasting(Error::aws(doing(stream), error)),
            _ => Failure::Passing { reason: chain(&error), may_be_put: is_sent },
        };
    };
    let reason = format!(
        "{}: {}",
        service.code().unwrap_or("an error without a code"),
        service.message().unwrap_or("no message")
    );
    if service.code().is_some_and(|code| THROTTLING.contains(&code)) {
        Failure::Throttled(reason)
    } else if is_servers_fault {
        Failure::Passing { reason, may_be_put: true }
    } else {
        Failure::Lasting(Error::aws(doing(stream), error))
    }
}

fn doing(stream: &str) -> String {
    format!("publish to the stream {stream}")
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::decode::{Aggregate as Aggregated, AggregateBuilder};
    use serde_json::Value;

    use super::*;
    use crate::publish::input::record::{InputPosition, Record};
    use crate::publish::scheduling::batch::{Aggregate, Put, QueuedEntry};

    #[test]
    fn the_body_is_the_request_in_json() {
        let record = |key: &str, hash_key| {
            Record::new(InputPosition { offset: 0, input: 0, line: 1 }, key.as_bytes().to_vec(), &key.into(), hash_key)
        };
        let records = [record("é\"\u{1}", None), record("b", Some(u128::MAX)), record("c", None), record("d", None)];
        let mut builder = AggregateBuilder::new(1000);
        for record in &records[2..] {
            builder.add(record.partition_key(), None, record.data()).unwrap();
        }
        let plain = || Put { entries: 1, bytes: 1, aggregate: None };
        let aggregate = Put { entries: 2, bytes: 2, aggregate: Some(Box::new(Aggregate { builder, hash_key: 7 })) };
        let mut request = Request {
            entries: records.map(QueuedEntry::of).into(),
            puts: vec![plain(), plain(), aggregate],
            ..Request::default()
        };
        let body: Value = serde_json::from_slice(&body("s", &mut request)).unwrap();
        assert_eq!(body["StreamName"], "s");
        let entries = body["Records"].as_array().unwrap();
        let data = |n: usize| base64_simd::STANDARD.decode_to_vec(entries[n]["Data"].as_str().unwrap()).unwrap();
        assert_eq!((&entries[0]["PartitionKey"], data(0)), (&"é\"\u{1}".into(), "é\"\u{1}".into()));
        assert!(entries[0].get("ExplicitHashKey").is_none());
        assert_eq!((&entries[1]["ExplicitHashKey"], data(1)), (&u128::MAX.to_string().into(), b"b".into()));
        assert_eq!((&entries[2]["ExplicitHashKey"], &entries[2]["PartitionKey"]), (&"7".into(), &"a".into()));
        assert_eq!(Aggregated::parse(&data(2)).unwrap().records().count(), 2);
        assert_eq!(entries.len(), 3);
    }
}
