//! The command line, and nothing else: every check beyond syntax belongs to the command.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use kinesis_event_logger_core::names;

/// Everything put on a Kinesis stream becomes one searchable line in CloudWatch Logs.
///
/// Provisions that path (stream, role, log group, function, event source mapping), publishes to it and tails it: on
/// AWS, or on your own machine with `ops-cli local` and `--local`.
#[derive(Parser, Debug)]
#[command(name = "ops-cli", version, max_term_width = 110, after_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ops-cli demo                            the whole path, on this machine, in a second
  ops-cli local                           the endpoint in the foreground; then, in another terminal:
  ops-cli build && ops-cli zip
  ops-cli --local provision --zip target/bootstrap.zip
  ops-cli --local publish 'Hello, Lambda CLI World'
  ops-cli --local tail --follow
  ops-cli --local teardown

Exit codes: 0 done; 1 it failed; 2 the command line or its input is wrong; 130 interrupted.";

/// Options of every command.
#[derive(Args, Debug, Clone)]
pub struct Global {
    /// Named profile of the AWS configuration files (default: AWS_PROFILE)
    #[arg(long, global = true, value_name = "NAME", help_heading = "Connection")]
    pub profile: Option<String>,
    /// AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or the profile's; with --local us-east-1)
    #[arg(long, global = true, value_name = "REGION", help_heading = "Connection")]
    pub region: Option<String>,
    /// Send requests to this address instead of AWS (default: AWS_ENDPOINT_URL)
    #[arg(long, global = true, value_name = "URL", help_heading = "Connection")]
    pub endpoint_url: Option<String>,
    /// Talk to `ops-cli local`: its default address (or --endpoint-url), its own credentials
    #[arg(long, global = true, conflicts_with = "profile", help_heading = "Connection")]
    pub local: bool,
    /// Those of an endpoint in this process; without them `--local` looks for those of one that runs.
    #[arg(skip)]
    pub local_credentials: Option<local_aws::Credentials>,

    /// Application: the first part of every name
    #[arg(long, global = true, env = "KINESIS_LOGGER_APP", value_name = "NAME", default_value = names::DEFAULT_APPLICATION, help_heading = "Names")]
    pub app: String,
    /// Stage: the second part of every name
    #[arg(long, global = true, env = "KINESIS_LOGGER_STAGE", value_name = "NAME", default_value = names::DEFAULT_STAGE, help_heading = "Names")]
    pub stage: String,
    /// Stream (default: APP-STAGE)
    #[arg(long, global = true, env = "KINESIS_LOGGER_STREAM", value_name = "NAME", help_heading = "Names")]
    pub stream: Option<String>,
    /// Function (default: APP-STAGE)
    #[arg(long, global = true, env = "KINESIS_LOGGER_FUNCTION", value_name = "NAME", help_heading = "Names")]
    pub function: Option<String>,
    /// The function's execution role (default: APP-STAGE-role)
    #[arg(long, global = true, env = "KINESIS_LOGGER_ROLE", value_name = "NAME", help_heading = "Names")]
    pub role: Option<String>,
    /// Log group (default: /aws/lambda/FUNCTION)
    #[arg(long, global = true, env = "KINESIS_LOGGER_LOG_GROUP", value_name = "NAME", help_heading = "Names")]
    pub log_group: Option<String>,

    /// What stdout carries: lines for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Format {
    Text,
    Json,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Make the path: stream, role, log group, function, event source mapping
    Provision(Provision),
    /// Put records on the stream
    Publish(Publish),
    /// Check that what is published comes out as log lines
    Verify(Verify),
    /// Show the function's log
    Tail(Tail),
    /// One screen: stream, mapping, function, last log line
    #[command(after_help = "Examples:\n  ops-cli status\n  ops-cli --local --output json status")]
    Status,
    /// Delete what provision made
    Teardown(Teardown),
    /// Run Kinesis, Lambda and CloudWatch Logs on this machine, in the foreground
    Local(Local),
    /// Show the whole path working, on this machine: nothing to install, nothing left behind
    #[command(
        after_help = "Run it in a checkout: it builds the function, starts the endpoint on a free port, provisions,\npublishes \"Hello, Lambda CLI World\", waits for its log line and tears down.\n\nExamples:\n  cargo demo\n  ops-cli demo"
    )]
    Demo,
    /// Build the function for Lambda, in a checkout of this project
    Build(Build),
    /// Pack the function's binary into the zip that Lambda takes: the same input gives the same bytes
    Zip(Zip),
    /// Print the completion script of a shell
    #[command(
        after_help = "Examples:\n  ops-cli completions bash > /etc/bash_completion.d/ops-cli\n  ops-cli completions zsh > ~/.zfunc/_ops-cli"
    )]
    Completions { shell: Shell },
}

/// Each part is made only if it is missing; a second run says "nothing to do". Parts that exist and do not carry our
/// tags are used as they are, never changed.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli provision --zip target/bootstrap.zip\n  ops-cli provision --zip target/bootstrap.zip --shards 4 --retention-days 90 --memory 256\n  ops-cli provision --zip target/bootstrap.zip --dry-run\n  ops-cli --local --app orders --stage test provision --zip target/bootstrap.zip\n\nPermissions it needs on AWS are listed in the README."
)]
pub struct Provision {
    /// The function's zip, with `bootstrap` at its root
    #[arg(long, value_name = "FILE")]
    pub zip: PathBuf,
    /// Shards of the stream (default: 1; `on-demand` lets Kinesis scale)
    #[arg(long, value_name = "N|on-demand")]
    pub shards: Option<Shards>,
    /// Days the log group keeps events (default: 30; 0 keeps them for ever)
    #[arg(long, value_name = "DAYS")]
    pub retention_days: Option<i32>,
    /// Memory of the function in MB, 128 to 10240 (default: 128)
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(i32).range(128..=10_240))]
    pub memory: Option<i32>,
    /// Seconds an invocation may take, 1 to 900 (default: 30)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(1..=900))]
    pub timeout: Option<i32>,
    /// Form of the log lines (default: json)
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<Format>,
    /// Records an invocation gets at most, 1 to 10000 (default: 100)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    pub batch_size: Option<i32>,
    /// Seconds to gather a batch for, 0 to 300 (default: 0)
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(0..=300))]
    pub batch_window: Option<i32>,
    /// Where a new mapping begins: with what is on the stream, or with what comes after
    #[arg(long, value_enum, default_value_t = StartingPosition::TrimHorizon)]
    pub starting_position: StartingPosition,
    /// Replay a whole batch when part of it failed, instead of from the first failed record on
    #[arg(long)]
    pub whole_batch_retry: bool,
    /// Print the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl Provision {
    /// The defaults, for a zip.
    pub fn of_zip(zip: impl Into<PathBuf>) -> Self {
        Self {
            zip: zip.into(),
            shards: None,
            retention_days: None,
            memory: None,
            timeout: None,
            log_format: None,
            batch_size: None,
            batch_window: None,
            starting_position: StartingPosition::TrimHorizon,
            whole_batch_retry: false,
            dry_run: false,
        }
    }
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StartingPosition {
    TrimHorizon,
    Latest,
}

/// How much a stream takes: a fixed number of shards, or as many as Kinesis sees fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shards {
    OnDemand,
    Provisioned(i32),
}

impl std::str::FromStr for Shards {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "on-demand" => Ok(Self::OnDemand),
            _ => match text.parse() {
                Ok(count) if count >= 1 => Ok(Self::Provisioned(count)),
                _ => Err("expected a number of shards from 1 up, or `on-demand`".into()),
            },
        }
    }
}

/// One record from the argument, or one for each line of stdin or of --file. Prints each record's shard and sequence
/// number, in the order of the input, unless --receipts or --quiet says otherwise; on stderr a summary, in which records
/// read = acknowledged + dead-lettered.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli publish 'Hello, Lambda CLI World'\n  ops-cli publish --key user-42 '{\"event\":\"login\"}'\n  ops-cli publish --file events.ndjson --key-field /user/id --ordered\n  journalctl -o json -f | ops-cli publish\n  ops-cli publish --file big.ndjson --receipts receipts.ndjson --dead-letter dead.ndjson\n  ops-cli publish --file big.ndjson --resume receipts.ndjson\n  ops-cli publish --file dead.ndjson --entries\n\nDelivery is at least once: a request whose answer was lost is sent again, and the receipts of its records say so\n(mayRepeat). An input error, such as a line over the limit, stops the run unless --dead-letter takes it."
)]
pub struct Publish {
    /// The record's data (default: stdin, one record a line)
    #[arg(conflicts_with = "file")]
    pub data: Option<String>,
    /// Read records from this file, one a line; `-` is stdin. Can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pub file: Vec<PathBuf>,
    /// Each input is one record
    #[arg(long, conflicts_with_all = ["base64", "entries"], help_heading = "Input")]
    pub whole: bool,
    /// Lines are base64
    #[arg(long, conflicts_with_all = ["data", "entries"], help_heading = "Input")]
    pub base64: bool,
    /// Lines are entries of PutRecords: {"PartitionKey":"k","Data":"base64"}, with "ExplicitHashKey" if need be
    #[arg(long, conflicts_with_all = ["data", "key", "key_field", "key_random", "hash_key"], help_heading = "Input")]
    pub entries: bool,

    /// Partition key of every record
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["key_field", "key_random"], help_heading = "Keys")]
    pub key: Option<String>,
    /// Take each record's partition key from this field: a JSON pointer, as in /user/id
    #[arg(long, value_name = "POINTER", conflicts_with = "key_random", help_heading = "Keys")]
    pub key_field: Option<String>,
    /// A random partition key for each record, which spreads them over the shards (default)
    #[arg(long, help_heading = "Keys")]
    pub key_random: bool,
    /// Choose the shard by this number, 0 to 2^128-1, whatever the partition key
    #[arg(long, value_name = "NUMBER", help_heading = "Keys")]
    pub hash_key: Option<String>,

    /// Keep the order of each partition key's records, whatever fails: one record a key under way at a time
    #[arg(long, help_heading = "Sending")]
    pub ordered: bool,
    /// Put many records in one, in the format of the KPL: cheaper and faster for small records. Consumers take them apart,
    /// as the logger does. Receipts name each record inside; slow input waits up to 100 ms for company
    #[arg(long, help_heading = "Sending")]
    pub aggregate: bool,
    /// Compress each record's data, with --aggregate inside the aggregate: the logger opens either
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Sending")]
    pub compress: Option<Compression>,
    /// Send at most so many records a second
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Sending")]
    pub rate: Option<f64>,
    /// Send at most so many bytes a second
    #[arg(long, value_name = "N", value_parser = positive, help_heading = "Sending")]
    pub rate_bytes: Option<f64>,
    /// Seconds a record is tried for
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400), help_heading = "Sending")]
    pub deadline: u64,

    /// Write a receipt for each record to this file, as lines of JSON, instead of to stdout
    #[arg(long, value_name = "FILE", help_heading = "Accounting")]
    pub receipts: Option<PathBuf>,
    /// Go on after an interrupted run: records with a receipt in this file are not sent; new receipts are added to it
    #[arg(long, value_name = "RECEIPTS", conflicts_with = "receipts", help_heading = "Accounting")]
    pub resume: Option<PathBuf>,
    /// Add what could not be published to this file, and why, as lines of JSON that --entries reads; exit code 1
    #[arg(long, value_name = "FILE", help_heading = "Accounting")]
    pub dead_letter: Option<PathBuf>,
    /// Stop at the first input error, also with --dead-letter
    #[arg(long, help_heading = "Accounting")]
    pub strict: bool,
    /// No receipts, progress or summary: errors only
    #[arg(long, short, help_heading = "Accounting")]
    pub quiet: bool,
    /// Show how the input would be packed and where it would go; send nothing
    #[arg(long, conflicts_with_all = ["receipts", "resume"], help_heading = "Accounting")]
    pub dry_run: bool,
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

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Compression {
    Gzip,
    Zstd,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(number),
        _ => Err("expected a number above 0".into()),
    }
}

/// Publishes marked records, follows the function's log until each is there, and tells what is missing, what was logged
/// again or out of order, and how long it took. Exit code 1 if anything is missing.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli verify\n  ops-cli verify --count 10000 --rate 500 --timeout 5m\n  ops-cli publish --file events.ndjson --receipts receipts.ndjson && ops-cli verify --receipts receipts.ndjson\n  ops-cli --output json verify --count 100"
)]
pub struct Verify {
    /// Records to publish
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub count: u64,
    /// Publish at most so many a second
    #[arg(long, value_name = "N", value_parser = positive)]
    pub rate: Option<f64>,
    /// How long to wait for log lines after the last record was published
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub timeout: String,
    /// How long to go on reading once every record is found, for what is logged again
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    pub settle: String,
    /// Publish the records in aggregates, in the format of the KPL
    #[arg(long)]
    pub aggregate: bool,
    /// Publish nothing; look for the records of an earlier `publish --receipts`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "rate", "aggregate"])]
    pub receipts: Option<PathBuf>,
}

/// Every event once, late ones included.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli tail --since 1h\n  ops-cli tail --follow\n  ops-cli tail --follow --filter '{ $.partitionKey = \"user-42\" }'\n  ops-cli tail --since 2026-11-23T10:00:00Z --output json\n\nPatterns are CloudWatch Logs filter patterns."
)]
pub struct Tail {
    /// Go on with new events until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Begin so long ago (30s, 5m, 2h, 1d), or at an RFC 3339 time
    #[arg(long, value_name = "TIME", default_value = "10m")]
    pub since: String,
    /// Only events that match this CloudWatch Logs filter pattern
    #[arg(long, value_name = "PATTERN")]
    pub filter: Option<String>,
}

/// Shows what carries our tags, asks, and deletes it: mapping, function, log group, role, stream. What does not carry
/// our tags stays. Can be run again.
#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  ops-cli teardown\n  ops-cli --local teardown --yes")]
pub struct Teardown {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// Listens on loopback, keeps everything in memory, and stops every function process when it is interrupted.
/// Requests must be signed with the credentials that it prints: new ones at each start, unless they are given.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli local\n  ops-cli local --port 0\n  ops-cli local --function my-function=target/release/bootstrap\n  ops-cli local --bind 0.0.0.0 --allow-remote\n\nThen, in another terminal, `ops-cli --local …`, or the printed exports and any AWS tool:\n  aws kinesis list-streams"
)]
pub struct Local {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = local_aws::DEFAULT_PORT)]
    pub port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    pub bind: IpAddr,
    /// Let --bind be an address that other machines reach: whoever has the credentials runs code on this machine
    #[arg(long, conflicts_with = "no_auth")]
    pub allow_remote: bool,
    /// The access key that requests must be signed with
    #[arg(long, env = "LOCAL_AWS_ACCESS_KEY_ID", value_name = "ID", requires = "secret_access_key")]
    pub access_key_id: Option<String>,
    /// Its secret
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
    /// Take requests that are not signed, of every program on this machine; browsers are refused all the same
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
    /// How much of records and log events stays in memory, as in 512MiB; the oldest leave first, for good without --data-dir
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub memory_limit: usize,
    /// Let a shard take and give no more in a second than on AWS: 1 MiB and 1,000 records in, 2 MiB and 5 GetRecords out
    #[arg(long)]
    pub limits: bool,
    /// Let streams and consumers take some seconds to be made, changed and deleted, as on AWS
    #[arg(long)]
    pub realistic: bool,
}

/// Builds a static binary where the musl target is installed, else one for this machine's own C library, and checks
/// that Lambda can run it.
#[derive(Args, Debug, Clone)]
#[command(
    after_help = "Examples:\n  ops-cli build\n  ops-cli build --arch arm64\n\nFor a static binary: rustup target add x86_64-unknown-linux-musl (or aarch64-…)"
)]
pub struct Build {
    /// The function's architecture (default: this machine's)
    #[arg(long, value_enum)]
    pub arch: Option<Arch>,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Arch {
    #[value(name = "x86_64")]
    X86_64,
    Arm64,
}

#[derive(Args, Debug, Clone)]
#[command(after_help = "Examples:\n  ops-cli zip\n  ops-cli zip --binary target/lambda/bootstrap --out logger.zip")]
pub struct Zip {
    /// The function's binary (default: what `ops-cli build` makes)
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Where to write the zip
    #[arg(long, value_name = "FILE", default_value = "target/bootstrap.zip")]
    pub out: PathBuf,
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
