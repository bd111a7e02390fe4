//! Escapes text, so that it cannot leave its line or its quotes.
//!
//! These characters are escaped: control characters (C0, DEL and C1), because a newline forges a line and an escape
//! sequence controls a terminal; the separators U+2028 and U+2029, which are line breaks in JavaScript and some viewers;
//! the controls that reorder text: bidirectional embeddings, overrides and isolates (U+202A–202E, U+2066–2069; Unicode
//! TR 36, "Trojan Source" CVE-2021-42574); and U+FEFF. Each becomes a `\u` escape, from which every JSON parser restores
//! the character.

use crate::scan;

/// Whether log lines escape this character: a control character, a line separator, a control of the text direction, or a
/// byte order mark.
///
/// ```
/// use kinesis_event_logger_core::line::is_escaped;
///
/// assert!(['\n', '\u{1b}', '\u{9b}', '\u{2028}', '\u{202e}'].into_iter().all(is_escaped));
/// assert!(!is_escaped('é'));
/// ```
pub fn is_escaped(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Appends `text` as a JSON string literal, including the quotes. It escapes the characters that [`is_escaped`] lists, too.
///
/// ```
/// use kinesis_event_logger_core::line::push_json_string;
///
/// let mut json = Vec::new();
/// push_json_string(&mut json, "a\n\"é\"");
/// assert_eq!(json, r#""a\n\"é\"""#.as_bytes());
/// ```
pub fn push_json_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text, true);
    out.push(b'"');
}

/// Appends `json`, which is valid JSON, on one line, with the same value. Whitespace that breaks lines becomes a space: it
/// is always outside strings, and all other escaped characters are inside them.
pub(crate) fn push_json(out: &mut Vec<u8>, json: &str) {
    push_escaped(out, json, false);
}

/// Appends `text` without quotes if it is one plain word (printable ASCII without space, quote or backslash, and not the
/// `-` that marks a missing value), or else as a JSON string literal. So a name from the event cannot forge a field.
pub(crate) fn push_word(out: &mut Vec<u8>, text: &str) {
    let not_plain = |byte: u8| (byte <= b' ') | (byte >= 0x7F) | (byte == b'"') | (byte == b'\\');
    if scan::find(text.as_bytes(), not_plain).is_none() && !text.is_empty() && text != "-" {
        out.extend_from_slice(text.as_bytes());
    } else {
        push_json_string(out, text);
    }
}

/// The largest number of bytes that one byte of text can become: that of a control character, as `\u001b`.
pub(crate) const MAX_ESCAPE_BYTES: usize = 6;

/// Returns the length in bytes of the longest prefix of `text`, in whole characters, that has at most `max` bytes when it is
/// escaped: as a string literal without its quotes if `literal`, or else as JSON.
pub(crate) fn fitting_prefix(text: &str, literal: bool, max: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut position, mut written) = (0, 0);
    loop {
        let plain = next_candidate(&bytes[position..], literal).unwrap_or(bytes.len() - position);
        if written + plain > max {
            return text.floor_char_boundary(position + max - written);
        }
        position += plain;
        written += plain;
        if position == bytes.len() {
            return position;
        }
        let (length, escaped) = escape_candidate(&bytes[position..], literal);
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
    while let Some(found) = next_candidate(&bytes[position..], literal) {
        position += found;
        let (length, escaped) = escape_candidate(&bytes[position..], literal);
        if let Some(character) = escaped {
            out.extend_from_slice(&bytes[copied..position]);
            push_escape(out, character, literal);
            copied = position + length;
        }
        position += length;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Finds the next byte that may begin a character to escape. Each class is one comparison and an OR, so that the compiler
/// vectorizes the search.
fn next_candidate(bytes: &[u8], literal: bool) -> Option<usize> {
    let everywhere = |byte: u8| (byte < 0x20) | (byte == 0x7F) | (byte == 0xC2) | (byte == 0xE2) | (byte == 0xEF);
    if literal {
        scan::find(bytes, |byte| everywhere(byte) | (byte == b'"') | (byte == b'\\'))
    } else {
        scan::find(bytes, everywhere)
    }
}

/// Returns the length in bytes of the candidate at the beginning of `bytes`, and the character's code if it is escaped.
fn escape_candidate(bytes: &[u8], literal: bool) -> (usize, Option<u16>) {
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

/// Returns the escape for a character, and its length.
fn escape(character: u16, literal: bool) -> ([u8; MAX_ESCAPE_BYTES], usize) {
    let short = |letter| ([b'\\', letter, 0, 0, 0, 0], 2);
    match (u8::try_from(character), literal) {
        (Ok(same @ (b'"' | b'\\')), _) => short(same),
        (Ok(b'\n'), true) => short(b'n'),
        (Ok(b'\r'), true) => short(b'r'),
        (Ok(b'\t'), true) => short(b't'),
        (Ok(b'\n' | b'\r' | b'\t'), false) => ([b' ', 0, 0, 0, 0, 0], 1),
        _ => {
            let digit = |shift: u16| b"0123456789abcdef"[usize::from(character >> shift & 0xF)];
            ([b'\\', b'u', digit(12), digit(8), digit(4), digit(0)], MAX_ESCAPE_BYTES)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The rule in terms of characters. The code has it in terms of bytes.
    fn is_allowed(character: char) -> bool {
        !is_escaped(character)
    }

    fn written(push: fn(&mut Vec<u8>, &str), text: &str) -> String {
        let mut out = Vec::new();
        push(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_class_is_escaped_and_neighbouring_characters_are_not() {
        let hostile = "a\nb\r\tc\u{1b}[31m\0\u{7f}\u{85}\u{9f}\u{2028}\u{202e}\u{2066}\u{2069}\u{feff}\"\\";
        assert_eq!(
            written(push_json_string, hostile),
            r#""a\nb\r\tc\u001b[31m\u0000\u007f\u0085\u009f\u2028\u202e\u2066\u2069\ufeff\"\\""#
        );
        let neighbours = "\u{a0}©\u{2027}\u{202f}\u{2065}\u{206a}\u{fefe}\u{ff00}™ Ünïcödé 漢字 😀";
        assert_eq!(written(push_json_string, neighbours), format!("\"{neighbours}\""));
    }

    #[test]
    fn only_line_breaks_and_control_characters_of_json_change() {
        assert_eq!(
            written(push_json, "{\r\n\t\"a\": 1.50,\n \"b\" :\"x\\n\u{7f}\u{2028}\"}"),
            "{   \"a\": 1.50,  \"b\" :\"x\\n\\u007f\\u2028\"}"
        );
    }

    #[test]
    fn only_plain_words_have_no_quotes() {
        assert_eq!(written(push_word, "shardId-000000000000"), "shardId-000000000000");
        for (text, literal) in
            [("", "\"\""), ("-", "\"-\""), ("a b", "\"a b\""), ("a\"", "\"a\\\"\""), ("é", "\"é\""), ("\n", "\"\\n\"")]
        {
            assert_eq!(written(push_word, text), literal);
        }
    }

    proptest! {
        #[test]
        fn fitting_prefix_is_the_longest_that_fits(text in any::<String>(), max in 0_usize..60) {
            let kept = fitting_prefix(&text, true, max);
            let length = |text: &str| written(push_json_string, text).len() - 2;
            prop_assert!(length(&text[..kept]) <= max);
            if let Some(next) = text[kept..].chars().next() {
                prop_assert!(length(&text[..kept + next.len_utf8()]) > max);
            }
        }

        #[test]
        fn literals_contain_their_text_and_no_harmful_character(text in any::<String>()) {
            let literal = written(push_json_string, &text);
            prop_assert!(literal.chars().all(is_allowed));
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }

        #[test]
        fn literals_of_many_special_characters_contain_their_text(text in "[\u{80}-\u{a5}\u{2020}-\u{2070}\u{fef0}-\u{ff10}\\x00-\\x7f]{0,80}") {
            let literal = written(push_json_string, &text);
            prop_assert!(literal.chars().all(is_allowed));
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }

        #[test]
        fn json_keeps_its_value(strings in prop::collection::vec(any::<String>(), 0..4), pretty: bool) {
            let value = Value::from(strings);
            let json = if pretty { format!("{value:#}") } else { value.to_string() };
            let line = written(push_json, &json);
            prop_assert!(line.chars().all(is_allowed));
            prop_assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
        }
    }
}
