//! One event pattern: the operators that Lambda takes. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax>; where that page is
//! silent, as `aws/event-ruler` has it, the matcher that AWS publishes.

use serde_json::{Map, Number, Value};

const OR: &str = "$or";
/// Numbers are compared within this range only. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pattern-operators.html>
const MAX_NUMBER: f64 = 5.0e9;

/// The text is no pattern.
#[derive(Debug, PartialEq)]
pub struct Invalid;

/// All members must match.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Vec<Member>);

#[derive(Debug, Clone, PartialEq)]
enum Member {
    /// The value of a key, taken apart further.
    Nested(String, Pattern),
    /// The value of a key: one of these matches.
    Leaf(String, Vec<Matcher>),
    /// One of these patterns matches.
    Or(Vec<Pattern>),
}

#[derive(Debug, Clone, PartialEq)]
enum Matcher {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(Affix),
    Suffix(Affix),
    AnythingBut(Vec<Self>),
    Numeric(Vec<(Comparison, f64)>),
    Exists(bool),
}

#[derive(Debug, Clone, PartialEq)]
struct Affix {
    text: String,
    ignores_case: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Pattern {
    /// # Errors
    /// `Invalid` for what is no pattern. An empty object matches everything; inside a pattern it has no meaning.
    pub fn read(value: &Value) -> Result<Self, Invalid> {
        let members = value.as_object().ok_or(Invalid)?;
        members.iter().map(|(key, value)| Member::read(key, value)).collect::<Result<_, _>>().map(Self)
    }

    fn read_nested(value: &Value) -> Result<Self, Invalid> {
        let pattern = Self::read(value)?;
        if pattern.0.is_empty() { Err(Invalid) } else { Ok(pattern) }
    }

    /// Whether the pattern asks for a key of the event itself.
    pub fn names(&self, key: &str) -> bool {
        self.0.iter().any(|member| match member {
            Member::Nested(name, _) | Member::Leaf(name, _) => name == key,
            Member::Or(patterns) => patterns.iter().any(|pattern| pattern.names(key)),
        })
    }

    /// Whether an event matches. A nested pattern on a key that the event itself lacks does not, whatever it asks.
    pub fn matches(&self, event: &Map<String, Value>) -> bool {
        self.0.iter().all(|member| match member {
            Member::Nested(key, pattern) => event.get(key).is_some_and(|value| pattern.matches_in(Some(value))),
            Member::Leaf(key, matchers) => matchers.iter().any(|matcher| matcher.matches(event.get(key))),
            Member::Or(patterns) => patterns.iter().any(|pattern| pattern.matches(event)),
        })
    }

    /// Whether a value below the event matches: an object, or one object of an array. What is no object has no members.
    fn matches_in(&self, value: Option<&Value>) -> bool {
        match value {
            Some(Value::Array(items)) if !items.is_empty() => items.iter().any(|item| self.matches_in(Some(item))),
            Some(Value::Object(members)) => self.matches_members(|key| members.get(key)),
            _ => self.matches_members(|_| None),
        }
    }

    fn matches_members<'a>(&self, get: impl Fn(&str) -> Option<&'a Value> + Copy) -> bool {
        self.0.iter().all(|member| match member {
            Member::Nested(key, pattern) => pattern.matches_in(get(key)),
            Member::Leaf(key, matchers) => matchers.iter().any(|matcher| matcher.matches(get(key))),
            Member::Or(patterns) => patterns.iter().any(|pattern| pattern.matches_members(get)),
        })
    }
}

impl Member {
    fn read(key: &str, value: &Value) -> Result<Self, Invalid> {
        match value {
            Value::Array(items) if items.is_empty() => Err(Invalid),
            Value::Array(items) if key == OR => {
                items.iter().map(Pattern::read_nested).collect::<Result<_, _>>().map(Self::Or)
            }
            Value::Array(items) => {
                let matchers = items.iter().map(Matcher::read).collect::<Result<_, _>>()?;
                Ok(Self::Leaf(key.to_owned(), matchers))
            }
            Value::Object(_) => Ok(Self::Nested(key.to_owned(), Pattern::read_nested(value)?)),
            _ => Err(Invalid),
        }
    }
}

impl Matcher {
    fn read(value: &Value) -> Result<Self, Invalid> {
        match value {
            Value::Array(_) => Err(Invalid),
            Value::Object(members) => {
                let (operator, operand) = only(members)?;
                Self::operator(operator, operand)
            }
            scalar => Ok(Self::Equals(scalar.clone())),
        }
    }

    fn operator(name: &str, operand: &Value) -> Result<Self, Invalid> {
        match name {
            "prefix" => Affix::read(operand).map(Self::Prefix),
            "suffix" => Affix::read(operand).map(Self::Suffix),
            "equals-ignore-case" => text(operand).map(Self::EqualsIgnoreCase),
            "exists" => operand.as_bool().map(Self::Exists).ok_or(Invalid),
            "numeric" => read_comparisons(operand).map(Self::Numeric),
            "anything-but" => read_exceptions(operand).map(Self::AnythingBut),
            _ => Err(Invalid),
        }
    }

    fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Exists(exists), value) => *exists == value.is_some_and(is_leaf),
            (_, None) => false,
            (_, Some(Value::Array(items))) => items.iter().any(|item| self.matches(Some(item))),
            (_, Some(Value::Object(_))) => false,
            (_, Some(value)) => self.matches_scalar(value),
        }
    }

    fn matches_scalar(&self, value: &Value) -> bool {
        match self {
            Self::Equals(Value::Number(expected)) => value.as_number().is_some_and(|actual| same(expected, actual)),
            Self::Equals(expected) => expected == value,
            Self::EqualsIgnoreCase(expected) => {
                value.as_str().is_some_and(|text| text.to_lowercase() == expected.to_lowercase())
            }
            Self::Prefix(affix) => affix.compare(value, |text, affix| text.starts_with(affix)),
            Self::Suffix(affix) => affix.compare(value, |text, affix| text.ends_with(affix)),
            Self::AnythingBut(exceptions) => !exceptions.iter().any(|exception| exception.matches_scalar(value)),
            Self::Numeric(comparisons) => {
                let number = value.as_f64();
                number
                    .is_some_and(|number| comparisons.iter().all(|(comparison, with)| comparison.holds(number, *with)))
            }
            Self::Exists(exists) => *exists,
        }
    }
}

impl Affix {
    fn read(operand: &Value) -> Result<Self, Invalid> {
        match operand {
            Value::Object(members) => match only(members)? {
                ("equals-ignore-case", operand) => Ok(Self { text: text(operand)?, ignores_case: true }),
                _ => Err(Invalid),
            },
            operand => Ok(Self { text: text(operand)?, ignores_case: false }),
        }
    }

    fn compare(&self, value: &Value, has: impl Fn(&str, &str) -> bool) -> bool {
        match (value.as_str(), self.ignores_case) {
            (Some(text), false) => has(text, &self.text),
            (Some(text), true) => has(&text.to_lowercase(), &self.text.to_lowercase()),
            (None, _) => false,
        }
    }
}

impl Comparison {
    fn read(text: &str) -> Result<Self, Invalid> {
        Ok(match text {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return Err(Invalid),
        })
    }

    fn holds(self, number: f64, with: f64) -> bool {
        match self {
            Self::Equal => number == with,
            Self::Less => number < with,
            Self::LessOrEqual => number <= with,
            Self::Greater => number > with,
            Self::GreaterOrEqual => number >= with,
        }
    }

    fn is_lower_bound(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterOrEqual)
    }
}

fn only(members: &Map<String, Value>) -> Result<(&str, &Value), Invalid> {
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(Invalid),
    }
}

fn text(value: &Value) -> Result<String, Invalid> {
    value.as_str().map(str::to_owned).ok_or(Invalid)
}

/// One comparison, or a lower and an upper bound.
fn read_comparisons(operand: &Value) -> Result<Vec<(Comparison, f64)>, Invalid> {
    let parts = operand.as_array().ok_or(Invalid)?;
    let pairs: Result<Vec<(Comparison, f64)>, Invalid> = parts
        .chunks(2)
        .map(|pair| match pair {
            [Value::String(comparison), Value::Number(number)] => {
                let number = number.as_f64().filter(|number| number.abs() <= MAX_NUMBER).ok_or(Invalid)?;
                Ok((Comparison::read(comparison)?, number))
            }
            _ => Err(Invalid),
        })
        .collect();
    let pairs = pairs?;
    match pairs[..] {
        [_] => Ok(pairs),
        [(first, low), (second, high)]
            if first.is_lower_bound() && !second.is_lower_bound() && second != Comparison::Equal && low < high =>
        {
            Ok(pairs)
        }
        _ => Err(Invalid),
    }
}

/// `anything-but`: a value, a list of values, or another operator with one text or several.
fn read_exceptions(operand: &Value) -> Result<Vec<Matcher>, Invalid> {
    match operand {
        Value::Object(members) => {
            let (name, operand) = only(members)?;
            if !["prefix", "suffix", "equals-ignore-case"].contains(&name) {
                return Err(Invalid);
            }
            match operand {
                Value::Array(items) if items.is_empty() => Err(Invalid),
                Value::Array(items) => items.iter().map(|item| Matcher::operator(name, item)).collect(),
                operand => Ok(vec![Matcher::operator(name, operand)?]),
            }
        }
        Value::Array(items) if items.is_empty() => Err(Invalid),
        Value::Array(items) => items.iter().map(scalar).collect(),
        value => Ok(vec![scalar(value)?]),
    }
}

fn scalar(value: &Value) -> Result<Matcher, Invalid> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(Invalid),
        value => Ok(Matcher::Equals(value.clone())),
    }
}

/// `300`, `300.0` and `3.0e2` are one number. Integers too large for a fraction's precision are compared as integers.
fn same(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}

/// `exists` knows leaves only: an object is none, nor is an array without one.
fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().any(is_leaf),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
