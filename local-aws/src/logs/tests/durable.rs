//! Restarts and eviction from memory.

use std::path::Path;

use super::*;

fn open(dir: &Path, memory_limit: usize) -> Fixture {
    Fixture::on(Store::open(Some(dir)).unwrap(), memory_limit)
}

/// Everything that a client can read.
fn everything(fixture: &Fixture) -> Vec<Value> {
    let groups = fixture.ok("DescribeLogGroups", json!({}));
    let mut seen = vec![groups.clone()];
    for name in each(&groups["logGroups"], "logGroupName") {
        seen.push(fixture.ok("ListTagsLogGroup", json!({"logGroupName": name})));
        let streams = fixture.ok("DescribeLogStreams", json!({"logGroupName": name}));
        for stream in each(&streams["logStreams"], "logStreamName") {
            let input = json!({"logGroupName": name, "logStreamName": stream, "startFromHead": true});
            seen.push(fixture.ok("GetLogEvents", input));
        }
        seen.push(streams);
        seen.push(fixture.ok("FilterLogEvents", json!({"logGroupName": name})));
    }
    seen
}

#[test]
fn a_restart_restores_groups_streams_tags_and_events() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = open(dir.path(), usize::MAX);
    for name in ["g", "h", "gone"] {
        let group = json!({"logGroupName": name, "tags": {"k": "v", "old": "x"}});
        fixture.ok("CreateLogGroup", group);
        for stream in ["s", "t", "gone"] {
            fixture.ok("CreateLogStream", json!({"logGroupName": name, "logStreamName": stream}));
        }
    }
    fixture.put("s", &[(NOW, "one"), (NOW + 1, "two")]);
    fixture.put("gone", &[(NOW, "gone")]);
    fixture.logs.append("lambda", "p", vec![InputEvent { timestamp: NOW, message: "line\n".to_owned() }]);
    fixture.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 3}));
    fixture.ok("PutRetentionPolicy", json!({"logGroupName": "h", "retentionInDays": 3}));
    fixture.ok("DeleteRetentionPolicy", json!({"logGroupName": "h"}));
    fixture.ok("TagLogGroup", json!({"logGroupName": "g", "tags": {"new": "y"}}));
    fixture.ok("UntagLogGroup", json!({"logGroupName": "g", "tags": ["old"]}));
    let protect = json!({"logGroupIdentifier": "h", "deletionProtectionEnabled": true});
    fixture.ok("PutLogGroupDeletionProtection", protect);
    fixture.ok("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": "gone"}));
    fixture.ok("DeleteLogGroup", json!({"logGroupName": "gone"}));
    let seen = everything(&fixture);
    drop(fixture);

    let fixture = open(dir.path(), usize::MAX);
    assert_eq!(everything(&fixture), seen);
    // A new stream does not have the events of a deleted stream of the same name.
    fixture.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "gone"}));
    let again = fixture.ok("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "gone"}));
    assert_eq!(again["events"], json!([]));
}

#[test]
fn a_stream_continues_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = open(dir.path(), usize::MAX);
    fixture.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    fixture.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "s"}));
    fixture.put("s", &[(NOW, "1"), (NOW + 2, "3")]);
    let page = fixture.ok("FilterLogEvents", json!({"logGroupName": "g", "limit": 1}));
    drop(fixture);

    let fixture = open(dir.path(), usize::MAX);
    fixture.put("s", &[(NOW + 1, "2"), (NOW + 3, "4")]);
    let all = fixture.ok("FilterLogEvents", json!({"logGroupName": "g"}));
    assert_eq!(each(&all["events"], "message"), ["1", "2", "3", "4"]);
    let mut ids = each(&all["events"], "eventId");
    ids.dedup();
    assert_eq!(ids.len(), 4);
    // A page token from before the restart continues without later events.
    let next = fixture.ok("FilterLogEvents", json!({"logGroupName": "g", "nextToken": page["nextToken"]}));
    assert_eq!(each(&next["events"], "message"), ["3"]);
}

#[test]
fn evicted_events_are_read_from_the_data_directory_or_lost_without_one() {
    let line = "x".repeat(1000);
    let events: Vec<(i64, String)> = (0..200).map(|n| (NOW + n, format!("{n} {line}"))).collect();
    let dir = tempfile::tempdir().unwrap();
    for (store, expected) in [(Store::open(Some(dir.path())).unwrap(), 200), (Store::default(), 90)] {
        let fixture = Fixture::on(store, 100_000);
        fixture.ok("CreateLogGroup", json!({"logGroupName": "g"}));
        for stream in ["a", "b"] {
            fixture.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": stream}));
        }
        for (n, (timestamp, message)) in events.iter().enumerate() {
            fixture.put(["a", "b"][n % 2], &[(*timestamp, message)]);
        }
        let all = fixture.ok("FilterLogEvents", json!({"logGroupName": "g"}));
        let found = each(&all["events"], "message");
        assert!((expected..=expected + 8).contains(&found.len()), "the number is about what fits: {}", found.len());
        assert!(found.iter().rev().zip(events.iter().rev()).all(|(found, (_, put))| found == put), "the newest");
        let groups = fixture.ok("DescribeLogGroups", json!({}));
        let stored: usize = found.iter().map(|message| message.len() + 26).sum();
        assert_eq!(groups["logGroups"][0]["storedBytes"], stored);
    }
}

#[test]
fn events_in_memory_are_served_after_the_data_directory_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).unwrap();
    let fixture = Fixture::on(store.clone(), 5_000);
    fixture.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    for stream in ["old", "new"] {
        fixture.ok("CreateLogStream", json!({"logGroupName": "g", "logStreamName": stream}));
        fixture.put(stream, &[(NOW, stream), (NOW + 1, &"x".repeat(4_000))]);
    }
    store.damage_tables(dir.path());
    let get = |stream: &str| fixture.call("GetLogEvents", json!({"logGroupName": "g", "logStreamName": stream}));
    let error = get("old").unwrap_err();
    assert!(error.status == 500 && error.message.contains("table file"), "{error:?}");
    assert_eq!(each(&get("new").unwrap()["events"], "message")[0], "new");
    assert!(fixture.call("FilterLogEvents", json!({"logGroupName": "g"})).is_err());
    let named = json!({"logGroupName": "g", "logStreamNames": ["new"]});
    assert_eq!(fixture.ok("FilterLogEvents", named)["events"].as_array().unwrap().len(), 2);
    let streams = fixture.ok("DescribeLogStreams", json!({"logGroupName": "g"}));
    assert_eq!(each(&streams["logStreams"], "logStreamName"), ["new", "old"]);
}
