//! The uploaded zip: what must hold of it before it is unpacked and run, and the unpacking. The checks are pure, on the
//! zip's bytes, so that a deployer can make them before it uploads.

use std::fs;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;

pub use super::elf::{Elf, ElfError, GlibcVersion, Machine};
pub use super::platform::{Architecture, Platform};

/// Bytes of a package, unpacked. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_UNPACKED_BYTES: u64 = 262_144_000;
/// Bytes of a zip sent with the request.
pub const MAX_ZIPPED_BYTES: usize = 52_428_800;
/// Files and folders of a package: as many as a zip counts in its classic form. A limit of the endpoint's own.
pub const MAX_ENTRIES: usize = 65_535;
/// What the runtimes `provided.*` run.
pub const BOOTSTRAP: &str = "bootstrap";

/// Why a package cannot be run. The texts of the first three are AWS's.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotAZip,
    #[error("Uploaded file must be a non-empty zip")]
    Empty,
    #[error("Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes")]
    TooLarge,
    #[error("The zip has {0} entries: the local endpoint unpacks {MAX_ENTRIES} at most")]
    TooManyEntries(usize),
    #[error("The zip's entry \"{0}\" would leave the function's folder.")]
    LeavesFolder(String),
    #[error("The zip's entry \"{0}\" is a symbolic link: the local endpoint unpacks none.")]
    Symlink(String),
    #[error("The zip has no file \"bootstrap\" at its root, which is what the runtimes provided.* run. It has: {0}")]
    NoBootstrap(String),
    #[error("\"bootstrap\" is neither an ELF executable nor a script that begins with #!")]
    NotExecutable,
    #[error("\"bootstrap\" cannot be read: {0}")]
    BrokenElf(#[from] ElfError),
    #[error("\"bootstrap\" is built for {is}, but {what} is {wants}")]
    WrongMachine { is: Machine, what: String, wants: Architecture },
    #[error(
        "\"bootstrap\" needs glibc {}.{}, but {what} has {}.{}: build it static for a musl target, or against an older glibc",
        needs.0, needs.1, has.0, has.1
    )]
    NewerGlibc { needs: GlibcVersion, what: String, has: GlibcVersion },
    #[error("\"bootstrap\" needs the loader {loader}, which {what} does not have: build it static for a musl target")]
    NoLoader { loader: String, what: String },
    #[error("The package could not be unpacked: {0}")]
    Io(#[from] io::Error),
}

/// What a package holds, as far as it decides whether it can be run.
#[derive(Debug)]
pub struct Package {
    /// Bytes of all files, by the zip's directory.
    pub unpacked_bytes: u64,
    bootstrap: Option<Bootstrap>,
    names: Vec<String>,
}

#[derive(Debug)]
enum Bootstrap {
    Script,
    Executable(Elf),
    Broken(ElfError),
    Neither,
}

impl Package {
    /// Reads a zip and checks what holds for every runtime.
    ///
    /// # Errors
    /// Not a zip, an entry that would leave the folder, a symbolic link, too large unpacked.
    pub fn read(zip: &[u8]) -> Result<Self, PackageError> {
        Self::read_within(zip, MAX_UNPACKED_BYTES)
    }

    fn read_within(zip: &[u8], max_bytes: u64) -> Result<Self, PackageError> {
        let mut archive = open(zip)?;
        if archive.is_empty() {
            return Err(PackageError::Empty);
        }
        let mut package = Self { unpacked_bytes: 0, bootstrap: None, names: Vec::new() };
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|_| PackageError::NotAZip)?;
            let Some(path) = entry_path(&entry)? else { continue };
            package.unpacked_bytes += entry.size();
            if package.unpacked_bytes > max_bytes {
                return Err(PackageError::TooLarge);
            }
            if path == Path::new(BOOTSTRAP) {
                package.bootstrap = Some(read_bootstrap(&mut entry)?);
            }
            package.names.push(path.display().to_string());
        }
        Ok(package)
    }

    /// The architecture that `bootstrap` is built for; `None` for a script, or where there is none.
    pub fn architecture(&self) -> Option<Architecture> {
        match &self.bootstrap {
            Some(Bootstrap::Executable(elf)) if elf.machine == Machine::X86_64 => Some(Architecture::X86_64),
            Some(Bootstrap::Executable(elf)) if elf.machine == Machine::Aarch64 => Some(Architecture::Arm64),
            _ => None,
        }
    }

    /// Checks what a runtime `provided.*` needs, for a function of `architecture` to run on `platform`.
    ///
    /// # Errors
    /// No `bootstrap` at the root, or one that `platform` cannot run, with the reason.
    pub fn check_bootstrap(&self, architecture: Architecture, platform: &Platform) -> Result<(), PackageError> {
        let elf = match &self.bootstrap {
            None => return Err(PackageError::NoBootstrap(self.first_names())),
            Some(Bootstrap::Neither) => return Err(PackageError::NotExecutable),
            Some(Bootstrap::Broken(error)) => return Err(error.clone().into()),
            Some(Bootstrap::Script) => return Ok(()),
            Some(Bootstrap::Executable(elf)) => elf,
        };
        for (what, wants) in
            [("the function's architecture", architecture), (platform.name.as_str(), platform.architecture)]
        {
            if elf.machine != wants.machine() {
                return Err(PackageError::WrongMachine { is: elf.machine, what: what.to_owned(), wants });
            }
        }
        let what = || platform.name.clone();
        if let Some(loader) = elf.interpreter.as_ref().filter(|loader| !platform.has_loader(loader)) {
            return Err(PackageError::NoLoader { loader: loader.clone(), what: what() });
        }
        match (elf.newest_glibc, platform.glibc) {
            (Some(needs), Some(has)) if needs > has && !elf.is_static => {
                Err(PackageError::NewerGlibc { needs, what: what(), has })
            }
            _ => Ok(()),
        }
    }

    fn first_names(&self) -> String {
        const SHOWN: usize = 5;
        let more = if self.names.len() > SHOWN { ", …" } else { "" };
        self.names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + more
    }
}

/// Unpacks a zip into `folder`, which must exist. Files that the zip calls executable, and `bootstrap`, are made so; no
/// other mode bit is taken over.
///
/// # Errors
/// As [`Package::read`], and any failure to write.
pub fn unpack(zip: &[u8], folder: &Path) -> Result<(), PackageError> {
    unpack_within(zip, folder, MAX_UNPACKED_BYTES)
}

fn unpack_within(zip: &[u8], folder: &Path, max_bytes: u64) -> Result<(), PackageError> {
    let mut archive = open(zip)?;
    // The directory's sizes may lie: what is written counts.
    let mut left = max_bytes;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|_| PackageError::NotAZip)?;
        let is_folder = entry.is_dir();
        let Some(path) = entry_path(&entry)? else { continue };
        let target = folder.join(&path);
        if is_folder {
            fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let is_executable = path == Path::new(BOOTSTRAP) || entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
        let mode = if is_executable { 0o755 } else { 0o644 };
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&target)?;
        let written = io::copy(&mut (&mut entry).take(left + 1), &mut file)?;
        left = left.checked_sub(written).ok_or(PackageError::TooLarge)?;
    }
    Ok(())
}

fn open(zip: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, PackageError> {
    let archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| PackageError::NotAZip)?;
    match archive.len() {
        count if count > MAX_ENTRIES => Err(PackageError::TooManyEntries(count)),
        _ => Ok(archive),
    }
}

/// The entry's path below the function's folder; none for the folder itself.
fn entry_path<R: Read>(entry: &ZipFile<'_, R>) -> Result<Option<PathBuf>, PackageError> {
    let name = entry.name().map_err(|_| PackageError::NotAZip)?.into_owned();
    if entry.is_symlink() {
        return Err(PackageError::Symlink(name));
    }
    match relative_path(&name) {
        Some(path) => Ok(Some(path).filter(|path| !path.as_os_str().is_empty())),
        None => Err(PackageError::LeavesFolder(name)),
    }
}

fn relative_path(name: &str) -> Option<PathBuf> {
    if name.starts_with('/') || name.contains('\0') {
        return None;
    }
    let mut path = PathBuf::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => path.push(part),
        }
    }
    Some(path)
}

fn read_bootstrap<R: Read>(entry: &mut ZipFile<'_, R>) -> Result<Bootstrap, PackageError> {
    let mut bytes = Vec::new();
    entry.take(MAX_UNPACKED_BYTES + 1).read_to_end(&mut bytes).map_err(|_| PackageError::NotAZip)?;
    if bytes.len() as u64 > MAX_UNPACKED_BYTES {
        return Err(PackageError::TooLarge);
    }
    if bytes.starts_with(b"#!") {
        return Ok(Bootstrap::Script);
    }
    Ok(match Elf::parse(&bytes) {
        Ok(Some(elf)) => Bootstrap::Executable(elf),
        Ok(None) => Bootstrap::Neither,
        Err(error) => Bootstrap::Broken(error),
    })
}

#[cfg(test)]
pub mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use zip::write::SimpleFileOptions;

    use super::super::elf::tests::own_executable;
    use super::*;

    /// A zip of the given files, none of them marked executable.
    pub fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (name, bytes) in files {
            writer.start_file(*name, options.unix_permissions(0o644)).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn host() -> Platform {
        Platform::host().clone()
    }

    fn check(bootstrap: &[u8], platform: &Platform) -> Result<(), String> {
        let package = Package::read(&zip_of(&[(BOOTSTRAP, bootstrap)])).unwrap();
        package.check_bootstrap(platform.architecture, platform).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_a_zip_is_refused_in_awss_words() {
        let error = Package::read(b"not a zip").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        );
        assert!(matches!(Package::read(&zip_of(&[])), Err(PackageError::Empty)));
    }

    #[test]
    fn entries_that_leave_the_folder_are_refused() {
        for name in ["../evil", "a/../../evil", "/etc/cron.d/evil", "a/.."] {
            let zip = zip_of(&[("bootstrap", b"#!/bin/sh\n"), (name, b"x")]);
            assert!(matches!(Package::read(&zip), Err(PackageError::LeavesFolder(_))), "{name}");
            let folder = tempfile::tempdir().unwrap();
            assert!(unpack(&zip, folder.path()).is_err(), "{name}");
        }
    }

    #[test]
    fn symbolic_links_are_refused() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("link", "/etc", SimpleFileOptions::default()).unwrap();
        let zip = writer.finish().unwrap().into_inner();
        assert!(matches!(Package::read(&zip), Err(PackageError::Symlink(_))));
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(unpack(&zip, folder.path()), Err(PackageError::Symlink(_))));
    }

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
    fn too_much_is_refused() {
        let zip = zip_of(&[("a", &[0; 600]), ("b", &[0; 401])]);
        assert!(matches!(Package::read_within(&zip, 1000), Err(PackageError::TooLarge)));
        assert_eq!(Package::read_within(&zip, 1001).unwrap().unpacked_bytes, 1001);
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(unpack_within(&zip, folder.path(), 1000), Err(PackageError::TooLarge)));
        unpack_within(&zip, folder.path(), 1001).unwrap();
    }

    #[test]
    fn too_many_entries_are_refused() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..=MAX_ENTRIES {
            writer.add_directory(index.to_string(), SimpleFileOptions::default()).unwrap();
        }
        let zip = writer.finish().unwrap().into_inner();
        assert!(matches!(Package::read(&zip), Err(PackageError::TooManyEntries(65_536))));
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(&zip, folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_bootstrap_must_be_there_and_be_a_program() {
        let package = Package::read(&zip_of(&[("target/bootstrap", b"#!"), ("index.js", b"")])).unwrap();
        let error = package.check_bootstrap(host().architecture, &host()).unwrap_err().to_string();
        assert!(error.starts_with("The zip has no file \"bootstrap\" at its root"), "{error}");
        assert!(error.ends_with("It has: target/bootstrap, index.js"), "{error}");
        assert_eq!(check(b"#!/bin/sh\necho", &host()), Ok(()));
        assert_eq!(check(&own_executable(), &host()), Ok(()));
        assert!(check(b"exports.handler", &host()).unwrap_err().contains("neither an ELF executable nor a script"));
        assert!(check(b"\x7fELFxxxx", &host()).unwrap_err().contains("broken ELF file"));
    }

    #[test]
    fn an_executable_for_another_machine_is_refused() {
        let mut other = host();
        other.architecture = match other.architecture {
            Architecture::X86_64 => Architecture::Arm64,
            Architecture::Arm64 => Architecture::X86_64,
        };
        let error = check(&own_executable(), &other).unwrap_err();
        assert!(error.contains("is built for") && error.contains("the function's architecture is"), "{error}");
        let package = Package::read(&zip_of(&[(BOOTSTRAP, &own_executable())])).unwrap();
        let error = package.check_bootstrap(host().architecture, &other).unwrap_err().to_string();
        assert!(error.contains("but this machine is"), "{error}");
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn a_newer_glibc_than_the_platforms_is_refused() {
        let mut old = host();
        old.name = "an old image".into();
        old.glibc = Some((2, 4));
        let error = check(&own_executable(), &old).unwrap_err();
        assert!(error.contains("needs glibc 2.") && error.contains("but an old image has 2.4"), "{error}");
        old.glibc = None;
        assert_eq!(check(&own_executable(), &old), Ok(()));
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
}
