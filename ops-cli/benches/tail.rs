//! `cargo make bench`: the time to read a log group of a million events, and the latency of a new line.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use support::common::Endpoint;
use support::{head, machine, median, milliseconds, percentile, row};

const GROUP: &str = "/bench/tail";
const EVENTS: usize = 1_000_000;
const BYTES: usize = 200;

#[tokio::main]
async fn main() {
    let endpoint = Endpoint::start();
    let logs = Client::new(&endpoint.sdk_config().await);
    logs.create_log_group().log_group_name(GROUP).send().await.unwrap();
    logs.create_log_stream().log_group_name(GROUP).log_stream_name("stream").send().await.unwrap();
    let line = "x".repeat(BYTES - 8);
    for batch in 0..EVENTS / 4000 {
        put(&logs, (0..4000).map(|n| format!("{:07} {line}", batch * 4000 + n))).await;
    }

    println!("machine: {}", machine());
    head(["what", "goal", "measured"]);
    let (rate, mib) = read_all(&endpoint, &["--idle-exit", "3s"], 3.0);
    row(["`tail -f` of 1,000,000 events, peak memory", "≤ 64 MiB", &format!("{mib:.1} MiB")]);
    row(["`tail -f` of 1,000,000 events", "≥ 250,000/s", &format!("{rate:.0}/s")]);
    let (rate, mib) = read_all(&endpoint, &[], 0.0);
    row(["`tail` of 1,000,000 events, peak memory", "≤ 64 MiB", &format!("{mib:.1} MiB")]);
    row(["`tail` of 1,000,000 events", "≥ 250,000/s", &format!("{rate:.0}/s")]);
    if let Some(awslogs) = awslogs(&endpoint) {
        row(["the same by awslogs", "", &format!("{awslogs:.0}/s")]);
        row(["`tail` : awslogs", "≥ 30 ×", &format!("{:.0} ×", rate / awslogs)]);
    }
    let last: Vec<f64> = (0..9).map(|_| last_hundred(&endpoint)).collect();
    row(["`tail -n 100` of 1,000,000 events", "≤ 100 ms", &format!("{:.0} ms", median(&last))]);
    let polled = latencies(&endpoint, &logs, "-f").await;
    row(["new line → shown, polling, p50", "≤ 300 ms", &format!("{:.0} ms", percentile(&polled, 0.5))]);
    let live = latencies(&endpoint, &logs, "--live").await;
    row(["new line → shown, `--live`, p50", "≤ 1.2 s", &format!("{:.0} ms", percentile(&live, 0.5))]);
}

async fn put(logs: &Client, messages: impl Iterator<Item = String>) {
    let now = jiff::Timestamp::now().as_millisecond();
    let events = messages.map(|message| InputLogEvent::builder().timestamp(now).message(message).build().unwrap());
    let request = logs.put_log_events().log_group_name(GROUP).log_stream_name("stream");
    request.set_log_events(Some(events.collect())).send().await.unwrap();
}

fn tail(endpoint: &Endpoint, arguments: &[&str]) -> Child {
    let mut command = endpoint.ops(["tail", "--group", GROUP, "--since", "1h"].iter().chain(arguments));
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Returns events per second, without `idle` seconds at the end, and the peak of resident MiB.
fn read_all(endpoint: &Endpoint, arguments: &[&str], idle: f64) -> (f64, f64) {
    let began = Instant::now();
    let mut tail = tail(endpoint, arguments);
    let mut stdout = tail.stdout.take().unwrap();
    let (mut buffer, mut lines, mut peak) = (vec![0; 1 << 20], 0, 0.0_f64);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count();
        peak = peak.max(peak_mib(tail.id()));
    }
    assert!(tail.wait().unwrap().success());
    assert_eq!(lines, EVENTS);
    (EVENTS as f64 / (began.elapsed().as_secs_f64() - idle), peak)
}

/// Returns the peak resident size of a process so far; 0 if it has ended.
fn peak_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.map_or(0.0, |kib| kib.trim().parse::<f64>().unwrap() / 1024.0)
}

/// Returns the events per second of `awslogs`, if it is installed.
fn awslogs(endpoint: &Endpoint) -> Option<f64> {
    let mut command = Command::new("awslogs");
    command.args(["get", GROUP, "ALL", "--start", "1h", "-G", "-S", "--color", "never"]);
    command.envs(endpoint.exports()).stdout(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().ok()?;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok).count();
    assert!(child.wait().unwrap().success());
    assert_eq!(lines, EVENTS);
    Some(EVENTS as f64 / began.elapsed().as_secs_f64())
}

fn last_hundred(endpoint: &Endpoint) -> f64 {
    let began = Instant::now();
    let output = endpoint.ops(["tail", "--group", GROUP, "-n", "100"]).output().unwrap();
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 100);
    milliseconds(began.elapsed())
}

/// Returns the milliseconds from the request that writes a line until it is shown.
async fn latencies(endpoint: &Endpoint, logs: &Client, how: &str) -> Vec<f64> {
    let mut tail =
        endpoint.ops(["tail", "--group", GROUP, "--since", "5s", how]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    put(logs, ["the first".to_owned()].into_iter()).await;
    while next() != "the first" {}
    let mut latencies = Vec::new();
    for n in 0..30 {
        // The distance from the polls varies.
        tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(100..1100))).await;
        let message = format!("line {n}");
        let began = Instant::now();
        put(logs, [message.clone()].into_iter()).await;
        assert_eq!(next(), message);
        latencies.push(milliseconds(began.elapsed()));
    }
    tail.kill().unwrap();
    tail.wait().unwrap();
    latencies
}
