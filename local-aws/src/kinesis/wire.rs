//! The two encodings of a Kinesis request: awsJson 1.1, and the CBOR that AWS's Java SDK sends.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::http_api::AwsError;

/// How a request is encoded; its answer is encoded alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire {
    Json,
    Cbor,
}

impl Wire {
    pub fn of(headers: &HeaderMap) -> Self {
        match headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) {
            Some(content_type) if content_type.starts_with("application/x-amz-cbor") => Self::Cbor,
            _ => Self::Json,
        }
    }

    pub fn read<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, AwsError> {
        match self {
            Self::Json => serde_json::from_slice(body).map_err(|error| serialization(&error)),
            Self::Cbor => ciborium::from_reader(body).map_err(|error| serialization(&error)),
        }
    }

    pub fn answer<T: Serialize>(self, answer: &T) -> Result<Response<Bytes>, AwsError> {
        let (content_type, body) = match self {
            Self::Json => {
                ("application/x-amz-json-1.1", serde_json::to_vec(answer).map_err(|error| serialization(&error))?)
            }
            Self::Cbor => {
                let mut body = Vec::new();
                ciborium::into_writer(answer, &mut body).map_err(|error| serialization(&error))?;
                ("application/x-amz-cbor-1.1", body)
            }
        };
        let mut response = Response::new(Bytes::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
        Ok(response)
    }

    /// An error in this encoding.
    pub fn error(self, error: &AwsError) -> Result<Response<Bytes>, AwsError> {
        let mut response = self.answer(&ErrorBody { code: &error.code, message: &error.message })?;
        *response.status_mut() = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(code) = header::HeaderValue::from_str(&error.code) {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        Ok(response)
    }

    /// The body with one member set: how a request is completed before the engine sees it.
    pub fn set<T: Into<Member>>(self, body: &Bytes, name: &str, value: T) -> Result<Bytes, AwsError> {
        self.set_within(body, &[], name, value)
    }

    /// The body with one member set in the structure that the members of `path` lead to.
    pub fn set_within<T: Into<Member>>(
        self,
        body: &Bytes,
        path: &[&str],
        name: &str,
        value: T,
    ) -> Result<Bytes, AwsError> {
        match self {
            Self::Json => set_json(self.read(body)?, path, name, value.into()),
            Self::Cbor => set_cbor(self.read(body)?, path, name, value.into()),
        }
    }
}

fn set_json(mut root: serde_json::Value, path: &[&str], name: &str, value: Member) -> Result<Bytes, AwsError> {
    let within = path.iter().try_fold(&mut root, |within, step| within.get_mut(step));
    let members = within.and_then(serde_json::Value::as_object_mut).ok_or_else(|| serialization(&"not an object"))?;
    let value = match value {
        Member::Text(text) => text.into(),
        Member::Integer(number) => number.into(),
    };
    members.insert(name.to_owned(), value);
    Ok(root.to_string().into())
}

fn set_cbor(mut root: ciborium::Value, path: &[&str], name: &str, value: Member) -> Result<Bytes, AwsError> {
    let within = path.iter().try_fold(&mut root, |within, step| {
        let members = within.as_map_mut()?;
        members.iter_mut().find(|(key, _)| key.as_text() == Some(step)).map(|(_, value)| value)
    });
    let members = within.and_then(ciborium::Value::as_map_mut).ok_or_else(|| serialization(&"not a map"))?;
    let value = match value {
        Member::Text(text) => ciborium::Value::Text(text),
        Member::Integer(number) => ciborium::Value::Integer(number.into()),
    };
    members.retain(|(key, _)| key.as_text() != Some(name));
    members.push((ciborium::Value::Text(name.to_owned()), value));
    let mut body = Vec::new();
    ciborium::into_writer(&root, &mut body).map_err(|error| serialization(&error))?;
    Ok(body.into())
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "__type")]
    code: &'a str,
    message: &'a str,
}

/// A member's value, in either encoding.
pub enum Member {
    Text(String),
    Integer(u32),
}

impl From<String> for Member {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Member {
    fn from(number: u32) -> Self {
        Self::Integer(number)
    }
}

fn serialization(error: &dyn fmt::Display) -> AwsError {
    AwsError::bad_request("SerializationException", error.to_string())
}

/// A blob member, held as base64: text in JSON, bytes in CBOR.
#[derive(Debug, PartialEq)]
pub struct Blob {
    pub base64: String,
    /// Length of the bytes themselves.
    pub len: usize,
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BlobVisitor)
    }
}

struct BlobVisitor;

impl Visitor<'_> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a base64 string, or bytes")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Blob, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, base64: String) -> Result<Blob, E> {
        let engine = base64_simd::STANDARD;
        engine.check(base64.as_bytes()).map_err(|_| E::custom("a blob is not valid base64"))?;
        let len = engine.decoded_length(base64.as_bytes()).map_err(|_| E::custom("a blob is not valid base64"))?;
        Ok(Blob { base64, len })
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob { base64: base64_simd::STANDARD.encode_to_string(bytes), len: bytes.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(rename = "Data")]
        data: Blob,
    }

    #[test]
    fn a_blob_is_base64_text_in_json_and_bytes_in_cbor() {
        let json: Holder = Wire::Json.read(br#"{"Data":"SGVsbG8="}"#).unwrap();
        let mut cbor = Vec::new();
        let map = ciborium::Value::Map(vec![("Data".into(), ciborium::Value::Bytes(b"Hello".to_vec()))]);
        ciborium::into_writer(&map, &mut cbor).unwrap();
        let cbor: Holder = Wire::Cbor.read(&cbor).unwrap();
        assert_eq!(json.data, cbor.data);
        assert_eq!(json.data.len, 5);
    }

    #[test]
    fn invalid_base64_is_a_serialization_exception() {
        let error = Wire::Json.read::<Holder>(br#"{"Data":"Hello!"}"#).err().unwrap();
        assert_eq!(error.code, "SerializationException");
    }

    #[test]
    fn an_error_is_worded_in_the_clients_encoding() {
        let error = AwsError::bad_request("ResourceNotFoundException", "Stream s not found.");
        let response = Wire::Cbor.error(&error).unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (400, &"application/x-amz-cbor-1.1".parse().unwrap())
        );
        let members: std::collections::BTreeMap<String, String> = Wire::Cbor.read(response.body()).unwrap();
        assert_eq!(
            (members["__type"].as_str(), members["message"].as_str()),
            ("ResourceNotFoundException", "Stream s not found.")
        );
    }

    #[test]
    fn a_member_is_set_in_either_encoding() {
        let json = Wire::Json.set(&Bytes::from_static(b"{}"), "StreamName", "s".to_owned()).unwrap();
        assert_eq!(json, r#"{"StreamName":"s"}"#);
        let mut empty = Vec::new();
        ciborium::into_writer(&ciborium::Value::Map(Vec::new()), &mut empty).unwrap();
        let cbor = Wire::Cbor.set(&empty.into(), "ShardCount", 4).unwrap();
        let members: std::collections::BTreeMap<String, u32> = Wire::Cbor.read(&cbor).unwrap();
        assert_eq!(members["ShardCount"], 4);
    }

    #[test]
    fn a_member_within_another_is_set_in_either_encoding() {
        let (outer, inner) = (&["Summary"], "MaxRecordSizeInKiB");
        let json = Bytes::from_static(br#"{"Summary":{"StreamName":"s"}}"#);
        let json: serde_json::Value =
            Wire::Json.read(&Wire::Json.set_within(&json, outer, inner, 1024).unwrap()).unwrap();
        let mut cbor = Vec::new();
        let summary = ciborium::Value::Map(vec![("StreamName".into(), "s".into())]);
        ciborium::into_writer(&ciborium::Value::Map(vec![("Summary".into(), summary)]), &mut cbor).unwrap();
        let cbor = Wire::Cbor.set_within(&cbor.into(), outer, inner, 1024).unwrap();
        let cbor: serde_json::Value = Wire::Cbor.read(&cbor).unwrap();
        assert_eq!(json, serde_json::json!({ "Summary": { "StreamName": "s", "MaxRecordSizeInKiB": 1024 } }));
        assert_eq!(cbor, json);
        assert!(Wire::Json.set_within(&Bytes::from_static(b"{}"), outer, inner, 1).is_err());
    }
}
