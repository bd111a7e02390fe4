//! Running functions: the processes of a package behind the real Runtime API, their log streams, and the pool that keeps
//! them warm.

mod callers;
mod descriptors;
mod environment;
mod frames;
mod function_log;
mod guardian;
mod invocation;
mod level;
mod limits;
mod lines;
mod memory;
mod platform_log;
mod pool;
mod process;
mod programs;
mod runtime_api;
mod spec;

pub use invocation::{Call, Invoked};
pub use platform_log::PlatformLog;
pub use pool::Pool;
pub use process::Host;
pub use spec::Spec;
