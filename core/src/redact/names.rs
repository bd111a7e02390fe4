//! The search for names in text, in whatever case, form and escapes they are written.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::escapes::{self, Unit, unescaped};
use crate::scan;

/// Layers of escapes that are resolved. Text with more is not shown.
const LAYERS: usize = 8;

/// A name as it is compared: decomposed (NFKD), case folded, and without characters that are not seen. What Unicode calls
/// a compatibility caseless match (The Unicode Standard, section 3.13) is equality of these.
pub(super) fn fold(text: &str) -> String {
    let upper = |character: char| character.to_lowercase().flat_map(char::to_uppercase);
    text.nfkd()
        .filter(|&character| !is_ignorable(character))
        // The way over upper case makes `ss` of both forms of sharp s, and one sigma of all three.
        .flat_map(move |character| upper(character).flat_map(char::to_lowercase).collect::<Vec<_>>())
        .collect()
}

/// Characters that are not seen (Unicode's default ignorable code points, and NUL, which stands between the letters of
/// UTF-16 that is read as UTF-8).
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character can be no part of a way to write ASCII. It may be one that can, but never the other way round.
fn is_inert(character: char) -> bool {
    matches!(character,
        'À'..='Þ' | 'à'..='į' | 'Ĵ'..='ľ' | 'Ł'..='ň' | 'Ŋ'..='ž' | '\u{300}'..='\u{34e}' | '\u{350}'..='\u{36f}'
        | '\u{391}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{531}'..='\u{587}' | '\u{5d0}'..='\u{5ea}' | '\u{620}'..='\u{6ff}'
        | '\u{904}'..='\u{939}' | '\u{e01}'..='\u{e4e}' | '–' | '—' | '‘'..='‟' | '†'..='•' | '€' | '\u{2600}'..='\u{27bf}'
        | '、'..='〄' | '〈'..='】' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' | '\u{3400}'..='\u{9fff}' | '가'..='힣' | '\u{1f300}'..='\u{1faff}')
}

/// The names that a text is searched for.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Folded.
    names: Vec<String>,
    /// `None` if they are too many to be searched for: then they are everywhere.
    search: Option<AhoCorasick>,
    is_ascii: bool,
    /// The ASCII characters that are no part of a name or of an escape.
    harmless: [bool; 128],
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for Names {}

impl Names {
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut names: Vec<_> = names.map(fold).collect();
        // As a form has it.
        let of_forms: Vec<_> =
            names.iter().filter(|name| name.contains(' ')).map(|name| name.replace(' ', "+")).collect();
        names.extend(of_forms);
        // A control character, also one that is written as an escape, makes a text binary.
        let mut harmless: [bool; 128] =
            std::array::from_fn(|code| !u8::try_from(code).is_ok_and(|code| is_binary_character(code.into())));
        for character in names.iter().flat_map(|name| name.chars()).chain(['\\', '%', '&', '#', ';', '\0']) {
            for case in [character.to_ascii_lowercase(), character.to_ascii_uppercase()] {
                if let Some(harmless) = harmless.get_mut(case as usize) {
                    *harmless = false;
                }
            }
        }
        Self {
            search: AhoCorasick::builder().ascii_case_insensitive(true).build(&names).ok(),
            is_ascii: names.iter().all(|name| name.is_ascii()),
            harmless,
            names,
        }
    }

    /// Whether it is certain at a glance that none of the names is in a text, in any writing.
    pub(super) fn are_absent(&self, text: &str) -> bool {
        self.names.is_empty()
            || self.search.as_ref().is_some_and(|search| !search.is_match(text)) && self.is_written_plainly(text)
    }

    /// Whether nothing in a text can be a part of a name but what is seen: no escape, and no other form of a character.
    fn is_written_plainly(&self, text: &str) -> bool {
        let suspect = |byte: u8| {
            (byte == b'\\')
                | (byte == b'%')
                | (byte == b'&')
                | (byte >= 0x7F)
                | (byte < b'\t')
                | ((byte > b'\r') & (byte < b' '))
        };
        let bytes = text.as_bytes();
        let mut position = 0;
        while let Some(found) = bytes.get(position..).and_then(|rest| scan::find(rest, suspect)) {
            position += found;
            let Some(length) = self.harmless_length(&text[position..]) else { return false };
            position += length;
        }
        true
    }

    /// How long what stands at the front of a text is, if it is certainly no part of a name.
    fn harmless_length(&self, text: &str) -> Option<usize> {
        let first = text.chars().next()?;
        let is_harmless = |character: char| match self.harmless.get(character as usize) {
            Some(&harmless) => harmless,
            None => self.is_ascii && (is_inert(character) || self.is_harmless_when_narrow(character)),
        };
        if !matches!(first, '\\' | '%' | '&') {
            return (!first.is_control() && is_harmless(first)).then_some(first.len_utf8());
        }
        // JSON in a string in JSON has several backslashes before one character.
        let slashes = text.bytes().take_while(|&byte| byte == b'\\').count();
        let start = slashes.saturating_sub(1);
        match escapes::read(&text.as_bytes()[start..]) {
            None if slashes > 0 => None,
            None => Some(1),
            Some((Unit::Byte(byte), length)) => (byte.is_ascii() && is_harmless(byte.into())).then_some(start + length),
            Some((Unit::Code(code), length)) => {
                char::from_u32(code).filter(|&code| is_harmless(code)).map(|_| start + length)
            }
            Some((Unit::Nothing, _)) => None,
        }
    }

    /// Full-width punctuation, which is common in Chinese text.
    fn is_harmless_when_narrow(&self, character: char) -> bool {
        matches!(character, '！'..='～') && self.harmless[character as usize - 0xFEE0]
    }

    /// Whether a key is one of the first `count` names.
    pub(super) fn contain(&self, key: &str, count: usize) -> bool {
        let names = &self.names[..count];
        let is_plain = |byte: u8| byte.is_ascii() && !matches!(byte, b'\\' | b'%' | b'&' | b'\0');
        if key.bytes().all(is_plain) {
            return names.iter().any(|name| name.eq_ignore_ascii_case(key));
        }
        readings(key).map_or(true, |mut readings| readings.any(|reading| names.contains(&fold(&reading))))
    }

    /// Whether one of the names may be in a text, in any writing, together with what it names.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        !self.names.is_empty() && self.are_in_reading(text, LAYERS, true)
    }

    /// Looks into a text as it is written, and as it reads with its escapes resolved or as UTF-16.
    fn are_in_reading(&self, text: &str, layers: usize, may_be_utf16: bool) -> bool {
        // A byte that cannot be read may be a letter in another encoding.
        if layers == 0 || text.contains(char::REPLACEMENT_CHARACTER) && !self.is_ascii {
            return true;
        }
        let is_binary = is_binary(text);
        let folded = if text.is_ascii() && !is_binary { Cow::Borrowed(text) } else { Cow::Owned(fold(text)) };
        let is_here = if is_binary { self.are_anywhere_in(&folded) } else { self.stand_in(&folded) };
        is_here
            || unescaped(text).is_some_and(|text| self.are_in_reading(&text, layers - 1, may_be_utf16))
            || (is_binary && may_be_utf16)
                && utf16_readings(text).any(|text| self.are_in_reading(&text, layers - 1, false))
    }

    fn are_anywhere_in(&self, folded: &str) -> bool {
        self.search.as_ref().is_none_or(|search| search.is_match(folded))
    }

    /// Whether a name stands in a text that may say what its value is. In prose, that is a word of its own beside others.
    fn stand_in(&self, folded: &str) -> bool {
        let Some(search) = &self.search else { return true };
        let is_name = |name: &String| name.eq_ignore_ascii_case(folded.trim_ascii());
        if !search.is_match(folded) || is_one_word(folded) || self.names.iter().any(is_name) {
            return false;
        }
        let is_prose = folded.chars().all(|character| {
            character.is_alphanumeric()
                || character.is_whitespace()
                || matches!(character, '.' | ',' | '-' | '_' | '!' | '?' | '(' | ')' | '/')
                || !character.is_ascii()
        });
        search
            .find_overlapping_iter(folded)
            .any(|found| !is_another_letter(folded, found.end()) && (!is_prose || is_a_word(folded, found.range())))
    }
}

/// Whether a match ends in the middle of a letter: what follows is its accent.
fn is_another_letter(text: &str, end: usize) -> bool {
    text[end..].chars().next().is_some_and(|next| canonical_combining_class(next) != 0)
}

/// Letters of scripts that put words together of upper and lower case letters.
fn is_cased(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase()
}

/// Whether a text is a single word or identifier: there is no room in it for a name and a value.
fn is_one_word(text: &str) -> bool {
    text.trim_ascii()
        .chars()
        .all(|character| character.is_ascii_digit() || is_cased(character) || matches!(character, '_' | '-' | '.'))
}

/// Whether a match is more than a part of a longer word.
fn is_a_word(text: &str, found: Range<usize>) -> bool {
    let joins =
        |outside: Option<char>, inside: Option<char>| outside.is_some_and(is_cased) && inside.is_some_and(is_cased);
    let inside = &text[found.clone()];
    !joins(text[..found.start].chars().next_back(), inside.chars().next())
        && !joins(text[found.end..].chars().next(), inside.chars().next_back())
}

/// A text as it is written, and with one layer of escapes after the other resolved; `None` if there are too many.
fn readings(text: &str) -> Option<impl Iterator<Item = Cow<'_, str>>> {
    let mut readings = vec![Cow::Borrowed(text)];
    while let Some(next) = readings.last().and_then(|last| unescaped(last)) {
        if readings.len() > LAYERS {
            return None;
        }
        readings.push(Cow::Owned(next));
    }
    Some(readings.into_iter())
}

/// Whether a text is more than lines of text: lengths stand in it, or it is in another encoding.
fn is_binary(text: &str) -> bool {
    text.contains(is_binary_character)
}

fn is_binary_character(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
}

/// What a text may be that is UTF-16 in either byte order: letters of many scripts have only bytes of ASCII in it. Where
/// it is a part of the text, the letters of ASCII are those between which NULs stand.
fn utf16_readings(text: &str) -> impl Iterator<Item = String> {
    let without_nul = text.contains('\0').then(|| text.replace('\0', ""));
    without_nul.into_iter().chain(utf16_as_a_whole(text.as_bytes()))
}

fn utf16_as_a_whole(bytes: &[u8]) -> impl Iterator<Item = String> {
    let orders = [u16::from_le_bytes, u16::from_be_bytes];
    orders.into_iter().flat_map(move |order| {
        (0..2).map(move |start| {
            let (pairs, _) = bytes.get(start..).unwrap_or_default().as_chunks::<2>();
            char::decode_utf16(pairs.iter().map(|&pair| order(pair)))
                .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&'static str]) -> Names {
        Names::new(names.iter().copied())
    }

    #[test]
    fn folding_compares_names_as_people_do() {
        for (one, other) in [
            ("ПАРОЛЬ", "пароль"),
            ("GRÖSSE", "größe"),
            ("GRÖẞE", "größe"),
            ("gro\u{308}ße", "größe"),
            ("ΛΌΓΟΣ", "λόγος"),
            ("ｐａｓｓｗｏｒｄ", "password"),
            ("pa\u{17f}sword", "password"),
            ("to\u{212a}en", "token"),
            ("pass\u{200b}word", "PASSWORD"),
            ("ﬁle", "FILE"),
            ("İd", "i\u{307}D"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        assert_ne!(fold("pässword"), fold("password"));
    }

    #[test]
    fn inert_characters_are_no_part_of_an_ascii_name() {
        for character in (0x80..=0x10_FFFF).filter_map(char::from_u32).filter(|&character| is_inert(character)) {
            let folded = fold(&character.to_string());
            assert!(!folded.is_empty(), "{character:?}");
            let mut characters = folded.chars().peekable();
            while let Some(folded) = characters.next() {
                let has_accent = characters.peek().is_some_and(|&next| canonical_combining_class(next) != 0);
                assert!(!folded.is_ascii() || folded == ' ' || has_accent, "{character:?}");
            }
        }
    }

    #[test]
    fn names_are_found_in_every_writing() {
        let names = names(&["password", "größe", "密码", "card number"]);
        for text in [
            "password=x",
            "POST /login {\"PassWord\":\"x\"}",
            "x userpassword: 1",
            "the password is x",
            "p%61ssword=x",
            "p%2561ssword=x",
            r"p\u0061ssword: x",
            r"p\\u0061ssword: x",
            "p&#97;ssword=x",
            "p&amp;#97;ssword=x",
            "GRÖSSE 7",
            "gr%C3%B6%C3%9Fe=7",
            "gr%F6%DFe=7",
            "p\0a\0s\0s\0w\0o\0r\0d\0=\0x\0",
            "\0p\0a\0s\0s\0w\0o\0r\0d\0=\0x",
            "用户密码是x",
            "\u{1e}{\"password\":1}",
            "8:password1:x",
            "card+number=1",
            "card%20number=1",
            "card\u{a0}number=1",
            "\u{10}password\u{2}x",
            "ｐａｓｓｗｏｒｄ：x",
            "pass\\\nword x",
            "\u{1}A\u{1}password",
        ] {
            assert!(names.may_be_in(text), "{text:?}");
            assert!(!names.are_absent(text), "{text:?}");
        }
        let utf16: Vec<u8> = "größe: 7".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert!(names.may_be_in(&String::from_utf8_lossy(&utf16)));
        let cyrillic = Names::new(["пароль"].into_iter());
        let utf16: Vec<u8> = "пароль: 7".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(cyrillic.may_be_in(std::str::from_utf8(&utf16).unwrap()));
        let layers = (0..10).fold("p%61ssword=x".to_owned(), |text, _| text.replace('%', "%25"));
        assert!(names.may_be_in(&layers));
    }

    #[test]
    fn words_that_only_look_alike_are_not_found() {
        let names = names(&["id", "pin", "token", "name"]);
        for text in [
            "valid",
            "shipping",
            "the shipping is valid",
            "token_type",
            "token",
            "50 % off",
            "a&b",
            "tokén is x",
            "Ünïcödé 漢字 😀",
            "C:\\dir",
            "",
        ] {
            assert!(!names.may_be_in(text), "{text:?}");
        }
    }

    #[test]
    fn ordinary_text_is_judged_at_a_glance() {
        let names = names(&["password", "card_number"]);
        for text in [
            r#"{"a":"x\"y\nz\\\"","b":"gr\u00fc\u00dfe \ud83d\ude00"}"#.replace(r"\u00df", ""),
            "https://example.com/?a=1&b=2%20c".to_owned(),
            "Grüße — 漢字，한국어 😀 привет".replace('ß', ""),
            "100 % & more".to_owned(),
        ] {
            assert!(names.are_absent(&text), "{text}");
        }
    }

    /// As binary text they are read as UTF-16 too, in which `ℙ` is `!` and a control character.
    #[test]
    fn text_with_escaped_control_characters_is_searched() {
        let names = names(&["e", "password"]);
        for text in [r"\1é", r"\u0001é", r"\u001b[0m", r"a\x7f", r"%01", "&#1;", r"\\u0019!"] {
            assert!(!names.are_absent(text), "{text}");
        }
        assert!(names.are_absent(r"a\tb\nc\r %09 &#10;"));
    }

    proptest! {
        #[test]
        fn a_glance_never_misses_what_a_search_finds(text in "[a-e\\\\%&#;u0-9x{}\"ßéſé\u{200b}\\x00 =:]{0,24}") {
            let names = names(&["ab", "ss", "e"]);
            prop_assert!(!names.are_absent(&text) || !names.may_be_in(&text), "{:?}", text);
        }
    }
}
