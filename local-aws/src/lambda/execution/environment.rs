//! The environment of a function's process: what Lambda sets, and nothing of this machine's.
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>

use std::net::SocketAddr;
use std::path::Path;

use super::process::Spec;
use crate::Config;
use crate::lambda::logging::Format;
use crate::lambda::runtime::Kind;

/// The variables of a process of `spec` whose Runtime API is at `runtime_api`. The function's own come last: they may
/// replace those that Lambda lets them replace.
pub fn variables(
    config: &Config,
    spec: &Spec,
    runtime_dir: &Path,
    log_stream: &str,
    runtime_api: SocketAddr,
) -> Vec<(String, String)> {
    let settings = &spec.settings;
    let task = spec.folder.display().to_string();
    let mut variables: Vec<(&str, String)> = vec![
        ("AWS_LAMBDA_FUNCTION_NAME", spec.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", spec.version.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", settings.memory_mb.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", settings.logging.group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string()),
        ("AWS_REGION", config.region.clone()),
        ("AWS_DEFAULT_REGION", config.region.clone()),
        ("AWS_ACCESS_KEY_ID", config.credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", config.credentials.secret_access_key.clone()),
        ("AWS_ENDPOINT_URL", format!("http://{}", config.address)),
        // There is no host `stream-127.0.0.1`, to which StartLiveTail would be sent.
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
    if let Some(token) = &config.credentials.session_token {
        variables.push(("AWS_SESSION_TOKEN", token.clone()));
    }
    if settings.runtime.kind != Kind::Provided {
        variables.push(("AWS_EXECUTION_ENV", format!("AWS_Lambda_{}", settings.runtime.id)));
    }
    let own = settings.environment.iter().flatten().map(|(name, value)| (name.clone(), value.clone()));
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}
