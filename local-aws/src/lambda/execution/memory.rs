//! The memory of a function: that of its process and of the process's descendants.
//!
//! For a process without children the kernel knows the peak, so that nothing between two measurements is missed. With children,
//! the present memory counts: pages that processes share are divided among them (PSS). That is slow to read for large
//! processes, so it is read only when their resident memory, shared pages counted several times, is a new maximum.

use std::fs;

/// The memory in use, in KiB; `None` if the process has ended. `measured` is the maximum until now.
pub fn used_kib(pid: u32, measured: u64) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = field_kib(&status, "VmHWM:")?;
    let descendants = descendants(pid);
    if descendants.is_empty() {
        return Some(peak);
    }
    let resident = field_kib(&status, "VmRSS:").unwrap_or_default();
    let all: u64 = resident + descendants.iter().filter_map(|pid| resident_kib(*pid)).sum::<u64>();
    if all <= measured.max(peak) {
        return Some(peak);
    }
    let tree = std::iter::once(pid).chain(descendants);
    let shares = tree.filter_map(|pid| share_kib(pid).or_else(|| resident_kib(pid)));
    Some(peak.max(shares.sum()))
}

fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut waiting = vec![pid];
    while let Some(parent) = waiting.pop() {
        let children = children(parent);
        found.extend(&children);
        waiting.extend(children);
    }
    found
}

/// The kernel lists the children of each thread.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn resident_kib(pid: u32) -> Option<u64> {
    field_kib(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?, "VmRSS:")
}

fn share_kib(pid: u32) -> Option<u64> {
    field_kib(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?, "Pss:")
}

/// The value of a line such as `VmHWM:     5120 kB`.
fn field_kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_field_is_read_in_kib() {
        let status = "VmPeak:\t  9000 kB\nVmHWM:\t    5120 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(field_kib(status, "VmHWM:"), Some(5120));
        assert_eq!(field_kib("Name:\tzombie\n", "VmHWM:"), None);
    }

    #[test]
    fn descendants_include_grandchildren() {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "/bin/sh -c 'echo ready; read end; exit'; exit"]);
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0];
        std::io::Read::read_exact(&mut shell.stdout.take().unwrap(), &mut ready).unwrap();
        assert_eq!(children(shell.id()).len(), 1);
        assert!(descendants(std::process::id()).len() >= 2);
        let used = used_kib(shell.id(), 0).unwrap();
        assert!(used > 0, "{used}");
        shell.kill().ok();
        shell.wait().unwrap();
        assert_eq!(used_kib(shell.id(), 0), None);
    }
}
