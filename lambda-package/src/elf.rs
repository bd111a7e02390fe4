use object::elf;
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable};
use object::{Endianness, FileKind};

/// A glibc version, `(2, 34)` for `GLIBC_2.34`.
pub type GlibcVersion = (u32, u32);

/// The requirements of an ELF executable for the machine that runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Elf {
    /// The instruction set.
    pub machine: Machine,
    /// The path of the dynamic loader, for example `/lib64/ld-linux-x86-64.so.2`.
    pub interpreter: Option<String>,
    /// The newest glibc version that the executable requires. Weak requirements do not count, because the loader ignores them.
    pub newest_glibc: Option<GlibcVersion>,
    /// A symbol for which it requires that version, for example `__isoc23_strtol@GLIBC_2.38`.
    pub newest_symbol: Option<String>,
    /// Whether the executable needs no loader, and therefore no library.
    pub is_static: bool,
    /// Whether the executable has a symbol table that only debuggers use.
    pub has_symbols: bool,
}

/// The instruction set of an executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// Any other, by ELF's number for it.
    Other(u16),
}

impl std::fmt::Display for Machine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::X86_64 => formatter.write_str("x86_64"),
            Self::Aarch64 => formatter.write_str("aarch64"),
            Self::Other(number) => write!(formatter, "ELF machine {number}"),
        }
    }
}

/// The headers of an ELF file cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("broken ELF file: {0}")]
pub struct ElfError(String);

impl From<object::Error> for ElfError {
    fn from(error: object::Error) -> Self {
        Self(error.to_string())
    }
}

impl Elf {
    /// Reads an ELF file's header, program headers and version needs. Returns `None` if the bytes are not an ELF file.
    ///
    /// # Errors
    /// The file begins as ELF, but its headers cannot be read.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ElfError> {
        if !bytes.starts_with(&elf::ELFMAG) {
            return Ok(None);
        }
        match FileKind::parse(bytes)? {
            FileKind::Elf64 => parse_class::<elf::FileHeader64<Endianness>>(bytes).map(Some),
            FileKind::Elf32 => parse_class::<elf::FileHeader32<Endianness>>(bytes).map(Some),
            other => Err(ElfError(format!("{other:?}"))),
        }
    }
}

fn parse_class<Header: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Elf, ElfError> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let machine = match header.e_machine(endian) {
        elf::EM_X86_64 => Machine::X86_64,
        elf::EM_AARCH64 => Machine::Aarch64,
        other => Machine::Other(other.0),
    };
    let mut interpreter = None;
    for segment in header.program_headers(endian, bytes)? {
        if let Some(path) = segment.interpreter(endian, bytes)? {
            interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let sections = header.sections(endian, bytes)?;
    let newest = newest_need(&sections, endian, bytes)?;
    // It is for messages only: a damaged symbol table does not matter.
    let newest_symbol = newest.map(|(_, need)| {
        let symbol = needed_symbol(&sections, endian, bytes, need);
        symbol.unwrap_or_else(|_| String::from_utf8_lossy(need).into_owned())
    });
    let has_symbols = sections.iter().any(|section| section.sh_type(endian) == elf::SHT_SYMTAB);
    Ok(Elf {
        machine,
        is_static: interpreter.is_none(),
        interpreter,
        newest_glibc: newest.map(|(version, _)| version),
        newest_symbol,
        has_symbols,
    })
}

/// The newest glibc version that is needed, and its name.
fn newest_need<'data, Header: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'data, Header>,
    endian: Endianness,
    bytes: &'data [u8],
) -> Result<Option<(GlibcVersion, &'data [u8])>, ElfError> {
    let Some((mut needs, strings)) = sections.gnu_verneed(endian, bytes)? else { return Ok(None) };
    let strings = sections.strings(endian, bytes, strings)?;
    let mut newest = None;
    while let Some((_, mut versions)) = needs.next()? {
        while let Some(version) = versions.next()? {
            if version.vna_flags.get(endian).contains(elf::VER_FLG_WEAK) {
                continue;
            }
            let name = version.name(endian, strings)?;
            newest = newest.max(glibc_version(name).map(|version| (version, name)));
        }
    }
    Ok(newest)
}

/// A symbol that needs this version, as `SYMBOL@VERSION`. Only the version if no symbol needs it.
fn needed_symbol<Header: FileHeader<Endian = Endianness>>(
    sections: &SectionTable<'_, Header>,
    endian: Endianness,
    bytes: &[u8],
    need: &[u8],
) -> Result<String, ElfError> {
    let name = String::from_utf8_lossy(need);
    let Some(versions) = sections.versions(endian, bytes)? else { return Ok(name.into_owned()) };
    let symbols = sections.symbols(endian, bytes, elf::SHT_DYNSYM)?;
    for (index, symbol) in symbols.enumerate() {
        let version = versions.version(versions.version_index(endian, index).index())?;
        if version.is_some_and(|version| version.name() == need) {
            return Ok(format!("{}@{name}", String::from_utf8_lossy(symbols.symbol_name(endian, symbol)?)));
        }
    }
    Ok(name.into_owned())
}

/// `GLIBC_2.2.5` → `(2, 2)`; anything else (`GLIBC_PRIVATE`, `GCC_3.0`) is not a glibc version, except the marker of relative
/// relocations in compact form, which loaders understand from 2.36 on.
fn glibc_version(name: &[u8]) -> Option<GlibcVersion> {
    if name == b"GLIBC_ABI_DT_RELR" {
        return Some((2, 36));
    }
    let mut numbers = std::str::from_utf8(name).ok()?.strip_prefix("GLIBC_")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The executable of this test.
    pub fn own_executable() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    /// The offset of the version requirement `name` in the executable.
    fn version_need(bytes: &[u8], name: &str) -> usize {
        let header = elf::FileHeader64::<Endianness>::parse(bytes).unwrap();
        let endian = header.endian().unwrap();
        let sections = header.sections(endian, bytes).unwrap();
        let (needs, strings) = sections.gnu_verneed(endian, bytes).unwrap().unwrap();
        let strings = sections.strings(endian, bytes, strings).unwrap();
        for need in needs {
            for version in need.unwrap().1 {
                let version = version.unwrap();
                if version.name(endian, strings).unwrap() == name.as_bytes() {
                    return std::ptr::from_ref(version).addr() - bytes.as_ptr().addr();
                }
            }
        }
        panic!("{name} is not needed");
    }

    #[test]
    fn this_executable_is_for_this_machine() {
        let elf = Elf::parse(&own_executable()).unwrap().unwrap();
        let machine = if cfg!(target_arch = "x86_64") { Machine::X86_64 } else { Machine::Aarch64 };
        assert_eq!(elf.machine, machine);
        assert_eq!(elf.is_static, elf.interpreter.is_none());
        if cfg!(target_env = "gnu") {
            let (major, minor) = elf.newest_glibc.unwrap();
            assert!((major, minor) >= (2, 14), "{elf:?}");
            let symbol = elf.newest_symbol.unwrap();
            assert!(symbol.contains(&format!("@GLIBC_{major}.{minor}")), "{symbol}");
        }
    }

    #[test]
    #[cfg(target_env = "gnu")]
    fn weak_version_requirements_do_not_count() {
        let mut bytes = own_executable();
        let (major, minor) = Elf::parse(&bytes).unwrap().unwrap().newest_glibc.unwrap();
        let newest = version_need(&bytes, &format!("GLIBC_{major}.{minor}"));
        // Vernaux: vna_hash u32, vna_flags u16.
        bytes[newest + 4] |= 0x2;
        let relaxed = Elf::parse(&bytes).unwrap().unwrap().newest_glibc.unwrap();
        assert!(relaxed < (major, minor), "{relaxed:?}");
    }

    #[test]
    fn another_machine_is_reported() {
        let mut bytes = own_executable();
        bytes[18..20].copy_from_slice(&183u16.to_le_bytes());
        assert_eq!(Elf::parse(&bytes).unwrap().unwrap().machine, Machine::Aarch64);
        bytes[18..20].copy_from_slice(&243u16.to_le_bytes());
        assert_eq!(Elf::parse(&bytes).unwrap().unwrap().machine, Machine::Other(243));
    }

    #[test]
    fn other_files_are_none_and_truncated_elf_files_are_errors() {
        assert_eq!(Elf::parse(b"#!/bin/sh\n"), Ok(None));
        assert_eq!(Elf::parse(b""), Ok(None));
        assert!(Elf::parse(b"\x7fELF").is_err());
        assert!(Elf::parse(&own_executable()[..40]).is_err());
    }

    #[test]
    fn only_numbered_versions_are_glibc_versions() {
        assert_eq!(glibc_version(b"GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc_version(b"GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc_version(b"GLIBC_PRIVATE"), None);
        assert_eq!(glibc_version(b"GCC_3.0"), None);
        assert_eq!(glibc_version(b"GLIBC_ABI_DT_RELR"), Some((2, 36)));
    }
}
