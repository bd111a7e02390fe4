//! Reads the records of a stream: which shards are read, and when (`shards`, `pace`), from where (`position`, `last`), how
//! (`engine`, `reader`, `get_records`, `page`, `fan_out`), and how records are selected, shown, stored and counted (`sink`).
//!
//! All modules are pure, with the clock passed in, except `engine`, `fan_out`, `get_records`, `last`, `reader`, `save`,
//! `session` and `sink`.

pub mod engine;
pub mod fan_out;
pub mod format;
mod frequent;
mod get_records;
mod hex;
mod lag;
pub mod last;
mod pace;
mod page;
pub mod position;
mod reader;
pub mod save;
pub mod session;
mod shards;
pub mod sink;
pub mod stats;
mod throttling;
pub mod view;
