//! PutRetentionPolicy and DeleteRetentionPolicy.

use kinesis_event_logger_core::limits::LOG_RETENTION_DAYS;
use serde::Deserialize;

use crate::error::AwsError;

use super::Logs;
use super::groups::LogGroupName;
use super::persist::store_group;
use super::validation::Checks;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRetentionPolicy {
    log_group_name: Option<String>,
    retention_in_days: Option<i32>,
}

impl Logs {
    pub(super) fn put_retention_policy(&self, input: PutRetentionPolicy) -> Result<(), AwsError> {
        let mut checks = Checks::default();
        let name = checks.required_group_name(input.log_group_name);
        let days = checks.required("retentionInDays", input.retention_in_days);
        if input.retention_in_days.is_some() {
            let allowed = LOG_RETENTION_DAYS.map(|days| days.to_string());
            checks.one_of("retentionInDays", &days.to_string(), &allowed.each_ref().map(String::as_str));
        }
        checks.finish()?;
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
        let name = self.required_group_name(input.log_group_name)?;
        self.change_group(&name, |group| {
            group.retention_in_days = None;
            Ok(())
        })
    }
}
