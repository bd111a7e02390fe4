//! Carries out a plan, step by step. Each step ends when the part that it created or changed is usable.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::types::{ScalingType, StreamMode, StreamModeDetails, StreamStatus};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, EventSourcePosition, FunctionCode, FunctionResponseType, LastUpdateStatus, LoggingConfig, Runtime,
    State,
};

use super::desired::{self, DesiredPath, Shards, StartingPosition};
use super::observed;
use super::plan::Plan;
use super::step::{Step, StepDescription};
use super::tags::{self, TaggedPart};
use crate::aws::{Aws, is_done_already};
use crate::error::{Error, Result};
use crate::function;
use crate::output::Format;
use crate::wait::{self, Poll};
use crate::{progress, stream};

/// The time limit for a part to become usable, which takes AWS minutes at most.
pub const DEADLINE: Duration = Duration::from_secs(300);
/// The time limit for a new role to become usable, which takes seconds. A role that is wrong permanently fails then.
const ROLE_DEADLINE: Duration = Duration::from_secs(60);

const TRUST_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

pub async fn apply(aws: &Aws, desired: &DesiredPath, plan: &Plan) -> Result<()> {
    let applier = Applier { aws, desired };
    for step in &plan.steps {
        let progress = progress::ProgressStep::begin(StepDescription(step, desired).to_string());
        applier.carry_out(step).await?;
        progress.done();
    }
    Ok(())
}

struct Applier<'a> {
    aws: &'a Aws,
    desired: &'a DesiredPath,
}

impl Applier<'_> {
    async fn carry_out(&self, step: &Step) -> Result<()> {
        match step {
            Step::CreateStream(shards) => self.create_stream(*shards).await,
            Step::UpdateShardCount(count) => self.update_shard_count(*count).await,
            Step::AwaitStream => self.await_stream().await,
            Step::CreateRole => self.create_role().await,
            Step::AttachPolicy => self.attach_policy().await,
            Step::CreateLogGroup => self.create_log_group().await,
            Step::PutRetention(days) => self.put_retention(*days).await,
            Step::CreateFunction { role_arn } => self.create_function(role_arn).await,
            Step::UpdateCode => self.update_code().await,
            Step::UpdateConfiguration { role_arn, log_format } => {
                self.update_configuration(role_arn, *log_format).await
            }
            Step::AwaitFunction => self.await_function().await,
            Step::CreateMapping => self.create_mapping().await,
            Step::UpdateMapping { uuid } => self.update_mapping(uuid).await,
            Step::AwaitMapping { uuid } => self.await_mapping(uuid).await,
        }
    }

    async fn create_stream(&self, shards: Shards) -> Result<()> {
        let mut request = self.aws.kinesis().create_stream().stream_name(self.desired.names.stream());
        for (key, value) in self.desired.names.tags() {
            request = request.tags(key, value);
        }
        request = match shards {
            Shards::Provisioned(count) => request.shard_count(count),
            Shards::OnDemand => {
                let mode = StreamModeDetails::builder().stream_mode(StreamMode::OnDemand).build();
                request.stream_mode_details(mode.map_err(|error| Error::failed(error.to_string()))?)
            }
        };
        let created = self.aws.change("create the stream", || request.clone().send()).await?;
        self.await_stream().await?;
        self.settle(created.is_some(), &TaggedPart::Stream).await
    }

    async fn update_shard_count(&self, count: i32) -> Result<()> {
        let request = self.aws.kinesis().update_shard_count().stream_name(self.desired.names.stream());
        let request = request.target_shard_count(count).scaling_type(ScalingType::UniformScaling);
        self.aws.change("change the stream's shards", || request.clone().send()).await?;
        self.await_stream().await
    }

    async fn await_stream(&self) -> Result<()> {
        let name = self.desired.names.stream();
        wait::until(&self.aws.retry, &format!("the stream {name} to be ACTIVE"), DEADLINE, async || {
            Ok(match stream::summary(self.aws, name).await?.map(|summary| summary.stream_status) {
                Some(StreamStatus::Active) => Poll::Ready(()),
                Some(status) => Poll::Pending(status.as_str().to_owned()),
                None => Poll::Pending("missing".to_owned()),
            })
        })
        .await
    }

    async fn create_role(&self) -> Result<()> {
        let mut request = self
            .aws
            .iam()
            .create_role()
            .role_name(self.desired.names.role())
            .description("Execution role of the Kinesis event logger's function")
            .assume_role_policy_document(TRUST_POLICY);
        for (key, value) in self.desired.names.tags() {
            let tag = aws_sdk_iam::types::Tag::builder().key(key).value(value).build();
            request = request.tags(tag.map_err(|error| Error::failed(error.to_string()))?);
        }
        let created = self.aws.change("create the role", || request.clone().send()).await?;
        self.settle(created.is_some(), &TaggedPart::Role).await
    }

    async fn attach_policy(&self) -> Result<()> {
        let request = self.aws.iam().attach_role_policy().role_name(self.desired.names.role());
        let request = request.policy_arn(desired::policy_arn(&self.desired.location));
        self.aws.call("attach the policy to the role", || request.clone().send()).await.map(drop)
    }

    async fn create_log_group(&self) -> Result<()> {
        let mut request = self.aws.logs().create_log_group().log_group_name(self.desired.names.log_group());
        for (key, value) in self.desired.names.tags() {
            request = request.tags(key, value);
        }
        let created = self.aws.change("create the log group", || request.clone().send()).await?;
        self.settle(created.is_some(), &TaggedPart::LogGroup).await
    }

    async fn put_retention(&self, days: i32) -> Result<()> {
        let (logs, group) = (self.aws.logs(), self.desired.names.log_group());
        let doing = "set the log group's retention";
        if days == 0 {
            let request = logs.delete_retention_policy().log_group_name(group);
            self.aws.call(doing, || request.clone().send()).await.map(drop)
        } else {
            let request = logs.put_retention_policy().log_group_name(group).retention_in_days(days);
            self.aws.call(doing, || request.clone().send()).await.map(drop)
        }
    }

    async fn create_function(&self, role_arn: &str) -> Result<()> {
        let desired = self.desired;
        let zip = Blob::new(desired.zip.bytes.clone());
        let mut request = self
            .aws
            .lambda()
            .create_function()
            .function_name(desired.names.function())
            .description("Writes each record of a Kinesis stream as one log line")
            .runtime(Runtime::from(function::RUNTIME))
            .handler("bootstrap")
            .role(role_arn)
            .architectures(self.architecture())
            .code(FunctionCode::builder().zip_file(zip).build())
            .memory_size(desired.memory_mb.unwrap_or(desired::DEFAULT_MEMORY_MB))
            .timeout(desired.timeout_seconds.unwrap_or(desired::DEFAULT_TIMEOUT_SECONDS))
            .logging_config(self.logging_config(desired.log_format.unwrap_or(desired::DEFAULT_LOG_FORMAT)));
        for (key, value) in desired.names.tags() {
            request = request.tags(key, value);
        }
        let created = self.once_role_is_usable("create the function", || request.clone().send()).await?;
        self.await_function().await?;
        self.settle(created.is_some(), &TaggedPart::Function).await
    }

    fn architecture(&self) -> Architecture {
        Architecture::from(self.desired.zip.architecture.as_str())
    }

    fn logging_config(&self, format: Format) -> LoggingConfig {
        LoggingConfig::builder().log_group(self.desired.names.log_group()).log_format(format.into()).build()
    }

    async fn update_code(&self) -> Result<()> {
        let request = self.aws.lambda().update_function_code().function_name(self.desired.names.function());
        let request = request.architectures(self.architecture());
        let request = request.zip_file(Blob::new(self.desired.zip.bytes.clone()));
        self.aws.change("update the function's code", || request.clone().send()).await?;
        self.await_function().await
    }

    async fn update_configuration(&self, role_arn: &str, log_format: Format) -> Result<()> {
        let desired = self.desired;
        let lambda = self.aws.lambda();
        let request = lambda
            .update_function_configuration()
            .function_name(desired.names.function())
            .role(role_arn)
            .set_memory_size(desired.memory_mb)
            .set_timeout(desired.timeout_seconds)
            .logging_config(self.logging_config(log_format));
        self.once_role_is_usable("update the function's configuration", || request.clone().send()).await?;
        self.await_function().await
    }

    async fn await_function(&self) -> Result<()> {
        let name = self.desired.names.function();
        let request = self.aws.lambda().get_function_configuration().function_name(name);
        wait::until(&self.aws.retry, &format!("the function {name} to be Active"), DEADLINE, async || {
            let function = self.aws.call("get the function's configuration", || request.clone().send()).await?;
            if function.state() == Some(&State::Failed)
                || function.last_update_status() == Some(&LastUpdateStatus::Failed)
            {
                let reason = function.state_reason().or(function.last_update_status_reason());
                let reason = reason.unwrap_or("no reason given");
                return Err(Error::failed(format!("the function {name} has failed: {reason}")));
            }
            let is_updating = function.last_update_status() == Some(&LastUpdateStatus::InProgress);
            // Some emulators report no state or an empty one, so there is nothing to wait for.
            let state = function.state().filter(|state| !state.as_str().is_empty());
            Ok(match state {
                None | Some(State::Active | State::Inactive) if !is_updating => Poll::Ready(()),
                Some(state) if !is_updating => Poll::Pending(state.as_str().to_owned()),
                _ => Poll::Pending("updating".to_owned()),
            })
        })
        .await
    }

    async fn create_mapping(&self) -> Result<()> {
        let desired = self.desired;
        let mut request = self
            .aws
            .lambda()
            .create_event_source_mapping()
            .function_name(desired.names.function())
            .event_source_arn(desired.names.stream_arn(&desired.location))
            .starting_position(match desired.starting_position {
                StartingPosition::TrimHorizon => EventSourcePosition::TrimHorizon,
                StartingPosition::Latest => EventSourcePosition::Latest,
            })
            .batch_size(desired.batch_size.unwrap_or(desired::DEFAULT_BATCH_SIZE))
            .set_maximum_batching_window_in_seconds(desired.batch_window_seconds)
            .set_function_response_types(Some(self.response_types()));
        for (key, value) in desired.names.tags() {
            request = request.tags(key, value);
        }
        let created = self.once_role_is_usable("map the stream to the function", || request.clone().send()).await?;
        let uuid = match created.as_ref().and_then(|mapping| mapping.uuid()) {
            Some(uuid) => uuid.to_owned(),
            None => {
                let mapping = observed::mapping(self.aws, &desired.names, &desired.location).await?;
                mapping.ok_or_else(|| Error::failed("the event source mapping was created, but is not found"))?.uuid
            }
        };
        self.await_mapping(&uuid).await?;
        self.settle(created.is_some(), &TaggedPart::Mapping(uuid)).await
    }

    fn response_types(&self) -> Vec<FunctionResponseType> {
        if self.desired.report_item_failures { vec![FunctionResponseType::ReportBatchItemFailures] } else { Vec::new() }
    }

    async fn update_mapping(&self, uuid: &str) -> Result<()> {
        let lambda = self.aws.lambda();
        let request = lambda
            .update_event_source_mapping()
            .uuid(uuid)
            .enabled(true)
            .set_batch_size(self.desired.batch_size)
            .set_maximum_batching_window_in_seconds(self.desired.batch_window_seconds)
            .set_function_response_types(Some(self.response_types()));
        self.aws.change("update the event source mapping", || request.clone().send()).await?;
        self.await_mapping(uuid).await
    }

    async fn await_mapping(&self, uuid: &str) -> Result<()> {
        let what = format!("the event source mapping {uuid} to be Enabled");
        let request = self.aws.lambda().get_event_source_mapping().uuid(uuid);
        wait::until(&self.aws.retry, &what, DEADLINE, async || {
            let mapping = self.aws.call("get the event source mapping", || request.clone().send()).await?;
            Ok(match mapping.state() {
                Some("Enabled") => Poll::Ready(()),
                state => Poll::Pending(state.unwrap_or_default().to_owned()),
            })
        })
        .await
    }

    /// Ensures that a part carries our tags. A part that existed already, although an attempt to create it may have succeeded, must
    /// carry them, because another process may have created it.
    async fn settle(&self, is_created: bool, part: &TaggedPart) -> Result<()> {
        let DesiredPath { names, location, .. } = self.desired;
        if is_created {
            tags::ensure(self.aws, names, location, part).await
        } else {
            tags::must_be_ours(self.aws, names, location, part).await
        }
    }

    /// Retries a call until the role is usable. IAM is eventually consistent: for some seconds Lambda may not see a new role or its
    /// policy.
    async fn once_role_is_usable<T, E, F>(&self, doing: &str, mut call: impl FnMut() -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let retry = &self.aws.retry;
        wait::until(retry, "the role to be usable", ROLE_DEADLINE, async || {
            let mut attempts = 0;
            let attempt = || {
                attempts += 1;
                call()
            };
            let error = match retry.call(doing, attempt).await {
                Ok(answer) => return Ok(Poll::Ready(Some(answer))),
                Err(error) => error,
            };
            match not_yet_usable(error.message()) {
                Some(cause) => Ok(Poll::Pending(format!("rejected: {cause}"))),
                None if is_done_already(attempts, &error) => Ok(Poll::Ready(None)),
                None => Err(Error::aws(doing, error)),
            }
        })
        .await
    }
}

/// The cause, if the message is one of Lambda's three messages about a role that is not yet visible to it.
fn not_yet_usable(message: Option<&str>) -> Option<String> {
    const WORDINGS: [&str; 3] =
        ["cannot be assumed by Lambda", "execution role does not have permissions", "ensure the role can perform"];
    let message = message?;
    WORDINGS.iter().any(|wording| message.contains(wording)).then(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::not_yet_usable;

    #[test]
    fn only_three_messages_of_lambda_mean_that_the_role_is_not_usable_yet() {
        assert!(not_yet_usable(Some("The role defined for the function cannot be assumed by Lambda.")).is_some());
        assert!(
            not_yet_usable(Some("The provided execution role does not have permissions to call GetRecords on KINESIS"))
                .is_some()
        );
        assert!(not_yet_usable(Some("Please ensure the role can perform the GetRecords action")).is_some());
        assert!(not_yet_usable(Some("Role arn:aws:iam::1:role/x not found")).is_none());
        assert!(not_yet_usable(None).is_none());
    }
}
