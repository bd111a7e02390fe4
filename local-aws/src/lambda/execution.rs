//! Running functions: a process of the uploaded package behind the real Runtime API, its log stream, and the pool that
//! keeps processes warm.

mod callers;
mod descriptors;
mod environment;
mod frames;
mod function_log;
mod guardian;
mod invocation;
mod level;
mod lines;
mod platform_log;
mod pool;
mod process;
mod programs;
mod resources;
mod runtime_api;

pub use invocation::{Call, Invoked};
pub use platform_log::PlatformLog;
pub use pool::Pool;
pub use process::{Host, Spec};
