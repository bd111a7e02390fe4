//! Tags of streams and consumers: AddTagsToStream, RemoveTagsFromStream, ListTagsForStream, TagResource, UntagResource,
//! ListTagsForResource.
//! <https://docs.aws.amazon.com/streams/latest/dev/tagging.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::addressing::{Resource, StreamAddress};
use super::resource_policies::ResourceArn;
use super::{Kinesis, invalid};
use crate::error::AwsError;

pub type Tags = BTreeMap<String, String>;

/// The most tags of one resource.
const TAGS: usize = 50;

/// The most tags of a page without a limit, which is more than a stream can have.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AddTagsToStream {
    #[serde(flatten)]
    stream: StreamAddress,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RemoveTagsFromStream {
    #[serde(flatten)]
    stream: StreamAddress,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagsForStream {
    #[serde(flatten)]
    stream: StreamAddress,
    limit: Option<usize>,
    #[serde(default)]
    exclusive_start_tag_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResource {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResource {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub fn add_tags_to_stream(kinesis: &Kinesis, request: AddTagsToStream) -> Result<(), AwsError> {
    kinesis.tag(&kinesis.stream_resource(request.stream)?, request.tags)
}

pub fn remove_tags_from_stream(kinesis: &Kinesis, request: RemoveTagsFromStream) -> Result<(), AwsError> {
    kinesis.untag(&kinesis.stream_resource(request.stream)?, &request.tag_keys)
}

pub fn list_tags_for_stream(kinesis: &Kinesis, request: ListTagsForStream) -> Result<Value, AwsError> {
    let tags = kinesis.stream_resource(request.stream)?.tags();
    let mut page: Vec<_> = tags.iter().filter(|(key, _)| **key > request.exclusive_start_tag_key).collect();
    let limit = request.limit.unwrap_or(PAGE);
    let has_more = page.len() > limit;
    page.truncate(limit);
    Ok(json!({ "Tags": tag_list(page), "HasMoreTags": has_more }))
}

pub fn tag_resource(kinesis: &Kinesis, request: TagResource) -> Result<(), AwsError> {
    kinesis.tag(&kinesis.resource(request.resource_arn)?, request.tags)
}

pub fn untag_resource(kinesis: &Kinesis, request: UntagResource) -> Result<(), AwsError> {
    kinesis.untag(&kinesis.resource(request.resource_arn)?, &request.tag_keys)
}

pub fn list_tags_for_resource(kinesis: &Kinesis, request: ResourceArn) -> Result<Value, AwsError> {
    let tags = kinesis.resource(request.resource_arn)?.tags();
    Ok(json!({ "Tags": tag_list(&tags) }))
}

fn tag_list<'a>(tags: impl IntoIterator<Item = (&'a String, &'a String)>) -> Value {
    tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

impl Kinesis {
    fn stream_resource(&self, address: StreamAddress) -> Result<Resource, AwsError> {
        let stream = self.addressed(address)?;
        Ok(Resource { arn: stream.arn.clone(), stream, consumer: None })
    }

    fn tag(&self, resource: &Resource, tags: Tags) -> Result<(), AwsError> {
        let owner = resource.owner(&self.shared.account_id);
        resource.update(|settings| {
            *settings.tags = with_added(settings.tags, tags, &owner)?;
            Ok(())
        })
    }

    fn untag(&self, resource: &Resource, keys: &[String]) -> Result<(), AwsError> {
        let owner = || format!("Failed to remove tags from {}", resource.owner(&self.shared.account_id));
        check_characters(keys.iter().map(String::as_str), owner)?;
        resource.update(|settings| {
            settings.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }
}

/// The tags of a resource after a request has added some. `owner` names the resource in messages. Every request that tags a
/// resource uses this, whether or not the resource is new.
///
/// # Errors
/// A character, a key or a number of tags that the service does not accept, although its model does.
pub fn with_added(before: &Tags, added: Tags, owner: &str) -> Result<Tags, AwsError> {
    check_tags(&added, owner)?;
    let mut all = before.clone();
    all.extend(added);
    if all.len() > TAGS {
        // Recorded when the limit was ten, for AddTagsToStream. Unverified for the other operations.
        return Err(invalid(format!(
            "Failed to add tags to {owner} because a given stream cannot have more than {TAGS} tags associated with it."
        )));
    }
    Ok(all)
}

fn check_tags(tags: &Tags, owner: &str) -> Result<(), AwsError> {
    let texts = tags.iter().flat_map(|(key, value)| [key.as_str(), value]);
    check_characters(texts, || format!("Failed to add tags to {owner}"))?;
    match tags.keys().find(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        None => Ok(()),
        Some(key) => {
            Err(invalid(format!("Tag key {key} is invalid: tag keys that begin with aws: are reserved for AWS.")))
        }
    }
}

/// Both messages are recorded. The percent sign is accepted by the first check, which lists it, but not by the second.
fn check_characters<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    failed: impl Fn() -> String,
) -> Result<(), AwsError> {
    let is_space = |char: char| char.is_whitespace() && !char.is_control();
    let is_allowed = |char: char| char.is_alphanumeric() || is_space(char) || "_./=+-%@:".contains(char);
    if !texts.clone().all(|text| text.chars().all(is_allowed)) {
        return Err(invalid(
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @ :.",
        ));
    }
    if texts.into_iter().any(|text| text.contains('%')) {
        return Err(invalid(format!(
            "{} because some tags contained illegal characters. The allowed characters are Unicode letters, white-spaces, \
             '_',',','/','=','+','-','@',':'.",
            failed()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_have_letters_digits_spaces_and_a_few_signs() {
        let check = |tags: Value| {
            let tags: Tags = serde_json::from_value(tags).unwrap();
            check_tags(&tags, "stream s").map_err(|error| error.message)
        };
        assert_eq!(check(json!({ "team:größe": "a b/c=1+2-3@x", "empty": "" })), Ok(()));
        assert_eq!(check(json!({})), Ok(()));
        for tags in [json!({ "a;b": "v" }), json!({ "k": "a\tb" }), json!({ "k": "a\nb" }), json!({ "a,b": "%" })] {
            assert!(check(tags.clone()).unwrap_err().starts_with("Some tags contain invalid characters."), "{tags}");
        }
        let percent = check(json!({ "k": "a%b" })).unwrap_err();
        assert!(percent.starts_with("Failed to add tags to stream s because some tags contained illegal"), "{percent}");
        for tags in [json!({ "aws:x": "v" }), json!({ "AWS:x": "v" })] {
            assert!(check(tags.clone()).unwrap_err().contains("reserved for AWS"), "{tags}");
        }
    }
}
