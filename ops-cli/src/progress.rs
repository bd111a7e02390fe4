//! Writes to stderr: notices and progress. No other module does. On a terminal each step has a spinner, elsewhere a line.
//!
//! Text is escaped as in `output`; styles are passed separately.

use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output::{Page, Render, is_unsafe, printable};

/// The spinners of steps that run concurrently, each on its own line.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A step of work that is in progress.
pub struct ProgressStep {
    bar: Option<ProgressBar>,
    label: String,
    begun: Instant,
}

impl ProgressStep {
    pub fn begin(label: impl Into<String>) -> Self {
        let label = label.into();
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = SPINNERS.add(ProgressBar::new_spinner().with_style(style));
            bar.set_message(printable(&label).into_owned());
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        });
        Self { bar, label, begun: Instant::now() }
    }

    /// Shows the state that the step waits for to end.
    pub fn wait_in(&self, state: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(&format!("{} ({state})", self.label)).into_owned());
        }
    }

    /// Reports the step as done, and returns how long it took.
    pub fn done(self) -> Duration {
        let took = self.begun.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        labelled(AnsiColor::Green.on_default(), "✓", &format!("{:>8}  {}", seconds(took), self.label));
        took
    }
}

impl Drop for ProgressStep {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes a notice as one line, whatever its text is. A closed stderr is not an error.
pub fn note(text: &str) {
    SPINNERS.suspend(|| writeln!(Page::new(anstream::stderr(), &[]), "{text}").ok());
}

/// Writes a notice after a styled label.
pub fn labelled(style: Style, label: &'static str, text: &str) {
    SPINNERS.suspend(|| {
        let mut to = anstream::stderr().lock();
        write!(to, "{style}{label}{style:#} ").ok();
        writeln!(Page::new(to, &[]), "{text}").ok();
    });
}

/// Writes an outcome as a notice.
pub fn note_outcome<R: Render>(outcome: &R) {
    outcome.text(&mut Page::new(anstream::stderr().lock(), R::HEADINGS)).ok();
}

/// Writes a question, after which the user types the answer.
pub fn ask(question: &str) -> io::Result<()> {
    write!(io::stderr(), "{}", printable(question))
}

/// The writer for lines that contain styles and whose text is already escaped.
pub fn escaped_lines() -> impl Write {
    anstream::stderr()
}

/// Writes a library's text of several lines, which quotes arguments. Calls `show`, which keeps the styles, unless the text needs
/// escaping.
pub fn show_usage(plain: &str, show: impl FnOnce()) {
    if plain.contains(|character| is_unsafe(character) && character != '\n') {
        plain.lines().for_each(note);
    } else {
        show();
    }
}

/// A duration for people: `13.0 ms`, `0.29 s`.
pub fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        s if s < 0.1 => format!("{:.1} ms", s * 1000.0),
        s => format!("{s:.2} s"),
    }
}
