//! Starting the local endpoint.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use local_aws::Credentials;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::{Error, Result};
use crate::global::Global;

/// Binds an endpoint's address.
pub async fn listen(address: SocketAddr) -> Result<TcpListener> {
    let port = address.port();
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Error::failed(format!("port {port} is in use")).hint(
            "another endpoint may be running there; choose another port with --port N, or a free one with --port 0",
        ),
        io::ErrorKind::PermissionDenied => Error::failed(format!("could not listen on port {port}: {error}"))
            .hint("choose a port from 1024 up with --port N"),
        _ => Error::failed(format!("could not listen on {address}: {error}")),
    })
}

/// The configuration that follows from the options of every command.
pub fn config(global: &Global) -> local_aws::Config {
    let default = local_aws::Config::default();
    local_aws::Config { region: global.region.clone().unwrap_or(default.region), ..default }
}

/// A local endpoint in this process.
pub struct InProcessEndpoint {
    url: String,
    credentials: Credentials,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

impl InProcessEndpoint {
    /// Starts it on a free port.
    pub async fn start(global: &Global) -> Result<Self> {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let shutdown = async {
            stopped.await.ok();
        };
        let config = config(global);
        let credentials = config.credentials.clone();
        let server = tokio::spawn(local_aws::run(listener, config, shutdown));
        Ok(Self { url, credentials, stop, server })
    }

    /// The options that connect to it.
    pub fn global(&self, global: &Global) -> Global {
        let local_credentials = Some(self.credentials.clone());
        Global { local: true, local_credentials, profile: None, endpoint_url: Some(self.url.clone()), ..global.clone() }
    }

    /// Stops it and its function processes.
    pub async fn stop(self) -> Result<()> {
        self.stop.send(()).ok();
        self.server.await.map_err(|error| Error::failed(format!("the endpoint failed: {error}")))??;
        Ok(())
    }
}
