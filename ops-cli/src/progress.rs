//! The only place that writes to stderr: notices, and progress as a spinner a step on a terminal, a line a step elsewhere.
//!
//! Text is escaped here, as it is in `output`; styles are given beside it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{Page, Render, is_unsafe, printable};

/// One step under way.
pub struct Step {
    bar: Option<ProgressBar>,
    label: String,
    begun: Instant,
}

impl Step {
    pub fn begin(label: impl Into<String>) -> Self {
        let label = label.into();
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style).with_message(printable(&label).into_owned());
            bar.enable_steady_tick(Duration::from_millis(80));
            bar
        });
        Self { bar, label, begun: Instant::now() }
    }

    /// Ends the step well, and tells how long it took.
    pub fn done(self) -> Duration {
        let took = self.begun.elapsed();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        labelled(AnsiColor::Green.on_default(), "✓", &format!("{:>8}  {}", seconds(took), self.label));
        took
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A notice for people: one line on stderr, whatever its text is. A closed stderr is nobody's error.
pub fn note(text: &str) {
    writeln!(Page::new(anstream::stderr(), &[]), "{text}").ok();
}

/// A notice behind a word of ours in a style of ours.
pub fn labelled(style: Style, label: &'static str, text: &str) {
    let mut to = anstream::stderr().lock();
    write!(to, "{style}{label}{style:#} ").ok();
    writeln!(Page::new(to, &[]), "{text}").ok();
}

/// The lines of an outcome, as a notice.
pub fn note_outcome<R: Render>(outcome: &R) {
    outcome.text(&mut Page::new(anstream::stderr().lock(), R::HEADINGS)).ok();
}

/// A question, whose answer is typed behind it.
pub fn ask(question: &'static str) -> io::Result<()> {
    write!(io::stderr(), "{question}")
}

/// Where lines go whose text was escaped when they were made, with styles in them.
pub fn escaped_lines() -> impl Write {
    anstream::stderr()
}

/// Text of several lines by a library that names what a person typed: its own styles are kept where nothing of that has
/// to be escaped.
pub fn show_usage(plain: &str, show: impl FnOnce()) {
    if plain.contains(|character| is_unsafe(character) && character != '\n') {
        plain.lines().for_each(note);
    } else {
        show();
    }
}

pub fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        s if s < 0.1 => format!("{:.1} ms", s * 1000.0),
        s => format!("{s:.2} s"),
    }
}
