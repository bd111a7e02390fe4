//! Ensures that created parts carry our tags, because some services ignore the tags of a request. Teardown does not delete a part
//! without them.

use std::time::Duration;

use kinesis_event_logger_core::names::{Location, Names};

use super::desired::policy_arn;
use super::observed;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::note;
use crate::wait::{self, Poll};

/// The time limit for tags to become visible. IAM is eventually consistent.
const DEADLINE: Duration = Duration::from_secs(20);

/// A part of the path that carries tags.
pub enum TaggedPart {
    Stream,
    Role,
    LogGroup,
    Function,
    Mapping(String),
}

/// Checks that a new part carries our tags, and sets them again if it does not. Warns if a service stores no tags at all. This is
/// not an error, because the path works without them.
pub async fn ensure(aws: &Aws, names: &Names, location: &Location, part: &TaggedPart) -> Result<()> {
    let tagging = Tagging { aws, names, location };
    let mut were_set = false;
    let what = format!("our tags to be on the {}", part.describe(names));
    let ensured = wait::until(&aws.retry, &what, DEADLINE, async || {
        let found = tagging.carries(part).await?;
        if found == Some(true) {
            return Ok(Poll::Ready(()));
        }
        if found == Some(false) && !were_set {
            tagging.set(part).await?;
            were_set = true;
        }
        Ok(Poll::Pending("without them".to_owned()))
    });
    if let Err(Error { message, .. }) = ensured.await {
        note(&format!(
            "warning: the {} does not carry our tags, and teardown will not delete it: {message}",
            part.describe(names)
        ));
    }
    Ok(())
}

/// Fails unless a part carries our tags.
pub async fn must_be_ours(aws: &Aws, names: &Names, location: &Location, part: &TaggedPart) -> Result<()> {
    if (Tagging { aws, names, location }).carries(part).await? == Some(true) {
        return Ok(());
    }
    Err(Error::failed(format!("the {} was created by another process meanwhile", part.describe(names)))
        .hint("run the same command again"))
}

impl TaggedPart {
    fn describe(&self, names: &Names) -> String {
        match self {
            Self::Stream => format!("stream {}", names.stream()),
            Self::Role => format!("role {}", names.role()),
            Self::LogGroup => format!("log group {}", names.log_group()),
            Self::Function => format!("function {}", names.function()),
            Self::Mapping(uuid) => format!("event source mapping {uuid}"),
        }
    }
}

struct Tagging<'a> {
    aws: &'a Aws,
    names: &'a Names,
    location: &'a Location,
}

impl Tagging<'_> {
    /// Whether the part carries our tags; `None` if it is not found.
    async fn carries(&self, part: &TaggedPart) -> Result<Option<bool>> {
        let (aws, names) = (self.aws, self.names);
        Ok(match part {
            TaggedPart::Stream => observed::stream(aws, names).await?.map(|stream| stream.is_ours),
            TaggedPart::Role => observed::role(aws, names, &policy_arn(self.location)).await?.map(|role| role.is_ours),
            TaggedPart::LogGroup => observed::log_group(aws, names).await?.map(|group| group.is_ours),
            TaggedPart::Function => observed::function(aws, names).await?.map(|function| function.is_ours),
            TaggedPart::Mapping(_) => {
                observed::mapping(aws, names, self.location).await?.map(|mapping| mapping.is_ours)
            }
        })
    }

    async fn set(&self, part: &TaggedPart) -> Result<()> {
        let doing = format!("set the tags of the {}", part.describe(self.names));
        let tags = || self.names.tags().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let (aws, names, location) = (self.aws, self.names, self.location);
        match part {
            TaggedPart::Stream => {
                let request = aws.kinesis().add_tags_to_stream().stream_name(names.stream()).set_tags(Some(tags()));
                aws.call(doing, || request.clone().send()).await.map(drop)
            }
            TaggedPart::Role => {
                let mut request = aws.iam().tag_role().role_name(names.role());
                for (key, value) in names.tags() {
                    let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
                    request = request.tags(tag.map_err(|error| Error::failed(error.to_string()))?);
                }
                aws.call(doing, || request.clone().send()).await.map(drop)
            }
            TaggedPart::LogGroup => {
                let request = aws.logs().tag_resource().resource_arn(names.log_group_arn(location));
                let request = request.set_tags(Some(tags()));
                aws.call(doing, || request.clone().send()).await.map(drop)
            }
            TaggedPart::Function | TaggedPart::Mapping(_) => {
                let arn = match part {
                    TaggedPart::Mapping(uuid) => {
                        let Location { region, account_id } = location;
                        format!("arn:{}:lambda:{region}:{account_id}:event-source-mapping:{uuid}", location.partition())
                    }
                    _ => names.function_arn(location),
                };
                let request = aws.lambda().tag_resource().resource(arn).set_tags(Some(tags()));
                aws.call(doing, || request.clone().send()).await.map(drop)
            }
        }
    }
}
