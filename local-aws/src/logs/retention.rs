//! PutRetentionPolicy and DeleteRetentionPolicy.

use kinesis_event_logger_core::limits::LOG_RETENTION_DAYS;
use serde::Deserialize;

use crate::error::AwsError;
use crate::validation::LOGS;

use super::Logs;
use super::groups::LogGroupName;
use super::persist::store_group;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRetentionPolicy {
    log_group_name: String,
    retention_in_days: i32,
}

impl Logs {
    pub(super) fn put_retention_policy(&self, input: PutRetentionPolicy) -> Result<(), AwsError> {
        let (name, days) = (input.log_group_name, input.retention_in_days);
        if !LOG_RETENTION_DAYS.iter().any(|allowed| i64::from(*allowed) == i64::from(days)) {
            let allowed = LOG_RETENTION_DAYS.map(|days| days.to_string()).join(", ");
            let constraint = format!("satisfy enum value set: [{allowed}]");
            return Err(LOGS.violation(&format!("'{days}'"), "retentionInDays", &constraint));
        }
        let now = self.now();
        let mut state = self.write();
        let group = state.group_mut(&name)?;
        group.retention_in_days = Some(days);
        let oldest = group.oldest_retained(now);
        let mut batch = self.batch();
        store_group(&name, group, &mut batch);
        let expired = group.streams.try_update_all(|events| events.expire(oldest, &mut batch));
        batch.commit();
        Ok(expired?)
    }

    pub(super) fn delete_retention_policy(&self, input: LogGroupName) -> Result<(), AwsError> {
        self.change_group(&input.log_group_name, |group| {
            group.retention_in_days = None;
            Ok(())
        })
    }
}
