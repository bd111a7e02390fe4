//! The environment variables of a function's process: those that Lambda sets, and none of this machine's.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::Path;

use super::spec::Spec;
use crate::credentials::Credentials;
use crate::lambda::configuration::{Format, Language};

/// The values of a process that do not come from its function.
pub struct ProcessValues<'a> {
    pub region: &'a str,
    pub endpoint: SocketAddr,
    pub runtime_api: SocketAddr,
    pub runtime_dir: &'a Path,
    pub log_stream: &'a str,
    /// The descriptor for log records.
    pub records: RawFd,
    /// The credentials of this process.
    pub credentials: &'a Credentials,
}

/// The variables of a process. The function's own come last, since they may replace some of Lambda's.
pub fn variables(spec: &Spec, values: &ProcessValues<'_>) -> Vec<(String, String)> {
    let ProcessValues { region, endpoint, runtime_api, runtime_dir, log_stream, records, credentials } = *values;
    let settings = &spec.settings;
    let task = spec.folder.display().to_string();
    let mut variables: Vec<(&str, String)> = vec![
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", settings.logging.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.into()),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("_LAMBDA_TELEMETRY_LOG_FD", records.to_string()),
        ("AWS_REGION", region.into()),
        ("AWS_DEFAULT_REGION", region.into()),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_ENDPOINT_URL", format!("http://{}", endpoint)),
        // StartLiveTail would be sent to the host `stream-127.0.0.1`, which does not exist.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true".into()),
        ("_HANDLER", settings.handler.clone()),
        ("LAMBDA_TASK_ROOT", task.clone()),
        ("LAMBDA_RUNTIME_DIR", runtime_dir.display().to_string()),
        ("LANG", "en_US.UTF-8".into()),
        ("TZ", ":UTC".into()),
        ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin".into()),
        ("LD_LIBRARY_PATH", format!("{task}:{task}/lib:/opt/lib")),
    ];
    match &settings.logging.format {
        Format::Text => variables.push(("AWS_LAMBDA_LOG_FORMAT", "Text".into())),
        Format::Json { application_level, .. } => {
            variables.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".into()));
            variables.push(("AWS_LAMBDA_LOG_LEVEL", application_level.clone()));
        }
    }
    if let Some(token) = &credentials.session_token {
        variables.push(("AWS_SESSION_TOKEN", token.clone()));
    }
    if settings.runtime.language != Language::Provided {
        variables.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", settings.runtime.id)));
    }
    let own = settings.environment.iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}
