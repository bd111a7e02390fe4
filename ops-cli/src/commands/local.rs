//! `local`: the endpoint in the foreground.

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

const LOCAL: &str = "\
Listens on loopback, keeps everything in memory, and stops every function process when it is interrupted. \
Requests must be signed with the credentials that it prints: new ones at each start, unless they are given.

Examples:
  ops-cli local
  ops-cli local --port 0
  ops-cli local --function my-function=target/release/bootstrap
  ops-cli local --bind 0.0.0.0 --allow-remote

Then, in another terminal, `ops-cli --local …`, or the printed exports and any AWS tool:
  aws kinesis list-streams

AWS_DISABLE_HOST_PREFIX_INJECTION is among the exports for `aws logs start-live-tail`, which would otherwise connect to \
`stream-127.0.0.1`, a host that does not exist. An SDK that does not read this variable needs its own option: \
`disableHostPrefix` in JavaScript.

A mapping retries a failed batch after 300 ms, then after twice as long each time, up to 30 s: AWS makes 8 attempts in \
60 s too. With --fast-retries, tests do not wait that long.";

/// Run Kinesis, Lambda and CloudWatch Logs on this machine, in the foreground
#[derive(Args, Debug, Clone)]
#[command(after_help = LOCAL)]
pub struct Local {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = local_aws::DEFAULT_PORT)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    pub bind: IpAddr,
    /// Let --bind be an address that other machines reach: whoever has the credentials runs code on this machine. Then
    /// /_local/* must be signed too
    #[arg(long, conflicts_with = "no_auth")]
    pub allow_remote: bool,
    /// The access key that requests must be signed with
    #[arg(long, env = "LOCAL_AWS_ACCESS_KEY_ID", value_name = "ID", requires = "secret_access_key")]
    pub access_key_id: Option<String>,
    /// Its secret; other users of the machine see it among the arguments of a process, and not in its environment
    #[arg(
        long,
        env = "LOCAL_AWS_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        requires = "access_key_id",
        hide_env_values = true
    )]
    pub secret_access_key: Option<String>,
    /// The session token that requests must carry
    #[arg(
        long,
        env = "LOCAL_AWS_SESSION_TOKEN",
        value_name = "TOKEN",
        requires = "access_key_id",
        hide_env_values = true
    )]
    pub session_token: Option<String>,
    /// The account in ARNs: 12 digits. A data folder keeps the account that it was created with
    #[arg(long, value_name = "ID", value_parser = account_id)]
    pub account_id: Option<String>,
    /// Accept unsigned requests from every program that you run on this machine; other users must sign, browsers are refused
    #[arg(long)]
    pub no_auth: bool,
    /// Show every request too
    #[arg(long, short)]
    pub verbose: bool,
    /// A function that there is from the start: its code is a program or a folder of Node.js or Python, read again when it
    /// changes; can be given several times
    #[arg(long, value_name = "NAME=PATH", value_parser = named_path)]
    // The name of the function, elsewhere: clap has one type for both.
    pub function: Vec<String>,
    /// Keep everything in this folder: what was acknowledged survives a restart and a kill
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Open what is valid in a damaged data folder: keeps a copy of it in the folder, and says what was dropped
    #[arg(long, requires = "data_dir")]
    pub recover: bool,
    /// How much of records and log events stays in memory, as in 512MiB; the oldest leave first, for good without --data-dir.
    /// The endpoint needs an eighth of it and 255 MiB besides, at most, for requests, the store and itself (docs/promises/data-directory.md)
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub memory_limit: usize,
    /// Let a shard take and give no more in a second than on AWS: 1 MiB and 1,000 records in, 2 MiB and 5 GetRecords out
    #[arg(long)]
    pub limits: bool,
    /// Let streams and consumers take some seconds to be made, changed and deleted, and retry a failed `Event` invocation
    /// after one minute and two, as on AWS
    #[arg(long)]
    pub realistic: bool,
    /// Accept runtimes that AWS no longer accepts, as nodejs14.x and python3.7
    #[arg(long)]
    pub any_runtime: bool,
    /// Retry a failed batch sooner than AWS does, 100 ms to 5 s after each attempt, and a failed `Event` at once: for tests
    #[arg(long)]
    pub fast_retries: bool,
}

/// What a client needs to know.
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
        // StartLiveTail has a host prefix: there is no host `stream-127.0.0.1`.
        writeln!(to, "export AWS_DISABLE_HOST_PREFIX_INJECTION=true")?;
        // boto3 and the first AWS CLI read the second of these, the newer tools the first.
        writeln!(to, "export AWS_REGION={region}")?;
        writeln!(to, "export AWS_DEFAULT_REGION={region}")?;
        writeln!(to, "export AWS_ACCESS_KEY_ID={}", credentials.access_key_id)?;
        writeln!(to, "export AWS_SECRET_ACCESS_KEY={}", credentials.secret_access_key)?;
        match &credentials.session_token {
            Some(token) => writeln!(to, "export AWS_SESSION_TOKEN={token}"),
            // One that is left over from another account is refused, as on AWS.
            None => writeln!(to, "unset AWS_SESSION_TOKEN"),
        }
    }
}

const NO_AUTH: &str = "warning: --no-auth: unsigned requests run code as you. They are accepted from every program that you run on this \
machine, and from no other user: those of other users must be signed. What a browser sends is refused";
/// Reads an account.
fn account_id(text: &str) -> std::result::Result<String, String> {
    let is_account = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_account { Ok(text.to_owned()) } else { Err("an account ID has 12 digits".to_owned()) }
}

const ALLOW_REMOTE: &str = "warning: --allow-remote: whoever has these credentials and can connect to this machine runs code on it as \
you, and what is sent is not encrypted. /_local/* must be signed too, except /_local/health";

pub async fn run(global: &Global, args: &Local, output: Output) -> Result<()> {
    show_events(args.verbose);
    if !args.bind.is_loopback() && !args.allow_remote {
        return Err(Error::usage(format!("--bind {}: other machines reach that address", args.bind))
            .hint("the endpoint runs uploaded code as you: if that is what you want, add --allow-remote"));
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
    // Before anything is printed: it may be refused.
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
        Some(dir) => format!("what it holds is in {}", dir.display()),
        None => "what it holds is gone then".to_owned(),
    };
    note(&format!("listening on {address}; Ctrl-C stops it, and {then}"));
    server.serve(interrupted()).await;
    note("stopped");
    Ok(())
}

/// The endpoint's own events, a line each; of the crates below it only what is wrong.
fn show_events(is_verbose: bool) {
    let level = if is_verbose { Level::DEBUG } else { Level::INFO };
    let events = Targets::new().with_target("local_aws", level).with_default(Level::WARN);
    let lines = tracing_subscriber::fmt::layer().event_format(EventLine).with_writer(escaped_lines);
    tracing_subscriber::registry().with(lines.with_filter(events)).init();
}

/// Those that are given; with a data folder those kept in it; otherwise new ones.
fn credentials(args: &Local) -> Result<Credentials> {
    match (given_credentials(args)?, &args.data_dir) {
        (Some(given), _) => Ok(given),
        (None, Some(folder)) => Ok(Credentials::kept_in(folder, args.recover)?),
        (None, None) => Ok(Credentials::random()),
    }
}

fn given_credentials(args: &Local) -> Result<Option<Credentials>> {
    let (Some(access_key_id), Some(secret_access_key)) = (&args.access_key_id, &args.secret_access_key) else {
        return Ok(None);
    };
    // They are printed for a shell, and the id stands between slashes and commas in a header.
    let is_key = |value: &str| {
        value.len() >= 3 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    let is_plain = |value: &str| {
        !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+/=.".contains(&byte))
    };
    let secrets = [Some(secret_access_key), args.session_token.as_ref()];
    if !is_key(access_key_id) || !secrets.into_iter().flatten().all(|value| is_plain(value)) {
        return Err(Error::usage("the credentials given to the endpoint are not of the form of AWS's").hint(
            "an access key has letters, digits, - and _; its secret and a session token may also have + / = and .",
        ));
    }
    Ok(Some(Credentials {
        access_key_id: access_key_id.clone(),
        secret_access_key: secret_access_key.clone(),
        session_token: args.session_token.clone(),
    }))
}

/// NAME=PATH
fn named_path(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => Ok(text.to_owned()),
        _ => Err("expected NAME=PATH, as in my-function=target/release/bootstrap".into()),
    }
}

/// Bytes, as in 65536, 512MiB, 1GiB.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err("expected a number with KiB, MiB, GiB or nothing after it".into()),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| "expected a number of bytes, as in 512MiB".into())
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
