//! Tests of rejected requests, as clients see them: wrong methods, browsers, and bodies that are not read.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use common::{Endpoint, ops_cli, scratch};

fn exchange(endpoint: &Endpoint, line: &str, headers: &[&str], body: &str) -> String {
    let address = endpoint.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const ROLE: &str = "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22lambda.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
const OLD_BROWSER: &str = "user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:60.0) Gecko/20100101 Firefox/60.0";

/// An old browser sends neither fetch metadata nor, with a form, an `Origin`.
#[test]
fn without_authentication_gets_and_old_browsers_change_nothing() {
    let endpoint = Endpoint::start_with(&["--no-auth"]);
    let form = "content-type: application/x-www-form-urlencoded";
    let target = "x-amz-target: Kinesis_20131202.CreateStream";
    let refused = [
        exchange(&endpoint, &format!("GET /?{ROLE}"), &[], ""),
        exchange(&endpoint, &format!("GET /?Action=ListRoles&{ROLE}"), &[], ""),
        exchange(&endpoint, "HEAD /", &[form], ROLE),
        exchange(&endpoint, "GET /", &[target], r#"{"StreamName":"s"}"#),
        exchange(&endpoint, "POST /", &[form, OLD_BROWSER], ROLE),
        exchange(
            &endpoint,
            "POST /2015-03-31/functions/f/invocations",
            &["content-type: text/plain", OLD_BROWSER],
            "{}",
        ),
        exchange(&endpoint, "POST /_local/faults", &["content-type: text/plain", OLD_BROWSER], "{}"),
    ];
    for answer in refused {
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let list = exchange(&endpoint, "GET /?Action=ListRoles&Version=2010-05-08", &[], "");
    assert!(list.starts_with("HTTP/1.1 200") && !list.contains("<RoleName>"), "{list}");
    let json = "content-type: application/x-amz-json-1.1";
    let streams = exchange(&endpoint, "POST /", &["x-amz-target: Kinesis_20131202.ListStreams", json], "{}");
    assert!(streams.contains(r#""StreamNames":[]"#), "{streams}");
    let created = exchange(&endpoint, "POST /", &[form], ROLE);
    assert!(created.starts_with("HTTP/1.1 200"), "{created}");
}

/// curl sends this content type with `-d`.
#[test]
fn an_invocation_with_the_content_type_of_a_form_is_accepted() {
    let endpoint = Endpoint::start_with(&["--no-auth"]);
    let form = "content-type: application/x-www-form-urlencoded";
    let answer = exchange(&endpoint, "POST /2015-03-31/functions/f/invocations", &[form], "{}");
    assert!(answer.starts_with("HTTP/1.1 404") && answer.contains("Function not found: "), "{answer}");
}

#[test]
fn no_auth_prints_a_warning() {
    let mut local = ops_cli();
    let mut child =
        local.args(["local", "--port", "0", "--no-auth"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut warning = String::new();
    std::io::BufRead::read_line(&mut stderr, &mut warning).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for part in
        ["--no-auth", "run code with your permissions", "every program that you run", "of other users must be signed"]
    {
        assert!(warning.contains(part), "{warning}");
    }
}

/// The answer is sent before the whole body has been received. curl treats a reset stream as a failure, even without an
/// error code.
#[test]
fn curl_reads_every_rejection_of_a_large_body() {
    let Ok(version) = Command::new("curl").arg("--version").output() else {
        eprintln!("not run: there is no curl");
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        eprintln!("not run: this curl does not speak HTTP/2");
        return;
    }
    let endpoint = Endpoint::start();
    for (bytes, times) in [(300_000, 120), (5_000_000, 20)] {
        let body = scratch(&format!("refused-{bytes}"));
        std::fs::write(&body, vec![b' '; bytes]).unwrap();
        for (version, headers) in [
            ("--http2-prior-knowledge", "x-amz-target: Kinesis_20131202.PutRecord"),
            ("--http2-prior-knowledge", "origin: https://evil.example"),
            ("--http1.1", "x-amz-target: Kinesis_20131202.PutRecord"),
        ] {
            for _ in 0..times {
                // A process for each request: curl 7.88 does not reuse an HTTP/2 connection that was opened without an
                // upgrade.
                let mut curl = Command::new("curl");
                curl.args(["--silent", "--show-error", version, "--header", headers, "--header", "expect:"]);
                curl.args(["--output", "/dev/null", "--write-out", "%{http_code}", "--data-binary"]);
                let run = curl.arg(format!("@{}", body.display())).arg(&endpoint.url).output().unwrap();
                let (code, error) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
                assert!(
                    run.status.success() && ["400", "403"].contains(&&*code),
                    "{version} {headers}: {code} {error}"
                );
            }
        }
    }
}
