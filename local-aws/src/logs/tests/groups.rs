//! Groups, streams, tags.

use super::*;

#[test]
fn a_new_group_is_described_as_on_aws() {
    let fixture = Fixture::new();
    assert_eq!(fixture.ok("CreateLogGroup", json!({"logGroupName": "g", "kmsKeyId": "arn:k"})), json!({}));
    let arn = "arn:aws:logs:eu-central-1:111111111111:log-group:g";
    let expected = json!({
        "logGroupName": "g", "creationTime": NOW, "metricFilterCount": 0, "arn": format!("{arn}:*"), "storedBytes": 0,
        "logGroupClass": "STANDARD", "logGroupArn": arn, "deletionProtectionEnabled": false, "kmsKeyId": "arn:k",
    });
    assert_eq!(fixture.ok("DescribeLogGroups", json!({})), json!({"logGroups": [expected]}));
    let by_pattern = fixture.ok("DescribeLogGroups", json!({"logGroupNamePattern": "g"}));
    assert_eq!(by_pattern["logGroups"][0].get("storedBytes"), None);
    let identified = fixture.ok("DescribeLogGroups", json!({"logGroupIdentifiers": [arn]}));
    assert_eq!(each(&identified["logGroups"], "logGroupName"), ["g"]);
}

#[test]
fn invalid_groups_are_rejected_with_awss_messages() {
    let fixture = Fixture::new();
    fixture.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    let exists = ("ResourceAlreadyExistsException".to_owned(), "The specified log group already exists".to_owned());
    assert_eq!(fixture.refused("CreateLogGroup", json!({"logGroupName": "g"})), exists);
    let cases = [
        (
            json!({"logGroupName": "x".repeat(513)}),
            "Invalid LogGroup or LogStream, both must have length less than or equal to 512.",
        ),
        (
            json!({"logGroupName": "a b"}),
            r"1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
        ),
        (
            json!({"logGroupName": ""}),
            r"2 validation errors detected: Value '' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+; Value '' at 'logGroupName' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            json!({}),
            "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null",
        ),
        (json!({"logGroupName": "aws/x"}), "Log groups starting with AWS/ are reserved for AWS."),
        (
            json!({"logGroupName": "h", "logGroupClass": "CHEAP", "tags": {}}),
            "2 validation errors detected: Value '{}' at 'tags' failed to satisfy constraint: Member must have length greater than or equal to 1; Value 'CHEAP' at 'logGroupClass' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, INFREQUENT_ACCESS, DELIVERY, ESSENTIALS]",
        ),
    ];
    for (input, text) in cases {
        assert_eq!(fixture.refused("CreateLogGroup", input), ("InvalidParameterException".to_owned(), text.to_owned()));
    }
    let both = json!({"logGroupNamePrefix": "a", "logGroupNamePattern": "b"});
    let text = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
    assert_eq!(fixture.refused("DescribeLogGroups", both).1, text);
}

#[test]
fn the_model_limits_every_member() {
    let fixture = Fixture::with_stream();
    let arn = "arn:aws:logs:eu-central-1:111111111111:log-group:g";
    let pattern = r"Member must satisfy regular expression pattern: [\w#+=/:,.@-]*";
    for operation in ["FilterLogEvents", "DescribeLogStreams", "GetLogEvents"] {
        let mut input = json!({"logGroupIdentifier": arn});
        if operation == "GetLogEvents" {
            input["logStreamName"] = json!("s");
        }
        fixture.ok(operation, input.clone());
        input["logGroupIdentifier"] = json!(format!("{arn}:*"));
        let text = format!(
            "1 validation error detected: Value '{arn}:*' at 'logGroupIdentifier' failed to satisfy constraint: {pattern}"
        );
        assert_eq!(fixture.refused(operation, input), ("InvalidParameterException".to_owned(), text), "{operation}");
    }
    for (member, value) in [
        ("filterNamePrefix", json!("x".repeat(513))),
        ("metricName", json!("x".repeat(256))),
        ("metricNamespace", json!("a:b")),
        ("limit", json!(51)),
        ("nextToken", json!("")),
    ] {
        let (code, text) = fixture.refused("DescribeMetricFilters", json!({"logGroupName": "g", member: value}));
        assert!(
            code == "InvalidParameterException" && text.contains(&format!("at '{member}' failed")),
            "{code} {text}"
        );
    }
    let tags = fixture.refused("ListTagsForResource", json!({"resourceArn": format!("{arn}:*")}));
    assert!(tags.1.contains("at 'resourceArn' failed"), "{tags:?}");
}

#[test]
fn groups_are_paginated() {
    let fixture = Fixture::new();
    for name in ["b", "a/3", "a/1", "a/2", "A"] {
        fixture.ok("CreateLogGroup", json!({"logGroupName": name}));
    }
    let first = fixture.ok("DescribeLogGroups", json!({"logGroupNamePrefix": "a/", "limit": 2}));
    assert_eq!(each(&first["logGroups"], "logGroupName"), ["a/1", "a/2"]);
    let second = fixture
        .ok("DescribeLogGroups", json!({"logGroupNamePrefix": "a/", "limit": 2, "nextToken": first["nextToken"]}));
    assert_eq!(each(&second["logGroups"], "logGroupName"), ["a/3"]);
    assert_eq!(second.get("nextToken"), None);
    let (_, text) = fixture.refused("DescribeLogGroups", json!({"limit": 51}));
    assert_eq!(
        text,
        "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"
    );
}

#[test]
fn a_deleted_group_has_no_streams_when_it_is_created_again() {
    let fixture = Fixture::with_stream();
    fixture.ok("DeleteLogGroup", json!({"logGroupName": "g"}));
    let missing = ("ResourceNotFoundException".to_owned(), "The specified log group does not exist.".to_owned());
    assert_eq!(fixture.refused("DeleteLogGroup", json!({"logGroupName": "g"})), missing);
    assert_eq!(fixture.refused("DescribeLogStreams", json!({"logGroupName": "g"})), missing);
    fixture.ok("CreateLogGroup", json!({"logGroupName": "g", "deletionProtectionEnabled": true}));
    assert_eq!(fixture.ok("DescribeLogStreams", json!({"logGroupName": "g"})), json!({"logStreams": []}));
    assert_eq!(fixture.refused("DeleteLogGroup", json!({"logGroupName": "g"})).0, "ValidationException");
    fixture.ok("PutLogGroupDeletionProtection", json!({"logGroupIdentifier": "g", "deletionProtectionEnabled": false}));
    fixture.ok("DeleteLogGroup", json!({"logGroupName": "g"}));
}

#[test]
fn retention_accepts_only_awss_values() {
    let fixture = Fixture::with_stream();
    let (code, text) = fixture.refused("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 2}));
    assert_eq!(code, "InvalidParameterException");
    assert!(text.starts_with("1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5,"), "{text}");
    fixture.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 7}));
    assert_eq!(fixture.ok("DescribeLogGroups", json!({}))["logGroups"][0]["retentionInDays"], 7);
    fixture.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"}));
    assert_eq!(fixture.ok("DescribeLogGroups", json!({}))["logGroups"][0].get("retentionInDays"), None);
}

#[test]
fn streams_are_created_described_and_deleted() {
    let fixture = Fixture::with_stream();
    let arn = "arn:aws:logs:eu-central-1:111111111111:log-group:g";
    let described =
        json!({"logStreamName": "s", "creationTime": NOW, "arn": format!("{arn}:log-stream:s"), "storedBytes": 0});
    for input in [json!({"logGroupName": "g"}), json!({"logGroupIdentifier": "g"}), json!({"logGroupIdentifier": arn})]
    {
        assert_eq!(fixture.ok("DescribeLogStreams", input), json!({"logStreams": [described]}));
    }
    let both = fixture.refused("DescribeLogStreams", json!({"logGroupName": "g", "logGroupIdentifier": arn}));
    assert_eq!(
        both,
        (
            "ValidationException".to_owned(),
            "LogGroup name and LogGroup ARN are mutually exclusive parameters.".to_owned()
        )
    );
    let stream = json!({"logGroupName": "g", "logStreamName": "s"});
    let exists = fixture.refused("CreateLogStream", stream.clone());
    assert_eq!(
        exists,
        ("ResourceAlreadyExistsException".to_owned(), "The specified log stream already exists".to_owned())
    );
    fixture.ok("DeleteLogStream", stream.clone());
    let missing = ("ResourceNotFoundException".to_owned(), "The specified log stream does not exist.".to_owned());
    assert_eq!(fixture.refused("DeleteLogStream", stream), missing);
    assert_eq!(
        fixture.refused("CreateLogStream", json!({"logGroupName": "g", "logStreamName": "a:b"})).0,
        "InvalidParameterException"
    );
}

#[test]
fn streams_are_ordered_by_name_or_by_last_event_in_pages() {
    let fixture = Fixture::new();
    for (stream, timestamp) in [("a1", Some(NOW - 5)), ("a2", Some(NOW - 1)), ("b", Some(NOW - 3)), ("c", None)] {
        fixture.logs.ensure_stream("g", stream);
        if let Some(timestamp) = timestamp {
            fixture.put(stream, &[(timestamp - 10, "first"), (timestamp, "last")]);
        }
    }
    let pages = |input: Value| {
        let (mut names, mut input) = (vec![], input);
        loop {
            let page = fixture.ok("DescribeLogStreams", input.clone());
            names.extend(each(&page["logStreams"], "logStreamName").into_iter().map(str::to_owned));
            match page.get("nextToken") {
                Some(token) => input["nextToken"] = token.clone(),
                None => return names,
            }
        }
    };
    assert_eq!(pages(json!({"logGroupName": "g", "limit": 3})), ["a1", "a2", "b", "c"]);
    assert_eq!(pages(json!({"logGroupName": "g", "limit": 1, "descending": true})), ["c", "b", "a2", "a1"]);
    assert_eq!(pages(json!({"logGroupName": "g", "limit": 1, "logStreamNamePrefix": "a"})), ["a1", "a2"]);
    let by_time = json!({"logGroupName": "g", "limit": 1, "orderBy": "LastEventTime"});
    assert_eq!(pages(by_time.clone()), ["c", "a1", "b", "a2"]);
    let newest = json!({"logGroupName": "g", "limit": 2, "orderBy": "LastEventTime", "descending": true});
    assert_eq!(pages(newest), ["a2", "b", "a1", "c"]);
    let mut prefixed = by_time;
    prefixed["logStreamNamePrefix"] = json!("a");
    assert_eq!(
        fixture.refused("DescribeLogStreams", prefixed).1,
        "Cannot order by LastEventTime with a logStreamNamePrefix."
    );
    let bad = fixture.refused("DescribeLogStreams", json!({"logGroupName": "g", "nextToken": "x"}));
    assert_eq!(bad.1, "The specified nextToken is invalid.");
    // A token is of one group and order.
    fixture.logs.ensure_stream("other", "a1");
    let first = fixture.ok("DescribeLogStreams", json!({"logGroupName": "g", "limit": 1}));
    for mut other in [
        json!({"logGroupName": "other"}),
        json!({"logGroupName": "g", "descending": true}),
        json!({"logGroupName": "g", "orderBy": "LastEventTime"}),
    ] {
        other["nextToken"] = first["nextToken"].clone();
        assert_eq!(fixture.refused("DescribeLogStreams", other).1, "The specified nextToken is invalid.");
    }
    let last =
        &fixture.ok("DescribeLogStreams", json!({"logGroupName": "g", "logStreamNamePrefix": "b"}))["logStreams"][0];
    assert_eq!((&last["firstEventTimestamp"], &last["lastEventTimestamp"]), (&json!(NOW - 13), &json!(NOW - 3)));
    assert_eq!((&last["lastIngestionTime"], &last["storedBytes"]), (&json!(NOW), &json!(0)));
    assert_eq!(last["uploadSequenceToken"].as_str().unwrap().len(), 56);
}

#[test]
fn both_families_of_tag_operations_see_the_same_tags() {
    let fixture = Fixture::new();
    let arn = "arn:aws:logs:eu-central-1:111111111111:log-group:g";
    fixture.ok("CreateLogGroup", json!({"logGroupName": "g", "tags": {"env": "testing1"}}));
    fixture.ok("TagResource", json!({"resourceArn": arn, "tags": {"test1": "val1", "test2": "val2"}}));
    fixture.ok("TagLogGroup", json!({"logGroupName": "g", "tags": {"test3": "val3"}}));
    let all = json!({"tags": {"env": "testing1", "test1": "val1", "test2": "val2", "test3": "val3"}});
    assert_eq!(fixture.ok("ListTagsLogGroup", json!({"logGroupName": "g"})), all);
    assert_eq!(fixture.ok("ListTagsForResource", json!({"resourceArn": arn})), all);
    fixture.ok("UntagLogGroup", json!({"logGroupName": "g", "tags": ["test3"]}));
    fixture.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["env", "test1"]}));
    assert_eq!(fixture.ok("ListTagsForResource", json!({"resourceArn": arn})), json!({"tags": {"test2": "val2"}}));

    let many: serde_json::Map<_, _> = (0..50).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(fixture.refused("TagResource", json!({"resourceArn": arn, "tags": many})).0, "TooManyTagsException");
    let elsewhere = "arn:aws:logs:us-east-1:111111111111:log-group:g";
    assert_eq!(
        fixture.refused("ListTagsForResource", json!({"resourceArn": elsewhere})).0,
        "ResourceNotFoundException"
    );
    let reserved = json!({"logGroupName": "g", "tags": {"aws:x": "y"}});
    assert_eq!(fixture.refused("TagLogGroup", reserved).0, "InvalidParameterException");
}

/// "If you specify either INFREQUENT_ACCESS or ESSENTIALS, the results include log groups in both".
#[test]
fn groups_of_the_two_cheaper_classes_are_listed_together() {
    let fixture = Fixture::new();
    for class in ["STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"] {
        fixture.ok("CreateLogGroup", json!({"logGroupName": class, "logGroupClass": class}));
    }
    for (class, names) in [
        ("STANDARD", &["STANDARD"][..]),
        ("DELIVERY", &["DELIVERY"]),
        ("INFREQUENT_ACCESS", &["ESSENTIALS", "INFREQUENT_ACCESS"]),
        ("ESSENTIALS", &["ESSENTIALS", "INFREQUENT_ACCESS"]),
    ] {
        let listed = fixture.ok("DescribeLogGroups", json!({"logGroupClass": class}));
        let listed: Vec<_> =
            listed["logGroups"].as_array().unwrap().iter().map(|group| &group["logGroupName"]).collect();
        assert_eq!(listed, names);
    }
}

#[test]
fn groups_are_listed_by_class_and_by_prefixes_and_parts_of_names() {
    let fixture = Fixture::new();
    for name in ["/aws/lambda/a", "/aws/lambda/b", "other-lambda", "third"] {
        let class = if name == "third" { "INFREQUENT_ACCESS" } else { "STANDARD" };
        fixture.ok("CreateLogGroup", json!({"logGroupName": name, "logGroupClass": class}));
    }
    let names = |input: Value| -> Vec<String> {
        let listed = fixture.ok("ListLogGroups", input);
        each(&listed["logGroups"], "logGroupName").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(names(json!({"logGroupNamePattern": "lambda"})), ["/aws/lambda/a", "/aws/lambda/b", "other-lambda"]);
    assert_eq!(names(json!({"logGroupNamePattern": "^/aws|third"})), ["/aws/lambda/a", "/aws/lambda/b", "third"]);
    assert_eq!(names(json!({"logGroupNamePattern": "^lambda"})), [""; 0]);
    assert_eq!(names(json!({"logGroupClass": "INFREQUENT_ACCESS"})), ["third"]);
    let first = fixture.ok("ListLogGroups", json!({"limit": 3}));
    let arn = "arn:aws:logs:eu-central-1:111111111111:log-group:/aws/lambda/a";
    let summary = json!({"logGroupName": "/aws/lambda/a", "logGroupArn": arn, "logGroupClass": "STANDARD"});
    assert_eq!(first["logGroups"][0], summary);
    assert_eq!(names(json!({"nextToken": first["nextToken"]})), ["third"]);
    for pattern in ["", "ab", "a b c", "^^abc", "abc|", &"x".repeat(25), "abc|abc|abc|abc|abc|abc"] {
        assert_eq!(
            fixture.refused("ListLogGroups", json!({"logGroupNamePattern": pattern})).0,
            "InvalidParameterException"
        );
    }
}

/// Recorded: by pattern there is a token even with the only group; the page after it is empty.
#[test]
fn groups_by_pattern_end_with_an_empty_page() {
    let fixture = Fixture::with_stream();
    let page = fixture.ok("DescribeLogGroups", json!({"logGroupNamePattern": "g"}));
    assert_eq!(each(&page["logGroups"], "logGroupName"), ["g"]);
    let next = json!({"logGroupNamePattern": "g", "nextToken": page["nextToken"]});
    assert_eq!(fixture.ok("DescribeLogGroups", next), json!({"logGroups": []}));
    assert_eq!(fixture.ok("DescribeLogGroups", json!({"logGroupNamePattern": "none"})), json!({"logGroups": []}));
}

#[test]
fn features_that_groups_do_not_have_are_listed_as_empty() {
    let fixture = Fixture::with_stream();
    let group = json!({"logGroupName": "g"});
    assert_eq!(fixture.ok("DescribeMetricFilters", group.clone()), json!({"metricFilters": []}));
    assert_eq!(fixture.ok("DescribeSubscriptionFilters", group.clone()), json!({"subscriptionFilters": []}));
    assert_eq!(fixture.ok("DescribeResourcePolicies", json!({})), json!({"resourcePolicies": []}));
    let missing = json!({"logGroupName": "none"});
    for operation in ["DescribeMetricFilters", "DescribeSubscriptionFilters"] {
        assert_eq!(fixture.refused(operation, missing.clone()).0, "ResourceNotFoundException");
    }
    let key = || fixture.ok("DescribeLogGroups", json!({}))["logGroups"][0]["kmsKeyId"].clone();
    fixture.ok("AssociateKmsKey", json!({"logGroupName": "g", "kmsKeyId": "arn:k"}));
    assert_eq!(key(), "arn:k");
    fixture.ok("DisassociateKmsKey", group);
    assert_eq!(key(), Value::Null);
}

/// DescribeLogStreams keeps an order by time beside the order by name.
#[test]
fn the_order_by_last_event_follows_puts_expiry_eviction_and_deletion() {
    let mut random = fastrand::Rng::with_seed(7);
    let fixture = Fixture::on(Store::default(), 20_000);
    fixture.ok("CreateLogGroup", json!({"logGroupName": "g"}));
    fixture.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1}));
    for step in 0..400 {
        let stream = format!("s{}", random.u8(0..12));
        fixture.logs.ensure_stream("g", &stream);
        match random.u8(0..10) {
            0 => drop(fixture.ok("DeleteLogStream", json!({"logGroupName": "g", "logStreamName": stream}))),
            1 => fixture.advance(DAY / 4),
            2 => drop(fixture.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 1}))),
            _ => {
                let now = fixture.clock.load(Ordering::SeqCst);
                fixture.put(&stream, &[(now - random.i64(0..DAY / 2), &"x".repeat(random.usize(1..400)))]);
            }
        }
        let described = |input: Value| {
            let streams = fixture.ok("DescribeLogStreams", input)["logStreams"].take();
            let key = |stream: &Value| {
                (stream["lastEventTimestamp"].as_i64(), stream["logStreamName"].as_str().unwrap().to_owned())
            };
            streams.as_array().unwrap().iter().map(key).collect::<Vec<_>>()
        };
        let mut expected = described(json!({"logGroupName": "g"}));
        expected.sort();
        let by_time = json!({"logGroupName": "g", "orderBy": "LastEventTime"});
        assert_eq!(described(by_time), expected, "after step {step}");
    }
}
