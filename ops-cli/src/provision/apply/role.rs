//! Creates the function's role, and gives it its policy.

use super::Applier;
use crate::error::{Error, Result};
use crate::progress::ProgressStep;
use crate::provision::desired::{inline_policy, policy_arn};
use crate::provision::setting::Part;

const TRUST_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

impl Applier<'_> {
    pub(super) async fn create_role(&self, progress: &ProgressStep) -> Result<()> {
        let mut request = self
            .aws
            .iam()
            .create_role()
            .role_name(self.desired.names.role())
            .description("Execution role of the Kinesis event logger's function")
            .assume_role_policy_document(TRUST_POLICY);
        for (key, value) in self.desired.all_tags() {
            let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
            request = request.tags(tag.map_err(|error| Error::failed(error.to_string()))?);
        }
        let request = self.change("create the role", progress, || request.clone().send());
        let created = self.create(Part::Role, request).await?;
        self.settle(created.is_some(), Part::Role, "").await
    }

    /// Gives the role its new policy before it takes the old one, so that the function can always read and write.
    pub(super) async fn change_role_policy(&self, progress: &ProgressStep) -> Result<()> {
        let (iam, name) = (self.aws.iam(), self.desired.names.role());
        let (managed, inline) = (policy_arn(&self.desired.location), inline_policy(&self.desired.location));
        let target = self.target(Part::Role);
        let observed = self.observed.part(Part::Role).map(|role| &role.fields);
        if target.bool("managed-policy") == Some(true) {
            let request = iam.attach_role_policy().role_name(name).policy_arn(managed);
            self.change("attach the managed policy to the role", progress, || request.clone().send()).await?;
            if observed.is_some_and(|role| role.members("inline-policy").is_some()) {
                let request = iam.delete_role_policy().role_name(name).policy_name(inline);
                self.aws.find("delete the role's policy", || request.clone().send()).await?;
            }
            return Ok(());
        }
        let document = target.get("inline-policy").map(ToString::to_string).unwrap_or_default();
        let request = iam.put_role_policy().role_name(name).policy_name(inline).policy_document(document);
        self.change("set the role's policy", progress, || request.clone().send()).await?;
        if observed.is_some_and(|role| role.bool("managed-policy") == Some(true)) {
            let request = iam.detach_role_policy().role_name(name).policy_arn(managed);
            self.aws.find("detach the managed policy from the role", || request.clone().send()).await?;
        }
        Ok(())
    }
}
