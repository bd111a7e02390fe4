//! The enhanced fan-out consumer through which the mapping reads the stream, if that is requested. It has the function's name.

use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::types::{ConsumerDescription, ConsumerStatus};
use kinesis_event_logger_core::names::{Location, Names};

use super::delete::DEADLINE;
use crate::aws::Aws;
use crate::error::{Error, Result, is_missing};
use crate::stream;
use crate::wait::{self, Poll};

/// The consumer's ARN; `None` if there is none.
pub async fn arn(aws: &Aws, names: &Names, location: &Location) -> Result<Option<String>> {
    // Some emulators fail if there is no such stream.
    let summary = stream::summary(aws, names.stream()).await?;
    if summary.is_none_or(|summary| summary.consumer_count == Some(0)) {
        return Ok(None);
    }
    Ok(describe(aws, names, location).await?.map(|consumer| consumer.consumer_arn))
}

/// Whether the consumer can be read, and its ARN.
pub async fn active(aws: &Aws, names: &Names, location: &Location) -> Result<Poll<String>> {
    Ok(match describe(aws, names, location).await? {
        Some(consumer) if consumer.consumer_status == ConsumerStatus::Active => Poll::Ready(consumer.consumer_arn),
        Some(consumer) => Poll::Pending(consumer.consumer_status.as_str().to_owned()),
        None => Poll::Pending("missing".to_owned()),
    })
}

/// Deletes the consumer, and waits until it is deleted.
pub async fn delete(aws: &Aws, names: &Names, location: &Location) -> Result<()> {
    let request = aws.kinesis().deregister_stream_consumer().stream_arn(names.stream_arn(location));
    let request = request.consumer_name(names.function());
    let doing = "deregister the stream's consumer";
    wait::until(&aws.retry, &format!("the consumer {} to be deleted", names.function()), DEADLINE, async || {
        match aws.retry.call(doing, || request.clone().send()).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Ok(Poll::Ready(())),
            // It is being registered or deleted.
            Err(error) if error.code() == Some("ResourceInUseException") => {}
            Err(error) => return Err(Error::aws(doing, error)),
        }
        Ok(match describe(aws, names, location).await? {
            None => Poll::Ready(()),
            Some(consumer) => Poll::Pending(consumer.consumer_status.as_str().to_owned()),
        })
    })
    .await
}

async fn describe(aws: &Aws, names: &Names, location: &Location) -> Result<Option<ConsumerDescription>> {
    stream::consumer(aws, &names.stream_arn(location), names.function()).await
}
