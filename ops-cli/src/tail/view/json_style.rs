//! Colours valid JSON.

use anstyle::{AnsiColor, Style};

use super::spans::Spans;
use crate::output::printable_json;

/// Appends JSON in colours, without the whitespace between its values.
pub fn push(json: &str, to: &mut Spans) {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        let token = &json[at..end];
        match bytes[at] {
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b'"' if is_name(bytes, end) => to.push_escaped(AnsiColor::Cyan.on_default(), &printable_json(token)),
            b'"' => to.push_escaped(AnsiColor::Green.on_default(), &printable_json(token)),
            b'-' | b'0'..=b'9' => to.push_escaped(AnsiColor::Yellow.on_default(), token),
            b'{' | b'}' | b'[' | b']' | b',' | b':' => to.push_escaped(Style::new().dimmed(), token),
            _ => to.push(AnsiColor::Magenta.on_default(), token),
        }
        at = end;
    }
}

/// Returns the end of the token that begins at `start`.
fn token_end(bytes: &[u8], start: usize) -> usize {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.') || *byte >= 0x80;
    match bytes[start] {
        b'"' => string_end(bytes, start + 1),
        byte if is_word(&byte) => start + bytes[start..].iter().take_while(|byte| is_word(byte)).count(),
        _ => start + 1,
    }
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether a string that ends here is the name of a member.
fn is_name(bytes: &[u8], end: usize) -> bool {
    bytes[end.min(bytes.len())..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn json_is_coloured_and_whitespace_between_values_dropped() {
        let mut spans = Spans::default();
        push("{ \"a\" : [1, -2.5e3,\n null],\"b\":\"x \\\" : \u{202e}é\"}", &mut spans);
        assert_eq!(spans.text, r#"{"a":[1,-2.5e3,null],"b":"x \" : \u202eé"}"#);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            push(&text, &mut Spans::default());
        }

        #[test]
        fn coloured_json_has_the_same_value(strings in prop::collection::vec(("\\PC{0,8}", "\\PC{0,8}"), 0..5)) {
            let value: std::collections::BTreeMap<_, _> = strings.into_iter().collect();
            let mut spans = Spans::default();
            push(&serde_json::to_string_pretty(&value).unwrap(), &mut spans);
            let read: std::collections::BTreeMap<String, String> = serde_json::from_str(&spans.text).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
