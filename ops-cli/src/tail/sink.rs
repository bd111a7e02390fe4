//! Selects, counts, renders and writes events.

use std::time::{Duration, Instant};

use super::event::Event;
use super::matching::Matching;
use super::platform::Platform;
use super::stats::{Stats, Summary};
use super::stop::Progress;
use super::view::{Pretty, View};
use crate::error::{Error, Result};
use crate::output;

/// The number of rendered bytes that are written at once.
const CHUNK: usize = 64 * 1024;

pub struct Sink {
    pub view: View,
    pub matching: Matching,
    pub hides_platform: bool,
    /// Whether lines are cut to the width of the terminal.
    pub is_cut: bool,
    pub stats: Option<Stats>,
    pub progress: Progress,
    began: Instant,
    rendered: Vec<u8>,
    shown: u64,
    late: u64,
}

impl Sink {
    pub fn new(view: View, matching: Matching, progress: Progress) -> Self {
        Self {
            view,
            matching,
            hides_platform: false,
            is_cut: false,
            stats: None,
            progress,
            began: Instant::now(),
            rendered: Vec::new(),
            shown: 0,
            late: 0,
        }
    }

    /// Whether an event is shown. Counts it for the statistics in any case.
    pub fn selects(&mut self, event: &Event) -> bool {
        self.count(event);
        self.matches(event)
    }

    pub fn count(&mut self, event: &Event) {
        if let Some(stats) = &mut self.stats {
            stats.add(event.text());
        }
    }

    pub fn matches(&self, event: &Event) -> bool {
        let message = event.text();
        let is_hidden =
            self.hides_platform && matches!(Platform::parse(message), Some(Platform::Routine | Platform::Report(_)));
        !is_hidden && self.matching.selects(message)
    }

    /// Shows an event. Returns whether it was the last one.
    pub fn show(&mut self, event: &Event) -> Result<bool> {
        let is_visible = !(self.view.is_styled() && Pretty::hides(event.text()));
        if is_visible {
            self.shown += 1;
            if event.late {
                self.late += 1;
                if let Some(stats) = &mut self.stats {
                    stats.late();
                }
            }
            self.view.render(event, &mut self.rendered);
            if self.rendered.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(self.progress.saw(event.text(), is_visible, self.elapsed()))
    }

    /// Writes the rendered lines.
    pub fn flush(&mut self) -> Result<()> {
        if self.rendered.is_empty() {
            return Ok(());
        }
        let written = output::write_lines(&self.rendered, self.view.is_styled());
        self.rendered.clear();
        written.map_err(|error| {
            let error = Error::from(error);
            Error { message: format!("could not write to stdout: {}", error.message), ..error }
        })
    }

    /// Adapts the view to the terminal, whose width may have changed.
    pub fn fit(&mut self, groups: usize) {
        let is_cut = self.is_cut;
        if let View::Pretty(pretty) = &mut self.view {
            pretty.set_columns(output::columns().filter(|_| is_cut));
            pretty.set_labels(groups > 1);
        }
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn summary(&self) -> Option<Summary> {
        self.stats.as_ref().map(Stats::summary)
    }

    /// Summarizes what was shown, in one line.
    pub fn line(&self) -> String {
        let events = output::counted(self.shown, "event");
        let late = if self.late > 0 { format!(", {} of them late", self.late) } else { String::new() };
        format!("{events} shown in {:.1} s{late}", self.elapsed().as_secs_f64())
    }
}
