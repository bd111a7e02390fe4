//! The two encodings of a Kinesis request: JSON 1.1, and the CBOR that AWS's Java SDK sends. In CBOR, blobs are byte
//! strings. Timestamps have the tag for timestamps but, unlike in RFC 8949, are in milliseconds
//! (<https://github.com/aws/aws-sdk-java-v2/issues/4661>).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use ciborium::Value as Cbor;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::error::AwsError;
use crate::validation::Input;

/// The tag of a timestamp (RFC 8949, section 3.4.2).
const TIMESTAMP: u64 = 1;

/// The encoding of a request and of its response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Encoding {
    Json,
    Cbor,
}

impl Encoding {
    /// # Errors The content type is neither of the two.
    pub fn of(headers: &HeaderMap) -> Result<Self, AwsError> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/x-amz-json-1.1" | "application/json" => Ok(Self::Json),
            "application/x-amz-cbor-1.1" => Ok(Self::Cbor),
            _ => Err(AwsError::new(
                404,
                "UnknownOperationException",
                format!(
                    "Kinesis accepts application/x-amz-json-1.1 and application/x-amz-cbor-1.1, not '{content_type}'."
                ),
            )),
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-amz-json-1.1",
            Self::Cbor => "application/x-amz-cbor-1.1",
        }
    }

    /// Decodes a request, which may borrow from its body.
    pub fn read<'a, T: Deserialize<'a>>(self, body: &'a [u8]) -> Result<T, AwsError> {
        match self {
            Self::Json => serde_json::from_slice(body).map_err(|error| serialization(&error)),
            Self::Cbor => read_cbor(body)?.deserialized().map_err(|error| serialization(&error)),
        }
    }

    /// Decodes a request whose types were not validated yet. Timestamps are in seconds.
    pub fn read_input(self, body: &[u8]) -> Result<Input, AwsError> {
        match self {
            Self::Json => self.read(body),
            Self::Cbor => read_cbor(body).map(input_of),
        }
    }

    /// Decodes a request to JSON: blobs are base64, timestamps are seconds.
    pub fn read_value(self, body: &[u8]) -> Result<Value, AwsError> {
        self.read_input(body).map(Value::from)
    }

    /// Encodes the body of a response.
    pub fn body(self, answer: &impl Serialize) -> Result<Vec<u8>, AwsError> {
        match self {
            Self::Json => serde_json::to_vec(answer).map_err(|error| serialization(&error)),
            Self::Cbor => {
                let mut body = Vec::new();
                ciborium::into_writer(answer, &mut body).map_err(|error| serialization(&error))?;
                Ok(body)
            }
        }
    }

    pub fn answer(self, answer: &impl Serialize) -> Result<Response<Bytes>, AwsError> {
        Ok(self.answer_with(self.body(answer)?))
    }

    /// Builds a response with this body.
    pub fn answer_with(self, body: Vec<u8>) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
        response
    }

    /// Encodes a response from JSON. `Null` is an empty body.
    pub fn answer_value(self, answer: Value) -> Result<Response<Bytes>, AwsError> {
        match self {
            _ if answer.is_null() => Ok(self.answer_with(Vec::new())),
            Self::Json => self.answer(&answer),
            Self::Cbor => self.answer(&cbor_of("", answer)),
        }
    }

    /// Encodes an error.
    pub fn error(self, error: &AwsError) -> Result<Response<Bytes>, AwsError> {
        let mut body = BTreeMap::from([("__type", error.code.as_ref())]);
        if !error.message.is_empty() {
            body.insert(error.message_member(), &error.message);
        }
        let mut response = self.answer(&body)?;
        *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(code) = HeaderValue::from_str(&error.code) {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        Ok(response)
    }
}

/// The error for a body that is not valid in its encoding. AWS does not report the reason.
pub fn serialization(error: &dyn fmt::Display) -> AwsError {
    tracing::debug!(%error, "the body cannot be decoded");
    AwsError::serialization("")
}

fn read_cbor(body: &[u8]) -> Result<Cbor, AwsError> {
    ciborium::from_reader(body).map_err(|error| serialization(&error))
}

fn input_of(value: Cbor) -> Input {
    match value {
        Cbor::Integer(number) => {
            i64::try_from(number).map_or_else(|_| Input::Float(i128::from(number) as f64), Input::Integer)
        }
        Cbor::Bytes(bytes) => Input::Bytes(bytes),
        Cbor::Float(number) => Input::Float(number),
        Cbor::Text(text) => Input::Text(text),
        Cbor::Bool(flag) => Input::Bool(flag),
        Cbor::Tag(TIMESTAMP, millis) => match input_of(*millis) {
            Input::Integer(millis) => Input::Float(millis as f64 / 1000.0),
            Input::Float(millis) => Input::Float(millis / 1000.0),
            other => other,
        },
        Cbor::Tag(_, inner) => input_of(*inner),
        Cbor::Array(items) => Input::List(items.into_iter().map(input_of).collect()),
        Cbor::Map(members) => {
            let member = |(name, value): (Cbor, Cbor)| Some((name.into_text().ok()?, input_of(value)));
            Input::Structure(members.into_iter().filter_map(member).collect())
        }
        _ => Input::Null,
    }
}

/// Converts a member's value to CBOR. Only the member's name distinguishes a timestamp from another number.
fn cbor_of(name: &str, value: Value) -> Cbor {
    match value {
        Value::Number(seconds) if name.ends_with("Timestamp") => {
            let millis = (seconds.as_f64().unwrap_or_default() * 1000.0).round() as u64;
            Cbor::Tag(TIMESTAMP, Box::new(Cbor::from(millis)))
        }
        Value::Null => Cbor::Null,
        Value::Bool(flag) => flag.into(),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Cbor::from(number.as_f64().unwrap_or_default()), Cbor::from)
        }
        Value::String(text) => text.into(),
        Value::Array(items) => Cbor::Array(items.into_iter().map(|item| cbor_of("", item)).collect()),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let value = cbor_of(&name, value);
                (Cbor::Text(name), value)
            });
            Cbor::Map(members.collect())
        }
    }
}

/// A time in epoch milliseconds, which each encoding writes in its own form.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub u64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_f64(self.0 as f64 / 1000.0);
        }
        ciborium::tag::Required::<u64, TIMESTAMP>(self.0).serialize(serializer)
    }
}

/// The bytes of a blob member in a response.
#[derive(Debug, Clone, Copy)]
pub struct BlobOut<'a>(pub &'a [u8]);

impl Serialize for BlobOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.serialize_str(&base64_simd::STANDARD.encode_to_string(self.0));
        }
        serializer.serialize_bytes(self.0)
    }
}

/// A blob member of a request: borrowed base64 in JSON, bytes in CBOR.
#[derive(Debug, PartialEq)]
pub enum Blob<'a> {
    Base64(Cow<'a, str>),
    Bytes(Vec<u8>),
}

/// The error for text that is not base64.
#[derive(Debug, PartialEq)]
pub struct NotBase64;

impl Blob<'_> {
    /// Returns the length of the blob in bytes.
    pub fn len(&self) -> Result<usize, NotBase64> {
        match self {
            Self::Base64(text) => base64_simd::STANDARD.decoded_length(text.as_bytes()).map_err(|_| NotBase64),
            Self::Bytes(bytes) => Ok(bytes.len()),
        }
    }

    /// Appends the blob's bytes.
    pub fn append_to(&self, bytes: &mut Vec<u8>) -> Result<(), NotBase64> {
        match self {
            Self::Base64(text) => base64_simd::STANDARD.decode_append(text.as_bytes(), bytes).map_err(|_| NotBase64),
            Self::Bytes(own) => {
                bytes.extend_from_slice(own);
                Ok(())
            }
        }
    }
}

/// A text member of a request. It is borrowed unless it is escaped.
#[derive(Debug, PartialEq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Blob<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BlobVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Blob::deserialize(deserializer)? {
            Blob::Base64(text) => Ok(Self(text)),
            Blob::Bytes(_) => Err(serde::de::Error::custom("expected text, got bytes")),
        }
    }
}

struct BlobVisitor;

impl<'de> Visitor<'de> for BlobVisitor {
    type Value = Blob<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string, or bytes")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Blob<'de>, E> {
        Ok(Blob::Base64(text.into()))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Blob<'de>, E> {
        Ok(Blob::Base64(text.to_owned().into()))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob<'de>, E> {
        Ok(Blob::Bytes(bytes.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct WithBlob<'a> {
        #[serde(rename = "Data", borrow)]
        data: Blob<'a>,
    }

    fn cbor(value: &Cbor) -> Vec<u8> {
        Encoding::Cbor.body(value).unwrap()
    }

    #[test]
    fn a_blob_is_base64_text_in_json_and_bytes_in_cbor() {
        let body = cbor(&Cbor::Map(vec![("Data".into(), Cbor::Bytes(b"Hello".to_vec()))]));
        let bodies = [
            (Encoding::Json, &br#"{"Data":"SGVsbG8="}"#[..]),
            (Encoding::Json, br#"{"Data":"\u0053GVsbG8="}"#),
            (Encoding::Cbor, &body),
        ];
        for (wire, body) in bodies {
            let WithBlob { data } = wire.read(body).unwrap();
            let mut bytes = Vec::new();
            data.append_to(&mut bytes).unwrap();
            assert_eq!((&bytes[..], data.len()), (&b"Hello"[..], Ok(5)));
        }
        let decoded: WithBlob = Encoding::Json.read(br#"{"Data":"SGVsbG8="}"#).unwrap();
        assert!(matches!(decoded.data, Blob::Base64(Cow::Borrowed("SGVsbG8="))));
    }

    #[test]
    fn a_blob_rejects_text_that_is_not_base64() {
        for text in ["Hello!", "SGVsbG8", "SGVsbG8=\n", "SGVsbG9="] {
            let blob = Blob::Base64(text.into());
            assert_eq!(blob.append_to(&mut Vec::new()), Err(NotBase64), "{text}");
        }
    }

    #[test]
    fn a_timestamp_is_seconds_in_json_and_tagged_milliseconds_in_cbor() {
        let millis = Cbor::Tag(1, Box::new(Cbor::from(1_545_084_650_987_u64)));
        let in_cbor =
            Cbor::Map(vec![("StreamCreationTimestamp".into(), millis.clone()), ("Other".into(), Cbor::from(1))]);
        let in_json = json!({ "StreamCreationTimestamp": 1_545_084_650.987, "Other": 1 });
        assert_eq!(Encoding::Cbor.read_value(&cbor(&in_cbor)).unwrap(), in_json);
        let answered = Encoding::Cbor.answer_value(in_json).unwrap();
        let mut read = read_cbor(answered.body()).unwrap();
        read.as_map_mut().unwrap().sort_by_key(|(name, _)| std::cmp::Reverse(name.as_text().unwrap().to_owned()));
        assert_eq!(read, in_cbor);
        assert_eq!(cbor(&millis), Encoding::Cbor.body(&Timestamp(1_545_084_650_987)).unwrap());
        assert_eq!(Encoding::Json.body(&Timestamp(1_545_084_650_987)).unwrap(), b"1545084650.987");
    }

    #[test]
    fn an_error_uses_the_encoding_of_the_request() {
        let error = AwsError::bad_request("ResourceNotFoundException", "Stream s not found.");
        let response = Encoding::Cbor.error(&error).unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (400, &"application/x-amz-cbor-1.1".parse().unwrap())
        );
        let expected = json!({ "__type": "ResourceNotFoundException", "message": "Stream s not found." });
        assert_eq!(Encoding::Cbor.read_value(response.body()).unwrap(), expected);
    }

    #[test]
    fn another_content_type_is_refused() {
        let of = |content_type: &'static str| {
            let header = (header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            Encoding::of(&HeaderMap::from_iter([header])).map_err(|error| (error.status, error.code))
        };
        assert_eq!(of("application/x-amz-json-1.1; charset=utf-8"), Ok(Encoding::Json));
        assert_eq!(of("application/x-amz-cbor-1.1"), Ok(Encoding::Cbor));
        for wrong in ["", "text/plain", "application/x-amz-json-1.0x"] {
            assert_eq!(of(wrong), Err((404, "UnknownOperationException".into())), "{wrong}");
        }
    }
}
