//! Chosen fields of events: `--fields time,key,data.user.id` and `--template '{time} {data.user.id}'`.

use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::full_time;
use crate::error::{Error, Result};
use crate::tail::event::Event;
use crate::tail::members::members;
use crate::tail::record::{Body, Record};

/// A field of an event.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    kind: FieldSource,
}

#[derive(Debug, Clone, PartialEq)]
enum FieldSource {
    Time,
    Group,
    Stream,
    EventId,
    Message,
    Key,
    Level,
    Data,
    /// A path of member names and array indices, from the message on.
    Path(Vec<String>),
}

impl Field {
    fn parse(name: &str) -> Result<Self> {
        let name = name.trim();
        let kind = match name {
            "time" => FieldSource::Time,
            "group" => FieldSource::Group,
            "logStream" => FieldSource::Stream,
            "eventId" => FieldSource::EventId,
            "message" => FieldSource::Message,
            "key" => FieldSource::Key,
            "level" => FieldSource::Level,
            "data" => FieldSource::Data,
            path => FieldSource::Path(path.split('.').map(str::to_owned).collect()),
        };
        if name.split('.').any(str::is_empty) {
            return Err(Error::usage(format!("{name:?} is not the name of a field"))
                .hint("fields look like time, key, level, data, data.user.id, data.items.0, sequenceNumber, group, logStream, message"));
        }
        Ok(Self { name: name.to_owned(), kind })
    }

    /// Returns the value as text; `None` if the event has none.
    fn value(&self, event: &Event, zone: &TimeZone) -> Option<String> {
        let message = event.text();
        Some(match &self.kind {
            FieldSource::Time => full_time(event.timestamp, zone),
            FieldSource::Group => event.log_group.to_string(),
            FieldSource::Stream => event.log_stream.clone(),
            FieldSource::EventId => event.event_id.clone()?,
            FieldSource::Message => message.to_owned(),
            FieldSource::Key => Record::parse(message).key?.into_owned(),
            FieldSource::Level => format!("{:?}", Record::parse(message).level).to_uppercase(),
            FieldSource::Data => match Record::parse(message).body {
                Body::Json(json) | Body::Both(_, json) => json.to_owned(),
                Body::Text(text) => text.into_owned(),
            },
            FieldSource::Path(path) => of_path(message, path)?,
        })
    }
}

/// Returns the value at a path into a line, or into the data of a text line.
fn of_path(message: &str, path: &[String]) -> Option<String> {
    let (root, path) = match Record::parse(message).body {
        // A text line has JSON only as its data.
        Body::Json(data) if !message.starts_with('{') && path[0] == "data" => (data.to_owned(), &path[1..]),
        _ => (message.to_owned(), path),
    };
    let value = path.iter().try_fold(root, |value, step| member(&value, step))?;
    Some(serde_json::from_str::<String>(&value).unwrap_or(value))
}

fn member(json: &str, step: &str) -> Option<String> {
    if json.trim_start().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
        return items.get(step.parse::<usize>().ok()?).map(|item| item.get().to_owned());
    }
    let found = members(json).into_iter().find(|(name, _)| name == step)?;
    Some(found.1.get().to_owned())
}

/// The columns of `--fields`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields(Vec<Field>);

impl Fields {
    /// Parses the names.
    ///
    /// # Errors
    /// A name that is not a field.
    pub fn parse(names: &[String]) -> Result<Self> {
        names.iter().map(|name| Field::parse(name)).collect::<Result<_>>().map(Self)
    }

    /// Returns the values separated by tabs, with `-` for a missing one. A tab or a line break in a value is escaped, but no
    /// backslash, so that JSON stays JSON.
    pub fn line(&self, event: &Event, zone: &TimeZone) -> String {
        let values = self.0.iter().map(|field| match field.value(event, zone) {
            Some(value) => value.replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r"),
            None => "-".to_owned(),
        });
        values.collect::<Vec<_>>().join("\t")
    }

    /// Returns the values as an object of strings, without the missing ones.
    pub fn json(&self, event: &Event, zone: &TimeZone) -> String {
        let members = self.0.iter().filter_map(|field| {
            let value = field.value(event, zone)?;
            Some(format!("{}:{}", serde_json::to_string(&field.name).ok()?, serde_json::to_string(&value).ok()?))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

/// Text with fields in braces.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Field(Field),
}

impl Template {
    /// Parses `{time} {data.user.id}`. `{{` and `}}` are braces, `\t` and `\n` a tab and a line break.
    ///
    /// # Errors
    /// A brace without its counterpart, or a name that is not a field.
    pub fn parse(template: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::usage(format!("--template {template}: {what}"))
                .hint("it looks like '{time} {data.user.id}'; write {{ and }} for braces")
        };
        let (mut parts, mut text) = (Vec::new(), String::new());
        let mut rest = template;
        while let Some(c) = rest.chars().next() {
            let pair = rest.get(..2).unwrap_or_default();
            let literal = match pair {
                "{{" => Some('{'),
                "}}" => Some('}'),
                "\\t" => Some('\t'),
                "\\n" => Some('\n'),
                _ => None,
            };
            if let Some(literal) = literal {
                text.push(literal);
                rest = &rest[2..];
            } else if c == '{' {
                let end = rest.find('}').ok_or_else(|| wrong("a brace is not closed"))?;
                parts.push(Part::Text(std::mem::take(&mut text)));
                parts.push(Part::Field(Field::parse(&rest[1..end])?));
                rest = &rest[end + 1..];
            } else if c == '}' {
                return Err(wrong("a brace is closed that was not opened"));
            } else {
                text.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        parts.push(Part::Text(text));
        Ok(Self(parts))
    }

    /// Returns the line of an event. A missing field is `-`.
    pub fn line(&self, event: &Event, zone: &TimeZone) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(field) => field.value(event, zone).unwrap_or_else(|| "-".to_owned()),
        });
        parts.collect()
    }
}
