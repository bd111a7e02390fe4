//! `config`: show the effective settings.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::config::{self, Effective, Layers, SettingFlags};
use crate::error::Result;
use crate::global::Global;
use crate::output::{Output, Render};
use crate::provision::fields::Fields;
use crate::provision::setting::Part;

const TASK: &str = "\
Prints every setting with its value and where the value comes from: an option, an environment variable, a line of \
kinesis-logger.toml, or the default. Connects to nothing.";

const EXAMPLES: &str = "\
Examples:
  ops-cli config show
  ops-cli --stage prod config show --memory 512
  ops-cli config schema > kinesis-logger.schema.json";

/// Show the effective settings, or the schema of the configuration file
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Config {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Subcommand, Debug, Clone)]
pub enum ConfigCommand {
    /// Print every setting, its value and its source
    Show {
        #[command(flatten)]
        settings: Box<SettingFlags>,
    },
    /// Print the JSON Schema of the configuration file
    Schema,
}

/// One setting's value and source.
#[derive(Serialize)]
struct ShownSetting {
    setting: String,
    value: Option<Value>,
    source: String,
}

impl Render for ShownSetting {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let value = match &self.value {
            None => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        writeln!(to, "{:<30} {value:<24} {}", self.setting, self.source)
    }
}

pub fn run(global: &Global, args: &Config, output: Output) -> Result<()> {
    match &args.command {
        ConfigCommand::Show { settings } => show(global, settings, output),
        ConfigCommand::Schema => output.show(&Schema(config::schema::schema())),
    }
}

fn show(global: &Global, flags: &SettingFlags, output: Output) -> Result<()> {
    let file = config::load(global)?;
    let names = config::names(global, file.as_ref())?;
    config::warn_of_unknown_variables();
    let layers = Layers { flags, environment: &config::variable, file: file.as_ref(), stage: names.stage() };
    // An option and its variable are one to the parser.
    let shown = |setting: &str, value: &str, given: Option<&str>, option: &str| {
        let variable = option.to_uppercase().replace('-', "_");
        let in_file = file.as_ref().filter(|file| match setting {
            "stage" => file.default_stage().is_some(),
            name => file.name(names.stage(), name).is_some(),
        });
        let source = match (given, in_file) {
            (Some(_), _) => format!("--{option} or KINESIS_LOGGER_{variable}"),
            (None, Some(file)) => match file.name_line(names.stage(), setting) {
                Some(line) => format!("{}:{line}", file.path.display()),
                None => file.path.display().to_string(),
            },
            (None, None) => "default".to_owned(),
        };
        ShownSetting { setting: setting.into(), value: Some(value.into()), source }
    };
    let mut all = vec![
        shown("app", names.application(), global.app.as_deref(), "app"),
        shown("stage", names.stage(), global.stage.as_deref(), "stage"),
        shown("stream.name", names.stream(), global.stream.as_deref(), "stream"),
        shown("role.name", names.role(), global.role.as_deref(), "role"),
        shown("log-group.name", names.log_group(), global.log_group.as_deref(), "log-group"),
        shown("function.name", names.function(), global.function.as_deref(), "function"),
    ];
    all.extend(layers.effective()?.into_iter().map(|Effective { setting, value, origin }| ShownSetting {
        setting: setting.name(),
        value,
        source: origin.to_string(),
    }));
    all.extend(layers.effective_tags().into_iter().map(|(key, (value, origin))| ShownSetting {
        setting: format!("tags.{key}"),
        value: Some(value.into()),
        source: origin.to_string(),
    }));
    // The log format that the function has is not known.
    let mut function = Fields::default();
    function.set_if_some("environment", layers.requested()?.get(Part::Function, "environment").cloned());
    config::check_environment(&function)?;
    output.show_all(all.iter())
}

#[derive(Serialize)]
struct Schema(Value);

impl Render for Schema {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for line in format!("{:#}", self.0).lines() {
            writeln!(to, "{line}")?;
        }
        Ok(())
    }
}
