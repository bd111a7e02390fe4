//! Changes the code that runs without losing a record: uploads it, publishes a version, checks that version, and moves the alias
//! `live` to it, which the event source mapping points to.

pub mod canary;
pub mod check;
pub mod commit;
pub mod event;
pub mod invocation;
pub mod mapping;
pub mod retain;
pub mod target;
