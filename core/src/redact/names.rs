//! The search for names in text, in whatever case, form and escapes they are written.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, packed};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::escapes::{self, Unit, unescaped};
use crate::scan;

/// Layers of escapes that are resolved. Text with more is not shown.
const LAYERS: usize = 8;

/// From this many bytes on, a search for the beginnings of names costs less than one for the names.
const LONG_TEXT: usize = 64;

/// A name as it is compared: decomposed (NFKD), case folded, and without characters that are not seen. What Unicode calls
/// a compatibility caseless match (The Unicode Standard, section 3.13) is equality of these.
pub(super) fn fold(text: &str) -> String {
    let upper = |character: char| character.to_lowercase().flat_map(char::to_uppercase);
    text.nfkd()
        .filter(|&character| !is_ignorable(character))
        // The way over upper case makes `ss` of both forms of sharp s, and one sigma of all three.
        .flat_map(move |character| upper(character).flat_map(char::to_lowercase).collect::<Vec<_>>())
        .collect::<String>()
        // In Turkish, `İ` is the upper case of `i`.
        .replace("i\u{307}", "i")
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
        'À'..='Þ' | 'à'..='į' | 'Ĵ'..='ľ' | 'Ł'..='ň' | 'Ŋ'..='ž' | '\u{300}'..='\u{306}' | '\u{308}'..='\u{34e}' | '\u{350}'..='\u{36f}'
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
    /// What the names begin with, for long texts. `None` if they are too many, or this processor has no vectors for it.
    beginnings: Option<packed::Searcher>,
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
        // As a form has them, and as they stand in columns and in lines that were wrapped.
        let with_spaces: Vec<_> = names.iter().filter(|name| name.contains(' ')).cloned().collect();
        let other_spaces = ["+", "\t", "\n"];
        names.extend(with_spaces.iter().flat_map(|name| other_spaces.map(|space| name.replace(' ', space))));
        // A control character, also one that is written as an escape, makes a text binary.
        let mut harmless: [bool; 128] =
            std::array::from_fn(|code| !u8::try_from(code).is_ok_and(|code| is_of_binary(code.into())));
        for character in names.iter().flat_map(|name| name.chars()).chain(['\\', '%', '&', '#', ';', '\0']) {
            for case in [character.to_ascii_lowercase(), character.to_ascii_uppercase()] {
                if let Some(harmless) = harmless.get_mut(case as usize) {
                    *harmless = false;
                }
            }
        }
        Self {
            search: AhoCorasick::builder().ascii_case_insensitive(true).build(&names).ok(),
            beginnings: [3, 2].into_iter().find_map(|length| beginnings(&names, length)),
            is_ascii: names.iter().all(|name| name.is_ascii()),
            harmless,
            names,
        }
    }

    /// Whether it is certain at a glance that none of the names is in a text, in any writing.
    pub(super) fn are_absent(&self, text: &str) -> bool {
        self.names.is_empty()
            || self.search.as_ref().is_some_and(|search| !self.are_spelled_in(text, search))
                && self.is_written_plainly(text)
    }

    /// Whether one of the names is in a text as it is written. A long text is searched many bytes at a time.
    fn are_spelled_in(&self, text: &str, search: &AhoCorasick) -> bool {
        let Some(beginnings) = self.beginnings.as_ref().filter(|_| text.len() >= LONG_TEXT) else {
            return search.is_match(text);
        };
        let mut rest = text.as_bytes();
        while let Some(found) = beginnings.find(rest) {
            rest = &rest[found.start()..];
            let is_here =
                |name: &String| rest.get(..name.len()).is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()));
            if self.names.iter().any(is_here) {
                return true;
            }
            rest = &rest[1..];
        }
        false
    }

    /// Whether nothing in a text can be a part of a name but what is seen: no escape, and no other form of a character.
    fn is_written_plainly(&self, text: &str) -> bool {
        let suspect = |byte: u8| {
            (byte >= 0x7F)
                | (byte == b'\\')
                | (byte == b'%')
                | (byte == b'&')
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
            // Text with such a character is searched as binary.
            Some(_) if is_of_binary(character) => false,
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

    /// Whether a key is one of the first `count` names, with or without spaces and hyphens around it (`--password`).
    pub(super) fn contain(&self, key: &str, count: usize) -> bool {
        let names = &self.names[..count];
        let is_name = |key: &str| names.iter().any(|name| name.eq_ignore_ascii_case(key));
        let is_named = |key: &str| {
            let bare = without_padding(key);
            is_name(key) || bare.len() < key.len() && is_name(bare)
        };
        let is_plain = |byte: u8| byte.is_ascii() && !matches!(byte, b'\\' | b'%' | b'&' | b'\0');
        if key.bytes().all(is_plain) {
            return is_named(key);
        }
        readings(key).is_none_or(|mut readings| readings.any(|reading| is_named(&fold(&reading))))
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
        search.find_overlapping_iter(folded).any(|found| {
            let is_whole = || is_a_word(folded, found.range()) || !is_amid_prose(folded, found.range());
            !is_another_letter(folded, found.end()) && is_whole()
        })
    }
}

/// A search for the first `length` bytes of each name, in any case of ASCII.
fn beginnings(names: &[String], length: usize) -> Option<packed::Searcher> {
    let in_either_case = |bytes: &[u8]| {
        bytes.iter().fold(vec![Vec::new()], |begun, byte| {
            let mut cases = vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
            cases.dedup();
            begun.iter().flat_map(|begun| cases.iter().map(move |&case| [begun.as_slice(), &[case]].concat())).collect()
        })
    };
    if names.iter().any(String::is_empty) {
        return None;
    }
    let patterns = names.iter().flat_map(|name| in_either_case(&name.as_bytes()[..name.len().min(length)]));
    packed::Config::new().only_teddy(true).builder().extend(patterns).build()
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

/// Whether the word that a match is a part of stands among words, so that it names no value.
fn is_amid_prose(text: &str, found: Range<usize>) -> bool {
    /// Bytes of a word on each side of a match. The bound keeps a search linear.
    const MAX_SIDE: usize = 64;
    let is_of_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    let is_of_prose = |character: char| {
        is_of_word(character) || matches!(character, ',' | '!' | '?' | '(' | ')' | '/') || !character.is_ascii()
    };
    let is_free = |beside: char| beside.is_whitespace() || is_of_prose(beside);
    let start = text.floor_char_boundary(found.start.saturating_sub(MAX_SIDE));
    let end = text.ceil_char_boundary(found.end.saturating_add(MAX_SIDE));
    let before = text[start..found.start].trim_end_matches(is_of_word);
    let after = &text[end - text[found.end..end].trim_start_matches(is_of_word).len()..];
    before.chars().next_back().map_or(start == 0, is_free)
        && after.chars().next().is_none_or(|beside| is_free(beside) && !is_of_word(beside))
        && after.trim_start().chars().next().is_none_or(is_of_prose)
}

/// A key without what programs write around it.
fn without_padding(key: &str) -> &str {
    key.trim_matches(|character: char| character.is_whitespace() || character == '-')
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
    text.contains(is_of_binary)
}

fn is_of_binary(character: char) -> bool {
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
