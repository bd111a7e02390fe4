//! Ensures that created parts carry our tags, because some services ignore the tags of a request. Teardown does not delete a part
//! without them.

use std::time::Duration;

use std::collections::BTreeMap;

use kinesis_event_logger_core::names::Location;

use super::desired::DesiredPath;
use super::observed::observe_part;
use super::setting::Part;
use super::step::part_name;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::wait::{self, Poll};

/// The time limit for tags to become visible. IAM is eventually consistent.
const DEADLINE: Duration = Duration::from_secs(20);

/// Checks that a new part carries our tags, and sets them again if it does not. Warns if a service stores no tags at all. This is
/// not an error, because the path works without them. `id` is a mapping's UUID.
pub async fn ensure(aws: &Aws, desired: &DesiredPath, part: Part, id: &str) -> Result<()> {
    let mut were_set = false;
    let name = part_name(part, desired);
    let what = format!("our tags to be on the {name}");
    let ensured = wait::until(&aws.retry, &what, DEADLINE, async || {
        let is_ours = is_ours(aws, desired, part).await?;
        if is_ours == Some(true) {
            return Ok(Poll::Ready(()));
        }
        if is_ours == Some(false) && !were_set {
            set(aws, desired, part, id).await?;
            were_set = true;
        }
        Ok(Poll::Pending("without them".to_owned()))
    });
    if let Err(Error { message, .. }) = ensured.await {
        note(&format!("warning: the {name} does not carry our tags, and teardown will not delete it: {message}"));
    }
    Ok(())
}

/// Fails unless a part carries our tags.
pub async fn must_be_ours(aws: &Aws, desired: &DesiredPath, part: Part) -> Result<()> {
    if is_ours(aws, desired, part).await? == Some(true) {
        return Ok(());
    }
    let name = part_name(part, desired);
    Err(Error::failed(format!("the {name} was created by another process meanwhile"))
        .hint("run the same command again"))
}

/// Whether the part carries our tags; `None` if it is not found.
async fn is_ours(aws: &Aws, desired: &DesiredPath, part: Part) -> Result<Option<bool>> {
    let observed = observe_part(aws, &desired.names, &desired.location, part).await?;
    Ok(observed.map(|part| part.is_ours))
}

/// Sets our tags and the requested tags. Other tags stay.
pub async fn set(aws: &Aws, desired: &DesiredPath, part: Part, id: &str) -> Result<()> {
    let doing = format!("set the tags of the {}", part_name(part, desired));
    let tags = desired.all_tags();
    let (names, location) = (&desired.names, &desired.location);
    match part {
        Part::Stream => {
            let request = aws.kinesis().add_tags_to_stream().stream_name(names.stream());
            let request = request.set_tags(Some(tags.into_iter().collect()));
            aws.call(doing, || request.clone().send()).await.map(drop)
        }
        Part::Role => set_role_tags(aws, names.role(), tags, &doing).await,
        Part::LogGroup => {
            let request = aws.logs().tag_resource().resource_arn(names.log_group_arn(location));
            let request = request.set_tags(Some(tags.into_iter().collect()));
            aws.call(doing, || request.clone().send()).await.map(drop)
        }
        Part::Function | Part::Mapping => {
            let arn = match part {
                Part::Mapping => mapping_arn(location, id),
                _ => names.function_arn(location),
            };
            let request = aws.lambda().tag_resource().resource(arn).set_tags(Some(tags.into_iter().collect()));
            aws.call(doing, || request.clone().send()).await.map(drop)
        }
    }
}

async fn set_role_tags(aws: &Aws, role: &str, tags: BTreeMap<String, String>, doing: &str) -> Result<()> {
    let mut request = aws.iam().tag_role().role_name(role);
    for (key, value) in tags {
        let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
        request = request.tags(tag.map_err(|error| Error::failed(error.to_string()))?);
    }
    aws.call(doing, || request.clone().send()).await.map(drop)
}

fn mapping_arn(location: &Location, uuid: &str) -> String {
    let Location { region, account_id } = location;
    format!("arn:{}:lambda:{region}:{account_id}:event-source-mapping:{uuid}", location.partition())
}
