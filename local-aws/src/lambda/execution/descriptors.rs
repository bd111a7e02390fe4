//! Descriptors of this process that its children would get.
#![expect(unsafe_code, reason = "there is no other way to name a descriptor that this process was born with")]

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Has every open descriptor but stdin, stdout and stderr closed in children. Whoever started this process may have left
/// some open; what Rust opens is closed there anyway.
pub fn close_in_children() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2) {
        // SAFETY: the descriptor is used for two calls that read and set its flag, and not kept. Should it have been closed
        // meanwhile, they fail; should it be another one's by then, that one is closed in children too, as all are.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor) {
            fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC).ok();
        }
    }
}
