//! Writes to stdout: text for people, JSON for programs. No other module does.
//!
//! [`Page`] escapes every control character and every invisible character, whatever its origin, so that data cannot add lines
//! or control the terminal. `progress` does the same on stderr. A test checks that no other module writes, so no caller can
//! forget the escaping.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use kinesis_event_logger_core::line::is_escaped;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// A format of data: of stdout, and of the function's log lines.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Format {
    Text,
    Json,
}

/// Writes a command's outcome.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub format: Format,
}

/// An outcome that is rendered as lines of text or as JSON.
pub trait Render: Serialize {
    /// Words at the beginning of a line that are bold on a terminal.
    const HEADINGS: &'static [&'static str] = &[];

    /// Writes the lines, each with its own `writeln!`. Any other newline is escaped.
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
        let mut to = Page::new(io::BufWriter::with_capacity(64 * 1024, stdout), T::HEADINGS);
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

/// Writes lines whose text was escaped when they were made, or is meant for no terminal. Styles are dropped where they are
/// not wanted.
pub fn write_lines(lines: &[u8], is_styled: bool) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    if is_styled {
        anstream::AutoStream::auto(&mut stdout).write_all(lines)?;
    } else {
        stdout.write_all(lines)?;
    }
    stdout.flush()
}

pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The columns of the terminal that stdout is; `None` if it is none.
pub fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Writes a script that this program generated.
pub fn write_script(script: &[u8]) -> io::Result<()> {
    io::stdout().write_all(script)
}

/// A writer of lines that escapes everything but the newline at the end of a write.
pub struct Page<W> {
    to: W,
    headings: &'static [&'static str],
    is_at_start: bool,
}

impl<W: Write> Page<W> {
    pub fn new(to: W, headings: &'static [&'static str]) -> Self {
        Self { to, headings, is_at_start: true }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        let (line, is_whole) = text.strip_suffix('\n').map_or((text, false), |line| (line, true));
        let mut line = &*printable(line);
        if self.is_at_start
            && let Some(heading) = self.headings.iter().find(|heading| line.split(' ').next() == Some(heading))
        {
            let style = style_of(heading);
            write!(self.to, "{style}{heading}{style:#}")?;
            line = &line[heading.len()..];
        }
        self.to.write_all(line.as_bytes())?;
        self.is_at_start = is_whole;
        if is_whole { self.to.write_all(b"\n") } else { Ok(()) }
    }
}

/// The style of a word at the beginning of a line. The marks of a difference and the words of a diagnosis have the usual colours.
fn style_of(heading: &str) -> anstyle::Style {
    use anstyle::AnsiColor::{Green, Red, Yellow};
    match heading {
        "+" | "ok" => Green.on_default(),
        "~" | "warning" => Yellow.on_default(),
        "-" | "broken" => Red.on_default(),
        _ => anstyle::Style::new().bold(),
    }
}

impl<W: Write> Write for Page<W> {
    /// Handles one `write!` as one text, however many values it contains.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        match text.as_str() {
            Some(text) => self.put(text),
            None => self.put(&text.to_string()),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(&String::from_utf8_lossy(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Resolves when the reader of stdout has closed it. Never resolves if stdout is a file.
pub async fn closed() {
    let (sender, closed) = oneshot::channel();
    // A separate thread, because the runtime would wait for a blocking task before the process ends.
    std::thread::spawn(move || {
        // Without requested events, `poll` reports only errors and hang-ups, which means that the last reader has ended.
        let mut stdout = [PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::empty())];
        while let Err(Errno::INTR) = poll(&mut stdout, None) {}
        sender.send(()).ok();
    });
    closed.await.ok();
}

/// A count with its noun: `1 entry`, `2 entries`.
pub fn counted(count: u64, what: &str) -> String {
    match what.strip_suffix('y') {
        _ if count == 1 => format!("1 {what}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{count} {stem}ies"),
        _ => format!("{count} {what}s"),
    }
}

/// Text that is safe on a terminal: it cannot move the cursor, change colours or hide other text.
pub fn printable(text: &str) -> Cow<'_, str> {
    escape_unsafe(text, |c| c.escape_default().to_string())
}

/// JSON in which unsafe characters are escaped. It parses to the same values.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    escape_unsafe(json, |c| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect())
}

fn escape_unsafe(text: &str, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    text.chars().map(|c| if is_unsafe(c) { escape(c) } else { c.to_string() }).collect::<String>().into()
}

/// Whether a character is escaped: the characters that log lines escape, and other invisible characters (direction marks,
/// zero-width spaces, tags). The joiners U+200C and U+200D and the emoji selectors are part of ordinary text.
pub fn is_unsafe(character: char) -> bool {
    (is_escaped(character) && character != '\t')
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{Page, counted, printable, printable_json};

    #[test]
    fn counts_have_singular_and_plural() {
        let counted = [0, 1, 2].map(|count| counted(count, "entry"));
        assert_eq!(counted, ["0 entries", "1 entry", "2 entries"]);
        assert_eq!(super::counted(2, "record"), "2 records");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("plain\ttext ✓"), "plain\ttext ✓");
        assert_eq!(printable("a\u{1b}[31mred\r\nb\u{202e}c"), "a\\u{1b}[31mred\\r\\nb\\u{202e}c");
    }

    #[test]
    fn escaped_json_parses_to_the_same_value() {
        let value = "a\u{1b}[31m\u{9b}31m\u{202e}\u{2028}\u{e0041}é";
        let json = serde_json::to_string(value).unwrap();
        let shown = printable_json(&json);
        assert_eq!(shown, r#""a\u001b[31m\u009b31m\u202e\u2028\udb40\udc41é""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), value);
    }

    fn written(write: impl FnOnce(&mut dyn Write)) -> String {
        let mut out = Vec::new();
        write(&mut Page::new(&mut out, &["stream"]));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn data_adds_no_lines_to_a_page() {
        let reset = "\u{1b}[0m";
        let hostile = "a\nerror: b\r\u{8}\u{1b}]0;x\u{7}\u{1b}[31m\u{9b}31m\u{202e}\u{200e}\u{e0041}\n";
        let escaped = r"a\nerror: b\r\u{8}\u{1b}]0;x\u{7}\u{1b}[31m\u{9b}31m\u{202e}\u{200e}\u{e0041}\n";
        assert_eq!(written(|to| writeln!(to, "{hostile}").unwrap()), format!("{escaped}\n"));
        assert_eq!(
            written(|to| to.write_all(hostile.as_bytes()).unwrap()),
            format!("{}\n", &escaped[..escaped.len() - 2])
        );
        assert_eq!(
            written(|to| writeln!(to, "stream    {reset}").unwrap()),
            "\u{1b}[1mstream\u{1b}[0m    \\u{1b}[0m\n"
        );
    }

    #[test]
    fn only_output_and_progress_write_to_the_terminal() {
        fn sources(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { sources(&path, found) } else { found.push(path) }
            }
        }
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = Vec::new();
        sources(&folder, &mut found);
        found.retain(|path| !path.ends_with("src/output.rs") && !path.ends_with("src/progress.rs"));
        assert!(found.len() > 30);
        for path in found {
            for line in std::fs::read_to_string(&path).unwrap().lines() {
                let writes = ["stdout()", "stderr()", "anstream::std", "println!(", "print!(", "Term::"];
                let is_allowed =
                    line.contains("is_terminal()") || line.contains("writeln!") || line.trim_start().starts_with("//");
                assert!(is_allowed || !writes.iter().any(|writes| line.contains(writes)), "{}: {line}", path.display());
            }
        }
    }
}
