//! Unstructured patterns: `ERROR "a phrase" ?optional -excluded %regex%`.

use memchr::memmem::Finder;
use regex::Regex;

use super::cursor::Cursor;
use super::error::{PatternError, Problem};

/// The terms of a pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    required: Vec<Term>,
    /// One of them must match. They are ignored if there are terms of another kind, as documented.
    optional: Vec<Term>,
    excluded: Vec<Term>,
}

#[derive(Debug, Clone)]
enum Term {
    /// Matches anywhere in the message, also inside a word. Case-sensitive.
    Text(Box<Finder<'static>>),
    Regex(Regex),
}

impl Terms {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let mut terms = Self::default();
        while cursor.peek().is_some() {
            let kind = match cursor.peek() {
                Some('?') => &mut terms.optional,
                Some('-') => &mut terms.excluded,
                _ => &mut terms.required,
            };
            if matches!(cursor.peek(), Some('?' | '-')) {
                cursor.bump();
            }
            kind.push(Term::parse(cursor)?);
            if cursor.peek().is_some_and(|c| !c.is_whitespace()) {
                return cursor.unexpected("a blank between terms");
            }
            cursor.skip_space();
        }
        Ok(terms)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let found = |term: &Term| term.is_in(message);
        if self.required.is_empty() && self.excluded.is_empty() {
            return self.optional.iter().any(found);
        }
        self.required.iter().all(found) && !self.excluded.iter().any(found)
    }
}

impl Term {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        match cursor.peek() {
            Some('"') => {
                let start = cursor.clone();
                let text = cursor.quoted()?.join("*");
                if text.is_empty() {
                    return start.fail(Problem::InvalidCharacter("\"\"".to_owned()));
                }
                // `" "` is the documentation's way to select everything.
                Ok(Self::text(if text.trim().is_empty() { "" } else { &text }))
            }
            Some('%') => Ok(Self::Regex(cursor.regex()?)),
            _ => match cursor.take_while(|c| c.is_alphanumeric() || c == '_') {
                "" => cursor.unexpected("a term"),
                word => Ok(Self::text(word)),
            },
        }
    }

    fn text(text: &str) -> Self {
        Self::Text(Box::new(Finder::new(text).into_owned()))
    }

    fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => text.find(message.as_bytes()).is_some(),
            Self::Regex(regex) => regex.is_match(message),
        }
    }
}
