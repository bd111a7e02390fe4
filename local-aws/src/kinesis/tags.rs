//! Tags of streams and consumers, checked as the service's model has them: the engine refuses colons, which AWS takes, takes
//! `aws:`, which AWS refuses, and has no tags of streams that are not there.
//! <https://docs.aws.amazon.com/streams/latest/dev/tagging.html>

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::consumers::no_consumer;
use super::target::stream_name;
use super::{Kinesis, invalid, text, violation};
use crate::error::AwsError;

/// Tags of one resource.
const TAGS: usize = 50;
const KEY_CHARS: std::ops::RangeInclusive<usize> = 1..=128;
const VALUE_CHARS: usize = 256;
/// Tags of one request, and keys.
const TAGS_OF_REQUEST: usize = 200;
const KEYS_OF_REQUEST: usize = 50;

impl Kinesis {
    pub(super) async fn add_tags(&self, input: &Value) -> Result<Value, AwsError> {
        self.tag_stream(text(input, "StreamName").unwrap_or_default(), &checked(input)?).await
    }

    pub(super) async fn remove_tags(&self, input: &Value) -> Result<Value, AwsError> {
        self.untag_stream(text(input, "StreamName").unwrap_or_default(), keys(input)?).await
    }

    pub(super) async fn tag_resource(&self, input: &Value) -> Result<Value, AwsError> {
        let (arn, tags) = (resource(input)?, checked(input)?);
        match stream_name(arn) {
            Some(name) if !arn.contains("/consumer/") => self.tag_stream(name, &tags).await,
            _ => {
                let mut kept = self.consumer_tags(arn).await?;
                kept.extend(texts(&tags));
                check_total(kept.len())?;
                self.tag_consumer(arn, &kept).await
            }
        }
    }

    pub(super) async fn untag_resource(&self, input: &Value) -> Result<Value, AwsError> {
        let (arn, keys) = (resource(input)?, keys(input)?);
        match stream_name(arn) {
            Some(name) if !arn.contains("/consumer/") => self.untag_stream(name, keys).await,
            _ => {
                let mut kept = self.consumer_tags(arn).await?;
                kept.retain(|key, _| !keys.contains(key));
                self.tag_consumer(arn, &kept).await
            }
        }
    }

    pub(super) async fn list_tags(&self, input: &Value) -> Result<Value, AwsError> {
        let arn = resource(input)?;
        let tags = match stream_name(arn) {
            Some(name) if !arn.contains("/consumer/") => self.engine().stream(name).await?.tags,
            _ => self.consumer_tags(arn).await?,
        };
        let tags: Vec<_> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        Ok(json!({ "Tags": tags }))
    }

    async fn tag_stream(&self, name: &str, tags: &Map<String, Value>) -> Result<Value, AwsError> {
        let mut kept = self.engine().stream(name).await?.tags;
        kept.extend(texts(tags));
        check_total(kept.len())?;
        self.engine().update(name, |stream| stream.tags.extend(texts(tags))).await?;
        self.refresh(name).await?;
        Ok(Value::Null)
    }

    async fn untag_stream(&self, name: &str, keys: Vec<String>) -> Result<Value, AwsError> {
        self.engine().update(name, |stream| stream.tags.retain(|key, _| !keys.contains(key))).await?;
        self.refresh(name).await?;
        Ok(Value::Null)
    }

    async fn consumer_tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        if self.engine().consumer(arn).await.is_none() {
            return Err(no_consumer(arn));
        }
        Ok(self.engine().tags(arn).await)
    }

    async fn tag_consumer(&self, arn: &str, tags: &BTreeMap<String, String>) -> Result<Value, AwsError> {
        self.engine().set_tags(arn, tags).await?;
        self.persist_consumer(arn).await;
        Ok(Value::Null)
    }
}

/// The tags of a request.
///
/// # Errors
/// When the model does not allow them.
pub(super) fn checked(input: &Value) -> Result<Map<String, Value>, AwsError> {
    let tags = input["Tags"].as_object().ok_or_else(|| violation("Value null at 'tags'", "not be null"))?;
    if !(1..=TAGS_OF_REQUEST).contains(&tags.len()) {
        let bound = if tags.is_empty() { "greater than or equal to 1" } else { "less than or equal to 200" };
        return Err(violation("Value at 'tags'", &format!("have length {bound}")));
    }
    for (key, value) in tags {
        let value = value
            .as_str()
            .ok_or_else(|| AwsError::bad_request("SerializationException", "a tag's value is no text"))?;
        check_tag(key, value)?;
    }
    Ok(tags.clone())
}

pub(super) fn texts(tags: &Map<String, Value>) -> impl Iterator<Item = (String, String)> {
    tags.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
}

fn check_tag(key: &str, value: &str) -> Result<(), AwsError> {
    if !KEY_CHARS.contains(&key.chars().count()) {
        return Err(violation("Map keys at 'tags'", "have length between 1 and 128"));
    }
    if value.chars().count() > VALUE_CHARS {
        return Err(violation("Map value at 'tags'", "have length less than or equal to 256"));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid(format!("Tag key {key} is invalid: tag keys that begin with aws: are reserved for AWS.")));
    }
    let is_allowed = |char: char| char.is_alphanumeric() || char.is_whitespace() || "_./=+-@:".contains(char);
    if !key.chars().chain(value.chars()).all(is_allowed) {
        return Err(invalid(
            "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.",
        ));
    }
    Ok(())
}

fn keys(input: &Value) -> Result<Vec<String>, AwsError> {
    let keys = input["TagKeys"].as_array().ok_or_else(|| violation("Value null at 'tagKeys'", "not be null"))?;
    if !(1..=KEYS_OF_REQUEST).contains(&keys.len()) {
        return Err(violation("Value at 'tagKeys'", "have length between 1 and 50"));
    }
    Ok(keys.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn check_total(count: usize) -> Result<(), AwsError> {
    if count <= TAGS {
        return Ok(());
    }
    Err(invalid(format!("A resource cannot have more than {TAGS} tags.")))
}

fn resource(input: &Value) -> Result<&str, AwsError> {
    text(input, "ResourceARN").ok_or_else(|| violation("Value null at 'resourceARN'", "not be null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_what_the_model_allows() {
        let code = |tags: Value| checked(&json!({ "Tags": tags })).map(|_| ()).map_err(|error| error.code.into_owned());
        assert_eq!(code(json!({ "team:größe": "a b/c=1+2-3@x", "empty": "" })), Ok(()));
        let long = "x".repeat(129);
        for tags in
            [json!({}), json!({ "": "v" }), json!({ long.as_str(): "v" }), json!({ "k": "x".repeat(257) }), Value::Null]
        {
            assert_eq!(code(tags.clone()), Err("ValidationException".into()), "{tags}");
        }
        for tags in [json!({ "aws:x": "v" }), json!({ "AWS:x": "v" }), json!({ "k": "a%b" }), json!({ "k\u{7}": "v" })]
        {
            assert_eq!(code(tags.clone()), Err("InvalidArgumentException".into()), "{tags}");
        }
    }
}
