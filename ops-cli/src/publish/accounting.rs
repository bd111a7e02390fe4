//! Counts every record, and writes receipts, dead letters and progress.

pub mod dead_letters;
pub mod histogram;
pub mod ledger;
pub mod progress;
pub mod receipt_file;
pub mod receipts;
pub mod summary;
