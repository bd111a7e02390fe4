use proptest::prelude::*;
use serde_json::json;

use super::*;

fn matches(pattern: Value, event: Value) -> bool {
    let pattern = Pattern::read(&pattern).unwrap_or_else(|_| panic!("no pattern: {pattern}"));
    pattern.matches_in(Some(&event))
}

#[test]
fn every_documented_operator_matches() {
    // Each row: a pattern for `a`, values that match, values that do not.
    for (asked, yes, no) in [
        (json!([null]), vec![json!(null)], vec![json!(""), json!(0), json!({})]),
        (json!([""]), vec![json!("")], vec![json!(null), json!("x")]),
        (json!(["x"]), vec![json!("x"), json!(["y", "x"])], vec![json!("X"), json!(["y"]), json!({ "x": 1 })]),
        (json!(["x", "y"]), vec![json!("x"), json!("y")], vec![json!("z")]),
        (json!([true]), vec![json!(true)], vec![json!("true"), json!(1)]),
        (json!([300]), vec![json!(300), json!(300.0), json!(3.0e2)], vec![json!("300"), json!(301)]),
        (json!([{ "equals-ignore-case": "ÄB" }]), vec![json!("äb"), json!("ÄB")], vec![json!("a"), json!(1)]),
        (json!([{ "prefix": "us-" }]), vec![json!("us-east-1")], vec![json!("US-"), json!("eu"), json!(1)]),
        (json!([{ "prefix": { "equals-ignore-case": "US-" } }]), vec![json!("us-x")], vec![json!("eu")]),
        (json!([{ "suffix": ".png" }]), vec![json!("a.png")], vec![json!("a.PNG"), json!("png")]),
        (json!([{ "anything-but": "x" }]), vec![json!("y"), json!(1), json!(null)], vec![json!("x"), json!({})]),
        (json!([{ "anything-but": ["x", 2] }]), vec![json!("y"), json!(1)], vec![json!("x"), json!(2)]),
        (json!([{ "anything-but": { "prefix": "x" } }]), vec![json!("yx")], vec![json!("xy")]),
        (json!([{ "anything-but": { "suffix": ["x", "z"] } }]), vec![json!("xy")], vec![json!("yx"), json!("yz")]),
        (json!([{ "anything-but": { "equals-ignore-case": ["x"] } }]), vec![json!("y")], vec![json!("X")]),
        (json!([{ "numeric": ["=", 5] }]), vec![json!(5), json!(5.0)], vec![json!(4), json!("5"), json!(null)]),
        (json!([{ "numeric": [">", 10, "<=", 20] }]), vec![json!(10.5), json!(20)], vec![json!(10), json!(21)]),
        (json!([{ "exists": true }]), vec![json!(null), json!(""), json!([1])], vec![json!({ "b": 1 }), json!([])]),
        (json!([{ "exists": false }]), vec![json!({ "b": 1 })], vec![json!(null), json!(1)]),
        (json!([{ "prefix": "x" }, 7]), vec![json!("xx"), json!(7)], vec![json!("y"), json!(8)]),
    ] {
        for value in yes {
            assert!(matches(json!({ "a": asked }), json!({ "a": value })), "{asked} should match {value}");
        }
        for value in no {
            assert!(!matches(json!({ "a": asked }), json!({ "a": value })), "{asked} should not match {value}");
        }
        let is_absence = asked == json!([{ "exists": false }]);
        assert_eq!(matches(json!({ "a": asked }), json!({ "b": 1 })), is_absence, "{asked} on a missing key");
    }
}

#[test]
fn all_keys_must_match_and_one_branch_of_or() {
    let both = json!({ "a": ["x"], "b": { "c": [1] } });
    assert!(matches(both.clone(), json!({ "a": "x", "b": { "c": 1 } })));
    assert!(!matches(both.clone(), json!({ "a": "x", "b": { "c": 2 } })));
    assert!(!matches(both, json!({ "a": "x", "b": 1 })));
    let either = json!({ "k": ["v"], "$or": [{ "a": ["x"] }, { "b": { "c": [1] } }] });
    assert!(matches(either.clone(), json!({ "k": "v", "a": "x" })));
    assert!(matches(either.clone(), json!({ "k": "v", "b": { "c": 1 } })));
    assert!(!matches(either.clone(), json!({ "k": "v" })));
    assert!(!matches(either, json!({ "a": "x" })));
}

#[test]
fn an_object_inside_an_array_matches_as_a_whole() {
    let pattern = json!({ "items": { "name": ["a"], "n": [1] } });
    assert!(matches(pattern.clone(), json!({ "items": [{ "name": "b" }, { "name": "a", "n": 1 }] })));
    assert!(!matches(pattern, json!({ "items": [{ "name": "a", "n": 2 }, { "name": "b", "n": 1 }] })));
}

#[test]
fn exists_false_matches_below_a_missing_object() {
    let absent = json!({ "a": { "b": [{ "exists": false }] } });
    for event in [json!({}), json!({ "a": 1 }), json!({ "a": {} }), json!({ "a": [] })] {
        assert!(matches(absent.clone(), event));
    }
    assert!(!matches(absent, json!({ "a": { "b": 1 } })));
}

#[test]
fn invalid_event_patterns_are_rejected() {
    for value in [
        json!([]),
        json!("x"),
        json!({ "a": "x" }),
        json!({ "a": [] }),
        json!({ "a": {} }),
        json!({ "a": [["x"]] }),
        json!({ "a": [{}] }),
        json!({ "a": [{ "prefix": "x", "suffix": "y" }] }),
        json!({ "a": [{ "prefix": 1 }] }),
        json!({ "a": [{ "unknown": "x" }] }),
        json!({ "a": [{ "exists": "true" }] }),
        json!({ "a": [{ "numeric": [] }] }),
        json!({ "a": [{ "numeric": ["="] }] }),
        json!({ "a": [{ "numeric": ["~", 1] }] }),
        json!({ "a": [{ "numeric": ["=", "1"] }] }),
        json!({ "a": [{ "numeric": ["<", 1, ">", 0] }] }),
        json!({ "a": [{ "numeric": [">", 1, "<", 0] }] }),
        json!({ "a": [{ "numeric": [">", 5.1e9] }] }),
        json!({ "a": [{ "anything-but": [] }] }),
        json!({ "a": [{ "anything-but": { "numeric": ["=", 1] } }] }),
        json!({ "$or": [] }),
        json!({ "$or": [{}] }),
        json!({ "$or": ["x"] }),
    ] {
        assert_eq!(Pattern::read(&value), Err(InvalidPattern), "{value}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-c.]{0,3}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-c]",
        prop::sample::select(vec![
            "$or",
            "prefix",
            "suffix",
            "anything-but",
            "numeric",
            "exists",
            "equals-ignore-case"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Neither any pattern nor any event causes a panic.
    #[test]
    fn no_pattern_and_no_event_panic(pattern in any_json(), event in any_json()) {
        if let Ok(pattern) = Pattern::read(&pattern) {
            pattern.matches_in(Some(&event));
            if let Some(event) = event.as_object() {
                pattern.matches(event);
            }
        }
    }

    /// A scalar equals itself, and `anything-but` is the opposite of equality.
    #[test]
    fn anything_but_is_not_equals(one in "[a-b]{0,2}", other in "[a-b]{0,2}") {
        let event = json!({ "k": other });
        let equals = matches(json!({ "k": [one] }), event.clone());
        prop_assert_eq!(equals, one == other);
        prop_assert_eq!(matches(json!({ "k": [{ "anything-but": one }] }), event), !equals);
    }
}
