//! Checks whether a zip can run as a Lambda function, before it is uploaded, unpacked or started.
//!
//! [`Package::read`] checks what holds for every runtime: the entries' paths, their number and their size.
//! [`Package::check_bootstrap`] checks what a runtime `provided.*` needs, for a [`Platform`]: this machine, or one of
//! Lambda's images. [`for_each_entry`] reads the entries with the same checks, for unpacking the zip.
//!
//! The crate writes no files and does not run any part of the zip.
//!
//! ```
//! use lambda_package::{Package, PackageError};
//!
//! assert!(matches!(Package::read(b"not a zip"), Err(PackageError::NotAZip)));
//! ```

#![deny(missing_docs)]

mod elf;
mod entry;
mod error;
mod package;
mod platform;
mod tree;

use kinesis_event_logger_core::limits;

pub use elf::{Elf, ElfError, GlibcVersion, Machine};
pub use entry::{ZipEntry, for_each_entry};
pub use error::PackageError;
pub use package::Package;
pub use platform::{Architecture, Platform};

/// Bytes of a package, unpacked. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_UNPACKED_BYTES: u64 = limits::FUNCTION_CODE_BYTES as u64;
/// Bytes of a zip sent with the request.
pub const MAX_ZIPPED_BYTES: usize = limits::FUNCTION_ZIP_BYTES;
/// Files and folders of a package, including the folders in the paths of files. A zip counts as many in its classic form.
/// Lambda documents no limit here, nor for the depth and the length of a path.
pub const MAX_ENTRIES: usize = 65_535;
/// Names in a path, one below the other.
pub const MAX_DEPTH: usize = 64;
/// Bytes of a path.
pub const MAX_PATH_BYTES: usize = 1024;
/// Bytes of a name in a path, the limit of most file systems.
pub const MAX_NAME_BYTES: usize = 255;
/// The file that the runtimes `provided.*` run.
pub const BOOTSTRAP: &str = "bootstrap";
