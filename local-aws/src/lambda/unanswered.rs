//! The operations of Lambda that the endpoint does not answer, so that the error names them.

use http::Method;

use crate::error::AwsError;
use crate::operation::{Route, ServiceName, UNKNOWN_OPERATION};

/// The error for a method and path that no operation of the array has.
pub fn not_answered(method: &Method, path: &str) -> AwsError {
    let is_route = |(its_method, template, _): &&(Method, &'static str, &str)| {
        // Only the query distinguishes such a route from an answered one.
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
