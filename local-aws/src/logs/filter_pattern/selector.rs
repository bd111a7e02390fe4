//! Property selectors: `$.users[0].name`, `$.items[*].id`, `$.*`, `$.['a.key']`.

use serde_json::Value;

use super::cursor::Cursor;
use super::error::{PatternError, Problem};

#[derive(Debug, Clone)]
enum SelectorStep {
    Key(String),
    Index(usize),
    AnyKey,
    AnyIndex,
}

/// A path from the root of a message to some of its values.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    steps: Vec<SelectorStep>,
}

impl Selector {
    pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Self, PatternError> {
        if !cursor.eat("$") {
            return cursor.unexpected("a property selector, which begins with $.");
        }
        let mut selector = Self { steps: vec![] };
        loop {
            let step = match cursor.peek() {
                Some('.') => {
                    cursor.bump();
                    key_step(cursor)?
                }
                Some('[') => bracket_step(cursor)?,
                _ if selector.steps.is_empty() => return cursor.unexpected("a property after $"),
                _ => return Ok(selector),
            };
            if matches!(step, SelectorStep::AnyKey | SelectorStep::AnyIndex) && selector.has_wildcard() {
                return cursor.fail(Problem::Rejected("a property selector can have at most one wildcard"));
            }
            selector.steps.push(step);
        }
    }

    pub(super) fn has_wildcard(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, SelectorStep::AnyKey | SelectorStep::AnyIndex))
    }

    /// Whether `test` accepts any of the selected values. Recurses at most once, because a selector has at most one wildcard.
    pub(super) fn any(&self, root: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
        select(&self.steps, root, test)
    }
}

fn select(steps: &[SelectorStep], root: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    let mut value = root;
    for (at, step) in steps.iter().enumerate() {
        let rest = &steps[at + 1..];
        let next = match (step, value) {
            (SelectorStep::Key(key), Value::Object(members)) => members.get(key),
            (SelectorStep::Index(index), Value::Array(elements)) => elements.get(*index),
            (SelectorStep::AnyKey, Value::Object(members)) => {
                return members.values().any(|value| select(rest, value, test));
            }
            (SelectorStep::AnyIndex, Value::Array(elements)) => {
                return elements.iter().any(|value| select(rest, value, test));
            }
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return false,
        }
    }
    test(value)
}

/// Reads the step after a full stop.
fn key_step(cursor: &mut Cursor<'_>) -> Result<SelectorStep, PatternError> {
    match cursor.peek() {
        Some('*') => {
            cursor.bump();
            Ok(SelectorStep::AnyKey)
        }
        Some('[') => match bracket_step(cursor)? {
            key @ SelectorStep::Key(_) => Ok(key),
            _ => cursor.fail(Problem::Expected("a quoted key between the brackets after a full stop")),
        },
        _ => match cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            "" => cursor.unexpected("a property name"),
            key => Ok(SelectorStep::Key(key.to_owned())),
        },
    }
}

/// Reads `[0]`, `[*]` or `['key']`.
fn bracket_step(cursor: &mut Cursor<'_>) -> Result<SelectorStep, PatternError> {
    cursor.bump();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.bump();
            SelectorStep::AnyIndex
        }
        Some(quote @ ('\'' | '"')) => {
            cursor.bump();
            let key = cursor.take_while(|c| c != quote).to_owned();
            if cursor.bump().is_none() {
                return cursor.fail(Problem::Expected("the closing quote of this key"));
            }
            SelectorStep::Key(key)
        }
        _ => match cursor.take_while(|c| c.is_ascii_digit()).parse() {
            Ok(index) => SelectorStep::Index(index),
            Err(_) => return cursor.unexpected("an index, * or a quoted key"),
        },
    };
    if cursor.eat("]") { Ok(step) } else { cursor.unexpected("the closing bracket") }
}
