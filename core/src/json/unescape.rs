//! Unescapes JSON string literals.

use std::borrow::Cow;

/// Returns the value of the text between a literal's quotes, borrowed if it has no backslash. A lone surrogate or an
/// unknown escape becomes U+FFFD, because a key that is almost right is worth more in a log than none.
pub(super) fn unescape(literal: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', literal.as_bytes()) else {
        return Cow::Borrowed(literal);
    };
    let mut value = String::with_capacity(literal.len());
    let (plain, mut rest) = literal.split_at(first);
    value.push_str(plain);
    while let Some(escape) = rest.strip_prefix('\\') {
        let (character, after) = unescape_one(escape);
        value.push(character);
        let next = memchr::memchr(b'\\', after.as_bytes()).unwrap_or(after.len());
        let (plain, tail) = after.split_at(next);
        value.push_str(plain);
        rest = tail;
    }
    Cow::Owned(value)
}

/// Reads one escape without its backslash. Returns its character and the text after it.
fn unescape_one(escape: &str) -> (char, &str) {
    let mut characters = escape.chars();
    let character = match characters.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some(same @ ('"' | '\\' | '/')) => same,
        Some('u') => return unescape_unit(characters.as_str()),
        _ => char::REPLACEMENT_CHARACTER,
    };
    (character, characters.as_str())
}

/// Reads the four digits after `\u`, and after the first half of a surrogate pair the second half.
fn unescape_unit(digits: &str) -> (char, &str) {
    let Some((unit, rest)) = code_unit(digits) else {
        return (char::REPLACEMENT_CHARACTER, digits);
    };
    if let 0xD800..=0xDBFF = unit
        && let Some((low @ 0xDC00..=0xDFFF, after)) = rest.strip_prefix("\\u").and_then(code_unit)
    {
        let scalar = 0x1_0000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), after);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn code_unit(digits: &str) -> Option<(u32, &str)> {
    let (unit, rest) = digits.split_at_checked(4)?;
    if !unit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(unit, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(unescape("plain é"), Cow::Borrowed("plain é")));
    }

    #[test]
    fn lone_surrogates_and_bad_escapes_become_replacement_characters() {
        assert_eq!(unescape(r"a\ud800b"), "a\u{fffd}b");
        assert_eq!(unescape(r"\udc00\ud83d"), "\u{fffd}\u{fffd}");
        assert_eq!(unescape(r"\ud800\ud83d\ude00"), "\u{fffd}😀");
        assert_eq!(unescape(r"\x\u12"), "\u{fffd}\u{fffd}12");
        assert_eq!(unescape("\\"), "\u{fffd}");
        assert_eq!(unescape("\\ué12"), "\u{fffd}é12");
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_writes(text in any::<String>()) {
            let literal = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescape(&literal[1..literal.len() - 1]), text);
        }

        #[test]
        fn reads_every_escaped_code_unit(text in any::<String>()) {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
            prop_assert_eq!(unescape(&escaped), text);
        }

        #[test]
        fn never_panics(text in "[\\\\u0-9a-fdD8é\"n]{0,40}") {
            unescape(&text);
        }
    }
}
