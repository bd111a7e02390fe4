//! `init`: write a configuration file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use kinesis_event_logger_core::names;
use serde::Serialize;

use crate::config::{self, FILE_NAME};
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{Output, Render};
use crate::provision::setting::Part;

const TASK: &str = "\
Writes kinesis-logger.toml with every setting as a comment. Commands that run in its folder read it. An existing file is not \
overwritten.";

const EXAMPLES: &str = "\
Examples:
  ops-cli init
  ops-cli --app orders --stage prod init
  ops-cli --config deploy/orders.toml init";

/// Write a configuration file
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Init {}

#[derive(Serialize)]
struct InitReport {
    file: PathBuf,
}

impl Render for InitReport {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "wrote {}", self.file.display())
    }
}

pub fn run(global: &Global, output: Output) -> Result<()> {
    let file = global.config.clone().unwrap_or_else(|| FILE_NAME.into());
    let app = global.app.as_deref().unwrap_or(names::DEFAULT_APPLICATION);
    let stage = global.stage.as_deref().unwrap_or(names::DEFAULT_STAGE);
    names::Names::new(app, stage)?;
    let given = [
        (Part::Stream, &global.stream),
        (Part::Role, &global.role),
        (Part::LogGroup, &global.log_group),
        (Part::Function, &global.function),
    ];
    let given: Vec<_> = given.into_iter().filter_map(|(part, name)| Some((part, name.as_deref()?))).collect();
    let text = config::template::template(app, stage, &given);
    let created = OpenOptions::new().write(true).create_new(true).open(&file);
    let written = created.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Error::usage(format!("{} exists already, and is not overwritten", file.display()))
                .hint("write another file with --config FILE")
        }
        _ => Error::file("write", &file, &error),
    })?;
    output.show(&InitReport { file })
}
