//! FilterLogEvents.

use std::collections::BTreeSet;
use std::thread;

use super::*;
use crate::logs::InputEvent;

/// Returns the events of all pages and the number of pages. Calls `between` after each page.
fn pages(fixture: &Fixture, input: Value, mut between: impl FnMut()) -> (Vec<Value>, usize) {
    let (mut events, mut input, mut count) = (vec![], input, 0);
    loop {
        let mut page = fixture.ok("FilterLogEvents", input.clone());
        count += 1;
        assert_eq!(page["searchedLogStreams"], json!([]));
        events.append(page["events"].as_array_mut().unwrap());
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return (events, count),
        }
        between();
    }
}

fn found(fixture: &Fixture, input: Value) -> Vec<String> {
    let (events, _) = pages(fixture, input, || ());
    events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

fn lines(range: std::ops::Range<i64>, text: &str) -> Vec<InputEvent> {
    range.map(|n| InputEvent { timestamp: NOW + n, message: format!("{text} {n}") }).collect()
}

/// Creates the streams a1, a2 and b, with events in turn.
fn three_streams() -> Fixture {
    let fixture = Fixture::new();
    for n in 0..9 {
        fixture.logs.append("g", ["a1", "a2", "b"][n % 3], lines(n as i64..n as i64 + 1, "line"));
    }
    fixture
}

#[test]
fn streams_are_interleaved_by_time() {
    let fixture = three_streams();
    let all: Vec<String> = (0..9).map(|n| format!("line {n}")).collect();
    assert_eq!(found(&fixture, json!({"logGroupName": "g"})), all);
    assert_eq!(found(&fixture, json!({"logGroupIdentifier": fixture.logs.group_arn("g"), "limit": 2})), all);
    assert_eq!(found(&fixture, json!({"logGroupName": "g", "logStreamNames": ["b"]})), ["line 2", "line 5", "line 8"]);
    assert_eq!(
        found(&fixture, json!({"logGroupName": "g", "logStreamNames": ["a2", "a1", "a1"], "endTime": NOW + 3})),
        ["line 0", "line 1", "line 3"]
    );
    assert_eq!(
        found(&fixture, json!({"logGroupName": "g", "logStreamNamePrefix": "a", "startTime": NOW + 6})),
        ["line 6", "line 7"]
    );
    assert_eq!(found(&fixture, json!({"logGroupName": "g", "filterPattern": "?2 ?\"e 7\""})), ["line 2", "line 7"]);
    let event = &fixture.ok("FilterLogEvents", json!({"logGroupName": "g", "limit": 1}))["events"][0];
    assert_eq!(event["eventId"].as_str().unwrap().len(), 56);
    assert_eq!(
        (&event["logStreamName"], &event["timestamp"], &event["ingestionTime"]),
        (&json!("a1"), &json!(NOW), &json!(NOW))
    );
}

#[test]
fn a_page_has_a_token_only_if_there_is_another() {
    let fixture = three_streams();
    assert_eq!(pages(&fixture, json!({"logGroupName": "g", "limit": 3}), || ()).1, 3);
    assert_eq!(pages(&fixture, json!({"logGroupName": "g", "limit": 3, "filterPattern": "line"}), || ()).1, 3);
    assert_eq!(pages(&fixture, json!({"logGroupName": "g", "limit": 1, "filterPattern": "3"}), || ()).1, 1);
    fixture.logs.append(
        "g",
        "big",
        (0..4).map(|n| InputEvent { timestamp: NOW + n, message: "x".repeat(400_000) }).collect(),
    );
    let (events, count) = pages(&fixture, json!({"logGroupName": "g", "logStreamNames": ["big"]}), || ());
    assert_eq!((events.len(), count), (4, 2), "a page holds a mebibyte");
}

#[test]
fn paging_returns_the_events_that_existed_at_its_beginning_once() {
    let fixture = three_streams();
    let mut arrived = 0;
    let (events, _) = pages(&fixture, json!({"logGroupName": "g", "limit": 2}), || {
        arrived += 1;
        // Earlier, overlapping and later events, in existing and new streams.
        fixture.logs.append("g", "a1", lines(-5..20, "late"));
        fixture.logs.append("g", &format!("new{arrived}"), lines(0..5, "late"));
    });
    let messages: Vec<&str> = events.iter().map(|event| event["message"].as_str().unwrap()).collect();
    assert_eq!(messages, (0..9).map(|n| format!("line {n}")).collect::<Vec<_>>());
    let (events, _) = pages(&fixture, json!({"logGroupName": "g", "limit": 7}), || ());
    let ids: BTreeSet<&str> = events.iter().map(|event| event["eventId"].as_str().unwrap()).collect();
    assert_eq!((events.len(), ids.len()), (9 + 4 * 30, 9 + 4 * 30), "and then all of it");
}

#[test]
fn paging_skips_nothing_while_other_threads_write() {
    let fixture = Fixture::new();
    fixture.logs.append("g", "base", lines(0..5000, "base"));
    thread::scope(|scope| {
        for writer in 0..2 {
            let logs = fixture.logs.clone();
            scope.spawn(move || {
                for n in 0..300 {
                    logs.append("g", &format!("w{writer}"), lines(n * 17 % 5000..n * 17 % 5000 + 5, "other"));
                }
            });
        }
        for _ in 0..5 {
            let (events, _) = pages(&fixture, json!({"logGroupName": "g", "limit": 700}), || ());
            let base = events.iter().filter(|event| event["logStreamName"] == "base").count();
            let ids: BTreeSet<&str> = events.iter().map(|event| event["eventId"].as_str().unwrap()).collect();
            assert_eq!((base, ids.len()), (5000, events.len()));
        }
    });
    assert_eq!(found(&fixture, json!({"logGroupName": "g"})).len(), 5000 + 2 * 300 * 5);
}

#[test]
fn a_long_search_returns_an_empty_page_and_continues() {
    let fixture = Fixture::new();
    let mut many: Vec<InputEvent> =
        (0..80).map(|n| InputEvent { timestamp: NOW + n, message: "x".repeat(1 << 20) }).collect();
    many.push(InputEvent { timestamp: NOW + 100, message: "needle".to_owned() });
    fixture.logs.append("g", "s", many);
    let first = fixture.ok("FilterLogEvents", json!({"logGroupName": "g", "filterPattern": "needle"}));
    assert!(first["events"].as_array().unwrap().is_empty() && first["nextToken"].is_string(), "{first}");
    assert_eq!(found(&fixture, json!({"logGroupName": "g", "filterPattern": "needle"})), ["needle"]);
}

#[test]
fn invalid_requests_are_rejected() {
    let fixture = three_streams();
    let refused =
        |member: &str, value: Value| fixture.refused("FilterLogEvents", json!({"logGroupName": "g", member: value}));
    let token = ("InvalidParameterException".to_owned(), "The specified nextToken is invalid.".to_owned());
    assert_eq!(refused("nextToken", json!("invalid")), token);
    let empty = refused("nextToken", json!("")).1;
    assert!(
        empty.ends_with(
            "at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1"
        )
    );
    let page = fixture.ok("FilterLogEvents", json!({"logGroupName": "g", "limit": 1}));
    fixture.logs.ensure_stream("h", "s");
    assert_eq!(fixture.refused("FilterLogEvents", json!({"logGroupName": "h", "nextToken": page["nextToken"]})), token);
    assert_eq!(
        refused("limit", json!(10_001)).1,
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"
    );
    assert_eq!(refused("logStreamNames", json!(["a1", "zz"])).1, "The specified log stream does not exist.");
    assert!(refused("filterPattern", json!("a:b")).1.starts_with("Invalid character(s) in term ':'"));
    let both = json!({"logGroupName": "g", "logStreamNames": ["a1"], "logStreamNamePrefix": "a"});
    assert_eq!(fixture.refused("FilterLogEvents", both).0, "InvalidParameterException");
    assert_eq!(fixture.refused("FilterLogEvents", json!({})).0, "InvalidParameterException");
    assert_eq!(
        fixture.refused("FilterLogEvents", json!({"logGroupName": "zz"})).1,
        "The specified log group does not exist."
    );
}

#[test]
fn the_latest_events_are_returned_first_if_start_from_head_is_false() {
    let fixture = three_streams();
    let reversed: Vec<String> = (0..9).rev().map(|n| format!("line {n}")).collect();
    for limit in [1, 2, 4, 100] {
        let input = json!({"logGroupName": "g", "startFromHead": false, "limit": limit});
        // Events that arrive meanwhile are not part of the pages.
        let (events, _) = pages(&fixture, input, || fixture.logs.append("late", "s", lines(0..1, "late")));
        let messages: Vec<_> = events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect();
        assert_eq!(messages, reversed, "{limit}");
    }
    let input =
        json!({"logGroupName": "g", "startFromHead": false, "startTime": NOW + 2, "endTime": NOW + 4, "limit": 2});
    assert_eq!(found(&fixture, input), ["line 4", "line 3", "line 2"]);
}

#[test]
fn the_token_determines_the_direction() {
    let fixture = three_streams();
    let first = fixture.ok("FilterLogEvents", json!({"logGroupName": "g", "startFromHead": false, "limit": 2}));
    let next = json!({"logGroupName": "g", "startFromHead": true, "limit": 2, "nextToken": first["nextToken"]});
    let next = fixture.ok("FilterLogEvents", next);
    assert_eq!(next["events"][0]["message"], "line 6");
}
