//! Progress on stderr: a spinner a step on a terminal, a line a step elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One step under way.
pub struct Step {
    bar: Option<ProgressBar>,
    label: String,
    begun: Instant,
}

impl Step {
    pub fn begin(label: impl Into<String>) -> Self {
        let label = label.into();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style).with_message(label.clone());
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
        let green = anstyle::AnsiColor::Green.on_default();
        note(&format!("{green}✓{green:#} {:>8}  {}", seconds(took), self.label));
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

/// A notice for people: stderr, with colours only where they are wanted. A closed stderr is nobody's error.
pub fn note(text: &str) {
    writeln!(anstream::stderr(), "{text}").ok();
}

pub fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        s if s < 0.1 => format!("{:.1} ms", s * 1000.0),
        s => format!("{s:.2} s"),
    }
}
