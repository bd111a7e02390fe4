//! The services of the endpoint, opened together, and the operations of them all.

use std::io;

use axum::body::Body;
use http::Response;

use crate::config::Config;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::iam::Iam;
use crate::kinesis::Kinesis;
use crate::lambda::Lambda;
use crate::logs::Logs;
use crate::metrics::Metrics;
use crate::operation::{self, Metadata, Request, Service, ServiceName};
use crate::store::{Budget, Store};
use crate::sts::Sts;

/// Handles on all services.
#[derive(Clone)]
pub struct Services {
    pub kinesis: Kinesis,
    pub lambda: Lambda,
    pub logs: Logs,
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
    /// The folder cannot be read, or a local function cannot be run.
    pub async fn open(config: Config) -> io::Result<Self> {
        let store = Store::open_or_recover(config.data_dir.as_deref(), config.recover).map_err(io::Error::other)?;
        let budget = Budget::new(config.memory_limit);
        let logs = Logs::open(&config.region, &config.account_id, store.clone(), budget.clone());
        let logs = logs.map_err(io::Error::other)?.counted_by(config.metrics.clone());
        let kinesis = Kinesis::new(&config, &store, &budget);
        kinesis.restore().await.map_err(io::Error::other)?;
        let faults = kinesis.faults();
        let iam = Iam::open(&config.account_id, store.clone()).map_err(io::Error::other)?;
        let sts = Sts::new(iam.clone());
        let metrics = config.metrics.clone();
        let local_functions = config.functions.clone();
        let lambda = Lambda::new(config, kinesis.clone(), logs.clone(), sts.clone(), &store);
        lambda.restore().await.map_err(io::Error::other)?;
        lambda.create_local_functions(&local_functions).await?;
        Ok(Self { kinesis, lambda, logs, iam, sts, faults, store, metrics })
    }

    /// Answers a request.
    ///
    /// # Errors
    /// As the operation models them.
    pub async fn answer(&self, request: Request) -> Result<Response<Body>, AwsError> {
        match request.operation.service {
            ServiceName::Kinesis => operation::answer(&self.kinesis, request).await,
            ServiceName::Lambda => operation::answer(&self.lambda, request).await,
            ServiceName::Logs => operation::answer(&self.logs, request).await,
            ServiceName::Iam => operation::answer(&self.iam, request).await,
            ServiceName::Sts => operation::answer(&self.sts, request).await,
        }
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

#[cfg(test)]
mod tests;
