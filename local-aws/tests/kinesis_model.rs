//! Sends a request for every constraint of Kinesis's service model, over HTTP in both encodings, and checks the
//! response's code, member and message. The expectation is derived from the table here, independently of the validator.
#![allow(clippy::unwrap_used)]

#[path = "common/model.rs"]
mod model;

use std::net::SocketAddr;

use local_aws::Config;
use model::{Model, Shape};
use regex::Regex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A value for a member, and AWS's message about it. The message does not contain the member if it is a complete
/// sentence.
struct Case {
    value: Value,
    code: &'static str,
    sentences: Vec<String>,
}

impl Model {
    /// Values that each violate one constraint or the type. Those of a blob are too large and are tested beside the
    /// validator.
    fn cases(&self, name: &str, path: &str) -> Vec<Case> {
        let shape = self.shape(name);
        let mut cases = vec![wrong_type(shape)];
        let values: Vec<Value> = match shape.r#type.as_str() {
            "string" => {
                let lengths = [shape.min.and_then(|min| min.checked_sub(1)), shape.max.map(|max| max + 1)];
                // Longer values would exceed the limit of a body.
                let lengths = lengths.into_iter().flatten().filter(|length| *length < 100_000);
                let texts = lengths.map(|length| "a".repeat(length));
                texts.chain(["é\t ".to_owned()]).map(Value::from).collect()
            }
            "integer" | "long" => {
                let least = shape.min.map(|min| min as i64 - 1);
                least.into_iter().chain(shape.max.map(|max| max as i64 + 1)).map(Value::from).collect()
            }
            "list" if self.shape(shape.member.as_ref().unwrap()).r#type == "string" => {
                let element = self.valid(shape.member.as_ref().unwrap());
                vec![json!([]), json!(vec![element; shape.max.unwrap() + 1])]
            }
            "map" => {
                let many: serde_json::Map<_, _> =
                    (0..=shape.max.unwrap()).map(|key| (key.to_string(), json!(""))).collect();
                vec![json!({}), many.into()]
            }
            _ => Vec::new(),
        };
        for value in values {
            let sentences = self.broken(shape, &value, path);
            if !sentences.is_empty() {
                cases.push(Case { value, code: "ValidationException", sentences });
            }
        }
        cases.extend(self.elements(shape, path));
        if shape.r#type == "structure" {
            for (member, shape) in &shape.members {
                for case in self.cases(shape, &format!("{path}.{}", lower_first(member))) {
                    let mut value = self.valid(name);
                    value[member] = case.value;
                    cases.push(Case { value, ..case });
                }
            }
        }
        cases
    }

    /// Lists with one invalid element, and maps with one invalid key or value.
    fn elements(&self, shape: &Shape, path: &str) -> Vec<Case> {
        let long = |name: &str| "a".repeat(self.shape(name).max.unwrap() + 1);
        let both = |name: &str| {
            let Shape { min, max, .. } = self.shape(name);
            let (min, max) = (min.unwrap(), max.unwrap());
            format!(
                "[Member must have length less than or equal to {max}, Member must have length greater than or equal to {min}]"
            )
        };
        let case = |value: Value, shown: String, constraint: String| Case {
            value,
            code: "ValidationException",
            sentences: vec![format!("Value '{shown}' at '{path}' failed to satisfy constraint: {constraint}")],
        };
        match (shape.r#type.as_str(), shape.member.as_deref()) {
            ("list", Some("TagKey")) => {
                let key = long("TagKey");
                vec![case(
                    json!([key]),
                    format!("[{key}]"),
                    format!("Member must satisfy constraint: {}", both("TagKey")),
                )]
            }
            ("list", Some(name)) if self.shape(name).r#type == "structure" => {
                let element = self.cases(name, &format!("{path}.1.member")).into_iter();
                element.map(|case| Case { value: json!([case.value]), ..case }).collect()
            }
            ("map", _) => {
                let (key, value) = (long("TagKey"), long("TagValue"));
                let key_map = json!({ key.as_str(): "" });
                let keys = format!("Map keys must satisfy constraint: {}", both("TagKey"));
                let values = format!("Map value must satisfy constraint: {}", both("TagValue"));
                vec![
                    case(key_map, format!("{{{key}=}}"), keys),
                    case(json!({ "k": value }), format!("{{k={value}}}"), values),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn broken(&self, shape: &Shape, value: &Value, path: &str) -> Vec<String> {
        let (size, measured, shown) = match value {
            Value::String(text) => (text.chars().count() as i64, "length", text.clone()),
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| item.as_str().unwrap()).collect();
                (items.len() as i64, "length", format!("[{}]", items.join(", ")))
            }
            Value::Object(entries) => {
                let shown: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect();
                (entries.len() as i64, "length", format!("{{{}}}", shown.join(", ")))
            }
            number => (number.as_i64().unwrap(), "value", number.to_string()),
        };
        let mut constraints = Vec::new();
        if let (Some(pattern), Some(text)) = (&shape.pattern, value.as_str())
            && !Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(text)
        {
            constraints.push(format!("satisfy regular expression pattern: {pattern}"));
        }
        if let Some(min) = shape.min.filter(|min| size < *min as i64) {
            constraints.push(format!("have {measured} greater than or equal to {min}"));
        }
        if let Some(max) = shape.max.filter(|max| size > *max as i64) {
            constraints.push(format!("have {measured} less than or equal to {max}"));
        }
        if !shape.r#enum.is_empty() {
            constraints.push(format!("satisfy enum value set: [{}]", shape.r#enum.join(", ")));
        }
        let sentence =
            |constraint| format!("Value '{shown}' at '{path}' failed to satisfy constraint: Member must {constraint}");
        constraints.into_iter().map(sentence).collect()
    }
}

fn wrong_type(shape: &Shape) -> Case {
    let class = |class: &str, wanted: &str| format!("class {class} can not be converted to {wanted}");
    let number = "com.amazon.coral.value.json.numbers.TruncatingBigNumber";
    let (value, sentence) = match shape.r#type.as_str() {
        "string" => (json!(23), class(number, "an String")),
        "blob" => (json!(false), class("java.lang.Boolean", "a Blob")),
        "boolean" => (json!(34), class(number, "an Boolean")),
        "integer" => (json!("23"), class("java.lang.String", "an Integer")),
        "timestamp" => (json!(true), class("java.lang.Boolean", "milliseconds since epoch")),
        "list" => (json!({}), "Start of structure or map found where not expected.".to_owned()),
        "map" => (json!("x"), "Expected map or null".to_owned()),
        "structure" => (json!(1), "Expected null".to_owned()),
        other => panic!("a type that no test knows: {other}"),
    };
    Case { value, code: "SerializationException", sentences: vec![sentence] }
}

fn lower_first(name: &str) -> String {
    name[..1].to_lowercase() + &name[1..]
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn new(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    /// Returns the status and the body.
    async fn call(&mut self, operation: &str, is_cbor: bool, input: &Value) -> (String, Value) {
        let mut body = input.to_string().into_bytes();
        if is_cbor {
            body.clear();
            ciborium::into_writer(input, &mut body).unwrap();
        }
        let content_type = if is_cbor { "application/x-amz-cbor-1.1" } else { "application/x-amz-json-1.1" };
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\nx-amz-target: Kinesis_20131202.{operation}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.0.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let (mut status, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            if line == "\r\n" {
                break;
            }
            if let Some((_, value)) = line.to_lowercase().split_once("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if status.is_empty() {
                status = line;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).await.unwrap();
        let read = if is_cbor { ciborium::from_reader(&answer[..]).ok() } else { serde_json::from_slice(&answer).ok() };
        (status, read.unwrap_or_default())
    }
}

#[tokio::test]
async fn every_violated_constraint_of_every_operation_gets_awss_message() {
    let model = Model::read();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Config { verify_signatures: false, ..Config::default() };
    tokio::spawn(local_aws::run(listener, config, std::future::pending()));
    let mut client = Client::new(address).await;
    let (mut requests, mut differences) = (0, Vec::new());
    for (operation, input_name) in &model.operations {
        let shape = model.shape(input_name);
        for (member, member_shape) in &shape.members {
            let path = lower_first(member);
            let mut cases = model.cases(member_shape, &path);
            if shape.required.contains(member) {
                let sentence = format!("Value null at '{path}' failed to satisfy constraint: Member must not be null");
                cases.push(Case { value: Value::Null, code: "ValidationException", sentences: vec![sentence] });
            }
            for Case { value, code, sentences } in cases {
                let mut input = model.valid(input_name);
                input[member] = value;
                let count = sentences.len();
                let expected = match code {
                    "SerializationException" => json!({ "__type": code, "Message": sentences[0] }),
                    _ => {
                        let errors = if count == 1 { "error" } else { "errors" };
                        let text = format!("{count} validation {errors} detected: {}", sentences.join("; "));
                        json!({ "__type": code, "message": text })
                    }
                };
                for is_cbor in [false, true] {
                    requests += 1;
                    let (status, answer) = client.call(operation, is_cbor, &input).await;
                    if answer != expected || !status.contains(" 400 ") {
                        differences.push(format!("{operation} {input}\n  {status}  {answer}\n  {expected}"));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} of {requests}:\n{}", differences.len(), differences.join("\n"));
    assert!(requests > 1000, "{requests} requests");
}
