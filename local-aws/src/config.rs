//! The configuration of an endpoint.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::credentials::Credentials;
use crate::metrics::Metrics;

/// The account unless another is configured.
pub const DEFAULT_ACCOUNT_ID: &str = "000000000000";

/// In bytes: see [`Config::memory_limit`].
pub const DEFAULT_MEMORY_LIMIT: usize = 1 << 30;

/// Who and where the endpoint says it is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The region of requests that are not signed, and of [`Config::functions`].
    pub region: String,
    /// The 12-digit account in every ARN. A data folder keeps the account that it was created with, and is not opened with
    /// another one; the default stands for the folder's.
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

/// Limits on what one client can occupy.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections. Over it, the one that has been idle longest is closed; when none is idle, new ones wait.
    pub connections: usize,
    /// How long a connection may be open without a whole request head: before its first and between two.
    pub head: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// How long a request's body may pause.
    pub body_pause: Duration,
    /// How long a request's body may take.
    pub body: Duration,
    /// How long a client may leave an answer unread.
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
