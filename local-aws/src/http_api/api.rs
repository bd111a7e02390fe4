//! The services, and the rules for who may use them.

use std::net::IpAddr;
use std::sync::Arc;

use crate::config::{Config, Limits};
use crate::credentials::Credentials;
use crate::services::Services;

/// The rules for who may use the endpoint.
#[derive(Debug, Clone)]
pub struct Access {
    pub credentials: Credentials,
    /// The region of unsigned requests.
    pub region: String,
    /// Whether requests of the user that runs the endpoint must be signed too.
    pub verify: bool,
    pub limits: Limits,
    /// The listener's address.
    pub bound: IpAddr,
    /// Whether clients may be on other machines.
    pub allow_remote: bool,
}

impl Access {
    /// The access rules of a configuration for a listener.
    pub fn new(config: &Config, bound: IpAddr) -> Self {
        Self {
            credentials: config.credentials.clone(),
            region: config.region.clone(),
            verify: config.verify_signatures,
            limits: config.limits,
            bound,
            allow_remote: config.allow_remote,
        }
    }
}

/// The services and the access rules.
#[derive(Clone)]
pub struct Api {
    pub services: Services,
    pub access: Arc<Access>,
}
