//! The operations of Lambda that the endpoint answers, one line each.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Method, Response};
use serde::de::DeserializeOwned;

use super::context::Context;
use super::event_source::Mappings;
use super::functions;
use super::handle::Lambda;
use super::request;
use crate::error::AwsError;
use crate::operation::{MIB, Operation, Request, Service, ServiceName};

/// A zip of 50 MiB as base64: AWS's own limit, which its message names.
const CODE_BODY: usize = 70_167_211;
/// More than the 6 MiB of a payload, for which Lambda has an error of its own.
const PAYLOAD_BODY: usize = 8 * MIB;

impl Service for Lambda {
    const NAME: ServiceName = ServiceName::Lambda;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Lambda>>> = LazyLock::new(|| {
            vec![
                on_functions(
                    Method::POST,
                    "/2015-03-31/functions/{FunctionName}/policy",
                    "AddPermission",
                    functions::add_permission,
                ),
                on_functions(
                    Method::POST,
                    "/2015-03-31/functions/{FunctionName}/aliases",
                    "CreateAlias",
                    functions::create_alias,
                ),
                Operation::rest_async(
                    Method::POST,
                    "/2015-03-31/event-source-mappings",
                    "CreateEventSourceMapping",
                    |lambda: Lambda, request: Request| async move {
                        let input = lambda
                            .named("CreateEventSourceMapping", request::read(&request, "CreateEventSourceMapping"))?;
                        lambda.named("CreateEventSourceMapping", lambda.mappings.create(input).await)
                    },
                )
                .logs("event source mapping created", &["FunctionName", "EventSourceArn", "StartingPosition"]),
                on_functions_async(Method::POST, "/2015-03-31/functions", "CreateFunction", functions::create_function)
                    .body_limit(CODE_BODY)
                    .logs("function created", &["FunctionName", "Runtime"]),
                on_functions(
                    Method::DELETE,
                    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
                    "DeleteAlias",
                    functions::delete_alias,
                ),
                on_mappings(
                    Method::DELETE,
                    "/2015-03-31/event-source-mappings/{UUID}",
                    "DeleteEventSourceMapping",
                    Mappings::delete,
                )
                .logs("event source mapping deleted", &[]),
                on_functions(
                    Method::DELETE,
                    "/2015-03-31/functions/{FunctionName}",
                    "DeleteFunction",
                    functions::delete_function,
                )
                .logs("function deleted", &[]),
                on_functions(
                    Method::DELETE,
                    "/2017-10-31/functions/{FunctionName}/concurrency",
                    "DeleteFunctionConcurrency",
                    functions::delete_function_concurrency,
                ),
                on_functions(
                    Method::DELETE,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "DeleteFunctionEventInvokeConfig",
                    functions::delete_function_event_invoke_config,
                ),
                on_functions(
                    Method::GET,
                    "/2016-08-19/account-settings",
                    "GetAccountSettings",
                    functions::get_account_settings,
                ),
                on_functions(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
                    "GetAlias",
                    functions::get_alias,
                ),
                on_mappings(
                    Method::GET,
                    "/2015-03-31/event-source-mappings/{UUID}",
                    "GetEventSourceMapping",
                    Mappings::get,
                ),
                on_functions(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}",
                    "GetFunction",
                    functions::get_function,
                ),
                on_functions(
                    Method::GET,
                    "/2020-06-30/functions/{FunctionName}/code-signing-config",
                    "GetFunctionCodeSigningConfig",
                    functions::get_function_code_signing_config,
                ),
                on_functions(
                    Method::GET,
                    "/2019-09-30/functions/{FunctionName}/concurrency",
                    "GetFunctionConcurrency",
                    functions::get_function_concurrency,
                ),
                on_functions(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/configuration",
                    "GetFunctionConfiguration",
                    functions::get_function_configuration,
                ),
                on_functions(
                    Method::GET,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "GetFunctionEventInvokeConfig",
                    functions::get_function_event_invoke_config,
                ),
                on_functions(
                    Method::GET,
                    "/2024-08-31/functions/{FunctionName}/recursion-config",
                    "GetFunctionRecursionConfig",
                    functions::get_function_recursion_config,
                ),
                on_functions(
                    Method::GET,
                    "/2021-10-31/functions/{FunctionName}/url",
                    "GetFunctionUrlConfig",
                    functions::get_function_url_config,
                ),
                on_functions(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/policy",
                    "GetPolicy",
                    functions::get_policy,
                ),
                Operation::rest_async(
                    Method::POST,
                    "/2015-03-31/functions/{FunctionName}/invocations",
                    "Invoke",
                    |lambda: Lambda, request: Request| async move {
                        let input = lambda.named("Invoke", request::read_head(&request, "Invoke"))?;
                        let answer = functions::invoke(lambda.context.clone(), input, request.body).await;
                        lambda.named("Invoke", answer)
                    },
                )
                .body_limit(PAYLOAD_BODY),
                on_functions(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/aliases",
                    "ListAliases",
                    functions::list_aliases,
                ),
                on_mappings(
                    Method::GET,
                    "/2015-03-31/event-source-mappings",
                    "ListEventSourceMappings",
                    Mappings::list,
                ),
                on_functions(
                    Method::GET,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config/list",
                    "ListFunctionEventInvokeConfigs",
                    functions::list_function_event_invoke_configs,
                ),
                on_functions(
                    Method::GET,
                    "/2021-10-31/functions/{FunctionName}/urls",
                    "ListFunctionUrlConfigs",
                    functions::list_function_url_configs,
                ),
                on_functions(Method::GET, "/2015-03-31/functions", "ListFunctions", functions::list_functions),
                on_resources(Method::GET, "/2017-03-31/tags/{Resource}", "ListTags", functions::list_tags),
                on_functions(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/versions",
                    "ListVersionsByFunction",
                    functions::list_versions_by_function,
                ),
                on_functions_async(
                    Method::POST,
                    "/2015-03-31/functions/{FunctionName}/versions",
                    "PublishVersion",
                    functions::publish_version,
                )
                .logs("function version published", &[]),
                on_functions(
                    Method::PUT,
                    "/2017-10-31/functions/{FunctionName}/concurrency",
                    "PutFunctionConcurrency",
                    functions::put_function_concurrency,
                )
                .logs("function concurrency set", &["ReservedConcurrentExecutions"]),
                on_functions(
                    Method::PUT,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "PutFunctionEventInvokeConfig",
                    functions::put_function_event_invoke_config,
                ),
                on_functions(
                    Method::DELETE,
                    "/2015-03-31/functions/{FunctionName}/policy/{StatementId}",
                    "RemovePermission",
                    functions::remove_permission,
                ),
                on_resources(Method::POST, "/2017-03-31/tags/{Resource}", "TagResource", functions::tag_resource),
                on_resources(Method::DELETE, "/2017-03-31/tags/{Resource}", "UntagResource", functions::untag_resource),
                on_functions(
                    Method::PUT,
                    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
                    "UpdateAlias",
                    functions::update_alias,
                ),
                on_mappings(
                    Method::PUT,
                    "/2015-03-31/event-source-mappings/{UUID}",
                    "UpdateEventSourceMapping",
                    Mappings::update,
                )
                .logs("event source mapping updated", &["Enabled"]),
                on_functions_async(
                    Method::PUT,
                    "/2015-03-31/functions/{FunctionName}/code",
                    "UpdateFunctionCode",
                    functions::update_function_code,
                )
                .body_limit(CODE_BODY)
                .logs("function code updated", &[]),
                on_functions_async(
                    Method::PUT,
                    "/2015-03-31/functions/{FunctionName}/configuration",
                    "UpdateFunctionConfiguration",
                    functions::update_function_configuration,
                )
                .logs("function configuration updated", &[]),
                on_functions(
                    Method::POST,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "UpdateFunctionEventInvokeConfig",
                    functions::update_function_event_invoke_config,
                ),
                // Serves the `Code.Location` of GetFunction, which on AWS is a presigned URL of S3.
                Operation::rest_async(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/code",
                    "DownloadCode",
                    |lambda: Lambda, request: Request| async move {
                        let input = lambda.named("DownloadCode", request::read(&request, "GetFunction"))?;
                        functions::download_code(lambda.context, input).await
                    },
                )
                .unlisted(),
            ]
        });
        &OPERATIONS
    }
}

/// An operation on functions.
fn on_functions<I: DeserializeOwned + 'static>(
    method: Method,
    template: &'static str,
    name: &'static str,
    handler: fn(&Context, I) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(method, template, name, move |lambda: &Lambda, request: &Request| {
        let answer = request::read(request, name).and_then(|input| handler(&lambda.context, input));
        lambda.named(name, answer)
    })
}

/// An operation on functions that waits.
fn on_functions_async<I, F>(
    method: Method,
    template: &'static str,
    name: &'static str,
    handler: fn(Context, I) -> F,
) -> Operation<Lambda>
where
    I: DeserializeOwned + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, AwsError>> + Send + 'static,
{
    Operation::rest_async(method, template, name, move |lambda: Lambda, request: Request| async move {
        let answer = match request::read(&request, name) {
            Ok(input) => handler(lambda.context.clone(), input).await,
            Err(error) => Err(error),
        };
        lambda.named(name, answer)
    })
}

/// An operation on event source mappings.
fn on_mappings<I: DeserializeOwned + 'static>(
    method: Method,
    template: &'static str,
    name: &'static str,
    handler: fn(&Mappings, I) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(method, template, name, move |lambda: &Lambda, request: &Request| {
        let answer = request::read(request, name).and_then(|input| handler(&lambda.mappings, input));
        lambda.named(name, answer)
    })
}

/// An operation on functions and event source mappings.
fn on_resources<I: DeserializeOwned + 'static>(
    method: Method,
    template: &'static str,
    name: &'static str,
    handler: fn(&Context, &Mappings, I) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(method, template, name, move |lambda: &Lambda, request: &Request| {
        let answer = request::read(request, name).and_then(|input| handler(&lambda.context, &lambda.mappings, input));
        lambda.named(name, answer)
    })
}
