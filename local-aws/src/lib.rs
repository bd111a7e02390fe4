//! Kinesis, Lambda and CloudWatch Logs on your own machine, and the little of IAM and STS that provisioning needs.
//!
//! One HTTP listener answers all services, as AWS's own wire protocols word them. A function is the uploaded zip, run
//! as a process behind the real Runtime API. Nothing here knows the function's code: it is run, never linked.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! println!("AWS_ENDPOINT_URL=http://{}", listener.local_addr()?);
//! local_aws::run(listener, local_aws::Config::default(), std::future::pending()).await
//! # }
//! ```

mod http_api;
mod identity;
mod kinesis;
mod lambda;
mod logs;
mod store;

use std::future::{Future, IntoFuture};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

pub use http_api::Credentials;
pub use lambda::package;

use http_api::{Access, Faults};
use identity::Identity;
use kinesis::Kinesis;
use lambda::Lambda;
use logs::Logs;
use store::{Budget, Store};

/// The port clients look for the endpoint at, unless they are told another: the one that other local AWS endpoints use.
pub const DEFAULT_PORT: u16 = 4566;

/// In bytes: see [`Config::memory_limit`].
pub const DEFAULT_MEMORY_LIMIT: usize = 1 << 30;

/// How long a client may take to end its connection once the endpoint stops.
const DRAIN: Duration = Duration::from_secs(2);

/// Who and where the endpoint says it is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The region in every ARN.
    pub region: String,
    /// The 12-digit account in every ARN.
    pub account_id: String,
    /// The address clients reach the endpoint at; functions get it as `AWS_ENDPOINT_URL`. [`run`] sets it.
    pub address: SocketAddr,
    /// What requests must be signed with, and what functions get.
    pub credentials: Credentials,
    /// Whether requests must be signed. Without it browsers are refused all the same, and every program on this machine is served.
    pub verify_signatures: bool,
    /// The folder that keeps everything, on-failure documents as files below `destinations` included; none: memory, and a
    /// temporary folder for the documents, which go with the endpoint.
    pub data_dir: Option<PathBuf>,
    /// How many bytes of records and log events stay in memory; the oldest leave first.
    pub memory_limit: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account_id: "000000000000".into(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            credentials: Credentials::random(),
            verify_signatures: true,
            data_dir: None,
            memory_limit: DEFAULT_MEMORY_LIMIT,
        }
    }
}

/// The services behind the one listener.
#[derive(Clone)]
struct Services {
    kinesis: Kinesis,
    lambda: Lambda,
    logs: Logs,
    identity: Identity,
    faults: Faults,
    access: Arc<Access>,
    store: Store,
}

/// Serves `listener` until `shutdown` resolves, then stops every function process and returns.
///
/// # Errors
/// A listener that is not on a loopback address is refused: the endpoint runs uploaded code.
pub async fn run(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let reason = format!("{address} is not a loopback address, and the endpoint runs uploaded code");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    let config = Config { address, ..config };
    let store = Store::open(config.data_dir.as_deref()).map_err(io::Error::other)?;
    let budget = Budget::new(config.memory_limit);
    let logs = Logs::open(&config.region, &config.account_id, store.clone(), budget).map_err(io::Error::other)?;
    let kinesis = Kinesis::new(&config);
    let faults = kinesis.faults();
    let identity = Identity::open(&config.account_id, store.clone()).map_err(io::Error::other)?;
    let access = Arc::new(Access { credentials: config.credentials.clone(), verify: config.verify_signatures });
    let lambda = Lambda::new(config, kinesis.clone(), logs.clone(), identity.clone());
    let services = Services { kinesis, lambda: lambda.clone(), logs, identity, faults, access, store };

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(listener, http_api::router(services))
        .with_graceful_shutdown(async {
            stopped.await.ok();
        })
        .into_future();
    let mut server = tokio::spawn(server);
    shutdown.await;
    stop.send(()).ok();
    lambda.shutdown().await;
    match tokio::time::timeout(DRAIN, &mut server).await {
        Ok(ended) => ended.unwrap_or_else(|error| Err(io::Error::other(error))),
        Err(_) => {
            // A client that holds its connection open (a subscription, a live tail) does not keep the endpoint alive.
            server.abort();
            Ok(())
        }
    }
}
