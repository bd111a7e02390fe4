//! Points the event source mapping to the alias `live`. Lambda keeps the mapping's position, so no record is lost or repeated.

use aws_sdk_lambda::types::EventSourceMappingConfiguration;
use kinesis_event_logger_core::names::{Location, Names};

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::function::release::{DEADLINE, LIVE};
use crate::progress::{ProgressStep, note};
use crate::wait::{self, Poll};

/// Moves the mapping of the path's stream to `live`, if it points to the function itself.
pub async fn point_to_live(aws: &Aws, names: &Names, location: &Location) -> Result<()> {
    let Some(uuid) = unqualified_mapping(aws, names, location).await? else { return Ok(()) };
    if !is_ours(aws, names, location, &uuid).await? {
        note(&format!("event source mapping {uuid} does not carry our tags, so it still runs $LATEST"));
        return Ok(());
    }
    let step = ProgressStep::begin(format!("point event source mapping {uuid} to {LIVE}"));
    let request = aws.lambda().update_event_source_mapping().uuid(&uuid);
    let request = request.function_name(format!("{}:{LIVE}", names.function()));
    let doing = "point the event source mapping to the alias";
    wait::until(&aws.retry, "the event source mapping to accept changes", DEADLINE, async || {
        match aws.retry.call(doing, || request.clone().send()).await {
            Ok(_) => Ok(Poll::Ready(())),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {
                Ok(Poll::Pending("in use".to_owned()))
            }
            Err(error) => Err(Error::aws(doing, error)),
        }
    })
    .await?;
    let request = aws.lambda().get_event_source_mapping().uuid(&uuid);
    wait::until(&aws.retry, "the event source mapping to be updated", DEADLINE, async || {
        let found = aws.call("get the event source mapping", || request.clone().send()).await?;
        let state = found.state.unwrap_or_default();
        Ok(if state == "Updating" { Poll::Pending(state) } else { Poll::Ready(()) })
    })
    .await?;
    step.done();
    Ok(())
}

/// The mapping of the stream to the function without a qualifier.
async fn unqualified_mapping(aws: &Aws, names: &Names, location: &Location) -> Result<Option<String>> {
    let request = aws.lambda().list_event_source_mappings().event_source_arn(names.stream_arn(location));
    let pages = || request.clone().into_paginator().items().send().try_collect();
    let doing = format!("list the event source mappings of {}", names.stream());
    let mappings: Vec<EventSourceMappingConfiguration> = aws.call(doing, pages).await?;
    let arn = names.function_arn(location);
    let found = mappings.into_iter().find(|mapping| mapping.function_arn() == Some(&arn));
    Ok(found.and_then(|mapping| mapping.uuid))
}

async fn is_ours(aws: &Aws, names: &Names, location: &Location, uuid: &str) -> Result<bool> {
    let Location { region, account_id } = location;
    let arn = format!("arn:{}:lambda:{region}:{account_id}:event-source-mapping:{uuid}", location.partition());
    let request = aws.lambda().list_tags().resource(arn);
    let answer = aws.find("read the tags of the event source mapping", || request.clone().send()).await?;
    Ok(answer.is_some_and(|answer| names.owns(answer.tags.unwrap_or_default())))
}
