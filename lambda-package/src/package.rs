use std::io::Read;
use std::path::Path;

use crate::elf::Elf;
use crate::entry::{ZipEntry, for_each_entry};
use crate::{Architecture, BOOTSTRAP, ElfError, MAX_UNPACKED_BYTES, Machine, PackageError, Platform};

/// The contents of a zip that decide whether it can run.
#[derive(Debug)]
pub struct Package {
    /// Bytes of all files, by the zip's directory.
    pub unpacked_bytes: u64,
    bootstrap: Option<Bootstrap>,
    /// The mode of `bootstrap`, if it keeps other users from executing it.
    forbidden_mode: Option<u32>,
    /// The paths of all entries, for messages.
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
    /// Reads a zip, and checks what every runtime needs.
    ///
    /// # Errors
    /// As [`for_each_entry`], or the files are too large unpacked.
    pub fn read(zip: &[u8]) -> Result<Self, PackageError> {
        Self::read_within(zip, MAX_UNPACKED_BYTES)
    }

    fn read_within(zip: &[u8], max_bytes: u64) -> Result<Self, PackageError> {
        let mut package = Self { unpacked_bytes: 0, bootstrap: None, forbidden_mode: None, names: Vec::new() };
        for_each_entry(zip, |mut entry| {
            package.unpacked_bytes = package.unpacked_bytes.saturating_add(entry.size());
            if package.unpacked_bytes > max_bytes {
                return Err(PackageError::TooLarge);
            }
            if entry.path() == Path::new(BOOTSTRAP) {
                package.forbidden_mode = entry.forbidden_mode();
                package.bootstrap = Some(read_bootstrap(&mut entry)?);
            }
            package.names.push(entry.path().display().to_string());
            Ok(())
        })?;
        Ok(package)
    }

    /// The architecture that `bootstrap` is built for; `None` if it is a script or missing.
    pub fn architecture(&self) -> Option<Architecture> {
        match &self.bootstrap {
            Some(Bootstrap::Executable(elf)) if elf.machine == Machine::X86_64 => Some(Architecture::X86_64),
            Some(Bootstrap::Executable(elf)) if elf.machine == Machine::Aarch64 => Some(Architecture::Arm64),
            _ => None,
        }
    }

    /// The ELF header of `bootstrap`. Returns `None` if it is not an executable.
    pub fn executable(&self) -> Option<&Elf> {
        match &self.bootstrap {
            Some(Bootstrap::Executable(elf)) => Some(elf),
            _ => None,
        }
    }

    /// Checks that a function of `architecture` with a runtime `provided.*` can run on `platform`.
    ///
    /// # Errors
    /// There is no `bootstrap` at the root, or `platform` cannot run it.
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
                let symbol = elf.newest_symbol.clone().unwrap_or_default();
                Err(PackageError::NewerGlibc { needs, symbol, what: what(), has })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the zip lets `bootstrap` be executed. Lambda accepts the zip otherwise, and fails each invocation with
    /// `Runtime.InvalidEntrypoint` (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html>). A zip without mode bits
    /// passes.
    ///
    /// # Errors
    /// [`PackageError::NotPermitted`]
    pub fn check_mode(&self) -> Result<(), PackageError> {
        self.forbidden_mode.map_or(Ok(()), |mode| Err(PackageError::NotPermitted(mode)))
    }

    fn first_names(&self) -> String {
        const SHOWN: usize = 5;
        let more = if self.names.len() > SHOWN { ", …" } else { "" };
        self.names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + more
    }
}

fn read_bootstrap(entry: &mut ZipEntry<'_, '_>) -> Result<Bootstrap, PackageError> {
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
    use std::io::{Cursor, Write};

    use zip::write::SimpleFileOptions;

    use super::*;
    use crate::MAX_ENTRIES;
    use crate::elf::tests::own_executable;

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
    fn a_file_that_is_not_a_zip_is_rejected_with_awss_message() {
        let error = Package::read(b"not a zip").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        );
        assert!(matches!(Package::read(&zip_of(&[])), Err(PackageError::Empty)));
    }

    #[test]
    fn a_bootstrap_that_may_not_be_executed_is_rejected() {
        let package = Package::read(&zip_of(&[(BOOTSTRAP, b"#!/bin/sh\n"), ("data", b"x")])).unwrap();
        let error = package.check_mode().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"bootstrap\" has the mode 0644 in the zip, and other users may not execute it: make it 0755"
        );
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(BOOTSTRAP, SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        writer.write_all(b"#!/bin/sh\n").unwrap();
        let package = Package::read(&writer.finish().unwrap().into_inner()).unwrap();
        assert!(package.check_mode().is_ok());
    }

    #[test]
    fn entries_outside_the_folder_are_rejected() {
        for name in ["../evil", "a/../../evil", "/etc/cron.d/evil", "a/.."] {
            let zip = zip_of(&[("bootstrap", b"#!/bin/sh\n"), (name, b"x")]);
            assert!(matches!(Package::read(&zip), Err(PackageError::LeavesFolder(_))), "{name}");
        }
    }

    #[test]
    fn symbolic_links_are_rejected() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.add_symlink("link", "/etc", SimpleFileOptions::default()).unwrap();
        let zip = writer.finish().unwrap().into_inner();
        assert!(matches!(Package::read(&zip), Err(PackageError::Symlink(_))));
    }

    #[test]
    fn a_zip_over_the_unpacked_size_is_rejected() {
        let zip = zip_of(&[("a", &[0; 600]), ("b", &[0; 401])]);
        assert!(matches!(Package::read_within(&zip, 1000), Err(PackageError::TooLarge)));
        assert_eq!(Package::read_within(&zip, 1001).unwrap().unpacked_bytes, 1001);
    }

    #[test]
    fn a_zip_with_too_many_entries_is_rejected() {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for index in 0..=MAX_ENTRIES {
            writer.add_directory(index.to_string(), SimpleFileOptions::default()).unwrap();
        }
        let zip = writer.finish().unwrap().into_inner();
        assert!(matches!(Package::read(&zip), Err(PackageError::TooManyEntries)));
    }

    #[test]
    fn a_bootstrap_must_exist_and_be_a_program() {
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
    fn an_executable_for_another_machine_is_rejected() {
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
    fn an_executable_that_needs_a_newer_glibc_is_rejected() {
        let mut old = host();
        old.name = "an old image".into();
        old.glibc = Some((2, 4));
        let error = check(&own_executable(), &old).unwrap_err();
        assert!(
            error.contains("@GLIBC_2.")
                && error.contains("needs glibc 2.")
                && error.contains("but an old image has 2.4"),
            "{error}"
        );
        old.glibc = None;
        assert_eq!(check(&own_executable(), &old), Ok(()));
    }
}
