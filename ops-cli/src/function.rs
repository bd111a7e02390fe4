//! The function's code: builds its binary, packs it into a zip, and checks that a zip can run.

mod build;
#[allow(dead_code, reason = "`provision` and `deploy` use it next")]
pub mod release;
mod zip;

pub use build::build;
pub use zip::{FunctionZip, Target, check, load, pack, sha256};

/// The function's runtime.
pub const RUNTIME: &str = "provided.al2023";
