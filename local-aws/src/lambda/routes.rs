//! The operations of Lambda, and the names of those that are not answered.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Method, Response};

use super::wire::Query;
use super::{Lambda, names};
use crate::error::AwsError;
use crate::operation::{MIB, Operation, Request, Route, Service, ServiceName, UNKNOWN_OPERATION};

/// A zip of 50 MiB as base64: AWS's own limit, which its message names.
const CODE_BODY: usize = 70_167_211;
/// More than the 6 MiB of a payload, for which Lambda has an error of its own.
const PAYLOAD_BODY: usize = 8 * MIB;

impl Service for Lambda {
    const NAME: ServiceName = ServiceName::Lambda;

    fn operations() -> &'static [Operation<Self>] {
        static OPERATIONS: LazyLock<Vec<Operation<Lambda>>> = LazyLock::new(|| {
            vec![
                rest(Method::POST, "/2015-03-31/functions/{FunctionName}/policy", "AddPermission", |lambda, r, q| {
                    lambda.functions.add_permission(r.path(0), q, &r.body)
                }),
                rest(Method::POST, "/2015-03-31/functions/{FunctionName}/aliases", "CreateAlias", |lambda, r, _| {
                    lambda.functions.create_alias(r.path(0), &r.body)
                }),
                rest_async(
                    Method::POST,
                    "/2015-03-31/event-source-mappings",
                    "CreateEventSourceMapping",
                    |lambda, r| async move { lambda.mappings.create(&r.body).await },
                )
                .logs("event source mapping created", &["FunctionName", "EventSourceArn", "StartingPosition"]),
                rest_async(Method::POST, "/2015-03-31/functions", "CreateFunction", |lambda, r| async move {
                    lambda.functions.create(&r.body).await
                })
                .body_limit(CODE_BODY)
                .logs("function created", &["FunctionName", "Runtime"]),
                rest(
                    Method::DELETE,
                    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
                    "DeleteAlias",
                    |lambda, r, _| lambda.functions.delete_alias(r.path(0), r.path(1)),
                ),
                rest(
                    Method::DELETE,
                    "/2015-03-31/event-source-mappings/{UUID}",
                    "DeleteEventSourceMapping",
                    |lambda, r, _| lambda.mappings.delete(r.path(0)),
                )
                .logs("event source mapping deleted", &[]),
                rest(Method::DELETE, "/2015-03-31/functions/{FunctionName}", "DeleteFunction", |lambda, r, q| {
                    lambda.functions.delete(r.path(0), q)
                })
                .logs("function deleted", &[]),
                rest(
                    Method::DELETE,
                    "/2017-10-31/functions/{FunctionName}/concurrency",
                    "DeleteFunctionConcurrency",
                    |lambda, r, _| lambda.functions.delete_concurrency(r.path(0)),
                ),
                rest(
                    Method::DELETE,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "DeleteFunctionEventInvokeConfig",
                    |lambda, r, q| lambda.functions.delete_event_invoke_config(r.path(0), q),
                ),
                rest(Method::GET, "/2016-08-19/account-settings", "GetAccountSettings", |lambda, _, _| {
                    Ok(lambda.functions.get_account_settings())
                }),
                rest(Method::GET, "/2015-03-31/functions/{FunctionName}/aliases/{Name}", "GetAlias", |lambda, r, _| {
                    lambda.functions.get_alias(r.path(0), r.path(1))
                }),
                rest(
                    Method::GET,
                    "/2015-03-31/event-source-mappings/{UUID}",
                    "GetEventSourceMapping",
                    |lambda, r, _| lambda.mappings.get(r.path(0)),
                ),
                rest(Method::GET, "/2015-03-31/functions/{FunctionName}", "GetFunction", |lambda, r, q| {
                    lambda.functions.get(r.path(0), q)
                }),
                rest(
                    Method::GET,
                    "/2020-06-30/functions/{FunctionName}/code-signing-config",
                    "GetFunctionCodeSigningConfig",
                    |lambda, r, _| lambda.functions.get_code_signing_config(r.path(0)),
                ),
                rest(
                    Method::GET,
                    "/2019-09-30/functions/{FunctionName}/concurrency",
                    "GetFunctionConcurrency",
                    |lambda, r, _| lambda.functions.get_concurrency(r.path(0)),
                ),
                rest(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/configuration",
                    "GetFunctionConfiguration",
                    |lambda, r, q| lambda.functions.get_configuration(r.path(0), q),
                ),
                rest(
                    Method::GET,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "GetFunctionEventInvokeConfig",
                    |lambda, r, q| lambda.functions.get_event_invoke_config(r.path(0), q),
                ),
                rest(
                    Method::GET,
                    "/2024-08-31/functions/{FunctionName}/recursion-config",
                    "GetFunctionRecursionConfig",
                    |lambda, r, _| lambda.functions.get_recursion_config(r.path(0)),
                ),
                rest(
                    Method::GET,
                    "/2021-10-31/functions/{FunctionName}/url",
                    "GetFunctionUrlConfig",
                    |lambda, r, q| lambda.functions.get_url_config(r.path(0), q),
                ),
                rest(Method::GET, "/2015-03-31/functions/{FunctionName}/policy", "GetPolicy", |lambda, r, q| {
                    lambda.functions.get_policy(r.path(0), q)
                }),
                rest_async(
                    Method::POST,
                    "/2015-03-31/functions/{FunctionName}/invocations",
                    "Invoke",
                    |lambda, r| async move {
                        lambda
                            .functions
                            .invoke_operation(r.path(0), &Query::of(&r.uri), &r.headers, r.body.clone())
                            .await
                    },
                )
                .body_limit(PAYLOAD_BODY),
                rest(Method::GET, "/2015-03-31/functions/{FunctionName}/aliases", "ListAliases", |lambda, r, q| {
                    lambda.functions.list_aliases(r.path(0), q)
                }),
                rest(Method::GET, "/2015-03-31/event-source-mappings", "ListEventSourceMappings", |lambda, _, q| {
                    lambda.mappings.list(q)
                }),
                rest(
                    Method::GET,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config/list",
                    "ListFunctionEventInvokeConfigs",
                    |lambda, r, q| lambda.functions.list_event_invoke_configs(r.path(0), q),
                ),
                rest(
                    Method::GET,
                    "/2021-10-31/functions/{FunctionName}/urls",
                    "ListFunctionUrlConfigs",
                    |lambda, r, _| lambda.functions.list_url_configs(r.path(0)),
                ),
                rest(Method::GET, "/2015-03-31/functions", "ListFunctions", |lambda, _, q| lambda.functions.list(q)),
                rest(Method::GET, "/2017-03-31/tags/{Resource}", "ListTags", |lambda, r, _| {
                    lambda.list_tags(r.path(0))
                }),
                rest(
                    Method::GET,
                    "/2015-03-31/functions/{FunctionName}/versions",
                    "ListVersionsByFunction",
                    |lambda, r, q| lambda.functions.list_versions(r.path(0), q),
                ),
                rest_async(
                    Method::POST,
                    "/2015-03-31/functions/{FunctionName}/versions",
                    "PublishVersion",
                    |lambda, r| async move { lambda.functions.publish_version(r.path(0), &r.body).await },
                )
                .logs("function version published", &[]),
                rest(
                    Method::PUT,
                    "/2017-10-31/functions/{FunctionName}/concurrency",
                    "PutFunctionConcurrency",
                    |lambda, r, _| lambda.functions.put_concurrency(r.path(0), &r.body),
                )
                .logs("function concurrency set", &["ReservedConcurrentExecutions"]),
                rest(
                    Method::PUT,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "PutFunctionEventInvokeConfig",
                    |lambda, r, q| lambda.functions.put_event_invoke_config(r.path(0), q, &r.body),
                ),
                rest(
                    Method::DELETE,
                    "/2015-03-31/functions/{FunctionName}/policy/{StatementId}",
                    "RemovePermission",
                    |lambda, r, q| lambda.functions.remove_permission(r.path(0), r.path(1), q),
                ),
                rest(Method::POST, "/2017-03-31/tags/{Resource}", "TagResource", |lambda, r, _| {
                    lambda.tag(r.path(0), &r.body)
                }),
                rest(Method::DELETE, "/2017-03-31/tags/{Resource}", "UntagResource", |lambda, r, q| {
                    lambda.untag(r.path(0), q)
                }),
                rest(
                    Method::PUT,
                    "/2015-03-31/functions/{FunctionName}/aliases/{Name}",
                    "UpdateAlias",
                    |lambda, r, _| lambda.functions.update_alias(r.path(0), r.path(1), &r.body),
                ),
                rest(
                    Method::PUT,
                    "/2015-03-31/event-source-mappings/{UUID}",
                    "UpdateEventSourceMapping",
                    |lambda, r, _| lambda.mappings.update(r.path(0), &r.body),
                )
                .logs("event source mapping updated", &["Enabled"]),
                rest_async(
                    Method::PUT,
                    "/2015-03-31/functions/{FunctionName}/code",
                    "UpdateFunctionCode",
                    |lambda, r| async move { lambda.functions.update_code(r.path(0), &r.body).await },
                )
                .body_limit(CODE_BODY)
                .logs("function code updated", &[]),
                rest_async(
                    Method::PUT,
                    "/2015-03-31/functions/{FunctionName}/configuration",
                    "UpdateFunctionConfiguration",
                    |lambda, r| async move { lambda.functions.update_configuration(r.path(0), &r.body).await },
                )
                .logs("function configuration updated", &[]),
                rest(
                    Method::POST,
                    "/2019-09-25/functions/{FunctionName}/event-invoke-config",
                    "UpdateFunctionEventInvokeConfig",
                    |lambda, r, q| lambda.functions.update_event_invoke_config(r.path(0), q, &r.body),
                ),
                // Serves the `Code.Location` of GetFunction, which on AWS is a presigned URL of S3.
                rest(Method::GET, "/2015-03-31/functions/{FunctionName}/code", "DownloadCode", |lambda, r, q| {
                    lambda.functions.download(r.path(0), q)
                })
                .unlisted(),
            ]
        });
        &OPERATIONS
    }
}

fn rest(
    method: Method,
    template: &'static str,
    name: &'static str,
    handler: fn(&Lambda, &Request, &Query) -> Result<Response<Bytes>, AwsError>,
) -> Operation<Lambda> {
    Operation::rest(method, template, name, move |lambda: &Lambda, request| {
        let answered = handler(lambda, request, &Query::of(&request.uri));
        answered.map_err(|error| names::name_operation(error, name, lambda.functions.config()))
    })
}

fn rest_async<F: Future<Output = Result<Response<Bytes>, AwsError>> + Send + 'static>(
    method: Method,
    template: &'static str,
    name: &'static str,
    handler: fn(Lambda, Request) -> F,
) -> Operation<Lambda> {
    Operation::rest_async(method, template, name, move |lambda: Lambda, request| async move {
        let answered = handler(lambda.clone(), request).await;
        answered.map_err(|error| names::name_operation(error, name, lambda.functions.config()))
    })
}

/// The error for a method and path that no operation of the array has.
pub fn not_answered(method: &Method, path: &str) -> AwsError {
    let is_route = |(its_method, template, _): &&(Method, &'static str, &str)| {
        // A route with a query is told from another by its query only.
        let route = Route { method: its_method.clone(), template };
        !template.contains('?') && route.members(method, path).is_some()
    };
    match NOT_ANSWERED.iter().find(is_route) {
        Some((_, _, operation)) => ServiceName::Lambda.unknown_operation(operation),
        None => {
            let message = format!("Lambda has no operation {method} {path}.");
            AwsError::new(404, UNKNOWN_OPERATION, message)
        }
    }
}

/// Method, path and name of the operations that Lambda has and the endpoint does not answer, from botocore 1.43's model.
const NOT_ANSWERED: &[(Method, &str, &str)] = &[
    (Method::POST, "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", "AddLayerVersionPermission"),
    (Method::POST, "/2025-12-01/durable-executions/{DurableExecutionArn}/checkpoint", "CheckpointDurableExecution"),
    (Method::POST, "/2025-11-30/capacity-providers", "CreateCapacityProvider"),
    (Method::POST, "/2020-04-22/code-signing-configs", "CreateCodeSigningConfig"),
    (Method::POST, "/2021-10-31/functions/{FunctionName}/url", "CreateFunctionUrlConfig"),
    (Method::DELETE, "/2025-11-30/capacity-providers/{CapacityProviderName}", "DeleteCapacityProvider"),
    (Method::DELETE, "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", "DeleteCodeSigningConfig"),
    (Method::DELETE, "/2020-06-30/functions/{FunctionName}/code-signing-config", "DeleteFunctionCodeSigningConfig"),
    (Method::DELETE, "/2021-10-31/functions/{FunctionName}/url", "DeleteFunctionUrlConfig"),
    (Method::DELETE, "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", "DeleteLayerVersion"),
    (
        Method::DELETE,
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency",
        "DeleteProvisionedConcurrencyConfig",
    ),
    (Method::GET, "/2025-11-30/capacity-providers/{CapacityProviderName}", "GetCapacityProvider"),
    (Method::GET, "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", "GetCodeSigningConfig"),
    (Method::GET, "/2025-12-01/durable-executions/{DurableExecutionArn}", "GetDurableExecution"),
    (Method::GET, "/2025-12-01/durable-executions/{DurableExecutionArn}/history", "GetDurableExecutionHistory"),
    (Method::GET, "/2025-12-01/durable-executions/{DurableExecutionArn}/state", "GetDurableExecutionState"),
    (Method::GET, "/2025-11-30/functions/{FunctionName}/function-scaling-config", "GetFunctionScalingConfig"),
    (Method::GET, "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}", "GetLayerVersion"),
    (Method::GET, "/2018-10-31/layers?find=LayerVersion", "GetLayerVersionByArn"),
    (Method::GET, "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy", "GetLayerVersionPolicy"),
    (Method::GET, "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", "GetProvisionedConcurrencyConfig"),
    (Method::GET, "/2021-07-20/functions/{FunctionName}/runtime-management-config", "GetRuntimeManagementConfig"),
    (Method::POST, "/2014-11-13/functions/{FunctionName}/invoke-async", "InvokeAsync"),
    (Method::POST, "/2021-11-15/functions/{FunctionName}/response-streaming-invocations", "InvokeWithResponseStream"),
    (Method::GET, "/2025-11-30/capacity-providers", "ListCapacityProviders"),
    (Method::GET, "/2020-04-22/code-signing-configs", "ListCodeSigningConfigs"),
    (Method::GET, "/2025-12-01/functions/{FunctionName}/durable-executions", "ListDurableExecutionsByFunction"),
    (
        Method::GET,
        "/2025-11-30/capacity-providers/{CapacityProviderName}/function-versions",
        "ListFunctionVersionsByCapacityProvider",
    ),
    (
        Method::GET,
        "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}/functions",
        "ListFunctionsByCodeSigningConfig",
    ),
    (Method::GET, "/2018-10-31/layers/{LayerName}/versions", "ListLayerVersions"),
    (Method::GET, "/2018-10-31/layers", "ListLayers"),
    (
        Method::GET,
        "/2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL",
        "ListProvisionedConcurrencyConfigs",
    ),
    (Method::POST, "/2018-10-31/layers/{LayerName}/versions", "PublishLayerVersion"),
    (Method::PUT, "/2020-06-30/functions/{FunctionName}/code-signing-config", "PutFunctionCodeSigningConfig"),
    (Method::PUT, "/2024-08-31/functions/{FunctionName}/recursion-config", "PutFunctionRecursionConfig"),
    (Method::PUT, "/2025-11-30/functions/{FunctionName}/function-scaling-config", "PutFunctionScalingConfig"),
    (Method::PUT, "/2019-09-30/functions/{FunctionName}/provisioned-concurrency", "PutProvisionedConcurrencyConfig"),
    (Method::PUT, "/2021-07-20/functions/{FunctionName}/runtime-management-config", "PutRuntimeManagementConfig"),
    (
        Method::DELETE,
        "/2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}",
        "RemoveLayerVersionPermission",
    ),
    (Method::POST, "/2025-12-01/durable-execution-callbacks/{CallbackId}/fail", "SendDurableExecutionCallbackFailure"),
    (
        Method::POST,
        "/2025-12-01/durable-execution-callbacks/{CallbackId}/heartbeat",
        "SendDurableExecutionCallbackHeartbeat",
    ),
    (
        Method::POST,
        "/2025-12-01/durable-execution-callbacks/{CallbackId}/succeed",
        "SendDurableExecutionCallbackSuccess",
    ),
    (Method::POST, "/2025-12-01/durable-executions/{DurableExecutionArn}/stop", "StopDurableExecution"),
    (Method::PUT, "/2025-11-30/capacity-providers/{CapacityProviderName}", "UpdateCapacityProvider"),
    (Method::PUT, "/2020-04-22/code-signing-configs/{CodeSigningConfigArn}", "UpdateCodeSigningConfig"),
    (Method::PUT, "/2021-10-31/functions/{FunctionName}/url", "UpdateFunctionUrlConfig"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The operation at a method and path, whether it is answered or not.
    fn operation(method: Method, path: &str) -> Option<String> {
        let is_here = |operation: &&Operation<Lambda>| {
            operation.metadata.route.as_ref().is_some_and(|route| route.members(&method, path).is_some())
        };
        if let Some(operation) = Lambda::operations().iter().find(is_here) {
            return Some(operation.metadata.name.to_owned());
        }
        let error = not_answered(&method, path);
        let name = error.message.trim_end_matches('.').rsplit(' ').next()?;
        (error.status == 400).then(|| name.to_owned())
    }

    #[test]
    fn a_path_names_its_operation_and_resource() {
        let arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af";
        let untag = Lambda::operations().iter().find(|operation| operation.metadata.name == "UntagResource").unwrap();
        let route = untag.metadata.route.as_ref().unwrap();
        let members = route.members(&Method::DELETE, &format!("/2017-03-31/tags/{arn}")).unwrap();
        assert_eq!(members, ["arn:aws:lambda:us-east-1:000000000000:function:f"]);
        let name = |method, path| operation(method, path).unwrap_or_default();
        assert_eq!(name(Method::POST, "/2015-03-31/functions"), "CreateFunction");
        assert_eq!(name(Method::GET, "/2015-03-31/functions/"), "ListFunctions");
        assert_eq!(name(Method::POST, "/2015-03-31/functions/f/invocations"), "Invoke");
        assert_eq!(name(Method::GET, "/2015-03-31/event-source-mappings/1-2"), "GetEventSourceMapping");
        assert_eq!(name(Method::PUT, "/2017-10-31/functions/f/concurrency"), "PutFunctionConcurrency");
        assert_eq!(name(Method::GET, "/2018-10-31/layers"), "ListLayers");
    }

    #[test]
    fn a_path_that_lambda_does_not_have_names_no_operation() {
        assert_eq!(operation(Method::PATCH, "/2015-03-31/functions"), None);
        assert_eq!(operation(Method::GET, "/2015-03-31/functions/f/configuration/more"), None);
        assert_eq!(operation(Method::GET, "/"), None);
    }
}
