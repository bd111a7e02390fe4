//! Creates streams, functions and mappings for the measurements with the SDK.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use aws_sdk_kinesis::types::{PutRecordsRequestEntry, StreamStatus};
use aws_sdk_lambda::types::{EventSourcePosition, FunctionCode, LogFormat, LoggingConfig, Runtime, State};

use crate::server::Server;

/// The code of a function, and its runtime.
#[derive(Clone)]
pub struct Function {
    pub runtime: Runtime,
    pub handler: &'static str,
    pub zip: Vec<u8>,
}

impl Function {
    /// The logger.
    pub fn logger(zip: &Path) -> Self {
        Self { runtime: Runtime::from("provided.al2023"), handler: "bootstrap", zip: std::fs::read(zip).unwrap() }
    }

    /// Three lines of Python that print the data, which other emulators can run too.
    pub fn python() -> Self {
        let code = "import base64\n\ndef handler(event, context):\n    for record in event[\"Records\"]:\n        print(base64.b64decode(record[\"kinesis\"][\"data\"]).decode())\n";
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("index.py", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(code.as_bytes()).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        Self { runtime: Runtime::from("python3.12"), handler: "index.handler", zip }
    }
}

/// Polls until `look` returns a value.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "waited two minutes for {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Creates a stream, waits until it is active, and returns its ARN.
pub async fn stream(server: &Server, name: &str, shards: i32) -> String {
    let kinesis = aws_sdk_kinesis::Client::new(&server.config().await);
    kinesis.create_stream().stream_name(name).shard_count(shards).send().await.unwrap();
    eventually("the stream", async || {
        let described = kinesis.describe_stream_summary().stream_name(name).send().await.ok()?;
        let summary = described.stream_description_summary?;
        (summary.stream_status == StreamStatus::Active).then_some(summary.stream_arn)
    })
    .await
}

pub async fn function(server: &Server, name: &str, function: &Function) {
    const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let config = server.config().await;
    let role = aws_sdk_iam::Client::new(&config).create_role().role_name(name).assume_role_policy_document(TRUST);
    let role = role.send().await.unwrap().role.unwrap().arn;
    let lambda = aws_sdk_lambda::Client::new(&config);
    let create = lambda.create_function().function_name(name).role(role).runtime(function.runtime.clone());
    let logging = LoggingConfig::builder().log_format(LogFormat::Json).build();
    let code = FunctionCode::builder().zip_file(aws_sdk_lambda::primitives::Blob::new(function.zip.clone())).build();
    let create = create.handler(function.handler).code(code).memory_size(512).timeout(30).logging_config(logging);
    create.send().await.unwrap();
    eventually("the function", async || {
        let configured = lambda.get_function_configuration().function_name(name).send().await.ok()?;
        (configured.state == Some(State::Active)).then_some(())
    })
    .await;
}

/// Maps a stream to a function from the stream's beginning.
pub async fn mapping(server: &Server, stream_arn: &str, function: &str, batch_size: i32) {
    let lambda = aws_sdk_lambda::Client::new(&server.config().await);
    let create = lambda.create_event_source_mapping().event_source_arn(stream_arn).function_name(function);
    let create = create.batch_size(batch_size).starting_position(EventSourcePosition::TrimHorizon);
    let uuid = create.send().await.unwrap().uuid.unwrap();
    eventually("the mapping", async || {
        let mapping = lambda.get_event_source_mapping().uuid(&uuid).send().await.ok()?;
        (mapping.state.as_deref() == Some("Enabled")).then_some(())
    })
    .await;
}

/// Puts these entries, 500 per request, one request after the other.
pub async fn put(server: &Server, stream: &str, entries: impl Iterator<Item = PutRecordsRequestEntry>) {
    let kinesis = aws_sdk_kinesis::Client::new(&server.config().await);
    let mut entries = entries.peekable();
    while entries.peek().is_some() {
        let some = entries.by_ref().take(500).collect();
        let put = kinesis.put_records().stream_name(stream).set_records(Some(some)).send().await.unwrap();
        assert_eq!(put.failed_record_count, Some(0));
    }
}
