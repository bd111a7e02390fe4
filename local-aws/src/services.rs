//! All services of the endpoint, opened together, and all their operations.

mod regions;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::LazyLock;

use axum::body::Body;
use http::Response;

use crate::config::{Config, DEFAULT_ACCOUNT_ID};
use crate::error::AwsError;
use crate::faults::Faults;
use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::lambda::Lambda;
use crate::logs::Logs;
use crate::metrics::Metrics;
use crate::operation::{self, Metadata, Request, Service, ServiceName};
use crate::store::{Contents, Store};
use crate::sts::Sts;
use regions::{Region, Regions};

/// Handles on all services.
#[derive(Clone)]
pub struct Services {
    regions: Regions,
    pub iam: Iam,
    pub sts: Sts,
    pub faults: Faults,
    pub store: Store,
    pub metrics: Metrics,
}

impl Services {
    /// Opens the data directory, if there is one, and the services with their stored state.
    ///
    /// # Errors
    /// The directory cannot be read or belongs to another account, or a local function cannot be created.
    pub async fn open(config: Config) -> io::Result<Self> {
        let store = Store::open_or_recover(config.data_dir.as_deref(), config.recover).map_err(io::Error::other)?;
        let contents = store.contents(&config.region).map_err(io::Error::other)?;
        let account_id = account_of(&config, &contents)?;
        store.set_contents(&account_id, &contents.home);
        let iam = Iam::open(&account_id, store.clone()).map_err(io::Error::other)?;
        let sts = Sts::new(iam.clone());
        let (faults, metrics) = (Faults::default(), config.metrics.clone());
        let config = Config { account_id, ..config };
        let regions = Regions::open(config, contents, store.clone(), sts.clone(), faults.clone()).await?;
        Ok(Self { regions, iam, sts, faults, store, metrics })
    }

    /// Answers a request.
    ///
    /// # Errors
    /// The errors of the operation.
    pub async fn answer(&self, request: Request) -> Result<Response<Body>, AwsError> {
        match request.operation.service {
            ServiceName::Kinesis => operation::answer(&self.region(&request).await?.kinesis, request).await,
            ServiceName::Lambda => operation::answer(&self.region(&request).await?.lambda, request).await,
            ServiceName::Logs => operation::answer(&self.region(&request).await?.logs, request).await,
            ServiceName::Iam => operation::answer(&self.iam, request).await,
            ServiceName::Sts => operation::answer(&self.sts, request).await,
        }
    }

    async fn region(&self, request: &Request) -> Result<Region, AwsError> {
        self.regions.get_or_open(&request.region).await
    }

    /// The services in the default region.
    pub fn default_region(&self) -> Region {
        self.regions.default_region()
    }

    /// The number of running function processes.
    pub fn function_processes(&self) -> usize {
        self.regions.opened().iter().map(|region| region.lambda.processes()).sum()
    }

    /// Stops the pollers and every function process of every region.
    pub async fn shutdown(&self) {
        for region in self.regions.close().await {
            region.lambda.shutdown().await;
        }
    }
}

/// The account of an endpoint: the data directory's, or else the configuration's.
fn account_of(config: &Config, contents: &Contents) -> io::Result<String> {
    let given = &config.account_id;
    match &contents.account_id {
        Some(stored) if stored == given || given == DEFAULT_ACCOUNT_ID => Ok(stored.clone()),
        Some(stored) => {
            let reason = format!(
                "the data directory belongs to account {stored}, not {given}: omit the account, or use another data directory"
            );
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
        None => Ok(given.clone()),
    }
}

/// The operations of all services.
static OPERATIONS: LazyLock<Vec<&'static Metadata>> = LazyLock::new(|| {
    [metadata::<Kinesis>(), metadata::<Lambda>(), metadata::<Logs>(), metadata::<Iam>(), metadata::<Sts>()].concat()
});

/// The operations of a service.
pub fn operations(service: ServiceName) -> impl Iterator<Item = &'static Metadata> {
    OPERATIONS.iter().copied().filter(move |operation| operation.service == service)
}

/// Finds the operation of a service by its name.
///
/// # Errors
/// The endpoint does not support it.
pub fn find(service: ServiceName, name: &str) -> Result<&'static Metadata, AwsError> {
    operations(service).find(|operation| operation.name == name).ok_or_else(|| service.unknown_operation(name))
}

fn metadata<S: Service>() -> Vec<&'static Metadata> {
    S::operations().iter().map(|operation| &operation.metadata).collect()
}
