//! Runs code as another user of this machine.

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// The user `nobody`, which runs nothing else here.
pub const OTHER: u32 = 65534;

/// Runs `work` as another user, on a thread whose sockets and files belong to that user. Only root can do this; otherwise prints
/// that nothing was run, and returns `None`.
pub fn as_another_user<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    if !geteuid().is_root() {
        eprintln!("not run: only root can act as another user");
        return None;
    }
    let other = || {
        let (user, group) = (Uid::from_raw(OTHER), Gid::from_raw(OTHER));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        work()
    };
    Some(std::thread::scope(|scope| scope.spawn(other).join().unwrap()))
}
