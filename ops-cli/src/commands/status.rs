//! `status`: show the state of the path.

use std::io::{self, Write};

use aws_sdk_cloudwatchlogs::types::OrderBy;
use aws_sdk_kinesis::types::ShardFilter;
use aws_sdk_kinesis::types::ShardFilterType;
use clap::Args;
use jiff::Timestamp;
use kinesis_event_logger_core::names::Names;
use serde::Serialize;

use crate::aws::{self, Aws};
use crate::error::{Error, Result};
use crate::function::release::LIVE;
use crate::global::Global;
use crate::output::{Output, Render, printable};
use crate::stream;

const TASK: &str = "\
Prints the state of each part, the result of the mapping's last batch, and the last event of the log group. Parts that do not \
exist are shown as missing.";

const EXAMPLES: &str = "\
Examples:
  ops-cli status
  ops-cli --local --output json status";

/// Show the state of the stream, mapping, function and log
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Status {}

/// The state of each part; `None` if it does not exist.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusReport {
    region: String,
    names: PartNames,
    stream: Option<Stream>,
    function: Option<Function>,
    mapping: Option<Mapping>,
    last_event: Option<LastEvent>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PartNames {
    stream: String,
    function: String,
    log_group: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stream {
    status: String,
    mode: String,
    retention_hours: i32,
    open_shards: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function {
    state: String,
    last_update: String,
    runtime: String,
    memory_mb: i32,
    code_sha256: String,
    last_modified: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Mapping {
    uuid: String,
    state: String,
    last_processing_result: String,
    batch_size: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LastEvent {
    /// Epoch milliseconds.
    timestamp: i64,
    message: String,
}

impl Render for StatusReport {
    const HEADINGS: &'static [&'static str] = &["stream", "mapping", "function", "log"];

    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let mut row = |part: &str, name: &str, what: String| {
            writeln!(to, "{part:<9} {name}")?;
            writeln!(to, "          {what}")
        };
        let missing = || "missing: create it with `ops-cli provision --zip FILE`".to_owned();
        row("stream", &self.names.stream, self.stream.as_ref().map_or_else(missing, Stream::summary))?;
        row(
            "mapping",
            self.mapping.as_ref().map_or("-", |mapping| &mapping.uuid),
            self.mapping.as_ref().map_or_else(missing, Mapping::summary),
        )?;
        row("function", &self.names.function, self.function.as_ref().map_or_else(missing, Function::summary))?;
        let last = self.last_event.as_ref().map_or_else(|| "no events yet".to_owned(), LastEvent::summary);
        row("log", &self.names.log_group, last)
    }
}

impl Stream {
    fn summary(&self) -> String {
        let shards = match self.open_shards.as_slice() {
            [one] => one.clone(),
            [first, .., last] => format!("{} open shards, {first} to {last}", self.open_shards.len()),
            [] => "no open shards".into(),
        };
        format!("{}, {}, {shards}, keeps {} h", self.status, self.mode, self.retention_hours)
    }
}

impl Function {
    fn summary(&self) -> String {
        let Self { state, last_update, runtime, memory_mb, code_sha256, last_modified } = self;
        format!(
            "{state}, last update {last_update}, {runtime}, {memory_mb} MB, code {code_sha256}, modified {last_modified}"
        )
    }
}

impl Mapping {
    fn summary(&self) -> String {
        format!("{}, batches of up to {}, last result: {}", self.state, self.batch_size, self.last_processing_result)
    }
}

impl LastEvent {
    fn summary(&self) -> String {
        let time = Timestamp::from_millisecond(self.timestamp).map(|time| format!("{time:.3}")).unwrap_or_default();
        format!("{time}  {}", printable(self.message.trim_end()))
    }
}

pub async fn run(global: &Global, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let aws = Aws::connect(global).await?;
    let (stream, function, mapping, last_event) = tokio::try_join!(
        stream(&aws, &names),
        function(&aws, &names),
        mapping(&aws, &names),
        last_event(&aws, &names),
    )?;
    output.show(&StatusReport {
        region: aws.region.clone(),
        names: PartNames {
            stream: names.stream().to_owned(),
            function: names.function().to_owned(),
            log_group: names.log_group().to_owned(),
        },
        stream,
        function,
        mapping,
        last_event,
    })
}

async fn stream(aws: &Aws, names: &Names) -> Result<Option<Stream>> {
    let Some(summary) = stream::summary(aws, names.stream()).await? else { return Ok(None) };
    let kinesis = aws.kinesis();
    let open = ShardFilter::builder().r#type(ShardFilterType::AtLatest).build();
    let open = open.map_err(|error| Error::failed(error.to_string()))?;
    let mut open_shards = Vec::new();
    let mut request = kinesis.list_shards().stream_name(names.stream()).shard_filter(open);
    loop {
        let page = aws.find("list the stream's shards", || request.clone().send()).await?;
        let Some(page) = page else { return Ok(None) };
        open_shards.extend(page.shards.unwrap_or_default().into_iter().map(|shard| shard.shard_id));
        match page.next_token {
            Some(token) => request = kinesis.list_shards().next_token(token),
            None => break,
        }
    }
    Ok(Some(Stream {
        status: summary.stream_status.as_str().to_owned(),
        mode: summary
            .stream_mode_details
            .map_or("PROVISIONED".into(), |details| details.stream_mode.as_str().to_owned()),
        retention_hours: summary.retention_period_hours,
        open_shards,
    }))
}

async fn function(aws: &Aws, names: &Names) -> Result<Option<Function>> {
    let request = aws.lambda().get_function_configuration().function_name(names.function());
    let function = aws
        .find(format!("get the configuration of the function {}", names.function()), || request.clone().send())
        .await?;
    let Some(function) = function else { return Ok(None) };
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    Ok(Some(Function {
        state: text(function.state().map(|state| state.as_str())),
        last_update: text(function.last_update_status().map(|status| status.as_str())),
        runtime: text(function.runtime().map(|runtime| runtime.as_str())),
        memory_mb: function.memory_size().unwrap_or_default(),
        code_sha256: text(function.code_sha256()),
        last_modified: text(function.last_modified()),
    }))
}

/// The mapping of the stream to the alias, or to the function itself in a path without the alias.
async fn mapping(aws: &Aws, names: &Names) -> Result<Option<Mapping>> {
    let function = names.function();
    match mapping_to(aws, names, &format!("{function}:{LIVE}")).await? {
        Some(mapping) => Ok(Some(mapping)),
        None => mapping_to(aws, names, function).await,
    }
}

async fn mapping_to(aws: &Aws, names: &Names, function: &str) -> Result<Option<Mapping>> {
    let request = aws.lambda().list_event_source_mappings().function_name(function);
    let mappings = || request.clone().into_paginator().items().send().try_collect();
    let mappings: Option<Vec<_>> = aws.find("list the event source mappings", mappings).await?;
    let Some(mut mappings) = mappings else { return Ok(None) };
    let reads_stream = |source: &str| {
        // A mapping may read through a consumer: `…:stream/orders-prod/consumer/…`.
        source.split_once(":stream/").and_then(|(_, name)| name.split('/').next()) == Some(names.stream())
    };
    mappings.retain(|mapping| mapping.event_source_arn().is_some_and(reads_stream));
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    Ok(mappings.first().map(|mapping| Mapping {
        uuid: text(mapping.uuid()),
        state: text(mapping.state()),
        last_processing_result: text(mapping.last_processing_result()),
        batch_size: mapping.batch_size().unwrap_or_default(),
    }))
}

async fn last_event(aws: &Aws, names: &Names) -> Result<Option<LastEvent>> {
    let (logs, group) = (aws.logs(), names.log_group());
    let doing = || format!("read the log group {group}");
    let request = logs.describe_log_streams().log_group_name(group).order_by(OrderBy::LastEventTime);
    let request = request.descending(true).limit(1);
    let answer = aws.find(doing(), || request.clone().send()).await?;
    let streams = answer.and_then(|answer| answer.log_streams).unwrap_or_default();
    let Some(stream) = streams.first().and_then(|stream| stream.log_stream_name()) else { return Ok(None) };
    let request = logs.get_log_events().log_group_name(group).log_stream_name(stream);
    let request = request.start_from_head(false).limit(1);
    let page = aws.find(doing(), || request.clone().send()).await?;
    let Some(page) = page else { return Ok(None) };
    Ok(page.events().last().map(|event| LastEvent {
        timestamp: event.timestamp().unwrap_or_default(),
        message: event.message().unwrap_or_default().to_owned(),
    }))
}
