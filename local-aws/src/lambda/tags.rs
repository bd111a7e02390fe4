//! TagResource, UntagResource and ListTags, for functions and event source mappings.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use super::Lambda;
use super::names::Reference;
use super::persist::Changed;
use super::validation::{Constraints, invalid_parameter};
use super::wire::{self, Query};
use crate::error::AwsError;

/// Tags of one resource. <https://docs.aws.amazon.com/lambda/latest/dg/configuration-tags.html>
const MAX_TAGS: usize = 50;
const ARN_PATTERN: &str = r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagInput {
    tags: Option<BTreeMap<String, String>>,
}

/// What an ARN of Lambda's that can carry tags is of.
#[derive(Debug, PartialEq)]
enum Resource {
    Function(Reference),
    Mapping(String),
}

type Tags = BTreeMap<String, String>;

impl Lambda {
    pub(super) fn tag(&self, arn: &str, body: &[u8]) -> Result<Response<Bytes>, AwsError> {
        let input: TagInput = wire::read(body)?;
        let tags = input.tags.filter(|tags| !tags.is_empty());
        let tags = tags.ok_or_else(|| {
            // AWS's words for a request without tags (recorded 2025-11).
            invalid_parameter("An error occurred and the request cannot be processed.")
        })?;
        let mut constraints = Constraints::default();
        constraints.tags(&tags);
        constraints.finish()?;
        self.with_tags(arn, |existing| {
            let added = tags.keys().filter(|key| !existing.contains_key(*key)).count();
            check_count(existing.len() + added)?;
            existing.extend(tags);
            Ok(wire::empty(204))
        })?
    }

    pub(super) fn untag(&self, arn: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        let keys: Vec<&str> = query.all("tagKeys").collect();
        if keys.is_empty() {
            let message = "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null";
            return Err(AwsError::bad_request("ValidationException", message));
        }
        let mut constraints = Constraints::default();
        constraints.tag_keys(&keys);
        constraints.finish()?;
        self.with_tags(arn, |existing| {
            existing.retain(|key, _| !keys.contains(&key.as_str()));
            wire::empty(204)
        })
    }

    pub(super) fn list_tags(&self, arn: &str) -> Result<Response<Bytes>, AwsError> {
        self.with_tags(arn, |tags| wire::json(200, &json!({ "Tags": tags })))
    }

    fn with_tags<T>(&self, arn: &str, work: impl FnOnce(&mut Tags) -> T) -> Result<T, AwsError> {
        match self.tagged_resource(arn)? {
            Resource::Function(reference) if reference.qualifier.is_some() => Err(invalid_parameter(
                "Tags on function aliases and versions are not supported. Please specify a function ARN.",
            )),
            Resource::Function(reference) => self.functions.with(&reference, |function| {
                let done = work(&mut function.tags);
                self.functions.keep(function, Changed::Configuration);
                done
            }),
            Resource::Mapping(uuid) => self.mappings.with_tags(&uuid, work),
        }
    }

    fn tagged_resource(&self, arn: &str) -> Result<Resource, AwsError> {
        let resource = arn.starts_with("arn:").then(|| arn.splitn(7, ':').collect::<Vec<_>>());
        let resource = match resource.as_deref() {
            Some([_, _, "lambda", _, _, "event-source-mapping", uuid]) if uuid.parse::<uuid::Uuid>().is_ok() => {
                return Ok(Resource::Mapping((*uuid).to_owned()));
            }
            Some([_, _, "lambda", _, _, "function", _]) => Reference::read(arn, None, self.functions.config()),
            _ => Err(invalid_parameter(arn)),
        };
        let mut constraints = Constraints::default();
        let is_malformed = resource.as_ref().is_err_and(|error| error.status == 400);
        constraints.pattern(!is_malformed, arn, "resource", ARN_PATTERN);
        constraints.finish()?;
        resource.map(Resource::Function)
    }
}

/// Checks the tags of a new resource.
///
/// # Errors
/// Tags of other lengths or characters than the model allows, or more than a resource may have.
pub fn check(tags: &Tags) -> Result<(), AwsError> {
    let mut constraints = Constraints::default();
    constraints.tags(tags);
    constraints.finish()?;
    check_count(tags.len())
}

fn check_count(count: usize) -> Result<(), AwsError> {
    if count > MAX_TAGS {
        return Err(invalid_parameter("Number of tags exceeds resource tag limit."));
    }
    Ok(())
}
