//! Regular expressions of filter patterns: a small language without groups, ASCII only.
//!
//! They are translated for the `regex` crate, because the two languages differ: `\d` is `[0-9]` alone, a class has no
//! set operations, and `{,n}` has no minimum.

use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::error::Problem;

/// The largest compiled program, in bytes. It bounds the cost of `a{1000}{1000}`.
const SIZE_LIMIT: usize = 1 << 20;

/// Compiles the text between the percent signs.
pub(super) fn compile(source: &str) -> Result<Regex, Problem> {
    if source.is_empty() {
        return Err(Problem::Expected("a regular expression between the % signs"));
    }
    let mut translated = String::new();
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => translated.push_str(&escape(&mut characters)?),
            '[' => class(&mut characters, &mut translated)?,
            '{' => repetition(&mut characters, &mut translated)?,
            '^' | '$' | '?' | '|' | '*' | '+' | '.' => translated.push(character),
            other => translated.push_str(&literal(other)?),
        }
    }
    RegexBuilder::new(&translated)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| Problem::Regex(error.to_string().lines().last().unwrap_or_default().to_owned()))
}

/// Translates a character that stands for itself: letters, digits, the listed symbols, and the blank of the documentation's
/// example.
fn literal(character: char) -> Result<String, Problem> {
    if character.is_ascii_alphanumeric() || " :_#=@/;,-".contains(character) {
        Ok(regex::escape(character.encode_utf8(&mut [0; 4])))
    } else {
        Err(Problem::RegexCharacter(character))
    }
}

/// Translates the class or character after a backslash.
fn escape(characters: &mut Peekable<Chars<'_>>) -> Result<String, Problem> {
    let class = match characters.next() {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('s') => r"[\t\n\x0B\x0C\r ]",
        Some('S') => r"[^\t\n\x0B\x0C\r ]",
        Some('w') => "[a-zA-Z_0-9]",
        Some('W') => "[^a-zA-Z_0-9]",
        Some('x') => return hexadecimal(characters),
        Some(other) if "^$?[]{}|\\*+.".contains(other) => return Ok(format!("\\{other}")),
        Some(other) if !other.is_ascii_alphanumeric() => return literal(other),
        Some(_) => return Err(Problem::Expected(r"one of \d \D \s \S \w \W \xhh or an operator after the backslash")),
        None => return Err(Problem::Expected("a character after the backslash")),
    };
    Ok(class.to_owned())
}

/// Translates the `hh` of `\xhh`, which stands for any ASCII character.
fn hexadecimal(characters: &mut Peekable<Chars<'_>>) -> Result<String, Problem> {
    let digits: String = characters.by_ref().take(2).collect();
    match u8::from_str_radix(&digits, 16) {
        Ok(code) if digits.len() == 2 && code.is_ascii() => Ok(format!("\\x{code:02X}")),
        _ => Err(Problem::Expected(r"two hexadecimal digits of an ASCII character after \x")),
    }
}

/// Translates a class, after its opening bracket. Every character stands for itself, except `^` at the start, `-` in a range and
/// `\`.
fn class(characters: &mut Peekable<Chars<'_>>, translated: &mut String) -> Result<(), Problem> {
    translated.push('[');
    if characters.next_if_eq(&'^').is_some() {
        translated.push('^');
    }
    let mut members = 0;
    loop {
        match characters.next() {
            None => return Err(Problem::Expected("the closing ] of this character class")),
            Some(']') if members > 0 => break,
            Some(']') => return Err(Problem::Expected("a character in this class")),
            Some(first) => {
                let first = class_member(first, characters)?;
                translated.push_str(&first);
                let mut ahead = characters.clone();
                if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') && !first.starts_with('[') {
                    characters.next();
                    if let Some(last) = characters.next() {
                        translated.push('-');
                        translated.push_str(&class_member(last, characters)?);
                    }
                }
            }
        }
        members += 1;
    }
    translated.push(']');
    Ok(())
}

fn class_member(character: char, characters: &mut Peekable<Chars<'_>>) -> Result<String, Problem> {
    match character {
        '\\' => escape(characters),
        '^' | '$' | '?' | '[' | '{' | '}' | '|' | '*' | '+' | '.' => Ok(format!("\\{character}")),
        other => literal(other),
    }
}

/// Translates `{m}`, `{m,}`, `{,n}` or `{m,n}`, after its opening brace. The documentation's examples have blanks beside the
/// numbers.
fn repetition(characters: &mut Peekable<Chars<'_>>, translated: &mut String) -> Result<(), Problem> {
    const EXPECTED: Problem = Problem::Expected("{m}, {m,}, {,n} or {m,n} of at most 3 digits each");
    let mut body = String::new();
    loop {
        match characters.next() {
            Some('}') => break,
            Some(character) => body.push(character),
            None => return Err(EXPECTED),
        }
    }
    let (min, max) = match body.split_once(',') {
        Some((min, max)) => (min.trim(), Some(max.trim())),
        None => (body.trim(), None),
    };
    let number = |text: &str| text.len() <= 3 && text.bytes().all(|b| b.is_ascii_digit());
    if !number(min) || !max.is_none_or(number) || (min.is_empty() && max.is_none_or(str::is_empty)) {
        return Err(EXPECTED);
    }
    let min = if min.is_empty() { "0" } else { min };
    match max {
        None => translated.push_str(&format!("{{{min}}}")),
        Some(max) => translated.push_str(&format!("{{{min},{max}}}")),
    }
    Ok(())
}
