//! Tests of `ops-cli local` as a process: its output, its access rules, and its end.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use common::{Endpoint, Run, eventually, ops_cli};

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
fn an_interrupt_stops_the_endpoint_and_its_function_processes() {
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
fn the_endpoint_prints_exports() {
    let exports = |more: &[&str]| {
        let mut local = ops_cli();
        local.args(["local", "--port", "0"]).args(more).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = local.spawn().unwrap();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut exports = String::new();
        for _ in 0..7 {
            std::io::BufRead::read_line(&mut stdout, &mut exports).unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        exports
    };
    let (first, second) = (exports(&[]), exports(&[]));
    let names: Vec<_> = first.lines().map(|line| line.split(['=']).next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "export AWS_ENDPOINT_URL",
            "export AWS_DISABLE_HOST_PREFIX_INJECTION",
            "export AWS_REGION",
            "export AWS_DEFAULT_REGION",
            "export AWS_ACCESS_KEY_ID",
            "export AWS_SECRET_ACCESS_KEY",
            "unset AWS_SESSION_TOKEN"
        ]
    );
    assert!(first.lines().skip(4).take(2).all(|line| !second.contains(line)), "{first}{second}");
    let given = exports(&["--access-key-id", "mine", "--secret-access-key", "a/b", "--session-token", "c="]);
    let last: Vec<_> = given.lines().skip(4).collect();
    assert_eq!(
        last,
        ["export AWS_ACCESS_KEY_ID=mine", "export AWS_SECRET_ACCESS_KEY=a/b", "export AWS_SESSION_TOKEN=c="]
    );
}

#[test]
fn credentials_with_shell_characters_are_rejected() {
    let run = |key: &str| {
        Run::of(ops_cli().args(["local", "--port", "0", "--access-key-id", key, "--secret-access-key", "x"]))
    };
    run("a;rm").failed(2, "do not have the form of AWS credentials", "letters, digits");
    assert_eq!(Run::of(ops_cli().args(["local", "--access-key-id", "mine"])).code, 2);
}

fn request(endpoint: &Endpoint, head: &str) -> String {
    let address = endpoint.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{head}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of a signed request for `target`, with the body `{}`.
fn signed(endpoint: &Endpoint, target: &str) -> String {
    let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
    signed_to(endpoint, "POST", "/", &headers, "{}")
}

/// The head of a signed request, without a `host`.
fn signed_to(endpoint: &Endpoint, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let local_aws::Credentials { access_key_id, secret_access_key, .. } = &endpoint.credentials;
    let identity = aws_credential_types::Credentials::new(access_key_id, secret_access_key, None, None, "test").into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kinesis")
        .time(std::time::SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap();
    let url = format!("{}{path}", endpoint.url);
    let body = SignableBody::Bytes(body.as_bytes());
    let request = SignableRequest::new(method, url, headers.iter().copied(), body).unwrap();
    let (instructions, _) = sign(request, &params.into()).unwrap().into_parts();
    let headers = headers.iter().copied().chain(instructions.headers());
    let headers = headers.map(|(name, value)| format!("\r\n{name}: {value}"));
    format!("{method} {path} HTTP/1.1{}", headers.collect::<String>())
}

#[test]
fn the_endpoint_answers_signed_requests_only() {
    let endpoint = Endpoint::start();
    let list = signed(&endpoint, "Kinesis_20131202.ListStreams");
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());
    let taken = request(&endpoint, &format!("{list}\r\n{host}"));
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    let page = request(&endpoint, &format!("{list}\r\n{host}\r\norigin: https://evil.example"));
    assert!(page.starts_with("HTTP/1.1 403"), "{page}");
    let rebound = request(&endpoint, &format!("{list}\r\nhost: evil.example"));
    assert!(rebound.starts_with("HTTP/1.1 403"), "{rebound}");
    let other_name = request(&endpoint, &format!("{list}\r\nhost: localhost"));
    assert!(other_name.starts_with("HTTP/1.1 400") && other_name.contains("InvalidSignature"), "{other_name}");

    let added = request(&endpoint, &format!("{list}\r\n{host}\r\nx-amz-client-context: e30="));
    assert!(added.starts_with("HTTP/1.1 400") && added.contains("must be a 'SignedHeader'"), "{added}");

    let other = list.replace("ListStreams", "ListShards");
    let changed = request(&endpoint, &format!("{other}\r\n{host}"));
    assert!(changed.starts_with("HTTP/1.1 400") && changed.contains("InvalidSignatureException"), "{changed}");
    let strangers = list.replace(&endpoint.credentials.access_key_id, "AKIDSTRANGER");
    let strangers = request(&endpoint, &format!("{strangers}\r\n{host}"));
    assert!(strangers.starts_with("HTTP/1.1 400") && strangers.contains("UnrecognizedClient"), "{strangers}");
    let unsigned = request(&endpoint, &format!("{UNSIGNED}\r\n{host}"));
    assert!(unsigned.starts_with("HTTP/1.1 400") && unsigned.contains("Missing Authentication Token"), "{unsigned}");
}

const UNSIGNED: &str =
    "POST / HTTP/1.1\r\nx-amz-target: Kinesis_20131202.ListStreams\r\ncontent-type: application/x-amz-json-1.1";

#[test]
fn without_authentication_the_endpoint_answers_unsigned_requests_but_not_browsers() {
    let endpoint = Endpoint::start_with(&["--no-auth"]);
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());
    let taken = request(&endpoint, &format!("{UNSIGNED}\r\n{host}"));
    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    let page = request(&endpoint, &format!("{UNSIGNED}\r\n{host}\r\norigin: null"));
    assert!(page.starts_with("HTTP/1.1 403"), "{page}");
    endpoint.provision(&[]);
    endpoint.run(["publish", "x"]).ok();
}

#[test]
fn the_endpoint_listens_on_loopback_unless_allow_remote_is_given() {
    let bind = ["local", "--port", "0", "--bind", "0.0.0.0"];
    Run::of(ops_cli().args(bind)).failed(2, "other machines can reach the address", "--allow-remote");
    assert_eq!(Run::of(ops_cli().args(bind).args(["--allow-remote", "--no-auth"])).code, 2);
    let endpoint = Endpoint::start_with(&["--bind", "0.0.0.0", "--allow-remote"]);
    assert!(endpoint.url.starts_with("http://127.0.0.1:"), "{}", endpoint.url);
    endpoint.run(["status"]).ok();
}

/// Clients on other machines have no user on this one.
#[test]
fn with_allow_remote_the_endpoints_own_pages_must_be_signed() {
    let endpoint = Endpoint::start_with(&["--allow-remote"]);
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());
    for (method, path) in [
        ("GET", "/_local/metrics"),
        ("GET", "/_local/destinations"),
        ("GET", "/_local/faults"),
        ("DELETE", "/_local/faults"),
    ] {
        let unsigned = request(&endpoint, &format!("{method} {path} HTTP/1.1\r\n{host}"));
        assert!(
            unsigned.starts_with("HTTP/1.1 403") && unsigned.contains("Missing Authentication Token"),
            "{unsigned}"
        );
        let head = signed_to(&endpoint, method, path, &[], "{}");
        let answer = request(&endpoint, &format!("{head}\r\n{host}"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let other_body = signed_to(&endpoint, method, path, &[], "[]");
        let answer = request(&endpoint, &format!("{other_body}\r\n{host}"));
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let health = request(&endpoint, &format!("GET /_local/health HTTP/1.1\r\n{host}"));
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

#[test]
fn the_endpoint_counts_requests_and_records() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["publish", "x"]).ok();
    let has = |metrics: &str, line: &str| metrics.lines().any(|there| there.starts_with(line));
    let metrics = eventually("the invocation", || {
        let (_, metrics) = endpoint.get("/_local/metrics");
        has(&metrics, "local_aws_invocations_total{function=\"test-dev\",outcome=\"ok\"} 1").then_some(metrics)
    });
    for line in [
        "local_aws_requests_total{service=\"Kinesis\",operation=\"PutRecords\",status=\"200\"} 1",
        "local_aws_requests_total{service=\"Lambda\",operation=\"CreateFunction\",status=\"201\"} 1",
        "local_aws_requests_total{service=\"IAM\",operation=\"CreateRole\",status=\"200\"} 1",
        "local_aws_request_seconds_count{service=\"Kinesis\",operation=\"PutRecords\"} 1",
        "local_aws_records_total{direction=\"in\",stream=\"test-dev\"} 1",
        "local_aws_record_bytes_total{direction=\"out\",stream=\"test-dev\"} 1",
        "local_aws_iterator_age_seconds{mapping=",
        "local_aws_function_processes 1",
        "process_resident_memory_bytes ",
    ] {
        assert!(has(&metrics, line), "no {line} in:\n{metrics}");
    }
}

/// As on AWS, the address works without credentials: `curl` downloads it.
#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_function_can_be_downloaded() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let lambda = aws_sdk_lambda::Client::new(&endpoint.sdk_config().await);
    let function = lambda.get_function().function_name("test-dev").send().await.unwrap();
    let location = function.code.unwrap().location.unwrap();
    let get = |location: &str| {
        let path = location.strip_prefix(&endpoint.url).unwrap();
        let address = endpoint.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    };
    let answer = get(&location);
    assert!(answer.starts_with(b"HTTP/1.1 200") && answer.ends_with(b"\0\0"), "{}", String::from_utf8_lossy(&answer));
    let forged = get(&location.replace("Expires=600", "Expires=6000"));
    let forged = String::from_utf8_lossy(&forged);
    assert!(forged.starts_with("HTTP/1.1 403") && forged.contains("<Code>SignatureDoesNotMatch</Code>"), "{forged}");
}

/// The credentials are stored in the user's own folder while the endpoint runs.
#[test]
fn local_finds_only_the_endpoint_of_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o700);
    let mut local = ops_cli();
    let local = local.args(["--output", "json", "local", "--port", "0"]).env("XDG_RUNTIME_DIR", folder.path());
    let endpoint = &mut Endpoint::of(local);
    let status = |name: &str, folder: &Path| {
        Run::of(ops_cli().args(["--local", "--endpoint-url", &endpoint.url, "status"]).env(name, folder))
    };
    status("XDG_RUNTIME_DIR", folder.path()).ok();
    status("XDG_RUNTIME_DIR", Path::new("relative")).failed(1, "is not an endpoint that you run", "leave --local out");

    let port = endpoint.url.rsplit(':').next().unwrap();
    let file = folder.path().join("ops-cli").join(format!("{port}.json"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    mode(0o755);
    status("XDG_RUNTIME_DIR", folder.path()).failed(1, "is not an endpoint that you run", "leave --local out");
    mode(0o700);
    let shared = tempfile::tempdir().unwrap();
    let own = shared.path().join(format!("ops-cli-{}", rustix::process::geteuid().as_raw()));
    std::fs::create_dir(&own).unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o777)).unwrap();
    status("TMPDIR", shared.path()).failed(1, "other users can access it (mode 777)", "XDG_RUNTIME_DIR");
    endpoint.stop("-INT");
    assert!(!file.exists());
}

#[test]
fn an_unknown_operation_is_named_in_the_answer() {
    let endpoint = Endpoint::start();
    let (status, pages) = endpoint.get("/_local/nope");
    assert!(status == 404 && pages.contains("/_local/metrics"), "{status} {pages}");
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());
    let answer = request(&endpoint, &format!("{}\r\n{host}", signed(&endpoint, "DynamoDB_20120810.ListTables")));
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("DynamoDB_20120810.ListTables"), "{answer}");
    let answer = request(&endpoint, &format!("{}\r\n{host}", signed(&endpoint, "Kinesis_20131202.Nope")));
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("the Kinesis operation Nope"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_function_runs_the_code_that_was_saved_last() {
    let folder = tempfile::tempdir().unwrap();
    let save = |answer: &str| {
        let source = format!("def handler(event, context): return '{answer}'\n");
        std::fs::write(folder.path().join("index.py"), source).unwrap();
    };
    save("first");
    let mine = format!("mine={}", folder.path().display());
    let endpoint = Endpoint::start_with(&["--function", &mine]);
    let lambda = aws_sdk_lambda::Client::new(&endpoint.sdk_config().await);
    let invoke = async || {
        let invoked = lambda.invoke().function_name("mine").send().await.unwrap();
        String::from_utf8(invoked.payload.unwrap().into_inner()).unwrap()
    };
    assert_eq!((invoke().await, invoke().await), ("\"first\"".to_owned(), "\"first\"".to_owned()));
    save("second");
    assert_eq!(invoke().await, "\"second\"");
    let described = lambda.get_function_configuration().function_name("mine").send().await.unwrap();
    assert!(described.role().unwrap().ends_with(":role/mine-role"), "{described:?}");

    let missing = ops_cli().args(["local", "--port", "0", "--function", "mine=/no/such/folder"]).output().unwrap();
    let told = String::from_utf8_lossy(&missing.stderr);
    assert!(
        !missing.status.success() && told.contains("the function mine cannot be created: /no/such/folder"),
        "{told}"
    );
}

#[test]
fn a_rejected_data_folder_prints_no_exports() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (data, foreign) = (data.to_str().unwrap(), folder.path().to_str().unwrap());
    let _endpoint = Endpoint::start_with(&["--data-dir", data]);
    let given = ["--access-key-id", "mine", "--secret-access-key", "secret"];
    for (folder, why) in [(data, "in use by another endpoint"), (foreign, "it is not a data directory")] {
        for credentials in [&given[..], &[]] {
            let run = Run::of(ops_cli().args(["local", "--port", "0", "--data-dir", folder]).args(credentials));
            assert!(run.code == 1 && run.stderr.contains(why), "{}", run.stderr);
            assert_eq!(run.stdout, "");
        }
    }
}

/// This includes requests that are rejected before they reach a service.
#[test]
fn cbor_requests_are_rejected_in_cbor() {
    let endpoint = Endpoint::start();
    let host = format!("host: {}", endpoint.url.strip_prefix("http://").unwrap());
    let unsigned = UNSIGNED.replace("json", "cbor");
    let answer = request(&endpoint, &format!("{unsigned}\r\n{host}"));
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("content-type: application/x-amz-cbor-1.1"), "{answer}");
    let is_worded = answer.contains("__type") && answer.contains("Missing Authentication Token");
    assert!(is_worded && !answer.contains("\"__type\""), "{answer}");
}
