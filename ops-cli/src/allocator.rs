//! Settings of glibc's allocator for `ops-cli local`, which runs for days with a memory limit, and for `consume`, which reads
//! pages of many MiB.
//!
//! By default each thread frees memory into its own arena, and an arena returns memory to the system only from its end. Every
//! large block that is freed also raises the size from which blocks are mapped individually. `publish` relies on these defaults
//! and keeps them.

/// Makes the allocator return freed memory to the system. Call it before the first thread starts, because a thread keeps its
/// arena.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe binding")]
pub fn return_freed_memory() {
    /// Blocks of this size and above, such as the bodies of large requests, are mapped, and unmapped when they are freed.
    const MMAP_BYTES: libc::c_int = 4 << 20;
    /// Free bytes that may remain at the end of the only arena.
    const TRIM_BYTES: libc::c_int = 8 << 20;
    // SAFETY: mallopt only sets parameters of the allocator, under the allocator's own lock (mallopt(3)). For a value that it
    // does not support it returns 0 and changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_BYTES);
    }
}

/// Does nothing: other allocators return memory by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn return_freed_memory() {}
