//! The Lambda function: writes one log line for every record of a Kinesis event.

mod batch;
mod body;
mod clock;
mod diagnostics;
mod handler;
mod init_error;
mod metrics;
mod output;
mod shutdown;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kinesis_event_logger_core::line::Level;
use kinesis_event_logger_core::settings::{Settings, SettingsError};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use tokio::time::Instant;
use tower::util::{MapFutureLayer, MapRequestLayer};

use crate::body::Bodies;
use crate::diagnostics::Diagnostics;
use crate::handler::{Failure, Handler};
use crate::output::Output;
use crate::shutdown::InFlight;

/// Replaces musl's allocator, which maps each large block anew and takes a lock for each small one.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: rlsf::SmallGlobalTlsf = rlsf::SmallGlobalTlsf::new();

/// The time limit for writing the first and the last lines.
const STARTUP_WRITE_TIMEOUT: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let settings = match Settings::read(|name| std::env::var_os(name)) {
        Ok(settings) => settings,
        Err(error) => return fail_initialization(&error),
    };
    #[cfg(target_env = "gnu")]
    reuse_memory();
    match executor(&settings).and_then(|executor| executor.block_on(run(Arc::new(settings)))) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Makes glibc reuse the memory of large events instead of returning it to the kernel, because page faults would cost as
/// much as decoding. Freeing one large, untouched block raises the size above which glibc returns blocks, and with it the
/// size at which it trims the heap (`M_MMAP_THRESHOLD` in mallopt(3)).
#[cfg(target_env = "gnu")]
fn reuse_memory() {
    const LARGEST_BLOCK: usize = 24 * 1024 * 1024;
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGEST_BLOCK)));
}

/// Creates the runtime. A single thread is fastest for one invocation at a time; Managed Instances run several on several
/// processors.
fn executor(settings: &Settings) -> io::Result<tokio::runtime::Runtime> {
    let mut builder = match settings.max_concurrency {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn run(settings: Arc<Settings>) -> io::Result<ExitCode> {
    let output = Arc::new(Output::stdout()?);
    let diagnostics = Diagnostics { settings: settings.clone(), output: output.clone() };
    tracing::subscriber::set_global_default(diagnostics).map_err(io::Error::other)?;
    if !settings.writes(Level::Info) {
        let hidden =
            format!("AWS_LAMBDA_LOG_LEVEL is {}: the lines of records, at INFO, are not written", settings.level);
        // Not as a notice, because tokio does not know yet that stdout is writable.
        let _ = output
            .write(&diagnostics::line(settings.format, Level::Warn, &hidden), Instant::now() + STARTUP_WRITE_TIMEOUT)
            .await;
    }
    let ended = serve(Arc::new(Handler::new(settings, output.clone()))).await;
    if let Err(error) = &ended {
        tracing::error!("the runtime ended: {error}");
    }
    output.finish(Instant::now() + STARTUP_WRITE_TIMEOUT).await;
    Ok(if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(handler: Arc<Handler>) -> Result<(), lambda_runtime::Error> {
    let in_flight = InFlight::default();
    let begin = in_flight.clone();
    let bodies = Bodies::default();
    let stored = bodies.clone();
    let service = service_fn(move |event: LambdaEvent<()>| {
        let handler = handler.clone();
        let body = bodies.take(&event.context.request_id);
        async move {
            let deadline_ms = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
            let request_id = event.context.request_id;
            let answer = handler.handle(&request_id, &body, deadline_ms).await;
            answer.map_err(|error| Failure { request_id, error })
        }
    });
    let store_body = MapRequestLayer::new(move |invocation| stored.store(invocation));
    let runtime = Runtime::new(service).layer(store_body).layer(MapFutureLayer::new(move |answered| {
        let invocation = begin.begin();
        async move {
            let result: Result<(), lambda_runtime::Error> = answered.await;
            drop(invocation);
            result
        }
    }));
    shutdown::run_until_terminated(runtime.run_concurrent(), in_flight).await
}

/// Reports why the function cannot start: on stdout for the log, and to the Runtime API for the invoker.
fn fail_initialization(error: &SettingsError) -> ExitCode {
    let log = |message: &str| {
        // If stdout is closed, the error cannot be reported anywhere.
        let _ = io::stdout().write_all(&diagnostics::line(error.format, Level::Error, message));
    };
    log(&format!("cannot start: {error}"));
    if let Ok(address) = std::env::var("AWS_LAMBDA_RUNTIME_API")
        && let Err(unreported) = init_error::report(&address, "InvalidSettings", &error.to_string())
    {
        log(&format!("cannot report that to {address}: {unreported}"));
    }
    ExitCode::FAILURE
}
