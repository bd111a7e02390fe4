//! The input of operations that need only the function.

use serde::Deserialize;

use crate::error::AwsError;
use crate::lambda::context::Context;
use crate::lambda::names::Reference;
use crate::lambda::response::PageInput;

/// The input of an operation that needs only the function.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionInput {
    pub function_name: String,
    qualifier: Option<String>,
    #[serde(flatten)]
    pub page: PageInput,
}

impl FunctionInput {
    /// The reference to the function, with the qualifier.
    ///
    /// # Errors
    /// As [`Reference::read`].
    pub fn reference(&self, context: &Context) -> Result<Reference, AwsError> {
        Reference::read(&self.function_name, self.qualifier.as_deref(), &context.config)
    }
}
