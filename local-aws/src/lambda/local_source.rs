//! A file or folder on this machine with a function's code: reads it and detects changes.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zip::write::SimpleFileOptions;

use lambda_package::BOOTSTRAP;

/// Files that did not change for this time are complete.
const QUIET: Duration = Duration::from_millis(25);
/// The longest wait for files that keep changing.
const LONGEST_BUILD: Duration = Duration::from_secs(3);
/// After a check, the next one waits for this many times the check's duration.
const CHECK_SHARE: u32 = 20;

/// The file or folder of a function's code, and its state when it was last read.
#[derive(Debug, Clone)]
pub struct LocalSource {
    pub path: PathBuf,
    /// The fingerprint of the code that runs, or of code that was rejected.
    pub fingerprint: u64,
    pub next_check: Instant,
}

/// A zip of local files, and their fingerprint.
pub struct Packed {
    pub zip: Vec<u8>,
    pub fingerprint: u64,
}

/// Reads the files once they do not change any more. Blocks.
///
/// # Errors
/// A file cannot be read; a link leads nowhere or in a circle; an entry is neither a file nor a folder.
pub fn read(path: &Path) -> io::Result<Packed> {
    let fingerprint = wait_until_quiet(path);
    Ok(Packed { zip: pack(path)?, fingerprint })
}

/// The fingerprint, and the time of the next check. Blocks.
pub fn check(path: &Path) -> (u64, Instant) {
    let started = Instant::now();
    let fingerprint = fingerprint(path);
    (fingerprint, Instant::now() + started.elapsed() * CHECK_SHARE)
}

/// Returns the fingerprint of files that do not change any more. Files that change for longer are read as they are.
fn wait_until_quiet(path: &Path) -> u64 {
    let started = Instant::now();
    let mut before = fingerprint(path);
    loop {
        std::thread::sleep(QUIET);
        let now = fingerprint(path);
        if now == before || started.elapsed() > LONGEST_BUILD {
            return now;
        }
        before = now;
    }
}

/// Changes when a file is written, replaced, added or removed: it covers the inode, size and times of each file.
fn fingerprint(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    match files(path) {
        Ok(files) => {
            for file in files {
                file.hash(&mut hasher);
                if let Ok(of) = fs::metadata(&file) {
                    (of.ino(), of.size(), of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()).hash(&mut hasher);
                }
            }
        }
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

/// The files at or below a path, sorted. Links are followed. Hidden files are not code.
///
/// # Errors
/// A folder cannot be read; a link leads nowhere or in a circle; an entry is neither a file nor a folder.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    add_files(path, &mut Vec::new(), &mut found)?;
    found.sort();
    Ok(found)
}

/// Adds the files below a folder. `above` identifies the parent folders, so that a cycle of links is detected.
fn add_files(folder: &Path, above: &mut Vec<(u64, u64)>, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let metadata = fs::metadata(folder)?;
    let own = (metadata.dev(), metadata.ino());
    if above.contains(&own) {
        return Err(io::Error::other(format!("{} is a link to a folder above it", folder.display())));
    }
    above.push(own);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        match fs::metadata(&path) {
            Ok(target) if target.is_dir() => add_files(&path, above, found)?,
            Ok(target) if target.is_file() => found.push(path),
            Ok(_) => return Err(io::Error::other(format!("{} is neither a file nor a folder", path.display()))),
            Err(error) if path.is_symlink() => {
                let target = fs::read_link(&path).unwrap_or_default();
                let message = format!("{} is a link to {}: {error}", path.display(), target.display());
                return Err(io::Error::new(error.kind(), message));
            }
            // Removed since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    above.pop();
    Ok(())
}

/// Writes a zip of the files at a path. A single file becomes `bootstrap`.
fn pack(path: &Path) -> io::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for file in files(path)? {
        let name = match file.strip_prefix(path) {
            Ok(name) if !name.as_os_str().is_empty() => name.to_string_lossy().into_owned(),
            _ => BOOTSTRAP.to_owned(),
        };
        // The zip is read on this machine, so that compressing it would only cost time.
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, options.unix_permissions(fs::metadata(&file)?.permissions().mode() & 0o777))?;
        zip.write_all(&fs::read(&file)?)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_fingerprint_changes_with_every_change_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "one").unwrap();
        let mut seen = vec![fingerprint(folder.path())];
        assert_eq!(fingerprint(folder.path()), seen[0]);
        fs::write(&path, "longer").unwrap();
        seen.push(fingerprint(folder.path()));
        fs::write(&other, "second").unwrap();
        seen.push(fingerprint(folder.path()));
        fs::rename(&other, &path).unwrap();
        seen.push(fingerprint(folder.path()));
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/c"), "").unwrap();
        seen.push(fingerprint(folder.path()));
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::write(folder.path().join(".git/index"), "").unwrap();
        assert_eq!(fingerprint(folder.path()), seen[4]);
    }

    #[test]
    fn links_are_followed_and_those_that_cannot_be_are_named() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("lib.py"), "lib").unwrap();
        symlink(other.path(), folder.path().join("shared")).unwrap();
        symlink(other.path().join("lib.py"), folder.path().join("index.py")).unwrap();
        let found = files(folder.path()).unwrap();
        assert_eq!(found, ["index.py", "shared/lib.py"].map(|name| folder.path().join(name)));
        let before = fingerprint(folder.path());
        fs::write(other.path().join("lib.py"), "changed").unwrap();
        assert_ne!(fingerprint(folder.path()), before);

        let missing = folder.path().join("missing");
        symlink("nowhere", &missing).unwrap();
        let error = files(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{} is a link to nowhere: No such file", missing.display())), "{error}");
        fs::remove_file(&missing).unwrap();

        let circle = folder.path().join("shared/circle");
        symlink(folder.path(), &circle).unwrap();
        let error = files(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("{} is a link to a folder above it", circle.display()));
    }
}
