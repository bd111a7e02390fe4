//! What must not reach a log, replaced before a line is written.
//!
//! Data is never parsed and written again: a value that a rule names is replaced where it stands, and everything else
//! stays byte for byte. Where a rule cannot be applied because the data is not what it asks for, all of the data is
//! replaced: a redactor never prints what it could not read.

mod walk;

use thiserror::Error;

use crate::decode::Payload;
use crate::json;
use crate::record::Data;

use walk::Walk;

/// What stands where a value stood. In JSON it is a string.
pub const REDACTION_MARK: &str = "[redacted]";

/// Rules for what must not be shown.
///
/// A rule is a JSON pointer (RFC 6901: `/card/number`), which names one place, or else a key's name (`password`), which
/// is looked for at any depth and in any ASCII case. Both also look into strings that hold JSON, and a pointer also
/// into DynamoDB images, as a path through the item without DynamoDB's types.
///
/// Data that is not JSON is replaced whole when there is a pointer; when there are only names, unless it is text in which
/// none of them can be found.
///
/// ```
/// use kinesis_event_logger_core::{Data, Payload, Redacted, Redactor};
///
/// let redactor = Redactor::new(["/card/number", "Password"])?;
/// let json = r#"{"card":{"number":4111},"list":[{"password":"x"}],"n": 1.50}"#;
/// let redacted = redactor.redact(Data::Payload(Payload::Json(json)));
/// let expected = r#"{"card":{"number":"[redacted]"},"list":[{"password":"[redacted]"}],"n": 1.50}"#;
/// assert_eq!(redacted, Redacted::Values { json: expected.to_owned(), count: 2 });
/// # Ok::<_, kinesis_event_logger_core::RuleError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redactor {
    /// Lower-cased.
    names: Vec<String>,
    /// The reference tokens of each pointer, unescaped; at least one.
    pointers: Vec<Vec<String>>,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleError {
    /// There is nothing in it.
    #[error("a rule is empty; it takes a JSON pointer (/card/number) or a key's name (password)")]
    Empty,
    /// A `~` in a pointer that is neither `~0` nor `~1`.
    #[error("{rule:?} is not a JSON pointer: after ~ stands 0 or 1 (RFC 6901)")]
    Tilde {
        /// The rule.
        rule: String,
    },
}

/// What a redactor made of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redacted {
    /// No rule found anything: the data can be shown as it is.
    Nothing,
    /// Values were replaced.
    Values {
        /// The data with [`REDACTION_MARK`] in their places; it is valid JSON.
        json: String,
        /// How many.
        count: usize,
    },
    /// The rules could not be applied: nothing of the data can be shown.
    Whole {
        /// Why.
        reason: &'static str,
    },
}

impl Redactor {
    /// No rules.
    pub const NONE: Self = Self { names: Vec::new(), pointers: Vec::new() };

    /// A redactor from its rules.
    ///
    /// # Errors
    /// [`RuleError`], for the first that is not one.
    pub fn new<R: AsRef<str>>(rules: impl IntoIterator<Item = R>) -> Result<Self, RuleError> {
        let mut redactor = Self::NONE;
        for rule in rules {
            match rule.as_ref() {
                "" => return Err(RuleError::Empty),
                rule => match rule.strip_prefix('/') {
                    Some(tokens) => redactor.pointers.push(
                        tokens
                            .split('/')
                            .map(unescape_token)
                            .collect::<Option<_>>()
                            .ok_or_else(|| RuleError::Tilde { rule: rule.to_owned() })?,
                    ),
                    None => redactor.names.push(rule.to_ascii_lowercase()),
                },
            }
        }
        Ok(redactor)
    }

    /// Whether there are no rules.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.pointers.is_empty()
    }

    /// Applies the rules.
    pub fn redact(&self, data: Data<'_>) -> Redacted {
        if self.is_empty() {
            return Redacted::Nothing;
        }
        match data {
            Data::Payload(Payload::Json(json)) if json::is_container(json) => Walk::over(self, json),
            Data::Payload(Payload::Json(text) | Payload::Text(text)) if self.can_show(text) => Redacted::Nothing,
            Data::Payload(Payload::Json(_) | Payload::Text(_)) => Redacted::Whole { reason: "not JSON" },
            Data::Payload(Payload::Binary(_) | Payload::Cbor(_)) => Redacted::Whole { reason: "binary" },
            Data::Undecodable(_) => Redacted::Whole { reason: "undecodable" },
        }
    }

    /// Whether text that is not JSON certainly holds nothing that a rule names.
    fn can_show(&self, text: &str) -> bool {
        text.is_empty() || self.pointers.is_empty() && !self.may_be_named_in(text)
    }

    /// Whether a key's name is in a text, or may be, behind an escape of JSON, of a URL or of HTML.
    fn may_be_named_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let named =
            |name: &String| bytes.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name.as_bytes()));
        let escaped = || memchr::memchr3(b'\\', b'%', b'&', bytes).is_some();
        !self.names.is_empty() && (escaped() || self.names.iter().any(named))
    }

    /// Whether a member of this name is to be replaced.
    fn names(&self, key: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(key))
    }
}

/// A pointer's token with its `~1` and `~0` resolved.
fn unescape_token(token: &str) -> Option<String> {
    let mut pieces = token.split('~');
    let mut unescaped = pieces.next()?.to_owned();
    for piece in pieces {
        match piece.as_bytes().first()? {
            b'0' => unescaped.push('~'),
            b'1' => unescaped.push('/'),
            _ => return None,
        }
        unescaped.push_str(&piece[1..]);
    }
    Some(unescaped)
}

#[cfg(test)]
mod tests {
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
        let data =
            r#" {"a" : [{"PASSWORD": {"x":[1]} , "b":1.0}], "p\u0061ssword":"s", "password":null,"passwords":2}"#;
        let expected = r#" {"a" : [{"PASSWORD": "[redacted]" , "b":1.0}], "p\u0061ssword":"[redacted]", "password":"[redacted]","passwords":2}"#;
        assert_eq!(redact(&["password"], data), Redacted::Values { json: expected.to_owned(), count: 3 });
        assert_eq!(redact(&["nothing"], data), Redacted::Nothing);
    }

    #[test]
    fn pointers_name_one_place() {
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
    fn images_are_redacted_as_the_items_they_are() {
        let image = |x: &str| {
            format!(r#"{{"card":{{"M":{{"number":{x},"kind":{{"S":"v"}}}}}},"list":{{"L":[{{"S":"a"}},{x}]}}}}"#)
        };
        let change = |x: &str| {
            format!(r#"{{"eventName":"INSERT","dynamodb":{{"NewImage":{},"OldImage":{}}}}}"#, image(x), image(x))
        };
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
    fn json_in_strings_in_strings_is_hidden_where_it_is_no_longer_read() {
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
    fn json_in_a_string_that_not_every_reader_takes_is_hidden() {
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
    fn what_cannot_be_read_is_not_shown() {
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
        // Whoever makes a payload by hand may be wrong about it.
        assert_eq!(
            redactor.redact(Data::Payload(Payload::Json("{\"token\":1"))),
            Redacted::Whole { reason: "not JSON" }
        );
    }

    #[test]
    fn rules_that_are_none_are_refused() {
        assert_eq!(Redactor::new(["a", ""]), Err(RuleError::Empty));
        for rule in ["/a~2", "/~"] {
            assert_eq!(Redactor::new([rule]), Err(RuleError::Tilde { rule: rule.to_owned() }));
        }
    }

    const SECRET: &str = "s3cr3t";

    /// JSON in which the secret stands only under the key `token`, often, and in any form.
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
        fn what_remains_is_json_and_otherwise_the_same(value in with_secrets()) {
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
                    Err(_) if text.contains('\\') || text.to_ascii_lowercase().contains("token") => {
                        json!(REDACTION_MARK)
                    }
                    Err(_) => Value::String(text),
                }
            }
            other => other,
        }
    }
}
