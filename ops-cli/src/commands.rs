//! One file a command: arguments → validated options → work → outcome.

pub mod build;
pub mod completions;
pub mod demo;
pub mod local;
pub mod provision;
pub mod publish;
pub mod status;
pub mod tail;
pub mod teardown;
pub mod verify;
pub mod zip;
