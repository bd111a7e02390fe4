//! Creates folders and files that only this user can access, whatever the umask: modes 0700 and 0600.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use tempfile::TempDir;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;
const PROGRAM: u32 = 0o700;
/// All permissions of users other than the owner.
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;
const ALL_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Creates the folder and its missing parents.
pub fn create_dir_all(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(folder)
}

/// Creates or truncates a file for writing.
pub fn create(file: &Path) -> io::Result<File> {
    open(file, FILE)
}

/// Like [`create`], for an executable file.
pub fn create_program(file: &Path) -> io::Result<File> {
    open(file, PROGRAM)
}

fn open(file: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(file)
}

/// Writes a whole file.
pub fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    create(file)?.write_all(bytes)
}

/// Creates a temporary folder.
///
/// # Errors
/// The folder cannot be created, or other users could replace it.
pub fn temporary_folder(prefix: &str) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(FOLDER)).tempdir()?;
    let unsafe_here = |reason| io::Error::new(io::ErrorKind::PermissionDenied, format!("{reason} (TMPDIR sets it)"));
    check(folder.path()).map_err(unsafe_here)?;
    Ok(folder)
}

/// Checks that other users can neither write to a folder nor replace it.
///
/// # Errors
/// The reason why they could, and what to do.
pub fn check(folder: &Path) -> Result<(), String> {
    let own = geteuid().as_raw();
    let unreadable = |error: io::Error| error.to_string();
    let link = fs::symlink_metadata(folder).map_err(unreadable)?;
    if link.is_symlink() && ![own, 0].contains(&link.uid()) {
        return Err(format!("it is a symbolic link of user {}; use another folder", link.uid()));
    }
    let found = fs::metadata(folder).map_err(unreadable)?;
    if !found.is_dir() {
        return Err("it is not a folder; use another one".into());
    }
    if found.uid() != own {
        return Err(format!(
            "it belongs to user {}, and this is user {own}; run the endpoint as its owner, or use another folder",
            found.uid()
        ));
    }
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(format!(
            "other users can write to it (mode {:o}); if its content is yours, run: chmod 700 {}",
            found.mode() & 0o7777,
            folder.display()
        ));
    }
    check_above(folder, own)
}

/// Checks that other users cannot move the folder away.
fn check_above(folder: &Path, own: u32) -> Result<(), String> {
    let unreadable = |error: io::Error| error.to_string();
    let real = folder.canonicalize().map_err(unreadable)?;
    let absolute = std::path::absolute(folder).map_err(unreadable)?;
    let is_through_a_link = absolute.ancestors().any(Path::is_symlink);
    for above in real.ancestors().skip(1) {
        let found = fs::metadata(above).map_err(unreadable)?;
        if found.mode() & ALL_WRITE != 0 && found.mode() & STICKY == 0 {
            return Err(format!("every user can write to {}, and so replace it; use another folder", above.display()));
        }
        if is_through_a_link && ![own, 0].contains(&found.uid()) {
            let (above, user) = (above.display(), found.uid());
            return Err(format!(
                "a symbolic link leads into {above}, which belongs to user {user}; use another folder"
            ));
        }
    }
    Ok(())
}

/// Removes the permissions of other users from the folder and everything in it. Does not follow links.
///
/// # Errors
/// An entry belongs to another user, is a link to a target that other users can change, or cannot be read.
pub fn tighten(folder: &Path) -> io::Result<()> {
    tighten_one(folder, false)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            tighten(&path)?;
        } else {
            tighten_one(&path, true)?;
            if kind.is_symlink() {
                check_target(&path)?;
            }
        }
    }
    Ok(())
}

/// Checks that other users cannot change the target of a link in the folder, if the target exists.
fn check_target(link: &Path) -> io::Result<()> {
    let own = geteuid().as_raw();
    let reason = match fs::metadata(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(target) if target.uid() != own => Err(format!("its target belongs to user {}", target.uid())),
        Ok(target) if target.mode() & OTHERS_WRITE != 0 => Err("other users can write to its target".to_owned()),
        Ok(_) => check_above(link, own),
    };
    reason.map_err(|reason| {
        let reason = format!("{} is a symbolic link: {reason}", link.display());
        io::Error::new(io::ErrorKind::PermissionDenied, reason)
    })
}

/// Changes the file that was inspected, even if a link has replaced it meanwhile.
fn tighten_one(path: &Path, stays: bool) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        // An endpoint that has the folder open may remove files.
        Err(error) if stays && error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if found.uid() != geteuid().as_raw() {
        let reason = format!("{} belongs to user {}", path.display(), found.uid());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    // Opens only files and folders. Opening a FIFO would block, and its mode reveals nothing.
    if found.mode() & OTHERS == 0 || !(found.is_file() || found.is_dir()) {
        return Ok(());
    }
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    opened.set_permissions(Permissions::from_mode(found.mode() & 0o7777 & !OTHERS))
}

/// Runs `work` on a thread that creates private files, as do the threads that it starts and the libraries that it
/// calls. If the system does not allow a thread to have its own umask (Docker's default profile does not), the umask of
/// the process applies.
#[expect(unsafe_code, reason = "rustix has one function for everything that can be unshared")]
pub fn with_private_files<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let private = || {
        // SAFETY: the thread gets its own working folder, root and umask. File descriptors, which make the function unsafe,
        // stay shared.
        if unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FS) }.is_ok() {
            rustix::process::umask(Mode::from_raw_mode(OTHERS));
        }
        work()
    };
    std::thread::scope(|scope| match scope.spawn(private).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn created_files_and_folders_are_private() {
        let folder = temporary_folder("private-").unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        let (deep, file, program) = (folder.path().join("a/b"), folder.path().join("f"), folder.path().join("p"));
        create_dir_all(&deep).unwrap();
        write(&file, b"x").unwrap();
        create_program(&program).unwrap();
        let modes = [&folder.path().join("a"), &deep, &file, &program].map(|path| mode(path));
        assert_eq!(modes, [0o700, 0o700, 0o600, 0o700]);
    }

    /// On its own thread, because the process has one umask for all tests.
    #[test]
    fn files_of_libraries_and_of_their_threads_are_private_too() {
        let folder = temporary_folder("private-").unwrap();
        let (file, of_thread) = (folder.path().join("f"), folder.path().join("t"));
        let umask = || fs::read_to_string("/proc/thread-self/status").unwrap();
        let before = umask();
        with_private_files(|| {
            File::create(&file).unwrap();
            fs::create_dir(folder.path().join("d")).unwrap();
            let of_thread = of_thread.clone();
            std::thread::spawn(move || File::create(of_thread).unwrap()).join().unwrap();
        });
        let modes = [file, of_thread, folder.path().join("d")].map(|path| mode(&path));
        assert_eq!(modes, [0o600, 0o600, 0o700]);
        let line = |status: &str| status.lines().find(|line| line.starts_with("Umask")).unwrap().to_owned();
        assert_eq!(line(&umask()), line(&before));
    }

    #[test]
    fn tightening_covers_everything_in_a_folder() {
        let folder = temporary_folder("private-").unwrap();
        let (inner, file, outside) =
            (folder.path().join("d"), folder.path().join("d/f"), temporary_folder("o").unwrap());
        fs::create_dir(&inner).unwrap();
        fs::write(&file, "").unwrap();
        let target = outside.path().join("f");
        fs::write(&target, "").unwrap();
        symlink(&target, inner.join("link")).unwrap();
        for (path, loose) in [(folder.path(), 0o755), (&inner, 0o777), (&file, 0o755), (&target, 0o644)] {
            set_mode(path, loose);
        }
        check(folder.path()).unwrap();
        tighten(folder.path()).unwrap();
        let modes = [folder.path(), &inner, &file, &target].map(mode);
        assert_eq!(modes, [0o700, 0o700, 0o700, 0o644]);
    }

    #[test]
    fn a_folder_that_others_can_write_to_or_replace_is_refused() {
        let parent = temporary_folder("private-").unwrap();
        let folder = parent.path().join("data");
        create_dir_all(&folder).unwrap();
        for (writable, words) in [(0o770, "mode 770"), (0o702, "chmod 700"), (0o777, "other users can write to it")] {
            set_mode(&folder, writable);
            let refused = check(&folder).unwrap_err();
            assert!(refused.contains(words), "{refused}");
        }
        set_mode(&folder, 0o700);
        set_mode(parent.path(), 0o777);
        let refused = check(&folder).unwrap_err();
        assert!(refused.contains("every user can write to"), "{refused}");
        set_mode(parent.path(), 0o1777);
        check(&folder).unwrap();
    }

    #[test]
    #[allow(clippy::print_stderr)]
    fn another_users_folder_link_or_file_is_refused() {
        if !geteuid().is_root() {
            eprintln!("not run: only root can give a folder to another user");
            return;
        }
        let parent = temporary_folder("private-").unwrap();
        let path = |name: &str| parent.path().join(name);
        for name in ["theirs", "theirs/mine", "mine"] {
            create_dir_all(&path(name)).unwrap();
        }
        chown(path("theirs"), Some(65534), Some(65534)).unwrap();
        check(&path("mine")).unwrap();
        assert!(check(&path("theirs")).unwrap_err().contains("it belongs to user 65534, and this is user 0"));

        symlink(path("mine"), path("link")).unwrap();
        check(&path("link")).unwrap();
        std::os::unix::fs::lchown(path("link"), Some(65534), None).unwrap();
        assert!(check(&path("link")).unwrap_err().contains("a symbolic link of user 65534"));
        symlink(path("theirs"), path("into")).unwrap();
        let refused = check(&path("into/mine")).unwrap_err();
        assert!(refused.contains("which belongs to user 65534"), "{refused}");

        let refusal = || tighten(&path("mine")).unwrap_err().to_string();
        write(&path("mine/planted"), b"").unwrap();
        chown(path("mine/planted"), Some(65534), None).unwrap();
        assert!(refusal().contains("planted belongs to user 65534"), "{}", refusal());
        fs::remove_file(path("mine/planted")).unwrap();

        // Files that were planted while other users could still write to the folder.
        let planted = path("mine/destinations");
        symlink(parent.path(), &planted).unwrap();
        tighten(&path("mine")).unwrap();
        std::os::unix::fs::lchown(&planted, Some(65534), None).unwrap();
        assert!(refusal().contains("destinations belongs to user 65534"), "{}", refusal());
        for (target, words) in
            [("theirs", "its target belongs to user 65534"), ("theirs/mine", "which belongs to user 65534")]
        {
            fs::remove_file(&planted).unwrap();
            symlink(path(target), &planted).unwrap();
            assert!(refusal().contains(words), "{}", refusal());
        }
        fs::remove_file(&planted).unwrap();
        create_dir_all(&path("loose")).unwrap();
        set_mode(&path("loose"), 0o777);
        symlink(path("loose"), &planted).unwrap();
        assert!(refusal().contains("other users can write to its target"), "{}", refusal());
    }
}
