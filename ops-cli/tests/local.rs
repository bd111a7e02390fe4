//! `ops-cli local` as a process: what it prints, who may talk to it, and that nothing outlives it.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use common::{Endpoint, eventually, ops_cli};

/// The processes whose parent is `pid`.
fn children(pid: u32) -> Vec<u32> {
    let path = format!("/proc/{pid}/task");
    let tasks = std::fs::read_dir(path).map(|tasks| tasks.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let lists = tasks.iter().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
}

fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn an_interrupt_stops_it_and_its_function_processes() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut endpoint = Endpoint::start();
        endpoint.provision(&[]);
        endpoint.run(["publish", "wake up"]).ok();
        let functions =
            eventually("a function process", || Some(children(endpoint.pid())).filter(|pids| !pids.is_empty()));
        assert_eq!(endpoint.stop(signal), Some(0));
        eventually("the function processes to be gone", || functions.iter().all(|pid| !is_running(*pid)).then_some(()));
    }
}

#[test]
fn it_prints_what_to_export() {
    let mut child =
        ops_cli().args(["local", "--port", "0"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut exports = String::new();
    for _ in 0..5 {
        std::io::BufRead::read_line(&mut stdout, &mut exports).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let names: Vec<_> =
        exports.lines().map(|line| line.strip_prefix("export ").unwrap().split_once('=').unwrap().0).collect();
    assert_eq!(
        names,
        ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    );
}

fn request(endpoint: &Endpoint, head: &str) -> String {
    let address = endpoint.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{head}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const SIGNED: &str = "authorization: AWS4-HMAC-SHA256 Credential=local/20261123/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0";

#[test]
fn it_answers_signed_requests_of_tools_and_no_others() {
    let endpoint = Endpoint::start();
    let list = "POST / HTTP/1.1\r\nx-amz-target: Kinesis_20131202.ListStreams\r\ncontent-type: application/x-amz-json-1.1\r\nx-amz-date: 20261123T000000Z";
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());

    let taken = request(&endpoint, &format!("{list}\r\n{host}\r\n{SIGNED}"));
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    let unsigned = request(&endpoint, &format!("{list}\r\n{host}"));
    assert!(unsigned.starts_with("HTTP/1.1 403") && unsigned.contains("Missing Authentication Token"), "{unsigned}");
    let page = request(&endpoint, &format!("{list}\r\n{host}\r\n{SIGNED}\r\norigin: https://evil.example"));
    assert!(page.starts_with("HTTP/1.1 403"), "{page}");
    let rebound = request(&endpoint, &format!("{list}\r\nhost: evil.example\r\n{SIGNED}"));
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
}

#[test]
fn what_it_does_not_answer_is_named() {
    let endpoint = Endpoint::start();
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());
    let answer = request(
        &endpoint,
        &format!("POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.ListTables\r\n{host}\r\n{SIGNED}"),
    );
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("DynamoDB_20120810.ListTables"), "{answer}");
    let answer =
        request(&endpoint, &format!("POST / HTTP/1.1\r\nx-amz-target: Kinesis_20131202.Nope\r\n{host}\r\n{SIGNED}"));
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("the Kinesis operation Nope"), "{answer}");
}
