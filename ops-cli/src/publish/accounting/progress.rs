//! Progress of a run on stderr: a bar on a terminal, a line every few seconds elsewhere, nothing with `--quiet`.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::ledger::Tally;
use crate::progress::note;

/// The interval between lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub struct Progress {
    kind: ProgressKind,
    read_bytes: Arc<AtomicU64>,
    total_bytes: Option<u64>,
    /// The time and the count of the last display.
    last: (Duration, u64),
}

enum ProgressKind {
    Silent,
    Lines,
    Bar(ProgressBar),
}

impl Progress {
    /// The interval between displays.
    pub const TICK: Duration = Duration::from_millis(200);

    /// With `has_stdout`, receipts go to stdout. On a terminal they show the progress by themselves.
    pub fn new(is_quiet: bool, has_stdout: bool, read_bytes: Arc<AtomicU64>, total_bytes: Option<u64>) -> Self {
        let kind = if is_quiet || (has_stdout && std::io::stdout().is_terminal()) {
            ProgressKind::Silent
        } else if std::io::stderr().is_terminal() {
            ProgressKind::Bar(bar(total_bytes))
        } else {
            ProgressKind::Lines
        };
        Self { kind, read_bytes, total_bytes, last: (Duration::ZERO, 0) }
    }

    pub fn silent() -> Self {
        Self { kind: ProgressKind::Silent, read_bytes: Arc::default(), total_bytes: None, last: (Duration::ZERO, 0) }
    }

    pub fn show(&mut self, tally: &Tally, now: Duration) {
        let (then, before) = self.last;
        let elapsed = now.saturating_sub(then);
        let least = if matches!(self.kind, ProgressKind::Bar(_)) { Duration::from_millis(150) } else { LINE_EVERY };
        if elapsed < least {
            return;
        }
        let rate = (tally.acknowledged - before) as f64 / elapsed.as_secs_f64();
        let text = line(tally, rate);
        let done = done(self.read_bytes.load(Ordering::Relaxed), tally);
        match &self.kind {
            ProgressKind::Silent => {}
            ProgressKind::Lines => note(&match self.total_bytes {
                Some(total) if total > 0 => format!("{:.0} %: {text}", done as f64 * 100.0 / total as f64),
                _ => text,
            }),
            ProgressKind::Bar(bar) => {
                // Each setter redraws the bar. In the other order, the new position would be shown with the old numbers.
                bar.set_message(text);
                bar.set_position(done);
            }
        }
        self.last = (now, tally.acknowledged);
    }

    pub fn finish(&self) {
        if let ProgressKind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }
}

fn bar(total_bytes: Option<u64>) -> ProgressBar {
    let template = match total_bytes {
        Some(_) => "{spinner} [{bar:30}] {percent} % {msg}, {eta} left",
        None => "{spinner} {msg} in {elapsed}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = total_bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.with_style(style).with_message(line(&Tally::default(), 0.0))
}

/// The bytes of input whose records are settled. Reading is far ahead of that if shards refuse records.
fn done(read_bytes: u64, tally: &Tally) -> u64 {
    let settled = tally.acknowledged + tally.dead_lettered + tally.skipped;
    let read = (tally.read + tally.skipped).max(1);
    (read_bytes as f64 * settled as f64 / read as f64) as u64
}

fn line(tally: &Tally, rate: f64) -> String {
    let mut text = format!("{} acknowledged, {rate:.0}/s", tally.acknowledged);
    for (count, what) in [
        (tally.throttled, "throttled"),
        (tally.failed_requests, "requests failed"),
        (tally.dead_lettered, "dead-lettered"),
    ] {
        if count > 0 {
            text += &format!(", {count} {what}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reports_errors_only_if_there_are_any() {
        let tally = Tally { acknowledged: 1500, ..Tally::default() };
        assert_eq!(line(&tally, 500.0), "1500 acknowledged, 500/s");
        assert_eq!(done(1000, &Tally { read: 2000, ..tally }), 750);
        let mut tally = Tally { acknowledged: 1500, ..Tally::default() };
        tally.throttled = 3;
        assert_eq!(line(&tally, 500.0), "1500 acknowledged, 500/s, 3 throttled");
    }
}
