//! The account: DescribeLimits, DescribeAccountSettings, UpdateAccountSettings.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Kinesis;
use super::stream::Mode;
use crate::error::AwsError;
use crate::store::Keyspace;

/// The most open shards of all streams.
pub const SHARD_LIMIT: usize = 100_000;

/// The most on-demand streams of an account (Kinesis API, DescribeLimits).
const ON_DEMAND_STREAMS: u32 = 50;

/// The settings of the account, in the form of requests and responses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccountSettings {
    minimum_throughput_billing_commitment: BillingCommitment,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BillingCommitment {
    status: String,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self { minimum_throughput_billing_commitment: BillingCommitment { status: "DISABLED".to_owned() } }
    }
}

pub fn describe_limits(kinesis: &Kinesis, _: Map<String, Value>) -> Result<Value, AwsError> {
    let (mut open, mut on_demand) = (0, 0);
    for stream in kinesis.streams() {
        let state = stream.state();
        open += state.open().len();
        on_demand += u32::from(state.configuration.mode == Mode::OnDemand);
    }
    Ok(json!({
        "ShardLimit": SHARD_LIMIT,
        "OpenShardCount": open,
        "OnDemandStreamCount": on_demand,
        "OnDemandStreamCountLimit": ON_DEMAND_STREAMS,
    }))
}

pub fn describe_account_settings(kinesis: &Kinesis, _: Map<String, Value>) -> Result<AccountSettings, AwsError> {
    Ok(kinesis.shared.account.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

pub fn update_account_settings(kinesis: &Kinesis, settings: AccountSettings) -> Result<AccountSettings, AwsError> {
    let mut account = kinesis.shared.account.lock().unwrap_or_else(PoisonError::into_inner);
    account.clone_from(&settings);
    let mut batch = kinesis.shared.storage.store.batch();
    batch.put_json(Keyspace::Account, "kinesis", &settings);
    batch.commit();
    Ok(settings)
}

impl Kinesis {
    /// Counts the open shards of all streams, including those that pending changes will add. The caller must hold
    /// `Shared::shard_limit` and none of the locks that come after it.
    pub(super) fn reserved_shards(&self) -> usize {
        self.streams().iter().map(|stream| stream.state().reserved_shards()).sum()
    }

    /// # Errors LimitExceededException if the account may not have this many shards in addition to the reserved ones.
    pub(super) fn check_shard_limit(&self, reserved: usize, additional: usize) -> Result<(), AwsError> {
        if reserved + additional <= SHARD_LIMIT {
            return Ok(());
        }
        let (account, region) = (&self.shared.account_id, &self.shared.region);
        Err(AwsError::bad_request(
            "LimitExceededException",
            format!(
                "This request would exceed the shard limit for the account {account} in {region}. Current shard count for the account: \
                 {reserved}. Limit: {SHARD_LIMIT}. Number of additional shards that would have resulted from this request: {additional}. \
                 Refer to the AWS Service Limits page (http://docs.aws.amazon.com/general/latest/gr/aws_service_limits.html) for \
                 current limits and how to request higher limits."
            ),
        ))
    }
}
