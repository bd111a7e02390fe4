//! The limits of a function's process. Memory is measured and not limited by the kernel: a limit of the address space stops
//! Node.js, which reserves gigabytes that it never touches, and a control group needs rights that few developers have.

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The most open files of a process. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const OPEN_FILES: u64 = 1024;

/// Limits a process that has just started. Threads are not limited: the kernel would count all threads of the user.
pub fn apply(pid: Pid) {
    let to = |most: u64| Rlimit { current: Some(most), maximum: Some(most) };
    // Without core dumps.
    for (resource, limit) in [(Resource::Core, to(0)), (Resource::Nofile, to(OPEN_FILES))] {
        // An error means that the process has ended, or that the endpoint itself has lower limits.
        prlimit(Some(pid), resource, limit).ok();
    }
}
