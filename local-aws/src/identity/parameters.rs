//! Reading the parameters of an action.

use std::collections::BTreeMap;

use crate::error::AwsError;

/// An action's form, decoded. [`super::model::check`] has checked it when an action reads it.
pub(super) struct Parameters<'a>(pub(super) &'a BTreeMap<String, String>);

impl<'a> Parameters<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that the model requires.
    pub(super) fn required(&self, name: &str) -> &'a str {
        self.get(name).unwrap_or_default()
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the form has a parameter below this name.
    pub(super) fn has(&self, name: &str) -> bool {
        let below = format!("{name}.");
        self.0.range(below.clone()..).next().is_some_and(|(first, _)| first.starts_with(&below))
    }

    /// What `read` makes of `<list>.member.1`, `<list>.member.2` and so on, until it finds no more.
    pub(super) fn list<T>(&self, list: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        (1..).map_while(|number: usize| read(&format!("{list}.member.{number}"))).collect()
    }
}

pub(super) fn validation_error(text: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationError", text)
}

pub(super) fn no_such_entity(text: impl Into<String>) -> AwsError {
    AwsError::new(404, "NoSuchEntity", text)
}
