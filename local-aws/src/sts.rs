//! STS: who the caller is, and the temporary credentials of functions.
//!
//! Shapes are those of botocore's service model `sts` 2011-06-15.

mod sessions;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use crate::error::AwsError;
use crate::iam::Iam;
use crate::operation::{Operation, Parameters, QueryService, Request, Service, ServiceName, Xml};
use sessions::Sessions;
pub use sessions::{OpenSession, Session};

/// A handle on the open sessions of an account's roles. Clones share them.
#[derive(Clone)]
pub struct Sts {
    iam: Iam,
    sessions: Sessions,
}

impl Service for Sts {
    const NAME: ServiceName = ServiceName::Sts;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Sts>>> =
            LazyLock::new(|| vec![Operation::query_of_caller("GetCallerIdentity", get_caller_identity)]);
        &OPERATIONS
    }
}

impl QueryService for Sts {
    const NAMESPACE: &'static str = "https://sts.amazonaws.com/doc/2011-06-15/";

    fn check(_: &str, _: &Parameters<'_>) -> Result<(), AwsError> {
        Ok(())
    }
}

impl Sts {
    pub fn new(iam: Iam) -> Self {
        Self { iam, sessions: Sessions::default() }
    }

    pub fn iam(&self) -> &Iam {
        &self.iam
    }
}

/// The caller is the account itself unless it has a session.
fn get_caller_identity(sts: &Sts, _: &Parameters<'_>, request: &Request) -> Result<Xml, AwsError> {
    let account_id = sts.iam.account_id();
    let root = format!("arn:aws:iam::{account_id}:root");
    let caller = request.caller.as_deref();
    let mut result = Xml::default();
    result.text("Arn", caller.map_or(&root, |caller| &caller.arn));
    result.text("UserId", caller.map_or(account_id, |caller| &caller.user_id));
    result.text("Account", account_id);
    Ok(result)
}
