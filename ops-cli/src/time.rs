//! Times and durations as people write them. One parser for every option that takes one. Pure: the clock and the zone are
//! passed in.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp, ToSpan, Unit, ZonedDateTime};

use crate::error::{Error, Result};

/// How far ahead of the clock an instant may be: CloudWatch Logs accepts events up to two hours in the future.
const FUTURE: SignedDuration = SignedDuration::from_hours(2);

const INSTANT_HINT: &str = "durations before now look like 5m, 1h30m, 1d, 1w or 10min ago; times like 14:50, yesterday, \
                            2026-11-28, 2026-11-28T14:50 (local) or 2026-11-28T14:50:00Z; epoch milliseconds have 13 digits";

/// A point in time that an option names.
#[derive(Debug, PartialEq)]
pub struct Instant {
    pub at: Timestamp,
    /// What was understood, if the text named no time zone.
    pub notice: Option<String>,
}

/// Which end of a range an option names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Edge {
    Start,
    End,
}

/// Reads the point in time that `option` names: so long before `now`, a time with or without a zone, or the epoch time that
/// `--output json` prints. A time without a zone is in the zone of `now`. If the clock showed it twice, the larger range is
/// meant.
pub fn instant(option: &str, text: &str, now: &ZonedDateTime, edge: Edge) -> Result<Instant> {
    let shown = if text.trim().is_empty() { format!("{text:?}") } else { text.to_owned() };
    let wrong = |what: &str| Error::usage(format!("{option} {shown} {what}")).hint(INSTANT_HINT);
    let normal = text.trim();
    let (at, notice) = match (absolute(normal), before(normal, now)) {
        (Some(at), _) => (at, None),
        (None, Some(at)) => (at, None),
        (None, None) => match civil(normal, now) {
            Some(zoned) => {
                let (at, which) = of_two(&zoned, edge);
                let local = at.to_zoned_datetime(now.time_zone().clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                let preposition = if edge == Edge::Start { "from" } else { "until" };
                let notice =
                    format!("{option} {text} is local time, without a zone: {preposition} {local} ({at}){which}");
                (at, Some(notice))
            }
            None => return Err(wrong("is neither a duration nor a time")),
        },
    };
    if at > now.timestamp().checked_add(FUTURE).unwrap_or(Timestamp::MAX) {
        return Err(wrong(&format!("is in the future: {at}")));
    }
    Ok(Instant { at, notice })
}

/// The instant that is meant, and what is said about it if the clock showed the time twice, because it was set back.
fn of_two(zoned: &ZonedDateTime, edge: Edge) -> (Timestamp, &'static str) {
    let both = || zoned.time_zone().to_ambiguous_zoned_datetime(zoned.datetime());
    match (both().earlier(), both().later()) {
        (Ok(earlier), Ok(later)) if earlier != later => match edge {
            Edge::Start => (earlier.timestamp(), "; the clock showed this time twice, and the earlier is meant"),
            Edge::End => (later.timestamp(), "; the clock showed this time twice, and the later is meant"),
        },
        _ => (zoned.timestamp(), ""),
    }
}

/// A time that needs no zone of ours.
fn absolute(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok()?;
        return match text.len() {
            13 => Timestamp::from_millisecond(number).ok(),
            // As `date +%s` prints it.
            10 => Timestamp::from_second(number).ok(),
            _ => None,
        };
    }
    // As `date -R` prints it.
    if let Ok(zoned) = rfc2822::parse(text) {
        return Some(zoned.timestamp());
    }
    let with_z =
        ["UTC", "utc", "GMT"].iter().find_map(|zone| Some(format!("{}Z", text.strip_suffix(zone)?.trim_end())));
    let text = with_z.as_deref().unwrap_or(text);
    // As `date +'%F %T %z'` prints it: a space before the offset.
    let joined = text.rsplit_once(' ').filter(|(_, zone)| zone.starts_with(['+', '-', 'Z', 'z', '[']));
    let joined = joined.map(|(time, zone)| format!("{time}{zone}"));
    let text = joined.as_deref().unwrap_or(text);
    let zoned = || text.parse::<ZonedDateTime>().ok().map(|zoned| zoned.timestamp());
    text.parse().ok().or_else(zoned).or_else(|| with_minutes(text))
}

/// A time with an offset and without seconds, which [`Timestamp`] does not read.
fn with_minutes(text: &str) -> Option<Timestamp> {
    let at = text.rfind(['Z', 'z', '+', '-']).filter(|at| text[..*at].contains(':'))?;
    format!("{}:00{}", &text[..at], &text[at..]).parse().ok()
}

/// So long before now: `now`, `5m`, `1d12h`, `10min ago`, and, as journalctl has it, `-5m`.
fn before(text: &str, now: &ZonedDateTime) -> Option<Timestamp> {
    if text.eq_ignore_ascii_case("now") {
        return Some(now.timestamp());
    }
    // jiff reads 14:50:00 as hours, minutes and seconds, too.
    if text.starts_with('+') || time_of_day(text).is_some() {
        return None;
    }
    let span: Span = text.parse().ok()?;
    now.checked_sub(span.abs()).ok().map(|zoned| zoned.timestamp())
}

/// A time without a zone: `yesterday`, `2026-11-28`, `2026-11-28T14:50`, `14:50`. A time of day is the last one that was.
fn civil(text: &str, now: &ZonedDateTime) -> Option<ZonedDateTime> {
    let zone = now.time_zone();
    let today = now.date();
    let at = |datetime: DateTime| in_zone(datetime, zone);
    let (day, time) = match text.split_once(' ') {
        Some((day, time)) => (day.trim_end_matches(','), Some(time.trim())),
        None => (text, None),
    };
    let named = match day.to_ascii_lowercase().as_str() {
        "today" => Some(today),
        "yesterday" => Some(today.checked_sub(1.day()).ok()?),
        _ => None,
    };
    match (named, time) {
        (Some(day), None) => at(day.into()),
        (Some(day), Some(time)) => at(day.to_datetime(time_of_day(time.strip_prefix("at ").unwrap_or(time))?)),
        (None, _) => match time_of_day(text) {
            Some(time) => {
                let last = at(today.to_datetime(time))?;
                if last > *now { at(today.checked_sub(1.day()).ok()?.to_datetime(time)) } else { Some(last) }
            }
            None => at(text.parse().ok().or_else(|| Some(text.parse::<Date>().ok()?.into()))?),
        },
    }
}

/// A clock that is set back has a time twice: the earlier is meant, so that nothing is left out.
fn in_zone(datetime: DateTime, zone: &TimeZone) -> Option<ZonedDateTime> {
    zone.to_ambiguous_zoned_datetime(datetime).compatible().ok()
}

/// `14:50`, with seconds if need be. Digits alone are no time of day, and jiff would read one from a date and a time.
fn time_of_day(text: &str) -> Option<Time> {
    let is_of_clock = |byte: u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.');
    if !text.contains(':') || !text.bytes().all(is_of_clock) {
        return None;
    }
    // jiff wants two digits for the hour.
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    padded.parse().ok()
}

/// Reads a duration: `90` (seconds), `60s`, `5m`, `1h 30m`, `2 minutes`, `PT5M`, `1d`. A day has 24 hours.
pub fn duration(option: &str, text: &str) -> Result<Duration> {
    read_duration(text).ok_or_else(|| {
        Error::usage(format!("{option} {text} is not a duration"))
            .hint("it looks like 60s, 5m or 1h30m; a number is seconds")
    })
}

fn read_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    if text.starts_with('+') || text.ends_with("ago") {
        return None;
    }
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    duration.try_into().ok()
}

/// The zone of `--utc` and `--time-zone`; local time without them.
pub fn zone(is_utc: bool, name: Option<&str>) -> Result<TimeZone> {
    match name {
        _ if is_utc => Ok(TimeZone::UTC),
        None => Ok(TimeZone::system()),
        Some(name) => TimeZone::get(name).map_err(|_| {
            Error::usage(format!("--time-zone {name} is not a time zone of this machine's database"))
                .hint("it looks like Europe/Berlin, America/New_York or Asia/Tokyo; --utc is short for UTC")
        }),
    }
}

/// For clap: whole seconds within a range, as a number or a duration.
pub fn seconds<T>(range: std::ops::RangeInclusive<i64>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync
where
    T: TryFrom<u64>,
{
    move |text| {
        let seconds = read_duration(text).filter(|duration| duration.subsec_nanos() == 0).map(|it| it.as_secs());
        let seconds = seconds.filter(|&seconds| i64::try_from(seconds).is_ok_and(|seconds| range.contains(&seconds)));
        let seconds = seconds.and_then(|seconds| T::try_from(seconds).ok());
        let (first, last) = (range.start(), range.end());
        seconds.ok_or_else(|| format!("expected {first} to {last} seconds, as in 90, 90s or 2m"))
    }
}

/// Rounds a time to the millisecond, which is the resolution of the services.
pub fn to_the_millisecond(time: Timestamp) -> Timestamp {
    time.round(Unit::Millisecond).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 13:00 in a zone two hours east of UTC, on the day after the clocks were set back.
    fn now() -> ZonedDateTime {
        let zone = TimeZone::posix("EET-2EEST,M3.5.0/3,M10.5.0/4").unwrap();
        "2026-11-23T11:00:00Z".parse::<Timestamp>().unwrap().to_zoned_datetime(zone)
    }

    fn instant(option: &str, text: &str, now: &ZonedDateTime) -> Result<Instant> {
        super::instant(option, text, now, Edge::Start)
    }

    fn read(text: &str) -> Result<String, String> {
        instant("--since", text, &now()).map(|it| it.at.to_string()).map_err(|error| error.message)
    }

    #[test]
    fn a_duration_is_before_now() {
        for (text, at) in [
            ("now", "2026-11-23T11:00:00Z"),
            ("5m", "2026-11-23T10:55:00Z"),
            ("2h", "2026-11-23T09:00:00Z"),
            ("30s", "2026-11-23T10:59:30Z"),
            ("1d", "2026-11-22T11:00:00Z"),
            ("1w", "2026-11-16T11:00:00Z"),
            ("1d12h", "2026-11-21T23:00:00Z"),
            ("1d 12h", "2026-11-21T23:00:00Z"),
            ("90 minutes", "2026-11-23T09:30:00Z"),
            ("1.5h", "2026-11-23T09:30:00Z"),
            ("10min ago", "2026-11-23T10:50:00Z"),
            ("10 minutes ago", "2026-11-23T10:50:00Z"),
            ("1 hour, 5 minutes ago", "2026-11-23T09:55:00Z"),
            ("-5m", "2026-11-23T10:55:00Z"),
            ("PT10M", "2026-11-23T10:50:00Z"),
            (" 5m ", "2026-11-23T10:55:00Z"),
            ("500ms", "2026-11-23T10:59:59.5Z"),
            ("0s", "2026-11-23T11:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(at), "{text}");
            assert_eq!(instant("--since", text, &now()).unwrap().notice, None, "{text}");
        }
        // The clocks were set back in between: a month ago it was 13:00, too.
        assert_eq!(read("1mo").as_deref(), Ok("2026-10-23T10:00:00Z"));
    }

    #[test]
    fn a_time_with_a_zone_is_that_instant() {
        for text in [
            "2026-11-20T10:00:00Z",
            "2026-11-20t10:00:00z",
            "2026-11-20 10:00:00Z",
            "2026-11-20T10:00Z",
            "2026-11-20 10:00 UTC",
            "2026-11-20T11:00:00+01:00",
            "2026-11-20T11:00+01:00",
            "2026-11-20 11:00:00 +0100",
            "2026-11-20T05:00:00-05:00[-05:00]",
            "Fri, 20 Nov 2026 10:00:00 +0000",
            "1795168800000",
            "1795168800",
        ] {
            assert_eq!(read(text).as_deref(), Ok("2026-11-20T10:00:00Z"), "{text}");
            assert_eq!(instant("--since", text, &now()).unwrap().notice, None, "{text}");
        }
        assert_eq!(read("2026-11-20T10:00:00.123Z").as_deref(), Ok("2026-11-20T10:00:00.123Z"));
        assert_eq!(read("1795168800123").as_deref(), Ok("2026-11-20T10:00:00.123Z"));
    }

    #[test]
    fn a_time_without_a_zone_is_local_and_the_notice_says_which_instant() {
        for (text, at) in [
            ("2026-11-20", "2026-11-19T22:00:00Z"),
            ("2026-11-20T14:50", "2026-11-20T12:50:00Z"),
            ("2026-11-20 14:50", "2026-11-20T12:50:00Z"),
            ("2026-11-20 14:50:10.5", "2026-11-20T12:50:10.5Z"),
            ("yesterday", "2026-11-21T22:00:00Z"),
            ("Yesterday", "2026-11-21T22:00:00Z"),
            ("yesterday 14:50", "2026-11-22T12:50:00Z"),
            ("yesterday at 14:50", "2026-11-22T12:50:00Z"),
            ("today", "2026-11-22T22:00:00Z"),
            ("today 9:05", "2026-11-23T07:05:00Z"),
            ("12:50", "2026-11-23T10:50:00Z"),
            ("12:50:30", "2026-11-23T10:50:30Z"),
            // Not yet today.
            ("14:50", "2026-11-22T12:50:00Z"),
            // Summer time.
            ("2026-07-01T12:00", "2026-07-01T09:00:00Z"),
            // This hour was there twice, and the first is the earlier.
            ("2026-10-25T03:30", "2026-10-25T00:30:00Z"),
        ] {
            let instant = instant("--since", text, &now()).unwrap_or_else(|error| panic!("{text}: {}", error.message));
            assert_eq!(instant.at.to_string(), at, "{text}");
            let notice = instant.notice.unwrap_or_else(|| panic!("{text} has no notice"));
            assert!(notice.contains(at) && notice.contains("local"), "{notice}");
        }
        let notice = instant("--since", "2026-11-20", &now()).unwrap().notice.unwrap();
        let expected =
            "--since 2026-11-20 is local time, without a zone: from 2026-11-20T00:00:00+02:00 (2026-11-19T22:00:00Z)";
        assert_eq!(notice, expected);
    }

    #[test]
    fn a_time_that_the_clock_showed_twice_gives_the_larger_range_and_is_announced() {
        for (option, edge, at, which) in [
            ("--since", Edge::Start, "2026-10-25T00:30:00Z", "the earlier is meant"),
            ("--until", Edge::End, "2026-10-25T01:30:00Z", "the later is meant"),
        ] {
            let instant = super::instant(option, "2026-10-25T03:30", &now(), edge).unwrap();
            assert_eq!(instant.at.to_string(), at);
            assert!(instant.notice.unwrap().ends_with(which));
        }
    }

    #[test]
    fn invalid_times_are_rejected() {
        let wrong = [
            "",
            " ",
            "5",
            "14",
            "five minutes",
            "+5m",
            "9999999999999999d",
            "someday",
            "2026-13-01",
            "2026-02-30",
            "25:00",
            "179516880000",
            "17951688000000",
            "2026-11-20T",
            "tomorrow",
            "yesterday 5m",
            "ago",
            "-",
        ];
        for text in wrong {
            assert!(read(text).is_err(), "{text:?} is {:?}", read(text));
        }
        assert!(read("2027-01-01").unwrap_err().contains("in the future"));
        assert!(read("2026-11-23T14:00:01Z").unwrap_err().contains("in the future"));
        assert!(read("2026-11-23T12:30:00Z").is_ok(), "an event may be dated ahead of the clock");
    }

    #[test]
    fn a_duration_option_accepts_a_duration_or_seconds() {
        for (text, seconds) in [
            ("60s", 60),
            ("5m", 300),
            ("7", 7),
            ("1h30m", 5400),
            ("2 minutes", 120),
            ("1d", 86_400),
            ("PT5M", 300),
            ("0", 0),
        ] {
            assert_eq!(duration("--timeout", text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        assert_eq!(duration("--timeout", "1.5s").unwrap(), Duration::from_millis(1500));
        for text in ["-1s", "-1", "soon", "", "5m ago", "1mo", "+5m", "1.5"] {
            assert!(duration("--timeout", text).is_err(), "{text}");
        }
        let within = seconds::<i32>(1..=900);
        assert_eq!((within("90"), within("2m"), within("900")), (Ok(90), Ok(120), Ok(900)));
        for text in ["0", "901", "1500ms", "16m", "x", "-1"] {
            assert!(within(text).is_err(), "{text}");
        }
    }

    fn zones() -> impl Strategy<Value = TimeZone> {
        prop::sample::select(vec![
            "UTC0",
            "EET-2EEST,M3.5.0/3,M10.5.0/4",
            "EST5EDT,M3.2.0,M11.1.0",
            "<+0545>-5:45",
            "<+14>-14",
        ])
        .prop_map(|rule| TimeZone::posix(rule).unwrap())
    }

    proptest! {
        /// Every form in which we print a time is read back as it was: the JSON's milliseconds, `status`'s time, the log
        /// lines', and what a notice prints.
        #[test]
        fn every_printed_time_is_read_back(ms in 1_000_000_000_000_i64..4_000_000_000_000, zone in zones()) {
            let at = Timestamp::from_millisecond(ms).unwrap();
            let now = at.checked_add(SignedDuration::from_hours(1)).unwrap().to_zoned_datetime(zone.clone());
            let local = at.to_zoned_datetime(zone);
            for text in [ms.to_string(), at.to_string(), format!("{at:.3}"), local.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()] {
                prop_assert_eq!(instant("--since", &text, &now).unwrap(), Instant { at, notice: None }, "{}", text);
            }
            let seconds = Timestamp::from_second(ms / 1000).unwrap();
            let whole_seconds = seconds.to_string();
            prop_assert_eq!(instant("--since", &whole_seconds, &now).unwrap().at, seconds);
            // What the notice says was understood is understood again, and then needs no notice.
            let civil = local.strftime("%Y-%m-%dT%H:%M:%S").to_string();
            let understood = instant("--since", &civil, &now).unwrap();
            let notice = understood.notice.unwrap();
            let printed = notice.split("from ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
            prop_assert_eq!(instant("--since", &printed, &now).unwrap(), Instant { at: understood.at, notice: None });
            // The time of day that `local` prints before each event is of the last day.
            let clock = local.strftime("%H:%M:%S").to_string();
            prop_assert!(instant("--since", &clock, &now).unwrap().at <= now.timestamp());
        }

        /// Every duration is read in every form it is printed in, with and without "ago".
        #[test]
        fn every_printed_duration_is_read_back(seconds in 0_i64..5_000_000, zone in zones()) {
            let now = now().timestamp().to_zoned_datetime(zone);
            let duration = SignedDuration::from_secs(seconds);
            let expected = now.timestamp().checked_sub(duration).unwrap();
            for text in [format!("{duration}"), format!("{duration:#}"), format!("{seconds}s"), format!("{seconds} seconds ago")] {
                prop_assert_eq!(instant("--since", &text, &now).unwrap(), Instant { at: expected, notice: None }, "{}", text);
                if !text.ends_with("ago") {
                    prop_assert_eq!(super::duration("--timeout", &text).unwrap(), duration.unsigned_abs(), "{}", text);
                }
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = (instant("--since", &text, &now()), duration("--timeout", &text));
        }

        #[test]
        fn no_text_of_digits_and_units_panics(text in "[-+0-9TtZz:. adghmnorsuwy,]{0,20}") {
            let _ = (instant("--since", &text, &now()), duration("--timeout", &text));
        }
    }
}
