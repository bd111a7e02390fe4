//! Creates and changes the function, publishes its versions, and moves its alias.

use std::collections::HashMap;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    ApplicationLogLevel, Architecture, Environment, FunctionCode, FunctionConfiguration, LogFormat, LoggingConfig,
    Runtime, SystemLogLevel, TracingConfig, TracingMode, VpcConfig,
};
use serde_json::Value;

use super::Applier;
use crate::error::{Error, Result};
use crate::function::release::{Releases, Route};
use crate::function::{self, FunctionZip};
use crate::progress::ProgressStep;
use crate::provision::kind::NONE;
use crate::provision::observed::{PartState, function_state};
use crate::provision::setting::Part;
use crate::provision::step::Change;
use crate::wait::Poll;

impl Applier<'_> {
    pub(super) async fn create_function(&self, progress: &ProgressStep) -> Result<()> {
        let zip = self.zip()?;
        let target = self.target(Part::Function);
        let request = self
            .aws
            .lambda()
            .create_function()
            .function_name(self.desired.names.function())
            .description("Writes each record of a Kinesis stream as one log line")
            .runtime(Runtime::from(function::RUNTIME))
            .handler("bootstrap")
            .role(target.text("role").unwrap_or_default())
            .architectures(Architecture::from(zip.architecture.as_str()))
            .code(FunctionCode::builder().zip_file(Blob::new(zip.bytes.clone())).build())
            .set_memory_size(target.integer("memory"))
            .set_timeout(target.integer("timeout"))
            .set_tracing_config(self.tracing())
            .set_environment(self.environment())
            .set_vpc_config(self.vpc())
            .set_kms_key_arn(self.kms_key().filter(|key| !key.is_empty()))
            .logging_config(self.logging())
            .set_tags(Some(self.desired.all_tags().into_iter().collect()));
        let request = self.change("create the function", progress, || request.clone().send());
        let created = self.create(Part::Function, request).await?;
        self.await_function(progress).await?;
        self.settle(created.is_some(), Part::Function, &self.desired.names.function_arn(&self.desired.location)).await
    }

    fn zip(&self) -> Result<&FunctionZip> {
        self.desired
            .zip
            .as_ref()
            .ok_or_else(|| Error::usage("there is no code for the function").hint("give --zip FILE"))
    }

    fn tracing(&self) -> Option<TracingConfig> {
        let mode = self.target(Part::Function).text("tracing")?;
        Some(TracingConfig::builder().mode(TracingMode::from(mode)).build())
    }

    fn environment(&self) -> Option<Environment> {
        let variables = self.target(Part::Function).members("environment")?;
        let variables: HashMap<_, _> =
            variables.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        Some(Environment::builder().set_variables(Some(variables)).build())
    }

    /// The function's network; empty lists take it out of its VPC.
    fn vpc(&self) -> Option<VpcConfig> {
        let target = self.target(Part::Function);
        let (subnets, groups) = (target.texts("subnets"), target.texts("security-groups"));
        (subnets.is_some() || groups.is_some())
            .then(|| VpcConfig::builder().set_subnet_ids(subnets).set_security_group_ids(groups).build())
    }

    /// The function's key; empty for Lambda's own.
    fn kms_key(&self) -> Option<String> {
        let key = self.target(Part::Function).text("kms-key")?;
        Some(if key == NONE { String::new() } else { key.to_owned() })
    }

    fn logging(&self) -> LoggingConfig {
        let target = self.target(Part::Function);
        // Lambda rejects levels for logs in text.
        let is_json = target.text("log-format") == Some("JSON");
        let level = |key| target.text(key).filter(|_| is_json);
        LoggingConfig::builder()
            .log_group(self.desired.names.log_group())
            .set_log_format(target.text("log-format").map(LogFormat::from))
            .set_application_log_level(level("application-log-level").map(ApplicationLogLevel::from))
            .set_system_log_level(level("system-log-level").map(SystemLogLevel::from))
            .build()
    }

    pub(super) async fn update_code(&self, progress: &ProgressStep) -> Result<()> {
        let zip = self.zip()?;
        let request = self.aws.lambda().update_function_code().function_name(self.desired.names.function());
        let request = request.architectures(Architecture::from(zip.architecture.as_str()));
        let request = request.zip_file(Blob::new(zip.bytes.clone()));
        self.change("update the function's code", progress, || request.clone().send()).await?;
        self.await_function(progress).await
    }

    /// Sends the settings that differ. Logging and environment are each replaced as a whole.
    pub(super) async fn update_configuration(&self, changes: &[Change], progress: &ProgressStep) -> Result<()> {
        let target = self.target(Part::Function);
        let differs = |field: &str| changes.iter().any(|change| change.field.split('.').next() == Some(field));
        let has_logging_change =
            ["log-group", "log-format", "application-log-level", "system-log-level"].into_iter().any(differs);
        let request = self.aws.lambda().update_function_configuration().function_name(self.desired.names.function());
        let request = request
            .set_role(target.text("role").filter(|_| differs("role")).map(str::to_owned))
            .set_memory_size(target.integer("memory").filter(|_| differs("memory")))
            .set_timeout(target.integer("timeout").filter(|_| differs("timeout")))
            .set_tracing_config(self.tracing().filter(|_| differs("tracing")))
            .set_environment(self.environment().filter(|_| differs("environment")))
            .set_vpc_config(self.vpc().filter(|_| differs("subnets") || differs("security-groups")))
            .set_kms_key_arn(self.kms_key().filter(|_| differs("kms-key")))
            .set_logging_config(has_logging_change.then(|| self.logging()));
        self.change("update the function's configuration", progress, || request.clone().send()).await?;
        self.await_function(progress).await
    }

    pub(super) async fn change_concurrency(&self, progress: &ProgressStep) -> Result<()> {
        let (lambda, name) = (self.aws.lambda(), self.desired.names.function());
        let doing = "change the function's reserved concurrency";
        match self.target(Part::Function).get("reserved-concurrency").and_then(Value::as_i64) {
            Some(count) => {
                let count = i32::try_from(count).unwrap_or(i32::MAX);
                let request =
                    lambda.put_function_concurrency().function_name(name).reserved_concurrent_executions(count);
                self.change(doing, progress, || request.clone().send()).await.map(drop)
            }
            None => {
                let request = lambda.delete_function_concurrency().function_name(name);
                self.change(doing, progress, || request.clone().send()).await.map(drop)
            }
        }
    }

    /// Publishes a version, and points the alias to it, which ends a canary. Lambda publishes no second version of the same code and
    /// configuration, so that an interrupted run continues with the version that it published.
    pub(super) async fn move_alias(&self) -> Result<()> {
        let releases = Releases { aws: self.aws, function: self.desired.names.function() };
        let code = self.target(Part::Function).text("code").unwrap_or_default();
        let version = releases.publish("provision", code).await?;
        let before = releases.live().await?;
        releases.point_live(&Route::to(version), before.as_ref()).await.map(drop)
    }

    pub(super) async fn await_function(&self, progress: &ProgressStep) -> Result<()> {
        let name = self.desired.names.function();
        let request = self.aws.lambda().get_function_configuration().function_name(name);
        self.wait_until(&format!("the function {name} to be Active"), progress, async || {
            let output = self.aws.call("get the function's configuration", || request.clone().send()).await?;
            let configuration = FunctionConfiguration::builder()
                .set_state(output.state)
                .set_state_reason(output.state_reason)
                .set_last_update_status(output.last_update_status)
                .set_last_update_status_reason(output.last_update_status_reason)
                .build();
            match function_state(&configuration) {
                PartState::Ready => Ok(Poll::Ready(())),
                PartState::Changing(state) => Ok(Poll::Pending(state)),
                PartState::Deleting => Ok(Poll::Pending("Deleting".into())),
                PartState::Failed(reason) => Err(Error::failed(format!("the function {name} has failed: {reason}"))
                    .hint("delete it with `ops-cli teardown`, and run provision again")),
            }
        })
        .await
    }
}
