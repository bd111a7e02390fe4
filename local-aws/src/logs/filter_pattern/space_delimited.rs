//! Space-delimited patterns: `[ip, user, ..., status = 4* && status != 403, bytes > 1000]`.

use super::comparison::Comparison;
use super::cursor::Cursor;
use super::error::{PatternError, Problem};
use super::expression::Expression;

/// The fields of a pattern, before and after its ellipsis.
#[derive(Debug, Clone)]
pub(super) struct SpaceDelimited {
    first: Vec<Field>,
    /// The fields after `...`, if the pattern has one.
    last: Option<Vec<Field>>,
}

#[derive(Debug, Clone, Default)]
struct Field {
    name: Option<String>,
    condition: Option<Expression<Comparison>>,
}

impl SpaceDelimited {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        if !cursor.rest().ends_with(']') {
            return cursor.fail(Problem::Unclosed('[', ']'));
        }
        cursor.bump();
        let mut pattern = Self { first: vec![], last: None };
        cursor.skip_space();
        if !cursor.eat("]") {
            pattern.parse_fields(cursor)?;
        }
        if cursor.peek().is_some() {
            return cursor.unexpected("nothing after the closing bracket");
        }
        Ok(pattern)
    }

    /// Parses the fields and the closing bracket.
    fn parse_fields(&mut self, cursor: &mut Cursor<'_>) -> Result<(), PatternError> {
        loop {
            cursor.skip_space();
            self.parse_field(cursor)?;
            cursor.skip_space();
            if cursor.eat("]") {
                return Ok(());
            }
            if !cursor.eat(",") {
                return cursor.unexpected("a comma or the closing bracket");
            }
        }
    }

    fn parse_field(&mut self, cursor: &mut Cursor<'_>) -> Result<(), PatternError> {
        if cursor.eat("...") {
            if self.last.is_some() {
                return cursor.fail(Problem::Rejected("a pattern can have at most one ellipsis"));
            }
            self.last = Some(vec![]);
            return Ok(());
        }
        let start = cursor.clone();
        let field = Field::parse(cursor)?;
        let mut known = self.first.iter().chain(self.last.iter().flatten());
        if field.name.is_some() && known.any(|other| other.name == field.name) {
            return start.fail(Problem::Rejected("two fields have the same name"));
        }
        self.last.as_mut().unwrap_or(&mut self.first).push(field);
        Ok(())
    }

    /// Whether the pattern selects the message. Without an ellipsis, the last field has the rest of the line: the documentation's
    /// `[w1=ERROR, w2]` selects lines of any length whose first word is ERROR. `[]` selects every line.
    pub(super) fn matches(&self, message: &str) -> bool {
        let words = words(message);
        let Some(last) = &self.last else { return self.matches_whole(message, &words) };
        let Some(tail) = words.len().checked_sub(last.len()).filter(|&tail| tail >= self.first.len()) else {
            return false;
        };
        all_accept(&self.first, words.iter().map(|word| word.text))
            && all_accept(last, words[tail..].iter().map(|word| word.text))
    }

    fn matches_whole(&self, message: &str, words: &[Word<'_>]) -> bool {
        let Some((last, others)) = self.first.split_last() else { return true };
        let Some(word) = words.get(others.len()) else { return false };
        let rest = if words.len() == self.first.len() { word.text } else { message[word.start..].trim_end() };
        all_accept(others, words.iter().map(|word| word.text)) && last.accepts(rest)
    }
}

impl Field {
    /// Parses a field: a name, conditions on it, or nothing, which accepts any word.
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        if matches!(cursor.peek(), Some(',' | ']')) {
            return Ok(Self::default());
        }
        let mut ahead = cursor.clone();
        ahead.take_while(|c| c == '(' || c.is_whitespace());
        let name = field_name(&mut ahead)?;
        ahead.skip_space();
        if matches!(ahead.peek(), Some(',' | ']')) && cursor.peek() != Some('(') {
            *cursor = ahead;
            return Ok(Self { name: Some(name), condition: None });
        }
        let condition = Expression::parse(cursor, &|cursor| {
            let start = cursor.clone();
            if field_name(cursor)? != name {
                return start.fail(Problem::Rejected("the conditions of one field name different fields"));
            }
            cursor.skip_space();
            Comparison::parse(cursor)
        })?;
        Ok(Self { name: Some(name), condition: Some(condition) })
    }

    fn accepts(&self, text: &str) -> bool {
        match &self.condition {
            None => true,
            Some(condition) => condition.is_true(&|comparison| comparison.holds(text)),
        }
    }
}

/// Reads a field name: letters, digits, `_` and `-`, but no digit at the start (unverified: the documentation has examples only).
fn field_name(cursor: &mut Cursor<'_>) -> Result<String, PatternError> {
    let name = cursor.clone().take_while(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
        return cursor.unexpected("a field name, an ellipsis or the closing bracket");
    }
    cursor.eat(name);
    Ok(name.to_owned())
}

fn all_accept<'a>(fields: &[Field], words: impl Iterator<Item = &'a str>) -> bool {
    fields.iter().zip(words).all(|(field, word)| field.accepts(word))
}

/// A field of a message.
#[derive(Debug, PartialEq, Eq)]
struct Word<'a> {
    /// The offset in the message, including a bracket or quote.
    start: usize,
    /// The text without brackets or quotes.
    text: &'a str,
}

/// Splits a message at blanks. A text in brackets or double quotes is one field. Several blanks and tabs separate fields like one
/// blank (unverified). An opening bracket or quote that is never closed is an ordinary character.
fn words(message: &str) -> Vec<Word<'_>> {
    let mut words = vec![];
    let mut start = 0;
    // A search that failed once fails for the rest of the message too. Without these flags, `[ [ [ …` would take quadratic time.
    let (mut brackets, mut quotes) = (true, true);
    while let Some(next) = message[start..].find(|c: char| !c.is_whitespace()) {
        start += next;
        let rest = &message[start..];
        let enclosed = match rest.as_bytes()[0] {
            b'[' if brackets => enclosed(rest, ']', &mut brackets),
            b'"' if quotes => enclosed(rest, '"', &mut quotes),
            _ => None,
        };
        let (text, length) = match enclosed {
            Some(text) => (text, text.len() + 2),
            None => {
                let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (&rest[..length], length)
            }
        };
        words.push(Word { start, text });
        start += length;
    }
    words
}

/// The text between the first character of `rest` and `close`. Clears `possible` if there is no `close`.
fn enclosed<'a>(rest: &'a str, close: char, possible: &mut bool) -> Option<&'a str> {
    let end = rest[1..].find(close);
    *possible = end.is_some();
    Some(&rest[1..1 + end?])
}

#[cfg(test)]
mod tests {
    use super::words;

    fn texts(message: &str) -> Vec<&str> {
        words(message).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn a_text_in_brackets_or_quotes_is_one_field() {
        assert_eq!(
            texts(r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" 200"#),
            ["127.0.0.1", "-", "frank", "10/Oct/2000:13:25:15 -0700", "GET / HTTP/1.0", "200"]
        );
    }

    #[test]
    fn unclosed_brackets_and_quotes_are_ordinary_characters() {
        assert_eq!(texts(r#"a "b [c d"#), ["a", "\"b", "[c", "d"]);
        assert_eq!(texts("  a \t b  "), ["a", "b"]);
        assert_eq!(texts("\"\" [] x"), ["", "", "x"]);
    }
}
