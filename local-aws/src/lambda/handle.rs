//! The handle on Lambda.

use super::context::Context;
use super::event_source::Mappings;
use super::names;
use crate::error::AwsError;

/// A handle on Lambda. Clones share its state.
#[derive(Clone)]
pub struct Lambda {
    pub(super) context: Context,
    pub(super) mappings: Mappings,
}

impl Lambda {
    /// Names the operation in the error of a denied access.
    pub(super) fn named<T>(&self, operation: &str, result: Result<T, AwsError>) -> Result<T, AwsError> {
        result.map_err(|error| names::name_operation(error, operation, &self.context.config))
    }
}
