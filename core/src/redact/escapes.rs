//! Text that is written in escapes, read as its reader would.

/// The text with one layer of escapes resolved; `None` if it holds none. Bytes that are not UTF-8 become U+FFFD.
///
/// All kinds are resolved at once: backslash escapes (`\u0070`, `\u{70}`, `\x70`, `\160`, `\n`), percent-encoding (`%70`,
/// `%u0070`) and character references of HTML (`&#112;`, `&#x70;`, `&amp;`).
pub(super) fn unescaped(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut position = memchr::memchr3(b'\\', b'%', b'&', bytes)?;
    let (mut out, mut copied, mut found) = (Vec::with_capacity(bytes.len()), 0, false);
    while let Some(rest) = bytes.get(position..).filter(|rest| !rest.is_empty()) {
        match read(rest) {
            Some((character, length)) => {
                found = true;
                out.extend_from_slice(&bytes[copied..position]);
                match character {
                    Unit::Byte(byte) => out.push(byte),
                    Unit::Code(code) => {
                        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
                        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                    Unit::Nothing => {}
                }
                position += length;
                copied = position;
            }
            None => position += 1,
        }
        let Some(next) = bytes.get(position..).and_then(|rest| memchr::memchr3(b'\\', b'%', b'&', rest)) else { break };
        position += next;
    }
    out.extend_from_slice(&bytes[copied..]);
    found.then(|| match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// The meaning of an escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Byte(u8),
    Code(u32),
    Nothing,
}

/// The escape at the front of some bytes, and its length; `None` if there is none.
pub(super) fn read(bytes: &[u8]) -> Option<(Unit, usize)> {
    match bytes {
        [b'\\', rest @ ..] => backslash(rest).map(|(unit, length)| (unit, length + 1)),
        [b'%', b'u' | b'U', rest @ ..] => Some((Unit::Code(digits(rest, 16, 4, 4)?.0), 6)),
        [b'%', rest @ ..] => Some((Unit::Byte(u8::try_from(digits(rest, 16, 2, 2)?.0).ok()?), 3)),
        [b'&', rest @ ..] => reference(rest).map(|(code, length)| (Unit::Code(code), length + 1)),
        _ => None,
    }
}

fn backslash(rest: &[u8]) -> Option<(Unit, usize)> {
    let (&first, after) = rest.split_first()?;
    let code =
        |base, least, most| digits(after, base, least, most).map(|(code, length)| (Unit::Code(code), length + 1));
    Some(match first {
        b'b' => (Unit::Byte(0x08), 1),
        b'f' => (Unit::Byte(0x0C), 1),
        b'n' => (Unit::Byte(b'\n'), 1),
        b'r' => (Unit::Byte(b'\r'), 1),
        b't' => (Unit::Byte(b'\t'), 1),
        b'\n' => (Unit::Nothing, 1),
        b'\r' if after.first() == Some(&b'\n') => (Unit::Nothing, 2),
        b'u' if after.first() == Some(&b'{') => {
            let (code, length) = digits(&after[1..], 16, 1, 6)?;
            (after.get(1 + length) == Some(&b'}')).then_some((Unit::Code(code), length + 3))?
        }
        b'u' => match code(16, 4, 4)? {
            (Unit::Code(high @ 0xD800..=0xDBFF), _) => {
                let low = after[4..].strip_prefix(b"\\u").and_then(|low| digits(low, 16, 4, 4));
                match low {
                    Some((low @ 0xDC00..=0xDFFF, _)) => {
                        (Unit::Code(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)), 11)
                    }
                    _ => (Unit::Code(high), 5),
                }
            }
            other => other,
        },
        b'U' => code(16, 8, 8)?,
        b'x' | b'X' => code(16, 2, 2)?,
        b'0'..=b'7' => digits(rest, 8, 1, 3).map(|(code, length)| (Unit::Code(code), length))?,
        // Readers that are not strict take an escape that is none for the character itself.
        other if other.is_ascii() => (Unit::Byte(other), 1),
        _ => return None,
    })
}

/// The number that is written in at least and at most so many digits, and in how many.
fn digits(bytes: &[u8], base: u32, least: usize, most: usize) -> Option<(u32, usize)> {
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let length = bytes.iter().take(most).take_while(|byte| digit(byte).is_some()).count();
    (length >= least).then(|| {
        (
            bytes[..length]
                .iter()
                .filter_map(digit)
                .fold(0_u32, |code, digit| code.saturating_mul(base).saturating_add(digit)),
            length,
        )
    })
}

/// The character references of HTML that stand for ASCII characters
/// (<https://html.spec.whatwg.org/multipage/named-characters.html>).
const REFERENCES: [(&str, char); 40] = [
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("amp", '&'),
    ("AMP", '&'),
    ("apos", '\''),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("lt", '<'),
    ("LT", '<'),
    ("equals", '='),
    ("gt", '>'),
    ("GT", '>'),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("rcub", '}'),
    ("nbsp", ' '),
];

/// The character reference whose ampersand has been read.
fn reference(rest: &[u8]) -> Option<(u32, usize)> {
    let ended = |length: usize| length + usize::from(rest.get(length) == Some(&b';'));
    if let [b'#', after @ ..] = rest {
        let (code, length) = match after {
            [b'x' | b'X', hex @ ..] => digits(hex, 16, 1, usize::MAX).map(|(code, length)| (code, length + 2))?,
            _ => digits(after, 10, 1, usize::MAX).map(|(code, length)| (code, length + 1))?,
        };
        return Some((code, ended(length)));
    }
    let length = rest.iter().take(9).take_while(|byte| byte.is_ascii_alphabetic()).count();
    (rest.get(length) == Some(&b';')).then_some(())?;
    let (_, character) = REFERENCES.iter().find(|(name, _)| name.as_bytes() == &rest[..length])?;
    Some((u32::from(*character), length + 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_kinds_of_escapes_are_resolved() {
        for escaped in [
            r"p\u0061ss",
            r"p\u{61}ss",
            r"p\U00000061ss",
            r"p\x61ss",
            r"p\141ss",
            "p%61ss",
            "p%u0061ss",
            "p&#97;ss",
            "p&#x61;ss",
            "p&#97ss",
            "pa\\\nss",
            "p\\ass",
            "pa\\\r\nss",
        ] {
            assert_eq!(unescaped(escaped).as_deref(), Some("pass"), "{escaped}");
        }
        assert_eq!(unescaped(r"\ud83d\ude00 gr%C3%B6&szlig;e").as_deref(), Some("😀 grö&szlig;e"));
        assert_eq!(unescaped("a&lowbar;b&amp;#97;").as_deref(), Some("a_b&#97;"));
        for plain in ["", "50 % off", "a&b=c", "Tom & Jerry", "&unknown;", "%zz"] {
            assert_eq!(unescaped(plain), None, "{plain}");
        }
    }

    proptest! {
        #[test]
        fn unescaping_makes_any_text_shorter(text in "[\\\\%&#;ux{}0-9a-fdD8é\"n\r]{0,40}") {
            if let Some(shorter) = unescaped(&text) {
                prop_assert!(shorter.chars().count() < text.chars().count());
            }
        }
    }
}
