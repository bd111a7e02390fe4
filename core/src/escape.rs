//! Text that stays on its line and inside its quotes.
//!
//! What must not reach a log as it is: control characters (C0, DEL and C1: a newline forges a line, an escape sequence
//! rewrites a terminal), the separators U+2028 and U+2029 (a line break to JavaScript and to some viewers), and the
//! controls that reorder what a person sees: bidirectional embeddings, overrides and isolates (U+202A–202E,
//! U+2066–2069; Unicode TR 36, "Trojan Source" CVE-2021-42574) and U+FEFF. Each becomes a `\u` escape, which every JSON
//! reader turns back into the same character.

use crate::scan;

/// Whether a log line never holds this character as it is: a control character, a separator of lines, a control of the
/// direction of text, or a byte order mark.
///
/// ```
/// use kinesis_event_logger_core::is_escaped_on_lines;
///
/// assert!(['\n', '\u{1b}', '\u{9b}', '\u{2028}', '\u{202e}'].into_iter().all(is_escaped_on_lines));
/// assert!(!is_escaped_on_lines('é'));
/// ```
pub fn is_escaped_on_lines(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Appends `text` as a JSON string literal, quotes included.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text, true);
    out.push(b'"');
}

/// Appends `json`, which is valid JSON, on one line: its value is unchanged. Whitespace that breaks lines becomes a
/// space; it can only stand outside strings, all else that is escaped only inside them.
pub(crate) fn push_json(out: &mut Vec<u8>, json: &str) {
    push_escaped(out, json, false);
}

/// Appends `text` bare if it is one plain word (printable ASCII, no space, quote or backslash, and not the `-` that
/// stands for nothing), or else as a JSON string literal: a name from the event cannot look like a field of the line.
pub(crate) fn push_word(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if plain && !text.is_empty() && text != "-" {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_string(out, text);
    }
}

/// The most bytes that one byte of text can become: a control character, as `\u001b`.
pub(crate) const ESCAPE_BYTES: usize = 6;

/// How long the longest prefix of `text` is, in bytes and whole characters, that takes at most `max` bytes when it is
/// escaped: as a string literal, its quotes not counted, or as JSON.
pub(crate) fn prefix_within(text: &str, literal: bool, max: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut position, mut written) = (0, 0);
    loop {
        let plain = next_suspect(&bytes[position..], literal).unwrap_or(bytes.len() - position);
        if written + plain > max {
            return text.floor_char_boundary(position + max - written);
        }
        position += plain;
        written += plain;
        if position == bytes.len() {
            return position;
        }
        let (length, escaped) = judge(&bytes[position..], literal);
        written += escaped.map_or(length, |character| escape(character, literal).1);
        if written > max {
            return position;
        }
        position += length;
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &str, literal: bool) {
    let bytes = text.as_bytes();
    out.reserve(bytes.len());
    let mut copied = 0;
    let mut position = 0;
    while let Some(found) = next_suspect(&bytes[position..], literal) {
        position += found;
        let (length, escaped) = judge(&bytes[position..], literal);
        if let Some(character) = escaped {
            out.extend_from_slice(&bytes[copied..position]);
            push_escape(out, character, literal);
            copied = position + length;
        }
        position += length;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// The next byte that may begin something to escape: one compare and an OR for each class, so that it vectorises.
fn next_suspect(bytes: &[u8], literal: bool) -> Option<usize> {
    let everywhere = |byte: u8| (byte < 0x20) | (byte == 0x7F) | (byte == 0xC2) | (byte == 0xE2) | (byte == 0xEF);
    if literal {
        scan::find(bytes, |byte| everywhere(byte) | (byte == b'"') | (byte == b'\\'))
    } else {
        scan::find(bytes, everywhere)
    }
}

/// The length in bytes of the character at the front of `bytes`, which is a suspect, and its code if it is escaped.
fn judge(bytes: &[u8], literal: bool) -> (usize, Option<u16>) {
    match *bytes {
        [byte @ (0..0x20 | 0x7F), ..] => (1, Some(byte.into())),
        [byte @ (b'"' | b'\\'), ..] if literal => (1, Some(byte.into())),
        [0xC2, byte @ 0x80..=0x9F, ..] => (2, Some(byte.into())),
        [0xE2, 0x80, byte @ 0xA8..=0xAE, ..] => (3, Some(0x2000 + u16::from(byte - 0x80))),
        [0xE2, 0x81, byte @ 0xA6..=0xA9, ..] => (3, Some(0x2040 + u16::from(byte - 0x80))),
        [0xEF, 0xBB, 0xBF, ..] => (3, Some(0xFEFF)),
        [0xC2, ..] => (2, None),
        [0xE2 | 0xEF, ..] => (3, None),
        _ => (1, None),
    }
}

fn push_escape(out: &mut Vec<u8>, character: u16, literal: bool) {
    let (escape, length) = escape(character, literal);
    out.extend_from_slice(&escape[..length]);
}

/// What is written for a character, in the first so many of these bytes.
fn escape(character: u16, literal: bool) -> ([u8; ESCAPE_BYTES], usize) {
    let short = |letter| ([b'\\', letter, 0, 0, 0, 0], 2);
    match (u8::try_from(character), literal) {
        (Ok(same @ (b'"' | b'\\')), _) => short(same),
        (Ok(b'\n'), true) => short(b'n'),
        (Ok(b'\r'), true) => short(b'r'),
        (Ok(b'\t'), true) => short(b't'),
        (Ok(b'\n' | b'\r' | b'\t'), false) => ([b' ', 0, 0, 0, 0, 0], 1),
        _ => {
            let digit = |shift: u16| b"0123456789abcdef"[usize::from(character >> shift & 0xF)];
            ([b'\\', b'u', digit(12), digit(8), digit(4), digit(0)], ESCAPE_BYTES)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The rule by characters, where the code has it by bytes.
    fn allowed(character: char) -> bool {
        !is_escaped_on_lines(character)
    }

    fn written(push: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_class_is_escaped_and_its_neighbours_are_not() {
        let hostile = "a\nb\r\tc\u{1b}[31m\0\u{7f}\u{85}\u{9f}\u{2028}\u{202e}\u{2066}\u{2069}\u{feff}\"\\";
        assert_eq!(
            written(push_string, hostile),
            r#""a\nb\r\tc\u001b[31m\u0000\u007f\u0085\u009f\u2028\u202e\u2066\u2069\ufeff\"\\""#
        );
        let neighbours = "\u{a0}©\u{2027}\u{202f}\u{2065}\u{206a}\u{fefe}\u{ff00}™ Ünïcödé 漢字 😀";
        assert_eq!(written(push_string, neighbours), format!("\"{neighbours}\""));
    }

    #[test]
    fn json_is_untouched_but_for_its_line_breaks_and_controls() {
        assert_eq!(
            written(push_json, "{\r\n\t\"a\": 1.50,\n \"b\" :\"x\\n\u{7f}\u{2028}\"}"),
            "{   \"a\": 1.50,  \"b\" :\"x\\n\\u007f\\u2028\"}"
        );
    }

    #[test]
    fn words_are_bare_only_when_plain() {
        assert_eq!(written(push_word, "shardId-000000000000"), "shardId-000000000000");
        for (text, literal) in
            [("", "\"\""), ("-", "\"-\""), ("a b", "\"a b\""), ("a\"", "\"a\\\"\""), ("é", "\"é\""), ("\n", "\"\\n\"")]
        {
            assert_eq!(written(push_word, text), literal);
        }
    }

    proptest! {
        #[test]
        fn a_prefix_fits_and_one_character_more_would_not(text in any::<String>(), max in 0_usize..60) {
            let kept = prefix_within(&text, true, max);
            let length = |text: &str| written(push_string, text).len() - 2;
            prop_assert!(length(&text[..kept]) <= max);
            if let Some(next) = text[kept..].chars().next() {
                prop_assert!(length(&text[..kept + next.len_utf8()]) > max);
            }
        }

        #[test]
        fn literals_hold_their_text_and_nothing_harmful(text in any::<String>()) {
            let literal = written(push_string, &text);
            prop_assert!(literal.chars().all(allowed));
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }

        #[test]
        fn dense_specials_survive(text in "[\u{80}-\u{a5}\u{2020}-\u{2070}\u{fef0}-\u{ff10}\\x00-\\x7f]{0,80}") {
            let literal = written(push_string, &text);
            prop_assert!(literal.chars().all(allowed));
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }

        #[test]
        fn json_keeps_its_value(strings in prop::collection::vec(any::<String>(), 0..4), pretty: bool) {
            let value = Value::from(strings);
            let json = if pretty { format!("{value:#}") } else { value.to_string() };
            let line = written(push_json, &json);
            prop_assert!(line.chars().all(allowed));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
    }
}
