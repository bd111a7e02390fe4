//! Descriptors of this process that its children would inherit.
#![expect(unsafe_code, reason = "there is no other way to name a descriptor that this process was born with")]

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Marks every open descriptor except stdin, stdout and stderr as closed in children. The program that started this process
/// may have left some open. Those that Rust opens have the mark already.
pub fn close_in_children() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<RawFd>().ok());
    for number in numbers.filter(|number| *number > 2) {
        // SAFETY: the descriptor is used for two calls that read and set its flag, and is not stored. If it has been closed
        // meanwhile, they fail. If its number has been reused, that descriptor is closed in children too, as all are.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(descriptor) {
            fcntl_setfd(descriptor, flags | FdFlags::CLOEXEC).ok();
        }
    }
}
