//! Kinesis, Lambda and CloudWatch Logs, once per region. A region is opened by the first request for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::error::AwsError;
use crate::faults::Faults;
use crate::kinesis::Kinesis;
use crate::lambda::Lambda;
use crate::logs::Logs;
use crate::store::{Budget, Contents, Store};
use crate::sts::Sts;

/// The services of one region.
#[derive(Clone)]
pub struct Region {
    pub kinesis: Kinesis,
    pub lambda: Lambda,
    pub logs: Logs,
}

/// A handle on the opened regions. Clones share them.
#[derive(Clone)]
pub struct Regions {
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    contents: Contents,
    store: Store,
    budget: Budget,
    sts: Sts,
    faults: Faults,
    default: Region,
    opened: Mutex<BTreeMap<String, Region>>,
    /// Held while a region is opened. `false` once the endpoint is stopping.
    is_serving: tokio::sync::Mutex<bool>,
}

impl Regions {
    /// Opens the default region, which has the local functions, and the stored regions.
    pub async fn open(config: Config, contents: Contents, store: Store, sts: Sts, faults: Faults) -> io::Result<Self> {
        let budget = Budget::new(config.memory_limit);
        let (name, functions) = (config.region.clone(), config.functions.clone());
        let (kinesis, logs, scoped) = open_streams(&config, &name, &contents, &store, &budget, &faults)?;
        let lambda = Lambda::new(config.clone(), kinesis.clone(), logs.clone(), sts.clone(), &scoped);
        let default = restored(Region { kinesis, lambda, logs }).await?;
        default.lambda.create_local_functions(&functions).await?;
        let opened = Mutex::new(BTreeMap::from([(name, default.clone())]));
        let is_serving = tokio::sync::Mutex::new(true);
        let shared = Shared { config, contents, store, budget, sts, faults, default, opened, is_serving };
        let regions = Self { shared: Arc::new(shared) };
        for name in &regions.shared.contents.regions {
            regions.open_region(name).await?;
        }
        Ok(regions)
    }

    pub fn default_region(&self) -> Region {
        self.shared.default.clone()
    }

    pub fn opened(&self) -> Vec<Region> {
        self.lock().values().cloned().collect()
    }

    /// The services of a region.
    ///
    /// # Errors
    /// The stored region cannot be read.
    pub async fn get_or_open(&self, name: &str) -> Result<Region, AwsError> {
        let opened = self.lock().get(name).cloned();
        match opened {
            Some(region) => Ok(region),
            None => self.open_region(name).await.map_err(|error| {
                AwsError::new(500, "InternalFailure", format!("The region {name} could not be opened: {error}"))
            }),
        }
    }

    /// Prevents that more regions are opened. Returns the open ones.
    pub async fn close(&self) -> Vec<Region> {
        *self.shared.is_serving.lock().await = false;
        self.opened()
    }

    async fn open_region(&self, name: &str) -> io::Result<Region> {
        let is_serving = self.shared.is_serving.lock().await;
        let opened = self.lock().get(name).cloned();
        if let Some(region) = opened {
            return Ok(region);
        }
        if !*is_serving {
            return Err(io::Error::other("the endpoint is stopping"));
        }
        let Shared { contents, store, budget, sts, faults, default, .. } = &*self.shared;
        let config = Config { region: name.to_owned(), functions: Vec::new(), ..self.shared.config.clone() };
        let (kinesis, logs, scoped) = open_streams(&config, name, contents, store, budget, faults)?;
        let lambda = default.lambda.in_region(config, kinesis.clone(), logs.clone(), sts.clone(), &scoped);
        let region = restored(Region { kinesis, lambda, logs }).await?;
        self.lock().insert(name.to_owned(), region.clone());
        Ok(region)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Region>> {
        self.shared.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens Kinesis and CloudWatch Logs with the region's keys in the store.
fn open_streams(
    config: &Config,
    name: &str,
    contents: &Contents,
    store: &Store,
    budget: &Budget,
    faults: &Faults,
) -> io::Result<(Kinesis, Logs, Store)> {
    let store = store.in_region(name, contents);
    let logs = Logs::open(name, &config.account_id, store.clone(), budget.clone()).map_err(io::Error::other)?;
    let kinesis = Kinesis::new(config, &store, budget, faults);
    Ok((kinesis, logs.counted_by(config.metrics.clone()), store))
}

/// The region with its stored streams and functions.
async fn restored(region: Region) -> io::Result<Region> {
    region.kinesis.restore().await.map_err(io::Error::other)?;
    region.lambda.restore().await.map_err(io::Error::other)?;
    Ok(region)
}
