//! Operations that deployment tools call: policies, and features that a function does not have.

use super::mappings::PRINT;
use super::*;

const FUNCTION: &str = "/2015-03-31/functions/f";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

impl Bench {
    /// The policy's statements and revision.
    async fn policy(&self, query: &str) -> Option<(Value, Value)> {
        let got = self.call("GET", &format!("{FUNCTION}/policy{query}"), Value::Null).await;
        if got.status == 404 {
            assert_eq!(got.message(), "The resource you requested does not exist.");
            return None;
        }
        let policy: Value = serde_json::from_str(got.body["Policy"].as_str().unwrap()).unwrap();
        assert_eq!((&policy["Version"], &policy["Id"]), (&json!("2012-10-17"), &json!("default")));
        Some((policy["Statement"].clone(), got.body["RevisionId"].clone()))
    }

    async fn permit(&self, more: Value) -> ApiResponse {
        let mut members =
            json!({ "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com" });
        let query = more["Qualifier"].as_str().map(|qualifier| format!("?Qualifier={qualifier}")).unwrap_or_default();
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.call("POST", &format!("{FUNCTION}/policy{query}"), members).await
    }
}

#[tokio::test]
async fn permissions_are_stored_and_returned_as_on_aws() {
    let bench = Bench::new();
    bench.create_python(PRINT, json!({})).await;
    bench.settled().await;
    assert_eq!(bench.policy("").await, None);
    let added = bench.permit(json!({ "SourceArn": "arn:aws:s3:::b", "SourceAccount": "000000000000" })).await;
    assert_eq!(added.status, 201, "{added:?}");
    let statement: Value = serde_json::from_str(added.body["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(
        statement,
        json!({
            "Sid": "s3", "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
            "Action": "lambda:InvokeFunction", "Resource": ARN,
            "Condition": {
                "StringEquals": { "AWS:SourceAccount": "000000000000" }, "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::b" },
            },
        })
    );
    let (statements, revision) = bench.policy("").await.unwrap();
    assert_eq!(statements, json!([statement]));
    let function = bench.call("GET", &format!("{FUNCTION}/configuration"), Value::Null).await.body;
    assert_eq!(function["RevisionId"], revision);

    for (principal, shown) in [
        ("*", json!("*")),
        ("111111111111", json!({ "AWS": "arn:aws:iam::111111111111:root" })),
        ("arn:aws:iam::111111111111:user/u", json!({ "AWS": "arn:aws:iam::111111111111:user/u" })),
        ("arn:aws:iam::111111111111:root", json!({ "AWS": "arn:aws:iam::111111111111:root" })),
        ("arn:aws:sts::111111111111:assumed-role/r/s", json!({ "AWS": "arn:aws:sts::111111111111:assumed-role/r/s" })),
    ] {
        let id = format!("sid-{}", principal.len());
        assert_eq!(bench.permit(json!({ "StatementId": id, "Principal": principal })).await.status, 201);
        let (statements, _) = bench.policy("").await.unwrap();
        assert_eq!(statements.as_array().unwrap().last().unwrap()["Principal"], shown);
        let removed = bench.call("DELETE", &format!("{FUNCTION}/policy/{id}"), Value::Null).await;
        assert_eq!(removed.status, 204);
    }
    assert_eq!(bench.policy("").await.unwrap().0, json!([statement]));
    assert_eq!(bench.call("DELETE", &format!("{FUNCTION}/policy/s3"), Value::Null).await.status, 204);
    assert_eq!(bench.policy("").await, None);
}

#[tokio::test]
async fn a_policy_belongs_to_its_version_or_alias() {
    let bench = Bench::new();
    bench.create_python(PRINT, json!({ "Publish": true })).await;
    bench.call("POST", &format!("{FUNCTION}/aliases"), json!({ "Name": "live", "FunctionVersion": "1" })).await;
    for qualifier in ["1", "live"] {
        let query = format!("?Qualifier={qualifier}");
        assert_eq!(bench.permit(json!({ "Qualifier": qualifier })).await.status, 201);
        let (statements, revision) = bench.policy(&query).await.unwrap();
        assert_eq!(statements[0]["Resource"], format!("{ARN}:{qualifier}"));
        let again = json!({ "Qualifier": qualifier, "StatementId": "more", "RevisionId": revision });
        assert_eq!(bench.permit(again.clone()).await.status, 201);
        let refused = bench.permit(again).await;
        assert_eq!((refused.status, refused.code()), (412, "PreconditionFailedException"));
        assert!(refused.message().ends_with("Call the GetPolicy API to retrieve the latest Revision Id"));
    }
    assert_eq!(bench.policy("").await, None);
    assert_eq!(bench.call("DELETE", &format!("{FUNCTION}/aliases/live"), Value::Null).await.status, 204);
    assert_eq!(bench.call("DELETE", &format!("{FUNCTION}?Qualifier=1"), Value::Null).await.status, 204);
    for query in ["?Qualifier=1", "?Qualifier=live"] {
        assert_eq!(bench.policy(query).await, None, "{query}");
    }
}

#[tokio::test]
async fn invalid_permissions_get_awss_messages() {
    let bench = Bench::new();
    bench.create_python(PRINT, json!({})).await;
    let refusal = async |more: Value| {
        let refused = bench.permit(more).await;
        (refused.status, refused.message().to_owned())
    };
    let pattern = "1 validation error detected: Value 'example.com' at 'statementId' failed to satisfy constraint: Member must \
                   satisfy regular expression pattern: ([a-zA-Z0-9-_]+)";
    assert_eq!(refusal(json!({ "StatementId": "example.com" })).await, (400, pattern.to_owned()));
    for (more, status, message) in [
        (json!({ "Qualifier": "$LATEST" }), 400, "We currently do not support adding policies for $LATEST.".to_owned()),
        (
            json!({ "Principal": "invalid.nonaws.com" }),
            400,
            "The provided principal was invalid. Please check the principal and try again.".to_owned(),
        ),
        (json!({ "Qualifier": "none" }), 404, format!("Cannot find alias arn: {ARN}:none")),
        (json!({ "Qualifier": "42" }), 404, format!("Function not found: {ARN}:42")),
    ] {
        assert_eq!(refusal(more.clone()).await, (status, message), "{more}");
    }
    for principal in [
        "arn:aws:iam::12:root",
        "arn:aws:iam::111111111111:role/",
        "arn:aws:iam:us-east-1:111111111111:root",
        "arn:aws-cn:iam::111111111111:root",
        ARN,
    ] {
        let message = "The provided principal was invalid. Please check the principal and try again.";
        assert_eq!(refusal(json!({ "Principal": principal })).await, (400, message.to_owned()), "{principal}");
    }
    let remove = async |path: &str| {
        let refused = bench.call("DELETE", path, Value::Null).await;
        (refused.status, refused.message().to_owned())
    };
    let nothing = "No policy is associated with the given resource.";
    assert_eq!(remove(&format!("{FUNCTION}/policy/s3")).await, (404, nothing.to_owned()));
    assert_eq!(bench.permit(json!({})).await.status, 201);
    let twice = "The statement id (s3) provided already exists. Please provide a new statement id, or remove the existing \
                 statement.";
    assert_eq!(refusal(json!({})).await, (409, twice.to_owned()));
    let other = "Statement other is not found in resource policy.";
    assert_eq!(remove(&format!("{FUNCTION}/policy/other")).await, (404, other.to_owned()));
    let unknown = format!("No policy found for: {}", ARN.replace(":f", ":none")).replace(":noneunction", ":function");
    assert_eq!(remove("/2015-03-31/functions/none/policy/s3").await, (404, unknown));
}

#[tokio::test]
async fn reads_of_unused_features_get_awss_responses() {
    let bench = Bench::new();
    bench.create_python(PRINT, json!({})).await;
    bench.call("PUT", "/2017-10-31/functions/f/concurrency", json!({ "ReservedConcurrentExecutions": 7 })).await;
    let get = async |path: &str| bench.call("GET", path, Value::Null).await;
    let settings = get("/2016-08-19/account-settings").await.body;
    assert_eq!(
        settings["AccountLimit"],
        json!({
            "CodeSizeUnzipped": 262_144_000, "CodeSizeZipped": 52_428_800, "ConcurrentExecutions": 1000,
            "TotalCodeSize": 80_530_636_800_u64, "UnreservedConcurrentExecutions": 993,
        })
    );
    assert_eq!(settings["AccountUsage"]["FunctionCount"], 1);
    assert!(settings["AccountUsage"]["TotalCodeSize"].as_u64().unwrap() > 100);
    assert_eq!(get("/2020-06-30/functions/f/code-signing-config").await.body, json!({}));
    assert_eq!(get("/2021-10-31/functions/f/urls").await.body, json!({ "FunctionUrlConfigs": [] }));
    assert_eq!(get("/2024-08-31/functions/f/recursion-config").await.body, json!({ "RecursiveLoop": "Terminate" }));
    let url = get("/2021-10-31/functions/f/url").await;
    assert_eq!((url.status, url.message()), (404, "The resource you requested does not exist."));
    let unknown = get("/2020-06-30/functions/none/code-signing-config").await;
    assert!(unknown.status == 404 && unknown.message().starts_with("Function not found: "), "{unknown:?}");
}
