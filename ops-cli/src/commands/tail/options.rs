//! The arguments of `tail`, checked.

use std::time::Duration;

use clap::ValueEnum;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::Tail;
use crate::error::{Error, Result};
use crate::output::{self, Format, Output};
use crate::progress::note;
use crate::tail::GroupPattern;
use crate::tail::matching::{self, Matching};
use crate::tail::session::Options;
use crate::tail::sink::Sink;
use crate::tail::stats::Stats;
use crate::tail::stop::{self, Progress, Stop};
use crate::tail::sweep::Query;
use crate::tail::view::{Fields, Pretty, Template, View};
use crate::time::{self, Edge};

const DEFAULT_SINCE: &str = "10m";
const DEFAULT_SINCE_OF_REQUEST: &str = "1d";

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum ViewName {
    /// Local time, colours, our lines as `time  key  data`, cut to the width of the terminal
    Pretty,
    /// The message alone
    Raw,
    /// Each event as a line of JSON
    Json,
}

pub fn session(args: &Tail, log_group: &str) -> Result<Options> {
    let now = Timestamp::now().to_zoned_datetime(zone(args)?);
    let groups = match &args.group[..] {
        [] => vec![GroupPattern(log_group.to_owned())],
        groups => groups.iter().map(|text| group(text)).collect::<Result<_>>()?,
    };
    let since = since(args, &now)?;
    let end = args.until.as_deref().map(|text| instant("--until", text, &now, Edge::End)).transpose()?;
    if end.is_some_and(|end| end < since) {
        return Err(Error::usage("--until is before --since").hint("the range begins at --since and ends at --until"));
    }
    Ok(Options {
        groups,
        query: Query {
            filter: matching::combined_filter(&args.filter)?,
            stream_prefix: args.log_stream.as_deref().map(log_stream).transpose()?,
            streams: None,
            end,
        },
        since,
        overlap_ms: milliseconds("--overlap", &args.overlap)?,
        reorder_ms: milliseconds("--reorder", &args.reorder)?,
        last: args.lines.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        request_id: args.request.as_deref().map(request_id).transpose()?,
        follows: args.follow || args.live || args.idle_exit.is_some() || args.until_match.is_some(),
        is_live: args.live,
    })
}

fn group(text: &str) -> Result<GroupPattern> {
    GroupPattern::parse(text).map_err(|reason| {
        Error::usage(format!("--group {text:?} {reason}"))
            .hint("it looks like /aws/lambda/orders-dev, or /aws/lambda/orders-*")
    })
}

/// Checks the prefix of log streams (CloudWatch Logs API, `FilterLogEvents`: `logStreamNamePrefix`).
fn log_stream(prefix: &str) -> Result<String> {
    if (1..=512).contains(&prefix.len()) && !prefix.contains([':', '*']) {
        return Ok(prefix.to_owned());
    }
    Err(Error::usage(format!("--log-stream {prefix:?} is not the beginning of the name of a log stream"))
        .hint("it has 1 to 512 characters, without : and *; leave the option out to read all log streams"))
}

/// Checks the ID of an invocation, which is a UUID. Any other text would find lines that merely contain it.
fn request_id(text: &str) -> Result<String> {
    let has_form = text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    if has_form {
        return Ok(text.to_owned());
    }
    Err(Error::usage(format!("--request {text:?} is not the ID of an invocation")).hint(
        "it looks like 8476a536-e9f4-11e8-9739-2dfe598c3fcd, as in START and REPORT lines; --grep finds other text",
    ))
}

pub fn sink(args: &Tail, output: Output) -> Result<Sink> {
    let matching = Matching::new(&args.grep, &args.exclude, &args.highlight)?;
    let stop = Stop {
        count: args.count,
        idle: args.idle_exit.as_deref().map(stop::idle).transpose()?,
        matching: args.until_match.as_deref().map(|text| matching::regex("--until-match", text)).transpose()?,
        timeout: args.timeout.as_deref().map(|text| time::duration("--timeout", text)).transpose()?,
        reads_everything: !args.follow && !args.live,
        what: "event",
    };
    let view = view(args, output, &matching)?;
    let mut sink = Sink::new(view, matching, Progress::new(stop));
    sink.hides_platform = args.no_platform;
    sink.is_cut = !args.wide;
    sink.stats = args.stats.then(Stats::default);
    Ok(sink)
}

fn view(args: &Tail, output: Output, matching: &Matching) -> Result<View> {
    let (zone, is_terminal) = (zone(args)?, output::is_terminal());
    if let Some(template) = &args.template {
        return Ok(View::Template { template: Template::parse(template)?, zone, is_terminal });
    }
    let name = match (args.view, output.format) {
        (Some(name), _) => name,
        (None, Format::Json) => ViewName::Json,
        (None, Format::Text) if is_terminal => ViewName::Pretty,
        (None, Format::Text) => ViewName::Raw,
    };
    if !args.fields.is_empty() {
        let fields = Fields::parse(&args.fields)?;
        return Ok(View::Fields { fields, zone, as_json: name == ViewName::Json });
    }
    Ok(match name {
        ViewName::Pretty => View::Pretty(Box::new(Pretty::new(zone, matching.clone(), Timestamp::now()))),
        ViewName::Raw => View::Raw { is_terminal },
        ViewName::Json => View::Json,
    })
}

fn zone(args: &Tail) -> Result<TimeZone> {
    time::zone(args.utc, args.time_zone.as_deref())
}

fn since(args: &Tail, now: &ZonedDateTime) -> Result<i64> {
    let text = match (&args.since, &args.request, args.lines) {
        (Some(since), ..) => since,
        (None, Some(_), _) => DEFAULT_SINCE_OF_REQUEST,
        // However old they are.
        (None, None, Some(_)) => return Ok(0),
        (None, None, None) => return default_since(args, now),
    };
    instant("--since", text, now, Edge::Start)
}

/// Ten minutes before the end of the range.
fn default_since(args: &Tail, now: &ZonedDateTime) -> Result<i64> {
    let end = match &args.until {
        Some(until) => time::instant("--until", until, now, Edge::End)?.at.to_zoned_datetime(now.time_zone().clone()),
        None => now.clone(),
    };
    instant("--since", DEFAULT_SINCE, &end, Edge::Start)
}

/// Epoch milliseconds. Says what was understood if the time has no zone.
fn instant(option: &str, text: &str, now: &ZonedDateTime, edge: Edge) -> Result<i64> {
    let instant = time::instant(option, text, now, edge)?;
    if let Some(notice) = &instant.notice {
        note(notice);
    }
    Ok(instant.at.as_millisecond().max(0))
}

fn milliseconds(option: &str, text: &str) -> Result<i64> {
    let duration = time::duration(option, text)?;
    let longest = Duration::from_hours(24);
    if duration > longest {
        return Err(Error::usage(format!("{option} {text} is longer than a day")).hint("it looks like 500ms or 5m"));
    }
    Ok(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}
