//! Property selectors: `$.users[0].name`, `$.items[*].id`, `$.*`, `$.['a.key']`.

use serde_json::Value;

use super::cursor::Cursor;
use super::error::{PatternError, Problem};

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
    AnyKey,
    AnyIndex,
}

/// The way from the root of a message to its values.
#[derive(Debug, Clone)]
pub(super) struct Selector {
    steps: Vec<Step>,
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
            if matches!(step, Step::AnyKey | Step::AnyIndex) && selector.has_wildcard() {
                return cursor.fail(Problem::Refused("a property selector holds at most one wildcard"));
            }
            selector.steps.push(step);
        }
    }

    pub(super) fn has_wildcard(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::AnyKey | Step::AnyIndex))
    }

    /// Whether `test` accepts any of the values selected. Recurses once at most: a selector has at most one wildcard.
    pub(super) fn any(&self, root: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
        select(&self.steps, root, test)
    }
}

fn select(steps: &[Step], root: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    let mut value = root;
    for (at, step) in steps.iter().enumerate() {
        let rest = &steps[at + 1..];
        let next = match (step, value) {
            (Step::Key(key), Value::Object(members)) => members.get(key),
            (Step::Index(index), Value::Array(elements)) => elements.get(*index),
            (Step::AnyKey, Value::Object(members)) => return members.values().any(|value| select(rest, value, test)),
            (Step::AnyIndex, Value::Array(elements)) => return elements.iter().any(|value| select(rest, value, test)),
            _ => None,
        };
        match next {
            Some(next) => value = next,
            None => return false,
        }
    }
    test(value)
}

/// What follows a full stop.
fn key_step(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    match cursor.peek() {
        Some('*') => {
            cursor.bump();
            Ok(Step::AnyKey)
        }
        Some('[') => match bracket_step(cursor)? {
            key @ Step::Key(_) => Ok(key),
            _ => cursor.fail(Problem::Expected("a quoted key between the brackets after a full stop")),
        },
        _ => match cursor.take_while(|c| c.is_alphanumeric() || c == '_' || c == '-') {
            "" => cursor.unexpected("a property name"),
            key => Ok(Step::Key(key.to_owned())),
        },
    }
}

/// `[0]`, `[*]` or `['key']`.
fn bracket_step(cursor: &mut Cursor<'_>) -> Result<Step, PatternError> {
    cursor.bump();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.bump();
            Step::AnyIndex
        }
        Some(quote @ ('\'' | '"')) => {
            cursor.bump();
            let key = cursor.take_while(|c| c != quote).to_owned();
            if cursor.bump().is_none() {
                return cursor.fail(Problem::Expected("the closing quote of this key"));
            }
            Step::Key(key)
        }
        _ => match cursor.take_while(|c| c.is_ascii_digit()).parse() {
            Ok(index) => Step::Index(index),
            Err(_) => return cursor.unexpected("an index, * or a quoted key"),
        },
    };
    if cursor.eat("]") { Ok(step) } else { cursor.unexpected("the closing bracket") }
}
