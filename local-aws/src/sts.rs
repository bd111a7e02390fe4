//! STS: the identity of the caller, and the temporary credentials of functions.
//!
//! The credentials are accepted while the function's process runs.

mod sessions;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::AwsError;
use crate::operation::{Operation, QueryService, Request, Service, ServiceName, Xml};
use crate::validation::{self, Model};
pub use sessions::{OpenSession, Session, Sts};

impl Service for Sts {
    const NAME: ServiceName = ServiceName::Sts;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Sts>>> =
            LazyLock::new(|| vec![Operation::query_of_caller("GetCallerIdentity", get_caller_identity).read_only()]);
        &OPERATIONS
    }
}

impl QueryService for Sts {
    const NAMESPACE: &'static str = "https://sts.amazonaws.com/doc/2011-06-15/";

    fn model() -> &'static Model {
        &validation::STS
    }
}

/// The input of GetCallerIdentity, which has no members.
#[derive(Deserialize)]
struct GetCallerIdentity {}

/// The caller is the account itself unless it has a session.
fn get_caller_identity(sts: &Sts, _: GetCallerIdentity, request: &Request) -> Result<Xml, AwsError> {
    let account_id = sts.iam().account_id();
    let root = format!("arn:aws:iam::{account_id}:root");
    let caller = request.caller.as_deref();
    let mut result = Xml::default();
    result.text("Arn", caller.map_or(&root, |caller| &caller.arn));
    result.text("UserId", caller.map_or(account_id, |caller| &caller.user_id));
    result.text("Account", account_id);
    Ok(result)
}
