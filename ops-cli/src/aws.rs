//! The connection to AWS or to the local endpoint: configuration, clients, names.

use std::fmt::Display;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::os_shim_internal::{Env, Fs};
use kinesis_event_logger_core::names::{Location, Names};
use local_aws::DEFAULT_PORT;
use tokio::net::TcpStream;

use crate::config;
use crate::error::{Error, Result, chain, is_missing};
use crate::global::Global;
use crate::retry::Retry;
use crate::runtime_folder;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// The time limit for an answer of Kinesis or CloudWatch Logs. Calls of Lambda have none, because the upload of a function's
/// zip takes as long as the network needs.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Clients of one account and region.
#[derive(Clone)]
pub struct Aws {
    pub region: String,
    pub retry: Retry,
    config: SdkConfig,
}

impl Aws {
    /// Reads the configuration as the AWS CLI does, and checks it before the first request.
    pub async fn connect(global: &Global) -> Result<Self> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            // `Retry` retries every call except PutRecords, of which `publish` retries single entries.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_DEADLINE).build());
        if let Some(url) = &global.endpoint_url {
            loader = loader.endpoint_url(checked_url(url)?);
        }
        if let Some(region) = &global.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if global.local {
            return Self::local(global, loader).await;
        }
        check_profile(global).await?;
        let http_client = https();
        if let Some(profile) = &global.profile {
            // As in the AWS CLI, a profile that is requested by name has precedence over keys in the environment.
            let provider_config = ProviderConfig::default().with_http_client(http_client.clone());
            let provider = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider_config);
            loader = loader.profile_name(profile).credentials_provider(provider.build());
        }
        let config = loader.http_client(http_client).load().await;
        let region = region_of(&config)?;
        check_credentials(&config).await?;
        Ok(Self { region, retry: Retry::default(), config })
    }

    /// Connects to the local endpoint, which speaks plain HTTP and has its own credentials.
    async fn local(global: &Global, mut loader: aws_config::ConfigLoader) -> Result<Self> {
        let url = global.endpoint_url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{DEFAULT_PORT}"));
        loader = loader.endpoint_url(&url);
        let region = match &global.region {
            Some(region) => checked_region(region)?,
            None => local_aws::Config::default().region,
        };
        let own = match &global.local_credentials {
            Some(own) => own.clone(),
            None => local_credentials(&url).await?,
        };
        let credentials =
            Credentials::new(own.access_key_id, own.secret_access_key, own.session_token, None, "local endpoint");
        let config = loader
            .region(Region::new(region.clone()))
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            // The SDK rejects these settings of the environment in combination with an endpoint URL.
            .use_fips(false)
            .use_dual_stack(false)
            .load()
            .await;
        Ok(Self { region, retry: Retry::default(), config })
    }

    /// Whether requests go to an address that was given, and not to AWS's own.
    pub fn has_own_endpoint(&self) -> bool {
        self.config.endpoint_url().is_some()
    }

    /// The address that was given instead of AWS's own.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.config.endpoint_url()
    }

    /// Whether requests go to an endpoint on this machine, which then also runs the functions.
    pub fn is_this_machine(&self) -> bool {
        let host = self.config.endpoint_url().and_then(|url| url.split("://").nth(1));
        let host = host.map(|host| host.split(['/', '?']).next().unwrap_or(host));
        let host = host.map(|host| host.rsplit_once(':').map_or(host, |(host, _)| host));
        host.is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
    }

    /// The same connection with another time limit for retries; `None` means no limit.
    #[must_use]
    pub fn with_retry_deadline(self, deadline: Option<Duration>) -> Self {
        Self { retry: self.retry.with_retry_deadline(deadline), ..self }
    }

    /// Sends a request, and retries it while its errors are transient. `doing` completes the sentence "could not …".
    pub async fn call<T, E, F>(&self, doing: impl Display, send: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.retry.call(&doing, send).await.map_err(|error| Error::aws(doing, error))
    }

    /// As [`Self::call`]. Returns `None` if the resource does not exist, or if an earlier attempt is already deleting it.
    pub async fn find<T, E, F>(&self, doing: impl Display, send: impl FnMut() -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call_unless(doing, send, |attempts, error| is_missing(error) || is_done_already(attempts, error)).await
    }

    /// As [`Self::call`], for a request that changes something. Returns `None` if an earlier attempt was executed although its
    /// answer was lost.
    pub async fn change<T, E, F>(&self, doing: impl Display, send: impl FnMut() -> F) -> Result<Option<T>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.call_unless(doing, send, is_done_already).await
    }

    /// Returns `None` for the errors that `is_none` accepts, given the number of attempts.
    async fn call_unless<T, E, F>(
        &self,
        doing: impl Display,
        mut send: impl FnMut() -> F,
        is_none: impl Fn(u32, &SdkError<E>) -> bool,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            send()
        };
        match self.retry.call(&doing, attempt).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if is_none(attempts, &error) => Ok(None),
            Err(error) => Err(Error::aws(doing, error)),
        }
    }

    pub fn kinesis(&self) -> aws_sdk_kinesis::Client {
        let config = aws_sdk_kinesis::config::Builder::from(&self.config).timeout_config(answer_timeout());
        aws_sdk_kinesis::Client::from_conf(config.build())
    }

    pub fn lambda(&self) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.config)
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        let config = aws_sdk_cloudwatchlogs::config::Builder::from(&self.config).timeout_config(answer_timeout());
        aws_sdk_cloudwatchlogs::Client::from_conf(config.build())
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    pub fn sts(&self) -> aws_sdk_sts::Client {
        aws_sdk_sts::Client::new(&self.config)
    }

    /// The region, and the account of the credentials.
    pub async fn location(&self) -> Result<Location> {
        let request = self.sts().get_caller_identity();
        let identity = self.call("get the account", || request.clone().send()).await?;
        let account_id = identity.account;
        let account_id =
            account_id.ok_or_else(|| Error::failed("STS did not return the account of the credentials"))?;
        Ok(Location { region: self.region.clone(), account_id })
    }
}

fn answer_timeout() -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_DEADLINE).operation_attempt_timeout(ANSWER_DEADLINE).build()
}

/// Whether a retried request was rejected because an earlier attempt was executed although its answer was lost. Kinesis,
/// CloudWatch Logs, IAM and Lambda then report that the name exists, or that the resource is being changed.
pub fn is_done_already<E: ProvideErrorMetadata>(attempts: u32, error: &SdkError<E>) -> bool {
    const EXISTS: [&str; 4] = [
        "ResourceInUseException",
        "ResourceAlreadyExistsException",
        "EntityAlreadyExists",
        "ResourceConflictException",
    ];
    attempts > 1 && error.code().is_some_and(|code| EXISTS.contains(&code))
}

/// The names that options, environment variables and the configuration file request.
pub fn names(global: &Global) -> Result<Names> {
    config::names(global, config::load(global)?.as_ref())
}

fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}

fn checked_url(url: &str) -> Result<&str> {
    match url.split_once("://") {
        Some(("http" | "https", host)) if !host.is_empty() && !url.contains(char::is_whitespace) => Ok(url),
        _ => Err(Error::usage(format!("--endpoint-url {url} is not an address"))
            .hint(format!("an address looks like http://127.0.0.1:{DEFAULT_PORT}"))),
    }
}

/// The credentials of the endpoint that this user runs with `ops-cli local` at this address.
async fn local_credentials(url: &str) -> Result<local_aws::Credentials> {
    let Some(authority) = url.strip_prefix("http://").map(|rest| rest.split(['/', '?']).next().unwrap_or(rest)) else {
        return Err(Error::usage(format!("--local cannot be used with {url}: the local endpoint speaks plain HTTP"))
            .hint("leave --local out to connect to AWS or to another HTTPS endpoint"));
    };
    let given = authority.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = given.unwrap_or((authority, 80));
    if let Some(credentials) = runtime_folder::credentials(port)? {
        return Ok(credentials);
    }
    let reached = TcpStream::connect((host.trim_matches(['[', ']']), port));
    Err(match tokio::time::timeout(CONNECT_DEADLINE, reached).await {
        Ok(Ok(_)) => Error::failed(format!("the server at {url} is not an endpoint that you run with `ops-cli local`"))
            .hint(
                "if it belongs to another user or another tool, export its credentials and AWS_ENDPOINT_URL, and leave --local out",
            ),
        Ok(Err(error)) => Error::failed(format!("no endpoint answers at {url}: {error}"))
            .hint("start the local endpoint with `ops-cli local`, or check --endpoint-url"),
        Err(_) => Error::failed(format!("no endpoint answers at {url}")).hint("check --endpoint-url and the network"),
    })
}

/// Fails unless the requested profile exists. The SDK itself would fall back to other credentials.
async fn check_profile(global: &Global) -> Result<()> {
    let asked = global.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok()).filter(|name| !name.is_empty());
    let Some(name) = asked else { return Ok(()) };
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None)
        .await
        .map_err(|error| Error::usage(format!("could not read the AWS configuration files: {}", chain(&error))))?;
    if profiles.get_profile(&name).is_some() {
        return Ok(());
    }
    let mut known: Vec<_> = profiles.profiles().collect();
    known.sort_unstable();
    let known = if known.is_empty() {
        "they contain no profiles".to_owned()
    } else {
        format!("they contain: {}", known.join(", "))
    };
    Err(Error::usage(format!("the profile {name} is not in the AWS configuration files")).hint(known))
}

fn region_of(config: &SdkConfig) -> Result<String> {
    const HINT: &str =
        "use --region, set AWS_REGION, or set `region` in your profile; for the local endpoint use --local";
    // As in the AWS CLI, an empty AWS_REGION counts as not set.
    match config.region().map(Region::as_ref).filter(|region| !region.is_empty()) {
        Some(region) => checked_region(region),
        None => Err(Error::usage("no AWS region is set").hint(HINT)),
    }
}

/// Checks that a region is lower-case words and numbers with hyphens between them, because it becomes part of host names.
fn checked_region(region: &str) -> Result<String> {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if region.split('-').all(is_word) {
        return Ok(region.to_owned());
    }
    Err(Error::usage(format!("{region:?} is not an AWS region")).hint("a region looks like us-east-1"))
}

async fn check_credentials(config: &SdkConfig) -> Result<()> {
    let provider: SharedCredentialsProvider =
        config.credentials_provider().ok_or_else(|| Error::usage("no AWS credentials are configured"))?;
    let error = match provider.provide_credentials().await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    let hint = "use --profile, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or sign in with `aws sso login`; for the local endpoint use --local";
    Err(match error {
        CredentialsError::CredentialsNotLoaded(_) => Error::usage("no AWS credentials were found").hint(hint),
        error => Error::usage(format!("could not read the AWS credentials: {}", chain(&error))).hint(hint),
    })
}
