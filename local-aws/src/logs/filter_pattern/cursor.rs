//! Reads a pattern from left to right.

use regex::Regex;

use super::error::{PatternError, Problem};
use super::limited_regex;

/// The service's quota on regular expressions in one pattern.
const MAX_REGEXES: usize = 2;

/// A position in a pattern.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    regexes: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text: text.trim_end(), at: 0, regexes: 0 }
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Moves past `token` if it is what comes next.
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Moves past a keyword, in any case (unverified: the documentation writes capitals), if a whole word comes next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let next = self.rest();
        let length = next.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(next.len());
        let found = next[..length].eq_ignore_ascii_case(word);
        if found {
            self.at += length;
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub(super) fn fail<T>(&self, problem: Problem) -> Result<T, PatternError> {
        Err(PatternError { position: self.text[..self.at].chars().count() + 1, problem })
    }

    /// The error for the next character, with AWS's message, or for a missing token at the end.
    pub(super) fn unexpected<T>(&self, expected: &'static str) -> Result<T, PatternError> {
        match self.peek() {
            Some(found) if !found.is_alphanumeric() => self.fail(Problem::InvalidCharacter(found.to_string())),
            _ => self.fail(Problem::Expected(expected)),
        }
    }

    /// Reads a string in double quotes and splits it at its asterisks: `"a*b"` is `["a", "b"]`. `\"`, `\\` and (unverified) `\*`
    /// stand for the character itself. Any other backslash is a backslash.
    pub(super) fn quoted(&mut self) -> Result<Vec<String>, PatternError> {
        let start = self.at;
        self.bump();
        let mut pieces = vec![String::new()];
        loop {
            let character = match self.bump() {
                Some('"') => return Ok(pieces),
                Some('*') => {
                    pieces.push(String::new());
                    continue;
                }
                Some('\\') if self.peek().is_some_and(|c| matches!(c, '"' | '\\' | '*')) => self.bump(),
                other => other,
            };
            match (character, pieces.last_mut()) {
                (Some(character), Some(piece)) => piece.push(character),
                _ => {
                    self.at = start;
                    return self.fail(Problem::Expected("the closing double quote of this string"));
                }
            }
        }
    }

    /// Reads a regular expression between percent signs.
    pub(super) fn regex(&mut self) -> Result<Regex, PatternError> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            return self.fail(Problem::Rejected("a pattern can have at most 2 regular expressions"));
        }
        let body = &self.rest()[1..];
        let Some(length) = body.find('%') else {
            return self.fail(Problem::Expected("the closing % of this regular expression"));
        };
        match limited_regex::compile(&body[..length]) {
            Ok(regex) => {
                self.at += length + 2;
                Ok(regex)
            }
            Err(problem) => self.fail(problem),
        }
    }
}
