//! Reading and checking the parameters of an action.

use std::collections::BTreeMap;

use crate::error::AwsError;

/// An action's form, decoded.
pub(super) struct Parameters<'a>(pub(super) &'a BTreeMap<String, String>);

impl<'a> Parameters<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there, `least` to `most` characters long.
    pub(super) fn required(&self, name: &str, least: usize, most: usize) -> Result<&'a str, AwsError> {
        let value = self.get(name).ok_or_else(|| broken("null", name, "Member must not be null"))?;
        check_length(name, value, least, most)?;
        Ok(value)
    }

    /// A parameter that may be missing, `least` to `most` characters long.
    pub(super) fn optional(&self, name: &str, least: usize, most: usize) -> Result<Option<&'a str>, AwsError> {
        let value = self.get(name);
        value.map_or(Ok(()), |value| check_length(name, value, least, most))?;
        Ok(value)
    }

    /// A name of letters, digits and `+=,.@_-`.
    pub(super) fn name(&self, name: &str, most: usize) -> Result<&'a str, AwsError> {
        let value = self.required(name, 1, most)?;
        if value.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c)) {
            return Ok(value);
        }
        Err(validation_error(format!(
            "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
            member(name)
        )))
    }

    pub(super) fn role_name(&self) -> Result<&'a str, AwsError> {
        self.name("RoleName", 64)
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, name: &str, least: u32, most: u32) -> Result<Option<u32>, AwsError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let quoted = format!("'{value}'");
        match value.parse() {
            Ok(number) if number < least => {
                Err(broken(&quoted, name, &format!("Member must have value greater than or equal to {least}")))
            }
            Ok(number) if number > most => {
                Err(broken(&quoted, name, &format!("Member must have value less than or equal to {most}")))
            }
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(AwsError::bad_request("MalformedInput", format!("{name} is not a whole number: {value}"))),
        }
    }

    /// What `read` makes of `<list>.member.1`, `<list>.member.2` and so on, until it finds no more.
    pub(super) fn list<T>(&self, list: &str, read: impl Fn(&str) -> Option<T>) -> Vec<T> {
        (1..).map_while(|number: usize| read(&format!("{list}.member.{number}"))).collect()
    }
}

fn check_length(name: &str, value: &str, least: usize, most: usize) -> Result<(), AwsError> {
    let length = value.chars().count();
    let constraint = if length < least {
        format!("Member must have length greater than or equal to {least}")
    } else if length > most {
        format!("Member must have length less than or equal to {most}")
    } else {
        return Ok(());
    };
    Err(broken(&format!("'{value}'"), name, &constraint))
}

fn broken(value: &str, name: &str, constraint: &str) -> AwsError {
    let member = member(name);
    let text =
        format!("1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {constraint}");
    validation_error(text)
}

pub(super) fn validation_error(text: impl Into<String>) -> AwsError {
    AwsError::bad_request("ValidationError", text)
}

/// Parameters begin with a capital, members in texts do not.
fn member(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}
