//! Filters, with real processes. The patterns are tested in `event_source/filter`.

use super::mappings::PRINT;
use super::*;

fn criteria(patterns: &[Value]) -> Value {
    let filters: Vec<Value> = patterns.iter().map(|pattern| json!({ "Pattern": pattern.to_string() })).collect();
    json!({ "FilterCriteria": { "Filters": filters } })
}

#[tokio::test]
async fn only_records_that_match_a_filter_reach_the_function() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    for (key, data) in
        [("k", r#"{"n":1}"#), ("k", r#"{"n":20}"#), ("k", "text"), ("vip-1", "any"), ("k", r#"{"n":11}"#)]
    {
        bench.put(key, data).await;
    }
    let patterns =
        [json!({ "data": { "n": [{ "numeric": [">", 10] }] } }), json!({ "partitionKey": [{ "prefix": "vip-" }] })];
    let uuid = bench.mapped(criteria(&patterns)).await;
    bench.prints(r#"00 k {"n":11}"#).await;
    assert_eq!(bench.printed(), ["batch 3", r#"00 k {"n":20}"#, "00 vip-1 any", r#"00 k {"n":11}"#]);
    assert_eq!(bench.mapping(&uuid).await["FilterCriteria"], criteria(&patterns)["FilterCriteria"]);
}

#[tokio::test]
async fn the_checkpoint_moves_past_filtered_records() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let uuid = bench.mapped(criteria(&[json!({ "data": { "keep": [true] } })])).await;
    bench.put("k", "dropped").await;
    bench.put("k", r#"{"keep":true}"#).await;
    bench.prints(r#"00 k {"keep":true}"#).await;
    bench.put("k", "dropped-too").await;
    // The reader skips the record without an invocation, so only the arrival of the next record shows it.
    bench.put("k", r#"{"keep":true,"n":2}"#).await;
    bench.prints(r#"00 k {"keep":true,"n":2}"#).await;
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    let updated = bench.call("PUT", &path, json!({ "FilterCriteria": {} })).await;
    assert_eq!((updated.status, updated.body.get("FilterCriteria")), (202, None));
    bench.mapping_is(&uuid, "State", "Enabled").await;
    bench.put("k", "after").await;
    bench.prints("00 k after").await;
    assert!(!bench.printed().iter().any(|line| line.contains("dropped")), "{:?}", bench.printed());
}

#[tokio::test]
async fn an_invalid_filter_is_rejected() {
    let bench = Bench::new();
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({})).await;
    let refused = bench.map(criteria(&[json!({ "eventName": "INSERT" })])).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidParameterValueException"));
    assert_eq!(refused.message(), "Invalid filter pattern definition.");
}
