//! Reads records: sources → text in UTF-8 → records with their keys.

pub mod compress;
pub mod encoding;
pub mod keys;
pub mod memory;
pub mod read_ahead;
pub mod reader;
pub mod record;
pub mod replay;
pub mod source;
