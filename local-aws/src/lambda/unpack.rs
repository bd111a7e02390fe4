//! Unpacks a package.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use lambda_package::{BOOTSTRAP, MAX_UNPACKED_BYTES, PackageError, for_each_entry};

use crate::private;

/// The reason why a package could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error(transparent)]
    Package(#[from] PackageError),
    #[error("The package could not be unpacked: {0}")]
    Io(#[from] io::Error),
}

/// Unpacks a zip into `folder`, which must exist. `bootstrap` and the files that the zip marks as executable become
/// executable. All other mode bits are ignored.
///
/// # Errors
/// As [`for_each_entry`], and if the data of an entry differs from the zip's directory or a file cannot be written.
pub fn unpack(zip: &[u8], folder: &Path) -> Result<(), UnpackError> {
    unpack_within(zip, folder, MAX_UNPACKED_BYTES)
}

fn unpack_within(zip: &[u8], folder: &Path, max_bytes: u64) -> Result<(), UnpackError> {
    // The sizes in the zip's directory may be wrong, so the written bytes are counted.
    let mut left = max_bytes;
    for_each_entry(zip, |mut entry| {
        let target = folder.join(entry.path());
        if entry.is_folder() {
            return Ok(private::create_dir_all(&target)?);
        }
        if let Some(parent) = target.parent() {
            private::create_dir_all(parent)?;
        }
        let is_executable = entry.path() == Path::new(BOOTSTRAP) || entry.is_executable();
        let create = if is_executable { private::create_program } else { private::create };
        copy(&mut entry, &mut create(&target)?, &mut left)
    })
}

/// A read error means that the zip is damaged. A write error means that this machine has a problem.
fn copy(from: &mut impl Read, to: &mut File, left: &mut u64) -> Result<(), UnpackError> {
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
pub mod tests {
    use std::fs;
    use std::io::Cursor;
    use std::os::unix::fs::PermissionsExt;

    use lambda_package::Package;
    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    /// A zip of the given files, none of them marked executable.
    pub fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        for (name, bytes) in files {
            writer.start_file(*name, options.unix_permissions(0o644)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn entries_outside_the_folder_are_rejected() {
        for name in ["../evil", "a/../../evil", "/etc/cron.d/evil", "a/.."] {
            let zip = zip_of(&[("bootstrap", b"#!/bin/sh\n"), (name, b"x")]);
            let folder = tempfile::tempdir().unwrap();
            assert!(unpack(&zip, folder.path()).is_err(), "{name}");
        }
    }

    #[test]
    fn symbolic_links_are_rejected() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("link", "/etc", SimpleFileOptions::default()).unwrap();
        let zip = writer.finish().unwrap().into_inner();
        let folder = tempfile::tempdir().unwrap();
        let error = unpack(&zip, folder.path()).unwrap_err();
        assert!(matches!(error, UnpackError::Package(PackageError::Symlink(_))), "{error}");
    }

    #[test]
    fn files_over_the_unpacked_size_are_rejected() {
        let zip = zip_of(&[("a", &[0; 600]), ("b", &[0; 401])]);
        let folder = tempfile::tempdir().unwrap();
        let error = unpack_within(&zip, folder.path(), 1000).unwrap_err();
        assert!(matches!(error, UnpackError::Package(PackageError::TooLarge)), "{error}");
        unpack_within(&zip, folder.path(), 1001).unwrap();
    }

    #[test]
    fn a_zip_with_too_many_entries_is_rejected_before_anything_is_written() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..=lambda_package::MAX_ENTRIES {
            writer.add_directory(index.to_string(), SimpleFileOptions::default()).unwrap();
        }
        let zip = writer.finish().unwrap().into_inner();
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(&zip, folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn set_user_id_bits_are_ignored() {
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

    /// The zip's directory declares one byte, but the data has a million.
    #[test]
    fn a_zip_bomb_that_understates_its_size_is_rejected() {
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
    fn unpacked_files_are_accessible_to_their_owner_only() {
        let zip = zip_of(&[(BOOTSTRAP, b"#!/bin/sh\n"), ("a/b/data.txt", b"data")]);
        let folder = tempfile::tempdir().unwrap();
        unpack(&zip, folder.path()).unwrap();
        let modes = [BOOTSTRAP, "a", "a/b", "a/b/data.txt"].map(|name| mode(&folder.path().join(name)));
        assert_eq!(modes, [0o700, 0o700, 0o700, 0o600]);
    }

    /// Every zip that differs from a valid one in one byte, or ends early, is unpacked or rejected as not a zip.
    #[test]
    fn a_damaged_zip_is_unpacked_or_rejected_with_awss_message() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for name in [BOOTSTRAP, "lib/a.txt"] {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(b"#!/bin/sh\nexec cat a.txt a.txt a.txt a.txt\n").unwrap();
        }
        let good = writer.finish().unwrap().into_inner();
        let mut rejected_only_when_unpacked = 0;
        let flipped = (0..good.len()).flat_map(|at| [1, 0x40, 0xff].map(|bits| (at, bits))).map(|(at, bits)| {
            let mut zip = good.clone();
            zip[at] ^= bits;
            zip
        });
        for zip in flipped.chain((0..good.len()).map(|length| good[..length].to_vec())) {
            let Ok(_) = Package::read(&zip) else { continue };
            let folder = tempfile::tempdir().unwrap();
            match unpack(&zip, folder.path()) {
                Ok(()) => {}
                Err(UnpackError::Package(PackageError::NotAZip)) => rejected_only_when_unpacked += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(rejected_only_when_unpacked > 10, "{rejected_only_when_unpacked}");
    }
}
