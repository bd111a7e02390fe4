//! Searches text for names, in any case, Unicode form and escapes.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, packed};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::escapes::{self, Unit, unescaped};
use crate::scan;

/// The number of layers of escapes that are resolved. Text with more is not shown.
const MAX_ESCAPE_LAYERS: usize = 8;

/// In texts of at least this many bytes, searching for the beginnings of names is faster than searching for the names.
const LONG_TEXT_BYTES: usize = 64;

/// Folds a name for comparison: decomposes it (NFKD), folds its case, and removes invisible characters. Two names are a
/// compatibility caseless match (The Unicode Standard, section 3.13) if their folded forms are equal.
pub(super) fn fold(text: &str) -> String {
    let upper = |character: char| character.to_lowercase().flat_map(char::to_uppercase);
    text.nfkd()
        .filter(|&character| !is_ignorable(character))
        // Via upper case, both forms of sharp s become `ss`, and all three sigmas become one.
        .flat_map(move |character| upper(character).flat_map(char::to_lowercase).collect::<Vec<_>>())
        .collect::<String>()
        // In Turkish, `İ` is the upper case of `i`.
        .replace("i\u{307}", "i")
}

/// Whether a character is invisible: one of Unicode's default ignorable code points, or NUL, which is between the letters of
/// UTF-16 that is read as UTF-8.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\0' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character cannot be part of an ASCII name in any writing. Some such characters are missing here, but none is
/// listed wrongly.
fn is_inert(character: char) -> bool {
    matches!(character,
        'À'..='Þ' | 'à'..='į' | 'Ĵ'..='ľ' | 'Ł'..='ň' | 'Ŋ'..='ž' | '\u{300}'..='\u{306}' | '\u{308}'..='\u{34e}' | '\u{350}'..='\u{36f}'
        | '\u{391}'..='\u{3ff}' | '\u{400}'..='\u{52f}' | '\u{531}'..='\u{587}' | '\u{5d0}'..='\u{5ea}' | '\u{620}'..='\u{6ff}'
        | '\u{904}'..='\u{939}' | '\u{e01}'..='\u{e4e}' | '–' | '—' | '‘'..='‟' | '†'..='•' | '€' | '\u{2600}'..='\u{27bf}'
        | '、'..='〄' | '〈'..='】' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' | '\u{3400}'..='\u{9fff}' | '가'..='힣' | '\u{1f300}'..='\u{1faff}')
}

/// A search for names.
#[derive(Debug, Clone)]
pub(super) struct NameSearch {
    /// The names, folded.
    names: Vec<String>,
    /// Finds the names. `None` if there are too many, and then every text counts as a match.
    search: Option<AhoCorasick>,
    /// Finds the beginnings of names in long texts. `None` if there are too many, or the processor lacks the vector
    /// instructions.
    beginnings: Option<packed::Searcher>,
    is_ascii: bool,
    /// The ASCII characters that are not part of a name or of an escape.
    harmless: [bool; 128],
}

impl PartialEq for NameSearch {
    fn eq(&self, other: &Self) -> bool {
        self.names == other.names
    }
}

impl Eq for NameSearch {}

impl NameSearch {
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut names: Vec<_> = names.map(fold).collect();
        // Forms write a space as `+`, and columns and wrapped lines replace it by a tab or a line break.
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
            beginnings: [3, 2].into_iter().find_map(|length| search_for_beginnings(&names, length)),
            is_ascii: names.iter().all(|name| name.is_ascii()),
            harmless,
            names,
        }
    }

    /// Fast path: whether it is certain that none of the names is in a text, in any writing.
    pub(super) fn is_surely_absent(&self, text: &str) -> bool {
        self.names.is_empty()
            || self.search.as_ref().is_some_and(|search| !self.contains_literally(text, search)) && self.is_plain(text)
    }

    /// Whether one of the names is in a text as it is written. A long text is searched with vector instructions.
    fn contains_literally(&self, text: &str, search: &AhoCorasick) -> bool {
        let Some(beginnings) = self.beginnings.as_ref().filter(|_| text.len() >= LONG_TEXT_BYTES) else {
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

    /// Whether a text has no escapes and no other forms of characters that could be part of a name.
    fn is_plain(&self, text: &str) -> bool {
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

    /// Returns the length of the character or escape at the beginning of a text, if it is certainly not part of a name.
    fn harmless_length(&self, text: &str) -> Option<usize> {
        let first = text.chars().next()?;
        let is_harmless = |character: char| match self.harmless.get(character as usize) {
            // A text with such a character is searched as binary.
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

    /// Whether a character is full-width punctuation, which is common in Chinese text, and its ASCII form is harmless.
    fn is_harmless_when_narrow(&self, character: char) -> bool {
        matches!(character, '！'..='～') && self.harmless[character as usize - 0xFEE0]
    }

    /// Whether a key is one of the first `count` names, with or without spaces and hyphens around it (`--password`).
    pub(super) fn has_name(&self, key: &str, count: usize) -> bool {
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

    /// Whether one of the names may be in a text, in any writing, together with its value.
    pub(super) fn may_match(&self, text: &str) -> bool {
        !self.names.is_empty() && self.may_match_reading(text, MAX_ESCAPE_LAYERS, true)
    }

    /// Whether one of the names may be in a text as it is written, with its escapes resolved, or read as UTF-16.
    fn may_match_reading(&self, text: &str, layers: usize, may_be_utf16: bool) -> bool {
        // A byte that is not UTF-8 may be a letter in another encoding.
        if layers == 0 || text.contains(char::REPLACEMENT_CHARACTER) && !self.is_ascii {
            return true;
        }
        let is_binary = is_binary(text);
        let folded = if text.is_ascii() && !is_binary { Cow::Borrowed(text) } else { Cow::Owned(fold(text)) };
        let is_match = if is_binary { self.contains(&folded) } else { self.contains_name_with_value(&folded) };
        is_match
            || unescaped(text).is_some_and(|text| self.may_match_reading(&text, layers - 1, may_be_utf16))
            || (is_binary && may_be_utf16)
                && utf16_readings(text).any(|text| self.may_match_reading(&text, layers - 1, false))
    }

    fn contains(&self, folded: &str) -> bool {
        self.search.as_ref().is_none_or(|search| search.is_match(folded))
    }

    /// Whether a text contains a name and may contain its value. In prose, that needs the name to be a word of its own among
    /// others.
    fn contains_name_with_value(&self, folded: &str) -> bool {
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

/// Creates a search for the first `length` bytes of each name, in any ASCII case.
fn search_for_beginnings(names: &[String], length: usize) -> Option<packed::Searcher> {
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

/// Whether a match ends in the middle of a letter, whose accent follows.
fn is_another_letter(text: &str, end: usize) -> bool {
    text[end..].chars().next().is_some_and(|next| canonical_combining_class(next) != 0)
}

/// Whether a character is a letter of a script with upper and lower case.
fn is_cased(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase()
}

/// Whether a text is a single word or identifier, which cannot contain a name and a value.
fn is_one_word(text: &str) -> bool {
    text.trim_ascii()
        .chars()
        .all(|character| character.is_ascii_digit() || is_cased(character) || matches!(character, '_' | '-' | '.'))
}

/// Whether a match is not just a part of a longer word.
fn is_a_word(text: &str, found: Range<usize>) -> bool {
    let joins =
        |outside: Option<char>, inside: Option<char>| outside.is_some_and(is_cased) && inside.is_some_and(is_cased);
    let inside = &text[found.clone()];
    !joins(text[..found.start].chars().next_back(), inside.chars().next())
        && !joins(text[found.end..].chars().next(), inside.chars().next_back())
}

/// Whether the word that contains a match is among words, so that it does not name a value.
fn is_amid_prose(text: &str, found: Range<usize>) -> bool {
    /// The number of bytes that are inspected on each side of a match. The limit keeps the search linear.
    const MAX_SIDE_BYTES: usize = 64;
    let is_of_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    let is_of_prose = |character: char| {
        is_of_word(character) || matches!(character, ',' | '!' | '?' | '(' | ')' | '/') || !character.is_ascii()
    };
    let is_free = |beside: char| beside.is_whitespace() || is_of_prose(beside);
    let start = text.floor_char_boundary(found.start.saturating_sub(MAX_SIDE_BYTES));
    let end = text.ceil_char_boundary(found.end.saturating_add(MAX_SIDE_BYTES));
    let before = text[start..found.start].trim_end_matches(is_of_word);
    let after = &text[end - text[found.end..end].trim_start_matches(is_of_word).len()..];
    before.chars().next_back().map_or(start == 0, is_free)
        && after.chars().next().is_none_or(|beside| is_free(beside) && !is_of_word(beside))
        && after.trim_start().chars().next().is_none_or(is_of_prose)
}

/// Removes the spaces and hyphens that programs write around a key.
fn without_padding(key: &str) -> &str {
    key.trim_matches(|character: char| character.is_whitespace() || character == '-')
}

/// Returns a text as it is written, then with one layer of escapes after the other resolved. Returns `None` if there are too
/// many layers.
fn readings(text: &str) -> Option<impl Iterator<Item = Cow<'_, str>>> {
    let mut readings = vec![Cow::Borrowed(text)];
    while let Some(next) = readings.last().and_then(|last| unescaped(last)) {
        if readings.len() > MAX_ESCAPE_LAYERS {
            return None;
        }
        readings.push(Cow::Owned(next));
    }
    Some(readings.into_iter())
}

/// Whether a text contains binary data, such as lengths, or is in another encoding.
fn is_binary(text: &str) -> bool {
    text.contains(is_of_binary)
}

fn is_of_binary(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
}

/// Returns the readings of a text as UTF-16 in either byte order, in which letters of many scripts consist of ASCII bytes. If
/// only a part of the text is UTF-16, its ASCII letters have NULs between them.
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
