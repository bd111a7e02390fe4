//! What deployers read besides a function itself, of settings that the endpoint does not have: the answers of a function
//! that has none of them.

use bytes::Bytes;
use http::Response;
use lambda_package::{MAX_UNPACKED_BYTES, MAX_ZIPPED_BYTES};
use serde_json::json;

use super::concurrency::ACCOUNT_CONCURRENCY;
use super::functions::Functions;
use super::names::Reference;
use super::validation::not_found;
use super::wire::{self, Query};
use crate::error::AwsError;

/// Bytes of all code of an account. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const TOTAL_CODE_BYTES: u64 = 80_530_636_800;

impl Functions {
    pub fn get_account_settings(&self) -> Response<Bytes> {
        let (functions, code_bytes) = self.count();
        wire::json(
            200,
            &json!({
                "AccountLimit": {
                    "TotalCodeSize": TOTAL_CODE_BYTES, "CodeSizeUnzipped": MAX_UNPACKED_BYTES,
                    "CodeSizeZipped": MAX_ZIPPED_BYTES, "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                    "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - self.reserved_by_all(),
                },
                "AccountUsage": { "TotalCodeSize": code_bytes, "FunctionCount": functions },
            }),
        )
    }

    pub fn get_code_signing_config(&self, resource: &str) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, None, self.config())?;
        self.with(&reference, |_| wire::json(200, &json!({})))
    }

    pub fn get_url_config(&self, resource: &str, query: &Query) -> Result<Response<Bytes>, AwsError> {
        Reference::read(resource, query.get("Qualifier"), self.config())?;
        Err(not_found("The resource you requested does not exist."))
    }

    pub fn list_url_configs(&self, resource: &str) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, None, self.config())?;
        self.with(&reference, |_| wire::json(200, &json!({ "FunctionUrlConfigs": [] })))
    }

    /// Events that functions hand on to each other do end.
    pub fn get_recursion_config(&self, resource: &str) -> Result<Response<Bytes>, AwsError> {
        let reference = Reference::read(resource, None, self.config())?;
        self.with(&reference, |_| wire::json(200, &json!({ "RecursiveLoop": "Terminate" })))
    }
}
