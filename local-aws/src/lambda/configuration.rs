//! A function's configuration: its settings, its environment, its logging and its runtime. Pure.

mod environment;
mod logging;
mod runtime;
mod settings;

pub use logging::Format;
pub use runtime::{Language, Runtime};
pub use settings::{ConfigurationInput, Settings, is_set};
