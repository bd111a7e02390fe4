//! Kinesis, Lambda and CloudWatch Logs on your own machine, and the little of IAM and STS that provisioning needs.
//!
//! One HTTP listener answers all services, as AWS's own wire protocols word them. A function is the uploaded zip, run
//! as a process behind the real Runtime API. Nothing here knows the function's code: it is run, never linked.

mod http_api;
mod identity;
mod kinesis;
mod lambda;
mod logs;

use std::net::SocketAddr;

/// Who and where the endpoint says it is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The region in every ARN.
    pub region: String,
    /// The 12-digit account in every ARN.
    pub account_id: String,
    /// The address clients reach the endpoint at; functions get it as `AWS_ENDPOINT_URL`.
    pub address: SocketAddr,
}
