//! The regions of a data directory. Each has its own keys, with a prefix.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::IgnoredAny;

use super::{Batch, Keyspace, Store, StoreError, engine};
use crate::region::DEFAULT_ACCOUNT_ID;

/// The first byte of every key in a region that has a prefix. No keyspace has this number.
const REGION: u8 = 255;

const ACCOUNT: &str = "account";
const HOME: &str = "home";
/// `region/NAME` exists for each region with a prefix that was written to.
const WRITTEN: &str = "region/";

/// The region of a store's keys.
pub struct Region {
    name: String,
    prefix: Bytes,
    /// Whether the directory lists the region.
    is_written: AtomicBool,
}

impl Region {
    fn new(name: &str, is_written: bool) -> Self {
        let mut prefix = BytesMut::new();
        prefix.put_u8(REGION);
        prefix.put_u8(name.len() as u8);
        prefix.put_slice(name.as_bytes());
        Self { name: name.to_owned(), prefix: prefix.freeze(), is_written: AtomicBool::new(is_written) }
    }

    /// Adds the region to the directory's list with the first batch that writes to it.
    pub(super) fn write(&self, batch: &mut Batch) {
        if !self.is_written.swap(true, Ordering::Relaxed) {
            let key = engine::key(Keyspace::Endpoint, format!("{WRITTEN}{}", self.name).as_bytes());
            batch.changes.puts.push((Keyspace::Endpoint, key, Bytes::from_static(b"null")));
        }
    }
}

/// The account and regions of a data directory.
#[derive(Debug, PartialEq)]
pub struct Contents {
    /// `None` for a new directory. A directory that is older than the account option has the default account.
    pub account_id: Option<String>,
    /// The region whose keys have no prefix.
    pub home: String,
    /// The regions that were written to, the home region included.
    pub regions: BTreeSet<String>,
}

impl Store {
    /// Reads the account and the regions. In a directory that is older than regions, the keys belong to the region of its
    /// ARNs.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn contents(&self, default_region: &str) -> Result<Contents, StoreError> {
        let entries = self.all::<Option<String>>(Keyspace::Endpoint)?;
        let value = |name: &str| entries.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.clone());
        let home = match value(HOME) {
            Some(home) => home,
            None => self.region_of_arns()?.unwrap_or_else(|| default_region.to_owned()),
        };
        let written = entries.iter().filter_map(|(key, _)| std::str::from_utf8(key).ok()?.strip_prefix(WRITTEN));
        let regions = written.map(str::to_owned).chain([home.clone()]).collect();
        let account_id = match value(ACCOUNT) {
            Some(account_id) => Some(account_id),
            None => (!self.is_empty()?).then(|| DEFAULT_ACCOUNT_ID.to_owned()),
        };
        Ok(Contents { account_id, home, regions })
    }

    /// Stores the account and the home region.
    pub fn set_contents(&self, account_id: &str, home: &str) {
        let mut batch = self.batch();
        batch.put_json(Keyspace::Endpoint, ACCOUNT, &account_id).put_json(Keyspace::Endpoint, HOME, &home);
        batch.commit();
    }

    /// The store of a region's services.
    #[must_use]
    pub fn in_region(&self, name: &str, contents: &Contents) -> Self {
        let region = (name != contents.home).then(|| Arc::new(Region::new(name, contents.regions.contains(name))));
        Self { open: self.open.clone(), region }
    }

    pub(super) fn key(&self, keyspace: Keyspace, key: &[u8]) -> Bytes {
        let key = engine::key(keyspace, key);
        match &self.region {
            Some(region) => [&region.prefix[..], &key].concat().into(),
            None => key,
        }
    }

    /// Whether no service has stored anything.
    fn is_empty(&self) -> Result<bool, StoreError> {
        for keyspace in [Keyspace::Roles, Keyspace::LogGroups, Keyspace::Streams, Keyspace::Functions] {
            if !self.all::<IgnoredAny>(keyspace)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The region of the first stream, mapping or function that has an ARN.
    fn region_of_arns(&self) -> Result<Option<String>, StoreError> {
        for keyspace in [Keyspace::Streams, Keyspace::Mappings, Keyspace::Functions, Keyspace::Consumers] {
            for (_, stored) in self.all::<serde_json::Value>(keyspace)? {
                if let Some(region) = region_in(&stored.to_string()) {
                    return Ok(Some(region));
                }
            }
        }
        Ok(None)
    }
}

/// The region of the first regional ARN in a text.
fn region_in(text: &str) -> Option<String> {
    text.split("arn:aws").skip(1).find_map(|arn| {
        let region = arn.split(':').nth(2)?;
        (!region.is_empty() && region.len() < 30).then(|| region.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_of_a_folder_has_its_own_keys() {
        let dir = tempfile::tempdir().unwrap();
        let value = |store: &Store, key: &str| {
            let all = store.all::<String>(Keyspace::Streams).unwrap();
            all.into_iter().find(|(found, _)| found == key).map(|(_, value)| value)
        };
        let put = |store: &Store, key: &str, value: &str| {
            let mut batch = store.batch();
            batch.put_json(Keyspace::Streams, key, &value);
            batch.commit();
        };
        {
            let store = Store::open(Some(dir.path())).unwrap();
            let contents = store.contents("us-east-1").unwrap();
            assert_eq!((contents.home.as_str(), contents.regions.len()), ("us-east-1", 1));
            store.set_contents("123456789012", "us-east-1");
            let [home, eu, ap] = ["us-east-1", "eu-west-1", "ap-south-1"].map(|name| store.in_region(name, &contents));
            put(&home, "s", "home");
            put(&eu, "s", "eu");
            assert_eq!((value(&home, "s").as_deref(), value(&eu, "s").as_deref()), (Some("home"), Some("eu")));
            assert_eq!(value(&ap, "s"), None);
        }
        let store = Store::open(Some(dir.path())).unwrap();
        // The default region of a later start changes nothing.
        let contents = store.contents("ap-south-1").unwrap();
        let regions = ["eu-west-1", "us-east-1"].map(str::to_owned).into();
        let account_id = Some("123456789012".to_owned());
        assert_eq!(contents, Contents { account_id, home: "us-east-1".into(), regions });
        let eu = store.in_region("eu-west-1", &contents);
        let entries: Vec<_> = eu.range(Keyspace::Streams, b"a", b"z").collect::<Result<_, _>>().unwrap();
        assert_eq!(entries, [(Bytes::from("s"), Bytes::from("\"eu\""))]);
        let mut batch = eu.batch();
        batch.remove_range(Keyspace::Streams, "a", "z");
        batch.commit();
        assert_eq!(value(&eu, "s"), None);
        assert_eq!(value(&store.in_region("us-east-1", &contents), "s").as_deref(), Some("home"));
    }

    #[test]
    fn the_keys_of_an_old_folder_belong_to_the_region_of_its_arns() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Some(dir.path())).unwrap();
        let mut batch = store.batch();
        let role = "arn:aws:iam::000000000000:role/r";
        let stream = "arn:aws:kinesis:eu-central-1:000000000000:stream/s";
        batch.put_json(Keyspace::Roles, "r", &role);
        batch.put_json(Keyspace::Mappings, "m", &serde_json::json!({ "role": role, "stream": stream }));
        batch.commit();
        let contents = store.contents("us-east-1").unwrap();
        assert_eq!(
            (contents.home.as_str(), contents.account_id.as_deref()),
            ("eu-central-1", Some(DEFAULT_ACCOUNT_ID))
        );
    }
}
