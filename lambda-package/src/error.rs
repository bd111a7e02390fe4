use crate::{
    Architecture, ElfError, GlibcVersion, MAX_DEPTH, MAX_ENTRIES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_UNPACKED_BYTES,
    Machine,
};

/// Why a package cannot run. The first three messages are AWS's.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The bytes are not a zip, or the zip is damaged.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    NotAZip,
    /// The zip has no entries.
    #[error("Uploaded file must be a non-empty zip")]
    Empty,
    /// The files together exceed [`MAX_UNPACKED_BYTES`].
    #[error("Unzipped size must be smaller than {MAX_UNPACKED_BYTES} bytes")]
    TooLarge,
    /// The files and folders exceed [`MAX_ENTRIES`].
    #[error("The zip has more than {MAX_ENTRIES} files and folders")]
    TooManyEntries,
    /// A path exceeds [`MAX_PATH_BYTES`], [`MAX_DEPTH`] or [`MAX_NAME_BYTES`].
    #[error(
        "The path of the zip's entry \"{0}…\" is too long: a path may have {MAX_PATH_BYTES} bytes and {MAX_DEPTH} names of {MAX_NAME_BYTES} bytes"
    )]
    PathTooLong(String),
    /// A path is absolute or contains `..`.
    #[error("The zip's entry \"{0}\" would be written outside the function's folder")]
    LeavesFolder(String),
    /// An entry is a symbolic link.
    #[error("The zip's entry \"{0}\" is a symbolic link, which is not supported")]
    Symlink(String),
    /// There is no `bootstrap`.
    #[error("The zip has no file \"bootstrap\" at its root, which the runtimes provided.* run. It has: {0}")]
    NoBootstrap(String),
    /// `bootstrap` is not a program.
    #[error("\"bootstrap\" is neither an ELF executable nor a script that begins with #!")]
    NotExecutable,
    /// The zip's mode bits of `bootstrap` keep other users than its owner from executing it.
    #[error("\"bootstrap\" has the mode {0:04o} in the zip, and other users may not execute it: make it 0755")]
    NotPermitted(u32),
    /// `bootstrap` is a damaged program.
    #[error("\"bootstrap\" cannot be read: {0}")]
    BrokenElf(#[from] ElfError),
    /// `bootstrap` is built for another instruction set.
    #[error("\"bootstrap\" is built for {is}, but {what} is {wants}")]
    WrongMachine {
        /// The instruction set that it is built for.
        is: Machine,
        /// The platform's name, or "the function's architecture".
        what: String,
        /// The instruction set that is needed.
        wants: Architecture,
    },
    /// `bootstrap` is linked against a newer glibc than the platform has.
    #[error(
        "\"bootstrap\" needs glibc {}.{} ({symbol}), but {what} has {}.{}: link it statically, or against an older glibc",
        needs.0, needs.1, has.0, has.1
    )]
    NewerGlibc {
        /// A symbol that needs it.
        symbol: String,
        /// The version that it needs.
        needs: GlibcVersion,
        /// The platform's name.
        what: String,
        /// The platform's version.
        has: GlibcVersion,
    },
    /// The platform does not have the dynamic loader that `bootstrap` asks for.
    #[error("\"bootstrap\" needs the loader {loader}, which {what} does not have: link it statically")]
    NoLoader {
        /// The loader's path.
        loader: String,
        /// The platform's name.
        what: String,
    },
}
