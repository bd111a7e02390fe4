//! `local`: the endpoint in the foreground.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::cli::{Global, Local};
use crate::error::{Error, Result};
use crate::output::{Output, Render};
use crate::progress::note;

/// What a client needs to know.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exports {
    endpoint_url: String,
    region: String,
    access_key_id: &'static str,
    secret_access_key: &'static str,
}

impl Render for Exports {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { endpoint_url, region, access_key_id, secret_access_key } = self;
        writeln!(to, "export AWS_ENDPOINT_URL={endpoint_url}")?;
        // boto3 and the first AWS CLI read the second of these, the newer tools the first.
        writeln!(to, "export AWS_REGION={region}")?;
        writeln!(to, "export AWS_DEFAULT_REGION={region}")?;
        writeln!(to, "export AWS_ACCESS_KEY_ID={access_key_id}")?;
        writeln!(to, "export AWS_SECRET_ACCESS_KEY={secret_access_key}")
    }
}

pub async fn run(global: &Global, args: &Local, output: Output) -> Result<()> {
    // The endpoint's own events; of the crates below it only what is wrong.
    let events = Targets::new().with_target("local_aws", Level::INFO).with_default(Level::WARN);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false).with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(events)).init();
    let listener = listen(args.port).await?;
    let config = config(global);
    let address = listener.local_addr()?;
    output.show(&Exports {
        endpoint_url: format!("http://{address}"),
        region: config.region.clone(),
        access_key_id: local_aws::ACCESS_KEY_ID,
        secret_access_key: local_aws::SECRET_ACCESS_KEY,
    })?;
    note(&format!("listening on {address}; Ctrl-C stops it, and what it holds is gone then"));
    local_aws::run(listener, config, interrupted()).await?;
    note("stopped");
    Ok(())
}

/// Binds the endpoint's port on loopback.
pub async fn listen(port: u16) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
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
