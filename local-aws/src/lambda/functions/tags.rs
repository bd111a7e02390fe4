//! TagResource, UntagResource and ListTags, for functions and event source mappings.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::errors::invalid_parameter;
use crate::lambda::event_source::Mappings;
use crate::lambda::names::Reference;
use crate::lambda::tags::{self, Tags};
use crate::lambda::{persistence, response};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResource {
    resource: String,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResource {
    resource: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTags {
    resource: String,
}

/// A resource that can have tags.
enum Resource {
    Function(Reference),
    Mapping(String),
}

pub fn tag_resource(context: &Context, mappings: &Mappings, input: TagResource) -> Result<Response<Bytes>, AwsError> {
    if input.tags.is_empty() {
        // AWS's message for a request without tags (recorded 2025-11).
        return Err(invalid_parameter("An error occurred and the request cannot be processed."));
    }
    with_tags(context, mappings, &input.resource, |existing| {
        tags::add(existing, input.tags).map(|()| response::empty(204))
    })?
}

pub fn untag_resource(
    context: &Context,
    mappings: &Mappings,
    input: UntagResource,
) -> Result<Response<Bytes>, AwsError> {
    with_tags(context, mappings, &input.resource, |existing| {
        existing.retain(|key, _| !input.tag_keys.contains(key));
        response::empty(204)
    })
}

pub fn list_tags(context: &Context, mappings: &Mappings, input: ListTags) -> Result<Response<Bytes>, AwsError> {
    with_tags(context, mappings, &input.resource, |tags| response::json(200, &json!({ "Tags": tags })))
}

fn with_tags<T>(
    context: &Context,
    mappings: &Mappings,
    arn: &str,
    work: impl FnOnce(&mut Tags) -> T,
) -> Result<T, AwsError> {
    match resource(context, arn)? {
        Resource::Function(reference) if reference.qualifier.is_some() => Err(invalid_parameter(
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )),
        Resource::Function(reference) => context.with(&reference, |function| {
            let done = work(&mut function.tags);
            persistence::store(context, function);
            done
        }),
        Resource::Mapping(uuid) => mappings.with_tags(&uuid, work),
    }
}

fn resource(context: &Context, arn: &str) -> Result<Resource, AwsError> {
    match arn.splitn(7, ':').collect::<Vec<_>>()[..] {
        [_, _, _, _, _, "event-source-mapping", uuid] => Ok(Resource::Mapping(uuid.to_owned())),
        _ => Reference::read(arn, None, &context.config).map(Resource::Function),
    }
}
