//! GetAccountSettings.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::names::LATEST;
use crate::lambda::response;
use lambda_package::{MAX_UNPACKED_BYTES, MAX_ZIPPED_BYTES};

/// The most bytes of all code of an account. <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const TOTAL_CODE_BYTES: u64 = 80_530_636_800;
/// The default concurrency of all functions of an account.
pub const ACCOUNT_CONCURRENCY: u32 = 1000;

#[derive(Deserialize)]
pub struct GetAccountSettings {}

pub fn get_account_settings(context: &Context, _: GetAccountSettings) -> Result<Response<Bytes>, AwsError> {
    let unreserved = ACCOUNT_CONCURRENCY - context.total_reserved_concurrency();
    let functions = context.functions();
    let code_bytes: usize = functions.values().flat_map(|function| &function.program).map(|it| it.code.size).sum();
    let count = functions.values().filter(|function| function.version == LATEST).count();
    Ok(response::json(
        200,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": TOTAL_CODE_BYTES, "CodeSizeUnzipped": MAX_UNPACKED_BYTES,
                "CodeSizeZipped": MAX_ZIPPED_BYTES, "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                "UnreservedConcurrentExecutions": unreserved,
            },
            "AccountUsage": { "TotalCodeSize": code_bytes, "FunctionCount": count },
        }),
    ))
}
