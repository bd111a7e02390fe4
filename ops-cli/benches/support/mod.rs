//! Helpers of the benchmarks: figures, tables, and the memory of processes.
#![allow(dead_code, clippy::unwrap_used, clippy::print_stdout, reason = "each benchmark uses its part")]

#[path = "../../tests/common/mod.rs"]
pub mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// Prints a row of a Markdown table.
pub fn row<const N: usize>(cells: [&str; N]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints the head of a Markdown table after an empty line.
pub fn head<const N: usize>(cells: [&str; N]) {
    println!();
    row(cells);
    println!("|{}", "---|".repeat(N));
}

pub fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{count} cores, {}", model.trim_start_matches([' ', '\t', ':']))
}

pub fn median(figures: &[f64]) -> f64 {
    percentile(figures, 0.5)
}

/// Returns the percentile of the figures for a share from 0 to 1.
pub fn percentile(figures: &[f64], share: f64) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Returns the resident MiB of a process and its children.
pub fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|list| list.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect();
    own.unwrap_or_default() / 1024.0 + children.into_iter().map(resident_mib).sum::<f64>()
}

/// Runs `ops-cli` and parses its output as JSON.
pub fn json(args: &[&str]) -> Value {
    let mut command = Command::new(common::OPS_CLI);
    let output = command.args(["--output", "json"]).args(args).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{args:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
