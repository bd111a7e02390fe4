//! `local`: run the local endpoint in the foreground.

use std::collections::HashSet;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use local_aws::Credentials;
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

use crate::endpoint;
use crate::error::{Error, Result};
use crate::event_line::EventLine;
use crate::global::Global;
use crate::output::{Output, Render};
use crate::progress::{escaped_lines, note};
use crate::runtime_folder;
use crate::signals::interrupted;

const TASK: &str = "\
Answers Kinesis, Lambda, CloudWatch Logs, IAM and STS in the foreground until Ctrl-C. It listens on loopback only, and stores \
everything in memory, unless options say otherwise. It accepts only requests that are signed with the credentials that it prints. These \
are new at each start, unless they are given or stored in --data-dir.";

const EXAMPLES: &str = "\
Examples:
  ops-cli local
  ops-cli local --port 0
  ops-cli local --data-dir ~/.local/share/ops-cli
  ops-cli local --function my-function=target/release/bootstrap

In another terminal, use `ops-cli --local …`, or run the printed exports and use any AWS tool:
  aws kinesis list-streams

The exports contain AWS_DISABLE_HOST_PREFIX_INJECTION for `aws logs start-live-tail`, which would otherwise connect to the host \
`stream-127.0.0.1`. An SDK that does not read this variable needs its own option, for example `disableHostPrefix` in \
JavaScript.

A mapping retries a failed batch after 300 ms, and doubles the pause up to 30 s. AWS also makes 8 attempts in 60 s.

docs/endpoint.md describes the endpoint.";

/// Run the local endpoint: Kinesis, Lambda, CloudWatch Logs, IAM and STS
#[derive(Args, Debug, Clone)]
#[command(before_help = TASK, after_help = EXAMPLES)]
pub struct Local {
    /// Port; 0 selects a free one
    #[arg(long, default_value_t = local_aws::DEFAULT_PORT, help_heading = "Address")]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into(), help_heading = "Address")]
    pub bind: IpAddr,
    /// Allow --bind to be an address that other machines can reach. Anyone who has the credentials can then run code on this
    /// machine. Requests to /_local/* must be signed too
    #[arg(long, conflicts_with = "no_auth", help_heading = "Address")]
    pub allow_remote: bool,

    /// Access key with which requests must be signed
    #[arg(
        long,
        env = "LOCAL_AWS_ACCESS_KEY_ID",
        value_name = "ID",
        requires = "secret_access_key",
        help_heading = "Credentials"
    )]
    pub access_key_id: Option<String>,
    /// Secret of the access key. Other users of this machine can see the arguments of a process, but not its environment
    #[arg(
        long,
        env = "LOCAL_AWS_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        requires = "access_key_id",
        hide_env_values = true,
        help_heading = "Credentials"
    )]
    pub secret_access_key: Option<String>,
    /// Session token that requests must carry
    #[arg(
        long,
        env = "LOCAL_AWS_SESSION_TOKEN",
        value_name = "TOKEN",
        requires = "access_key_id",
        hide_env_values = true,
        help_heading = "Credentials"
    )]
    pub session_token: Option<String>,
    /// The account in ARNs: 12 digits. A data folder keeps the account that it was created with
    #[arg(long, value_name = "ID", value_parser = account_id)]
    pub account_id: Option<String>,
    /// Accept unsigned requests from every program that you run on this machine. Requests of other users must be signed,
    /// and requests of browsers are rejected
    #[arg(long, help_heading = "Credentials")]
    pub no_auth: bool,

    /// Store everything in this folder: acknowledged data survives a restart and a kill
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub data_dir: Option<PathBuf>,
    /// Open the valid part of a damaged data folder. A copy of the folder is kept in it, and the losses are reported
    #[arg(long, requires = "data_dir", help_heading = "Data")]
    pub recover: bool,
    /// Maximum size of records and log events in memory, for example 512MiB. The oldest are evicted first, and are lost
    /// without --data-dir. The process needs up to an eighth more, and 255 MiB (docs/promises/data-directory.md)
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size, help_heading = "Data")]
    pub memory_limit: usize,

    /// Register a function whose code is a program, or a folder of Node.js or Python, and reload it when it changes. Can be
    /// repeated
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path, help_heading = "Functions")]
    // Of the same type as the global --function, because clap has one type for both.
    pub function: Vec<String>,
    /// Accept runtimes that AWS no longer accepts, for example nodejs14.x and python3.7
    #[arg(long, help_heading = "Functions")]
    pub any_runtime: bool,

    /// Enforce the limits of a shard: each second 1 MiB and 1,000 records in, 2 MiB and 5 GetRecords calls out
    #[arg(long, help_heading = "Behaviour")]
    pub limits: bool,
    /// Create, change and delete streams and consumers in seconds instead of at once, and retry a failed `Event` invocation
    /// after one minute and two minutes, as AWS does
    #[arg(long, help_heading = "Behaviour")]
    pub realistic: bool,
    /// Retry a failed batch after 100 ms to 5 s, and a failed `Event` invocation at once, which is faster than on AWS
    #[arg(long, help_heading = "Behaviour")]
    pub fast_retries: bool,
    /// Log every request, not only changes and failures
    #[arg(long, short, help_heading = "Behaviour")]
    pub verbose: bool,
}

/// The environment variables that a client needs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exports {
    endpoint_url: String,
    region: String,
    #[serde(flatten)]
    credentials: Credentials,
}

impl Render for Exports {
    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        let Self { endpoint_url, region, credentials } = self;
        writeln!(to, "export AWS_ENDPOINT_URL={endpoint_url}")?;
        // StartLiveTail prefixes the host name, and `stream-127.0.0.1` does not exist.
        writeln!(to, "export AWS_DISABLE_HOST_PREFIX_INJECTION=true")?;
        // boto3 and version 1 of the AWS CLI read AWS_DEFAULT_REGION, newer tools AWS_REGION.
        writeln!(to, "export AWS_REGION={region}")?;
        writeln!(to, "export AWS_DEFAULT_REGION={region}")?;
        writeln!(to, "export AWS_ACCESS_KEY_ID={}", credentials.access_key_id)?;
        writeln!(to, "export AWS_SECRET_ACCESS_KEY={}", credentials.secret_access_key)?;
        match &credentials.session_token {
            Some(token) => writeln!(to, "export AWS_SESSION_TOKEN={token}"),
            // The endpoint rejects a session token that is left over from another account, as AWS does.
            None => writeln!(to, "unset AWS_SESSION_TOKEN"),
        }
    }
}

const NO_AUTH: &str = "warning: --no-auth: unsigned requests run code with your permissions. They are accepted from every program that you run \
on this machine. Requests of other users must be signed, and requests of browsers are rejected";
const ALLOW_REMOTE: &str = "warning: --allow-remote: anyone who has these credentials and can connect to this machine can run code on it with your \
permissions. The connection is not encrypted. Requests to /_local/* must be signed, except /_local/health";

/// Reads an account.
fn account_id(text: &str) -> std::result::Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("an account ID has 12 digits".to_owned()) }
}

/// Rejects a name that `--function` gives twice.
fn check_functions(functions: &[String]) -> Result<()> {
    let mut names = HashSet::new();
    let twice = functions.iter().filter_map(|named| named.split_once('=')).find(|(name, _)| !names.insert(*name));
    match twice {
        Some((name, _)) => Err(Error::usage(format!("--function gives code for {name} twice"))
            .hint("give each function once, or another name to the second one")),
        None => Ok(()),
    }
}

pub async fn run(global: &Global, args: &Local, output: Output) -> Result<()> {
    check_functions(&args.function)?;
    show_events(args.verbose);
    if !args.bind.is_loopback() && !args.allow_remote {
        return Err(Error::usage(format!("other machines can reach the address of --bind {}", args.bind))
            .hint("the endpoint runs uploaded code with your permissions: add --allow-remote to allow it"));
    }
    let listener = endpoint::listen(SocketAddr::new(args.bind, args.port)).await?;
    let config = local_aws::Config {
        credentials: credentials(args)?,
        verify_signatures: !args.no_auth,
        allow_remote: args.allow_remote,
        data_dir: args.data_dir.clone(),
        recover: args.recover,
        functions: args
            .function
            .iter()
            .filter_map(|named| named.split_once('='))
            .map(|(name, path)| (name.to_owned(), path.into()))
            .collect(),
        memory_limit: args.memory_limit,
        shard_limits: args.limits,
        realistic: args.realistic,
        any_runtime: args.any_runtime,
        fast_retries: args.fast_retries,
        ..endpoint::config(global)
    };
    let config = match &args.account_id {
        Some(account_id) => local_aws::Config { account_id: account_id.clone(), ..config },
        None => config,
    };
    let address = listener.local_addr()?;
    let exports = Exports {
        endpoint_url: format!("http://{}", local_aws::reachable(address)),
        region: config.region.clone(),
        credentials: config.credentials.clone(),
    };
    // May fail, so nothing is printed before.
    let server = local_aws::Endpoint::open(listener, config).await?;
    let _registration = runtime_folder::register(address.port(), &exports.credentials)?;
    output.show(&exports)?;
    if args.no_auth {
        note(NO_AUTH);
    }
    if args.allow_remote {
        note(ALLOW_REMOTE);
    }
    let then = match &args.data_dir {
        Some(dir) => format!("its data stays in {}", dir.display()),
        None => "its data is then lost".to_owned(),
    };
    note(&format!("listening on {address}; Ctrl-C stops it, and {then}"));
    server.serve(interrupted()).await;
    note("stopped");
    Ok(())
}

/// Logs the endpoint's events, one line each, and the warnings of other crates.
fn show_events(is_verbose: bool) {
    let level = if is_verbose { Level::DEBUG } else { Level::INFO };
    let events = Targets::new().with_target("local_aws", level).with_default(Level::WARN);
    let lines = tracing_subscriber::fmt::layer().event_format(EventLine).with_writer(escaped_lines);
    tracing_subscriber::registry().with(lines.with_filter(events)).init();
}

/// The credentials that are given, or those stored in the data folder, or new ones.
fn credentials(args: &Local) -> Result<Credentials> {
    match (given_credentials(args)?, &args.data_dir) {
        (Some(given), _) => Ok(given),
        (None, Some(folder)) => Ok(Credentials::load_or_create(folder, args.recover)?),
        (None, None) => Ok(Credentials::random()),
    }
}

fn given_credentials(args: &Local) -> Result<Option<Credentials>> {
    let (Some(access_key_id), Some(secret_access_key)) = (&args.access_key_id, &args.secret_access_key) else {
        return Ok(None);
    };
    // They are printed for a shell, and the access key is delimited by slashes and commas in a header.
    let is_key = |value: &str| {
        value.len() >= 3 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let is_plain = |value: &str| {
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+/=.".contains(&byte))
    };
    let secrets = [Some(secret_access_key), args.session_token.as_ref()];
    if !is_key(access_key_id) || !secrets.into_iter().flatten().all(|value| is_plain(value)) {
        return Err(Error::usage("the credentials given to the endpoint do not have the form of AWS credentials").hint(
            "an access key consists of letters, digits, - and _; its secret and a session token may also contain + / = and .",
        ));
    }
    Ok(Some(Credentials {
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
        session_token: args.session_token.clone(),
    }))
}

/// Parses NAME=PATH.
fn named_path(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=PATH, for example my-function=target/release/bootstrap".into()),
    }
}

/// Parses a number of bytes: 65536, 512MiB, 1GiB.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err("expected a number, optionally followed by KiB, MiB or GiB".into()),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "expected a number of bytes, for example 512MiB".into())
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_binary_units() {
        for (text, bytes) in [("0", 0), ("65536", 65_536), ("4KiB", 4096), ("512MiB", 512 << 20), ("2GiB", 2 << 30)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5GiB", "1GB", "1 GiB", "99999999999999999999", "99999999999GiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
