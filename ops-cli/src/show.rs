//! Explains one record: its layers, its shard, the lines that the function makes of it, and whether the log contains them.

pub mod layers;
pub mod lines;
pub mod logged;
pub mod report;
pub mod settings;
