//! Reads log groups: which events are read (`sweep`, `last`, `invocation`, `live`), which of them are new (`follow`), in
//! which order they are shown (`reorder`), and how they look (`view`). `session` runs it all.
//!
//! All modules are pure, with the clock passed in, except `catalog`, `invocation`, `last`, `live`, `session`, `sink`
//! and `sweep`.

pub mod catalog;
pub mod event;
pub mod follow;
mod groups;
mod identity;
mod invocation;
mod last;
mod live;
pub mod matching;
mod members;
mod pace;
mod pattern;
pub mod platform;
mod record;
mod remembered;
mod reorder;
pub mod session;
pub mod sink;
pub mod stats;
pub mod stop;
pub mod sweep;
mod tokens;
pub mod view;

pub use groups::GroupPattern;
