//! The uploaded zip: what must hold of it before it is unpacked and run. The checks are pure, on the zip's bytes, so that a
//! deployer can make them before it uploads.

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;

pub use super::elf::{Elf, ElfError, GlibcVersion, Machine};
pub use super::platform::{Architecture, Platform};
use super::tree::Tree;
pub use super::unpack::unpack;

/// Bytes of a package, unpacked. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_UNPACKED_BYTES: u64 = 262_144_000;
/// Bytes of a zip sent with the request.
pub const MAX_ZIPPED_BYTES: usize = 52_428_800;
/// Files and folders of a package, the folders in the paths of files included: as many as a zip counts in its classic form.
/// A limit of the endpoint's own, as are the next two.
pub const MAX_ENTRIES: usize = 65_535;
/// Names in a path, one below the other.
pub const MAX_DEPTH: usize = 64;
/// Bytes of a path.
pub const MAX_PATH_BYTES: usize = 1024;
/// Bytes of a name in a path: what file systems allow.
pub const MAX_NAME_BYTES: usize = 255;
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
    #[error("The zip has more than {MAX_ENTRIES} files and folders: the local endpoint unpacks no more")]
    TooManyEntries,
    #[error(
        "The path of the zip's entry \"{0}…\" is too long: the local endpoint unpacks paths of {MAX_PATH_BYTES} bytes and {MAX_DEPTH} names of {MAX_NAME_BYTES} bytes at most"
    )]
    PathTooLong(String),
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
        let mut tree = Tree::default();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).map_err(|_| PackageError::NotAZip)?;
            let Some(path) = entry_path(&entry)? else { continue };
            tree.add(&path, entry.is_dir())?;
            package.unpacked_bytes = package.unpacked_bytes.saturating_add(entry.size());
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

pub(super) fn open(zip: &[u8]) -> Result<ZipArchive<Cursor<&[u8]>>, PackageError> {
    let archive = ZipArchive::new(Cursor::new(zip)).map_err(|_| PackageError::NotAZip)?;
    match archive.len() {
        count if count > MAX_ENTRIES => Err(PackageError::TooManyEntries),
        _ => Ok(archive),
    }
}

/// The entry's path below the function's folder; none for the folder itself.
pub(super) fn entry_path<R: Read>(entry: &ZipFile<'_, R>) -> Result<Option<PathBuf>, PackageError> {
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
    use std::fs;
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::super::elf::tests::own_executable;
    use super::super::unpack::unpack_within;
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
        assert!(matches!(Package::read(&zip), Err(PackageError::TooManyEntries)));
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
}
