//! `tail`: show the function's log.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::aws::{self, Aws};
use crate::cli::{Global, Tail};
use crate::error::{Error, Result};
use crate::output::Output;
use crate::tail::follow::Follower;
use crate::tail::sweep::Reader;

/// Pauses between sweeps: short after something came, longer while nothing does.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub async fn run(global: &Global, args: &Tail, output: Output) -> Result<()> {
    let names = aws::names(global)?;
    let since = since(&args.since, Timestamp::now())?;
    let aws = Aws::connect(global).await?;
    let reader = Reader { client: aws.logs(), log_group: names.log_group().to_owned(), filter: args.filter.clone() };
    let mut follower = Follower::new(since.as_millisecond().max(0));
    let mut pause = SHORTEST_PAUSE;
    loop {
        let mut is_quiet = true;
        let now = Timestamp::now().as_millisecond();
        let show = |events: &[_]| {
            is_quiet = false;
            output.show_all(events.iter())
        };
        reader.sweep(&mut follower, now, show).await?;
        if !args.follow {
            return Ok(());
        }
        pause = if is_quiet { (pause * 2).min(LONGEST_PAUSE) } else { SHORTEST_PAUSE };
        tokio::time::sleep(pause).await;
    }
}

/// `5m` before now, or a time.
fn since(text: &str, now: Timestamp) -> Result<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let wrong = || {
        Error::usage(format!("--since {text} is neither a duration nor a time"))
            .hint("durations look like 30s, 5m, 2h or 1d; times like 2026-11-23T10:00:00Z")
    };
    let ago = match text.strip_suffix('d').and_then(|days| days.parse::<i64>().ok()) {
        Some(days) => days.checked_mul(86_400).map(SignedDuration::from_secs).ok_or_else(wrong)?,
        None => text.parse().map_err(|_| wrong())?,
    };
    if ago.is_negative() {
        return Err(wrong());
    }
    now.checked_sub(ago).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_duration_or_a_time() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let at = |text: &str| since(text, now).map(|time| time.to_string()).map_err(|error| error.message);
        assert_eq!(at("5m").unwrap(), "2026-11-23T11:55:00Z");
        assert_eq!(at("2h").unwrap(), "2026-11-23T10:00:00Z");
        assert_eq!(at("30s").unwrap(), "2026-11-23T11:59:30Z");
        assert_eq!(at("1d").unwrap(), "2026-11-22T12:00:00Z");
        assert_eq!(at("2026-11-20T00:00:00Z").unwrap(), "2026-11-20T00:00:00Z");
        for wrong in ["", "5", "five minutes", "-5m", "9999999999999999d"] {
            assert!(at(wrong).is_err(), "{wrong}");
        }
    }
}
