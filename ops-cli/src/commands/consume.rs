//! `consume`: read the records of a stream.

mod options;

use std::path::PathBuf;

use clap::Args;

use super::tail::{over, retry_deadline};
use crate::aws::{self, Aws};
use crate::connection::Connection;
use crate::consume::fan_out::Consumer;
use crate::consume::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::global::Global;
use crate::output::{self, Format, Output};
use crate::progress::{note, note_outcome};
use crate::signals::interrupted;
use crate::values;

const CONSUME: &str = "\
Reads all shards at once. The records of a shard are shown in their order, and those of a shard that was split or merged \
before those of the shards that follow it. Records of different shards are shown as they come. Without --follow, the run \
ends where the stream ended when it began.

Aggregates are unpacked and data is decompressed, as the function does it: one record on the stream can be many lines.

A shard allows 5 reads and 2 MB a second to all of its readers, also the function. When consume is throttled, it says so and \
reads more slowly; --fan-out has a share of its own, and costs money.

Examples:
  ops-cli consume                                     the data of all records, one per line
  ops-cli consume -f --from latest                    new records as they come
  ops-cli consume --from -1000 --grep 'timeout'       among the last thousand records
  ops-cli consume --from 14:50 --to 15:10 --key user-42
  ops-cli consume --from 1:4959… --count 1 --view json
  ops-cli consume --format '%a %p %o %k %s\\n' | less
  ops-cli consume --save day.ndjson --from yesterday --to today > /dev/null
  ops-cli publish --entries --file day.ndjson --pace recorded
  ops-cli consume --stats > /dev/null                 records by shard and key
  ops-cli consume -f --fan-out mine --idle-exit 30s

Directives of --format, by kcat's letters where they fit:
  %t stream             %k partition key      %s data               %v the function's line, in JSON
  %p shard              %K its length         %S its length         %a time of arrival
  %o sequence number    %h explicit hash key  %% percent            %T arrival in epoch ms
  %i index in the aggregate                   \\n \\t \\r \\0 \\\\ \\xHH escapes
A value that a record does not have is -. No line break is added.

Exit codes: 0 done, or nobody reads the output any more; 1 it failed, or --timeout ended it too early; 2 the command line \
is wrong; 130 interrupted.";

/// Read the records of the stream
#[derive(Args, Debug, Clone)]
#[command(after_help = CONSUME)]
pub struct Consume {
    /// Where to begin: `trim-horizon` (the oldest record), `latest`, a time in the forms of tail's --since, -1000 for the last
    /// thousand records over all shards, or SHARD:SEQUENCE_NUMBER for that record and what follows it in its shard and the
    /// shards after it, which can be repeated (default: trim-horizon)
    #[arg(long, value_name = "POSITION", help_heading = "What to read")]
    pub from: Vec<String>,
    /// End at a time of arrival
    #[arg(long, value_name = "TIME", help_heading = "What to read")]
    pub to: Option<String>,
    /// Only this shard, by its id or number. Can be repeated
    #[arg(long, value_name = "SHARD", help_heading = "What to read")]
    pub shard: Vec<String>,
    /// Continue with new records until interrupted
    #[arg(long, short, help_heading = "What to read")]
    pub follow: bool,
    /// Register an enhanced fan-out consumer of this name, read with it, and remove it at the end
    #[arg(long, value_name = "NAME", help_heading = "What to read")]
    pub fan_out: Option<String>,

    /// Only records with this partition key. Can be repeated
    #[arg(long, value_name = "KEY", help_heading = "What to show")]
    pub key: Vec<String>,
    /// Only records whose data is text that matches this regular expression. Can be repeated: all must match
    #[arg(long, value_name = "REGEX", help_heading = "What to show")]
    pub grep: Vec<String>,

    /// Exit after N records
    #[arg(long, value_name = "N", value_parser = values::number(1..=u64::MAX), help_heading = "When to stop")]
    pub count: Option<u64>,
    /// Follow until everything was read and then no record was shown for this time
    #[arg(long, value_name = "DURATION", help_heading = "When to stop")]
    pub idle_exit: Option<String>,
    /// Exit after this time: with 1 if --count was not reached, or, without --follow, not everything was read
    #[arg(long, value_name = "DURATION", help_heading = "When to stop")]
    pub timeout: Option<String>,

    /// How records look: `pretty` for people (default on a terminal), `raw` for the data alone (default elsewhere), or `json`
    /// for the line of the function
    #[arg(long, value_enum, value_name = "VIEW", help_heading = "How it looks")]
    pub view: Option<options::ViewName>,
    /// Text with directives: '%t %p %o %k %s\n' (see below)
    #[arg(long, value_name = "FORMAT", conflicts_with = "view", help_heading = "How it looks")]
    pub format: Option<String>,
    /// Binary data as a hex dump instead of base64
    #[arg(long, help_heading = "How it looks")]
    pub hex: bool,
    /// Let long lines wrap instead of cutting them to the width of the terminal
    #[arg(long, help_heading = "How it looks")]
    pub wide: bool,
    /// Times in UTC
    #[arg(long, conflicts_with = "time_zone", help_heading = "How it looks")]
    pub utc: bool,
    /// Times in this zone, as in Europe/Berlin (default: local time). It is also the zone of --from and --to
    #[arg(long, value_name = "ZONE", help_heading = "How it looks")]
    pub time_zone: Option<String>,

    /// Also write the records to this new file, with their times of arrival, as entries that `publish --entries` sends again
    #[arg(long, value_name = "FILE", help_heading = "What to do with them")]
    pub save: Option<PathBuf>,
    /// End with figures on stderr: records and bytes by shard, hot shards, and the most frequent keys
    #[arg(long, help_heading = "What to do with them")]
    pub stats: bool,
}

pub async fn run(global: &Global, args: &Consume, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let options = options::session(args, names.stream())?;
    let sink = options::sink(args, names.stream(), output)?;
    let timeout = sink.progress.timeout();
    let aws = Aws::connect(global).await?.with_retry_deadline(retry_deadline(options.follows, timeout));
    let connection = Connection::new(aws, global, options.follows);
    let consumer = args.fan_out.as_ref().map(|name| Consumer::new(&connection, names.stream(), name));
    let mut session = Session::new(connection, options, consumer.as_ref(), sink);
    let ended = tokio::select! {
        outcome = session.run() => outcome.map(|()| End::Done),
        // Not only with the next record: there may be none for hours.
        () = output::closed() => Ok(End::Closed),
        () = interrupted() => Ok(End::Interrupted),
        () = over(timeout) => Ok(End::Over),
    };
    let outcome = match ended {
        Ok(End::Closed) => Err(Error { message: String::new(), kind: ErrorKind::ClosedPipe, hint: None }),
        Ok(End::Done) => Ok(()),
        Ok(End::Over) => session.finish(),
        Ok(End::Interrupted) => session.finish().and_then(|()| {
            note(&format!("interrupted: {}", session.sink().line()));
            Err(Error { message: String::new(), ..Error::interrupted() })
        }),
        Err(error) => session.finish().and(Err(error)),
    };
    let outcome = match &consumer {
        Some(consumer) => with_removal(outcome, remove(consumer).await),
        None => outcome,
    };
    if let Some(summary) = session.sink().summary() {
        match serde_json::to_string(&summary) {
            Ok(json) if output.format == Format::Json => note(&json),
            _ => note_outcome(&summary),
        }
    }
    outcome.and_then(|()| session.sink().progress.outcome())
}

enum End {
    Done,
    Closed,
    Interrupted,
    Over,
}

/// The outcome of a run and of the removal of its consumer. A consumer that costs money is named in any case.
fn with_removal(outcome: Result<()>, removed: Result<()>) -> Result<()> {
    if let (Err(_), Err(error)) = (&outcome, &removed) {
        note(&format!("{}; {}", error.message, error.hint.as_deref().unwrap_or_default()));
    }
    outcome.and(removed)
}

/// Removes the consumer. Another interrupt leaves it.
async fn remove(consumer: &Consumer) -> Result<()> {
    tokio::select! {
        removed = consumer.remove() => removed,
        () = interrupted() => {
            Err(Error::failed(format!("the consumer {} was not removed", consumer.name)).hint(consumer.advice()))
        }
    }
}
