//! Runs the function with a part of a processor, as Lambda does: a function has one processor per 1,769 MB of memory
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::runtime_api::Function;

/// Lambda's price per GB-second on x86_64 in us-east-1, in USD, and per million requests.
/// <https://aws.amazon.com/lambda/pricing/>
const USD_PER_GB_SECOND: f64 = 0.000_016_666_7;
const USD_PER_MILLION_REQUESTS: f64 = 0.20;

const MEMORY_MB: [u32; 6] = [128, 256, 512, 1024, 1769, 3008];
const MB_PER_PROCESSOR: f64 = 1769.0;
/// The period of the scheduler's quota. A short one is smooth.
const PERIOD_US: f64 = 20_000.0;
const TIME: Duration = Duration::from_secs(3);

/// A control group (version 1 or 2) that limits the processor time of a process.
struct Group(PathBuf);

impl Group {
    /// Creates the group. Returns `None` if this system does not permit that.
    fn create(processors: f64) -> Option<Self> {
        let name = format!("logger-fn-bench-{}", std::process::id());
        let quota_us = (processors * PERIOD_US).round();
        let v1 = Path::new("/sys/fs/cgroup/cpu").join(&name);
        if std::fs::create_dir(&v1).is_ok() {
            let group = Self(v1);
            std::fs::write(group.0.join("cpu.cfs_period_us"), PERIOD_US.to_string()).ok()?;
            std::fs::write(group.0.join("cpu.cfs_quota_us"), quota_us.to_string()).ok()?;
            return Some(group);
        }
        let group = Self(Path::new("/sys/fs/cgroup").join(&name));
        std::fs::create_dir(&group.0).ok()?;
        std::fs::write(group.0.join("cpu.max"), format!("{quota_us} {PERIOD_US}")).ok()?;
        Some(group)
    }

    fn add(&self, process_id: u32) -> Option<()> {
        std::fs::write(self.0.join("cgroup.procs"), process_id.to_string()).ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group can be removed as soon as its processes have ended.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Prints for each memory setting the records per second and the price of a million records.
pub fn measure(own: impl Fn() -> Command, event: &Arc<[u8]>, records: usize) {
    println!("| memory | processors | records/s | USD per million records |\n|---|---|---|---|");
    for memory in MEMORY_MB {
        let processors = f64::from(memory) / MB_PER_PROCESSOR;
        let Some(seconds) = seconds_an_event(&own, event, processors) else {
            println!("no table: this system does not permit to create a control group");
            return;
        };
        // Lambda bills whole milliseconds.
        let billed = (seconds * 1e3).ceil() / 1e3;
        let usd = billed * f64::from(memory) / 1024.0 * USD_PER_GB_SECOND + USD_PER_MILLION_REQUESTS / 1e6;
        println!(
            "| {memory} MB | {processors:.2} | {:.0} | {:.5} |",
            records as f64 / seconds,
            usd * 1e6 / records as f64
        );
    }
}

fn seconds_an_event(own: impl Fn() -> Command, event: &Arc<[u8]>, processors: f64) -> Option<f64> {
    let group = Group::create(processors)?;
    let function = Function::start(own()).ok()?;
    function.time_to_next();
    function.handle(event, 5);
    group.add(function.process_id())?;
    function.handle(event, 2);
    let (begun, mut events) = (Instant::now(), 0);
    while begun.elapsed() < TIME {
        function.handle(event, 1);
        events += 1;
    }
    let seconds = begun.elapsed().as_secs_f64() / f64::from(events);
    drop(function);
    Some(seconds)
}
