//! One event pattern, with the operators that Lambda supports. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax>. What that page leaves
//! open follows `aws/event-ruler`, the matcher that AWS publishes.

use serde_json::{Map, Number, Value};

const OR: &str = "$or";
/// The largest absolute value of a number in a comparison. <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pattern-operators.html>
const MAX_NUMBER: f64 = 5.0e9;

/// The value is not a pattern.
#[derive(Debug, PartialEq)]
pub struct InvalidPattern;

/// A pattern. All of its members must match.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Vec<Member>);

#[derive(Debug, Clone, PartialEq)]
enum Member {
    /// A pattern for the object at a key.
    Nested(String, Pattern),
    /// Matches if one of the matchers matches the value at a key.
    Leaf(String, Vec<Matcher>),
    /// Matches if one of the patterns matches.
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
    /// Reads a pattern. An empty object matches everything.
    ///
    /// # Errors
    /// The value is not a pattern, or an object inside it is empty.
    pub fn read(value: &Value) -> Result<Self, InvalidPattern> {
        let members = value.as_object().ok_or(InvalidPattern)?;
        members.iter().map(|(key, value)| Member::read(key, value)).collect::<Result<_, _>>().map(Self)
    }

    fn read_nested(value: &Value) -> Result<Self, InvalidPattern> {
        let pattern = Self::read(value)?;
        if pattern.0.is_empty() { Err(InvalidPattern) } else { Ok(pattern) }
    }

    /// Whether the pattern names a key of the event itself.
    pub fn names(&self, key: &str) -> bool {
        self.0.iter().any(|member| match member {
            Member::Nested(name, _) | Member::Leaf(name, _) => name == key,
            Member::Or(patterns) => patterns.iter().any(|pattern| pattern.names(key)),
        })
    }

    /// Whether an event matches. A nested pattern on a key that the event lacks never matches.
    pub fn matches(&self, event: &Map<String, Value>) -> bool {
        self.0.iter().all(|member| match member {
            Member::Nested(key, pattern) => event.get(key).is_some_and(|value| pattern.matches_in(Some(value))),
            Member::Leaf(key, matchers) => matchers.iter().any(|matcher| matcher.matches(event.get(key))),
            Member::Or(patterns) => patterns.iter().any(|pattern| pattern.matches(event)),
        })
    }

    /// Whether a value inside the event matches: an object, or one object of an array. Other values have no members.
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
    fn read(key: &str, value: &Value) -> Result<Self, InvalidPattern> {
        match value {
            Value::Array(items) if items.is_empty() => Err(InvalidPattern),
            Value::Array(items) if key == OR => {
                items.iter().map(Pattern::read_nested).collect::<Result<_, _>>().map(Self::Or)
            }
            Value::Array(items) => {
                let matchers = items.iter().map(Matcher::read).collect::<Result<_, _>>()?;
                Ok(Self::Leaf(key.to_owned(), matchers))
            }
            Value::Object(_) => Ok(Self::Nested(key.to_owned(), Pattern::read_nested(value)?)),
            _ => Err(InvalidPattern),
        }
    }
}

impl Matcher {
    fn read(value: &Value) -> Result<Self, InvalidPattern> {
        match value {
            Value::Array(_) => Err(InvalidPattern),
            Value::Object(members) => {
                let (operator, operand) = single_member(members)?;
                Self::operator(operator, operand)
            }
            scalar => Ok(Self::Equals(scalar.clone())),
        }
    }

    fn operator(name: &str, operand: &Value) -> Result<Self, InvalidPattern> {
        match name {
            "prefix" => Affix::read(operand).map(Self::Prefix),
            "suffix" => Affix::read(operand).map(Self::Suffix),
            "equals-ignore-case" => text(operand).map(Self::EqualsIgnoreCase),
            "exists" => operand.as_bool().map(Self::Exists).ok_or(InvalidPattern),
            "numeric" => read_comparisons(operand).map(Self::Numeric),
            "anything-but" => read_exceptions(operand).map(Self::AnythingBut),
            _ => Err(InvalidPattern),
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
            Self::Equals(Value::Number(expected)) => {
                value.as_number().is_some_and(|actual| are_equal(expected, actual))
            }
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
    fn read(operand: &Value) -> Result<Self, InvalidPattern> {
        match operand {
            Value::Object(members) => match single_member(members)? {
                ("equals-ignore-case", operand) => Ok(Self { text: text(operand)?, ignores_case: true }),
                _ => Err(InvalidPattern),
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
    fn read(text: &str) -> Result<Self, InvalidPattern> {
        Ok(match text {
            "=" => Self::Equal,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return Err(InvalidPattern),
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

fn single_member(members: &Map<String, Value>) -> Result<(&str, &Value), InvalidPattern> {
    let mut members = members.iter();
    match (members.next(), members.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err(InvalidPattern),
    }
}

fn text(value: &Value) -> Result<String, InvalidPattern> {
    value.as_str().map(str::to_owned).ok_or(InvalidPattern)
}

/// Reads one comparison, or a lower and an upper bound.
fn read_comparisons(operand: &Value) -> Result<Vec<(Comparison, f64)>, InvalidPattern> {
    let parts = operand.as_array().ok_or(InvalidPattern)?;
    let pairs: Result<Vec<(Comparison, f64)>, InvalidPattern> = parts
        .chunks(2)
        .map(|pair| match pair {
            [Value::String(comparison), Value::Number(number)] => {
                let number = number.as_f64().filter(|number| number.abs() <= MAX_NUMBER).ok_or(InvalidPattern)?;
                Ok((Comparison::read(comparison)?, number))
            }
            _ => Err(InvalidPattern),
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
        _ => Err(InvalidPattern),
    }
}

/// Reads the operand of `anything-but`: a value, a list of values, or another operator with one text or several.
fn read_exceptions(operand: &Value) -> Result<Vec<Matcher>, InvalidPattern> {
    match operand {
        Value::Object(members) => {
            let (name, operand) = single_member(members)?;
            if !["prefix", "suffix", "equals-ignore-case"].contains(&name) {
                return Err(InvalidPattern);
            }
            match operand {
                Value::Array(items) if items.is_empty() => Err(InvalidPattern),
                Value::Array(items) => items.iter().map(|item| Matcher::operator(name, item)).collect(),
                operand => Ok(vec![Matcher::operator(name, operand)?]),
            }
        }
        Value::Array(items) if items.is_empty() => Err(InvalidPattern),
        Value::Array(items) => items.iter().map(scalar).collect(),
        value => Ok(vec![scalar(value)?]),
    }
}

fn scalar(value: &Value) -> Result<Matcher, InvalidPattern> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(InvalidPattern),
        value => Ok(Matcher::Equals(value.clone())),
    }
}

/// Whether two numbers are equal: `300`, `300.0` and `3.0e2` are. Integers beyond the precision of a float are compared as
/// integers.
fn are_equal(one: &Number, other: &Number) -> bool {
    one == other || ((one.is_f64() || other.is_f64()) && one.as_f64() == other.as_f64())
}

/// Whether `exists` sees the value. It sees leaves only, not an object and not an array without a leaf.
fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().any(is_leaf),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
