//! The configuration of an endpoint.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::Credentials;
use crate::metrics::Metrics;

pub use crate::region::DEFAULT_ACCOUNT_ID;

/// The default of [`Config::memory_limit`], in bytes.
pub const DEFAULT_MEMORY_LIMIT: usize = 1 << 30;

/// The configuration of an endpoint.
#[derive(Debug, Clone)]
pub struct Config {
    /// The region of unsigned requests and of [`Config::functions`].
    pub region: String,
    /// The 12-digit account ID in every ARN. A data directory belongs to the account that it was created with and cannot be
    /// opened with another one. The default account stands for the directory's.
    pub account_id: String,
    /// The address at which clients reach the endpoint. Functions get it as `AWS_ENDPOINT_URL`. [`run`] sets it.
    pub address: SocketAddr,
    /// The credentials that requests must be signed with, and that functions get.
    pub credentials: Credentials,
    /// Whether requests must be signed. If not, unsigned requests are accepted from every program of the user that runs the
    /// endpoint. Browsers are rejected, and other users must sign.
    pub verify_signatures: bool,
    /// Whether the listener may have an address other than loopback, which other machines can reach. Then requests for the
    /// endpoint's own pages, except `/_local/health`, must be signed too.
    pub allow_remote: bool,
    pub limits: Limits,
    /// The counters that `/_local/metrics` shows.
    pub metrics: Metrics,
    /// The data directory, which persists all state. On-failure documents are files in its folder `destinations`. Without a
    /// data directory, state is in memory and the documents are in a temporary folder, and both end with the endpoint.
    pub data_dir: Option<PathBuf>,
    /// Whether to copy a damaged data directory and open what is valid in it. Otherwise a damaged directory is rejected.
    pub recover: bool,
    /// Functions that are created at the start: a name, and the program or folder with the code. The code is read again
    /// when it changes.
    pub functions: Vec<(String, PathBuf)>,
    /// The limit for records and log events in memory, in bytes. The oldest are evicted first.
    pub memory_limit: usize,
    /// Whether shards accept and return no more per second than on AWS.
    pub shard_limits: bool,
    /// Whether streams and consumers take some seconds to be created, changed and deleted, and a failed `Event` is retried
    /// after one minute and again after two more, as on AWS.
    pub realistic: bool,
    /// Whether functions may have runtimes that AWS no longer accepts.
    pub any_runtime: bool,
    /// Whether failed batches and `Event` invocations are retried sooner than on AWS, for tests that wait for the last
    /// attempt.
    pub fast_retries: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account_id: DEFAULT_ACCOUNT_ID.into(),
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

/// Limits on the resources that one client can occupy.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most open connections. Above it, the connection that has been idle longest is closed. If none is idle, new ones
    /// wait.
    pub connections: usize,
    /// The longest time without a complete request head, before the first request of a connection and between two.
    pub head: Duration,
    /// The largest head of a request, in bytes.
    pub head_bytes: usize,
    /// The longest pause in a request's body.
    pub body_pause: Duration,
    /// The longest time that a request's body may take.
    pub body: Duration,
    /// The longest time that a client may leave a response unread.
    pub unread: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head: Duration::from_secs(30),
            head_bytes: 64 * 1024,
            body_pause: Duration::from_secs(20),
            body: Duration::from_secs(300),
            unread: Duration::from_secs(60),
        }
    }
}
