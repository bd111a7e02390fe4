//! The members of a REST-JSON request that are in its path, its query or its headers.

use super::input::Input;
use super::model::{Location, Model, Type};

impl Model {
    /// Adds the members in other parts of a request to those of its body. `find` returns the texts with a name in a part of
    /// the request. A member in the body that belongs to another part is ignored.
    pub fn complete(&self, operation: &str, body: Input, find: impl Fn(Location, &str) -> Vec<String>) -> Input {
        let Some(shape) = self.operations.get(operation).map(|name| self.shape(name)) else { return body };
        let mut members = match body {
            Input::Structure(members) => members,
            Input::Null => Vec::new(),
            other => return other,
        };
        members.retain(|(name, _)| !shape.locations.iter().any(|(elsewhere, ..)| **elsewhere == **name));
        for (member, location, name) in &shape.locations {
            let texts = find(*location, name);
            let r#type = shape.member_shape(self, member).map_or(Type::String, |shape| shape.r#type);
            members.extend(read(r#type, texts).map(|input| (member.to_string(), input)));
        }
        Input::Structure(members)
    }
}

fn read(r#type: Type, texts: Vec<String>) -> Option<Input> {
    if r#type == Type::List {
        return (!texts.is_empty()).then(|| Input::List(texts.into_iter().map(Input::Text).collect()));
    }
    let text = texts.into_iter().next()?;
    Some(match (r#type, text.parse()) {
        (Type::Integer | Type::Long, Ok(number)) => Input::Integer(number),
        _ => Input::Text(text),
    })
}
