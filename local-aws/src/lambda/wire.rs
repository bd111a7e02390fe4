//! restJson: what a request carries in its path, query and body, and how an answer is put.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, Uri, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::validation::{Constraints, invalid_parameter};
use crate::error::AwsError;

/// A request's query.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(uri: &Uri) -> Self {
        Self(form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// # Errors
/// `InvalidRequestContentException` for a body that is not the operation's input.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AwsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    let unreadable = |error: &dyn fmt::Display| {
        let message = format!("Could not parse request body into json: {error}");
        AwsError::bad_request("InvalidRequestContentException", message)
    };
    // serde takes a list for a structure too.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(unreadable(&"it is not an object"));
    }
    serde_json::from_slice(body).or_else(|_| {
        // A client may send null for what it leaves unset. Rare: a request may have its code in it.
        let mut input: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        remove_unset(&mut input);
        serde_json::from_value(input).map_err(|error| unreadable(&error))
    })
}

/// Removes the members of structures that are null. An entry of a map must have a value.
fn remove_unset(input: &mut Value) {
    const MAPS: [&str; 3] = ["Tags", "Variables", "AdditionalVersionWeights"];
    match input {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members
                .iter_mut()
                .filter(|(name, _)| !MAPS.contains(&name.as_str()))
                .for_each(|(_, member)| remove_unset(member));
        }
        Value::Array(items) => items.iter_mut().for_each(remove_unset),
        _ => {}
    }
}

pub fn json(status: u16, body: &Value) -> Response<Bytes> {
    answer(status, body.to_string().into())
}

pub fn empty(status: u16) -> Response<Bytes> {
    answer(status, Bytes::new())
}

pub fn answer(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

pub fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// One page of a list that is ordered by key: the items after the marker, and the marker of the next page.
///
/// # Errors
/// `ValidationException` for a MaxItems out of range.
pub fn page<'a, T>(
    items: impl Iterator<Item = (&'a str, T)>,
    query: &Query,
    most: usize,
) -> Result<(Vec<T>, Option<String>), AwsError> {
    let max_items = max_items(query, 10_000)?;
    let limit = max_items.and_then(|items| usize::try_from(items).ok()).map_or(most, |items| items.min(most));
    let after = query.get("Marker").map(decode_marker).transpose()?;
    let mut items = items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| *key <= after.as_str())).peekable();
    let mut page = Vec::new();
    let mut last = "";
    while page.len() < limit
        && let Some((key, item)) = items.next()
    {
        page.push(item);
        last = key;
    }
    let next = items.peek().is_some().then(|| base64_simd::URL_SAFE_NO_PAD.encode_to_string(last));
    Ok((page, next))
}

/// The member `MaxItems`, up to `most`.
///
/// # Errors
/// `ValidationException` for one out of range; AWS's answer to what is no number is unverified.
pub fn max_items(query: &Query, most: i64) -> Result<Option<i64>, AwsError> {
    let is_no_number = |text| invalid_parameter(format!("MaxItems is not a number: {text}"));
    let parsed = query.get("MaxItems").map(|text| text.parse::<i64>().map_err(|_| is_no_number(text)));
    let max_items = parsed.transpose()?;
    let mut constraints = Constraints::default();
    constraints.range(max_items, "maxItems", 1, most);
    constraints.finish()?;
    Ok(max_items)
}

fn decode_marker(marker: &str) -> Result<String, AwsError> {
    base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(marker)
        .ok()
        .and_then(|key| String::from_utf8(key).ok())
        .ok_or_else(|| invalid_parameter("The specified marker is invalid."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page_of(query: &str) -> Result<(Vec<u32>, Option<String>), AwsError> {
        let query = Query::of(&format!("/?{query}").parse().unwrap());
        page([("a", 1), ("b", 2), ("c", 3)].into_iter(), &query, 50)
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_overlap() {
        let (first, marker) = page_of("MaxItems=2").unwrap();
        assert_eq!(first, [1, 2]);
        let (second, end) = page_of(&format!("MaxItems=2&Marker={}", marker.unwrap())).unwrap();
        assert_eq!((second, end), (vec![3], None));
        assert_eq!(page_of("").unwrap(), (vec![1, 2, 3], None));
        assert_eq!(page_of("MaxItems=many").unwrap_err().code, "InvalidParameterValueException");
        assert_eq!(page_of("MaxItems=0").unwrap_err().code, "ValidationException");
        assert_eq!(page_of("Marker=*").unwrap_err().code, "InvalidParameterValueException");
    }
}
