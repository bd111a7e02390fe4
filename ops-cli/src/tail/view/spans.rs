//! A line as styled text, which can be cut to the width of the terminal.

use std::ops::Range;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthChar;

use crate::output::printable;

/// Escaped text in styles.
#[derive(Debug, Default)]
pub struct Spans {
    pub text: String,
    /// Each style with the end of its text.
    styles: Vec<(usize, Style)>,
}

impl Spans {
    /// Appends text from others, and escapes it.
    pub fn push(&mut self, style: Style, text: &str) {
        // A tab moves the cursor by a distance that depends on its column.
        let text = printable(text);
        if text.contains('\t') {
            self.push_escaped(style, &text.replace('\t', "  "));
        } else {
            self.push_escaped(style, &text);
        }
    }

    /// Appends text that needs no escaping or is already escaped.
    pub fn push_escaped(&mut self, style: Style, text: &str) {
        self.text.push_str(text);
        match self.styles.last_mut() {
            Some((end, last)) if *last == style => *end = self.text.len(),
            _ => self.styles.push((self.text.len(), style)),
        }
    }

    pub fn width(&self) -> usize {
        width(&self.text)
    }

    /// Writes the line, cut to `width` with `…`. `highlights` are ranges of the text.
    pub fn write(&self, width: Option<usize>, highlights: &[Range<usize>], to: &mut Vec<u8>) {
        let (end, is_cut) = match width {
            Some(width) if self.width() > width => (prefix(&self.text, width.saturating_sub(1)).len(), true),
            _ => (self.text.len(), false),
        };
        let mut start = 0;
        for (span_end, style) in &self.styles {
            let span_end = (*span_end).min(end);
            while start < span_end {
                let (is_highlighted, piece_end) = piece(start, span_end, highlights);
                let style = if is_highlighted { highlighted(*style) } else { *style };
                let text = &self.text[start..piece_end];
                if style.is_plain() {
                    to.extend_from_slice(text.as_bytes());
                } else {
                    to.extend_from_slice(format!("{style}{text}{style:#}").as_bytes());
                }
                start = piece_end;
            }
        }
        if is_cut {
            to.extend_from_slice("…".as_bytes());
        }
        to.push(b'\n');
    }
}

/// Returns the end of the longest piece that is either highlighted or not, and which of the two it is.
fn piece(start: usize, end: usize, highlights: &[Range<usize>]) -> (bool, usize) {
    match highlights.iter().find(|range| range.end > start) {
        Some(range) if range.start <= start => (true, range.end.min(end)),
        Some(range) => (false, range.start.min(end)),
        None => (false, end),
    }
}

fn highlighted(style: Style) -> Style {
    style.fg_color(Some(AnsiColor::Black.into())).bg_color(Some(AnsiColor::Yellow.into()))
}

/// The columns of a text on a terminal.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(|c| c.width().unwrap_or(0)).sum() }
}

/// Returns the longest prefix of a text that fits into this many columns.
pub fn prefix(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// Returns a text of exactly this many columns: padded, or cut with `…`.
pub fn fit(text: &str, columns: usize) -> String {
    let used = width(text);
    if used <= columns {
        return format!("{text}{}", " ".repeat(columns - used));
    }
    let start = prefix(text, columns.saturating_sub(1));
    format!("{start}…{}", " ".repeat(columns.saturating_sub(1) - width(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(spans: &Spans, width: Option<usize>, highlights: &[Range<usize>]) -> String {
        let mut to = Vec::new();
        spans.write(width, highlights, &mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn a_line_is_cut_to_the_columns_of_the_terminal() {
        let mut spans = Spans::default();
        spans.push(Style::new(), "ab漢字é");
        for (width, expected) in
            [(9, "ab漢字é\n"), (7, "ab漢字é\n"), (6, "ab漢…\n"), (5, "ab漢…\n"), (4, "ab…\n"), (1, "…\n")]
        {
            assert_eq!(written(&spans, Some(width), &[]), expected, "{width}");
        }
    }

    #[test]
    fn highlights_keep_the_styles_around_them() {
        let mut spans = Spans::default();
        spans.push(Style::new(), "ab");
        spans.push(Style::new().dimmed(), "cd");
        let shown = written(&spans, None, std::slice::from_ref(&(1..3)));
        let shown = shown.replace('\u{1b}', "^");
        assert_eq!(shown, "a^[30m^[43mb^[0m^[2m^[30m^[43mc^[0m^[2md^[0m\n");
    }

    #[test]
    fn no_text_moves_the_cursor() {
        let mut spans = Spans::default();
        spans.push(Style::new(), "a\tb\rc\u{1b}[2J\u{202e}");
        assert_eq!(written(&spans, None, &[]), "a  b\\rc\\u{1b}[2J\\u{202e}\n");
    }

    #[test]
    fn a_column_has_its_width() {
        assert_eq!([fit("ab", 4), fit("abcdef", 4), fit("漢字漢", 4)], ["ab  ", "abc…", "漢… "]);
    }
}
