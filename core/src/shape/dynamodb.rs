//! Changes of a DynamoDB table
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html>).
//!
//! A change becomes one record, whose data is the whole JSON, keys and images included.
//!
//! ```
//! use kinesis_event_logger_core::shape::dynamodb::Change;
//!
//! let json = r#"{"tableName":"orders","eventName":"INSERT","dynamodb":{"Keys":{"id":{"S":"7"}}}}"#;
//! let change = Change::read(json).unwrap();
//! assert_eq!((change.table.as_deref(), change.keys), (Some("orders"), r#"{"id":{"S":"7"}}"#));
//! ```

use std::borrow::Cow;

use super::{EachPart, Field, Origin, Part, Shape};
use crate::decode::Payload;
use crate::json::{JsonKind, Value};

pub(super) const SHAPE: Shape = Shape {
    name: "dynamodb",
    marker: "dynamodb",
    fields: &["table", "operation"],
    read: read_parts,
    redaction_roots: &["Keys", "NewImage", "OldImage"],
};

fn read_parts(json: &str, each: &mut EachPart<'_>) -> bool {
    let Some(change) = Change::read(json) else { return false };
    let fields = [
        Field::text("table", change.table.as_deref(), &["tableName"]),
        Field::text("operation", Some(&change.operation), &["eventName"]),
    ];
    // The data is everything that was put, so rules apply to it without a path.
    let origin = Origin { shape: SHAPE.name, fields: &fields, data_paths: &[] };
    let _ = each(Part { origin, data: Payload::Json(json), error: None });
    true
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change<'a> {
    /// The table.
    pub table: Option<Cow<'a, str>>,
    /// The member `eventName`: `INSERT`, `MODIFY` or `REMOVE`.
    pub operation: Cow<'a, str>,
    /// The item's key attributes in DynamoDB's JSON, as they were written.
    pub keys: &'a str,
    /// The item after the change, in DynamoDB's JSON.
    pub new_image: Option<&'a str>,
    /// The item before the change, in DynamoDB's JSON.
    pub old_image: Option<&'a str>,
}

impl<'a> Change<'a> {
    /// Reads a change from valid JSON. Returns `None` if the JSON is not a change
    /// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html>).
    pub fn read(json: &'a str) -> Option<Self> {
        let (mut table, mut operation, mut dynamodb) = (None, None, None);
        for (key, value) in Value::new(json).members() {
            match key.as_ref() {
                "tableName" => table = value.string(),
                "eventName" => operation = value.string(),
                "dynamodb" => dynamodb = Some(value),
                _ => {}
            }
        }
        let (mut keys, mut new_image, mut old_image) = (None, None, None);
        for (key, value) in dynamodb?.members() {
            let item = (value.kind() == JsonKind::Object).then(|| value.text());
            match key.as_ref() {
                "Keys" => keys = item,
                "NewImage" => new_image = item,
                "OldImage" => old_image = item,
                _ => {}
            }
        }
        Some(Self { table, operation: operation?, keys: keys?, new_image, old_image })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::parts;

    /// The example of DynamoDB's guide, without the members that every record has.
    const CHANGE: &str = r#"{"awsRegion":"us-east-1","eventID":"f","eventName":"MODIFY","userIdentity":null,"recordFormat":"application/json",
        "tableName":"Music","dynamodb":{"ApproximateCreationDateTime":1640276115947,"Keys":{"Artist":{"S":"a"}},
        "NewImage":{"Artist":{"S":"a"},"n":{"N":"1"}},"OldImage":{"Artist":{"S":"a"}},"SizeBytes":119},"eventSource":"aws:dynamodb"}"#;

    #[test]
    fn a_change_contains_its_keys_and_images() {
        let change = Change::read(CHANGE).unwrap();
        assert_eq!((change.table.as_deref(), change.operation.as_ref()), (Some("Music"), "MODIFY"));
        assert_eq!((change.keys, change.old_image), (r#"{"Artist":{"S":"a"}}"#, Some(r#"{"Artist":{"S":"a"}}"#)));
        assert_eq!(change.new_image, Some(r#"{"Artist":{"S":"a"},"n":{"N":"1"}}"#));
    }

    #[test]
    fn a_change_becomes_one_record_with_all_of_the_json() {
        assert_eq!(parts(CHANGE), [("dynamodb".to_owned(), format!("{:?}", Payload::Json(CHANGE)))]);
    }
}
