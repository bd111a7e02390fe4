//! Live tail as a client sees it: frames.

use aws_smithy_eventstream::frame::read_message_from;
use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

use super::*;

const ARN: &str = "arn:aws:logs:eu-central-1:111111111111:log-group:";

fn start(fixture: &Fixture, input: Value) -> Receiver<Bytes> {
    fixture.logs.start_live_tail(input.to_string().as_bytes()).unwrap()
}

fn refused(fixture: &Fixture, input: Value) -> (String, String) {
    let error = fixture.logs.start_live_tail(input.to_string().as_bytes()).unwrap_err();
    (error.code.into_owned(), error.message)
}

/// The frame's event type and payload.
async fn next(frames: &mut Receiver<Bytes>) -> (String, Value) {
    let message = read_message_from(frames.recv().await.unwrap()).unwrap();
    let header = |name: &str| {
        let header = message.headers().iter().find(|header| header.name().as_str() == name);
        header.map(|header| header.value().as_string().unwrap().as_str().to_owned())
    };
    let kind = header(":event-type").or_else(|| header(":exception-type")).unwrap();
    (kind, serde_json::from_slice(message.payload()).unwrap())
}

async fn update(frames: &mut Receiver<Bytes>) -> Value {
    let (kind, payload) = next(frames).await;
    assert_eq!(kind, "sessionUpdate");
    payload
}

#[tokio::test(start_paused = true)]
async fn a_session_sends_new_events_each_second_for_three_hours() {
    let fixture = Fixture::with_stream();
    fixture.put("s", &[(NOW, "before")]);
    let mut frames = start(&fixture, json!({"logGroupIdentifiers": [format!("{ARN}g")]}));
    assert_eq!(next(&mut frames).await, ("initial-response".to_owned(), json!({})));
    let (kind, session) = next(&mut frames).await;
    assert_eq!((kind.as_str(), &session["logGroupIdentifiers"]), ("sessionStart", &json!([format!("{ARN}g")])));
    assert_eq!((&session["logStreamNames"], &session["logEventFilterPattern"]), (&json!([]), &json!("")));

    fixture.put("s", &[(NOW + 1, "put")]);
    fixture.logs.append("g", "p", vec![InputEvent { timestamp: NOW + 2, message: "printed".to_owned() }]);
    fixture.logs.append("h", "p", vec![InputEvent { timestamp: NOW + 2, message: "elsewhere".to_owned() }]);
    let shown = update(&mut frames).await;
    assert_eq!(shown["sessionMetadata"], json!({"sampled": false}));
    assert_eq!(each(&shown["sessionResults"], "message"), ["put", "printed"]);
    let event = json!({"logStreamName": "s", "logGroupIdentifier": "111111111111:g", "message": "put", "timestamp": NOW + 1, "ingestionTime": NOW});
    assert_eq!(shown["sessionResults"][0], event);
    assert_eq!(update(&mut frames).await["sessionResults"], json!([]));

    let mut updates = 2;
    loop {
        match next(&mut frames).await.0.as_str() {
            "sessionUpdate" => updates += 1,
            last => break assert_eq!(last, "SessionTimeoutException"),
        }
    }
    assert!((3 * 3600 - 2..=3 * 3600).contains(&updates), "{updates} updates");
    assert_eq!(frames.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_follows_the_requested_streams_and_pattern() {
    let fixture = Fixture::with_stream();
    let cases = [
        (json!({"logStreamNames": ["a"]}), vec!["ERROR 1", "2"]),
        (json!({"logStreamNamePrefixes": ["a"]}), vec!["ERROR 1", "2", "ERROR 3"]),
        (json!({"logEventFilterPattern": "ERROR"}), vec!["ERROR 1", "ERROR 3", "ERROR 4"]),
    ];
    for (mut input, expected) in cases {
        input["logGroupIdentifiers"] = json!([format!("{ARN}g")]);
        let mut frames = start(&fixture, input);
        for (stream, message) in [("a", "ERROR 1"), ("a", "2"), ("ab", "ERROR 3"), ("b", "ERROR 4")] {
            fixture.logs.append("g", stream, vec![InputEvent { timestamp: NOW, message: message.to_owned() }]);
        }
        next(&mut frames).await;
        next(&mut frames).await;
        assert_eq!(each(&update(&mut frames).await["sessionResults"], "message"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_loses_the_oldest_updates() {
    let fixture = Fixture::with_stream();
    let mut frames = start(&fixture, json!({"logGroupIdentifiers": [format!("{ARN}g")]}));
    next(&mut frames).await;
    next(&mut frames).await;
    for second in 0..30 {
        fixture.logs.append("g", "s", vec![InputEvent { timestamp: NOW, message: second.to_string() }]);
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let mut messages = vec![];
    while messages.last().is_none_or(|last| last != "29") {
        let shown = update(&mut frames).await;
        messages.extend(each(&shown["sessionResults"], "message").iter().map(|message| (*message).to_owned()));
    }
    // The first updates had been sent already.
    let waiting: Vec<String> = (22..30).map(|second| second.to_string()).collect();
    assert!(messages.ends_with(&waiting) && messages.len() <= 12, "{messages:?}");
}

#[tokio::test(start_paused = true)]
async fn invalid_sessions_are_rejected() {
    let fixture = Fixture::with_stream();
    let arn = |name: &str| json!([format!("{ARN}{name}")]);
    fixture.ok("CreateLogGroup", json!({"logGroupName": "rare", "logGroupClass": "INFREQUENT_ACCESS"}));
    let text = "The log group rare is of log-group-class INFREQUENT_ACCESS. StartLiveTail is not supported for this log class.";
    let rare = refused(&fixture, json!({"logGroupIdentifiers": arn("rare")}));
    assert_eq!(rare, ("InvalidOperationException".to_owned(), text.to_owned()));
    assert_eq!(refused(&fixture, json!({"logGroupIdentifiers": arn("zz")})).0, "ResourceNotFoundException");
    for input in [
        json!({}),
        json!({"logGroupIdentifiers": []}),
        json!({"logGroupIdentifiers": ["g"]}),
        json!({"logGroupIdentifiers": arn("g:*")}),
        json!({"logGroupIdentifiers": vec![format!("{ARN}g"); 11]}),
        json!({"logGroupIdentifiers": [format!("{ARN}g"), format!("{ARN}rare")], "logStreamNames": ["a"]}),
        json!({"logGroupIdentifiers": arn("g"), "logStreamNames": ["a"], "logStreamNamePrefixes": ["a"]}),
        json!({"logGroupIdentifiers": arn("g"), "logEventFilterPattern": "a:b"}),
    ] {
        assert_eq!(refused(&fixture, input.clone()).0, "InvalidParameterException", "{input}");
    }
    let sessions: Vec<_> = (0..15).map(|_| start(&fixture, json!({"logGroupIdentifiers": arn("g")}))).collect();
    assert_eq!(refused(&fixture, json!({"logGroupIdentifiers": arn("g")})).0, "LimitExceededException");
    drop(sessions);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    start(&fixture, json!({"logGroupIdentifiers": arn("g")}));
}

#[test]
fn groups_of_other_classes_reject_reads_of_events() {
    let fixture = Fixture::new();
    for class in ["INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"] {
        fixture.ok("CreateLogGroup", json!({"logGroupName": class, "logGroupClass": class}));
        fixture.ok("CreateLogStream", json!({"logGroupName": class, "logStreamName": "s"}));
        let old = json!([{"timestamp": NOW - 2 * DAY, "message": "x"}]);
        let put = fixture.ok("PutLogEvents", json!({"logGroupName": class, "logStreamName": "s", "logEvents": old}));
        // The class DELIVERY keeps events for one day.
        assert_eq!(put["rejectedLogEventsInfo"].is_object(), class == "DELIVERY", "{put}");
        for operation in ["GetLogEvents", "FilterLogEvents"] {
            let mut input = json!({"logGroupName": class});
            if operation == "GetLogEvents" {
                input["logStreamName"] = json!("s");
            }
            let text = format!(
                "The log group {class} is of log-group-class {class}. {operation} is not supported for this log class."
            );
            assert_eq!(fixture.refused(operation, input), ("InvalidOperationException".to_owned(), text));
        }
    }
}
