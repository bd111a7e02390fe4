//! The position from which a run reads: `--from`. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::ZonedDateTime;

use crate::error::{Error, Result};
use crate::stream::position::{RecordPosition, shard_id};
use crate::time::{self, Edge};

/// The position at which the reads of a shard begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    TrimHorizon,
    Latest,
    /// In epoch milliseconds.
    Time(i64),
    /// The record with this sequence number, and what follows.
    At(String),
    /// After the record with this sequence number.
    After(String),
}

/// The positions at which the reads of a stream's shards begin.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// All shards.
    Everywhere(Start),
    /// These shards and their descendants.
    At(BTreeMap<Arc<str>, Start>),
}

/// `--from`, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub enum Beginning {
    From(From),
    /// The last records over all shards.
    Last(usize),
    /// These records and what follows them in their shards.
    Records(Vec<RecordPosition>),
}

/// The largest number of last records: their positions are held in memory.
const MOST_LAST: usize = 100_000;

const HINT: &str = "it is trim-horizon, latest, a time (14:50, yesterday, 2026-11-28T14:50Z, 1h30m before now), -1000 for the \
                    last thousand records, or SHARD:SEQUENCE_NUMBER, which can be repeated";

/// Parses the values of `--from`. Returns also the notice about a time without a zone.
///
/// # Errors
/// A value in none of the forms, or several of which one is not the position of a record.
pub fn parse(values: &[String], now: &ZonedDateTime) -> Result<(Beginning, Option<String>)> {
    let everywhere = |start| (Beginning::From(From::Everywhere(start)), None);
    let [value, others @ ..] = values else { return Ok(everywhere(Start::TrimHorizon)) };
    if others.is_empty() {
        match value.trim() {
            "trim-horizon" | "trim_horizon" | "TRIM_HORIZON" | "beginning" => {
                return Ok(everywhere(Start::TrimHorizon));
            }
            "latest" | "LATEST" | "end" => return Ok(everywhere(Start::Latest)),
            text if is_count(text) => return last(text).map(|last| (last, None)),
            text if !is_position(text) => return instant(text, now),
            _ => {}
        }
    }
    let records = values.iter().map(|value| record(value)).collect::<Result<_>>()?;
    Ok((Beginning::Records(records), None))
}

fn is_count(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a text looks like the position of a record: a shard and digits, or digits that are longer than any time.
fn is_position(text: &str) -> bool {
    let first = text.split(':').next().unwrap_or_default();
    first.starts_with("shardId-")
        || text.rsplit(':').any(|part| part.len() > 17 && part.bytes().all(|b| b.is_ascii_digit()))
}

fn last(text: &str) -> Result<Beginning> {
    match text[1..].parse() {
        Ok(count @ 1..=MOST_LAST) => Ok(Beginning::Last(count)),
        _ => Err(Error::usage(format!("--from {text} is not a number of records from -1 to -{MOST_LAST}"))
            .hint("use a time to read more, for example --from 1h")),
    }
}

fn instant(text: &str, now: &ZonedDateTime) -> Result<(Beginning, Option<String>)> {
    let instant = time::instant("--from", text, now, Edge::Start).map_err(|error| match text.split_once(':') {
        Some((shard, number)) if shard_id(shard).is_ok() => {
            Error::usage(format!("--from {text}: {number:?} is not a sequence number, which has 56 digits")).hint(HINT)
        }
        _ => error.hint(HINT),
    })?;
    if instant.at > now.timestamp() {
        return Err(Error::usage(format!("--from {text} is in the future: {}", instant.at))
            .hint("use --from latest --follow to read what comes"));
    }
    let start = Start::Time(instant.at.as_millisecond().max(0));
    Ok((Beginning::From(From::Everywhere(start)), instant.notice))
}

fn record(text: &str) -> Result<RecordPosition> {
    text.parse().map_err(|error| Error::usage(format!("--from {text}: {error}")).hint(HINT))
}

/// Returns the shards to read from given records on.
pub fn from_records(records: &[RecordPosition]) -> From {
    let start =
        |record: &RecordPosition| (Arc::from(record.shard_id.as_str()), Start::At(record.sequence_number.to_string()));
    From::At(records.iter().map(start).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: &str = "49590338271490256608559692538361571095921575989136588898";

    fn parsed(values: &[&str]) -> Result<Beginning, String> {
        let now: ZonedDateTime = "2026-11-28T12:00:00Z[UTC]".parse().unwrap();
        let values: Vec<_> = values.iter().map(|&value| value.to_owned()).collect();
        parse(&values, &now).map(|(beginning, _)| beginning).map_err(|error| error.message)
    }

    #[test]
    fn a_beginning_has_five_forms() {
        let everywhere = |start| Ok(Beginning::From(From::Everywhere(start)));
        assert_eq!(parsed(&[]), everywhere(Start::TrimHorizon));
        assert_eq!(parsed(&["trim-horizon"]), everywhere(Start::TrimHorizon));
        assert_eq!(parsed(&["latest"]), everywhere(Start::Latest));
        assert_eq!(parsed(&["2026-11-28T11:00:00Z"]), everywhere(Start::Time(1_795_863_600_000)));
        assert_eq!(parsed(&["1h"]), everywhere(Start::Time(1_795_863_600_000)));
        assert_eq!(parsed(&["11:00"]), everywhere(Start::Time(1_795_863_600_000)));
        assert_eq!(parsed(&["-1000"]), Ok(Beginning::Last(1000)));
        for text in [format!("0:{NUMBER}"), format!("shardId-000000000000:{NUMBER}:4")] {
            assert_eq!(parsed(&[&text]), Ok(Beginning::Records(vec![text.parse().unwrap()])));
        }
        assert!(matches!(parsed(&[NUMBER]), Ok(Beginning::Records(_))), "a number names its shard");
    }

    #[test]
    fn several_positions_of_records_can_be_given() {
        let (first, second) = (format!("0:{NUMBER}"), format!("1:{NUMBER}"));
        let Ok(Beginning::Records(records)) = parsed(&[&first, &second]) else { panic!() };
        let From::At(starts) = from_records(&records) else { panic!() };
        assert_eq!(starts.len(), 2);
        assert_eq!(starts["shardId-000000000001"], Start::At(NUMBER.to_owned()));
    }

    #[test]
    fn a_wrong_beginning_is_rejected_with_what_is_wrong() {
        for (values, error) in [
            (&["oldest"][..], "--from oldest is neither a duration nor a time"),
            (&["0:4"], "--from 0:4: \"4\" is not a sequence number, which has 56 digits"),
            (&["0:abc"], "--from 0:abc: \"abc\" is not a sequence number"),
            (&["-0"], "--from -0 is not a number of records from -1 to -100000"),
            (&["-100001"], "--from -100001 is not a number of records"),
            (&["2026-11-28T13:00:00Z"], "--from 2026-11-28T13:00:00Z is in the future"),
            (&["shardId-x:1"], "--from shardId-x:1: \"shardId-x\" is not a shard"),
            (&["latest", "-5"], "--from latest: "),
        ] {
            assert!(parsed(values).unwrap_err().starts_with(error), "{values:?}: {:?}", parsed(values));
        }
    }
}
