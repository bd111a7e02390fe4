//! ListFunctions and ListVersionsByFunction.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::function_input::FunctionInput;
use crate::error::AwsError;
use crate::lambda::context::{Context, version_keys};
use crate::lambda::names::{LATEST, Reference, function_arn};
use crate::lambda::response::{self, PageInput};

/// The most functions of a page. <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>
const PAGE: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListFunctions {
    /// With `ALL`, versions are listed too.
    function_version: Option<String>,
    #[serde(flatten)]
    page: PageInput,
}

pub fn list_functions(context: &Context, input: ListFunctions) -> Result<Response<Bytes>, AwsError> {
    let with_versions = input.function_version.is_some();
    let functions = context.functions();
    let listed = functions.iter().filter(|(_, function)| with_versions || function.version == LATEST);
    let summaries = listed.map(|(name, function)| {
        let qualifier = with_versions.then_some(function.version.as_str());
        (name.as_str(), function.summary(&context.config, qualifier).into())
    });
    response::list("Functions", &function_arn(&context.config, ""), summaries, &input.page, PAGE)
}

/// Lists `$LATEST` first, then the versions by number.
pub fn list_versions_by_function(context: &Context, input: FunctionInput) -> Result<Response<Bytes>, AwsError> {
    let reference = Reference::read(&input.function_name, None, &context.config)?;
    context.must_exist(&reference)?;
    let functions = context.functions();
    let mut keys = version_keys(&functions, &reference.name);
    let arn = function_arn(&context.config, &reference.name);
    keys.insert(0, reference.name);
    let versions = keys.iter().filter_map(|key| functions.get(key)).enumerate();
    let summaries: Vec<_> = versions
        .map(|(index, function)| {
            (format!("{index:08}"), function.summary(&context.config, Some(&function.version)).into())
        })
        .collect();
    let summaries =
        summaries.iter().map(|(key, summary): &(String, serde_json::Value)| (key.as_str(), summary.clone()));
    response::list("Versions", &arn, summaries, &input.page, PAGE)
}
