//! `local`: the endpoint in the foreground.

use std::io::{self, Write};
use std::net::SocketAddr;

use local_aws::Credentials;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::cli::{Global, Local};
use crate::error::{Error, Result};
use crate::event_line::EventLine;
use crate::output::{Output, Render};
use crate::progress::{escaped_lines, note};
use crate::runtime_folder;

/// What a client needs to know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exports {
    endpoint_url: String,
    region: String,
    #[serde(flatten)]
    credentials: Credentials,
}

impl Render for Exports {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { endpoint_url, region, credentials } = self;
        writeln!(to, "export AWS_ENDPOINT_URL={endpoint_url}")?;
        // StartLiveTail has a host prefix: there is no host `stream-127.0.0.1`.
        writeln!(to, "export AWS_DISABLE_HOST_PREFIX_INJECTION=true")?;
        // boto3 and the first AWS CLI read the second of these, the newer tools the first.
        writeln!(to, "export AWS_REGION={region}")?;
        writeln!(to, "export AWS_DEFAULT_REGION={region}")?;
        writeln!(to, "export AWS_ACCESS_KEY_ID={}", credentials.access_key_id)?;
        writeln!(to, "export AWS_SECRET_ACCESS_KEY={}", credentials.secret_access_key)?;
        match &credentials.session_token {
            Some(token) => writeln!(to, "export AWS_SESSION_TOKEN={token}"),
            // One that is left over from another account is refused, as on AWS.
            None => writeln!(to, "unset AWS_SESSION_TOKEN"),
        }
    }
}

const NO_AUTH: &str = "warning: --no-auth: unsigned requests run code as you. They are accepted from every program that you run on this \
machine, and from no other user: those of other users must be signed. What a browser sends is refused";
const ALLOW_REMOTE: &str = "warning: --allow-remote: whoever has these credentials and can connect to this machine runs code on it as \
you, and what is sent is not encrypted. /_local/* must be signed too, except /_local/health";

pub async fn run(global: &Global, args: &Local, output: Output) -> Result<()> {
    show_events(args.verbose);
    if !args.bind.is_loopback() && !args.allow_remote {
        return Err(Error::usage(format!("--bind {}: other machines reach that address", args.bind))
            .hint("the endpoint runs uploaded code as you: if that is what you want, add --allow-remote"));
    }
    let listener = listen(SocketAddr::new(args.bind, args.port)).await?;
    let config = local_aws::Config {
        credentials: credentials(args)?,
        verify_signatures: !args.no_auth,
        allow_remote: args.allow_remote,
        data_dir: args.data_dir.clone(),
        recover: args.recover,
        functions: args
            .function
            .iter()
            .filter_map(|named| named.split_once('='))
            .map(|(name, path)| (name.to_owned(), path.into()))
            .collect(),
        memory_limit: args.memory_limit,
        shard_limits: args.limits,
        realistic: args.realistic,
        any_runtime: args.any_runtime,
        fast_retries: args.fast_retries,
        ..config(global)
    };
    let address = listener.local_addr()?;
    let exports = Exports {
        endpoint_url: format!("http://{}", local_aws::reachable(address)),
        region: config.region.clone(),
        credentials: config.credentials.clone(),
    };
    // Before anything is printed: it may be refused.
    let endpoint = local_aws::Endpoint::open(listener, config).await?;
    let _registration = runtime_folder::register(address.port(), &exports.credentials)?;
    output.show(&exports)?;
    if args.no_auth {
        note(NO_AUTH);
    }
    if args.allow_remote {
        note(ALLOW_REMOTE);
    }
    let then = match &args.data_dir {
        Some(dir) => format!("what it holds is in {}", dir.display()),
        None => "what it holds is gone then".to_owned(),
    };
    note(&format!("listening on {address}; Ctrl-C stops it, and {then}"));
    endpoint.serve(interrupted()).await;
    note("stopped");
    Ok(())
}

/// The endpoint's own events, a line each; of the crates below it only what is wrong.
fn show_events(is_verbose: bool) {
    let level = if is_verbose { Level::DEBUG } else { Level::INFO };
    let events = Targets::new().with_target("local_aws", level).with_default(Level::WARN);
    let lines = tracing_subscriber::fmt::layer().event_format(EventLine).with_writer(escaped_lines);
    tracing_subscriber::registry().with(lines.with_filter(events)).init();
}

/// Those that are given; with a data folder those kept in it; otherwise new ones.
fn credentials(args: &Local) -> Result<Credentials> {
    match (given_credentials(args)?, &args.data_dir) {
        (Some(given), _) => Ok(given),
        (None, Some(folder)) => Ok(Credentials::kept_in(folder, args.recover)?),
        (None, None) => Ok(Credentials::random()),
    }
}

fn given_credentials(args: &Local) -> Result<Option<Credentials>> {
    let (Some(access_key_id), Some(secret_access_key)) = (&args.access_key_id, &args.secret_access_key) else {
        return Ok(None);
    };
    // They are printed for a shell, and the id stands between slashes and commas in a header.
    let is_key = |value: &str| {
        value.len() >= 3 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let is_plain = |value: &str| {
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+/=.".contains(&byte))
    };
    let secrets = [Some(secret_access_key), args.session_token.as_ref()];
    if !is_key(access_key_id) || !secrets.into_iter().flatten().all(|value| is_plain(value)) {
        return Err(Error::usage("the credentials given to the endpoint are not of the form of AWS's").hint(
            "an access key has letters, digits, - and _; its secret and a session token may also have + / = and .",
        ));
    }
    Ok(Some(Credentials {
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
        session_token: args.session_token.clone(),
    }))
}

/// Binds the endpoint's address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let port = address.port();
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::failed(format!("port {port} is in use")).hint(
            "another endpoint may be running there; take another port with --port N, or a free one with --port 0",
        ),
        io::ErrorKind::PermissionDenied => Error::failed(format!("port {port} may not be used: {error}"))
            .hint("take a port from 1024 up with --port N"),
        _ => Error::failed(format!("could not listen on {address}: {error}")),
    })
}

/// The endpoint's configuration as the options have it.
pub fn config(global: &Global) -> local_aws::Config {
    let default = local_aws::Config::default();
    local_aws::Config { region: global.region.clone().unwrap_or(default.region), ..default }
}

/// Resolves on Ctrl-C, on SIGTERM, and when the terminal is closed.
pub async fn interrupted() {
    tokio::select! {
        () = received(SignalKind::interrupt()) => {}
        () = received(SignalKind::terminate()) => {}
        () = received(SignalKind::hangup()) => {}
    }
}

async fn received(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
