//! How glibc's allocator is set for `ops-cli local`, which runs for days with a memory limit.
//!
//! By default each thread frees into an arena of its own, and an arena returns memory only from its end. Every freed large
//! block also raises the size from which blocks are mapped one by one. `publish` relies on these defaults and keeps them.

/// Has freed memory returned to the system. Call it before any thread is started: a thread keeps the arena that it has.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe binding")]
pub fn return_freed_memory() {
    /// Blocks from this size on are mapped, and unmapped when they are freed: the bodies of large requests.
    const MMAP_BYTES: libc::c_int = 4 << 20;
    /// What may stay free at the end of the one arena.
    const TRIM_BYTES: libc::c_int = 8 << 20;
    // SAFETY: mallopt only sets parameters of the allocator, under the allocator's own lock (mallopt(3)). It refuses a value
    // that it does not support by returning 0, and then the defaults stay.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_BYTES);
    }
}

/// Other allocators return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_freed_memory() {}
