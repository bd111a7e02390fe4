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

mod bucket;
mod credentials;
mod error;
mod event_stream;
mod faults;
mod http_api;
mod identity;
mod kinesis;
mod lambda;
mod logs;
mod metrics;
mod peer;
mod private;
mod signature;
mod store;
mod validation;

/// What `fuzz/` calls: what reads the bytes of others.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::http_api::fuzzing::request;
    pub use crate::lambda::fuzzing::{event_pattern, unpack};
    pub use crate::logs::filter_pattern::FilterPattern;
}

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

pub use credentials::Credentials;
pub use http_api::Limits;
pub use logs::filter_pattern::{FilterPattern, PatternError};
pub use metrics::Metrics;

use faults::Faults;
use http_api::Access;
use identity::Identity;
use kinesis::Kinesis;
use lambda::Lambda;
use logs::Logs;
use store::{Budget, Store};

/// The port clients look for the endpoint at, unless they are told another: the one that other local AWS endpoints use.
pub const DEFAULT_PORT: u16 = 4566;

/// In bytes: see [`Config::memory_limit`].
pub const DEFAULT_MEMORY_LIMIT: usize = 1 << 30;

/// The resident memory of an endpoint with this [`Config::memory_limit`], at most, in bytes. docs/promises/data-directory.md lists the parts, and
/// what is not among them.
pub const fn memory_bound(limit: usize) -> usize {
    /// What is read from the store and the answers that are built of it, and the program and its connections.
    const OTHER_BYTES: usize = (64 << 20) + (48 << 20);
    let (allocator, decoded) = (limit / 8, http_api::MAX_BODY_BYTES);
    limit + allocator + http_api::MAX_BODY_BYTES + decoded + store::MEMORY_BYTES + OTHER_BYTES
}

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
    /// Whether requests must be signed. Without it, unsigned requests of every program of the user that runs the endpoint are
    /// accepted; browsers are refused, and other users must sign.
    pub verify_signatures: bool,
    /// Whether the listener may be on another address than loopback's, which other machines reach. Then the endpoint's own
    /// pages, except `/_local/health`, must be signed too.
    pub allow_remote: bool,
    pub limits: Limits,
    /// What the endpoint has done; `/_local/metrics` shows it.
    pub metrics: Metrics,
    /// The folder that keeps everything, on-failure documents as files below `destinations` included; none: memory, and a
    /// temporary folder for the documents, which go with the endpoint.
    pub data_dir: Option<PathBuf>,
    /// Open what is valid of a damaged data folder, after a copy of it was made; without it such a folder is refused.
    pub recover: bool,
    /// Functions that there are from the start: name, and the program or folder that is its code, read again when it changes.
    pub functions: Vec<(String, PathBuf)>,
    /// How many bytes of records and log events stay in memory; the oldest leave first.
    pub memory_limit: usize,
    /// Shards of streams take and give no more in a second than on AWS.
    pub shard_limits: bool,
    /// Streams and consumers take some seconds to be made, changed and deleted, and a failed `Event` is retried after one
    /// minute and after two more, as on AWS.
    pub realistic: bool,
    /// Functions may have runtimes that AWS no longer accepts.
    pub any_runtime: bool,
    /// Failed batches and `Event`s are retried sooner than on AWS: for tests that wait for the last attempt.
    pub fast_retries: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account_id: "000000000000".into(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            credentials: Credentials::random(),
            verify_signatures: true,
            allow_remote: false,
            limits: Limits::default(),
            metrics: Metrics::default(),
            data_dir: None,
            recover: false,
            functions: Vec::new(),
            memory_limit: DEFAULT_MEMORY_LIMIT,
            shard_limits: false,
            realistic: false,
            any_runtime: false,
            fast_retries: false,
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
    store: Store,
    access: Arc<Access>,
    metrics: Metrics,
}

impl Services {
    async fn open(config: Config, bound: IpAddr) -> io::Result<Self> {
        let store = Store::open_or_recover(config.data_dir.as_deref(), config.recover).map_err(io::Error::other)?;
        let budget = Budget::new(config.memory_limit);
        let logs = Logs::open(&config.region, &config.account_id, store.clone(), budget.clone());
        let logs = logs.map_err(io::Error::other)?.counted_by(config.metrics.clone());
        let kinesis = Kinesis::new(&config, &store, &budget);
        kinesis.restore().await.map_err(io::Error::other)?;
        let faults = kinesis.faults();
        let identity = Identity::open(&config.account_id, store.clone()).map_err(io::Error::other)?;
        let access = Arc::new(Access {
            credentials: config.credentials.clone(),
            verify: config.verify_signatures,
            limits: config.limits,
            bound,
            allow_remote: config.allow_remote,
        });
        let metrics = config.metrics.clone();
        let local_functions = config.functions.clone();
        let lambda = Lambda::new(config, kinesis.clone(), logs.clone(), identity.clone(), &store);
        lambda.restore().await.map_err(io::Error::other)?;
        lambda.make_local(&local_functions).await?;
        Ok(Self { kinesis, lambda, logs, identity, faults, store, access, metrics })
    }
}

/// An endpoint that has all it needs to serve.
pub struct Endpoint {
    listener: TcpListener,
    services: Services,
    limits: Limits,
}

impl Endpoint {
    /// Opens the data folder, if there is one, and makes what the configuration asks for. Clients that connect wait.
    ///
    /// # Errors
    /// The folder is refused, or a function of the configuration. A listener that is not on a loopback address is refused,
    /// unless the configuration allows it and signatures are verified: the endpoint runs uploaded code.
    pub async fn open(listener: TcpListener, config: Config) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let refused = |reason| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        if !address.ip().is_loopback() && !config.allow_remote {
            return refused(format!("{address} is not a loopback address, and the endpoint runs uploaded code"));
        }
        if !address.ip().is_loopback() && !config.verify_signatures {
            return refused(format!("{address} is not a loopback address: signatures must be verified"));
        }
        let limits = config.limits;
        let services = Services::open(Config { address: reachable(address), ..config }, address.ip()).await?;
        Ok(Self { listener, services, limits })
    }

    /// Serves until `shutdown` resolves, then stops every function process and returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, services, limits } = self;
        let lambda = services.lambda.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = http_api::router(services);
        let server = http_api::serve(listener, router, limits, async {
            stopped.await.ok();
        });
        // Together: an invocation under way ends with its function's process.
        tokio::join!(server, async {
            shutdown.await;
            stop.send(()).ok();
            lambda.shutdown().await;
        });
    }
}

/// Opens an endpoint and serves `listener` until `shutdown` resolves.
///
/// # Errors
/// As [`Endpoint::open`].
pub async fn run(listener: TcpListener, config: Config, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    Endpoint::open(listener, config).await?.serve(shutdown).await;
    Ok(())
}

/// Where this machine's own clients find a listener: one on every address is on loopback too.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
