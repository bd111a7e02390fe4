//! The kinds of values that settings have: how a value is read from text, checked, and described in the JSON Schema.

use std::ops::RangeInclusive;

use kinesis_event_logger_core::limits::LOG_RETENTION_DAYS;
use serde_json::{Value, json};

use crate::time;

/// The text that means that a setting is not set, for kinds that allow it.
pub const NONE: &str = "none";

/// The kind of a setting's value.
#[derive(Debug, Clone)]
pub enum Kind {
    Integer(RangeInclusive<i64>),
    /// An integer, or `none`.
    IntegerOrNone(RangeInclusive<i64>),
    /// Seconds, as an integer or as text such as `90s`.
    Seconds(RangeInclusive<i64>),
    /// Seconds, or -1 for no limit.
    SecondsOrNever(RangeInclusive<i64>),
    /// Days that CloudWatch Logs accepts, or 0 for no end.
    RetentionDays,
    /// A number of shards, or `on-demand`.
    Shards,
    Bool,
    OneOf(&'static [&'static str]),
    /// Text, or `none`.
    TextOrNone,
    /// An ARN, or `none`.
    ArnOrNone,
    /// JSON texts.
    Patterns,
    /// Identifiers that begin with this prefix.
    Ids(&'static str),
    /// Texts by name.
    Variables,
    Time,
}

impl Kind {
    /// Reads a value from an option or an environment variable.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let integer = |range: &RangeInclusive<i64>| {
            text.parse::<i64>().ok().filter(|number| range.contains(number)).map(|number| json!(number)).ok_or(())
        };
        let seconds = |range: &RangeInclusive<i64>| time::seconds::<i64>(range.clone())(text).map(|it| json!(it));
        let value = match self {
            Self::IntegerOrNone(_) | Self::TextOrNone | Self::ArnOrNone if text == NONE => Ok(json!(NONE)),
            Self::Integer(range) | Self::IntegerOrNone(range) => integer(range),
            Self::Seconds(range) => seconds(range).map_err(drop),
            Self::SecondsOrNever(_) if text == "-1" => Ok(json!(-1)),
            Self::SecondsOrNever(range) => seconds(range).map_err(drop),
            Self::RetentionDays => match text.parse::<u32>() {
                Ok(days) if days == 0 || LOG_RETENTION_DAYS.contains(&days) => Ok(json!(days)),
                _ => Err(()),
            },
            Self::Shards if text == "on-demand" => Ok(json!(text)),
            Self::Shards => integer(&(1..=i64::from(i32::MAX))),
            Self::Bool => text.parse::<bool>().map(|it| json!(it)).map_err(drop),
            Self::OneOf(words) => {
                words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| json!(word)).ok_or(())
            }
            Self::TextOrNone if !text.is_empty() => Ok(json!(text)),
            Self::ArnOrNone if text.starts_with("arn:") && text.split(':').count() >= 6 => Ok(json!(text)),
            Self::TextOrNone | Self::ArnOrNone => Err(()),
            Self::Patterns | Self::Ids(_) if text == NONE => Ok(json!([])),
            Self::Ids(prefix) => {
                let ids: Vec<_> = text.split(',').map(str::trim).collect();
                if ids.iter().all(|id| is_id(id, prefix)) { Ok(self.in_order(json!(ids))) } else { Err(()) }
            }
            Self::Patterns => match serde_json::from_str::<Value>(text) {
                Ok(pattern @ Value::Object(_)) => Ok(json!([pattern.to_string()])),
                _ => Err(()),
            },
            Self::Variables => match text.split_once('=') {
                Some((name, value)) if is_variable_name(name) => Ok(json!({ name: value })),
                _ => Err(()),
            },
            Self::Time => text.parse().map(|time| json!(time::to_the_millisecond(time).to_string())).map_err(drop),
        };
        value.map_err(|()| format!("expected {}", self.expected()))
    }

    /// Checks a value of the configuration file.
    pub fn check(&self, value: &Value) -> Result<Value, String> {
        let wrong = || format!("expected {}", self.expected());
        match (self, value) {
            (Self::Patterns | Self::Ids(_), Value::Array(items)) => {
                let mut texts = Vec::new();
                for item in items {
                    let parsed = self.parse(item.as_str().ok_or_else(wrong)?)?;
                    texts.extend(parsed.as_array().into_iter().flatten().cloned());
                }
                Ok(self.in_order(texts.into()))
            }
            (Self::Variables, Value::Object(members)) => {
                match members.iter().find(|(name, value)| !is_variable_name(name) || !value.is_string()) {
                    None => Ok(value.clone()),
                    Some((name, _)) if !is_variable_name(name) => Err(format!(
                        "expected names of two or more letters, digits and underscores, but one is {name:?}"
                    )),
                    Some((name, _)) => Err(format!("expected a text for {name}, such as \"1\"")),
                }
            }
            (Self::Patterns | Self::Ids(_), Value::String(text)) => self.parse(text),
            (Self::Variables, _) => {
                Err("expected a table of names and texts, such as { LOGGER_DATA = \"hash\" }".into())
            }
            (Self::Patterns | Self::Ids(_), _) => Err(wrong()),
            (Self::Bool, Value::Bool(_)) => Ok(value.clone()),
            (Self::Bool, _) => Err(wrong()),
            (_, Value::Number(number)) if self.accepts_integers() => self.parse(&number.to_string()),
            (_, Value::String(text)) if self.accepts_text() => self.parse(text),
            _ => Err(wrong()),
        }
    }

    /// Sorts identifiers, of which the service does not keep the order.
    pub fn in_order(&self, mut value: Value) -> Value {
        if let (Self::Ids(_), Value::Array(ids)) = (self, &mut value) {
            ids.sort_unstable_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
        value
    }

    fn accepts_integers(&self) -> bool {
        !matches!(self, Self::OneOf(_) | Self::TextOrNone | Self::ArnOrNone | Self::Time)
    }

    fn accepts_text(&self) -> bool {
        !matches!(self, Self::Integer(_) | Self::RetentionDays)
    }

    /// Describes the accepted values, as the end of the sentence "expected …".
    pub fn expected(&self) -> String {
        let range = |range: &RangeInclusive<i64>| format!("{} to {}", range.start(), range.end());
        match self {
            Self::Integer(it) => format!("a whole number from {}", range(it)),
            Self::IntegerOrNone(it) => format!("a whole number from {}, or `{NONE}`", range(it)),
            Self::Seconds(it) => format!("{} seconds, as in 90, 90s or 2m", range(it)),
            Self::SecondsOrNever(it) => format!("{} seconds, as in 90, 90s or 2m, or -1 for no limit", range(it)),
            Self::RetentionDays => {
                format!("0 or one of {}", LOG_RETENTION_DAYS.map(|days| days.to_string()).join(", "))
            }
            Self::Shards => "a number of shards from 1 up, or `on-demand`".into(),
            Self::Bool => "true or false".into(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::TextOrNone => format!("text, or `{NONE}`"),
            Self::ArnOrNone => format!("an ARN, or `{NONE}`"),
            Self::Patterns => format!("a JSON object, such as {{\"data\":{{\"level\":[\"ERROR\"]}}}}, or `{NONE}`"),
            Self::Ids(prefix) => format!("identifiers that begin with {prefix}, with commas between them, or `{NONE}`"),
            Self::Variables => "NAME=VALUE, with a name of two or more letters, digits and underscores".into(),
            Self::Time => "a time, such as 2026-11-28T14:50:00Z".into(),
        }
    }

    /// The JSON Schema of the values in the configuration file.
    pub fn schema(&self) -> Value {
        let integer =
            |it: &RangeInclusive<i64>| json!({ "type": "integer", "minimum": it.start(), "maximum": it.end() });
        let duration = json!({ "type": "string", "description": "A duration, such as 90s or 2m" });
        match self {
            Self::Integer(it) => integer(it),
            Self::IntegerOrNone(it) => json!({ "oneOf": [integer(it), { "const": NONE }] }),
            Self::Seconds(it) => json!({ "oneOf": [integer(it), duration] }),
            Self::SecondsOrNever(it) => json!({ "oneOf": [integer(it), { "const": -1 }, duration] }),
            Self::RetentionDays => {
                let days: Vec<u32> = [0].into_iter().chain(LOG_RETENTION_DAYS).collect();
                json!({ "enum": days })
            }
            Self::Shards => json!({ "oneOf": [{ "type": "integer", "minimum": 1 }, { "const": "on-demand" }] }),
            Self::Bool => json!({ "type": "boolean" }),
            Self::OneOf(words) => json!({ "enum": words }),
            Self::TextOrNone => json!({ "type": "string", "minLength": 1 }),
            Self::ArnOrNone => json!({ "oneOf": [{ "type": "string", "pattern": "^arn:" }, { "const": NONE }] }),
            Self::Patterns => {
                json!({ "oneOf": [{ "type": "array", "items": { "type": "string" } }, { "type": "string" }] })
            }
            Self::Ids(prefix) => {
                let ids = json!({ "type": "array", "items": { "type": "string", "pattern": format!("^{prefix}[0-9a-z]+$") } });
                json!({ "oneOf": [ids, { "type": "string" }] })
            }
            Self::Variables => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            Self::Time => json!({ "type": "string", "format": "date-time" }),
        }
    }
}

/// Whether Lambda accepts the name of an environment variable.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Environment.html>
fn is_variable_name(name: &str) -> bool {
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html>
fn is_id(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_from_text() {
        let parsed = |kind: Kind, text: &str| kind.parse(text).ok();
        assert_eq!(parsed(Kind::Integer(1..=5), "5"), Some(json!(5)));
        assert_eq!(parsed(Kind::Integer(1..=5), "6"), None);
        assert_eq!(parsed(Kind::IntegerOrNone(1..=5), "none"), Some(json!("none")));
        assert_eq!(parsed(Kind::Seconds(1..=1800), "2m"), Some(json!(120)));
        assert_eq!(parsed(Kind::SecondsOrNever(60..=90), "-1"), Some(json!(-1)));
        assert_eq!(parsed(Kind::SecondsOrNever(60..=90), "0"), None);
        assert_eq!(parsed(Kind::OneOf(&["JSON", "Text"]), "json"), Some(json!("JSON")));
        assert_eq!(parsed(Kind::ArnOrNone, "arn:aws:sqs:us-east-1:1:q"), Some(json!("arn:aws:sqs:us-east-1:1:q")));
        assert_eq!(parsed(Kind::ArnOrNone, "queue"), None);
        assert_eq!(parsed(Kind::Variables, "AB=b=c"), Some(json!({ "AB": "b=c" })));
        assert_eq!((parsed(Kind::Variables, "A=b"), parsed(Kind::Variables, "1A=b")), (None, None));
        assert_eq!(parsed(Kind::Ids("sg-"), "sg-1, sg-2"), Some(json!(["sg-1", "sg-2"])));
        assert_eq!(parsed(Kind::Ids("sg-"), "none"), Some(json!([])));
        assert_eq!((parsed(Kind::Ids("sg-"), "sg-"), parsed(Kind::Ids("sg-"), "subnet-1")), (None, None));
        assert_eq!(parsed(Kind::Patterns, "[]"), None);
        assert_eq!(parsed(Kind::Patterns, "none"), Some(json!([])));
        assert_eq!(parsed(Kind::Time, "2026-11-28T14:50:00Z"), Some(json!("2026-11-28T14:50:00Z")));
    }

    #[test]
    fn retention_days_are_those_that_cloudwatch_logs_accepts() {
        let parsed = ["0", "90", "3653"].map(|text| Kind::RetentionDays.parse(text).unwrap());
        assert_eq!(parsed, [json!(0), json!(90), json!(3653)]);
        for wrong in ["31", "-1", "", "x"] {
            assert!(Kind::RetentionDays.parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_uses_the_types_of_toml() {
        assert_eq!(Kind::Seconds(1..=90).check(&json!("90s")), Ok(json!(90)));
        assert_eq!(Kind::Seconds(1..=90).check(&json!(90)), Ok(json!(90)));
        let groups = json!(["sg-1", "sg-2"]);
        assert_eq!(Kind::Ids("sg-").check(&json!("sg-2,sg-1")), Ok(groups.clone()));
        assert_eq!(Kind::Ids("sg-").check(&json!(["sg-2", "sg-1"])), Ok(groups));
        assert_eq!(Kind::Patterns.check(&json!("none")), Ok(json!([])));
        assert_eq!(Kind::Patterns.check(&json!("{ \"data\": {} }")), Ok(json!(["{\"data\":{}}"])));
        for (kind, wrong) in [
            (Kind::Integer(1..=5), json!("5")),
            (Kind::Integer(1..=5), json!(1.5)),
            (Kind::Bool, json!("true")),
            (Kind::TextOrNone, json!(1)),
            (Kind::Variables, json!({ "AB": 1 })),
            (Kind::Variables, json!({ "A": "b" })),
            (Kind::Patterns, json!("[]")),
            (Kind::Ids("sg-"), json!("subnet-1")),
            (Kind::Variables, json!({ "LOGGER_DATA": 1 })),
            (Kind::Ids("sg-"), json!(["x"])),
        ] {
            assert!(kind.check(&wrong).is_err(), "{kind:?} {wrong}");
        }
    }
}
