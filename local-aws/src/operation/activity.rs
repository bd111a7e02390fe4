//! The activity log: one line for every request that changed something.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::metadata::Activity;
use super::request::Request;
use crate::encoding::Encoding;

/// Formats the line: the event, the resource in a REST path, and the values of the members.
pub fn activity_line(activity: &Activity, request: &Request) -> String {
    let in_cbor = request.encoding == Ok(Encoding::Cbor);
    let read = in_cbor.then(|| Encoding::Cbor.read_value(&request.body).unwrap_or_default().to_string());
    let body = read.as_ref().map_or(request.body.as_ref(), String::as_bytes);
    // Borrows the values, because one of them may be a function's code.
    let body: BTreeMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
    let in_body = activity.members.iter().filter_map(|member| {
        if let Some(parameter) = request.form.get(*member) {
            return Some(parameter.clone());
        }
        match serde_json::from_str(body.get(*member)?.get()).ok()? {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        }
    });
    let values: Vec<_> = request.path.first().cloned().into_iter().chain(in_body).collect();
    format!("{}: {}", activity.event, values.join(" "))
}
