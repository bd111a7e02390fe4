//! Sends requests and handles their answers.

pub mod put_records;
pub mod response;
pub mod run;
pub mod turn;
