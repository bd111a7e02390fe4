//! The members of a request of the query protocol, in a form: `Name`, `Structure.Name`, `List.member.1`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::input::Input;
use super::model::{Model, Shape, Type};
use crate::error::AwsError;

impl Model {
    /// Reads an operation's input from a form.
    ///
    /// # Errors
    /// `MalformedInput` for the first text that is not of the member's type, or else one error with all violated constraints.
    pub fn read_form(&self, operation: &str, form: &BTreeMap<String, String>) -> Result<Value, AwsError> {
        let shape = self.operations.get(operation).map(|name| self.shape(name));
        let input = shape.map_or(Ok(None), |shape| self.read_member(shape, form, ""))?;
        self.read(operation, input.unwrap_or(Input::Null))
    }

    /// Reads the member with this name. The input itself has an empty name.
    fn read_member(
        &self,
        shape: &Shape,
        form: &BTreeMap<String, String>,
        name: &str,
    ) -> Result<Option<Input>, AwsError> {
        match shape.r#type {
            Type::Structure => {
                let mut members = Vec::new();
                for (member, shape) in &shape.members {
                    let name = if name.is_empty() { member.to_string() } else { format!("{name}.{member}") };
                    let input = self.read_member(self.shape(shape), form, &name)?;
                    members.extend(input.map(|input| (member.to_string(), input)));
                }
                Ok((!members.is_empty()).then_some(Input::Structure(members)))
            }
            Type::List => {
                let Some(item) = shape.member.as_deref().map(|item| self.shape(item)) else { return Ok(None) };
                let mut items = Vec::new();
                while let Some(input) = self.read_member(item, form, &format!("{name}.member.{}", items.len() + 1))? {
                    items.push(input);
                }
                Ok((!items.is_empty()).then_some(Input::List(items)))
            }
            scalar => form.get(name).map(|text| read_scalar(scalar, name, text)).transpose(),
        }
    }
}

fn read_scalar(r#type: Type, name: &str, text: &str) -> Result<Input, AwsError> {
    let read = match r#type {
        Type::Integer => text.parse::<i32>().ok().map(|number| Input::Integer(number.into())),
        Type::Boolean => text.to_ascii_lowercase().parse().ok().map(Input::Bool),
        _ => Some(Input::Text(text.to_owned())),
    };
    // Unverified: AWS's message.
    read.ok_or_else(|| AwsError::bad_request("MalformedInput", format!("{name} has a value of another type: {text}")))
}

#[cfg(test)]
mod tests;
