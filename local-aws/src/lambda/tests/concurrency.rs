//! Reserved concurrency, through real processes.

use super::mappings::PRINT;
use super::*;

const PUT: &str = "/2017-10-31/functions/f/concurrency";
const GET: &str = "/2019-09-30/functions/f/concurrency";

#[tokio::test]
async fn concurrency_is_reserved_shown_and_released() {
    let bench = Bench::new();
    bench.create_python(PRINT, json!({})).await;
    assert_eq!(bench.call("GET", GET, Value::Null).await.body, json!({}));
    let reserved = json!({ "ReservedConcurrentExecutions": 3 });
    let put = bench.call("PUT", PUT, reserved.clone()).await;
    assert_eq!((put.status, &put.body), (200, &reserved));
    assert_eq!(bench.call("GET", GET, Value::Null).await.body, reserved);
    assert_eq!(bench.call("GET", "/2015-03-31/functions/f", Value::Null).await.body["Concurrency"], reserved);
    let too_many = bench.call("PUT", PUT, json!({ "ReservedConcurrentExecutions": 901 })).await;
    assert_eq!(
        too_many.message(),
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
         minimum value of [100]."
    );
    let of_version = bench.call("PUT", "/2017-10-31/functions/f:1/concurrency", reserved.clone()).await;
    assert!(
        of_version.status == 400 && of_version.message().starts_with("This operation is permitted on Lambda functions")
    );
    let unknown = bench.call("PUT", "/2017-10-31/functions/none/concurrency", reserved.clone()).await;
    assert!(unknown.status == 404 && unknown.message().ends_with(":function:none:$LATEST"), "{}", unknown.message());
    let missing = bench.call("PUT", PUT, json!({})).await;
    assert_eq!(
        missing.message(),
        "1 validation error detected: Value null at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must \
         not be null"
    );
    assert_eq!(bench.call("DELETE", PUT, Value::Null).await.status, 204);
    assert_eq!(bench.call("GET", GET, Value::Null).await.body, json!({}));
}

#[tokio::test]
async fn invocations_above_the_reservation_are_throttled_and_do_not_count_as_attempts() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    bench.call("PUT", PUT, json!({ "ReservedConcurrentExecutions": 0 })).await;
    let refused = bench.invoke(json!({})).await;
    assert_eq!((refused.status, refused.code()), (429, "TooManyRequestsException"));
    assert_eq!(
        refused.body,
        json!({ "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded." })
    );
    let event = json!({ "Records": [] }).to_string();
    let accepted =
        bench.request("POST", "/2015-03-31/functions/f/invocations", &[("x-amz-invocation-type", "Event")], event);
    assert_eq!(accepted.await.status, 202);
    bench.put("k", "waits").await;
    let uuid = bench.mapped(json!({ "MaximumRetryAttempts": 0 })).await;
    bench.mapping_is(&uuid, "LastProcessingResult", "PROBLEM: Function call failed").await;
    assert_eq!(bench.printed(), Vec::<String>::new());
    bench.call("PUT", PUT, json!({ "ReservedConcurrentExecutions": 1 })).await;
    bench.prints("00 k waits").await;
    bench.prints("batch 0").await;
}
