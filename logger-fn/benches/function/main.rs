//! `cargo make bench-function`: measures the built function and alternatives through the Runtime API. With the argument
//! `logger-fn`, it measures only the function and the floor. With `kinds`, it measures every kind of payload beside the plain
//! function, the first invocation beside later ones, and the function with parts of a processor.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

mod kinds;
mod processor_share;
mod runtime_api;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::runtime_api::Function;

const RECORDS: usize = 1000;
const DATA_BYTES: usize = 1024;
/// The number of events before the measurement, the number of rounds, whose median counts, and the number of events per round.
const WARM_UP: usize = 30;
const ROUNDS: usize = 7;
const EVENTS: usize = 60;
const STARTS: usize = 31;
/// The number of events per round for each kind of payload.
const KIND_EVENTS: usize = 20;

/// The version of AWS's Node.js runtime client.
const NODE_CLIENT: &str = "aws-lambda-ric@4.0.2";
const MUSL: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" };
const GLIBC: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

struct Row {
    what: String,
    records_a_second: f64,
    cpu_us_a_record: f64,
    peak_mib: f64,
    start_ms: f64,
    zip_mb: Option<f64>,
}

fn main() {
    let event: Arc<[u8]> = event().into();
    let lambda = |binary: &Path| {
        let mut command = Command::new(binary);
        command.env_clear().env("AWS_LAMBDA_LOG_FORMAT", "JSON");
        command
    };
    let (own, linkage) = packaged();
    let log_bytes = {
        let function = Function::start(lambda(&own)).unwrap();
        function.handle(&event, 1);
        // Another thread reads the log. It is complete when it does not grow any more.
        function.handle(&event, 9);
        function.logged() / 10
    };
    println!("event: {RECORDS} records of {DATA_BYTES} bytes of JSON, {} bytes; log: {log_bytes} bytes\n", event.len());
    let peers = build_peers();
    if std::env::args().any(|argument| argument == "kinds") {
        let (own, plain) = (|| lambda(&own), || lambda(&peers.join("plain")));
        measure_kinds(own, plain);
        measure_first_invocation(own);
        return processor_share::measure(own, &event, RECORDS);
    }
    let floor = || {
        let mut command = lambda(&peers.join("floor"));
        command.env("FLOOR_BYTES", log_bytes.to_string());
        command
    };
    let what = format!("logger-fn as deployed ({linkage})");
    let mut rows = vec![measure(&what, || lambda(&own), &event, Some(&own))];
    let only_own = std::env::args().any(|argument| argument == "logger-fn");
    let dynamic = build("logger-fn", Some(GLIBC)).unwrap();
    rows.push(measure("logger-fn, this machine's C library", || lambda(&dynamic), &event, Some(&dynamic)));
    if let Some(musl) = is_installed(MUSL).then(|| build("logger-fn", Some(MUSL)).unwrap()) {
        rows.push(measure("logger-fn, static (musl)", || lambda(&musl), &event, Some(&musl)));
    }
    let plain = peers.join("plain");
    if !only_own {
        rows.push(measure("plain Rust function", || lambda(&plain), &event, Some(&plain)));
        match node() {
            Ok(node) => rows.push(measure("three lines of Node.js", || node_command(&node), &event, None)),
            Err(why) => println!(
                "no row for Node.js: {NODE_CLIENT} is not installed ({why}); it needs node, npm, python3, make, a C++ compiler, cmake, autoconf, \
                 automake and libtool\n"
            ),
        }
    }
    rows.push(measure("floor: reads and writes, does not look", floor, &event, None));
    print(&rows);
}

fn event() -> Vec<u8> {
    let record = |number: usize| {
        let sequence_number = format!("4959033827149025660855969253836157109592157598913{number:07}");
        let mut data = json!({
            "orderId": format!("order-{number:08}"), "customer": {"id": number * 7919, "name": "Zoë \"Z\" Müller", "vip": number.is_multiple_of(7)},
            "items": [{"sku": "AB-12", "quantity": 2, "price": 12.5}, {"sku": "CD-34", "quantity": 1, "price": 99.99}],
            "note": "",
        });
        let rest = DATA_BYTES - data.to_string().len();
        data["note"] =
            "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(rest).collect::<String>().into();
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": format!("customer-{number}"), "sequenceNumber": sequence_number,
                "data": base64_simd::STANDARD.encode_to_string(data.to_string()), "approximateArrivalTimestamp": 1_545_084_650.987,
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{sequence_number}"),
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2", "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        })
    };
    json!({"Records": (0..RECORDS).map(record).collect::<Vec<_>>()}).to_string().into_bytes()
}

fn measure(what: &str, command: impl Fn() -> Command, event: &Arc<[u8]>, binary: Option<&Path>) -> Row {
    let start_ms = median((0..STARTS).map(|_| Function::start(command()).unwrap().time_to_next().as_secs_f64() * 1e3));
    let function = Function::start(command()).unwrap();
    function.handle(event, WARM_UP);
    let rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let (begun, cpu) = (Instant::now(), function.cpu());
            function.handle(event, EVENTS);
            let records = (EVENTS * RECORDS) as f64;
            (records / begun.elapsed().as_secs_f64(), (function.cpu() - cpu).as_secs_f64() * 1e6 / records)
        })
        .collect();
    Row {
        what: what.to_owned(),
        records_a_second: median(rounds.iter().map(|round| round.0)),
        cpu_us_a_record: median(rounds.iter().map(|round| round.1)),
        peak_mib: function.peak_mib(),
        start_ms,
        zip_mb: binary.map(zip_mb),
    }
}

/// Prints for each kind of payload the processor time per MB of the event, of the function and of the plain one.
fn measure_kinds(own: impl Fn() -> Command, plain: impl Fn() -> Command) {
    println!(
        "| payload | event | logger-fn, CPU µs/MB | GB/s | plain Rust, CPU µs/MB | of it |\n|---|---|---|---|---|---|"
    );
    for kind in kinds::all() {
        let megabytes = kind.event.len() as f64 / 1e6;
        let cpu_us_a_mb = |command: Command| {
            let function = Function::start(command).unwrap();
            let one = || {
                let cpu = function.cpu();
                function.handle(&kind.event, KIND_EVENTS);
                (function.cpu() - cpu).as_secs_f64() * 1e6 / KIND_EVENTS as f64 / megabytes
            };
            one();
            median((0..ROUNDS).map(|_| one()))
        };
        let (own, plain) = (cpu_us_a_mb(own()), cpu_us_a_mb(plain()));
        let gb_a_second = 1e3 / own;
        println!(
            "| {} | {megabytes:.1} MB | {own:.0} | {gb_a_second:.2} | {plain:.0} | 1/{:.1} |",
            kind.name,
            plain / own
        );
    }
    println!();
}

/// Prints the processor time of a process' first event of 6 MB, and that of a later one.
fn measure_first_invocation(own: impl Fn() -> Command) {
    let event = kinds::event_of(6_000_000);
    let (first, warm): (Vec<f64>, Vec<f64>) = (0..STARTS)
        .map(|_| {
            let function = Function::start(own()).unwrap();
            function.time_to_next();
            let cpu_ms = |events: usize| {
                let cpu = function.cpu();
                function.handle(&event, events);
                (function.cpu() - cpu).as_secs_f64() * 1e3 / events as f64
            };
            (cpu_ms(1), cpu_ms(5))
        })
        .unzip();
    let (first, warm) = (median(first.into_iter()), median(warm.into_iter()));
    println!(
        "an event of {:.1} MB: the first {first:.2} ms of CPU, later ones {warm:.2} ms: {:.2} ×\n",
        event.len() as f64 / 1e6,
        first / warm
    );
}

fn print(rows: &[Row]) {
    let own = &rows[0];
    println!(
        "| what | records/s | logger-fn is | CPU µs/record | of it | peak MiB | spawn → `/next` | zip |\n|---|---|---|---|---|---|---|---|"
    );
    for row in rows {
        let zip = row.zip_mb.map_or("–".to_owned(), |zip_mb| format!("{zip_mb:.2} MB"));
        println!(
            "| {} | {:.0} | {:.2} × | {:.2} | 1/{:.1} | {:.1} | {:.1} ms | {zip} |",
            row.what,
            row.records_a_second,
            own.records_a_second / row.records_a_second,
            row.cpu_us_a_record,
            row.cpu_us_a_record / own.cpu_us_a_record,
            row.peak_mib,
            row.start_ms,
        );
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Packages the function as `cargo make deploy` does. Returns the path of exactly the binary in the zip, and its linkage.
fn packaged() -> (PathBuf, String) {
    let zip = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deployed.zip");
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--locked", "--package", "ops-cli", "--", "--output", "json"]);
    command.args(["package", "--this-machine", "--out"]).arg(zip).current_dir(manifest_dir()).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    (report["binary"].as_str().unwrap().into(), report["linkage"].as_str().unwrap().replace('-', " "))
}

/// Builds a package as for Lambda and returns the path of its binary, or `None` if it cannot be built here.
fn build(package: &str, target: Option<&str>) -> Option<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "build",
        "--quiet",
        "--locked",
        "--profile",
        "lambda",
        "--package",
        package,
        "--message-format",
        "json",
    ]);
    command.current_dir(manifest_dir()).stderr(Stdio::inherit());
    if let Some(target) = target {
        command.args(["--target", target]);
    }
    let output = command.output().unwrap();
    if !output.status.success() {
        return None;
    }
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
    let executables = messages.filter_map(|message| message.unwrap()["executable"].as_str().map(PathBuf::from));
    executables.last()
}

/// Builds the alternatives and returns their folder.
fn build_peers() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--profile", "lambda", "--target-dir"])
        .arg(&target)
        .current_dir(manifest_dir().join("benches/peers"))
        .status();
    assert!(status.unwrap().success());
    target.join("lambda")
}

fn is_installed(target: &str) -> bool {
    let answer = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir())
}

/// Installs AWS's runtime client if it is missing, which compiles libcurl for minutes, and returns its start script.
fn node() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
    let client = folder.join("node_modules/aws-lambda-ric");
    let built = client.join("rapid-client.node");
    if !built.is_file() {
        // npm would treat an interrupted installation as complete.
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).unwrap();
        let arguments = ["install", "--no-audit", "--no-fund", "--prefix"];
        let install = Command::new("npm").args(arguments).arg(&folder).arg(NODE_CLIENT).output();
        let install = install.map_err(|error| format!("npm: {error}"))?;
        if !install.status.success() || !built.is_file() {
            let said = String::from_utf8_lossy(&install.stderr);
            let why = said.lines().rfind(|line| line.contains("rror") && !line.contains("complete log"));
            return Err(why.unwrap_or("npm built nothing").to_owned());
        }
    }
    Ok(client.join("index.mjs"))
}

fn node_command(client: &Path) -> Command {
    let mut command = Command::new("node");
    let function = manifest_dir().join("benches/function");
    command.arg(client).current_dir(&function).env("LAMBDA_TASK_ROOT", &function).env("_HANDLER", "index.handler");
    command
}

/// Returns the size of a zip that contains only the binary.
fn zip_mb(binary: &Path) -> f64 {
    let output = Command::new("gzip").args(["--best", "--stdout"]).arg(binary).output().unwrap();
    output.stdout.len() as f64 / 1e6
}
