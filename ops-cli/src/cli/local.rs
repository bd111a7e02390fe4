//! `local`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;

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
