//! Validates JSON that every parser can read.

use crate::scan;

/// The deepest nesting of data that counts as JSON. The line nests the data one level deeper, and common parsers accept at
/// most 127 levels (`serde_json`'s recursion limit is 128).
pub const MAX_JSON_DEPTH: u32 = 100;

/// Whether `text` is one JSON object or array (RFC 8259) that every parser can read (after RFC 7493, I-JSON): it has no
/// lone surrogate escapes, no number beyond a double, and at most [`MAX_JSON_DEPTH`] levels. Runs without recursion.
pub(crate) fn is_container(text: &str) -> bool {
    validate_container(text, &[]).is_some()
}

/// Returns which of `members` the object `text` has, or `None` if [`is_container`] does not hold for `text`.
pub(crate) fn validate_container(text: &str, members: &[&str]) -> Option<MemberSet> {
    let mut validator = Validator::searching(text, members);
    matches!(validator.peek(), Some(b'{' | b'[')).then_some(())?;
    validator.value()?;
    validator.peek().is_none().then_some(validator.found)
}

/// Whether `text` is two or more [containers](is_container), with nothing but whitespace between them.
pub(crate) fn is_container_sequence(text: &str) -> bool {
    let mut rest = text;
    let mut count = 0_usize;
    while Validator::new(rest).peek().is_some() {
        if next_container(&mut rest, &[]).is_none() {
            return false;
        }
        count += 1;
    }
    count >= 2
}

/// Reads the [container](is_container) at the beginning of `rest`, and which of `members` it has if it is an object. Returns
/// `None`, and does not change `rest`, if there is none.
pub(crate) fn next_container<'a>(rest: &mut &'a str, members: &[&str]) -> Option<(&'a str, MemberSet)> {
    let mut validator = Validator::searching(rest, members);
    matches!(validator.peek(), Some(b'{' | b'[')).then_some(())?;
    let begin = rest.len() - validator.remaining();
    validator.value()?;
    let end = rest.len() - validator.remaining();
    let value = &rest[begin..end];
    *rest = &rest[end..];
    Some((value, validator.found))
}

/// Indexes of members in a list of at most 32 names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct MemberSet(u32);

impl MemberSet {
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }

    fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }
}

/// A cursor over unvalidated JSON. It contains the remaining text rather than a position, so that no step checks an index.
pub(super) struct Validator<'a, 'm> {
    rest: &'a [u8],
    /// One bit for each open container, the innermost lowest: 1 is an object, 0 an array.
    kinds: u128,
    depth: u32,
    /// The names that are looked for among the members of the outermost object.
    members: &'m [&'m str],
    /// One bit for each length in bytes, modulo 64, of a name in `members`. It excludes most keys without a comparison.
    member_lengths: u64,
    found: MemberSet,
    /// Set when a string has an escape.
    pub(super) escapes: bool,
}

impl<'a, 'm> Validator<'a, 'm> {
    pub(super) fn new(text: &'a str) -> Self {
        Self::searching(text, &[])
    }

    fn searching(text: &'a str, members: &'m [&'m str]) -> Self {
        let member_lengths = members.iter().fold(0, |lengths, member| lengths | length_bit(member.len()));
        let found = MemberSet::default();
        Self { rest: text.as_bytes(), kinds: 0, depth: 0, members, member_lengths, found, escapes: false }
    }

    /// The number of bytes that are still unread.
    #[inline]
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Skips bytes that the caller has read.
    #[inline]
    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Skips the next byte if it is wanted.
    #[inline]
    fn take(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        wanted(byte).then(|| {
            self.rest = rest;
            byte
        })
    }

    #[inline]
    pub(super) fn take_exactly(&mut self, wanted: u8) -> Option<()> {
        self.take(|byte| byte == wanted).map(|_| ())
    }

    /// Skips whitespace and returns the next byte without skipping it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.rest {
                [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] => self.rest = rest,
                rest => return rest.first().copied(),
            }
        }
    }

    /// Reads one value and everything inside it. The cursor is before the value.
    pub(super) fn value(&mut self) -> Option<()> {
        loop {
            let opened = match self.peek()? {
                b'"' => self.string().map(|()| false)?,
                b'{' => self.open(1)?,
                b'[' => self.open(0)?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                b'n' => self.literal(b"null")?,
                _ => self.number().map(|()| false)?,
            };
            if !self.advance(opened)? {
                return Some(());
            }
        }
    }

    /// Skips the opening bracket of a container.
    fn open(&mut self, kind: u128) -> Option<bool> {
        if self.depth == MAX_JSON_DEPTH {
            return None;
        }
        self.rest = &self.rest[1..];
        self.depth += 1;
        self.kinds = self.kinds << 1 | kind;
        Some(true)
    }

    /// Moves to the next value, from the end of a value or, if `opened`, from the beginning of a container. Returns `false`
    /// at the end of the outermost value.
    #[inline]
    fn advance(&mut self, mut opened: bool) -> Option<bool> {
        loop {
            if self.depth == 0 {
                return Some(false);
            }
            let object = self.kinds & 1 == 1;
            match self.peek()? {
                b',' if !opened => {
                    self.rest = &self.rest[1..];
                    return self.key(object);
                }
                b'}' if object => {}
                b']' if !object => {}
                _ if opened => return self.key(object),
                _ => return None,
            }
            self.rest = &self.rest[1..];
            self.depth -= 1;
            self.kinds >>= 1;
            opened = false;
        }
    }

    /// Moves to the next value of a container: in an object, reads a key and its colon.
    #[inline]
    fn key(&mut self, object: bool) -> Option<bool> {
        if object {
            if self.peek()? != b'"' {
                return None;
            }
            let key = self.rest;
            self.string()?;
            let length = key.len() - self.rest.len() - 2;
            if self.depth == 1 && self.member_lengths & length_bit(length) != 0 {
                self.find_member(&key[1..=length]);
            }
            if self.take_exactly(b':').is_none() {
                self.peek()?;
                self.take_exactly(b':')?;
            }
        }
        Some(true)
    }

    #[cold]
    fn find_member(&mut self, key: &[u8]) {
        if let Some(index) = self.members.iter().position(|member| member.as_bytes() == key) {
            self.found.insert(index);
        }
    }

    fn literal(&mut self, word: &[u8]) -> Option<bool> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(false)
    }

    /// Reads a string. The cursor is at its opening quote.
    #[inline]
    pub(super) fn string(&mut self) -> Option<()> {
        self.rest = &self.rest[1..];
        // Most strings end within eight bytes.
        if let Some((word, rest)) = self.rest.split_first_chunk() {
            match scan::end_of_plain_word(*word) {
                Some(found) if word[found] == b'"' => {
                    self.rest = &self.rest[found + 1..];
                    return Some(());
                }
                Some(_) => {}
                None => self.rest = rest,
            }
        }
        self.long_string()
    }

    /// Reads the rest of a string. The cursor is inside it.
    fn long_string(&mut self) -> Option<()> {
        loop {
            let found = scan::end_of_plain(self.rest)?;
            let byte = self.rest[found];
            self.rest = &self.rest[found + 1..];
            match byte {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.escapes = true;
        match self.take(|_| true)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.code_unit()? {
                0xD800..=0xDBFF => {
                    self.literal(b"\\u")?;
                    matches!(self.code_unit()?, 0xDC00..=0xDFFF).then_some(())
                }
                0xDC00..=0xDFFF => None,
                _ => Some(()),
            },
            _ => None,
        }
    }

    fn code_unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
    }

    /// Skips digits and returns their number.
    #[inline]
    fn digits(&mut self) -> usize {
        let before = self.rest.len();
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        before - self.rest.len()
    }

    #[inline]
    pub(super) fn number(&mut self) -> Option<()> {
        let number = self.rest;
        self.take(|byte| byte == b'-');
        if self.take(|byte| byte == b'0').is_none() && self.digits() == 0 {
            return None;
        }
        if self.take(|byte| byte == b'.').is_some() && self.digits() == 0 {
            return None;
        }
        let exponent = self.take(|byte| matches!(byte, b'e' | b'E')).is_some();
        if exponent {
            self.take(|byte| matches!(byte, b'+' | b'-'));
            if self.digits() == 0 {
                return None;
            }
        }
        let length = number.len() - self.rest.len();
        // Only these can be beyond the largest double, which has 309 digits.
        if exponent || length > 300 {
            let value: f64 = std::str::from_utf8(&number[..length]).ok()?.parse().ok()?;
            // Parsers round the last decimal differently. The margin excludes numbers that some parse as infinity.
            return (value.abs() < 1.7e308).then_some(());
        }
        Some(())
    }
}

#[inline]
fn length_bit(length: usize) -> u64 {
    1 << (length % 64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Decides the same with serde_json, which has another limit of depth.
    fn judged(text: &str) -> bool {
        serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object() || value.is_array())
    }

    #[test]
    fn containers_are_json_and_scalars_are_not() {
        for json in ["{}", "[]", " [ ] ", "{\"a\":[1,{\"b\":null}],\"a\":-0.5e-3}", "[[],[{}],\"\\ud83d\\ude00\"]\r\n"]
        {
            assert!(is_container(json), "{json}");
        }
        for other in ["", " ", "42", "\"x\"", "true", "null", "plain", "\u{feff}{}"] {
            assert!(!is_container(other), "{other}");
        }
    }

    #[test]
    fn almost_json_is_not_a_container() {
        let almost = [
            "{",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{]",
            "[}",
            "{}}",
            "[] []",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\" 1}",
            "{,}",
            "[01]",
            "[1.]",
            "[.5]",
            "[-]",
            "[1e]",
            "[+1]",
            "[tru]",
            "[truee]",
            "[nul",
            "[\"\n\"]",
            "[\"\t\"]",
            "[\"\\x\"]",
            "[\"\\u12g4\"]",
            "[\"\\u+123\"]",
            "[\"",
            "[\"\\",
            "[\"\\u12",
            "[\u{a0}]",
            "{1:2}",
            "[NaN]",
            "[\"a\":1]",
        ];
        for text in almost {
            assert!(!is_container(text), "{text}");
            assert!(!judged(text), "serde_json takes {text}");
        }
    }

    #[test]
    fn json_that_some_parsers_reject_is_not_a_container() {
        let unreadable =
            [r#"["\ud800"]"#, r#"["\ud800\u0041"]"#, r#"["\udc00"]"#, r#"["\ud800\ud800"]"#, "[1e999]", "[-1e400]"];
        for text in unreadable {
            assert!(!is_container(text), "{text}");
            assert!(!judged(text), "serde_json takes {text}");
        }
        assert!(!is_container(&format!("[{}]", "9".repeat(400))));
        assert!(is_container("[0e999,1e-999,1e307]"));
        assert!(is_container(&format!("[{}]", "9".repeat(300))));
    }

    #[test]
    fn nesting_is_limited_and_never_overflows_the_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_container(&nested(MAX_JSON_DEPTH as usize)));
        assert!(!is_container(&nested(MAX_JSON_DEPTH as usize + 1)));
        assert!(!is_container(&nested(1_000_000)));
        assert!(!is_container(&"{\"a\":".repeat(1_000_000)));
    }

    /// Whether the text has a number near the largest double, about which the two disagree.
    fn at_the_limit(text: &str) -> bool {
        text.contains("308")
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::from_iter(members.into_iter().collect::<serde_json::Map<_, _>>())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_json(value in json(), pretty: bool) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            prop_assume!(!at_the_limit(&text));
            prop_assert_eq!(is_container(&text), judged(&text));
        }

        #[test]
        fn agrees_with_serde_json_on_broken_json(value in json(), at: prop::sample::Index, with in "[\\[\\]{}\",:\\\\0-9eE.+ tn-]?") {
            let mut text = value.to_string();
            let at = (0..=at.index(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let length = text[at..].chars().next().map_or(0, char::len_utf8);
            text.replace_range(at..at + length, &with);
            prop_assume!(!at_the_limit(&text));
            prop_assert_eq!(is_container(&text), judged(&text), "{}", text);
        }

        #[test]
        fn agrees_with_serde_json_on_soup(text in "[\\[{][\\[\\]{}\",:\\\\0-9eu. -]{0,30}") {
            prop_assert_eq!(is_container(&text), judged(&text), "{}", text);
        }
    }
}
