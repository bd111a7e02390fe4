//! The only place that writes to stdout: text for people, JSON for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::Format;
use crate::error::Result;

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
        let stdout = anstream::AutoStream::auto(io::stdout().lock());
        let mut to = io::BufWriter::with_capacity(64 * 1024, stdout);
        for outcome in outcomes {
            match self.format {
                Format::Text => outcome.text(&mut to)?,
                Format::Json => {
                    serde_json::to_writer(&mut to, outcome).map_err(io::Error::from)?;
                    to.write_all(b"\n")?;
                }
            }
        }
        Ok(to.flush()?)
    }
}

/// Text that is safe on a terminal: what others wrote cannot move the cursor, colour or hide anything.
pub fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let is_unsafe = |c: char| {
        (c.is_control() && c != '\t')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(is_unsafe) {
        return text.into();
    }
    text.chars()
        .map(|c| if is_unsafe(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable("plain\ttext ✓"), "plain\ttext ✓");
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202e}c"), "a\\u{1b}[31mred\\r\\nb\\u{202e}c");
    }
}
