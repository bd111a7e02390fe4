//! The event source mapping of the path, which `deploy` points to the alias `live`. Lambda keeps the mapping's position, so no record
//! is lost or repeated.

use kinesis_event_logger_core::names::{Location, Names};

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::function::release::{DEADLINE, LATEST, LIVE};
use crate::progress::{ProgressStep, note};
use crate::provision::observed;
use crate::wait::{self, Poll};

/// The mapping of the path.
pub struct Mapping {
    uuid: String,
    pub invokes: Invoked,
}

/// What a mapping invokes.
#[derive(Debug, Clone, PartialEq)]
pub enum Invoked {
    /// The alias `live`.
    Live,
    /// The function without a qualifier, or `$LATEST`.
    Latest,
    Version(String),
    /// Another alias.
    Other(String),
}

impl Invoked {
    /// Reads the end of an ARN: a function's name, with a qualifier or without one.
    fn of(function: &str) -> Self {
        match function.split_once(':').map_or("", |(_, qualifier)| qualifier) {
            LIVE => Self::Live,
            "" | LATEST => Self::Latest,
            version if version.bytes().all(|byte| byte.is_ascii_digit()) => Self::Version(version.to_owned()),
            alias => Self::Other(alias.to_owned()),
        }
    }
}

impl Mapping {
    /// The mapping of the path's stream to the function; `None` if there is none, or if it does not carry our tags.
    pub async fn find(aws: &Aws, names: &Names, location: &Location) -> Result<Option<Self>> {
        let Some(mapping) = observed::mapping(aws, names, location).await? else { return Ok(None) };
        let function = mapping.fields.text("function").unwrap_or_default();
        let invokes = Invoked::of(function);
        if !mapping.is_ours {
            if invokes != Invoked::Live {
                note(&format!(
                    "event source mapping {} does not carry our tags, so it still invokes {function}",
                    mapping.id
                ));
            }
            return Ok(None);
        }
        Ok(Some(Self { uuid: mapping.id, invokes }))
    }

    /// Moves the mapping to `live`.
    pub async fn point_to_live(&self, aws: &Aws, names: &Names) -> Result<()> {
        let Self { uuid, .. } = self;
        let step = ProgressStep::begin(format!("point event source mapping {uuid} to {LIVE}"));
        let request = aws.lambda().update_event_source_mapping().uuid(uuid);
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
        let request = aws.lambda().get_event_source_mapping().uuid(uuid);
        wait::until(&aws.retry, "the event source mapping to be updated", DEADLINE, async || {
            let found = aws.call("get the event source mapping", || request.clone().send()).await?;
            let state = found.state.unwrap_or_default();
            Ok(if state == "Updating" { Poll::Pending(state) } else { Poll::Ready(()) })
        })
        .await?;
        step.done();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_invokes_what_its_function_names() {
        let invoked = ["f:live", "f", "f:$LATEST", "f:12", "f:blue"].map(Invoked::of);
        let other = |alias: &str| Invoked::Other(alias.to_owned());
        let expected =
            [Invoked::Live, Invoked::Latest, Invoked::Latest, Invoked::Version("12".to_owned()), other("blue")];
        assert_eq!(invoked, expected);
    }
}
