//! The files by which `--local` finds the credentials of a running `ops-cli local`. There is one file per port, readable for its
//! user only, in `$XDG_RUNTIME_DIR/ops-cli` or in `ops-cli-UID` in the folder for temporary files.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use local_aws::Credentials;
use rustix::process::{Pid, geteuid, test_kill_process};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A running endpoint.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RegisteredEndpoint {
    process: i32,
    #[serde(flatten)]
    credentials: Credentials,
}

impl RegisteredEndpoint {
    /// Whether the process exists. An endpoint that was killed leaves its file behind.
    fn is_running(&self) -> bool {
        // Signalling a process of another user fails, which counts as not running.
        Pid::from_raw(self.process).is_some_and(|process| test_kill_process(process).is_ok())
    }
}

/// The file of this process's endpoint, which is removed on drop.
#[must_use]
pub struct Registration(PathBuf);

impl Drop for Registration {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Writes the credentials of this process's endpoint to its file.
///
/// # Errors
/// There is no folder that only this user can access, or it cannot be written.
pub fn register(port: u16, credentials: &Credentials) -> Result<Registration> {
    let folder = folder();
    let failed = |error: io::Error| unusable(&folder, &error.to_string());
    remove_stale(&private(&folder)?).map_err(failed)?;
    let path = file(&folder, port);
    let process = i32::try_from(std::process::id()).unwrap_or_default();
    let entry = RegisteredEndpoint { process, credentials: credentials.clone() };
    // Created for its owner only (0600), and renamed when it is complete.
    let mut temporary = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    serde_json::to_writer(&mut temporary, &entry).map_err(|error| failed(error.into()))?;
    temporary.flush().map_err(failed)?;
    temporary.persist(&path).map_err(|error| failed(error.error))?;
    Ok(Registration(path))
}

/// The credentials of the endpoint that this user runs on `port`, if there is one.
///
/// # Errors
/// Other users can write to the folder.
pub fn credentials(port: u16) -> Result<Option<Credentials>> {
    let folder = folder();
    if !folder.exists() {
        return Ok(None);
    }
    let entry = read(&file(&private(&folder)?, port));
    Ok(entry.filter(RegisteredEndpoint::is_running).map(|entry| entry.credentials))
}

/// The folder, which is the same for every process of this user with the same environment.
fn folder() -> PathBuf {
    let given = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
    // After `su` or `sudo` the variable may name another user's folder.
    match given.filter(|folder| check(folder).is_ok()) {
        Some(folder) => folder.join("ops-cli"),
        None => std::env::temp_dir().join(format!("ops-cli-{}", geteuid().as_raw())),
    }
}

fn file(folder: &Path, port: u16) -> PathBuf {
    folder.join(format!("{port}.json"))
}

/// Creates the folder if necessary, and checks that only this user can access it.
fn private(folder: &Path) -> Result<PathBuf> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(unusable(folder, &error.to_string())),
        _ => check(folder).map(|()| folder.to_owned()).map_err(|reason| unusable(folder, &reason)),
    }
}

/// Returns the reason if other users can access a folder.
fn check(folder: &Path) -> std::result::Result<(), String> {
    // A symbolic link is not followed.
    let found = fs::symlink_metadata(folder).map_err(|error| error.to_string())?;
    if !found.is_dir() {
        return Err("it is not a folder".into());
    }
    if found.uid() != geteuid().as_raw() {
        return Err(format!("it belongs to user {}", found.uid()));
    }
    if found.mode() & 0o077 != 0 {
        return Err(format!("other users can access it (mode {:o})", found.mode() & 0o777));
    }
    Ok(())
}

fn unusable(folder: &Path, reason: &str) -> Error {
    Error::failed(format!("could not store the endpoint's credentials in {}: {reason}", folder.display()))
        .hint("remove it, or set XDG_RUNTIME_DIR to a folder that only you can access (mode 0700)")
}

fn read(path: &Path) -> Option<RegisteredEndpoint> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remove_stale(folder: &Path) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if read(&path).is_some_and(|entry| !entry.is_running()) {
            fs::remove_file(path).ok();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_a_private_folder_is_used() {
        let parent = tempfile::tempdir().unwrap();
        let folder = private(&parent.path().join("new")).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
        let link = parent.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(private(&link).unwrap_err().message.contains("it is not a folder"));
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(private(&folder).unwrap_err().message.contains("other users can access it (mode 755)"));
    }

    #[test]
    fn the_file_of_an_ended_process_is_removed() {
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let entry = |process| RegisteredEndpoint { process, credentials: Credentials::random() };
        let folder = tempfile::tempdir().unwrap();
        let write = |port, entry| fs::write(file(folder.path(), port), serde_json::to_vec(&entry).unwrap()).unwrap();
        write(1, entry(i32::try_from(gone.id()).unwrap()));
        write(2, entry(i32::try_from(std::process::id()).unwrap()));
        remove_stale(folder.path()).unwrap();
        assert!(!file(folder.path(), 1).exists());
        assert!(read(&file(folder.path(), 2)).unwrap().is_running());
    }
}
