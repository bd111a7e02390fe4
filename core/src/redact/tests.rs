use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn redact(rules: &[&str], data: &str) -> Redacted {
    let payload = crate::decode::classify(data.as_bytes());
    Redactor::new(rules).unwrap().redact(Data::Payload(payload))
}

/// The data after redaction, whatever was done to it.
fn after(rules: &[&str], data: &str) -> String {
    match redact(rules, data) {
        Redacted::Nothing => data.to_owned(),
        Redacted::Values { json, .. } => json,
        Redacted::Whole { reason } => format!("all: {reason}"),
    }
}

#[test]
fn names_are_found_at_any_depth_and_in_any_form() {
    let data = r#" {"a" : [{"PASSWORD": {"x":[1]} , "b":1.0}], "p\u0061ssword":"s", "password":null,"passwords":2}"#;
    let expected = r#" {"a" : [{"PASSWORD": "[redacted]" , "b":1.0}], "p\u0061ssword":"[redacted]", "password":"[redacted]","passwords":2}"#;
    assert_eq!(redact(&["password"], data), Redacted::Values { json: expected.to_owned(), count: 3 });
    assert_eq!(redact(&["nothing"], data), Redacted::Nothing);
}

#[test]
fn a_pointer_names_one_value() {
    let data = r#"{"a":{"b":1,"c":2},"a":{"b":3},"l":[{"b":4},{"b":5}],"x/y":6,"m~n":7,"":8,"b":9}"#;
    assert_eq!(
        after(&["/a/b", "/l/1/b", "/x~1y", "/m~0n", "/"], data),
        r#"{"a":{"b":"[redacted]","c":2},"a":{"b":"[redacted]"},"l":[{"b":4},{"b":"[redacted]"}],"x/y":"[redacted]","m~n":"[redacted]","":"[redacted]","b":9}"#
    );
    assert_eq!(
        after(&["/a"], data),
        r#"{"a":"[redacted]","a":"[redacted]","l":[{"b":4},{"b":5}],"x/y":6,"m~n":7,"":8,"b":9}"#
    );
    assert_eq!(after(&["/0/k", "/1"], "[{\"k\":1},[2]]"), r#"[{"k":"[redacted]"},"[redacted]"]"#);
}

#[test]
fn pointers_name_attributes_in_item_images() {
    let image =
        |x: &str| format!(r#"{{"card":{{"M":{{"number":{x},"kind":{{"S":"v"}}}}}},"list":{{"L":[{{"S":"a"}},{x}]}}}}"#);
    let change =
        |x: &str| format!(r#"{{"eventName":"INSERT","dynamodb":{{"NewImage":{},"OldImage":{}}}}}"#, image(x), image(x));
    let (secret, mark) = (change(r#"{"N":"4111"}"#), change("\"[redacted]\""));
    assert_eq!(after(&["/card/number", "/list/1"], &secret), mark);
    assert!(!after(&["number"], &secret).contains(r#""number":{"#));
}

#[test]
fn json_inside_strings_is_redacted_too() {
    let envelope = json!({"logEvents": [{"message": json!({"token": "s3cret", "n": 1}).to_string()}]}).to_string();
    let expected = json!({"logEvents": [{"message": r#"{"n":1,"token":"[redacted]"}"#}]}).to_string();
    assert_eq!(after(&["token"], &envelope), expected);
    assert_eq!(after(&["/token"], &envelope), expected);
    let cut = r#"{"message":"{\"token\":\"s3cr"}"#;
    assert_eq!(after(&["token"], cut), r#"{"message":"[redacted]"}"#);
    assert_eq!(after(&["/token"], cut), r#"{"message":"[redacted]"}"#);
    assert_eq!(after(&["token"], r#"{"message":"[draft] hello"}"#), r#"{"message":"[draft] hello"}"#);
}

#[test]
fn json_nested_too_deep_in_strings_is_hidden() {
    let nested = |levels: usize| {
        (0..levels).fold(r#"{"token":"s3cret"}"#.to_owned(), |inside, _| json!({"m": inside}).to_string())
    };
    for rule in ["token", "/token"] {
        for levels in 0..8 {
            let shown = after(&[rule], &nested(levels));
            assert!(shown.contains("[redacted]") && !shown.contains("s3cret"), "{rule}, {levels}: {shown}");
        }
    }
}

#[test]
fn json_in_a_string_that_some_parsers_reject_is_hidden() {
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    for odd in ["1e999", r#""\ud83d""#, &deep] {
        let data = json!({"m": format!(r#"{{"token":"s3cret","n":{odd}}}"#)}).to_string();
        for rule in ["token", "/token"] {
            assert_eq!(after(&[rule], &data), r#"{"m":"[redacted]"}"#, "{rule}, {odd}");
        }
    }
    let twice = json!({"m": json!(r#"{"token":"s3cret"}"#).to_string()}).to_string();
    for rule in ["token", "/token"] {
        assert_eq!(after(&[rule], &twice), r#"{"m":"[redacted]"}"#, "{rule}");
    }
    let quoted = json!({"etag": "\"a1\"", "list": "[draft] hello"}).to_string();
    assert_eq!(after(&["token", "/token"], &quoted), quoted);
}

#[test]
fn the_decision_about_a_text_does_not_depend_on_its_place() {
    for text in [
        r#"POST /login {"token":"s3cret"}"#,
        "token=s3cret",
        "{\"token\":\"s3cret\"}\n{}",
        "\u{feff}{\"token\":\"s3cret\"} x",
        "\0{\"token\":\"s3cret\"}",
        "\u{1e}{\"token\":\"s3cret\"}\n",
        "t%6Fken=s3cret",
        "T\u{d6}KEN tok&#101;n: s3cret",
    ] {
        for rule in ["token", "/token"] {
            assert_eq!(after(&[rule], text), "all: not JSON", "{rule}, {text:?}");
            let mark = r#"{"a":[{"m":"[redacted]"},1]}"#;
            assert_eq!(after(&[rule], &json!({"a": [{"m": text}, 1]}).to_string()), mark, "{rule}, {text:?}");
            let member = r#"{"[redacted]":"[redacted]"}"#;
            assert_eq!(after(&[rule], &json!({ text: 1 }).to_string()), member, "{rule}, {text:?}");
        }
    }
    let marked = "\u{feff}{\"token\":\"s3cret\"}";
    assert_eq!(after(&["token"], &json!({ "m": marked }).to_string()), r#"{"m":"\ufeff{\"token\":\"[redacted]\"}"}"#);
}

#[test]
fn names_match_in_any_case_and_unicode_form() {
    for (rule, key) in [
        ("пароль", "ПАРОЛЬ"),
        ("größe", "GRÖSSE"),
        ("größe", "Gro\u{308}ße"),
        ("ÄRGER", "ärger"),
        ("token", "ｔｏｋｅｎ"),
    ] {
        assert_eq!(after(&[rule], &format!("{{\"{key}\":1}}")), format!("{{\"{key}\":\"[redacted]\"}}"));
        assert_eq!(after(&[rule], &format!("{key}=1")), "all: not JSON", "{key}");
    }
    assert_eq!(after(&["token"], r#"{"t%6fken":1}"#), r#"{"t%6fken":"[redacted]"}"#);
}

#[test]
fn a_key_that_may_contain_a_name_is_hidden_with_its_value() {
    for key in ["user[token]", "token:", "'token'", "{token}", "<token>", "token=", "my token"] {
        let data = json!({"a": [{ key: {"x": ["s3cret"]} }]}).to_string();
        assert_eq!(after(&["token"], &data), r#"{"a":[{"[redacted]":"[redacted]"}]}"#, "{key}");
    }
    let held = json!({ json!({"token": "s3cret"}).to_string(): 1 }).to_string();
    assert_eq!(after(&["token"], &held), r#"{"{\"token\":\"[redacted]\"}":1}"#);
}

#[test]
fn pointers_continue_in_json_in_strings() {
    let data = json!({"body": json!({"a": {"token": 1, "b": json!([7, 8]).to_string()}}).to_string()}).to_string();
    let expected = |a: Value| json!({"body": json!({ "a": a }).to_string()}).to_string();
    let whole = json!({"token": 1, "b": "[7,8]"});
    assert_eq!(after(&["/body/a/token"], &data), expected(json!({"token": "[redacted]", "b": "[7,8]"})));
    assert_eq!(after(&["/body/a/b/1"], &data), expected(json!({"token": 1, "b": r#"[7,"[redacted]"]"#})));
    assert_eq!(after(&["/body/b/1"], &data), expected(whole));
    assert_eq!(after(&["/body/0"], r#"{"body":"x [1]"}"#), r#"{"body":"[redacted]"}"#);
}

#[test]
fn data_that_cannot_be_checked_is_hidden() {
    assert_eq!(after(&["token"], "token=s3cret"), "all: not JSON");
    assert_eq!(after(&["token"], "{\"to\\u006ben\":\"s3cret\""), "all: not JSON");
    assert_eq!(after(&["token"], "Hello, world"), "Hello, world");
    assert_eq!(after(&["/token"], "Hello, world"), "all: not JSON");
    assert_eq!(after(&["/token"], ""), "");
    let deep = format!("{}{{\"token\":\"s3cret\"}}{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(after(&["token"], &deep), "all: not JSON");
    let redactor = Redactor::new(["token"]).unwrap();
    assert_eq!(redactor.redact(Data::Payload(Payload::Binary(b"\xff"))), Redacted::Whole { reason: "binary" });
    assert_eq!(redactor.redact(Data::Undecodable("null")), Redacted::Whole { reason: "undecodable" });
    // A payload that was constructed by hand may be invalid.
    assert_eq!(redactor.redact(Data::Payload(Payload::Json("{\"token\":1"))), Redacted::Whole { reason: "not JSON" });
}

#[test]
fn invalid_rules_are_rejected() {
    assert_eq!(Redactor::new(["a", ""]), Err(RuleError::Empty));
    for rule in ["/a~2", "/~"] {
        assert_eq!(Redactor::new([rule]), Err(PointerError::Tilde { text: rule.to_owned() }.into()));
    }
}

const SECRET: &str = "s3cr3t";

/// Generates JSON in which the secret is only under the key `token`, often, and in any form.
fn with_secrets() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u32>().prop_map(Value::from),
        "[a-z\"\\\\{\\[ é]{0,6}".prop_map(Value::from),
        Just(Value::Null)
    ];
    let secret = prop_oneof![
        Just(json!(SECRET)),
        Just(json!([SECRET, {"x": SECRET}])),
        Just(json!({ SECRET: SECRET })),
        Just(json!(json!({"inner": SECRET}).to_string())),
    ];
    leaf.prop_recursive(4, 30, 4, move |inner| {
        let member = prop_oneof![
            ("[a-z\"\\\\]{0,3}", inner.clone()),
            (prop_oneof![Just("token".to_owned()), Just("TOKEN".to_owned())], secret.clone()),
        ];
        let object =
            prop::collection::vec(member, 0..4).prop_map(|members| Value::Object(members.into_iter().collect()));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            object.clone(),
            object.prop_map(|object| Value::from(object.to_string())),
        ]
    })
}

/// The same JSON with every `token` key written with an escape in it.
fn escaped(json: &str, at: usize) -> String {
    let key = "token";
    let at = at % key.len();
    let escaped = format!("{}\\u{:04X}{}", &key[..at], key.as_bytes()[at], &key[at + 1..]);
    json.replace("\"token\":", &format!("\"{escaped}\":"))
}

proptest! {
    #[test]
    fn the_secret_is_never_in_the_output(value in with_secrets(), at: usize, pretty: bool, cut in prop::option::of(any::<prop::sample::Index>())) {
        let mut text = escaped(&if pretty { format!("{value:#}") } else { value.to_string() }, at);
        if let Some(cut) = cut {
            text.truncate(text.floor_char_boundary(cut.index(text.len() + 1)));
        }
        let after = after(&["token"], &text);
        prop_assert!(!after.contains(SECRET), "{} from {}", after, text);
    }

    #[test]
    fn all_other_values_stay_the_same_json(value in with_secrets()) {
        prop_assume!(value.is_object() || value.is_array());
        let after = after(&["token"], &value.to_string());
        prop_assert_eq!(serde_json::from_str::<Value>(&after).unwrap(), replaced(value));
    }

    #[test]
    fn no_rule_and_no_text_make_it_panic(rule in "[a/~01]{0,6}", text in "[\\[{][\\[\\]{}\",:\\\\0-9eua. -]{0,30}") {
        if let Ok(redactor) = Redactor::new([rule]) {
            redactor.redact(Data::Payload(Payload::Json(&text)));
            redactor.redact(Data::Payload(Payload::Text(&text)));
        }
    }
}

/// The model: the same on values.
fn replaced(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| {
                let value = if key.eq_ignore_ascii_case("token") { json!(REDACTION_MARK) } else { replaced(value) };
                (key, value)
            })
            .collect(),
        Value::Array(elements) => elements.into_iter().map(replaced).collect(),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            match serde_json::from_str::<Value>(&text) {
                Ok(inner) => {
                    let after = replaced(inner.clone());
                    if after == inner { Value::String(text) } else { Value::String(after.to_string()) }
                }
                Err(_) if text.to_ascii_lowercase().contains("token") => json!(REDACTION_MARK),
                Err(_) => Value::String(text),
            }
        }
        other => other,
    }
}
