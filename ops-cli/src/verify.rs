//! Compares published records with the log. `line` reads the record of a log line, `report` finds missing, repeated, late and
//! out-of-order records, and `survey` describes the log if no record has a line. All pure.

pub mod line;
pub mod report;
pub mod survey;
