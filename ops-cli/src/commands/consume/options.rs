//! The arguments of `consume`, checked.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Consume;
use crate::consume::format::Format as LineFormat;
use crate::consume::position;
use crate::consume::save::SavedRecords;
use crate::consume::session::Options;
use crate::consume::sink::{Selection, Sink};
use crate::consume::stats::Stats;
use crate::consume::view::{BinaryForm, PrettyRecords, View};
use crate::error::{Error, Result};
use crate::output::{self, Format, Output};
use crate::progress::note;
use crate::stream::position::shard_id;
use crate::tail::matching::Matching;
use crate::tail::stop::{self, Progress, Stop};
use crate::tail::view::Pretty;
use crate::time::{self, Edge};

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum ViewName {
    /// Local time, shard, key and data in colours, cut to the width of the terminal
    Pretty,
    /// The data alone
    Raw,
    /// The line of the function, in JSON
    Json,
}

pub fn session(args: &Consume, stream: &str) -> Result<Options> {
    let now = Timestamp::now().to_zoned_datetime(zone(args)?);
    let (beginning, notice) = position::parse(&args.from, &now)?;
    if let Some(notice) = notice {
        note(&notice);
    }
    let follows = args.follow || args.idle_exit.is_some();
    if !follows && beginning == position::Beginning::From(position::From::Everywhere(position::Start::Latest)) {
        return Err(Error::usage(
            "--from latest without --follow reads nothing: the run ends where the stream ends now",
        )
        .hint("add --follow or --idle-exit to read what comes, or begin earlier, for example with --from -10"));
    }
    if let Some(name) = &args.fan_out {
        check_consumer(name)?;
    }
    if args.save.as_deref() == Some(Path::new("-")) {
        return Err(Error::usage("--save - is not possible: stdout has the records that are shown")
            .hint("give the name of a new file, or /dev/stderr"));
    }
    let end_ms = end_ms(args)?;
    if let (Some(end), position::Beginning::From(position::From::Everywhere(position::Start::Time(start)))) =
        (end_ms, &beginning)
        && end < *start
    {
        return Err(Error::usage("--to is before --from").hint("the range begins at --from and ends at --to"));
    }
    let shard = |text: &String| {
        let id = shard_id(text).map_err(|error| {
            Error::usage(format!("--shard {text}: {error}")).hint("ops-cli status lists the stream's shards")
        })?;
        Ok(Arc::from(id))
    };
    Ok(Options {
        stream: stream.to_owned(),
        beginning,
        end_ms,
        follows,
        shards: args.shard.iter().map(shard).collect::<Result<_>>()?,
        notes_lag: std::io::stderr().is_terminal(),
    })
}

/// Checks the name of a consumer (Kinesis API, `RegisterStreamConsumer`: `ConsumerName`).
fn check_consumer(name: &str) -> Result<()> {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (1..=128).contains(&name.len()) && name.chars().all(is_of_names) {
        return Ok(());
    }
    Err(Error::usage(format!("--fan-out {name:?} is not the name of a consumer"))
        .hint("it has 1 to 128 of the characters a-z, A-Z, 0-9, _ . and -"))
}

pub fn sink(args: &Consume, stream: &str, output: Output) -> Result<Sink> {
    let matching = Matching::new(&args.grep, &[], &[])?;
    let stop = Stop {
        count: args.count,
        idle: args.idle_exit.as_deref().map(stop::idle).transpose()?,
        matching: None,
        timeout: args.timeout.as_deref().map(|text| time::duration("--timeout", text)).transpose()?,
        reads_everything: !args.follow,
        what: "record",
    };
    let view = view(args, output, &matching)?;
    let selection = Selection { keys: args.key.clone(), matching, end_ms: end_ms(args)?, ..Selection::default() };
    let mut sink = Sink::new(stream, view, selection, Progress::new(stop));
    sink.form = if args.hex { BinaryForm::HexDump } else { BinaryForm::Base64 };
    sink.is_cut = !args.wide;
    sink.stats = args.stats.then(Stats::default);
    sink.saved = args.save.as_deref().map(SavedRecords::create).transpose()?;
    Ok(sink)
}

fn view(args: &Consume, output: Output, matching: &Matching) -> Result<View> {
    let is_terminal = output::is_terminal();
    if let Some(format) = &args.format {
        return Ok(View::Format { format: LineFormat::parse(format)?, is_terminal });
    }
    let name = match (args.view, output.format) {
        (Some(name), _) => name,
        (None, Format::Json) => ViewName::Json,
        (None, Format::Text) if is_terminal => ViewName::Pretty,
        (None, Format::Text) => ViewName::Raw,
    };
    if args.hex && name == ViewName::Json {
        return Err(Error::usage("--hex is not possible with --view json: a line has binary data in base64")
            .hint("use --view raw, pretty or --format"));
    }
    Ok(match name {
        ViewName::Pretty => {
            let pretty = Pretty::new(zone(args)?, matching.clone(), Timestamp::now());
            View::Pretty(Box::new(PrettyRecords::new(pretty)))
        }
        ViewName::Raw => View::Raw { is_terminal },
        ViewName::Json => View::Json { is_terminal },
    })
}

fn end_ms(args: &Consume) -> Result<Option<i64>> {
    let Some(text) = &args.to else { return Ok(None) };
    let now = Timestamp::now().to_zoned_datetime(zone(args)?);
    time::instant("--to", text, &now, Edge::End).map(|instant| Some(instant.at.as_millisecond()))
}

fn zone(args: &Consume) -> Result<TimeZone> {
    time::zone(args.utc, args.time_zone.as_deref())
}
