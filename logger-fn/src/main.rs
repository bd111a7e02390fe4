//! The Lambda function: everything in a Kinesis event becomes one log line a record.

mod clock;
mod diagnostics;
mod handler;
mod init_error;
mod settings;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;

use kinesis_event_logger_core::Level;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;

use crate::diagnostics::Diagnostics;
use crate::handler::Logger;
use crate::settings::{Settings, SettingsError};

fn main() -> ExitCode {
    let settings = match Settings::read(|name| std::env::var_os(name)) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    let diagnostics = Diagnostics { settings };
    if !settings.writes(Level::Info) {
        let hidden =
            format!("AWS_LAMBDA_LOG_LEVEL is {}: the lines of records, at INFO, are not written", settings.level);
        diagnostics.say(Level::Warn, &hidden);
    }
    match tracing::subscriber::set_global_default(diagnostics).map_err(Into::into).and_then(|()| run(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the runtime ended: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(settings: Settings) -> Result<(), lambda_runtime::Error> {
    // Unbuffered, and unlike io::Stdout it reports every failed write.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut logger = Logger::new(settings, stdout);
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let response = logger.handle(&event.context.request_id, &event.payload, clock::now_ms());
        std::future::ready(response)
    });
    Runtime::new(handler).run().await
}

/// Ends the start with the reason: on stdout for the log, to the Runtime API for the invoker.
fn refuse(error: &SettingsError) -> ExitCode {
    let diagnostics = Diagnostics { settings: error.readable };
    diagnostics.say(Level::Error, &format!("cannot start: {error}"));
    if let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API")
        && let Err(unreported) = init_error::report(&address, "InvalidSettings", &error.to_string())
    {
        diagnostics.say(Level::Error, &format!("cannot report that to {address}: {unreported}"));
    }
    ExitCode::FAILURE
}
