//! Reads a request of Lambda's REST-JSON protocol, checked against the service model.

use std::fmt;

use http::HeaderMap;
use serde::de::DeserializeOwned;

use super::errors::{invalid_content, invalid_parameter};
use super::json_syntax;
use super::names;
use crate::error::AwsError;
use crate::operation::Request;
use crate::validation::{Input, LAMBDA, Location};

/// Reads an operation's input from the path, the query, the headers and a JSON body. `operation` names the model's
/// input.
///
/// # Errors
/// `InvalidRequestContentException` if the body is not a JSON object, `SerializationException` for a member of another
/// type, `ValidationException` with all violated constraints, `InvalidParameterValueException` for a version or an alias
/// if the operation is for functions only.
pub fn read<I: DeserializeOwned>(request: &Request, operation: &str) -> Result<I, AwsError> {
    read_with(request, operation, body(&request.body)?)
}

/// As [`read`], for an operation whose body is a payload.
///
/// # Errors
/// As [`read`].
pub fn read_head<I: DeserializeOwned>(request: &Request, operation: &str) -> Result<I, AwsError> {
    read_with(request, operation, Input::Null)
}

fn read_with<I: DeserializeOwned>(request: &Request, operation: &str, body: Input) -> Result<I, AwsError> {
    let query: Vec<(String, String)> =
        form_urlencoded::parse(request.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    if let Some((_, text)) = query.iter().find(|(name, text)| name == "MaxItems" && text.parse::<i64>().is_err()) {
        // AWS's error is unverified.
        return Err(invalid_parameter(format!("MaxItems is not a number: {text}")));
    }
    let input = LAMBDA.complete(operation, body, |location, name| match location {
        Location::Path => path_member(request, name).into_iter().collect(),
        Location::Query => query.iter().filter(|(key, _)| key == name).map(|(_, text)| text.clone()).collect(),
        Location::Header => header(&request.headers, name).into_iter().collect(),
    });
    let input = LAMBDA.read(operation, input)?;
    names::must_fit(operation, &input)?;
    serde_json::from_value(input).map_err(|error| unreadable(&error))
}

fn path_member(request: &Request, name: &str) -> Option<String> {
    let template = request.operation.route?.template();
    let mut names = template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    request.path.get(names.position(|member| member == name)?).cloned()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn body(body: &[u8]) -> Result<Input, AwsError> {
    match body.trim_ascii_start().first() {
        None => Ok(Input::Null),
        Some(b'{') => serde_json::from_slice(body).map_err(|error| match json_syntax::check(body) {
            Err(mistake) => unreadable(&mistake),
            // The JSON is valid but nested too deeply for serde_json.
            Ok(()) => unreadable(&error),
        }),
        Some(_) => Err(unreadable(&"it is not an object")),
    }
}

fn unreadable(error: &dyn fmt::Display) -> AwsError {
    invalid_content(format!("Could not parse request body into json: {error}"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::lambda::Lambda;
    use crate::operation::Service;

    fn read_list(uri: &'static str, body: &'static str) -> Result<Value, AwsError> {
        let declared = Lambda::operations().iter().find(|operation| operation.metadata.name == "ListAliases").unwrap();
        let uri = format!("/2015-03-31/functions/f/aliases{uri}");
        let request = http::Request::get(uri).body(Bytes::from_static(body.as_bytes())).unwrap();
        read(&Request::new(&declared.metadata, request), "ListAliases")
    }

    #[test]
    fn members_come_from_the_path_the_query_and_the_body() {
        let read = read_list("?MaxItems=7&Marker=a%20b", r#"{ "FunctionName": "other", "Unknown": 1 }"#).unwrap();
        assert_eq!(read, json!({ "FunctionName": "f", "MaxItems": 7, "Marker": "a b" }));
    }

    #[test]
    fn a_number_of_items_must_be_one_and_in_range() {
        assert_eq!(read_list("?MaxItems=many", "").unwrap_err().code, "InvalidParameterValueException");
        let error = read_list("?MaxItems=0", "").unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            "1 validation error detected: Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"
        );
    }

    #[test]
    fn a_body_that_is_not_json_is_rejected_with_the_position() {
        let error = read_list("", "{\"a\":}").unwrap_err();
        assert_eq!(error.code, "InvalidRequestContentException");
        let start = "Could not parse request body into json: Unexpected character ('}' (code 125)): expected a value\n at [Source:";
        assert!(error.message.starts_with(start), "{}", error.message);
    }
}
