//! The only place that writes to stdout: text for people, JSON for programs.

use std::borrow::Cow;
use std::io::{self, Write};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::cli::Format;
use crate::error::{Error, Result};

/// Where a command's outcome goes.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub format: Format,
}

/// An outcome that people read as lines.
pub trait Render: Serialize {
    fn text(&self, to: &mut dyn Write) -> io::Result<()>;
}

impl Output {
    /// Writes one outcome: its text, or one line of JSON.
    pub fn show(self, outcome: &impl Render) -> Result<()> {
        self.show_all(std::iter::once(outcome))
    }

    /// Writes outcomes of one kind with a single flush, so that a large batch is a few large writes.
    pub fn show_all<'a, T: Render + 'a>(self, outcomes: impl Iterator<Item = &'a T>) -> Result<()> {
        self.write(outcomes).map_err(|error| {
            let error = Error::from(error);
            Error { message: format!("could not write to stdout: {}", error.message), ..error }
        })
    }

    fn write<'a, T: Render + 'a>(self, outcomes: impl Iterator<Item = &'a T>) -> io::Result<()> {
        let stdout = anstream::AutoStream::auto(io::stdout().lock());
        let mut to = io::BufWriter::with_capacity(64 * 1024, stdout);
        for outcome in outcomes {
            match self.format {
                Format::Text => outcome.text(&mut to)?,
                Format::Json => {
                    let json = serde_json::to_string(outcome).map_err(io::Error::from)?;
                    writeln!(to, "{}", printable_json(&json))?;
                }
            }
        }
        to.flush()
    }
}

/// Resolves when nobody reads stdout any more; never if it is a file.
pub async fn closed() {
    let (sender, closed) = oneshot::channel();
    // A thread of its own: the runtime would wait for a blocking task before the process ends.
    std::thread::spawn(move || {
        // Asked for nothing, `poll` reports errors and hang-ups only: the end of the last reader.
        let mut stdout = [PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::empty())];
        while let Err(Errno::INTR) = poll(&mut stdout, None) {}
        sender.send(()).ok();
    });
    closed.await.ok();
}

/// A number with what it counts: `1 entry`, `2 entries`.
pub fn counted(count: u64, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if count == 1 => format!("1 {what}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {what}s"),
    }
}

/// Text that is safe on a terminal: what others wrote cannot move the cursor, colour or hide anything.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape_unsafe(text, |c| c.escape_default().to_string())
}

/// JSON, which escapes the ASCII control characters itself, with the others escaped too: the same values when read.
fn printable_json(json: &str) -> Cow<'_, str> {
    escape_unsafe(json, |c| format!("\\u{:04x}", u32::from(c)))
}

fn escape_unsafe(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    let is_unsafe = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_unsafe) {
        return text.into();
    }
    text.chars().map(|c| if is_unsafe(c) { escape(c) } else { c.to_string() }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::{counted, printable, printable_json};

    #[test]
    fn one_is_counted_as_one() {
        let counted = [0, 1, 2].map(|count| counted(count, "entry"));
        assert_eq!(counted, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(super::counted(2, "record"), "2 records");
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable("plain\ttext ✓"), "plain\ttext ✓");
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202e}c"), "a\\u{1b}[31mred\\r\\nb\\u{202e}c");
    }

    #[test]
    fn json_on_a_terminal_is_only_text_and_means_the_same() {
        let value = "a\u{1b}[31m\u{9b}31m\u{202e}\u{2028}é";
        let json = serde_json::to_string(value).unwrap();
        let shown = printable_json(&json);
        assert_eq!(shown, r#""a\u001b[31m\u009b31m\u202e\u2028é""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), value);
    }
}
