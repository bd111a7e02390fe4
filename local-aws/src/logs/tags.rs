//! Tags of groups: by ARN (TagResource, UntagResource, ListTagsForResource) and by name (the older TagLogGroup, UntagLogGroup,
//! ListTagsLogGroup).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::AwsError;

use super::Logs;
use super::validation::{check_tags, invalid_parameter};

/// The most tags of a group.
const MAX_TAGS: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsForResource {
    resource_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagLogGroup {
    log_group_name: String,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagLogGroup {
    log_group_name: String,
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListTagsLogGroup {
    log_group_name: String,
}

#[derive(Serialize)]
pub(super) struct Tags {
    tags: BTreeMap<String, String>,
}

impl Logs {
    pub(super) fn tag_resource(&self, input: TagResource) -> Result<(), AwsError> {
        let group = self.group_of_resource(&input.resource_arn)?;
        self.tag(&group, input.tags, |text| AwsError::bad_request("TooManyTagsException", text))
    }

    pub(super) fn untag_resource(&self, input: UntagResource) -> Result<(), AwsError> {
        let group = self.group_of_resource(&input.resource_arn)?;
        self.untag(&group, &input.tag_keys)
    }

    pub(super) fn list_tags_for_resource(&self, input: ListTagsForResource) -> Result<Tags, AwsError> {
        let group = self.group_of_resource(&input.resource_arn)?;
        self.tags_of(&group)
    }

    pub(super) fn tag_log_group(&self, input: TagLogGroup) -> Result<(), AwsError> {
        self.tag(&input.log_group_name, input.tags, invalid_parameter)
    }

    pub(super) fn untag_log_group(&self, input: UntagLogGroup) -> Result<(), AwsError> {
        self.untag(&input.log_group_name, &input.tags)
    }

    pub(super) fn list_tags_log_group(&self, input: ListTagsLogGroup) -> Result<Tags, AwsError> {
        self.tags_of(&input.log_group_name)
    }

    fn group_of_resource(&self, arn: &str) -> Result<String, AwsError> {
        if !arn.starts_with("arn:") {
            // Unverified: AWS's message is not recorded.
            return Err(invalid_parameter(format!("'{arn}' is not an ARN of a log group.")));
        }
        self.group_of_arn(arn)
    }

    fn tag(
        &self,
        group: &str,
        tags: BTreeMap<String, String>,
        too_many: fn(String) -> AwsError,
    ) -> Result<(), AwsError> {
        check_tags(&tags)?;
        self.change_group(group, |group| {
            let mut tagged = group.tags.clone();
            tagged.extend(tags);
            if tagged.len() > MAX_TAGS {
                return Err(too_many(format!("A log group can have at most {MAX_TAGS} tags.")));
            }
            group.tags = tagged;
            Ok(())
        })
    }

    fn untag(&self, group: &str, keys: &[String]) -> Result<(), AwsError> {
        self.change_group(group, |group| {
            group.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    fn tags_of(&self, group: &str) -> Result<Tags, AwsError> {
        Ok(Tags { tags: self.read().group(group)?.tags.clone() })
    }
}
