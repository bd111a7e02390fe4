//! The requested settings and where each of them comes from: an option, an environment variable, the configuration file, or the
//! default.

mod file;
pub mod flags;
mod layers;
pub mod schema;
pub mod template;

use std::path::{Path, PathBuf};

use kinesis_event_logger_core::names::{self, Names};
use kinesis_event_logger_core::settings;

use crate::error::{Error, Result};
use crate::global::Global;
use crate::progress::note;
use crate::provision::fields::Fields;
use crate::text;

pub use file::ConfigFile;
pub use flags::SettingFlags;
pub use layers::{Effective, Layers};

/// The configuration file that is read if it exists.
pub const FILE_NAME: &str = "kinesis-logger.toml";

/// Reads the configuration file: the one that `--config` names, or `kinesis-logger.toml` in the current folder if there is one.
pub fn load(global: &Global) -> Result<Option<ConfigFile>> {
    let path = match &global.config {
        Some(path) => path.clone(),
        None if Path::new(FILE_NAME).exists() => PathBuf::from(FILE_NAME),
        None => return Ok(None),
    };
    let hint = "write a file with `ops-cli init`, or check --config";
    let (name, text) =
        text::read(&path).map_err(|error| if error.hint.is_some() { error } else { error.hint(hint) })?;
    let text = String::from_utf8(text).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::usage(format!("could not read {name}: it is not UTF-8 at byte {at}")).hint(hint)
    })?;
    ConfigFile::parse(&path, &text).map(Some)
}

/// The names that options, environment variables and the configuration file request.
pub fn names(global: &Global, file: Option<&ConfigFile>) -> Result<Names> {
    let stage = stage(global, file);
    let from_file = |key: &str| file.and_then(|file| file.name(&stage, key)).map(str::to_owned);
    let name = |given: &Option<String>, key: &str| given.clone().or_else(|| from_file(key));
    let app = name(&global.app, "app").unwrap_or_else(|| names::DEFAULT_APPLICATION.to_owned());
    if let Some(file) = file {
        file.check_stage(&stage)?;
    }
    let names = Names::builder(app, stage.as_str())
        .stream(name(&global.stream, "stream.name"))
        .function(name(&global.function, "function.name"))
        .role(name(&global.role, "role.name"))
        .log_group(name(&global.log_group, "log-group.name"))
        .build()?;
    Ok(names)
}

pub fn stage(global: &Global, file: Option<&ConfigFile>) -> String {
    let stage = global.stage.as_deref().or_else(|| file?.default_stage());
    stage.unwrap_or(names::DEFAULT_STAGE).to_owned()
}

/// The value of an environment variable. What is not UTF-8 in it is replaced, so that it is rejected where it is read.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Warns of environment variables that look like ours and set nothing.
pub fn warn_of_unknown_variables() {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for unknown in layers::unknown_variables(names) {
        note(&format!("warning: {unknown}"));
    }
}

/// Checks the environment variables that the function will have as the function does, with the log format and level that it will
/// have, before anything is uploaded.
pub fn check_environment(function: &Fields) -> Result<()> {
    let variables = function.members("environment").into_iter().flatten();
    let variables = variables.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    settings::check(variables.chain(logging_variables(function))).map_err(|error| {
        Error::usage(format!("the function would not start with these variables: {error}"))
            .hint("docs/settings.md lists the function's settings")
    })
}

/// The variables that Lambda derives from a function's logging configuration.
pub fn logging_variables(function: &Fields) -> impl Iterator<Item = (&str, &str)> {
    let variables = [("AWS_LAMBDA_LOG_FORMAT", "log-format"), ("AWS_LAMBDA_LOG_LEVEL", "application-log-level")];
    variables.into_iter().filter_map(|(name, field)| Some((name, function.text(field)?)))
}
