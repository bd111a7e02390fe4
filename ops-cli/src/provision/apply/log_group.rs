//! Creates and changes the log group.

use aws_sdk_cloudwatchlogs::types::LogGroupClass;

use super::Applier;
use crate::error::Result;
use crate::progress::ProgressStep;
use crate::provision::kind::NONE;
use crate::provision::setting::Part;

impl Applier<'_> {
    pub(super) async fn create_log_group(&self, progress: &ProgressStep) -> Result<()> {
        let target = self.target(Part::LogGroup);
        let request = self.aws.logs().create_log_group().log_group_name(self.desired.names.log_group());
        let request = request
            .set_tags(Some(self.desired.all_tags().into_iter().collect()))
            .set_log_group_class(target.text("class").map(LogGroupClass::from))
            .set_kms_key_id(target.text("kms-key").filter(|key| *key != NONE).map(str::to_owned))
            .set_deletion_protection_enabled(target.bool("deletion-protection"));
        let request = self.change("create the log group", progress, || request.clone().send());
        let created = self.create(Part::LogGroup, request).await?;
        self.settle(created.is_some(), Part::LogGroup, "").await
    }

    pub(super) async fn change_log_retention(&self, progress: &ProgressStep) -> Result<()> {
        let (logs, group) = (self.aws.logs(), self.desired.names.log_group());
        let doing = "set the log group's retention";
        match self.target(Part::LogGroup).integer("retention-days") {
            None | Some(0) => {
                let request = logs.delete_retention_policy().log_group_name(group);
                self.change(doing, progress, || request.clone().send()).await.map(drop)
            }
            Some(days) => {
                let request = logs.put_retention_policy().log_group_name(group).retention_in_days(days);
                self.change(doing, progress, || request.clone().send()).await.map(drop)
            }
        }
    }

    pub(super) async fn change_log_key(&self, progress: &ProgressStep) -> Result<()> {
        let (logs, group) = (self.aws.logs(), self.desired.names.log_group());
        let doing = "change the log group's encryption";
        match self.target(Part::LogGroup).text("kms-key") {
            None | Some(NONE) => {
                let request = logs.disassociate_kms_key().log_group_name(group);
                self.change(doing, progress, || request.clone().send()).await.map(drop)
            }
            Some(key) => {
                let request = logs.associate_kms_key().log_group_name(group).kms_key_id(key);
                self.change(doing, progress, || request.clone().send()).await.map(drop)
            }
        }
    }

    pub(super) async fn change_deletion_protection(&self, progress: &ProgressStep) -> Result<()> {
        let is_protected = self.target(Part::LogGroup).bool("deletion-protection").unwrap_or_default();
        let request = self.aws.logs().put_log_group_deletion_protection();
        let request = request.log_group_identifier(self.desired.names.log_group());
        let request = request.deletion_protection_enabled(is_protected);
        let doing = "change the log group's deletion protection";
        self.change(doing, progress, || request.clone().send()).await.map(drop)
    }
}
