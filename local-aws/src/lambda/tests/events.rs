//! `Event` invocations and their configuration: attempts and destinations.

use super::*;

const CONFIG: &str = "/2019-09-25/functions/f/event-invoke-config";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const BUCKET: &str = "arn:aws:s3:::bucket";

/// Prints its event's `n`, and fails without one.
const STRICT: &str =
    "def handler(event, context):\n    print('n', event.get('n'))\n    return {'twice': event['n'] * 2}\n";

impl Bench {
    async fn event(&self, payload: Value) -> ApiResponse {
        let kind = [("x-amz-invocation-type", "Event")];
        let sent = self.request("POST", "/2015-03-31/functions/f/invocations", &kind, payload.to_string()).await;
        assert_eq!(sent.status, 202, "{sent:?}");
        sent
    }

    async fn documents(&self) -> Vec<Value> {
        let listed = self.lambda.delivered().await.unwrap().into_body();
        serde_json::from_slice(&listed).unwrap()
    }

    async fn document(&self) -> Value {
        eventually("a document is delivered", async || self.documents().await.pop()).await
    }
}

#[tokio::test]
async fn a_configuration_has_awss_life_cycle() {
    let bench = Bench::new();
    bench.create_python(STRICT, json!({ "Publish": true })).await;
    let shown = |mut answer: ApiResponse| {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body["LastModified"].take().as_f64().unwrap() > 1.7e9);
        answer.body
    };
    let config = |qualifier: &str, more: Value| {
        let mut members = json!({
            "FunctionArn": format!("{ARN}:{qualifier}"), "LastModified": null,
            "DestinationConfig": { "OnFailure": {}, "OnSuccess": {} },
        });
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        members
    };
    let put = bench.call("PUT", CONFIG, json!({ "MaximumRetryAttempts": 0 })).await;
    assert_eq!(shown(put), config("$LATEST", json!({ "MaximumRetryAttempts": 0 })));
    let put = bench.call("PUT", CONFIG, json!({ "MaximumEventAgeInSeconds": 60 })).await;
    assert_eq!(
        shown(put),
        config("$LATEST", json!({ "MaximumEventAgeInSeconds": 60 })),
        "earlier settings are removed"
    );
    let both = config("$LATEST", json!({ "MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 1 }));
    assert_eq!(shown(bench.call("POST", CONFIG, json!({ "MaximumRetryAttempts": 1 })).await), both);
    assert_eq!(shown(bench.call("GET", CONFIG, Value::Null).await), both);
    let of_version = format!("{CONFIG}?Qualifier=1");
    let missing = bench.call("GET", &of_version, Value::Null).await;
    let none = format!("The function {ARN}:1 doesn't have an EventInvokeConfig");
    assert_eq!((missing.status, missing.message()), (404, none.as_str()));
    assert_eq!(bench.call("POST", &of_version, json!({ "MaximumRetryAttempts": 1 })).await.message(), none);
    bench.call("PUT", &of_version, json!({ "MaximumRetryAttempts": 2 })).await;
    let listed = bench.call("GET", &format!("{CONFIG}/list"), Value::Null).await.body;
    let arns: Vec<_> =
        listed["FunctionEventInvokeConfigs"].as_array().unwrap().iter().map(|one| &one["FunctionArn"]).collect();
    assert_eq!(arns, [&json!(format!("{ARN}:$LATEST")), &json!(format!("{ARN}:1"))]);
    assert_eq!(bench.call("DELETE", CONFIG, Value::Null).await.status, 204);
    assert_eq!(bench.call("DELETE", CONFIG, Value::Null).await.status, 404);
}

#[tokio::test]
async fn invalid_configurations_get_awss_messages() {
    let bench = Bench::new();
    bench.create_python(STRICT, json!({})).await;
    let refusal = async |body: Value| {
        let refused = bench.call("PUT", CONFIG, body).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        refused.message().to_owned()
    };
    let on_success = |arn: &str| json!({ "DestinationConfig": { "OnSuccess": { "Destination": arn } } });
    assert_eq!(refusal(json!({})).await, "You must specify at least one of error handling or destination setting.");
    let none = format!("{ARN}-none");
    assert_eq!(refusal(on_success(&none)).await, format!("The destination ARN {none} is invalid."));
    assert_eq!(refusal(on_success(ARN)).await, "You can't specify the function as a destination for itself.");
    let iam = "arn:aws:iam:us-east-1:000000000000:function:f";
    assert_eq!(
        refusal(on_success(iam)).await,
        format!(
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination={iam}), onFailure=null) is \
             invalid."
        )
    );
    assert!(refusal(on_success("queue")).await.contains("'destinationConfig.onSuccess.destination'"));
    assert!(refusal(on_success(BUCKET)).await.ends_with("is invalid."), "a bucket receives failures only");
    assert!(refusal(json!({ "MaximumRetryAttempts": 3 })).await.contains("less than or equal to 2"));
    assert!(refusal(json!({ "MaximumEventAgeInSeconds": 59 })).await.contains("greater than or equal to 60"));
    let other = CONFIG.replace("/f/", "/none/");
    let unknown = bench.call("PUT", &other, json!({ "MaximumRetryAttempts": 0 })).await;
    assert_eq!((unknown.status, unknown.message()), (404, "The function doesn't exist."));
}

#[tokio::test]
async fn an_event_is_attempted_as_configured_and_then_sent_to_its_destination() {
    let bench = Bench::new();
    bench.create_python(STRICT, json!({})).await;
    let destinations = json!({ "OnFailure": { "Destination": BUCKET }, "OnSuccess": { "Destination": QUEUE } });
    let config = json!({ "MaximumRetryAttempts": 1, "DestinationConfig": destinations });
    assert_eq!(bench.call("PUT", CONFIG, config).await.status, 200);
    let sent = bench.event(json!({ "m": 1 })).await;
    let delivered = bench.document().await;
    assert!(delivered["key"].as_str().unwrap().starts_with("aws/lambda/async/f/2"), "{delivered}");
    let document = &delivered["document"];
    assert_eq!(
        document["requestContext"],
        json!({
            "requestId": sent.header("x-amzn-requestid").unwrap(), "functionArn": format!("{ARN}:$LATEST"),
            "condition": "RetriesExhausted", "approximateInvokeCount": 2,
        })
    );
    assert_eq!(document["requestPayload"], json!({ "m": 1 }));
    let response = json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" });
    assert_eq!(document["responseContext"], response);
    assert_eq!(document["responsePayload"]["errorType"], "KeyError");
    assert_eq!(bench.printed().iter().filter(|line| *line == "n None").count(), 2);

    bench.event(json!({ "n": 2 })).await;
    let received = async || bench.documents().await.into_iter().find(|one| one["service"] == "sqs");
    let delivered = eventually("the queue receives a document", received).await;
    assert_eq!(delivered["document"]["requestContext"]["condition"], "Success");
    assert_eq!(delivered["document"]["responsePayload"], json!({ "twice": 4 }));
    assert_eq!(delivered["document"]["responseContext"], json!({ "statusCode": 200, "executedVersion": "$LATEST" }));
}

#[tokio::test]
async fn a_function_as_destination_receives_the_document_and_a_loop_ends() {
    let bench = Bench::new();
    let source = "def handler(event, context):\n    print('got', event.get('requestContext', {}).get('condition'))\n";
    bench.create_python(source, json!({})).await;
    let second = bench.create("python3.12", "index.py", source, json!({ "FunctionName": "g" })).await;
    assert_eq!(second.status, 201);
    for (name, to) in [("f", "g"), ("g", "f")] {
        let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{to}");
        let config = json!({ "DestinationConfig": { "OnSuccess": { "Destination": arn } } });
        assert_eq!(bench.call("PUT", &CONFIG.replace("/f/", &format!("/{name}/")), config).await.status, 200);
    }
    bench.event(json!({})).await;
    let got = |group: &str| bench.lines(group).iter().filter(|line| *line == "got Success").count();
    // 17 functions receive the event, the first one from the client.
    eventually("the loop ends", async || (got("/aws/lambda/f") + got("/aws/lambda/g") >= 16).then_some(())).await;
    let ended = async || bench.lines("/aws/lambda/f").iter().filter(|line| line.starts_with("END")).count() == 9;
    eventually("the last one is done", async || ended().await.then_some(())).await;
    assert_eq!((got("/aws/lambda/f"), got("/aws/lambda/g")), (8, 8));
}

#[tokio::test(start_paused = true)]
async fn an_event_that_is_always_throttled_is_abandoned_at_its_maximum_age() {
    let bench = Bench::new();
    bench.create_python(STRICT, json!({})).await;
    bench.call("PUT", "/2017-10-31/functions/f/concurrency", json!({ "ReservedConcurrentExecutions": 0 })).await;
    let destinations = json!({ "OnFailure": { "Destination": QUEUE } });
    let config = json!({ "MaximumEventAgeInSeconds": 60, "DestinationConfig": destinations });
    assert_eq!(bench.call("PUT", CONFIG, config).await.status, 200);
    bench.event(json!({ "n": 1 })).await;
    let document = bench.document().await["document"].clone();
    assert_eq!(document["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(document["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(document.get("responseContext"), None);
}
