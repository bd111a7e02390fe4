//! The types of a request's members. The messages, including their mistakes, are AWS's, as recorded by kinesalite's
//! tests.

use serde_json::{Map, Value};

use super::input::Input;
use super::model::{Model, Shape, Type};

/// Reads a value of a shape.
///
/// # Errors
/// The message about the first value of another type, in the order of the request.
pub(super) fn read(model: &Model, shape: &Shape, input: Input) -> Result<Value, String> {
    Ok(match (shape.r#type, input) {
        (_, Input::Null) => Value::Null,
        (Type::Structure, Input::Structure(members)) => {
            let mut read_members = Map::new();
            for (name, input) in members {
                let Some(shape) = shape.member_shape(model, &name) else { continue };
                let value = read(model, shape, input)?;
                if !value.is_null() {
                    read_members.insert(name, value);
                }
            }
            read_members.into()
        }
        (Type::Map, Input::Structure(entries)) => {
            let value_shape = shape.value.as_deref().map(|name| model.shape(name));
            let entry =
                |(key, input)| Ok((key, value_shape.map_or(Ok(Value::Null), |shape| read(model, shape, input))?));
            entries.into_iter().map(entry).collect::<Result<Map<_, _>, String>>()?.into()
        }
        (Type::List, Input::List(items)) => {
            let item_shape = shape.member.as_deref().map(|name| model.shape(name));
            let item = |input| item_shape.map_or(Ok(Value::Null), |shape| read(model, shape, input));
            items.into_iter().map(item).collect::<Result<Vec<_>, String>>()?.into()
        }
        (Type::String, Input::Text(text)) => text.into(),
        (Type::Blob, Input::Text(text)) => {
            check_base64(&text)?;
            text.into()
        }
        (Type::Blob, Input::Bytes(bytes)) => base64_simd::STANDARD.encode_to_string(bytes).into(),
        (Type::Boolean, Input::Bool(flag)) => flag.into(),
        (Type::Boolean, Input::Text(text)) => boolean(&text)?.into(),
        (Type::Integer, Input::Integer(number)) => number.clamp(i32::MIN.into(), i32::MAX.into()).into(),
        (Type::Integer, Input::Float(number)) => (number.floor() as i32).into(),
        (Type::Long | Type::Timestamp, Input::Integer(number)) => number.into(),
        (Type::Double, Input::Integer(number)) => (number as f64).into(),
        (Type::Long, Input::Float(number)) => (number.floor() as i64).into(),
        (Type::Timestamp | Type::Double, Input::Float(number)) => number.into(),
        (other, input) => return Err(mismatch(other, &input)),
    })
}

fn mismatch(wanted: Type, input: &Input) -> String {
    let class = match (input, wanted) {
        (Input::List(_), _) => return "Start of list found where not expected".to_owned(),
        (Input::Structure(_), _) => return "Start of structure or map found where not expected.".to_owned(),
        (_, Type::List) => return "Expected list or null".to_owned(),
        (_, Type::Map) => return "Expected map or null".to_owned(),
        (_, Type::Structure) => return "Expected null".to_owned(),
        (Input::Bool(_) | Input::Null, _) => "java.lang.Boolean",
        (Input::Text(_), _) => "java.lang.String",
        (Input::Integer(_) | Input::Float(_), _) => "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
        // Unverified: no response to bytes in CBOR is recorded.
        (Input::Bytes(_), _) => "java.nio.HeapByteBuffer",
    };
    let wanted = match wanted {
        Type::Blob => "a Blob",
        Type::Boolean => "an Boolean",
        Type::Double => "an Double",
        Type::Integer => "an Integer",
        Type::Long => "an Long",
        Type::Timestamp => "milliseconds since epoch",
        Type::String | Type::List | Type::Map | Type::Structure => "an String",
    };
    format!("class {class} can not be converted to {wanted}")
}

/// AWS accepts a few texts as booleans.
fn boolean(text: &str) -> Result<bool, String> {
    let upper = text.to_uppercase();
    match upper.as_str() {
        "TRUE" | "YES" | "1" => Ok(true),
        "FALSE" | "NO" | "0" => Ok(false),
        _ => Err(format!("'{upper}' can not be converted to an Boolean")),
    }
}

fn check_base64(text: &str) -> Result<(), String> {
    if base64_simd::STANDARD.check(text.as_bytes()).is_ok() {
        return Ok(());
    }
    let length = text.chars().count();
    let is_base64 = |char: char| char.is_ascii_alphanumeric() || "+/=".contains(char);
    let followed = || text.chars().zip(text.chars().skip(1));
    let wrong = text.chars().position(|char| !is_base64(char));
    let early_pad = followed().position(|(char, next)| char == '=' && next != '=');
    let reason = match (wrong.into_iter().chain(early_pad).min(), length % 4) {
        (_, 1..) => format!("Base64 encoded length is expected a multiple of 4 bytes but found: {length}"),
        (Some(at), _) => format!("Invalid Base64 character: '{}'", text.chars().nth(at).unwrap_or_default()),
        (None, _) => "Invalid last non-pad Base64 character dectected".to_owned(),
    };
    Err(format!("'{text}' can not be converted to a Blob: {reason}"))
}
