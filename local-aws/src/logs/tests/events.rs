//! PutLogEvents and GetLogEvents.

use super::*;
use crate::logs::InputEvent;
use crate::validation::LOGS;

fn get(fixture: &Fixture, input: Value) -> Value {
    let mut whole = json!({"logGroupName": "g", "logStreamName": "s"});
    whole.as_object_mut().unwrap().extend(input.as_object().unwrap().clone());
    fixture.ok("GetLogEvents", whole)
}

fn messages(page: &Value) -> Vec<&str> {
    each(&page["events"], "message")
}

#[test]
fn a_batch_that_violates_a_rule_is_rejected_whole() {
    let fixture = Fixture::with_stream();
    let put = |events: Value| {
        fixture.refused("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events}))
    };
    let event = |timestamp: i64| json!({"timestamp": timestamp, "message": "m"});
    let cases = [
        (
            json!([event(NOW), event(NOW - 1)]),
            "Log events in a single PutLogEvents request must be in chronological order.",
        ),
        (
            json!([event(NOW - DAY - 1), event(NOW)]),
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ),
        (
            json!([{"timestamp": NOW, "message": "x".repeat(1_048_576 - 25)}]),
            "Upload too large: 1048577 bytes exceeds limit of 1048576",
        ),
        (
            json!([event(NOW), {"timestamp": NOW, "message": ""}]),
            "1 validation error detected: Value '' at 'logEvents.2.member.message' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!([{"timestamp": -1, "message": "m"}]),
            "1 validation error detected: Value '-1' at 'logEvents.1.member.timestamp' failed to satisfy constraint: Member must have value greater than or equal to 0",
        ),
        (
            json!([{"message": "m"}]),
            "1 validation error detected: Value null at 'logEvents.1.member.timestamp' failed to satisfy constraint: Member must not be null",
        ),
        (
            json!([]),
            "1 validation error detected: Value '[]' at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!(vec![event(NOW); 10_001]),
            "1 validation error detected: Value '[10001 members]' at 'logEvents' failed to satisfy constraint: Member must have length less than or equal to 10000",
        ),
    ];
    for (events, text) in cases {
        assert_eq!(put(events), ("InvalidParameterException".to_owned(), text.to_owned()));
    }
    assert_eq!(messages(&get(&fixture, json!({}))), [""; 0]);
    let missing = |group: &str, stream: &str| {
        fixture
            .refused("PutLogEvents", json!({"logGroupName": group, "logStreamName": stream, "logEvents": [event(NOW)]}))
            .1
    };
    assert_eq!(missing("other", "s"), "The specified log group does not exist.");
    assert_eq!(missing("g", "other"), "The specified log stream does not exist.");
}

#[test]
fn the_token_and_the_entity_of_a_batch_are_validated() {
    let fixture = Fixture::with_stream();
    let events = json!([{"timestamp": NOW, "message": "m"}]);
    let put = |more: Value| {
        let mut input = json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        input
    };
    let keys = |count: usize| (0..count).map(|key| (format!("k{key}"), json!("v"))).collect::<Value>();
    let entity = |keys: Value, attributes: Value| json!({"entity": {"keyAttributes": keys, "attributes": attributes}});
    for (more, path, constraint) in [
        (json!({"sequenceToken": ""}), "sequenceToken", "Member must have length greater than or equal to 1"),
        (entity(keys(1), json!({})), "entity.keyAttributes", "Member must have length greater than or equal to 2"),
        (entity(keys(5), json!({})), "entity.keyAttributes", "Member must have length less than or equal to 4"),
        (entity(keys(2), keys(11)), "entity.attributes", "Member must have length less than or equal to 10"),
        (
            entity(json!({"Type": "Service", "N".repeat(33): "v"}), json!({})),
            "entity.keyAttributes",
            "Map keys must satisfy constraint: [Member must have length less than or equal to 32, Member must have length \
             greater than or equal to 1]",
        ),
        (
            entity(json!({"Type": "Service", "Name": ""}), json!({})),
            "entity.keyAttributes",
            "Map value must satisfy constraint: [Member must have length less than or equal to 512, Member must have length \
             greater than or equal to 1]",
        ),
        (
            entity(keys(2), json!({"k": "v".repeat(513)})),
            "entity.attributes",
            "Map value must satisfy constraint: [Member must have length less than or equal to 512, Member must have length \
             greater than or equal to 1]",
        ),
    ] {
        let (code, message) = fixture.refused("PutLogEvents", put(more.clone()));
        assert_eq!(code, "InvalidParameterException", "{more}");
        let end = format!("' at '{path}' failed to satisfy constraint: {constraint}");
        assert!(message.starts_with("1 validation error detected: ") && message.ends_with(&end), "{message}");
    }
    assert_eq!(messages(&get(&fixture, json!({}))), [""; 0]);
    for more in
        [json!({"sequenceToken": "1"}), entity(keys(4), keys(10)), json!({"entity": {"keyAttributes": keys(2)}})]
    {
        fixture.ok("PutLogEvents", put(more));
    }
}

/// Batches have their own fast parser, and every member of the model needs a test of it.
#[test]
fn the_parser_of_batches_knows_every_member_of_the_model() {
    let members: Vec<&str> = LOGS.shape("PutLogEventsRequest").members.iter().map(|(member, _)| &**member).collect();
    assert_eq!(members, ["logGroupName", "logStreamName", "logEvents", "sequenceToken", "entity"]);
}

#[test]
fn the_largest_batches_are_accepted() {
    let fixture = Fixture::with_stream();
    fixture.put("s", &[(NOW, &"x".repeat(1_048_576 - 26))]);
    fixture.put("s", &vec![(NOW, "m"); 10_000]);
    fixture.put("s", &[(NOW - DAY, "m"), (NOW, "m")]);
    assert_eq!(fixture.ok("DescribeLogGroups", json!({}))["logGroups"][0]["storedBytes"], 1_048_576 + 10_002 * 27);
}

#[test]
fn events_that_are_too_old_or_too_new_are_rejected_and_reported() {
    let fixture = Fixture::with_stream();
    let output = fixture.put("s", &[(NOW - 14 * DAY - 2, "a"), (NOW - 14 * DAY - 1, "b"), (NOW - 14 * DAY, "kept 1")]);
    assert_eq!(output["rejectedLogEventsInfo"], json!({"tooOldLogEventEndIndex": 2}));
    assert!(output["nextSequenceToken"].is_string());
    let hours = 2 * 60 * 60 * 1000;
    let output = fixture.put("s", &[(NOW + hours, "kept 2"), (NOW + hours + 1, "c"), (NOW + hours + 2, "d")]);
    assert_eq!(output["rejectedLogEventsInfo"], json!({"tooNewLogEventStartIndex": 1}));
    fixture.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1}));
    let output = fixture.put("s", &[(NOW - DAY - 1, "e"), (NOW - DAY, "kept 3")]);
    assert_eq!(output["rejectedLogEventsInfo"], json!({"expiredLogEventEndIndex": 1}));
    assert_eq!(fixture.put("s", &[(NOW, "kept 4")]).get("rejectedLogEventsInfo"), None);
    fixture.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"}));
    let page = get(&fixture, json!({}));
    assert!(messages(&page).iter().all(|message| message.starts_with("kept")), "{page}");
}

#[test]
fn expired_events_are_not_returned() {
    let fixture = Fixture::with_stream();
    fixture.put("s", &[(NOW - 10, "old"), (NOW, "new")]);
    fixture.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1}));
    fixture.advance(DAY - 5);
    assert_eq!(messages(&get(&fixture, json!({"startFromHead": true}))), ["new"]);
    let found = fixture.ok("FilterLogEvents", json!({"logGroupName": "g"}));
    assert_eq!(messages(&found), ["new"]);
    fixture.advance(6);
    assert_eq!(messages(&get(&fixture, json!({}))), [""; 0]);
}

#[test]
fn paging_works_in_both_directions_and_ends_where_the_token_repeats() {
    let fixture = Fixture::with_stream();
    fixture.put("s", &[(NOW, "0"), (NOW + 1, "1"), (NOW + 1, "2"), (NOW + 2, "3"), (NOW + 3, "4")]);
    let page = get(&fixture, json!({"limit": 2, "startFromHead": true}));
    assert_eq!(page["events"][0], json!({"timestamp": NOW, "message": "0", "ingestionTime": NOW}));
    let (mut seen, mut token) = (vec!["0".to_owned(), "1".to_owned()], page["nextForwardToken"].clone());
    loop {
        let page = get(&fixture, json!({"limit": 2, "nextToken": token}));
        seen.extend(messages(&page).into_iter().map(str::to_owned));
        if page["nextForwardToken"] == token {
            assert_eq!(messages(&page), [""; 0]);
            break;
        }
        token = page["nextForwardToken"].clone();
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4"]);

    // The token of the end finds events that arrive later.
    fixture.put("s", &[(NOW + 4, "5")]);
    let page = get(&fixture, json!({"nextToken": token}));
    assert_eq!(messages(&page), ["5"]);
    let back = get(&fixture, json!({"limit": 2, "nextToken": page["nextBackwardToken"]}));
    assert_eq!(messages(&back), ["3", "4"]);

    let newest = get(&fixture, json!({"limit": 4}));
    assert_eq!(messages(&newest), ["2", "3", "4", "5"]);
    let before = get(&fixture, json!({"limit": 4, "nextToken": newest["nextBackwardToken"]}));
    assert_eq!(messages(&before), ["0", "1"]);
    let start = get(&fixture, json!({"limit": 4, "nextToken": before["nextBackwardToken"]}));
    assert_eq!((messages(&start), &start["nextBackwardToken"]), (vec![], &before["nextBackwardToken"]));
    let again = get(&fixture, json!({"nextToken": start["nextForwardToken"]}));
    assert_eq!(messages(&again), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn a_reader_of_an_empty_stream_receives_later_events() {
    let fixture = Fixture::with_stream();
    let empty = get(&fixture, json!({}));
    let token = &empty["nextForwardToken"];
    assert!(
        token.as_str().unwrap().starts_with("f/") && empty["nextBackwardToken"].as_str().unwrap().starts_with("b/")
    );
    assert_eq!(get(&fixture, json!({"nextToken": token}))["nextForwardToken"], *token);
    fixture.put("s", &[(NOW - 1000, "first")]);
    assert_eq!(messages(&get(&fixture, json!({"nextToken": token}))), ["first"]);
}

#[test]
fn a_time_range_includes_its_start_and_not_its_end() {
    let fixture = Fixture::with_stream();
    fixture.put("s", &[(NOW, "0"), (NOW + 1, "1"), (NOW + 2, "2")]);
    assert_eq!(messages(&get(&fixture, json!({"startTime": NOW, "endTime": NOW + 2}))), ["0", "1"]);
    assert_eq!(messages(&get(&fixture, json!({"startTime": NOW + 2, "endTime": NOW}))), [""; 0]);
}

#[test]
fn a_page_contains_at_most_a_mebibyte() {
    let fixture = Fixture::with_stream();
    let line = "x".repeat(400_000);
    for n in 0..4 {
        fixture.put("s", &[(NOW + n, &line)]);
    }
    let head = get(&fixture, json!({"startFromHead": true}));
    assert_eq!(messages(&head).len(), 2);
    assert_eq!(messages(&get(&fixture, json!({"nextToken": head["nextForwardToken"]}))).len(), 2);
    assert_eq!(messages(&get(&fixture, json!({}))).len(), 2);
    fixture.logs.append("g", "s", vec![InputEvent { timestamp: NOW + 9, message: "y".repeat(2_000_000) }]);
    assert_eq!(messages(&get(&fixture, json!({}))).len(), 1, "a longer line is a page of its own");
}

#[test]
fn invalid_tokens_and_limits_are_rejected() {
    let fixture = Fixture::with_stream();
    let refused = |member: &str, value: Value| {
        fixture.refused("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s", member: value})).1
    };
    for token in ["x", "f/3/s", "f/", "b/ééééééééééééééééééééééééééééé/s", &format!("g/3{:055}/s", 1)]
    {
        assert_eq!(refused("nextToken", json!(token)), "The specified nextToken is invalid.", "{token}");
    }
    assert_eq!(
        refused("limit", json!(10_001)),
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"
    );
    assert_eq!(
        refused("limit", json!(0)),
        "1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"
    );
}

#[test]
fn lines_of_functions_are_readable_at_once_in_any_number_and_order() {
    let fixture = Fixture::new();
    let lines = (0..20_000).map(|n| InputEvent { timestamp: NOW + n, message: format!("line {n}") }).collect();
    fixture.logs.append("g", "s", lines);
    fixture.logs.append("g", "s", vec![InputEvent { timestamp: NOW - DAY * 30, message: "late".to_owned() }]);
    let page = get(&fixture, json!({"startFromHead": true, "limit": 2}));
    assert_eq!(messages(&page), ["late", "line 0"]);
    assert_eq!(messages(&get(&fixture, json!({}))).last(), Some(&"line 19999"));
}
