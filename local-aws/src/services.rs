//! The services of the endpoint, opened together, and the operations of them all.

mod regions;
#[cfg(test)]
mod tests;
use std::io;

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
    /// Opens the data folder, if there is one, and the services with the state that it has.
    ///
    /// # Errors
    /// The folder cannot be read or belongs to another account, or a local function cannot be run.
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
    /// As the operation models them.
    pub async fn answer(&self, request: Request) -> Result<Response<Body>, AwsError> {
        let service = request.operation.service;
        match service {
            ServiceName::Iam => return operation::answer(&self.iam, request).await,
            ServiceName::Sts => return operation::answer(&self.sts, request).await,
            ServiceName::Kinesis | ServiceName::Lambda | ServiceName::Logs => {}
        }
        let region = self.regions.get_or_open(&request.region).await?;
        match service {
            ServiceName::Kinesis => operation::answer(&region.kinesis, request).await,
            ServiceName::Lambda => operation::answer(&region.lambda, request).await,
            _ => operation::answer(&region.logs, request).await,
        }
    }

    /// The services in the default region.
    pub fn default_region(&self) -> Region {
        self.regions.default_region()
    }

    /// How many processes of functions run.
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

/// The account of an endpoint: the one that the folder was written for, or else the configuration's.
fn account_of(config: &Config, contents: &Contents) -> io::Result<String> {
    let given = &config.account_id;
    match &contents.account_id {
        Some(stored) if stored == given || given == DEFAULT_ACCOUNT_ID => Ok(stored.clone()),
        Some(stored) => {
            let reason = format!(
                "the data folder belongs to account {stored}, not {given}: leave the account out, or take another folder"
            );
            Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
        }
        None => Ok(given.clone()),
    }
}

/// The operations of a service.
pub fn operations(service: ServiceName) -> Vec<&'static Metadata> {
    match service {
        ServiceName::Kinesis => metadata::<Kinesis>(),
        ServiceName::Lambda => metadata::<Lambda>(),
        ServiceName::Logs => metadata::<Logs>(),
        ServiceName::Iam => metadata::<Iam>(),
        ServiceName::Sts => metadata::<Sts>(),
    }
}

/// The operation of a service that has this name.
///
/// # Errors
/// The endpoint does not answer it.
pub fn find(service: ServiceName, name: &str) -> Result<&'static Metadata, AwsError> {
    let found = match service {
        ServiceName::Kinesis => &operation::find::<Kinesis>(name)?.metadata,
        ServiceName::Lambda => &operation::find::<Lambda>(name)?.metadata,
        ServiceName::Logs => &operation::find::<Logs>(name)?.metadata,
        ServiceName::Iam => &operation::find::<Iam>(name)?.metadata,
        ServiceName::Sts => &operation::find::<Sts>(name)?.metadata,
    };
    Ok(found)
}

fn metadata<S: Service>() -> Vec<&'static Metadata> {
    S::operations().iter().map(|operation| &operation.metadata).collect()
}
