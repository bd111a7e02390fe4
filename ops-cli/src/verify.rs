//! Verifying: log lines → what they say of a record (`line`) → what is missing, twice, late or out of order (`report`).
//! `survey` says what the log has instead, where no line was found. All pure.

pub mod line;
pub mod report;
pub mod survey;
