//! The constraints of a request's members, reported as on AWS: all at once, up to ten, each with the path and Java's
//! form of the value.

use std::fmt::Write as _;

use serde_json::{Number, Value};

use super::model::{Model, Shape, Type};

/// The most violations that AWS reports for one request (recorded).
const REPORTED: usize = 10;

/// The hash code that Java shows for a structure. It has no meaning.
const HASH_CODE: &str = "c965e310";

pub(super) struct Violations<'a> {
    model: &'a Model,
    found: Vec<String>,
    /// The message about the first text that violates a pattern with its own message.
    sentence: Option<String>,
}

impl<'a> Violations<'a> {
    /// Finds the violations of an input whose types are right.
    pub(super) fn of(model: &'a Model, shape: &Shape, input: &Value) -> Self {
        let mut violations = Self { model, found: Vec::new(), sentence: None };
        violations.check_members(shape, input, "");
        violations
    }

    /// Finds the violations of one value of a shape.
    pub(super) fn of_value(model: &'a Model, shape: &str, path: &str, value: &Value) -> Self {
        let mut violations = Self { model, found: Vec::new(), sentence: None };
        violations.check_value(shape, model.shape(shape), value, path);
        violations
    }

    pub(super) fn message(mut self) -> Option<String> {
        self.found.truncate(REPORTED);
        let count = self.found.len();
        if count == 0 {
            return self.sentence;
        }
        Some(detected(&self.found))
    }

    fn check_members(&mut self, structure: &Shape, value: &Value, path: &str) {
        for (name, shape) in &structure.members {
            if self.found.len() >= REPORTED {
                return;
            }
            let shape_of_member = self.model.shape(shape);
            let path = join(path, &lower_first(name));
            match value.get(&**name) {
                Some(value) => self.check_value(shape, shape_of_member, value, &path),
                None if structure.required.contains(name) => self.report_null(&path),
                None => {}
            }
        }
    }

    fn check_value(&mut self, name: &str, shape: &Shape, value: &Value, path: &str) {
        for constraint in broken(shape, value) {
            self.report(name, shape, value, path, &format!("Member must {constraint}"));
        }
        if let Some(sentence) = shape.sentence.as_ref().filter(|_| is_mismatch(shape, value)) {
            self.sentence.get_or_insert(format!("The specified value for {path} is invalid. {sentence}"));
        }
        match (shape.r#type, value) {
            (Type::Structure, _) => self.check_members(shape, value, path),
            (Type::List, Value::Array(items)) => self.check_list(name, shape, items, value, path),
            (Type::Map, Value::Object(_)) => self.check_map(name, shape, value, path),
            _ => {}
        }
    }

    fn check_list(&mut self, name: &str, list: &Shape, items: &[Value], value: &Value, path: &str) {
        let Some((item_name, item_shape)) = self.named(list.member.as_deref()) else { return };
        for (index, item) in items.iter().enumerate() {
            if self.found.len() >= REPORTED {
                return;
            }
            let path = format!("{path}.{}.member", index + 1);
            match item {
                Value::Null => self.report_null(&path),
                item if item_shape.is_aggregate() => self.check_value(item_name, item_shape, item, &path),
                _ => {}
            }
        }
        if !item_shape.is_aggregate() && items.iter().any(|item| is_broken(item_shape, item)) {
            let constraint =
                format!("Member must satisfy constraint: [{}]", all_of(item_shape, list.elements_not_null));
            self.report(name, list, value, path, &constraint);
        }
    }

    fn check_map(&mut self, name: &str, map: &Shape, value: &Value, path: &str) {
        let (keys, values) = (self.named(map.key.as_deref()), self.named(map.value.as_deref()));
        let Some(entries) = value.as_object() else { return };
        if let Some((_, shape)) = keys.filter(|(_, shape)| entries.keys().any(|key| is_text_broken(shape, key))) {
            let constraint = format!("Map keys must satisfy constraint: [{}]", all_of(shape, false));
            self.report(name, map, value, path, &constraint);
        }
        let Some((value_name, shape)) = values else { return };
        if shape.is_aggregate() {
            for (key, entry) in entries {
                self.check_value(value_name, shape, entry, &format!("{path}.{key}.member"));
            }
        } else if entries.values().any(|entry| entry.is_null() || is_broken(shape, entry)) {
            let constraint = format!("Map value must satisfy constraint: [{}]", all_of(shape, map.elements_not_null));
            self.report(name, map, value, path, &constraint);
        }
    }

    fn named<'n>(&self, name: Option<&'n str>) -> Option<(&'n str, &'a Shape)> {
        name.map(|name| (name, self.model.shape(name)))
    }

    fn report_null(&mut self, path: &str) {
        self.found.push(violated("null", path, "Member must not be null"));
    }

    fn report(&mut self, name: &str, shape: &Shape, value: &Value, path: &str, constraint: &str) {
        if shape.sensitive {
            self.found.push(format!("Value at '{path}' failed to satisfy constraint: {constraint}"));
            return;
        }
        let mut shown = String::new();
        self.show(name, shape, value, &mut shown);
        self.found.push(violated(&format!("'{shown}'"), path, constraint));
    }

    /// Writes a value as Java's `toString` does.
    fn show(&self, name: &str, shape: &Shape, value: &Value, shown: &mut String) {
        let written = match (shape.r#type, value) {
            (Type::Structure, _) => write!(shown, "{}.{name}@{HASH_CODE}", self.model.package),
            (Type::Blob, _) => {
                let length = length(shape, value).unwrap_or_default();
                write!(shown, "java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]")
            }
            (Type::List, Value::Array(items)) => {
                shown.push('[');
                for (index, item) in items.iter().enumerate() {
                    shown.push_str(if index == 0 { "" } else { ", " });
                    self.show_inner(shape.member.as_deref(), item, shown);
                }
                write!(shown, "]")
            }
            (Type::Map, Value::Object(entries)) => {
                shown.push('{');
                for (index, (key, entry)) in entries.iter().enumerate() {
                    shown.push_str(if index == 0 { "" } else { ", " });
                    shown.push_str(key);
                    shown.push('=');
                    self.show_inner(shape.value.as_deref(), entry, shown);
                }
                write!(shown, "}}")
            }
            (_, Value::String(text)) => write!(shown, "{text}"),
            (_, other) => write!(shown, "{other}"),
        };
        // Writing to a String cannot fail.
        debug_assert!(written.is_ok());
    }

    fn show_inner(&self, name: Option<&str>, value: &Value, shown: &mut String) {
        match self.named(name) {
            Some((name, shape)) if !value.is_null() => self.show(name, shape, value, shown),
            _ => shown.push_str("null"),
        }
    }
}

/// The message about one violation or more.
pub(super) fn detected(violations: &[String]) -> String {
    let count = violations.len();
    let errors = if count == 1 { "error" } else { "errors" };
    format!("{count} validation {errors} detected: {}", violations.join("; "))
}

/// One violation. `value` is as Java shows it, with its quotes.
pub(super) fn violated(value: &str, path: &str, constraint: &str) -> String {
    format!("Value {value} at '{path}' failed to satisfy constraint: {constraint}")
}

/// The constraints that a value violates, in AWS's order.
fn broken(shape: &Shape, value: &Value) -> Vec<String> {
    let is_number = matches!(shape.r#type, Type::Integer | Type::Long | Type::Double);
    let size = if is_number { value.as_f64() } else { length(shape, value).map(|length| length as f64) };
    let is_below = |min: &&Number| size.zip(min.as_f64()).is_some_and(|(size, min)| size < min);
    let is_above = |max: &&Number| size.zip(max.as_f64()).is_some_and(|(size, max)| size > max);
    let text = value.as_str().filter(|_| shape.r#type == Type::String);
    let mismatch = shape.pattern.as_ref().filter(|_| shape.sentence.is_none() && is_mismatch(shape, value));
    let is_unlisted =
        !shape.r#enum.is_empty() && text.is_some_and(|text| !shape.r#enum.iter().any(|value| **value == *text));
    let broken = [
        mismatch.map(|pattern| must_match(&pattern.text)),
        shape.min.as_ref().filter(is_below).map(|min| at_least(shape, min)),
        shape.max.as_ref().filter(is_above).map(|max| at_most(shape, max)),
        is_unlisted.then(|| must_be_listed(shape)),
    ];
    broken.into_iter().flatten().collect()
}

/// Whether a text violates its pattern.
fn is_mismatch(shape: &Shape, value: &Value) -> bool {
    let text = value.as_str().filter(|_| shape.r#type == Type::String);
    shape.pattern.as_ref().zip(text).is_some_and(|(pattern, text)| !pattern.matches(text))
}

fn is_broken(shape: &Shape, value: &Value) -> bool {
    !value.is_null() && !broken(shape, value).is_empty()
}

fn is_text_broken(shape: &Shape, text: &str) -> bool {
    is_broken(shape, &Value::from(text))
}

/// Every constraint of a shape. Messages about elements of lists and maps contain all of them.
fn all_of(shape: &Shape, is_not_null: bool) -> String {
    let constraints = [
        shape.max.as_ref().map(|max| at_most(shape, max)),
        shape.min.as_ref().map(|min| at_least(shape, min)),
        shape.pattern.as_ref().map(|pattern| must_match(&pattern.text)),
        (!shape.r#enum.is_empty()).then(|| must_be_listed(shape)),
        is_not_null.then(|| "not be null".to_owned()),
    ];
    let constraints: Vec<_> =
        constraints.into_iter().flatten().map(|constraint| format!("Member must {constraint}")).collect();
    constraints.join(", ")
}

fn at_least(shape: &Shape, min: &Number) -> String {
    format!("have {} greater than or equal to {min}", measured(shape))
}

fn at_most(shape: &Shape, max: &Number) -> String {
    format!("have {} less than or equal to {max}", measured(shape))
}

fn measured(shape: &Shape) -> &'static str {
    if matches!(shape.r#type, Type::Integer | Type::Long | Type::Double) { "value" } else { "length" }
}

fn must_match(pattern: &str) -> String {
    format!("satisfy regular expression pattern: {pattern}")
}

fn must_be_listed(shape: &Shape) -> String {
    format!("satisfy enum value set: [{}]", shape.r#enum.join(", "))
}

fn length(shape: &Shape, value: &Value) -> Option<usize> {
    match value {
        Value::String(text) if shape.r#type == Type::Blob => base64_simd::STANDARD.decoded_length(text.as_bytes()).ok(),
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(entries) => Some(entries.len()),
        _ => None,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn lower_first(name: &str) -> String {
    let mut name = name.to_owned();
    name.get_mut(..1).into_iter().for_each(str::make_ascii_lowercase);
    name
}
