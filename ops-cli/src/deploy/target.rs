//! The function that is deployed to.

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture as AwsArchitecture, FunctionConfiguration, LastUpdateStatus, State, SystemLogLevel,
};
use kinesis_event_logger_core::names::Names;
use kinesis_event_logger_core::settings::Settings;
use lambda_package::Architecture;

use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::function::FunctionZip;
use crate::function::release::{DEADLINE, Releases};
use crate::function::settings;
use crate::wait::{self, Poll};

/// The state of `$LATEST`, or of a version.
#[derive(Debug, Clone)]
pub struct TargetFunction {
    pub is_ours: bool,
    pub code_sha256: String,
    pub architecture: Architecture,
    pub role_arn: String,
    pub log_group: String,
    /// The settings that the function reads; the defaults if it does not accept its variables, and does not start.
    pub settings: Settings,
    /// Whether Lambda logs the end of each invocation.
    pub has_reports: bool,
}

impl TargetFunction {
    /// Reads the function.
    pub async fn read(aws: &Aws, names: &Names) -> Result<Self> {
        let request = aws.lambda().get_function().function_name(names.function());
        let answer = aws.find(format!("read the function {}", names.function()), || request.clone().send()).await?;
        let GetFunctionOutput { configuration: Some(configuration), tags, .. } =
            answer.ok_or_else(|| missing(aws, names))?
        else {
            return Err(missing(aws, names));
        };
        Ok(Self { is_ours: names.owns(tags.unwrap_or_default()), ..Self::of(names, configuration) })
    }

    fn of(names: &Names, configuration: FunctionConfiguration) -> Self {
        let logging = configuration.logging_config();
        let log_group = logging.and_then(|logging| logging.log_group()).map(str::to_owned);
        let has_reports = logging.and_then(|logging| logging.system_log_level()) != Some(&SystemLogLevel::Warn);
        let variables = configuration.environment().and_then(|environment| environment.variables()).cloned();
        let settings = settings::read(&variables.unwrap_or_default(), logging).unwrap_or_default();
        let architecture = configuration.architectures().first().and_then(|name| Architecture::parse(name.as_str()));
        Self {
            is_ours: false,
            code_sha256: configuration.code_sha256().unwrap_or_default().to_owned(),
            architecture: architecture.unwrap_or(Architecture::X86_64),
            role_arn: configuration.role().unwrap_or_default().to_owned(),
            log_group: log_group.unwrap_or_else(|| format!("/aws/lambda/{}", names.function())),
            settings,
            has_reports,
        }
    }

    /// Fails unless the function carries our tags.
    pub fn must_be_ours(&self, names: &Names) -> Result<()> {
        if self.is_ours {
            return Ok(());
        }
        let name = names.function();
        let [application, stage] = names.tags().map(|(key, value)| format!("{key}={value}"));
        Err(Error::failed(format!("the function {name} does not carry our tags, so it is not changed")).hint(format!(
            "choose another name with --app, --stage or --function, or give it the tags {application} and {stage}"
        )))
    }
}

fn missing(aws: &Aws, names: &Names) -> Error {
    Error::failed(format!("there is no function {} in {}", names.function(), aws.region))
        .hint("create it with `ops-cli provision --zip FILE`, or check --function, --app, --stage and --region")
}

/// Uploads code to `$LATEST`, and waits until it can run.
pub async fn upload(releases: Releases<'_>, zip: &FunctionZip) -> Result<()> {
    let Releases { aws, function } = releases;
    let request = aws.lambda().update_function_code().function_name(function);
    let request = request.architectures(AwsArchitecture::from(zip.architecture.as_str()));
    let request = request.zip_file(Blob::new(zip.bytes.clone()));
    releases.once_settled("update the function's code", || request.clone().send()).await?;
    let request = aws.lambda().get_function_configuration().function_name(function);
    wait::until(&aws.retry, &format!("the update of the function {function}"), DEADLINE, async || {
        let found = aws.call("get the function's configuration", || request.clone().send()).await?;
        let has_failed =
            found.state() == Some(&State::Failed) || found.last_update_status() == Some(&LastUpdateStatus::Failed);
        if has_failed {
            let reason = found.last_update_status_reason().or(found.state_reason()).unwrap_or("no reason given");
            return Err(Error::failed(format!("the update of the function {function} has failed: {reason}")));
        }
        Ok(match found.last_update_status() {
            Some(LastUpdateStatus::InProgress) => Poll::Pending("updating".to_owned()),
            _ => Poll::Ready(()),
        })
    })
    .await
}
