//! Versions and aliases, with real processes.

use super::mappings::{PRINT, STREAM};
use super::*;

const FUNCTION: &str = "/2015-03-31/functions/f";
const ALIASES: &str = "/2015-03-31/functions/f/aliases";

fn answers(text: &str) -> String {
    format!(
        "import os\ndef handler(event, context):\n    return ['{text}', context.function_version, context.invoked_function_arn.split(':', 6)[6], os.environ['AWS_LAMBDA_FUNCTION_VERSION']]\n"
    )
}

impl Bench {
    async fn publish(&self, body: Value) -> ApiResponse {
        self.settled().await;
        self.call("POST", &format!("{FUNCTION}/versions"), body).await
    }

    async fn update(&self, source: &str, more: Value) -> ApiResponse {
        self.settled().await;
        let zip = base64_simd::STANDARD.encode_to_string(zip_of(&[("index.py", source.as_bytes())]));
        let mut members = json!({ "ZipFile": zip });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("PUT", &format!("{FUNCTION}/code"), members).await
    }

    async fn invoke_as(&self, qualifier: &str) -> ApiResponse {
        let path = format!("{FUNCTION}/invocations?Qualifier={qualifier}");
        self.request("POST", &path, &[("x-amz-log-type", "Tail")], "{}").await
    }

    async fn versions(&self) -> Vec<String> {
        let listed = self.call("GET", &format!("{FUNCTION}/versions"), Value::Null).await.body;
        let number = |version: &Value| version["Version"].as_str().unwrap().to_owned();
        listed["Versions"].as_array().unwrap().iter().map(number).collect()
    }
}

#[tokio::test]
async fn a_published_version_does_not_change() {
    let bench = Bench::new();
    bench.create_python(&answers("one"), json!({ "Description": "first" })).await;
    let published = bench.publish(json!({ "Description": "mine" })).await;
    assert_eq!((published.status, &published.body["Version"]), (201, &json!("1")), "{published:?}");
    assert_eq!(published.body["Description"], "mine");
    assert!(published.body["FunctionArn"].as_str().unwrap().ends_with(":function:f:1"));
    assert_eq!(published.body["State"], "Active");
    // Nothing has changed since then.
    assert_eq!(bench.publish(json!({})).await.body["Version"], "1");
    let updated = bench.update(&answers("two"), json!({ "Publish": true })).await;
    assert_eq!((&updated.body["Version"], &updated.body["State"]), (&json!("2"), &json!("Pending")));
    assert_eq!(bench.versions().await, ["$LATEST", "1", "2"]);

    let one = bench.invoke_as("1").await;
    assert_eq!(one.body, json!(["one", "1", "f:1", "1"]));
    assert_eq!(one.header("x-amz-executed-version"), Some("1"));
    assert!(one.log_tail().contains(" Version: 1\n"), "{}", one.log_tail());
    assert!(bench.streams("/aws/lambda/f").iter().any(|stream| stream.contains("/[1]")));
    assert_eq!(bench.invoke(json!({})).await.body, json!(["two", "$LATEST", "f", "$LATEST"]));
    let missing = bench.invoke_as("7").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.body["Message"].as_str().unwrap_or(missing.message()).split(':').next_back(), Some("7"));

    assert_eq!(bench.call("DELETE", &format!("{FUNCTION}?Qualifier=2"), Value::Null).await.status, 204);
    assert_eq!(bench.versions().await, ["$LATEST", "1"]);
    // A version number is not reused.
    assert_eq!(bench.publish(json!({})).await.body["Version"], "3");
    assert_eq!(bench.call("DELETE", FUNCTION, Value::Null).await.status, 204);
    assert_eq!(bench.invoke_as("1").await.status, 404);
}

#[tokio::test]
async fn an_operation_for_functions_accepts_neither_versions_nor_aliases() {
    let bench = Bench::new();
    bench.create_python(&answers("one"), json!({})).await;
    bench.publish(json!({})).await;
    let alias = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(bench.call("POST", ALIASES, alias).await.status, 201);
    bench.settled().await;
    let (zip, timeout) = (zip_of(&[("index.py", answers("two").as_bytes())]), json!({ "Timeout": 9 }));
    let code = json!({ "ZipFile": base64_simd::STANDARD.encode_to_string(zip), "Publish": true });
    let other = json!({ "Name": "other", "FunctionVersion": "1" });
    for name in ["f:1", "f:live", "f:$LATEST", "arn:aws:lambda:us-east-1:000000000000:function:f:1"] {
        let functions = format!("/2015-03-31/functions/{name}");
        for (method, path, body) in [
            ("PUT", format!("{functions}/configuration"), timeout.clone()),
            ("PUT", format!("{functions}/code"), code.clone()),
            ("POST", format!("{functions}/versions"), json!({})),
            ("POST", format!("{functions}/aliases"), other.clone()),
            ("GET", format!("{functions}/aliases"), Value::Null),
            ("PUT", format!("{functions}/aliases/live"), json!({ "Description": "d" })),
            ("GET", format!("{functions}/aliases/live"), Value::Null),
            ("DELETE", format!("{functions}/aliases/live"), Value::Null),
            ("GET", format!("/2019-09-30/functions/{name}/concurrency"), Value::Null),
            ("PUT", format!("/2017-10-31/functions/{name}/concurrency"), json!({ "ReservedConcurrentExecutions": 1 })),
            ("DELETE", format!("/2017-10-31/functions/{name}/concurrency"), Value::Null),
        ] {
            let refused = bench.call(method, &path, body).await;
            let found = (refused.status, refused.code(), refused.message());
            let message = "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
                           operation. Please specify either a function name or an unqualified function ARN.";
            assert_eq!(found, (400, "InvalidParameterValueException", message), "{method} {path}");
        }
    }
    assert_eq!(bench.versions().await, ["$LATEST", "1"]);
    for qualifier in ["1", "live"] {
        assert_eq!(bench.invoke_as(qualifier).await.body[0], "one");
    }
    let configuration = bench.call("GET", &format!("{FUNCTION}:1/configuration"), Value::Null).await.body;
    assert_eq!(configuration["Timeout"], 3);
}

#[tokio::test]
async fn a_change_of_any_member_gives_a_new_version() {
    let bench = Bench::new();
    bench.create_python(&answers("one"), json!({ "Description": "first" })).await;
    let mine = json!({ "Description": "mine" });
    assert_eq!(bench.publish(mine).await.body["Version"], "1");
    // The description of the version does not count as a change of the function.
    assert_eq!(bench.publish(json!({ "Description": "another" })).await.body["Description"], "mine");
    for (number, change) in (2..).zip([
        json!({ "Description": "second" }),
        json!({ "Timeout": 9 }),
        json!({ "MemorySize": 256 }),
        json!({ "Handler": "index.other" }),
        json!({ "Runtime": "python3.13" }),
        json!({ "Environment": { "Variables": { "AB": "1" } } }),
        json!({ "TracingConfig": { "Mode": "Active" } }),
        json!({ "EphemeralStorage": { "Size": 1024 } }),
        json!({ "LoggingConfig": { "LogFormat": "JSON" } }),
    ]) {
        bench.settled().await;
        let updated = bench.call("PUT", &format!("{FUNCTION}/configuration"), change.clone()).await;
        assert_eq!(updated.status, 200, "{updated:?}");
        let number = number.to_string();
        assert_eq!(bench.publish(json!({})).await.body["Version"], number.as_str(), "{change}");
        assert_eq!(bench.publish(json!({})).await.body["Version"], number.as_str(), "{change}");
    }
}

#[tokio::test]
async fn publishing_checks_its_preconditions() {
    let bench = Bench::new();
    bench.create_python(&answers("one"), json!({ "Publish": true })).await;
    let wrong = bench.publish(json!({ "CodeSha256": "somenonexistentsha256" })).await;
    assert_eq!(wrong.code(), "InvalidParameterValueException");
    let start = "CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST (";
    assert!(wrong.message().starts_with(start), "{wrong:?}");
    let wrong = bench.publish(json!({ "RevisionId": "1" })).await;
    assert_eq!((wrong.status, wrong.code()), (412, "PreconditionFailedException"));
    assert_eq!(bench.versions().await, ["$LATEST", "1"]);
}

#[tokio::test]
async fn an_alias_has_awss_life_cycle() {
    let bench = Bench::new();
    bench.create_python(&answers("one"), json!({ "Publish": true })).await;
    bench.update(&answers("two"), json!({ "Publish": true })).await;
    let weights = json!({ "AdditionalVersionWeights": { "2": 0.5 } });
    let alias = json!({ "Name": "live", "FunctionVersion": "1", "Description": "d", "RoutingConfig": weights });
    let created = bench.call("POST", ALIASES, alias.clone()).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.body["AliasArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:live");
    assert_eq!(created.body["RoutingConfig"], weights);
    assert_eq!(bench.call("POST", ALIASES, alias).await.code(), "ResourceConflictException");
    let path = format!("{ALIASES}/live");
    assert_eq!(bench.call("GET", &path, Value::Null).await.body, created.body);
    let shown = bench.call("GET", &format!("{FUNCTION}?Qualifier=live"), Value::Null).await.body;
    assert_eq!(shown["Configuration"]["Version"], "1");
    assert!(shown["Configuration"]["FunctionArn"].as_str().unwrap().ends_with(":f:live"));
    let mut executed = std::collections::BTreeSet::new();
    eventually("both versions run", async || {
        let invoked = bench.invoke_as("live").await;
        assert_eq!(invoked.body[2], "f:live");
        executed.insert(invoked.header("x-amz-executed-version").unwrap().to_owned());
        (executed.len() == 2).then_some(())
    })
    .await;
    let used = bench.call("DELETE", &format!("{FUNCTION}?Qualifier=2"), Value::Null).await;
    assert_eq!(used.code(), "ResourceConflictException");

    let moved = bench.call("PUT", &path, json!({ "FunctionVersion": "2", "RoutingConfig": {} })).await;
    assert_eq!((&moved.body["FunctionVersion"], moved.body.get("RoutingConfig")), (&json!("2"), None), "{moved:?}");
    assert_eq!(moved.body["Description"], "d");
    assert_ne!(moved.body["RevisionId"], created.body["RevisionId"]);
    let stale = bench.call("PUT", &path, json!({ "RevisionId": created.body["RevisionId"] })).await;
    assert_eq!(stale.code(), "PreconditionFailedException");
    assert_eq!(bench.invoke_as("live").await.body[0], "two");
    let listed = async |query: &str| {
        let listed = bench.call("GET", &format!("{ALIASES}{query}"), Value::Null).await.body;
        listed["Aliases"].as_array().unwrap().len()
    };
    assert_eq!((listed("").await, listed("?FunctionVersion=1").await, listed("?FunctionVersion=2").await), (1, 0, 1));
    assert_eq!(bench.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(bench.call("DELETE", &path, Value::Null).await.status, 204);
    assert_eq!(bench.call("GET", &path, Value::Null).await.status, 404);
    assert_eq!(bench.call("PUT", &path, json!({})).await.status, 404);
}

#[tokio::test]
async fn invalid_aliases_get_awss_messages() {
    let bench = Bench::new();
    bench.create_python(&answers("one"), json!({ "Publish": true })).await;
    let refused = async |name: &str, version: &str, weights: Value| {
        let routing = json!({ "AdditionalVersionWeights": weights });
        let alias = json!({ "Name": name, "FunctionVersion": version, "RoutingConfig": routing });
        let refused = bench.call("POST", ALIASES, alias).await;
        refused.body["Message"].as_str().unwrap_or(refused.message()).to_owned()
    };
    for (name, version, weights, message) in [
        (
            "2024",
            "1",
            json!({}),
            "1 validation error detected: Value '2024' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
        ),
        ("a", "10", json!({}), "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:10"),
        ("a", "1", json!({ "10": 0.5 }), "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:10"),
        (
            "a",
            "1",
            json!({ "1": 0.5 }),
            "Invalid function version 1. Function version 1 is already included in routing configuration.",
        ),
        ("a", "$LATEST", json!({ "1": 0.5 }), "$LATEST is not supported for an alias pointing to more than 1 version"),
        (
            "a",
            "1",
            json!({ "1": 0.5, "2": 0.5 }),
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ),
        (
            "a",
            "1",
            json!({ "2": 2.0 }),
            "1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
    ] {
        assert_eq!(refused(name, version, weights).await, message);
    }
}

#[tokio::test]
async fn a_mapping_to_an_alias_runs_the_aliass_version() {
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::open(dir.path()).await;
    bench.create_stream(1).await;
    bench.create_python(PRINT, json!({ "Publish": true })).await;
    bench.call("POST", ALIASES, json!({ "Name": "live", "FunctionVersion": "1" })).await;
    bench.update("def handler(event, context): print('latest')\n", json!({})).await;
    let uuid = bench.mapped(json!({ "FunctionName": "f:live" })).await;
    assert!(bench.mapping(&uuid).await["FunctionArn"].as_str().unwrap().ends_with(":f:live"));
    bench.put("k", "by alias").await;
    bench.prints("00 k by alias").await;
    // A mapping of the same stream to another version is another mapping.
    let other = bench.map(json!({ "FunctionName": "f:1", "EventSourceArn": STREAM, "Enabled": false })).await;
    assert_eq!(other.status, 202, "{other:?}");

    bench.lambda.shutdown().await;
    drop(bench);
    let bench = Bench::open(dir.path()).await;
    assert_eq!(bench.versions().await, ["$LATEST", "1"]);
    bench.put("k", "after a restart").await;
    bench.prints("00 k after a restart").await;
    assert!(!bench.printed().contains(&"latest".to_owned()));
}
