//! Placeholder
pub mod limits;
