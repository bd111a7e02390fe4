//! The operations of Lambda that the endpoint does not support, so that the error names them.

use http::Method;

use crate::error::AwsError;
use crate::operation::{Route, ServiceName, UNKNOWN_OPERATION};

/// The error for a method and path that no operation of the array has.
pub fn not_supported(method: &Method, path: &str) -> AwsError {
    let is_route = |(route, _): &&(Route, &str)| {
        // Only the query distinguishes such a route from a supported one.
        !route.template().contains('?') && route.members(method, path).is_some()
    };
    match UNSUPPORTED.iter().find(is_route) {
        Some((_, operation)) => ServiceName::Lambda.unknown_operation(operation),
        None => {
            let message = format!("Lambda has no operation {method} {path}.");
            AwsError::new(404, UNKNOWN_OPERATION, message)
        }
    }
}

/// Routes and names of the operations that Lambda has and the endpoint does not support, from botocore 1.43's model.
const UNSUPPORTED: &[(Route, &str)] = &[
    (Route("POST /2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy"), "AddLayerVersionPermission"),
    (Route("POST /2025-12-01/durable-executions/{DurableExecutionArn}/checkpoint"), "CheckpointDurableExecution"),
    (Route("POST /2025-11-30/capacity-providers"), "CreateCapacityProvider"),
    (Route("POST /2020-04-22/code-signing-configs"), "CreateCodeSigningConfig"),
    (Route("POST /2021-10-31/functions/{FunctionName}/url"), "CreateFunctionUrlConfig"),
    (Route("DELETE /2025-11-30/capacity-providers/{CapacityProviderName}"), "DeleteCapacityProvider"),
    (Route("DELETE /2020-04-22/code-signing-configs/{CodeSigningConfigArn}"), "DeleteCodeSigningConfig"),
    (Route("DELETE /2020-06-30/functions/{FunctionName}/code-signing-config"), "DeleteFunctionCodeSigningConfig"),
    (Route("DELETE /2021-10-31/functions/{FunctionName}/url"), "DeleteFunctionUrlConfig"),
    (Route("DELETE /2018-10-31/layers/{LayerName}/versions/{VersionNumber}"), "DeleteLayerVersion"),
    (
        Route("DELETE /2019-09-30/functions/{FunctionName}/provisioned-concurrency"),
        "DeleteProvisionedConcurrencyConfig",
    ),
    (Route("GET /2025-11-30/capacity-providers/{CapacityProviderName}"), "GetCapacityProvider"),
    (Route("GET /2020-04-22/code-signing-configs/{CodeSigningConfigArn}"), "GetCodeSigningConfig"),
    (Route("GET /2025-12-01/durable-executions/{DurableExecutionArn}"), "GetDurableExecution"),
    (Route("GET /2025-12-01/durable-executions/{DurableExecutionArn}/history"), "GetDurableExecutionHistory"),
    (Route("GET /2025-12-01/durable-executions/{DurableExecutionArn}/state"), "GetDurableExecutionState"),
    (Route("GET /2025-11-30/functions/{FunctionName}/function-scaling-config"), "GetFunctionScalingConfig"),
    (Route("GET /2018-10-31/layers/{LayerName}/versions/{VersionNumber}"), "GetLayerVersion"),
    (Route("GET /2018-10-31/layers?find=LayerVersion"), "GetLayerVersionByArn"),
    (Route("GET /2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy"), "GetLayerVersionPolicy"),
    (Route("GET /2019-09-30/functions/{FunctionName}/provisioned-concurrency"), "GetProvisionedConcurrencyConfig"),
    (Route("GET /2021-07-20/functions/{FunctionName}/runtime-management-config"), "GetRuntimeManagementConfig"),
    (Route("POST /2014-11-13/functions/{FunctionName}/invoke-async"), "InvokeAsync"),
    (Route("POST /2021-11-15/functions/{FunctionName}/response-streaming-invocations"), "InvokeWithResponseStream"),
    (Route("GET /2025-11-30/capacity-providers"), "ListCapacityProviders"),
    (Route("GET /2020-04-22/code-signing-configs"), "ListCodeSigningConfigs"),
    (Route("GET /2025-12-01/functions/{FunctionName}/durable-executions"), "ListDurableExecutionsByFunction"),
    (
        Route("GET /2025-11-30/capacity-providers/{CapacityProviderName}/function-versions"),
        "ListFunctionVersionsByCapacityProvider",
    ),
    (
        Route("GET /2020-04-22/code-signing-configs/{CodeSigningConfigArn}/functions"),
        "ListFunctionsByCodeSigningConfig",
    ),
    (Route("GET /2018-10-31/layers/{LayerName}/versions"), "ListLayerVersions"),
    (Route("GET /2018-10-31/layers"), "ListLayers"),
    (
        Route("GET /2019-09-30/functions/{FunctionName}/provisioned-concurrency?List=ALL"),
        "ListProvisionedConcurrencyConfigs",
    ),
    (Route("POST /2018-10-31/layers/{LayerName}/versions"), "PublishLayerVersion"),
    (Route("PUT /2020-06-30/functions/{FunctionName}/code-signing-config"), "PutFunctionCodeSigningConfig"),
    (Route("PUT /2024-08-31/functions/{FunctionName}/recursion-config"), "PutFunctionRecursionConfig"),
    (Route("PUT /2025-11-30/functions/{FunctionName}/function-scaling-config"), "PutFunctionScalingConfig"),
    (Route("PUT /2019-09-30/functions/{FunctionName}/provisioned-concurrency"), "PutProvisionedConcurrencyConfig"),
    (Route("PUT /2021-07-20/functions/{FunctionName}/runtime-management-config"), "PutRuntimeManagementConfig"),
    (
        Route("DELETE /2018-10-31/layers/{LayerName}/versions/{VersionNumber}/policy/{StatementId}"),
        "RemoveLayerVersionPermission",
    ),
    (Route("POST /2025-12-01/durable-execution-callbacks/{CallbackId}/fail"), "SendDurableExecutionCallbackFailure"),
    (
        Route("POST /2025-12-01/durable-execution-callbacks/{CallbackId}/heartbeat"),
        "SendDurableExecutionCallbackHeartbeat",
    ),
    (Route("POST /2025-12-01/durable-execution-callbacks/{CallbackId}/succeed"), "SendDurableExecutionCallbackSuccess"),
    (Route("POST /2025-12-01/durable-executions/{DurableExecutionArn}/stop"), "StopDurableExecution"),
    (Route("PUT /2025-11-30/capacity-providers/{CapacityProviderName}"), "UpdateCapacityProvider"),
    (Route("PUT /2020-04-22/code-signing-configs/{CodeSigningConfigArn}"), "UpdateCodeSigningConfig"),
    (Route("PUT /2021-10-31/functions/{FunctionName}/url"), "UpdateFunctionUrlConfig"),
];
