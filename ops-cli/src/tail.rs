//! Reading log groups: what is read (`sweep`, `last`, `invocation`, `live`), which of it is new (`follow`), in which order
//! it is shown (`reorder`), and how it looks (`view`). `session` runs it all.
//!
//! Pure, over values, with the clock passed in: everything but `catalog`, `invocation`, `last`, `live`, `renewal`,
//! `session`, `sink` and `sweep`.

mod catalog;
mod event;
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
mod platform;
mod record;
mod remembered;
mod renewal;
mod reorder;
pub mod session;
pub mod sink;
pub mod stats;
pub mod stop;
pub mod sweep;
mod tokens;
pub mod view;

pub use groups::GroupPattern;
