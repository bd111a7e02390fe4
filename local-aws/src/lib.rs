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
mod config;
mod credentials;
mod encoding;
mod error;
mod event_stream;
mod faults;
mod http_api;
mod iam;
mod kinesis;
mod lambda;
mod logs;
mod metrics;
mod operation;
mod peer;
mod private;
mod region;
mod services;
mod signature;
mod store;
mod sts;
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
use std::sync::Arc;

use tokio::net::TcpListener;

pub use config::{Config, DEFAULT_ACCOUNT_ID, DEFAULT_MEMORY_LIMIT, Limits};
pub use credentials::Credentials;
pub use logs::filter_pattern::{FilterPattern, PatternError};
pub use metrics::Metrics;

use http_api::{Access, Api};
use services::Services;

/// The port clients look for the endpoint at, unless they are told another: the one that other local AWS endpoints use.
pub const DEFAULT_PORT: u16 = 4566;

/// The resident memory of an endpoint with this [`Config::memory_limit`], at most, in bytes. docs/promises/data-directory.md lists the parts, and
/// what is not among them.
pub const fn memory_bound(limit: usize) -> usize {
    /// What is read from the store and the answers that are built of it, and the program and its connections.
    const OTHER_BYTES: usize = (64 << 20) + (48 << 20);
    let (allocator, decoded) = (limit / 8, http_api::MAX_BODY_BYTES);
    limit + allocator + http_api::MAX_BODY_BYTES + decoded + store::MEMORY_BYTES + OTHER_BYTES
}

/// An endpoint that has all it needs to serve.
pub struct Endpoint {
    listener: TcpListener,
    api: Api,
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
        let access = Arc::new(Access::new(&config, address.ip()));
        let services = Services::open(Config { address: reachable(address), ..config }).await?;
        Ok(Self { listener, api: Api { services, access } })
    }

    /// Serves until `shutdown` resolves, then stops every function process and returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, api } = self;
        let (services, limits) = (api.services.clone(), api.access.limits);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = http_api::router(api);
        let server = http_api::serve(listener, router, limits, async {
            stopped.await.ok();
        });
        // Together: an invocation under way ends with its function's process.
        tokio::join!(server, async {
            shutdown.await;
            stop.send(()).ok();
            services.shutdown().await;
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
