//! Tests with requests, real processes, real streams and real log lines.

mod api;
mod callers;
mod concurrency;
mod consumers;
mod deployers;
mod destinations;
mod durable;
mod events;
mod filters;
mod invocations;
mod local;
mod mappings;
mod operations;
mod outlive;
mod parallel;
mod resources;
mod retries;
mod runtimes;
mod versions;
mod windows;

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use super::Lambda;
use super::unpack::tests::zip_of;
use crate::config::Config;
use crate::faults::Faults;
use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::logs::Logs;
use crate::store::{Budget, Store};
use crate::sts::Sts;

const ROLE: &str = "arn:aws:iam::000000000000:role/r";

/// A bootstrap for the runtime `provided.*` that implements the Runtime API itself.
const PROVIDED: &str = r#"#!/usr/bin/env python3
import http.client, json, os, sys
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None, headers={}):
    api.request(method, "/2018-06-01/runtime" + path, body, headers)
    response = api.getresponse()
    return response.status, response.headers, response.read()
def answer(id, body, kind="response"):
    return call("POST", f"/invocation/{id}/{kind}", body)
"#;

/// Lambda and the services that it uses.
struct Bench {
    lambda: Lambda,
    kinesis: Kinesis,
    logs: Logs,
}

/// A response of Lambda's API.
#[derive(Debug)]
struct ApiResponse {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Bench {
    fn new() -> Self {
        Self::over(&Store::default())
    }

    /// Opens a data directory and resumes its state.
    async fn open(dir: &Path) -> Self {
        let store = eventually("the data directory is unlocked", async || Store::open(Some(dir)).ok()).await;
        let bench = Self::over(&store);
        bench.kinesis.restore().await.unwrap();
        bench.lambda.restore().await.unwrap();
        bench
    }

    fn over(store: &Store) -> Self {
        Self::with(Config::default(), store)
    }

    fn with(config: Config, store: &Store) -> Self {
        let config = Config { address: ([127, 0, 0, 1], 4566).into(), fast_retries: true, ..config };
        let budget = Budget::new(config.memory_limit);
        let logs = Logs::open(&config.region, &config.account_id, store.clone(), budget.clone()).unwrap();
        let kinesis = Kinesis::new(&config, store, &budget, &Faults::default());
        let sts = Sts::new(Iam::open(&config.account_id, store.clone()).unwrap());
        sts.iam().ensure_lambda_role("r").unwrap();
        let lambda = Lambda::new(config, kinesis.clone(), logs.clone(), sts, store);
        Self { lambda, kinesis, logs }
    }

    async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> ApiResponse {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let response = self.lambda.handle(request).await.unwrap_or_else(|error| error.to_rest_json());
        let (parts, body) = response.into_parts();
        let text = || Value::String(String::from_utf8_lossy(&body).into_owned());
        let body = serde_json::from_slice(&body).unwrap_or_else(|_| text());
        ApiResponse { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> ApiResponse {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.request(method, path, &[], body).await
    }

    /// Creates the function `f` from one file. `more` adds or replaces members of the request.
    async fn create(&self, runtime: &str, file: &str, source: &str, more: Value) -> ApiResponse {
        let zip = base64_simd::STANDARD.encode_to_string(zip_of(&[(file, source.as_bytes())]));
        let mut members = json!({
            "FunctionName": "f", "Runtime": runtime, "Role": ROLE, "Handler": "index.handler", "Code": { "ZipFile": zip },
        });
        members.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.call("POST", "/2015-03-31/functions", members).await
    }

    async fn create_python(&self, source: &str, more: Value) {
        let created = self.create("python3.12", "index.py", source, more).await;
        assert_eq!(created.status, 201, "{created:?}");
    }

    async fn create_provided(&self, source: &str, more: Value) {
        let created = self.create("provided.al2023", "bootstrap", &format!("{PROVIDED}{source}"), more).await;
        assert_eq!(created.status, 201, "{created:?}");
    }

    /// Invokes `f` with `LogType: Tail`.
    async fn invoke(&self, payload: Value) -> ApiResponse {
        let tail = [("x-amz-log-type", "Tail")];
        self.request("POST", "/2015-03-31/functions/f/invocations", &tail, payload.to_string()).await
    }

    /// Waits until the function is not being created or updated any more.
    async fn settled(&self) {
        eventually("the function is active", async || {
            let configuration = self.call("GET", "/2015-03-31/functions/f/configuration", Value::Null).await.body;
            (configuration["State"] == "Active" && configuration["LastUpdateStatus"] == "Successful").then_some(())
        })
        .await;
    }

    /// The messages of a log group, in order, without their newlines.
    fn lines(&self, group: &str) -> Vec<String> {
        let input = json!({ "logGroupName": group }).to_string();
        let Ok(found) = self.logs.call("FilterLogEvents", input.as_bytes()) else { return Vec::new() };
        let text = |event: &Value| event["message"].as_str().unwrap().trim_end_matches('\n').to_owned();
        found["events"].as_array().unwrap().iter().map(text).collect()
    }

    fn streams(&self, group: &str) -> Vec<String> {
        let input = json!({ "logGroupName": group }).to_string();
        let Ok(found) = self.logs.call("DescribeLogStreams", input.as_bytes()) else { return Vec::new() };
        let name = |stream: &Value| stream["logStreamName"].as_str().unwrap().to_owned();
        found["logStreams"].as_array().unwrap().iter().map(name).collect()
    }

    /// The lines that the function printed, without Lambda's own.
    fn printed(&self) -> Vec<String> {
        let own = ["INIT_START ", "START ", "END ", "REPORT "];
        let is_printed = |line: &String| !own.iter().any(|prefix| line.starts_with(prefix));
        self.lines("/aws/lambda/f").into_iter().filter(is_printed).collect()
    }
}

impl ApiResponse {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn log_tail(&self) -> String {
        let tail = base64_simd::STANDARD.decode_to_vec(self.header("x-amz-log-result").unwrap()).unwrap();
        String::from_utf8(tail).unwrap()
    }

    fn code(&self) -> &str {
        self.header("x-amzn-errortype").unwrap_or_default()
    }

    fn message(&self) -> &str {
        self.body["message"].as_str().or(self.body["Message"].as_str()).unwrap_or_default()
    }
}

/// Calls `ask` until it returns a value, for as long as a slow machine may need.
async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
