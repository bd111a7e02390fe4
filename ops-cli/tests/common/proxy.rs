//! A proxy in front of the endpoint that passes requests and answers through a rule of the test, to imitate other services.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Endpoint, Run, ops_cli};

/// The rule's decision about a request.
pub enum Answer {
    /// Forwards the request, and returns the endpoint's answer.
    Forward,
    /// Forwards the request, and changes the answer's JSON.
    Change(fn(&mut Value)),
    /// Returns a status and a body without forwarding the request.
    Reply(u16, &'static str),
    /// Forwards the request, and returns half of the answer.
    Half,
}

/// A request that the rule decides about.
pub struct Request {
    /// The operation of Kinesis and CloudWatch Logs, the action of IAM and STS, or the method and path of Lambda.
    pub operation: String,
    head: String,
    /// The body. Changing it requires an endpoint without authentication.
    pub body: Vec<u8>,
}

impl Request {
    /// Changes the body, if it is JSON.
    pub fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_slice(&self.body).unwrap();
        change(&mut json);
        self.body = serde_json::to_vec(&json).unwrap();
    }
}

type Rule = Box<dyn FnMut(&mut Request) -> Answer + Send>;

pub struct Proxy {
    pub url: String,
    exports: Vec<(&'static str, String)>,
}

impl Proxy {
    pub fn start(endpoint: &Endpoint, rule: impl FnMut(&mut Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let endpoint_address = endpoint.url.strip_prefix("http://").unwrap().to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (rule, endpoint) = (Arc::clone(&rule), endpoint_address.clone());
                // Errors of a connection do not concern the test.
                std::thread::spawn(move || serve(client?, &rule, &endpoint));
            }
        });
        let exports = endpoint.exports().map(|(name, value)| (name, value.to_owned()));
        Self { url, exports: exports.into() }
    }

    /// `ops-cli` with the endpoint's credentials and this address.
    pub fn ops(&self, args: &[&str]) -> Command {
        let mut command = ops_cli();
        command.envs(self.exports.iter().map(|(name, value)| (name, value))).env("AWS_ENDPOINT_URL", &self.url);
        command.args(["--app", "test"]).args(args);
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(&mut self.ops(args))
    }
}

/// Serves one connection, request by request.
fn serve(mut client: TcpStream, rule: &Mutex<Rule>, endpoint: &str) -> std::io::Result<()> {
    while let Some((head, body)) = read_message(&mut client)? {
        let operation = operation(&head, &body);
        let mut request = Request { operation, head, body };
        let answer = {
            let mut rule = rule.lock().unwrap();
            (*rule)(&mut request)
        };
        if let Answer::Reply(status, body) = answer {
            let kind = "content-type: application/x-amz-json-1.1";
            write!(client, "HTTP/1.1 {status} Answer\r\n{kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
            continue;
        }
        let mut upstream = TcpStream::connect(endpoint)?;
        upstream.write_all(&message(&request.head, &request.body))?;
        let Some((head, mut body)) = read_message(&mut upstream)? else { return Ok(()) };
        match answer {
            Answer::Change(change) if !body.is_empty() => {
                let mut json = serde_json::from_slice(&body)?;
                change(&mut json);
                body = serde_json::to_vec(&json)?;
            }
            Answer::Half => {
                let whole = message(&head, &body);
                return client.write_all(&whole[..whole.len() - body.len() / 2 - 1]);
            }
            _ => {}
        }
        client.write_all(&message(&head, &body))?;
    }
    Ok(())
}

/// Formats a message with its content length. `head` must not end with a line break.
fn message(head: &str, body: &[u8]) -> Vec<u8> {
    let lines = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    let mut message = lines.collect::<Vec<_>>().join("\r\n");
    message += &format!("\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut message = message.into_bytes();
    message.extend_from_slice(body);
    message
}

/// Reads the head and the body of the next message; `None` at the end of the connection.
fn read_message(from: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if from.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().trim_end().to_owned();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some((head, body)))
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(':'));
    headers.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn operation(head: &str, body: &[u8]) -> String {
    if let Some(target) = header(head, "x-amz-target") {
        return target.rsplit('.').next().unwrap().to_owned();
    }
    let body = String::from_utf8_lossy(body);
    match body.split('&').find_map(|pair| pair.strip_prefix("Action=")) {
        Some(action) => action.to_owned(),
        None => head.split(' ').take(2).collect::<Vec<_>>().join(" "),
    }
}
