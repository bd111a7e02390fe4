//! Verifying: log lines → what they say of a record (`line`) → what is missing, twice, late or out of order (`report`).
//! Both pure.

pub mod line;
pub mod report;
