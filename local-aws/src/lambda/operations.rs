//! The supported operations of Lambda, one line each.

use std::sync::LazyLock;

use bytes::Bytes;
use http::Response;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::event_source::Mappings;
use super::functions as handlers;
use super::handle::Lambda;
use super::request;
use crate::error::AwsError;
use crate::operation::{MIB, Operation, Request, Service, ServiceName};

/// A zip of 50 MiB as base64, which is AWS's own limit. AWS's message contains the number.
const CODE_BODY: usize = 70_167_211;
/// More than the 6 MiB of a payload, for which Lambda has its own error.
const PAYLOAD_BODY: usize = 8 * MIB;

impl Service for Lambda {
    const NAME: ServiceName = ServiceName::Lambda;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Lambda>>> = LazyLock::new(|| {
            [functions(), versions_and_aliases(), settings(), event_source_mappings()].into_iter().flatten().collect()
        });
        &OPERATIONS
    }
}

/// Functions, their code and their invocation.
fn functions() -> Vec<Operation<Lambda>> {
    vec![
        on_functions_async("CreateFunction", "POST /2015-03-31/functions", handlers::create_function)
            .body_limit(CODE_BODY)
            .logs("function created", &["FunctionName", "Runtime"]),
        on_functions("DeleteFunction", "DELETE /2015-03-31/functions/{FunctionName}", handlers::delete_function)
            .logs("function deleted", &[]),
        on_functions("GetAccountSettings", "GET /2016-08-19/account-settings", handlers::get_account_settings),
        on_functions("GetFunction", "GET /2015-03-31/functions/{FunctionName}", handlers::get_function),
        on_functions(
            "GetFunctionConfiguration",
            "GET /2015-03-31/functions/{FunctionName}/configuration",
            handlers::get_function_configuration,
        ),
        Operation::rest_async(
            "Invoke",
            "POST /2015-03-31/functions/{FunctionName}/invocations",
            |lambda: Lambda, request: Request| async move {
                let input = lambda.named("Invoke", request::read_head(&request, "Invoke"))?;
                let answer = handlers::invoke(lambda.context.clone(), input, request.body).await;
                lambda.named("Invoke", answer)
            },
        )
        .body_limit(PAYLOAD_BODY),
        on_functions("ListFunctions", "GET /2015-03-31/functions", handlers::list_functions),
        on_functions_async(
            "UpdateFunctionCode",
            "PUT /2015-03-31/functions/{FunctionName}/code",
            handlers::update_function_code,
        )
        .body_limit(CODE_BODY)
        .logs("function code updated", &[]),
        on_functions_async(
            "UpdateFunctionConfiguration",
            "PUT /2015-03-31/functions/{FunctionName}/configuration",
            handlers::update_function_configuration,
        )
        .logs("function configuration updated", &[]),
        // Serves the `Code.Location` of GetFunction, which on AWS is a presigned URL of S3.
        Operation::rest_async(
            "DownloadCode",
            "GET /2015-03-31/functions/{FunctionName}/code",
            |lambda: Lambda, request: Request| async move {
                let input = lambda.named("DownloadCode", request::read(&request, "GetFunction"))?;
                handlers::download_code(lambda.context, input).await
            },
        )
        .unlisted(),
    ]
}

/// Versions and aliases.
fn versions_and_aliases() -> Vec<Operation<Lambda>> {
    vec![
        on_functions("CreateAlias", "POST /2015-03-31/functions/{FunctionName}/aliases", handlers::create_alias),
        on_functions(
            "DeleteAlias",
            "DELETE /2015-03-31/functions/{FunctionName}/aliases/{Name}",
            handlers::delete_alias,
        ),
        on_functions("GetAlias", "GET /2015-03-31/functions/{FunctionName}/aliases/{Name}", handlers::get_alias),
        on_functions("ListAliases", "GET /2015-03-31/functions/{FunctionName}/aliases", handlers::list_aliases),
        on_functions(
            "ListVersionsByFunction",
            "GET /2015-03-31/functions/{FunctionName}/versions",
            handlers::list_versions_by_function,
        ),
        on_functions_async(
            "PublishVersion",
            "POST /2015-03-31/functions/{FunctionName}/versions",
            handlers::publish_version,
        )
        .logs("function version published", &[]),
        on_functions("UpdateAlias", "PUT /2015-03-31/functions/{FunctionName}/aliases/{Name}", handlers::update_alias),
    ]
}

/// Settings, permissions and tags of functions.
fn settings() -> Vec<Operation<Lambda>> {
    vec![
        on_functions("AddPermission", "POST /2015-03-31/functions/{FunctionName}/policy", handlers::add_permission),
        on_functions(
            "DeleteFunctionConcurrency",
            "DELETE /2017-10-31/functions/{FunctionName}/concurrency",
            handlers::delete_function_concurrency,
        ),
        on_functions(
            "DeleteFunctionEventInvokeConfig",
            "DELETE /2019-09-25/functions/{FunctionName}/event-invoke-config",
            handlers::delete_function_event_invoke_config,
        ),
        on_functions(
            "GetFunctionCodeSigningConfig",
            "GET /2020-06-30/functions/{FunctionName}/code-signing-config",
            handlers::get_function_code_signing_config,
        ),
        on_functions(
            "GetFunctionConcurrency",
            "GET /2019-09-30/functions/{FunctionName}/concurrency",
            handlers::get_function_concurrency,
        ),
        on_functions(
            "GetFunctionEventInvokeConfig",
            "GET /2019-09-25/functions/{FunctionName}/event-invoke-config",
            handlers::get_function_event_invoke_config,
        ),
        on_functions(
            "GetFunctionRecursionConfig",
            "GET /2024-08-31/functions/{FunctionName}/recursion-config",
            handlers::get_function_recursion_config,
        ),
        on_functions(
            "GetFunctionUrlConfig",
            "GET /2021-10-31/functions/{FunctionName}/url",
            handlers::get_function_url_config,
        ),
        on_functions("GetPolicy", "GET /2015-03-31/functions/{FunctionName}/policy", handlers::get_policy),
        on_functions(
            "ListFunctionEventInvokeConfigs",
            "GET /2019-09-25/functions/{FunctionName}/event-invoke-config/list",
            handlers::list_function_event_invoke_configs,
        ),
        on_functions(
            "ListFunctionUrlConfigs",
            "GET /2021-10-31/functions/{FunctionName}/urls",
            handlers::list_function_url_configs,
        ),
        on_resources("ListTags", "GET /2017-03-31/tags/{Resource}", handlers::list_tags),
        on_functions(
            "PutFunctionConcurrency",
            "PUT /2017-10-31/functions/{FunctionName}/concurrency",
            handlers::put_function_concurrency,
        )
        .logs("function concurrency set", &["ReservedConcurrentExecutions"]),
        on_functions(
            "PutFunctionEventInvokeConfig",
            "PUT /2019-09-25/functions/{FunctionName}/event-invoke-config",
            handlers::put_function_event_invoke_config,
        ),
        on_functions(
            "RemovePermission",
            "DELETE /2015-03-31/functions/{FunctionName}/policy/{StatementId}",
            handlers::remove_permission,
        ),
        on_resources("TagResource", "POST /2017-03-31/tags/{Resource}", handlers::tag_resource),
        on_resources("UntagResource", "DELETE /2017-03-31/tags/{Resource}", handlers::untag_resource),
        on_functions(
            "UpdateFunctionEventInvokeConfig",
            "POST /2019-09-25/functions/{FunctionName}/event-invoke-config",
            handlers::update_function_event_invoke_config,
        ),
    ]
}

/// Event source mappings.
fn event_source_mappings() -> Vec<Operation<Lambda>> {
    vec![
        Operation::rest_async(
            "CreateEventSourceMapping",
            "POST /2015-03-31/event-source-mappings",
            |lambda: Lambda, request: Request| async move {
                let input =
                    lambda.named("CreateEventSourceMapping", request::read(&request, "CreateEventSourceMapping"))?;
                lambda.named("CreateEventSourceMapping", lambda.mappings.create(input).await)
            },
        )
        .logs("event source mapping created", &["FunctionName", "EventSourceArn", "StartingPosition"]),
        on_mappings("DeleteEventSourceMapping", "DELETE /2015-03-31/event-source-mappings/{UUID}", Mappings::delete)
            .logs("event source mapping deleted", &[]),
        on_mappings("GetEventSourceMapping", "GET /2015-03-31/event-source-mappings/{UUID}", Mappings::get),
        on_mappings("ListEventSourceMappings", "GET /2015-03-31/event-source-mappings", Mappings::list),
        on_mappings("UpdateEventSourceMapping", "PUT /2015-03-31/event-source-mappings/{UUID}", Mappings::update)
            .logs("event source mapping updated", &["Enabled"]),
    ]
}

/// An operation on functions.
fn on_functions<I: DeserializeOwned + 'static>(
    name: &'static str,
    route: &'static str,
    handler: fn(&Context, I) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(name, route, move |lambda: &Lambda, request: &Request| {
        let answer = request::read(request, name).and_then(|input| handler(&lambda.context, input));
        lambda.named(name, answer)
    })
}

/// An asynchronous operation on functions.
fn on_functions_async<I, F>(name: &'static str, route: &'static str, handler: fn(Context, I) -> F) -> Operation<Lambda>
where
    I: DeserializeOwned + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, AwsError>> + Send + 'static,
{
    Operation::rest_async(name, route, move |lambda: Lambda, request: Request| async move {
        let answer = match request::read(&request, name) {
            Ok(input) => handler(lambda.context.clone(), input).await,
            Err(error) => Err(error),
        };
        lambda.named(name, answer)
    })
}

/// An operation on event source mappings.
fn on_mappings<I: DeserializeOwned + 'static>(
    name: &'static str,
    route: &'static str,
    handler: fn(&Mappings, I) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(name, route, move |lambda: &Lambda, request: &Request| {
        let answer = request::read(request, name).and_then(|input| handler(&lambda.mappings, input));
        lambda.named(name, answer)
    })
}

/// An operation on functions and event source mappings.
fn on_resources<I: DeserializeOwned + 'static>(
    name: &'static str,
    route: &'static str,
    handler: fn(&Context, &Mappings, I) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(name, route, move |lambda: &Lambda, request: &Request| {
        let answer = request::read(request, name).and_then(|input| handler(&lambda.context, &lambda.mappings, input));
        lambda.named(name, answer)
    })
}
