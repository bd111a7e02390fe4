//! Responses of Lambda's REST-JSON protocol, and pages of lists.

use bytes::Bytes;
use http::{Response, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::invalid_parameter;
use crate::error::AwsError;

/// The members that request a page. The service model has checked the range of `max_items`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PageInput {
    marker: Option<String>,
    max_items: Option<usize>,
}

pub fn json(status: u16, body: &Value) -> Response<Bytes> {
    response(status, body.to_string().into())
}

pub fn empty(status: u16) -> Response<Bytes> {
    response(status, Bytes::new())
}

pub fn response(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

/// A response with one page of a list under `member`. `listing` is the ARN of what is listed: a marker of another list is invalid.
/// See [`page`].
///
/// # Errors
/// An invalid marker.
pub fn list<'a>(
    member: &str,
    listing: &str,
    items: impl Iterator<Item = (&'a str, Value)>,
    input: &PageInput,
    most: usize,
) -> Result<Response<Bytes>, AwsError> {
    let (items, marker) = page(listing, items, input, most)?;
    let mut answer = json!({ member: items });
    if let Some(marker) = marker {
        answer["NextMarker"] = json!(marker);
    }
    Ok(json(200, &answer))
}

/// One page of a list that is sorted by key: the items after the marker, and the marker of the next page.
fn page<'a, T>(
    listing: &str,
    items: impl Iterator<Item = (&'a str, T)>,
    input: &PageInput,
    most: usize,
) -> Result<(Vec<T>, Option<String>), AwsError> {
    let limit = input.max_items.map_or(most, |items| items.min(most));
    let after = input.marker.as_deref().map(|marker| decode_marker(listing, marker)).transpose()?;
    let mut items = items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| *key <= after.as_str())).peekable();
    let mut page = Vec::new();
    let mut last = "";
    while page.len() < limit
        && let Some((key, item)) = items.next()
    {
        page.push(item);
        last = key;
    }
    let next = items.peek().is_some().then(|| encode_marker(listing, last));
    Ok((page, next))
}

fn encode_marker(listing: &str, key: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(format!("{listing}\n{key}"))
}

fn decode_marker(listing: &str, marker: &str) -> Result<String, AwsError> {
    let text = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(marker).ok().and_then(|text| String::from_utf8(text).ok());
    text.as_deref()
        .and_then(|text| text.split_once('\n'))
        .filter(|(of, _)| *of == listing)
        .map(|(_, key)| key.to_owned())
        .ok_or_else(|| invalid_parameter("The specified marker is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(input: Value) -> Result<(Vec<u32>, Option<String>), AwsError> {
        let input = serde_json::from_value(input).unwrap();
        page("arn", [("a", 1), ("b", 2), ("c", 3)].into_iter(), &input, 50)
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let (first, marker) = page_of(json!({ "MaxItems": 2 })).unwrap();
        assert_eq!(first, [1, 2]);
        let (second, end) = page_of(json!({ "MaxItems": 2, "Marker": marker.unwrap() })).unwrap();
        assert_eq!((second, end), (vec![3], None));
        assert_eq!(page_of(json!({})).unwrap(), (vec![1, 2, 3], None));
        for marker in ["*", "YQ", &encode_marker("other", "a")] {
            assert_eq!(page_of(json!({ "Marker": marker })).unwrap_err().code, "InvalidParameterValueException");
        }
    }
}
