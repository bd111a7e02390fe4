//! Record shapes: JSON that a known service puts on streams.
//!
//! A shape decides which records the JSON becomes, which fields the log line gets from it, and where redaction rules find
//! their values. Each shape is one file, which `mod` and the list `SHAPES` name.
//!
//! ```
//! use kinesis_event_logger_core::{Decoder, Position};
//!
//! let change = br#"{"tableName":"orders","eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"7"}}}}"#;
//! Decoder::new().decode_bytes(&Position::default(), change, |record| {
//!     let origin = record.origin.unwrap();
//!     assert_eq!((origin.shape, origin.text("table"), origin.text("operation")), ("dynamodb", Some("orders"), Some("INSERT")));
//!     Ok::<_, std::convert::Infallible>(())
//! })?;
//! # Ok::<_, std::convert::Infallible>(())
//! ```

pub mod cloudwatch_logs;
pub mod dynamodb;

use std::ops::ControlFlow;

use crate::decode::Payload;
use crate::json::MemberSet;

/// Every shape. JSON with the markers of several shapes is read by the first that accepts it.
const SHAPES: &[Shape] = &[cloudwatch_logs::SHAPE, dynamodb::SHAPE];

/// The definition of a shape.
struct Shape {
    /// The name of the shape's module.
    name: &'static str,
    /// A member that every JSON object of this shape has. Only objects with this member are read.
    marker: &'static str,
    /// The names of the fields that lines get from the data, in order.
    fields: &'static [&'static str],
    /// Calls a function for every record in valid JSON, in order, until the function returns `Break`. Returns `false`
    /// without a call if the JSON does not have this shape.
    read: fn(json: &str, each: &mut EachPart<'_>) -> bool,
    /// The members in which JSON pointers of redaction rules start anew, at any depth. Each value in them is inside an object
    /// whose one member names the value's type, as in `{"S":"text"}`.
    redaction_roots: &'static [&'static str],
}

/// A function that receives the records in JSON of a known shape.
type EachPart<'f> = dyn FnMut(Part<'_>) -> ControlFlow<()> + 'f;

/// One record in JSON of a known shape.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) data: Payload<'a>,
    pub(crate) error: Option<&'static str>,
}

/// The service that wrote a record's data, as the data describes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The name of the shape: that of its module, for instance `cloudwatch_logs`.
    pub shape: &'static str,
    /// The fields that the line gets from the data.
    pub fields: &'a [Field<'a>],
    /// The paths to the record's data in the JSON that was put: redaction rules apply there. Each is a list of member
    /// names and array indexes, and each begins with the one before it.
    pub data_paths: &'a [&'a [&'a str]],
}

impl<'a> Origin<'a> {
    /// Returns the text of the line's field `name`, if the data has it.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.fields.iter().find(|field| field.name == name)?.value? {
            FieldValue::Text(text) => Some(text),
            FieldValue::Time(_) => None,
        }
    }
}

/// A field of the line that repeats a member of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name on the line.
    pub name: &'static str,
    /// The value. A field without a value is omitted from the line.
    pub value: Option<FieldValue<'a>>,
    /// The path to the member that the field repeats. A redaction rule that names the member hides the field.
    pub path: &'a [&'a str],
}

/// The value of a [`Field`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// A text.
    Text(&'a str),
    /// An instant in epoch milliseconds.
    Time(i64),
}

impl<'a> Field<'a> {
    const fn text(name: &'static str, text: Option<&'a str>, path: &'a [&'a str]) -> Self {
        let value = match text {
            Some(text) => Some(FieldValue::Text(text)),
            None => None,
        };
        Self { name, value, path }
    }
}

/// The marker of each shape.
pub(crate) const MARKERS: [&str; SHAPES.len()] = {
    let mut markers = [""; SHAPES.len()];
    let mut index = 0;
    while index < SHAPES.len() {
        markers[index] = SHAPES[index].marker;
        index += 1;
    }
    markers
};

/// The names of the fields that lines get from the data of any shape.
pub(crate) fn field_names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().flat_map(|shape| shape.fields).copied()
}

/// Calls `each` for every record in valid JSON that has the given [`MARKERS`], until `each` returns `Break`. Returns
/// `false` without a call if the JSON does not have a known shape.
pub(crate) fn read(json: &str, markers: MemberSet, each: &mut EachPart<'_>) -> bool {
    SHAPES.iter().enumerate().any(|(index, shape)| {
        markers.contains(index)
            && (shape.read)(json, &mut |part| {
                debug_assert!(part.origin.fields.iter().map(|field| &field.name).eq(shape.fields), "{part:?}");
                each(part)
            })
    })
}

/// Whether JSON pointers start anew in a member of this name.
pub(crate) fn is_redaction_root(member: &str) -> bool {
    SHAPES.iter().any(|shape| shape.redaction_roots.contains(&member))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crate::decode::classify_with_members;

    use super::*;

    /// The shape's name and the data of each record in some JSON.
    pub(super) fn parts(json: &str) -> Vec<(String, String)> {
        let (_, markers) = classify_with_members(json.as_bytes(), &MARKERS);
        let mut parts = Vec::new();
        read(json, markers, &mut |part| {
            parts.push((part.origin.shape.to_owned(), format!("{:?}", part.data)));
            ControlFlow::Continue(())
        });
        parts
    }

    #[test]
    fn json_that_lacks_a_part_of_a_shape_is_not_read() {
        for json in [
            r#"{"messageType":"DATA_MESSAGE","logEvents":[]}"#,
            r#"{"messageType":"OTHER","logEvents":[{"message":"x"}]}"#,
            r#"{"logEvents":[{"message":"x"}]}"#,
            r#"{"messageType":"DATA_MESSAGE","logEvents":{"message":"x"}}"#,
            r#"{"a":{"messageType":"DATA_MESSAGE","logEvents":[{"message":"x"}]}}"#,
            r#"[{"messageType":"DATA_MESSAGE"},"logEvents",[{"message":"x"}]]"#,
            r#"{"eventName":"INSERT","dynamodb":{}}"#,
            r#"{"eventName":"INSERT","dynamodb":7}"#,
            r#"{"dynamodb":{"Keys":{}}}"#,
        ] {
            assert_eq!(parts(json), [], "{json}");
        }
    }

    #[test]
    fn every_shape_has_a_name_and_a_marker_of_its_own() {
        let names: HashSet<_> = SHAPES.iter().map(|shape| shape.name).collect();
        let markers: HashSet<_> = MARKERS.into_iter().filter(|marker| !marker.is_empty()).collect();
        assert_eq!((names.len(), markers.len()), (SHAPES.len(), SHAPES.len()));
    }
}
