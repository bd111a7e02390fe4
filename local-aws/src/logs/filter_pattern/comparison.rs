//! Compares a field with a text (with wildcards), a number or a regular expression.

use std::cmp::Ordering;

use regex::Regex;

use super::cursor::Cursor;
use super::error::{PatternError, Problem};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        // The longer ones first: `>` begins `>=`.
        const SPELLINGS: [(&str, Operator); 6] = [
            ("!=", Operator::NotEqual),
            (">=", Operator::GreaterOrEqual),
            ("<=", Operator::LessOrEqual),
            ("=", Operator::Equal),
            (">", Operator::Greater),
            ("<", Operator::Less),
        ];
        match SPELLINGS.into_iter().find(|(spelling, _)| cursor.eat(spelling)) {
            Some((_, operator)) => Ok(operator),
            None => cursor.unexpected("one of = != < > <= >="),
        }
    }

    fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }

    fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

#[derive(Debug, Clone)]
enum Operand {
    Text(Wildcard),
    Number(Number),
    Regex(Regex),
}

/// An operator and its right operand.
#[derive(Debug, Clone)]
pub(super) struct Comparison {
    operator: Operator,
    operand: Operand,
}

impl Comparison {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let operator = Operator::parse(cursor)?;
        cursor.skip_space();
        let operand = match cursor.peek() {
            _ if !operator.is_equality() => Operand::Number(Self::number(cursor)?),
            Some('"') => Operand::Text(Wildcard { pieces: cursor.quoted()? }),
            Some('%') => Operand::Regex(cursor.regex()?),
            _ => Self::bare(cursor)?,
        };
        Ok(Self { operator, operand })
    }

    /// Whether the comparison holds for a field's text. A text that is a number is compared with a number numerically, even if it is
    /// a string in the event (unverified; account IDs in CloudTrail's events are such strings).
    pub(super) fn holds(&self, text: &str) -> bool {
        let equal = match &self.operand {
            Operand::Text(wildcard) => wildcard.matches(text),
            Operand::Regex(regex) => regex.is_match(text),
            Operand::Number(wanted) => {
                return match Number::parse(text).and_then(|number| number.compare(wanted)) {
                    Some(ordering) => self.operator.accepts(ordering),
                    None => self.operator == Operator::NotEqual,
                };
            }
        };
        equal == (self.operator == Operator::Equal)
    }

    fn number(cursor: &mut Cursor<'_>) -> Result<Number, PatternError> {
        let start = cursor.clone();
        match Number::parse(bare_text(cursor)) {
            Some(number) => Ok(number),
            None => start.fail(Problem::Expected("a number: only = and != compare texts")),
        }
    }

    fn bare(cursor: &mut Cursor<'_>) -> Result<Operand, PatternError> {
        let text = bare_text(cursor);
        if text.is_empty() {
            return cursor.unexpected("a number, a string or a %regular expression%");
        }
        Ok(match Number::parse(text) {
            Some(number) => Operand::Number(number),
            None => Operand::Text(Wildcard { pieces: text.split('*').map(str::to_owned).collect() }),
        })
    }
}

/// Reads a string without quotes. The documentation's examples have letters, digits, `_ . * /` and signs of numbers.
fn bare_text<'a>(cursor: &mut Cursor<'a>) -> &'a str {
    cursor.take_while(|c| c.is_alphanumeric() || "_.*/+-:".contains(c))
}

/// A text in which an asterisk stands for any characters.
#[derive(Debug, Clone)]
struct Wildcard {
    /// The texts between the asterisks. There is at least one.
    pieces: Vec<String>,
}

impl Wildcard {
    fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.pieces.split_first() else { return false };
        let Some((last, between)) = others.split_last() else { return text == first };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for piece in between {
            let Some(at) = rest.find(piece.as_str()) else { return false };
            rest = &rest[at + piece.len()..];
        }
        true
    }
}

/// A number. Integers are exact.
#[derive(Debug, Clone, Copy)]
struct Number {
    integer: Option<i128>,
    float: f64,
}

impl Number {
    /// Parses an integer or decimal with an optional sign and exponent. Rejects `inf`, `nan` and `0x`.
    fn parse(text: &str) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
            return None;
        }
        Some(Self { float: text.parse().ok()?, integer: text.parse().ok() })
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self.integer, other.integer) {
            (Some(mine), Some(theirs)) => Some(mine.cmp(&theirs)),
            _ => self.float.partial_cmp(&other.float),
        }
    }
}
