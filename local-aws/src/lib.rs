//! Kinesis, Lambda and CloudWatch Logs on your own machine, and the parts of IAM and STS that provisioning needs.
//!
//! One HTTP listener serves all services in AWS's own wire protocols. A function is an uploaded zip that runs as a
//! process behind the real Runtime API. The endpoint runs the function's binary and never links its code.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! println!("AWS_ENDPOINT_URL=http://{}", listener.local_addr()?);
//! local_aws::run(listener, local_aws::Config::default(), std::future::pending()).await
//! # }
//! ```

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
mod token_bucket;
mod validation;

/// Functions that parse untrusted bytes, for the targets in `fuzz/`.
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

/// The default port, which other local AWS endpoints use too.
pub const DEFAULT_PORT: u16 = 4566;

/// The most resident memory of an endpoint with this [`Config::memory_limit`], in bytes.
/// docs/promises/data-directory.md lists the parts, and what is not included.
pub const fn memory_bound(limit: usize) -> usize {
    /// Data that was read from the store, responses that are built from it, the program itself and its connections.
    const OTHER_BYTES: usize = (64 << 20) + (48 << 20);
    let (allocator, decoded) = (limit / 8, http_api::MAX_BODY_BYTES);
    limit + allocator + http_api::MAX_BODY_BYTES + decoded + store::MEMORY_BYTES + OTHER_BYTES
}

/// An endpoint that is ready to serve.
pub struct Endpoint {
    listener: TcpListener,
    api: Api,
}

impl Endpoint {
    /// Opens the data directory, if there is one, and creates the configured functions. Clients that connect meanwhile
    /// wait.
    ///
    /// # Errors
    /// The data directory is rejected, or a configured function cannot be created. A listener with an address other than
    /// loopback is rejected unless the configuration allows it and signatures are verified, because the endpoint runs
    /// uploaded code.
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
        // Both at once, because an invocation in progress ends with its function's process.
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

/// The address at which clients on this machine reach a listener. A listener on all addresses is on loopback too.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
