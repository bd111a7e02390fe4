//! The control plane. Responses and errors are as recorded from AWS in 2025-11.

use serde_json::{Value, json};

use super::*;

const HANDLER: &str = "def handler(event, context): return event\n";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
const FUNCTION: &str = "/2015-03-31/functions/f";

#[tokio::test]
async fn a_function_has_awss_life_cycle() {
    let bench = Bench::new();
    let more = json!({ "MemorySize": 256, "Timeout": 5, "Environment": { "Variables": {} }, "Tags": { "a": "1" } });
    let created = bench.create("python3.12", "index.py", HANDLER, more).await;
    assert_eq!(created.status, 201);
    let runtime = created.body["RuntimeVersionConfig"]["RuntimeVersionArn"].as_str().unwrap();
    assert!(runtime.starts_with("arn:aws:lambda:us-east-1::runtime:"), "{runtime}");
    let mut shown = created.body.clone();
    for varies in ["CodeSha256", "CodeSize", "LastModified", "RevisionId", "RuntimeVersionConfig"] {
        assert!(shown.as_object_mut().unwrap().remove(varies).is_some(), "{varies}");
    }
    assert_eq!(
        shown,
        json!({
            "Architectures": ["x86_64"], "Description": "", "Environment": { "Variables": {} },
            "EphemeralStorage": { "Size": 512 }, "FunctionArn": ARN, "FunctionName": "f", "Handler": "index.handler",
            "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/f" }, "MemorySize": 256,
            "PackageType": "Zip", "Role": ROLE, "Runtime": "python3.12",
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" }, "State": "Pending",
            "StateReason": "The function is being created.", "StateReasonCode": "Creating", "Timeout": 5,
            "TracingConfig": { "Mode": "PassThrough" }, "Version": "$LATEST",
        })
    );
    bench.settled().await;
    let got = bench.call("GET", FUNCTION, Value::Null).await.body;
    assert_eq!(got["Configuration"]["LastUpdateStatus"], "Successful");
    assert_ne!(got["Configuration"]["RevisionId"], created.body["RevisionId"]);
    assert_eq!((&got["Code"]["RepositoryType"], &got["Tags"]), (&json!("S3"), &json!({ "a": "1" })));
    let location: http::Uri = got["Code"]["Location"].as_str().unwrap().parse().unwrap();
    let zip = bench.request("GET", &location.path_and_query().unwrap().to_string(), &[], "").await;
    assert_eq!(zip.header("content-type"), Some("application/zip"));

    let deleted = bench.call("DELETE", FUNCTION, Value::Null).await;
    assert_eq!((deleted.status, deleted.body), (204, json!("")));
    let missing = bench.call("GET", FUNCTION, Value::Null).await;
    assert_eq!((missing.status, missing.code()), (404, "ResourceNotFoundException"));
    assert_eq!(missing.message(), format!("Function not found: {ARN}"));
    assert_eq!(missing.body["Type"], "User");
}

#[tokio::test]
async fn a_member_that_is_null_is_unset() {
    let bench = Bench::new();
    let members = [
        "Architectures",
        "Description",
        "Environment",
        "EphemeralStorage",
        "Layers",
        "LoggingConfig",
        "MemorySize",
        "PackageType",
        "Publish",
        "SnapStart",
        "Tags",
        "Timeout",
        "TracingConfig",
        "VpcConfig",
    ];
    let unset: serde_json::Map<_, _> = members.map(|member| (member.to_owned(), Value::Null)).into_iter().collect();
    let created = bench.create("python3.12", "index.py", HANDLER, unset.into()).await;
    assert_eq!((created.status, &created.body["Timeout"]), (201, &json!(3)), "{created:?}");
    bench.settled().await;
    let inner = json!({ "Environment": { "Variables": null }, "LoggingConfig": { "LogFormat": null }, "Role": null });
    let updated = bench.call("PUT", &format!("{FUNCTION}/configuration"), inner).await;
    assert_eq!(updated.status, 200, "{updated:?}");
    let of_tags = "Value '{a=null}' at 'tags' failed to satisfy constraint: Map value must satisfy constraint: [";
    let of_variables =
        "Value at 'environment.variables' failed to satisfy constraint: Map value must satisfy constraint: [";
    for (entry, value, start) in
        [("Tags", json!({ "a": null }), of_tags), ("Environment", json!({ "Variables": { "AB": null } }), of_variables)]
    {
        let refused = bench.create("python3.12", "index.py", HANDLER, json!({ entry: value })).await;
        assert_eq!((refused.status, refused.code()), (400, "ValidationException"), "{entry}");
        let message = refused.message().strip_prefix("1 validation error detected: ").unwrap();
        assert!(message.starts_with(start) && message.ends_with("Member must not be null]"), "{message}");
    }
}

#[tokio::test]
async fn a_member_of_another_type_is_rejected_with_awss_message() {
    let bench = Bench::new();
    for (member, sentence) in [
        (json!({ "Timeout": "3" }), "class java.lang.String can not be converted to an Integer"),
        (json!({ "Handler": [] }), "Start of list found where not expected"),
        (json!({ "Tags": "a" }), "Expected map or null"),
        (
            json!({ "Environment": { "Variables": { "AB": {} } } }),
            "Start of structure or map found where not expected.",
        ),
        (
            json!({ "Code": { "ZipFile": "a" } }),
            "'a' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 1",
        ),
    ] {
        let refused = bench.create("python3.12", "index.py", HANDLER, member).await;
        assert_eq!((refused.status, refused.code()), (400, "SerializationException"), "{refused:?}");
        assert_eq!(refused.message(), sentence);
    }
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_rejected() {
    let bench = Bench::new();
    for body in ["[]", "null", r#""x""#, "5", "[\"f\"]"] {
        let refused = bench.request("POST", "/2015-03-31/functions", &[], body).await;
        assert_eq!((refused.status, refused.code()), (400, "InvalidRequestContentException"), "{body}");
        assert_eq!(refused.message(), "Could not parse request body into json: it is not an object");
    }
}

#[tokio::test]
async fn an_error_about_a_variables_name_does_not_contain_its_value() {
    let bench = Bench::new();
    for name in ["A", "_AB", "A-B", "1A", "grüße", ""] {
        let environment = json!({ "Environment": { "Variables": { name: "secret", "GOOD": "secret" } } });
        let refused = bench.create("python3.12", "index.py", HANDLER, environment).await;
        let message = "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys \
                       must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
        assert_eq!((refused.code(), refused.message()), ("ValidationException", message), "{name}");
    }
}

#[tokio::test]
async fn updates_report_their_progress_and_exclude_each_other() {
    let bench = Bench::new();
    bench.create_python(HANDLER, json!({})).await;
    bench.settled().await;
    let path = format!("{FUNCTION}/configuration");
    let updated = bench.call("PUT", &path, json!({ "Timeout": 9, "Runtime": "python3.11" })).await;
    assert_eq!(updated.status, 200);
    assert_eq!(updated.body["LastUpdateStatus"], "InProgress");
    assert_eq!(updated.body["LastUpdateStatusReason"], "The function is being created.");
    assert_eq!((&updated.body["Timeout"], &updated.body["State"]), (&json!(9), &json!("Active")));
    let second = bench.call("PUT", &path, json!({ "Timeout": 10 })).await;
    // The first update takes a few milliseconds, so on a slow machine it may have finished.
    if second.status != 200 {
        assert_eq!((second.status, second.code()), (409, "ResourceConflictException"));
        let words = "The operation cannot be performed at this time. An update is in progress for resource:";
        assert_eq!(second.message(), format!("{words} {ARN}"));
    }
    bench.settled().await;
    let before = bench.call("GET", &path, Value::Null).await.body;
    let zip = base64_simd::STANDARD.encode_to_string(zip_of(&[("index.py", b"handler = None")]));
    let wrong = json!({ "ZipFile": zip, "RevisionId": "00000000-0000-0000-0000-000000000000" });
    let refused = bench.call("PUT", &format!("{FUNCTION}/code"), wrong).await;
    assert_eq!((refused.status, refused.code()), (412, "PreconditionFailedException"));
    let code = json!({ "ZipFile": zip, "RevisionId": before["RevisionId"] });
    let code = bench.call("PUT", &format!("{FUNCTION}/code"), code).await;
    assert_eq!(code.body["LastUpdateStatus"], "InProgress", "{code:?}");
    assert_ne!(code.body["CodeSha256"], before["CodeSha256"]);
}

#[tokio::test]
async fn invalid_creations_get_awss_messages() {
    let bench = Bench::new();
    let refusal = async |runtime: &str, file: &str, source: &str, more: Value| {
        let refused = bench.create(runtime, file, source, more).await;
        assert!(refused.status >= 400, "{refused:?}");
        (refused.code().to_owned(), refused.message().to_owned())
    };
    let invalid = |message: &str| ("InvalidParameterValueException".to_owned(), message.to_owned());
    let unknown_role = json!({ "Role": "arn:aws:iam::000000000000:role/unknown" });
    assert_eq!(
        refusal("python3.12", "index.py", HANDLER, unknown_role).await,
        invalid("The role defined for the function cannot be assumed by Lambda.")
    );
    assert_eq!(
        refusal("python3.12", "index.py", HANDLER, json!({ "Code": { "ZipFile": "bm90IGEgemlw" } })).await,
        invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
    );
    let (_, message) = refusal("provided.al2023", "main", "#!/bin/sh", json!({})).await;
    assert!(message.starts_with("The zip has no file \"bootstrap\" at its root"), "{message}");
    let (code, message) = refusal("python3.12", "a", "", json!({ "Architectures": ["x86_64", "arm64"] })).await;
    assert_eq!(code, "ValidationException");
    assert_eq!(
        message,
        "1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must \
         have length less than or equal to 1"
    );
    let (_, message) = refusal("python3.12", "a", "", json!({ "Code": { "S3Bucket": "bucket", "S3Key": "k" } })).await;
    assert!(message.starts_with("Error occurred while GetObject. S3 Error Code: NoSuchBucket."), "{message}");
    bench.create_python(HANDLER, json!({})).await;
    let again = bench.create("python3.12", "index.py", HANDLER, json!({})).await;
    assert_eq!((again.status, again.code()), (409, "ResourceConflictException"));
    assert_eq!(again.message(), "Function already exist: f");
}

#[tokio::test]
async fn a_function_is_found_by_name_qualifier_and_version() {
    let bench = Bench::new();
    bench.create_python(HANDLER, json!({})).await;
    for name in
        ["f", "function:f", "000000000000:function:f", "arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"]
    {
        let got = bench.call("GET", &format!("/2015-03-31/functions/{name}"), Value::Null).await;
        assert_eq!(got.body["Configuration"]["FunctionArn"], ARN, "{name}");
    }
    let latest = bench.call("GET", &format!("{FUNCTION}?Qualifier=%24LATEST"), Value::Null).await.body;
    assert_eq!(latest["Configuration"]["FunctionArn"], format!("{ARN}:$LATEST"));
    let version = bench.call("GET", &format!("{FUNCTION}?Qualifier=1221"), Value::Null).await;
    assert_eq!((version.status, version.message()), (404, format!("Function not found: {ARN}:1221").as_str()));
    let unknown = bench.call("POST", "/2015-03-31/functions/unknown/invocations", Value::Null).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:unknown";
    assert_eq!((unknown.status, unknown.message()), (404, format!("Function not found: {arn}:$LATEST").as_str()));
    let delete = async |qualifier: &str| {
        let refused = bench.call("DELETE", &format!("{FUNCTION}?Qualifier={qualifier}"), Value::Null).await;
        refused.message().to_owned()
    };
    assert_eq!(delete("%24LATEST").await, "$LATEST version cannot be deleted without deleting the function.");
    assert_eq!(delete("live").await, "Deletion of aliases is not currently supported.");
    let versions = bench.call("GET", &format!("{FUNCTION}/versions"), Value::Null).await.body;
    assert_eq!(versions["Versions"][0]["FunctionArn"], format!("{ARN}:$LATEST"));
    assert_eq!(versions["Versions"][0].get("State"), None);
}

#[tokio::test]
async fn functions_are_paginated() {
    let bench = Bench::new();
    for name in ["c", "a", "b"] {
        bench.create_python(HANDLER, json!({ "FunctionName": name })).await;
    }
    let first = bench.call("GET", "/2015-03-31/functions/?MaxItems=2", Value::Null).await.body;
    let names = |page: &Value| -> Vec<String> {
        page["Functions"].as_array().unwrap().iter().map(|f| f["FunctionName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["a", "b"]);
    let marker = first["NextMarker"].as_str().unwrap();
    let second = bench.call("GET", &format!("/2015-03-31/functions?Marker={marker}"), Value::Null).await.body;
    assert_eq!((names(&second), second.get("NextMarker")), (vec!["c".to_owned()], None));
    let invalid = bench.call("GET", "/2015-03-31/functions?FunctionVersion=invalid", Value::Null).await;
    assert!(invalid.message().ends_with("Member must satisfy enum value set: [ALL]"), "{invalid:?}");
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let bench = Bench::new();
    bench.create_python(HANDLER, json!({})).await;
    let path = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    let list = async || bench.call("GET", &path, Value::Null).await.body["Tags"].clone();
    assert_eq!(list().await, json!({}));
    assert_eq!(bench.call("POST", &path, json!({ "Tags": { "A": "a", "B": "b" } })).await.status, 204);
    assert_eq!(bench.call("POST", &path, json!({ "Tags": { "B": "new" } })).await.status, 204);
    assert_eq!(list().await, json!({ "A": "a", "B": "new" }));
    assert_eq!(bench.call("DELETE", &format!("{path}?tagKeys=A&tagKeys=Z"), Value::Null).await.status, 204);
    assert_eq!(list().await, json!({ "B": "new" }));

    let many: std::collections::BTreeMap<String, String> =
        (0..50).map(|index| (format!("key-{index}"), String::new())).collect();
    let refused = bench.call("POST", &path, json!({ "Tags": many })).await;
    assert_eq!(refused.message(), "Number of tags exceeds resource tag limit.");
    let refused = bench.call("DELETE", &path, Value::Null).await;
    assert!(refused.message().starts_with("1 validation error detected: Value null at 'tagKeys'"), "{refused:?}");
    let version = bench.call("GET", &format!("{path}:%24LATEST"), Value::Null).await;
    assert!(version.message().starts_with("Tags on function aliases and versions are not supported."), "{version:?}");
    let malformed = bench.call("GET", "/2017-03-31/tags/arn%3Aaws%3Asomething", Value::Null).await;
    let start =
        "1 validation error detected: Value 'arn:aws:something' at 'resource' failed to satisfy constraint: Member";
    assert!(malformed.message().starts_with(start), "{malformed:?}");
    let unknown = bench.call("GET", &format!("{path}-unknown"), Value::Null).await;
    assert_eq!(unknown.status, 404, "{unknown:?}");
}

#[tokio::test]
async fn unsupported_operations_are_named_in_the_error() {
    let bench = Bench::new();
    let refused = bench.call("PUT", "/2019-09-30/functions/f/provisioned-concurrency", json!({})).await;
    assert_eq!(
        refused.message(),
        "The local endpoint does not support the Lambda operation PutProvisionedConcurrencyConfig."
    );
    assert_eq!(bench.call("GET", "/nowhere", Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_role_of_another_account_cannot_be_passed() {
    let bench = Bench::new();
    let other = json!({ "Role": "arn:aws:iam::919191919191:role/x" });
    bench.create_python("def handler(event, context): pass", json!({})).await;
    bench.settled().await;
    let created =
        bench.create("python3.12", "index.py", "", json!({ "FunctionName": "g", "Role": other["Role"] })).await;
    let updated = bench.call("PUT", "/2015-03-31/functions/f/configuration", other).await;
    for refused in [created, updated] {
        let found = (refused.status, refused.code(), refused.message());
        assert_eq!(found, (403, "AccessDeniedException", "Cross-account pass role is not allowed."));
    }
}

#[tokio::test]
async fn the_name_of_a_bucket_must_match_the_models_pattern() {
    let bench = Bench::new();
    bench.create_python("def handler(event, context): pass", json!({})).await;
    bench.settled().await;
    let code = json!({ "S3Bucket": "bucket.", "S3Key": "k" });
    let message = |path: &str| {
        format!(
            "1 validation error detected: Value 'bucket.' at '{path}' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: [0-9A-Za-z\\.\\-_]*(?<!\\.)"
        )
    };
    let created = bench.create("python3.12", "index.py", "", json!({ "FunctionName": "g", "Code": code })).await;
    assert_eq!((created.code(), created.message()), ("ValidationException", message("code.s3Bucket").as_str()));
    let updated = bench.call("PUT", "/2015-03-31/functions/f/code", code).await;
    assert_eq!((updated.code(), updated.message()), ("ValidationException", message("s3Bucket").as_str()));
}

#[tokio::test]
async fn violations_of_the_model_name_their_member() {
    let bench = Bench::new();
    bench.create_python(mappings::PRINT, json!({ "Publish": true })).await;
    let function = "/2015-03-31/functions/f";
    let tags = "/2017-03-31/tags/arn:aws:lambda:us-east-1:000000000000:function:f";
    let permission = |member: &str, value: &str| {
        let permission =
            json!({ "StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com" });
        let mut permission = permission.as_object().unwrap().clone();
        permission.insert(member.into(), json!(value));
        ("POST", format!("{function}/policy"), Value::Object(permission))
    };
    let long = |length: usize| "x".repeat(length);
    for ((method, path, body), member) in [
        (("POST", tags.to_owned(), json!({ "Tags": { "a*b": "" } })), "tags"),
        (("POST", tags.to_owned(), json!({ "Tags": { long(129): "" } })), "tags"),
        (("POST", tags.to_owned(), json!({ "Tags": { "k": long(257) } })), "tags"),
        (("DELETE", format!("{tags}?tagKeys=a%2Ab"), Value::Null), "tagKeys"),
        (permission("SourceArn", "bucket"), "sourceArn"),
        (permission("SourceAccount", "12345"), "sourceAccount"),
        (permission("EventSourceToken", &long(257)), "eventSourceToken"),
        (permission("PrincipalOrgID", "o-SHORT"), "principalOrgID"),
        (("DELETE", format!("{function}/policy/{}", long(101)), Value::Null), "statementId"),
        (("GET", format!("{function}/aliases/{}", long(129)), Value::Null), "name"),
        (("PUT", format!("{function}/aliases/a%2Ab"), json!({})), "name"),
        (("DELETE", format!("{function}/aliases/123"), Value::Null), "name"),
        (("GET", format!("{function}/aliases?FunctionVersion=one"), Value::Null), "functionVersion"),
        (("GET", format!("/2015-03-31/functions/{}", long(257)), Value::Null), "functionName"),
        (("GET", "/2015-03-31/functions?MasterRegion=nowhere".into(), Value::Null), "masterRegion"),
        (("GET", "/2015-03-31/event-source-mappings?EventSourceArn=s".into(), Value::Null), "eventSourceArn"),
        (("GET", "/2019-09-25/functions/f/event-invoke-config/list?MaxItems=51".into(), Value::Null), "maxItems"),
    ] {
        let refused = bench.call(method, &path, body).await;
        assert_eq!((refused.status, refused.code()), (400, "ValidationException"), "{method} {path}: {refused:?}");
        assert!(refused.message().contains(&format!("at '{member}' failed to satisfy")), "{}", refused.message());
    }
    // An input without settings is rejected whether or not the function exists.
    let config = bench.call("PUT", "/2019-09-25/functions/none/event-invoke-config", json!({})).await;
    assert_eq!(config.message(), "You must specify at least one of error handling or destination setting.");
}
