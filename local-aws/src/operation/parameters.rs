//! The parameters of the query protocol.

use std::collections::BTreeMap;

/// The decoded form of an action, validated against the service's model.
pub struct Parameters<'a>(pub &'a BTreeMap<String, String>);

impl<'a> Parameters<'a> {
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that the model requires.
    pub fn required(&self, name: &str) -> &'a str {
        self.get(name).unwrap_or_default()
    }

    pub fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// Whether the form has a parameter that begins with this name and a dot.
    pub fn has(&self, name: &str) -> bool {
        let below = format!("{name}.");
        self.0.range(below.clone()..).next().is_some_and(|(first, _)| first.starts_with(&below))
    }

    /// Reads `<list>.member.1`, `<list>.member.2` and so on, until `read` returns `None`.
    pub fn list<T>(&self, list: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        (1..).map_while(|number: usize| read(&format!("{list}.member.{number}"))).collect()
    }
}
