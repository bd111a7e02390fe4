//! Tags of streams and consumers: the engine refuses colons, which AWS accepts, accepts `aws:`, which AWS refuses, and has no
//! tags of streams that do not exist.
//! <https://docs.aws.amazon.com/streams/latest/dev/tagging.html>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::resolve::Resource;
use super::{Kinesis, invalid, text};
use crate::error::AwsError;

type Tags = BTreeMap<String, String>;

/// Tags of one resource.
const TAGS: usize = 50;

impl Kinesis {
    pub(super) async fn add_tags(&self, input: &Value) -> Result<Value, AwsError> {
        self.tag(Resource::Stream(name(input)), input).await
    }

    pub(super) async fn remove_tags(&self, input: &Value) -> Result<Value, AwsError> {
        self.untag(Resource::Stream(name(input)), input).await
    }

    pub(super) async fn tag_resource(&self, input: &Value) -> Result<Value, AwsError> {
        self.tag(self.resource(input).await?, input).await
    }

    pub(super) async fn untag_resource(&self, input: &Value) -> Result<Value, AwsError> {
        self.untag(self.resource(input).await?, input).await
    }

    pub(super) async fn list_tags(&self, input: &Value) -> Result<Value, AwsError> {
        let tags = self.tags(&self.resource(input).await?).await?;
        let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        Ok(json!({ "Tags": tags }))
    }

    async fn tag(&self, resource: Resource, input: &Value) -> Result<Value, AwsError> {
        let mut all = self.tags(&resource).await?;
        let owner = resource.owner(&self.shared.account_id);
        let tags = checked(input, &owner)?;
        all.extend(tags.clone());
        if all.len() > TAGS {
            // Recorded when there could be ten.
            return Err(invalid(format!(
                "Failed to add tags to {owner} because a given stream cannot have more than {TAGS} tags associated with it."
            )));
        }
        self.change_tags(&resource, |all| all.extend(tags)).await
    }

    async fn untag(&self, resource: Resource, input: &Value) -> Result<Value, AwsError> {
        self.tags(&resource).await?;
        let keys: Vec<_> = input["TagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        check_characters(keys.iter().copied(), || {
            format!("Failed to remove tags from {}", resource.owner(&self.shared.account_id))
        })?;
        self.change_tags(&resource, |all| all.retain(|key, _| !keys.contains(&key.as_str()))).await
    }

    async fn tags(&self, resource: &Resource) -> Result<Tags, AwsError> {
        match resource {
            Resource::Stream(name) => Ok(self.engine().stream(name).await?.tags),
            Resource::Consumer(arn) => Ok(self.engine().tags(arn).await),
        }
    }

    async fn change_tags(&self, resource: &Resource, change: impl FnOnce(&mut Tags)) -> Result<Value, AwsError> {
        match resource {
            Resource::Stream(name) => {
                self.engine().update(name, |stream| change(&mut stream.tags)).await?;
                self.refresh(name).await?;
            }
            Resource::Consumer(arn) => {
                let mut tags = self.engine().tags(arn).await;
                change(&mut tags);
                self.engine().set_tags(arn, &tags).await?;
                self.persist_consumer(arn).await;
            }
        }
        Ok(Value::Null)
    }
}

fn name(input: &Value) -> String {
    text(input, "StreamName").unwrap_or_default().to_owned()
}

impl Resource {
    /// How the messages name what has the tags.
    pub(super) fn owner(&self, account: &str) -> String {
        match self {
            Self::Stream(name) => format!("stream {name} under account {account}"),
            Self::Consumer(arn) => format!("consumer {arn} under account {account}"),
        }
    }
}

/// The tags of a request, which may have none.
///
/// # Errors
/// A character or a key that the service does not accept, although its model does. `owner`: what is to have them.
pub(super) fn checked(input: &Value, owner: &str) -> Result<Tags, AwsError> {
    let tags = input["Tags"].as_object().into_iter().flatten();
    let tags: Tags = tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    let texts = tags.iter().flat_map(|(key, value)| [key.as_str(), value]);
    check_characters(texts, || format!("Failed to add tags to {owner}"))?;
    if let Some(key) = tags.keys().find(|key| key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(invalid(format!("Tag key {key} is invalid: tag keys that begin with aws: are reserved for AWS.")));
    }
    Ok(tags)
}

/// Both sentences are recorded: a percent sign passes the first check, which names it, and not the second.
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
        let check = |tags: Value| checked(&json!({ "Tags": tags }), "stream s").map_err(|error| error.message);
        assert_eq!(check(json!({ "team:größe": "a b/c=1+2-3@x", "empty": "" })).unwrap().len(), 2);
        assert_eq!(checked(&json!({}), "stream s"), Ok(Tags::new()));
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
