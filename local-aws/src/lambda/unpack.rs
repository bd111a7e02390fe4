//! Unpacking a package.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::package::{BOOTSTRAP, MAX_UNPACKED_BYTES, PackageError, entry_path, open};
use super::tree::Tree;
use crate::private;

/// Unpacks a zip into `folder`, which must exist. Files that the zip calls executable, and `bootstrap`, are made so; no other
/// mode bit is taken over.
///
/// # Errors
/// As [`Package::read`](super::package::Package::read); the data of an entry is not what the zip says; any failure to write.
pub fn unpack(zip: &[u8], folder: &Path) -> Result<(), PackageError> {
    unpack_within(zip, folder, MAX_UNPACKED_BYTES)
}

pub(super) fn unpack_within(zip: &[u8], folder: &Path, max_bytes: u64) -> Result<(), PackageError> {
    let mut archive = open(zip)?;
    // The directory's sizes may lie: what is written counts.
    let mut left = max_bytes;
    let mut tree = Tree::default();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|_| PackageError::NotAZip)?;
        let is_folder = entry.is_dir();
        let Some(path) = entry_path(&entry)? else { continue };
        tree.add(&path, is_folder)?;
        let target = folder.join(&path);
        if is_folder {
            private::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            private::create_dir_all(parent)?;
        }
        let is_executable = path == Path::new(BOOTSTRAP) || entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let create = if is_executable { private::create_program } else { private::create };
        copy(&mut entry, &mut create(&target)?, &mut left)?;
    }
    Ok(())
}

/// What cannot be read is the zip's fault, what cannot be written this machine's.
fn copy(from: &mut impl Read, to: &mut File, left: &mut u64) -> Result<(), PackageError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).map_err(|_| PackageError::NotAZip)?;
        if read == 0 {
            return Ok(());
        }
        *left = left.checked_sub(read as u64).ok_or(PackageError::TooLarge)?;
        to.write_all(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::package::tests::zip_of;
    use super::*;

    #[test]
    fn set_user_id_bits_are_not_taken_over() {
        let mut zip = zip_of(&[("program", b"#!/bin/sh\n")]);
        // The mode is in the upper half of the directory entry's external attributes.
        let entry = zip.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
        zip[entry + 40..entry + 42].copy_from_slice(&0o106_777_u16.to_le_bytes());
        let folder = tempfile::tempdir().unwrap();
        unpack(&zip, folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join("program")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7022, 0, "{mode:o}");
        assert_eq!(mode & 0o100, 0o100, "{mode:o}");
    }

    /// A directory that says one byte, and data that is a million.
    #[test]
    fn a_bomb_that_lies_about_its_size_is_refused() {
        let mut zip = zip_of(&[("bomb", &vec![0; 1_000_000])]);
        for (signature, offset) in [(b"PK\x01\x02", 24), (b"PK\x03\x04", 22)] {
            let entry = zip.windows(4).position(|bytes| bytes == signature).unwrap();
            zip[entry + offset..entry + offset + 4].copy_from_slice(&1_u32.to_le_bytes());
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack_within(&zip, folder.path(), 1000).is_err());
        let written = fs::metadata(folder.path().join("bomb")).map_or(0, |file| file.len());
        assert!(written <= 1001, "{written}");
    }

    #[test]
    fn files_are_unpacked_and_only_programs_are_executable() {
        let zip = zip_of(&[(BOOTSTRAP, b"#!/bin/sh\n"), ("lib/data.txt", b"data")]);
        let folder = tempfile::tempdir().unwrap();
        unpack(&zip, folder.path()).unwrap();
        assert_eq!(fs::read(folder.path().join("lib/data.txt")).unwrap(), b"data");
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(BOOTSTRAP) & 0o100, 0o100);
        assert_eq!(mode("lib/data.txt") & 0o111, 0);
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn what_is_unpacked_is_for_its_owner_only() {
        let zip = zip_of(&[(BOOTSTRAP, b"#!/bin/sh\n"), ("a/b/data.txt", b"data")]);
        let folder = tempfile::tempdir().unwrap();
        unpack(&zip, folder.path()).unwrap();
        let modes = [BOOTSTRAP, "a", "a/b", "a/b/data.txt"].map(|name| mode(&folder.path().join(name)));
        assert_eq!(modes, [0o700, 0o700, 0o700, 0o600]);
    }

    /// Every zip that differs from a good one in one byte, or ends early, is unpacked or refused as no zip.
    #[test]
    fn a_damaged_zip_is_unpacked_or_refused_in_awss_words() {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for name in [BOOTSTRAP, "lib/a.txt"] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(b"#!/bin/sh\nexec cat a.txt a.txt a.txt a.txt\n").unwrap();
        }
        let good = writer.finish().unwrap().into_inner();
        let mut refused_only_when_unpacked = 0;
        let flipped = (0..good.len()).flat_map(|at| [1, 0x40, 0xff].map(|bits| (at, bits))).map(|(at, bits)| {
            let mut zip = good.clone();
            zip[at] ^= bits;
            zip
        });
        for zip in flipped.chain((0..good.len()).map(|length| good[..length].to_vec())) {
            let Ok(_) = super::super::package::Package::read(&zip) else { continue };
            let folder = tempfile::tempdir().unwrap();
            match unpack(&zip, folder.path()) {
                Ok(()) => {}
                Err(PackageError::NotAZip) => refused_only_when_unpacked += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(refused_only_when_unpacked > 10, "{refused_only_when_unpacked}");
    }
}
