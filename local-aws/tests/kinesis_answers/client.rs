//! Sends one request per connection, and remembers values of responses for later requests.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ciborium::Value as Cbor;
use serde_json::{Value, json};

use super::corpus::Body;

pub struct Client {
    address: SocketAddr,
    /// The values of `$iterator`, `$token`, `$number` and `$consumer` in a request: the last one that a response contained.
    seen: BTreeMap<&'static str, String>,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, seen: BTreeMap::new() }
    }

    /// Returns the status and the body. A body that is neither JSON nor CBOR is returned as text.
    pub fn call(&mut self, operation: &str, body: &Body) -> (u16, Value) {
        let (content_type, bytes) = match body {
            Body::Json(input) => ("application/x-amz-json-1.1", self.resolve(input).to_string().into_bytes()),
            Body::Cbor(input) => ("application/x-amz-cbor-1.1", encode(&cbor("", self.resolve(input)))),
            Body::Raw(content_type, bytes) => (*content_type, bytes.clone()),
            Body::Wait(_) => return (0, Value::Null),
        };
        let (head, answer) = self.exchange(operation, content_type, &bytes);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let answer = if head.to_lowercase().contains("cbor") {
            ciborium::from_reader(&answer[..]).map(json_of).unwrap_or_default()
        } else {
            let text = || String::from_utf8_lossy(&answer).into_owned().into();
            serde_json::from_slice(&answer).unwrap_or_else(|_| text())
        };
        self.remember(&answer);
        (status, answer)
    }

    fn exchange(&self, operation: &str, content_type: &str, body: &[u8]) -> (String, Vec<u8>) {
        let authorization = "authorization: AWS4-HMAC-SHA256 Credential=a/b/c/kinesis/aws4_request, SignedHeaders=host, Signature=d\r\nx-amz-date: d\r\n";
        // A bare ferrokinesis requires a signature but does not verify it.
        let authorization = if std::env::var("KINESIS_SERVER").is_ok_and(|server| server == "ferrokinesis") {
            authorization
        } else {
            ""
        };
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {content_type}\r\n{authorization}x-amz-target: Kinesis_20131202.{operation}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |end| end + 4);
        let body = answer.split_off(end);
        (String::from_utf8_lossy(&answer).into_owned(), body)
    }

    fn remember(&mut self, answer: &Value) {
        match answer {
            Value::Object(members) => {
                for (name, value) in members {
                    let name = match name.as_str() {
                        "ShardIterator" | "NextShardIterator" => "$iterator",
                        "NextToken" => "$token",
                        "SequenceNumber" => "$number",
                        "ConsumerARN" => "$consumer",
                        _ => {
                            self.remember(value);
                            continue;
                        }
                    };
                    if let Some(text) = value.as_str() {
                        self.seen.insert(name, text.to_owned());
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.remember(item)),
            _ => {}
        }
    }

    fn resolve(&self, input: &Value) -> Value {
        match input {
            Value::String(text) if text == "$now" => {
                json!(
                    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as f64
                        / 1000.0
                )
            }
            Value::String(text) if text.starts_with('$') => {
                self.seen.get(text.as_str()).cloned().unwrap_or_else(|| "none".to_owned()).into()
            }
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), self.resolve(value))).collect(),
            other => other.clone(),
        }
    }
}

fn encode(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// Converts JSON to CBOR: blobs become bytes, timestamps become tagged milliseconds.
fn cbor(name: &str, value: Value) -> Cbor {
    match value {
        Value::String(text) if name == "Data" => {
            base64_simd::STANDARD.decode_to_vec(&text).map_or(Cbor::Text(text), Cbor::Bytes)
        }
        Value::Number(seconds) if name.ends_with("Timestamp") => {
            Cbor::Tag(1, Box::new(Cbor::from((seconds.as_f64().unwrap() * 1000.0) as i64)))
        }
        Value::Array(items) => Cbor::Array(items.into_iter().map(|item| cbor("", item)).collect()),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let value = cbor(&name, value);
                (Cbor::Text(name), value)
            });
            Cbor::Map(members.collect())
        }
        other => Cbor::serialized(&other).unwrap(),
    }
}

fn json_of(value: Cbor) -> Value {
    match value {
        Cbor::Bytes(bytes) => base64_simd::STANDARD.encode_to_string(bytes).into(),
        Cbor::Tag(1, millis) => {
            json!(millis.as_integer().map_or(0, |millis| i128::from(millis) as i64) as f64 / 1000.0)
        }
        Cbor::Array(items) => items.into_iter().map(json_of).collect(),
        Cbor::Map(members) => {
            members.into_iter().map(|(name, value)| (name.into_text().unwrap_or_default(), json_of(value))).collect()
        }
        other => other.deserialized().unwrap_or_default(),
    }
}
