//! The function's code and its releases: builds its binary, packs it into a zip, checks that a zip can run, and publishes
//! versions.

mod build;
mod linkage;
pub mod release;
pub mod settings;
mod zip;

pub use build::{BuiltFunction, build};
pub use linkage::Linkage;
pub use zip::{FunctionZip, Target, check, load, pack};

/// The function's runtime.
pub const RUNTIME: &str = "provided.al2023";
