//! What another user of this machine can do.

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// `nobody`, who starts nothing else here.
pub const OTHER: u32 = 65534;

/// Does `work` as another user, on a thread of its own: the kernel counts the thread's sockets and files as that user's.
/// Only root can; for anybody else it says that nothing was done.
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
