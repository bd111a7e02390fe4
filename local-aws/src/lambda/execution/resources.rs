//! What a function's process may use. Memory is watched, not limited by the kernel: an address space limit stops Node.js,
//! which reserves gigabytes it never touches, and a control group needs rights that few have at a desk.

use std::convert::Infallible;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::process::Process;

/// Open files of a process. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const OPEN_FILES: u64 = 1024;

/// Between two looks at a process's memory; the first ones are nearer to each other.
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// Limits a process that was just started. Its threads are not limited: the kernel would count all of this user's.
pub fn limit(pid: Pid) {
    let to = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    // A core dump of a function belongs nowhere.
    for (resource, limit) in [(Resource::Core, to(0)), (Resource::Nofile, to(OPEN_FILES))] {
        // It may be gone already, or have lower limits from whoever started us.
        prlimit(Some(pid), resource, limit).ok();
    }
}

impl Process {
    /// Kills the process once it has used more memory than the function has: its peak is the kernel's, so that nothing
    /// between two looks is missed. Ends with the invocation.
    pub async fn watch_memory(&self) -> Infallible {
        let mut look = Duration::from_millis(1);
        loop {
            tokio::time::sleep(look).await;
            look = (look * 2).min(LONGEST_LOOK);
            let (used, size) = (self.max_memory_mb(), self.spec.settings.memory_mb);
            if used > u64::from(size) {
                tracing::warn!(function = self.spec.name, pid = self.pid, "killed: it used {used} MB of its {size} MB");
                self.kill();
                return std::future::pending().await;
            }
        }
    }
}
