//! Reads the documents that destinations of the local endpoint have received.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::document::{self, FailedBatch};
use crate::error::{Error, Result};

/// Reads the documents about Kinesis batches that the queue, topic or bucket `name` has received.
pub async fn read(url: &str, name: &str) -> Result<Vec<FailedBatch>> {
    let page = get(url, "/_local/destinations").await?;
    let failed =
        |reason: String| Error::failed(format!("could not read the destinations of the endpoint at {url}: {reason}"));
    let listed: Vec<Value> = serde_json::from_slice(&page).map_err(|error| failed(error.to_string()))?;
    if !listed.iter().any(|listed| listed["name"] == name) {
        let mut names: Vec<_> = listed.iter().filter_map(|listed| listed["name"].as_str()).collect();
        names.dedup();
        let names = if names.is_empty() { "none has received any".to_owned() } else { names.join(", ") };
        return Err(Error::failed(format!("the destination {name} has received no documents"))
            .hint(format!("destinations with documents: {names}")));
    }
    let about_kinesis =
        listed.into_iter().filter(|listed| listed["name"] == name && !listed["document"]["KinesisBatchInfo"].is_null());
    let documents = Value::from_iter(about_kinesis).to_string();
    document::parse(documents.as_bytes()).map_err(failed)
}

/// Requests a page of the endpoint, which is on this machine and needs no signature.
async fn get(url: &str, path: &str) -> Result<Vec<u8>> {
    let failed = |reason: String| Error::failed(format!("could not read {url}{path}: {reason}"));
    let authority = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let exchange = async {
        let mut stream = TcpStream::connect(authority).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    exchange.await.map_err(|error| failed(error.to_string()))?;
    const END_OF_HEAD: &[u8] = b"\r\n\r\n";
    let end = memchr::memmem::find(&answer, END_OF_HEAD).ok_or_else(|| failed("the answer is incomplete".into()))?;
    let body = answer.split_off(end + END_OF_HEAD.len());
    let status = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    if status.split(' ').nth(1) == Some("200") {
        return Ok(body);
    }
    Err(failed(format!("{status}: {}", String::from_utf8_lossy(&body).trim()))
        .hint("with `ops-cli local --allow-remote`, request the page with a signature, and give it as a file"))
}
