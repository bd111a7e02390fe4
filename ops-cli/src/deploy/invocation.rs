//! Invokes a version of the function with an event.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use serde_json::Value;

use crate::aws::Aws;
use crate::error::{Error, Result};

/// The result of an invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The version that ran.
    pub version: String,
    /// The kind of error that the function ended with.
    pub error: Option<String>,
    /// The answer, or the document of the error.
    pub answer: String,
    /// The end of the function's log.
    pub log: String,
}

impl Invocation {
    /// Whether the function processed every record.
    pub fn has_succeeded(&self) -> bool {
        self.error.is_none() && self.failed_records() == 0
    }

    /// The number of records that the answer reports as failed.
    fn failed_records(&self) -> usize {
        let answer: Value = serde_json::from_str(&self.answer).unwrap_or_default();
        answer["batchItemFailures"].as_array().map_or(0, Vec::len)
    }

    /// Why the function did not process every record, in a sentence's end.
    pub fn failure(&self) -> String {
        match &self.error {
            Some(_) => {
                let answer: Value = serde_json::from_str(&self.answer).unwrap_or_default();
                let message = answer["errorMessage"].as_str().unwrap_or(&self.answer);
                match answer["errorType"].as_str() {
                    Some(kind) => format!("{kind}: {message}"),
                    None => message.to_owned(),
                }
            }
            None => format!("it reported the record as failed: {}", self.answer),
        }
    }
}

/// Invokes `qualifier`, which is a version or an alias, and waits for its answer.
pub async fn invoke(aws: &Aws, function: &str, qualifier: &str, event: Vec<u8>) -> Result<Invocation> {
    let request = aws.lambda().invoke().function_name(function).qualifier(qualifier).log_type(LogType::Tail);
    let request = request.payload(Blob::new(event));
    let doing = format!("invoke {qualifier} of the function {function}");
    let answer = aws.find(&doing, || request.clone().send()).await?.ok_or_else(|| {
        Error::failed(format!("there is no version or alias {qualifier} of the function {function}"))
            .hint("`ops-cli versions` lists the versions; `ops-cli provision` creates the function")
    })?;
    let log = answer.log_result.unwrap_or_default();
    let log = base64_simd::STANDARD
        .decode_to_vec(log.as_bytes())
        .map_err(|error| Error::failed(format!("could not {doing}: the end of the log is not base64: {error}")))?;
    Ok(Invocation {
        version: answer.executed_version.unwrap_or_else(|| qualifier.to_owned()),
        error: answer.function_error,
        answer: answer
            .payload
            .map_or_else(String::new, |payload| String::from_utf8_lossy(payload.as_ref()).into_owned()),
        log: String::from_utf8_lossy(&log).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(error: Option<&str>, answer: &str) -> Invocation {
        Invocation { version: "1".into(), error: error.map(str::to_owned), answer: answer.into(), log: String::new() }
    }

    #[test]
    fn an_error_or_a_failed_record_is_no_success() {
        assert!(answered(None, r#"{"batchItemFailures":[]}"#).has_succeeded());
        assert!(answered(None, "null").has_succeeded());
        assert!(!answered(None, r#"{"batchItemFailures":[{"itemIdentifier":"4959"}]}"#).has_succeeded());
        let failed = answered(Some("Unhandled"), r#"{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}"#);
        assert!(!failed.has_succeeded());
        assert_eq!(failed.failure(), "Runtime.ExitError: exit status 1");
    }
}
