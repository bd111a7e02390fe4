//! Detects the encoding of an input. Pure.

/// The UTF-8 byte order mark.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// The byte order marks of other encodings. Of two with the same beginning, the longer one comes first.
const OTHERS: [(&[u8], &str); 4] =
    [(b"\xff\xfe\0\0", "UTF-32"), (b"\0\0\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")];

/// The encoding that the first bytes of an input indicate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beginning {
    /// UTF-8 text without a mark, or bytes in no encoding.
    Plain,
    /// A UTF-8 byte order mark.
    Mark,
    /// Text in another encoding, with its name.
    Other(&'static str),
}

/// Detects the encoding from the first bytes. Returns `None` if it needs more of them, which it never does at the end.
pub fn beginning(bytes: &[u8], is_end: bool) -> Option<Beginning> {
    if bytes.starts_with(MARK) {
        return Some(Beginning::Mark);
    }
    let may_become = |mark: &[u8]| !is_end && mark.len() > bytes.len() && mark.starts_with(bytes);
    if may_become(MARK) || OTHERS.iter().any(|(mark, _)| may_become(mark)) {
        return None;
    }
    let other = OTHERS.iter().find(|(mark, _)| bytes.starts_with(mark));
    Some(other.map_or(Beginning::Plain, |(_, name)| Beginning::Other(name)))
}

/// Strips a byte order mark.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Returns the name of the encoding if the text is ASCII in units of two or four bytes without a mark. Such text is neither
/// JSON nor base64.
pub fn of_wide_ascii(text: &[u8]) -> Option<&'static str> {
    let is_ascii = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    match text {
        [a, 0, 0, 0, ..] | [0, 0, 0, a, ..] if is_ascii(a) => Some("UTF-32"),
        [a, 0, b, 0, ..] | [0, a, 0, b, ..] if is_ascii(a) && is_ascii(b) => Some("UTF-16"),
        [a, 0] | [0, a] | [a, 0, _] | [0, a, 0] if is_ascii(a) => Some("UTF-16"),
        _ => None,
    }
}

/// Returns the name of the encoding if the first line of an input has units of two or four bytes without a mark. In the
/// first two to four units, the byte at one position is not NUL and all others are. UTF-8 text does not look like that.
pub fn of_wide_line(line: &[u8]) -> Option<&'static str> {
    const UNITS: usize = 4;
    let is_wide = |size: usize, place: usize| {
        let mut units = line.chunks_exact(size).take(UNITS);
        units.len() >= 2 && units.all(|unit| (0..size).all(|at| (unit[at] != 0) == (at == place)))
    };
    if is_wide(4, 0) || is_wide(4, 3) {
        return Some("UTF-32");
    }
    (is_wide(2, 0) || is_wide(2, 1)).then_some("UTF-16")
}

/// Advises what to do about an input in another encoding.
pub fn advice(name: &str) -> String {
    format!("it is {name}, but text is read as UTF-8: convert it first, for example with `iconv -f {name} -t UTF-8`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_byte_order_mark_determines_the_encoding() {
        assert_eq!(beginning(b"\xef\xbb\xbf{", false), Some(Beginning::Mark));
        assert_eq!(beginning(b"\xff\xfea\0", false), Some(Beginning::Other("UTF-16")));
        assert_eq!(beginning(b"\xff\xfe", true), Some(Beginning::Other("UTF-16")));
        assert_eq!(beginning(b"\xfe\xff", false), Some(Beginning::Other("UTF-16")));
        assert_eq!(beginning(b"\xff\xfe\0\0", false), Some(Beginning::Other("UTF-32")));
        assert_eq!(beginning(b"\0\0\xfe\xff", false), Some(Beginning::Other("UTF-32")));
        for more in [&b""[..], b"\xef", b"\xef\xbb", b"\xff", b"\xff\xfe", b"\xff\xfe\0", b"\0\0"] {
            assert_eq!(beginning(more, false), None, "{more:?}");
        }
        for plain in [&b""[..], b"\xef", b"\xef\xbb", b"\xff", b"\0\0"] {
            assert_eq!(beginning(plain, true), Some(Beginning::Plain), "{plain:?}");
        }
        assert_eq!(beginning(b"a", false), Some(Beginning::Plain), "one byte is enough where it decides");
    }

    proptest! {
        /// The result does not depend on how few bytes arrive at a time.
        #[test]
        fn bytes_that_arrive_one_by_one_give_the_same_encoding(
            mark in prop::sample::select(vec![&b""[..], MARK, b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff"]),
            rest in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let all = [mark, &rest].concat();
            let whole = beginning(&all, true);
            prop_assert!(whole.is_some());
            let first = (0..=all.len()).find_map(|end| beginning(&all[..end], end == all.len()));
            prop_assert_eq!(first, whole);
        }
    }

    #[test]
    fn a_first_line_in_wide_units_is_recognized() {
        let le = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
        let be = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>();
        let utf_32 = |text: &str| text.chars().flat_map(|char| u32::from(char).to_le_bytes()).collect::<Vec<_>>();
        for text in ["hi", "grüße", "{\"a\":\"€\"}", "2026-11-28 a longer line"] {
            // A line ends at the byte of the line feed, which in UTF-16 has another byte before or after it.
            assert_eq!(of_wide_line(&le(text)), Some("UTF-16"), "{text}");
            assert_eq!(of_wide_line(&[be(text), vec![0]].concat()), Some("UTF-16"), "{text}");
            assert_eq!(of_wide_line(&utf_32(text)), Some("UTF-32"), "{text}");
            assert_eq!(of_wide_line(text.as_bytes()), None, "{text}");
        }
        for bytes in [&b""[..], b"a\0", b"a\0b", b"\0\0\0\0", b"a\0bc", b"a\0\0b\0\0", b"one\0two\0"] {
            assert_eq!(of_wide_line(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn wide_ascii_is_distinguished_from_json() {
        for (text, name) in [
            (&b"{\0\"\0"[..], Some("UTF-16")),
            (b"\0{\0\"", Some("UTF-16")),
            (b"1\0", Some("UTF-16")),
            (b"{\0\0\0", Some("UTF-32")),
            (b"{\"a\"", None),
            (b"\0\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(of_wide_ascii(text), name, "{text:?}");
        }
    }
}
