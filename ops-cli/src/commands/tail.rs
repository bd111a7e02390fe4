//! `tail`: show log groups.

mod options;

use std::time::Duration;

use clap::Args;

use crate::aws::{self, Aws};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::global::Global;
use crate::output::{self, Format, Output};
use crate::progress::{note, note_outcome};
use crate::retry::READ_DEADLINE;
use crate::signals::interrupted;
use crate::tail::session::Session;
use crate::tail::sink::Sink;
use crate::values;

const TAIL: &str = "\
Every event is shown once, late ones included. While the service throttles or cannot be reached, tail says so, slows \
down, and then shows what it missed. --follow waits for a log group that does not exist yet, and follows one that is \
deleted and created again.

Examples:
  ops-cli tail -f                                     follow the function's log
  ops-cli tail -n 100                                 the last hundred events
  ops-cli tail --since 'yesterday 14:50' --until 'yesterday 15:10'
  ops-cli tail -f --group '/aws/lambda/orders-*' --grep 'timeout|refused' --exclude health
  ops-cli tail -f --filter '{ $.partitionKey = \"user-42\" }'
  ops-cli tail --since 1h --fields time,key,data.user.id
  ops-cli tail --request 8476a536-e9f4-11e8-9739-2dfe598c3fcd
  ops-cli tail --until-match 'orders: ready' --timeout 2m && ./deploy-next
  ops-cli tail --since 1d --stats > /dev/null

Exit codes: 0 done, or nobody reads the output any more; 1 it failed, or what was asked for did not come in time; \
2 the command line is wrong; 130 interrupted.";

/// Show the function's log, or other log groups
#[derive(Args, Debug, Clone)]
#[command(after_help = TAIL)]
pub struct Tail {
    /// Log group, instead of the function's. `*` matches any characters, `?` matches one. Can be repeated
    #[arg(long, value_name = "NAME", help_heading = "What to read")]
    pub group: Vec<String>,
    /// Only log streams whose names begin with this prefix
    #[arg(long, value_name = "PREFIX", help_heading = "What to read")]
    pub log_stream: Option<String>,
    /// Begin this long ago (30s, 5m, 1d12h, 1w, "10min ago"), or at a time: 14:50, yesterday, 2026-11-28, 2026-11-28T14:50,
    /// an RFC 3339 time, or epoch milliseconds. A time without a zone is local (default: 10m; 1d with --request)
    #[arg(long, value_name = "TIME", help_heading = "What to read")]
    pub since: Option<String>,
    /// End at a time, in the same forms
    #[arg(long, value_name = "TIME", help_heading = "What to read")]
    pub until: Option<String>,
    /// Only the last N events, however old; with --follow also new events
    #[arg(long, short = 'n', value_name = "N", value_parser = values::number(0..=100_000_u64), help_heading = "What to read")]
    pub lines: Option<u64>,
    /// One invocation as a whole: every line from its first to its last
    #[arg(long, value_name = "ID", conflicts_with_all = ["lines", "follow", "live", "filter"], help_heading = "What to read")]
    pub request: Option<String>,

    /// Continue with new events until interrupted
    #[arg(long, short, help_heading = "Following")]
    pub follow: bool,
    /// Follow with a CloudWatch Live Tail session, which shows new events within about a second
    #[arg(long, help_heading = "Following")]
    pub live: bool,
    /// How late an event may become readable and still be shown
    #[arg(long, value_name = "DURATION", default_value = "5m", help_heading = "Following")]
    pub overlap: String,
    /// How long events of several log streams wait for older ones; 0 shows them as they come
    #[arg(long, value_name = "DURATION", default_value = "500ms", help_heading = "Following")]
    pub reorder: String,

    /// Only events that match this CloudWatch Logs filter pattern: the service selects. Can be repeated: all must match
    #[arg(long, value_name = "PATTERN", help_heading = "What to show")]
    pub filter: Vec<String>,
    /// Only messages that match this regular expression. Can be repeated: all must match
    #[arg(long, value_name = "REGEX", help_heading = "What to show")]
    pub grep: Vec<String>,
    /// No messages that match this regular expression. Can be repeated
    #[arg(long, value_name = "REGEX", help_heading = "What to show")]
    pub exclude: Vec<String>,
    /// Highlight matches of this regular expression. Can be repeated
    #[arg(long, value_name = "REGEX", help_heading = "What to show")]
    pub highlight: Vec<String>,
    /// Leave out the START, END, INIT and REPORT lines of Lambda
    #[arg(long, help_heading = "What to show")]
    pub no_platform: bool,

    /// Exit after N events
    #[arg(long, value_name = "N", value_parser = values::number(1..=u64::MAX), help_heading = "When to stop")]
    pub count: Option<u64>,
    /// Follow until everything was read and then no event was shown for this time
    #[arg(long, value_name = "DURATION", help_heading = "When to stop")]
    pub idle_exit: Option<String>,
    /// Follow until a message matches this regular expression
    #[arg(long, value_name = "REGEX", help_heading = "When to stop")]
    pub until_match: Option<String>,
    /// Exit after this time: with 1 if --until-match did not match, --count was not reached, or, without --follow, not everything was
    /// read
    #[arg(long, value_name = "DURATION", help_heading = "When to stop")]
    pub timeout: Option<String>,

    /// How events look: `pretty` for people (default on a terminal), `raw` for the message alone (default elsewhere), or
    /// `json`
    #[arg(long, value_enum, value_name = "VIEW", help_heading = "How it looks")]
    pub view: Option<options::ViewName>,
    /// These fields, with tabs between them: time, key, level, data, group, logStream, eventId, message, or any path into
    /// a line in JSON, as in data.user.id
    #[arg(
        long,
        value_name = "FIELDS",
        value_delimiter = ',',
        conflicts_with = "template",
        help_heading = "How it looks"
    )]
    pub fields: Vec<String>,
    /// A line of text with fields in braces: '{time} {data.user.id}'
    #[arg(long, value_name = "TEXT", conflicts_with = "view", help_heading = "How it looks")]
    pub template: Option<String>,
    /// Let long lines wrap instead of cutting them to the width of the terminal
    #[arg(long, help_heading = "How it looks")]
    pub wide: bool,
    /// Times in UTC
    #[arg(long, conflicts_with = "time_zone", help_heading = "How it looks")]
    pub utc: bool,
    /// Times in this zone, as in Europe/Berlin (default: local time). It is also the zone of --since and --until
    #[arg(long, value_name = "ZONE", help_heading = "How it looks")]
    pub time_zone: Option<String>,
    /// End with figures on stderr: invocations, errors, durations, cold starts, memory, records and their lag
    #[arg(long, help_heading = "How it looks")]
    pub stats: bool,
}

pub async fn run(global: &Global, args: &Tail, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let options = options::session(args, names.log_group())?;
    let sink = options::sink(args, output)?;
    let timeout = sink.progress.timeout();
    let aws = Aws::connect(global).await?.with_retry_deadline(retry_deadline(options.follows, timeout));
    if options.is_live {
        note("on AWS, a Live Tail session costs $0.01 per minute after 1,800 free minutes a month");
    }
    let is_json = output.format == Format::Json;
    let connection = Connection::new(aws, global, options.follows);
    let mut session = Session::new(connection, options, sink);
    let outcome = tokio::select! {
        outcome = session.run() => outcome.map(|()| End::Done),
        // Not only with the next event: there may be none for hours.
        () = output::closed() => return Ok(()),
        () = interrupted() => Ok(End::Interrupted),
        () = over(timeout) => Ok(End::Over),
    };
    let outcome = match outcome {
        Ok(End::Over) => session.finish(),
        Ok(End::Interrupted) => session.finish().and_then(|()| {
            note(&format!("interrupted: {}", session.sink().line()));
            Err(Error { message: String::new(), ..Error::interrupted() })
        }),
        outcome => outcome.map(|_| ()),
    };
    show_stats(session.sink(), is_json);
    outcome.and_then(|()| session.sink().progress.outcome())
}

enum End {
    Done,
    Over,
    Interrupted,
}

/// Resolves when the run has lasted long enough.
pub async fn over(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}

/// How long a read is retried: as long as it takes if the run follows, and no longer than the run may last.
pub fn retry_deadline(follows: bool, timeout: Option<Duration>) -> Option<Duration> {
    (!follows).then(|| timeout.map_or(READ_DEADLINE, |timeout| timeout.min(READ_DEADLINE)))
}

fn show_stats(sink: &Sink, is_json: bool) {
    let Some(summary) = sink.summary() else { return };
    match serde_json::to_string(&summary) {
        Ok(json) if is_json => note(&json),
        _ => note_outcome(&summary),
    }
}
