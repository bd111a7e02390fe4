//! JSON patterns: `{ $.level = "ERROR" && ($.n > 3 || $.items[*].id IS NULL) }`.

use serde_json::Value;

use super::comparison::Comparison;
use super::cursor::Cursor;
use super::error::{PatternError, Problem};
use super::expression::Expression;
use super::selector::Selector;

/// The service's quota on selectors with a wildcard in one pattern.
const MAX_WILDCARD_SELECTORS: usize = 3;

#[derive(Debug, Clone)]
pub(super) struct JsonPattern {
    expression: Expression<Condition>,
}

#[derive(Debug, Clone)]
struct Condition {
    selector: Selector,
    predicate: Predicate,
}

#[derive(Debug, Clone)]
enum Predicate {
    Compare(Comparison),
    IsNull,
    IsTrue,
    IsFalse,
    NotExists,
}

impl JsonPattern {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        if !cursor.rest().ends_with('}') {
            return cursor.fail(Problem::Unclosed('{', '}'));
        }
        cursor.bump();
        let expression = Expression::parse(cursor, &Condition::parse)?;
        if !cursor.eat("}") {
            return cursor.unexpected("&&, || or the closing brace");
        }
        if cursor.peek().is_some() {
            return cursor.unexpected("nothing after the closing brace");
        }
        if expression.count(&|condition| condition.selector.has_wildcard()) > MAX_WILDCARD_SELECTORS {
            return cursor.fail(Problem::Rejected("a pattern can have at most 3 property selectors with a wildcard"));
        }
        Ok(Self { expression })
    }

    /// Whether the pattern selects the message. It never selects a message that is not a JSON object or array, even with `NOT EXISTS`.
    pub(super) fn matches(&self, message: &str) -> bool {
        if !message.trim_start().starts_with(['{', '[']) {
            return false;
        }
        // serde_json rejects nesting deeper than 128, so that recursion over the value cannot exhaust the stack.
        let Ok(root) = serde_json::from_str::<Value>(message) else { return false };
        self.expression.is_true(&|condition| condition.holds(&root))
    }
}

impl Condition {
    fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        let selector = Selector::parse(cursor)?;
        cursor.skip_space();
        let predicate = match cursor.peek() {
            Some(first) if first.is_alphabetic() => Predicate::parse_words(cursor)?,
            _ => Predicate::Compare(Comparison::parse(cursor)?),
        };
        Ok(Self { selector, predicate })
    }

    /// Whether the condition holds. With a wildcard, one matching value is enough.
    fn holds(&self, root: &Value) -> bool {
        match &self.predicate {
            Predicate::Compare(comparison) => self.selector.any(root, &|value| compare(comparison, value)),
            Predicate::IsNull => self.selector.any(root, &Value::is_null),
            Predicate::IsTrue => self.selector.any(root, &|value| *value == Value::Bool(true)),
            Predicate::IsFalse => self.selector.any(root, &|value| *value == Value::Bool(false)),
            Predicate::NotExists => !self.selector.any(root, &|_| true),
        }
    }
}

impl Predicate {
    fn parse_words(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        if cursor.eat_word("NOT") {
            cursor.skip_space();
            if cursor.eat_word("EXISTS") {
                return Ok(Self::NotExists);
            }
            return cursor.unexpected("EXISTS after NOT");
        }
        if cursor.eat_word("EXISTS") {
            // "The variables IS NOT and EXISTS currently aren't supported."
            return cursor.fail(Problem::Rejected("EXISTS is not supported by the service: write = * instead"));
        }
        if !cursor.eat_word("IS") {
            return cursor.unexpected("an operator, IS or NOT EXISTS");
        }
        cursor.skip_space();
        let values = [("NULL", Self::IsNull), ("TRUE", Self::IsTrue), ("FALSE", Self::IsFalse)];
        match values.into_iter().find(|(word, _)| cursor.eat_word(word)) {
            Some((_, predicate)) => Ok(predicate),
            None => cursor.unexpected("NULL, TRUE or FALSE after IS (the service does not support IS NOT)"),
        }
    }
}

/// Compares strings and numbers. For any other value, and for absent properties, both `=` and `!=` are false
/// ("If a property selector points to an array or object, the filter pattern won't match"; unverified for `true`,
/// `false` and `null`).
fn compare(comparison: &Comparison, value: &Value) -> bool {
    match value {
        Value::String(text) => comparison.holds(text),
        Value::Number(number) => comparison.holds(&number.to_string()),
        _ => false,
    }
}
