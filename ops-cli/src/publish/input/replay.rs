//! Replays records at the pace at which they arrived on a stream. Pure: the clock is passed in.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

/// The time at which a record arrived on its stream: epoch seconds with a fraction, or ISO 8601 text, as AWS's tools print
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "WrittenArrival")]
pub struct Arrival {
    /// Since 1970.
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenArrival {
    Seconds(f64),
    Text(String),
}

/// Arrivals this much after now, in seconds, are not those of a recorded stream, but milliseconds or typing errors.
const CLOCK_SLACK: f64 = 86_400.0;

impl TryFrom<WrittenArrival> for Arrival {
    type Error = jiff::Error;

    fn try_from(written: WrittenArrival) -> Result<Self, jiff::Error> {
        let seconds = match written {
            WrittenArrival::Seconds(seconds) => seconds,
            WrittenArrival::Text(text) => text.parse::<Timestamp>()?.as_millisecond() as f64 / 1e3,
        };
        Ok(Self { seconds })
    }
}

/// Why a record with this arrival cannot be replayed at `now`, in epoch seconds, if it cannot: completes the sentence that begins
/// with the record.
pub fn problem(arrival: Option<Arrival>, now: f64) -> Option<String> {
    match arrival {
        None => Some("has no ApproximateArrivalTimestamp, which --pace needs".into()),
        Some(Arrival { seconds }) if seconds > now + CLOCK_SLACK => Some(format!(
            "has the ApproximateArrivalTimestamp {seconds}, which is in the future: it is in epoch seconds, so divide milliseconds by 1000"
        )),
        Some(_) => None,
    }
}

/// The speed of a replay, and its start.
#[derive(Debug, Clone, Copy)]
pub struct Replay {
    speed: f64,
    /// The first record's arrival, and the time at which it was replayed.
    first: Option<(f64, Duration)>,
}

impl Replay {
    /// Replays at a multiple of the recorded speed.
    pub fn at(speed: f64) -> Self {
        Self { speed, first: None }
    }

    /// Returns the time until a record with this arrival is due. A record that arrived before its predecessors is due at
    /// once.
    pub fn wait(&mut self, arrival: Arrival, now: Duration) -> Duration {
        let arrival = arrival.seconds;
        let (first, begun) = *self.first.get_or_insert((arrival, now));
        let after = Duration::try_from_secs_f64(((arrival - first) / self.speed).max(0.0)).unwrap_or(Duration::MAX);
        begun.saturating_add(after).saturating_sub(now)
    }
}

/// Parses `recorded`, or a multiple of the recorded speed such as `2x`.
pub fn parse_speed(text: &str) -> Result<f64, String> {
    if text == "recorded" {
        return Ok(1.0);
    }
    match text.strip_suffix('x').map(str::parse::<f64>) {
        Some(Ok(speed)) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("expected `recorded`, or a multiple of the recorded speed, such as 2x or 0.5x".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(seconds: f64) -> Arrival {
        Arrival { seconds }
    }

    #[test]
    fn records_are_due_as_far_apart_as_they_arrived() {
        let seconds = Duration::from_secs_f64;
        for (speed, due) in [(1.0, 4.0), (2.0, 2.0), (0.5, 8.0)] {
            let mut replay = Replay::at(speed);
            assert_eq!(replay.wait(arrival(1_764_324_438.5), seconds(10.0)), Duration::ZERO);
            assert_eq!(replay.wait(arrival(1_764_324_442.5), seconds(10.0)), seconds(due));
            assert_eq!(replay.wait(arrival(1_764_324_442.5), seconds(11.0)), seconds(due - 1.0));
            assert_eq!(replay.wait(arrival(1_764_324_430.0), seconds(11.0)), Duration::ZERO, "it is late");
        }
        assert_eq!(Replay::at(1.0).wait(arrival(f64::NAN), Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn an_arrival_time_is_parsed_from_a_number_or_text() {
        let read = |text: &str| serde_json::from_str::<Arrival>(text).map(|arrival| arrival.seconds).ok();
        assert_eq!(read("1764324438.567"), Some(1_764_324_438.567));
        assert_eq!(read("1764324438"), Some(1_764_324_438.0));
        assert_eq!(read("\"2025-11-28T10:07:18.567Z\""), Some(1_764_324_438.567));
        assert_eq!(read("\"2025-11-28T11:07:18.567+01:00\""), Some(1_764_324_438.567));
        assert_eq!(read("\"yesterday\""), None);
    }

    #[test]
    fn milliseconds_are_not_taken_for_seconds() {
        let now = 1_764_324_439.0;
        for past in [1_764_324_438.567, 1.0, now + 3600.0] {
            assert_eq!(problem(Some(arrival(past)), now), None);
        }
        for future in [1_764_324_438_567.0, 1e30, 9e9, now + 90_000.0] {
            assert!(problem(Some(arrival(future)), now).unwrap().contains("which is in the future"), "{future}");
        }
        assert!(problem(None, now).unwrap().contains("which --pace needs"));
    }

    #[test]
    fn parse_speed_accepts_recorded_and_multiples() {
        assert_eq!((parse_speed("recorded"), parse_speed("2x"), parse_speed("0.5x")), (Ok(1.0), Ok(2.0), Ok(0.5)));
        for wrong in ["", "x", "2", "0x", "-1x", "infx", "fast"] {
            assert!(parse_speed(wrong).is_err(), "{wrong}");
        }
    }
}
