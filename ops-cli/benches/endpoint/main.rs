//! `cargo make bench`: the endpoint's speed and size, compared with other emulators and with its goals, as Markdown tables.
//! Arguments select tables: `beside`, `rust`, `latency`, `throughput`, `curve`. `BENCH_OPS_CLI` names another build of `ops-cli`
//! to measure, without the other emulators.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends at the first surprise")]

mod beside;
mod curve;
mod mappings;
mod rust_puts;
mod server;
mod setup;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use support::{json, machine};

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [server::SERVE_FERROKINESIS, port] = args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return server::serve_ferrokinesis(port.parse().unwrap()).await;
    }
    let chosen = |table: &str| args.is_empty() || args.iter().any(|arg| arg == table);
    let zip = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-endpoint.zip");
    json(&["package", "--this-machine", "--out", zip.to_str().unwrap()]);
    println!("machine: {}", machine());
    let is_alone = std::env::var_os("BENCH_OPS_CLI").is_some();
    let peers = if !is_alone && (chosen("beside") || chosen("latency")) { server::peers() } else { Vec::new() };
    if chosen("beside") {
        beside::table(&peers).await;
    }
    if chosen("rust") {
        rust_puts::table().await;
    }
    if chosen("latency") {
        mappings::latency_table(&zip, &peers).await;
    }
    if chosen("throughput") {
        mappings::throughput_table(&zip).await;
    }
    if chosen("curve") {
        curve::table(&zip).await;
    }
}
