//! Conditions joined by `&&`, `||` and parentheses. Parentheses bind more than `&&`, and `&&` binds more than `||`.

use super::cursor::Cursor;
use super::error::{PatternError, Problem};

/// The deepest nesting of parentheses. It bounds the recursion when an expression is parsed, tested and dropped.
const MAX_NESTING: usize = 100;

#[derive(Debug, Clone)]
pub(super) enum Expression<C> {
    Condition(C),
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// Reads one condition.
type ReadCondition<'r, C> = &'r dyn Fn(&mut Cursor<'_>) -> Result<C, PatternError>;

impl<C> Expression<C> {
    pub(super) fn parse(cursor: &mut Cursor<'_>, condition: ReadCondition<'_, C>) -> Result<Self, PatternError> {
        Self::any(cursor, 0, condition)
    }

    pub(super) fn is_true(&self, test: &dyn Fn(&C) -> bool) -> bool {
        match self {
            Self::Condition(condition) => test(condition),
            Self::All(parts) => parts.iter().all(|part| part.is_true(test)),
            Self::Any(parts) => parts.iter().any(|part| part.is_true(test)),
        }
    }

    /// The number of conditions that `test` accepts.
    pub(super) fn count(&self, test: &dyn Fn(&C) -> bool) -> usize {
        match self {
            Self::Condition(condition) => usize::from(test(condition)),
            Self::All(parts) | Self::Any(parts) => parts.iter().map(|part| part.count(test)).sum(),
        }
    }

    fn any(cursor: &mut Cursor<'_>, depth: usize, condition: ReadCondition<'_, C>) -> Result<Self, PatternError> {
        let first = Self::all(cursor, depth, condition)?;
        let mut parts = vec![];
        while cursor.eat("||") {
            parts.push(Self::all(cursor, depth, condition)?);
        }
        Ok(Self::join(first, parts, Self::Any))
    }

    fn all(cursor: &mut Cursor<'_>, depth: usize, condition: ReadCondition<'_, C>) -> Result<Self, PatternError> {
        let first = Self::part(cursor, depth, condition)?;
        let mut parts = vec![];
        while cursor.eat("&&") {
            parts.push(Self::part(cursor, depth, condition)?);
        }
        Ok(Self::join(first, parts, Self::All))
    }

    fn part(cursor: &mut Cursor<'_>, depth: usize, condition: ReadCondition<'_, C>) -> Result<Self, PatternError> {
        cursor.skip_space();
        let part = if cursor.peek() == Some('(') {
            if depth == MAX_NESTING {
                return cursor.fail(Problem::Rejected("parentheses are nested too deeply"));
            }
            cursor.bump();
            let inner = Self::any(cursor, depth + 1, condition)?;
            if !cursor.eat(")") {
                return cursor.unexpected("&&, || or the closing parenthesis");
            }
            inner
        } else {
            Self::Condition(condition(cursor)?)
        };
        cursor.skip_space();
        Ok(part)
    }

    fn join(first: Self, mut others: Vec<Self>, joined: fn(Vec<Self>) -> Self) -> Self {
        if others.is_empty() {
            return first;
        }
        others.insert(0, first);
        joined(others)
    }
}
