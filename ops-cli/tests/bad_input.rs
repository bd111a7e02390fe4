//! Tests of wrong input: each gives one error with a hint and the right exit code, and loses no record.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

use common::{Endpoint, Run, ops_cli, scratch};

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = scratch(&format!("bad-{name}"));
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn publish_reports_a_missing_stream() {
    let endpoint = Endpoint::start();
    endpoint.run(["publish", "x"]).failed(1, "there is no stream test-dev in us-east-1", "ops-cli provision");
}

#[test]
fn tail_reports_a_missing_log_group() {
    let endpoint = Endpoint::start();
    endpoint.run(["tail"]).failed(1, "/aws/lambda/test-dev", "ops-cli provision");
}

#[test]
fn missing_credentials_are_reported() {
    let run = Run::of(ops_cli().args(["--region", "us-east-1", "status"]));
    run.failed(2, "no AWS credentials were found", "--profile");
}

#[test]
fn a_missing_region_is_reported() {
    let run = Run::of(ops_cli().arg("status").env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "b"));
    run.failed(2, "no AWS region is set", "AWS_REGION");
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let run = Run::of(ops_cli().arg("status").envs(keys).env("AWS_REGION", "").env("AWS_DEFAULT_REGION", ""));
    run.failed(2, "no AWS region is set", "AWS_REGION");
}

#[test]
fn an_invalid_region_is_rejected() {
    for connection in [["--local"].as_slice(), &["--endpoint-url", "http://127.0.0.1:1"]] {
        let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
        let run = Run::of(ops_cli().args(connection).args(["--region", "us east", "status"]).envs(keys));
        run.failed(2, "\"us east\" is not an AWS region", "us-east-1");
    }
    for region in ["-x", "us-east-1-", "US-EAST-1", "us--east-1"] {
        let run = Run::of(ops_cli().args(["--local", &format!("--region={region}"), "status"]));
        run.failed(2, &format!("{region:?} is not an AWS region"), "us-east-1");
    }
}

#[test]
fn the_local_endpoint_is_reached_despite_aws_settings_in_the_environment() {
    let endpoint = Endpoint::start();
    let settings =
        [("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_PROFILE", "no-such"), ("HTTP_PROXY", "http://127.0.0.1:1")];
    Run::of(endpoint.ops(["status"]).envs(settings)).ok();
}

#[test]
fn a_missing_profile_is_reported() {
    let config = file("config", b"[profile one]\nregion = eu-central-1\n[default]\nregion = us-east-1\n");
    let run = Run::of(ops_cli().args(["--profile", "two", "status"]).env("AWS_CONFIG_FILE", &config));
    run.failed(2, "the profile two is not in the AWS configuration files", "default, one");
    let run = Run::of(ops_cli().arg("status").env("AWS_PROFILE", "two").env("AWS_CONFIG_FILE", &config));
    run.failed(2, "the profile two is not in the AWS configuration files", "default, one");
}

#[test]
fn an_existing_profile_is_used() {
    let endpoint = Endpoint::start();
    let config = file("profile", b"[profile one]\nregion = eu-central-1\n");
    let local_aws::Credentials { access_key_id, secret_access_key, .. } = &endpoint.credentials;
    let keys = format!("[one]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret_access_key}\n");
    let credentials = file("credentials", keys.as_bytes());
    let run = Run::of(
        ops_cli()
            .args(["--profile", "one", "--endpoint-url", &endpoint.url, "--output", "json", "status"])
            .env("AWS_CONFIG_FILE", &config)
            .env("AWS_SHARED_CREDENTIALS_FILE", &credentials),
    );
    assert_eq!(run.ok().json()[0]["region"], "eu-central-1");
}

#[test]
fn the_environment_variables_of_the_aws_cli_are_honoured() {
    let endpoint = Endpoint::start();
    let run =
        Run::of(ops_cli().args(["--output", "json", "status"]).envs(endpoint.exports()).env("AWS_REGION", "eu-west-1"));
    assert_eq!(run.ok().json()[0]["region"], "eu-west-1");
}

/// Starts a server that answers every request as AWS does with expired credentials.
#[test]
fn expired_credentials_are_reported() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 16 * 1024];
            let _head = stream.read(&mut request).unwrap();
            let body = r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#;
            let head = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1";
            write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).ok();
        }
    });
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "us-east-1")];
    let run = Run::of(ops_cli().args(["--endpoint-url", &url, "publish", "x"]).envs(keys));
    run.failed(1, "ExpiredTokenException", "sign in again");
}

#[test]
fn an_endpoint_that_does_not_answer_is_reported() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", &format!("http://{free}"), "publish", "x"]));
    run.failed(1, "Connection refused", "ops-cli local");
}

#[test]
fn another_endpoint_is_reported() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", &url, "status"]));
    run.failed(1, "is not an endpoint that you run", "leave --local out");
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", "https://127.0.0.1:4566", "status"]));
    run.failed(2, "speaks plain HTTP", "leave --local out");
    let endpoint = Endpoint::start();
    let run = Run::of(ops_cli().arg("status").envs(endpoint.exports()).env("AWS_SECRET_ACCESS_KEY", "wrong"));
    run.failed(1, "InvalidSignatureException", "check the profile");
}

#[test]
fn an_invalid_endpoint_url_is_rejected() {
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", "localhost:4566", "status"]));
    run.failed(2, "--endpoint-url localhost:4566 is not an address", "http://127.0.0.1:4566");
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", "http://127.0.0.1:1/x y", "status"]));
    run.failed(2, "is not an address", "http://127.0.0.1:4566");
}

#[test]
fn a_port_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let run = Run::of(ops_cli().args(["local", "--port", &port.to_string()]));
    run.failed(1, &format!("port {port} is in use"), "--port 0");
}

#[test]
fn a_zip_that_cannot_run_is_rejected() {
    let endpoint = Endpoint::start();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.js", zip::write::SimpleFileOptions::default()).unwrap();
    let without = file("without.zip", &zip.finish().unwrap().into_inner());
    endpoint.run(["provision", "--zip", without.to_str().unwrap()]).failed(
        2,
        "no file \"bootstrap\" at its root",
        "ops-cli package",
    );
    let text = file("text.zip", b"this is no zip");
    endpoint.run(["provision", "--zip", text.to_str().unwrap()]).failed(2, "text.zip", "ops-cli package");
    endpoint.run(["provision", "--zip", "/no/such.zip"]).failed(2, "could not read /no/such.zip", "ops-cli package");
    let status = endpoint.run(["--output", "json", "status"]).ok().json().remove(0);
    assert!(status["stream"].is_null(), "nothing is created for a zip that cannot run");
}

#[test]
fn a_record_over_the_limit_ends_the_run() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let mut input = b"first\n".to_vec();
    input.extend(vec![b'x'; 1024 * 1024]);
    input.extend(b"\nlast\n");
    let run = Run::with_stdin(&mut endpoint.ops(["publish", "--key", "k"]), &input);
    let run = run.failed(2, "line 2 of stdin is too large", "split the record");
    assert_eq!(run.stdout.lines().count(), 1, "what came before it was published: {}", run.stdout);

    // A record of exactly the limit, including the key, is accepted.
    let mut input = vec![b'x'; 1024 * 1024 - 1];
    input.push(b'\n');
    let run = Run::with_stdin(&mut endpoint.ops(["publish", "--key", "k"]), &input).ok();
    assert_eq!(run.stdout.lines().count(), 1);
}

#[tokio::test]
async fn a_raised_limit_of_the_stream_is_honoured() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let config = endpoint.sdk_config().await;
    let arn = "arn:aws:kinesis:us-east-1:000000000000:stream/test-dev";
    let raise = aws_sdk_kinesis::Client::new(&config).update_max_record_size().stream_arn(arn);
    raise.max_record_size_in_kib(2048).send().await.unwrap();
    let input = vec![b'x'; 2 * 1024 * 1024 - 1];
    Run::with_stdin(&mut endpoint.ops(["publish", "--key", "k"]), &input).ok();
    let run = Run::with_stdin(&mut endpoint.ops(["publish", "--key", "kk"]), &input);
    run.failed(2, "a record has at most 2097152 bytes", "split the record");
}

#[test]
fn an_empty_stdin_is_rejected() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    for input in ["", "\n\n"] {
        let run = Run::with_stdin(&mut endpoint.ops(["publish"]), input.as_bytes());
        run.failed(2, "the input has no records", "one record per line");
    }
}

#[test]
fn an_unreadable_file_is_reported() {
    let endpoint = Endpoint::start();
    endpoint.run(["publish", "--file", "/no/such/file"]).failed(2, "could not read /no/such/file", "check the path");
    endpoint.run(["publish", "--file", "/"]).failed(2, "could not read /", "check the path");
}

#[test]
fn an_input_in_another_encoding_is_rejected_by_name() {
    let text: Vec<u8> = "{}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (name, bytes) in [("marked", [b"\xff\xfe", &text[..]].concat()), ("unmarked", text.clone())] {
        let input = file(&format!("utf-16-{name}"), &bytes);
        let input = input.to_str().unwrap();
        for args in [
            &["redrive", "--to", "function", input][..],
            &["redrive", "--to", "function", "--resume", input],
            &["invoke", "--event", input],
            &["verify", "--receipts", input],
            &["publish", "--resume", input, "x"],
            &["--config", input, "status"],
        ] {
            let run = Run::of(ops_cli().args(["--local", "--endpoint-url", "http://127.0.0.1:1"]).args(args));
            assert_eq!(run.code, 2, "{args:?}: {}", run.stderr);
            assert!(run.stderr.contains("it is UTF-16") && run.stderr.contains("iconv"), "{args:?}: {}", run.stderr);
        }
        let run = Run::with_stdin(ops_cli().args(["--local", "show"]), &bytes);
        assert!(run.code == 2 && run.stderr.contains("it is UTF-16"), "{}", run.stderr);
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    let input: String = "x\n".repeat(20_000);
    let input = file("many", input.as_bytes());
    let mut child = endpoint
        .ops(["publish", "--file", input.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0; 10]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("error"), "{stderr}");
    let all = "20000 records read = 20000 acknowledged + 0 dead-lettered";
    assert!(stderr.contains(all), "nobody reads the receipts, but the records are published: {stderr}");
}

#[test]
fn invalid_names_are_rejected() {
    let run = Run::of(ops_cli().args(["--local", "--stream", "a b", "status"]));
    run.failed(2, "stream", "--stream");
    let run = Run::of(ops_cli().args(["--local", "--app", &"a".repeat(70), "status"]));
    run.failed(2, "64", "--app");
}

#[test]
fn teardown_does_not_delete_without_confirmation() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["teardown"]).failed(2, "stdin is not a terminal", "--yes");
    assert!(endpoint.provision(&[]).stdout.starts_with("nothing to do"));
}

#[test]
fn values_that_can_be_no_names_are_rejected_by_their_option() {
    for (args, error) in [
        (&["tail", "--group", ""][..], "--group \"\" is not the name of a log group"),
        (&["tail", "--group", "arn:aws:logs:us-east-1:000000000000:log-group:a"], "is an ARN"),
        (&["tail", "--log-stream", "*"], "--log-stream \"*\""),
        (&["consume", "--fan-out", ""], "--fan-out \"\""),
        (&["consume", "--save", "-"], "--save - is not possible"),
        (&["invoke", "--key", "", "x"], "--key has 0 characters"),
        (&["publish", "--pace", "2x", "x"], "--pace needs --entries"),
    ] {
        let run = Run::of(ops_cli().arg("--local").args(args));
        assert!(run.code == 2 && run.stderr.contains(error), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn an_invalid_since_is_rejected() {
    Run::of(ops_cli().args(["--local", "tail", "--since", "someday"])).failed(2, "--since someday", "5m");
}

#[test]
fn an_invalid_filter_is_reported() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["tail", "--filter", "{ $.a = }"]).failed(1, "InvalidParameterException", "column 9 of the pattern");
}

#[test]
fn build_fails_outside_a_checkout() {
    let run = Run::of(ops_cli().arg("package").current_dir("/"));
    run.failed(2, "not in a checkout", "checkout");
}

#[test]
fn colours_follow_the_environment() {
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", "x", "status"]).env("NO_COLOR", "1"));
    assert!(!run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
    let run = Run::of(ops_cli().args(["--local", "--endpoint-url", "x", "status"]).env("CLICOLOR_FORCE", "1"));
    assert!(run.stderr.contains('\u{1b}'), "{:?}", run.stderr);
}
