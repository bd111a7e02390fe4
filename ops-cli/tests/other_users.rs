//! Tests of the trust boundary: the endpoint trusts the user who started it, and no other user of the machine.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use common::user::{OTHER, as_another_user};
use common::{Endpoint, Run, eventually, ops_cli};
use serde_json::json;

/// Sends bytes and returns the answer until the connection is closed. A reset connection has no answer.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).ok();
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert_ne!(error.kind(), ErrorKind::WouldBlock, "the connection stays open");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn address(endpoint: &Endpoint) -> &str {
    endpoint.url.strip_prefix("http://").unwrap()
}

fn head(endpoint: &Endpoint, line: &str, more: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{more}\r\n", address(endpoint))
}

/// Returns the values of a variable in the environments of the endpoint's function processes.
fn variables(endpoint: &Endpoint, name: &str) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", endpoint.pid())).unwrap();
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<_> = lists.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let environments = children.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/environ")).ok());
    let prefix = format!("{name}=");
    environments
        .filter_map(|environment| environment.split('\0').find_map(|one| Some(one.strip_prefix(&prefix)?.to_owned())))
        .collect()
}

#[test]
fn another_user_cannot_take_a_functions_invocation() {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["publish", "wake up"]).ok();
    let api = eventually("the function's process", || variables(&endpoint, "AWS_LAMBDA_RUNTIME_API").pop());
    let (is_over, tried) = (AtomicBool::new(false), AtomicUsize::new(0));
    let next = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: {api}\r\n\r\n");
    std::thread::scope(|scope| {
        let thief = scope.spawn(|| {
            as_another_user(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let taken = exchange(&api, &next);
                    assert_eq!(taken, "");
                    tried.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        if rustix::process::geteuid().is_root() {
            eventually("the first attempts", || (tried.load(Ordering::Relaxed) > 10).then_some(()));
        }
        let report = endpoint.run(["--output", "json", "verify", "--count", "200"]).ok().json().remove(0);
        is_over.store(true, Ordering::Relaxed);
        thief.join().unwrap();
        assert_eq!((&report["logged"], &report["missingCount"]), (&json!(200), &json!(0)), "{report}");
    });
    assert_eq!(variables(&endpoint, "AWS_LAMBDA_RUNTIME_API"), [api], "the same process did all of it");
}

#[test]
fn another_user_cannot_use_the_endpoints_own_pages() {
    let endpoint = Endpoint::start();
    let fault = json!({ "operation": "*", "kind": "serverError", "probability": 1 }).to_string();
    let post = head(&endpoint, "POST /_local/faults", &format!("content-length: {}\r\n", fault.len())) + &fault;
    let pages = ["/_local/metrics", "/_local/destinations", "/_local/faults", "/_local/nope"];
    let mut requests = pages.map(|page| head(&endpoint, &format!("GET {page}"), "")).to_vec();
    requests.extend([post.clone(), head(&endpoint, "DELETE /_local/faults", "")]);
    let answers = as_another_user(|| {
        let health = exchange(address(&endpoint), &head(&endpoint, "GET /_local/health", ""));
        assert!(health.starts_with("HTTP/1.1 200"), "{health}");
        requests.iter().map(|request| exchange(address(&endpoint), request)).collect::<Vec<_>>()
    });
    for answer in answers.into_iter().flatten() {
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("the user who runs the endpoint"), "{answer}");
    }
    assert_eq!(endpoint.faults("GET", ""), "[]");
    assert!(exchange(address(&endpoint), &post).starts_with("HTTP/1.1 200"));
    assert!(endpoint.faults("GET", "").contains("serverError"));
}

#[test]
fn without_authentication_another_user_must_sign() {
    let endpoint = Endpoint::start_with(&["--no-auth"]);
    let list = "x-amz-target: Kinesis_20131202.ListStreams\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: 2\r\n";
    let list = head(&endpoint, "POST /", list) + "{}";
    let own = exchange(address(&endpoint), &list);
    assert!(own.starts_with("HTTP/1.1 200"), "{own}");
    if let Some(others) = as_another_user(|| exchange(address(&endpoint), &list)) {
        assert!(others.starts_with("HTTP/1.1 400") && others.contains("Missing Authentication Token"), "{others}");
    }
}

/// Lists every file and folder at or below `path`, without following links.
fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if fs::symlink_metadata(path).unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            found.extend(all_below(&entry.unwrap().path()));
        }
    }
    found
}

fn others_may_use(path: &Path) -> Vec<String> {
    let mode = |path: &PathBuf| fs::symlink_metadata(path).map_or(0, |found| found.mode() & 0o777);
    let loose = all_below(path).into_iter().filter(|path| mode(path) & 0o077 != 0);
    loose.map(|path| format!("{:o} {}", mode(&path), path.display())).collect()
}

/// Starts an endpoint on a data directory with this umask.
fn with_umask(umask: &str, data: &Path) -> Endpoint {
    let mut shell = common::ops_cli_by("/bin/sh");
    shell.args(["-c", "umask $0 && exec \"$@\"", umask, common::OPS_CLI, "--output", "json", "local", "--port", "0"]);
    Endpoint::of(shell.arg("--data-dir").arg(data))
}

/// Sends failed records of the function to a queue at once.
async fn send_failures_to_a_queue(endpoint: &Endpoint) {
    let lambda = aws_sdk_lambda::Client::new(&endpoint.sdk_config().await);
    let mappings = lambda.list_event_source_mappings().send().await.unwrap().event_source_mappings.unwrap();
    let queue = OnFailure::builder().destination("arn:aws:sqs:us-east-1:000000000000:failed").build();
    let destinations = DestinationConfig::builder().on_failure(queue).build();
    let update = lambda.update_event_source_mapping().uuid(mappings[0].uuid().unwrap());
    update.maximum_retry_attempts(0).destination_config(destinations).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_is_private_whatever_the_umask() {
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = parent.path().join("deep/data");
    for umask in ["000", "022"] {
        let mut endpoint = with_umask(umask, &data);
        endpoint.provision(&[]);
        endpoint.run(["publish", "wake up"]).ok();
        let runtime = eventually("the function's process", || variables(&endpoint, "LAMBDA_RUNTIME_DIR").pop());
        let functions = Path::new(&runtime).parent().unwrap();
        send_failures_to_a_queue(&endpoint).await;
        endpoint.fault(&json!({ "operation": "Invoke", "kind": "functionCrash", "milliseconds": 0, "probability": 1 }));
        // The function may finish before it crashes.
        eventually("the document of a failure", || {
            endpoint.run(["publish", "the secret"]).ok();
            data.join("destinations/sqs/failed").exists().then_some(())
        });
        assert!(all_below(functions).iter().any(|file| file.ends_with("task/bootstrap")));
        for folder in [data.as_path(), functions] {
            assert_eq!(others_may_use(folder), Vec::<String>::new(), "umask {umask}");
        }
        as_another_user(|| {
            for folder in [data.as_path(), functions] {
                assert_eq!(fs::read_dir(folder).unwrap_err().kind(), ErrorKind::PermissionDenied);
            }
            let credentials = fs::read(data.join("credentials.json")).unwrap_err();
            assert_eq!(credentials.kind(), ErrorKind::PermissionDenied);
        });
        // The permissions of an earlier version: everything was open.
        endpoint.stop("-INT");
        for path in all_below(&data).iter().filter(|path| !path.ends_with("credentials.json")) {
            let open = if path.is_dir() { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
        }
    }
}

#[test]
fn a_temporary_folder_in_which_others_can_replace_functions_is_rejected() {
    let (shared, code) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(code.path().join("index.py"), "def handler(event, context): return 1\n").unwrap();
    let function = format!("f={}", code.path().display());
    let command = || {
        let mut command = ops_cli();
        command
            .args(["--output", "json", "local", "--port", "0", "--function", &function])
            .env("TMPDIR", shared.path());
        command
    };
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let run = Run::of(&mut command());
    assert!(run.code == 1 && run.stdout.is_empty(), "{run:?}");
    assert!(run.stderr.contains("every user can write to") && run.stderr.contains("TMPDIR"), "{}", run.stderr);
    // Like /tmp: others can add files, but not replace those of other users.
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    drop(Endpoint::of(&mut command()));
}

#[test]
fn a_data_folder_that_others_can_write_to_is_rejected() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let start = || Run::of(ops_cli().args(["local", "--port", "0", "--data-dir"]).arg(&data));
    fs::create_dir(&data).unwrap();
    for mode in [0o777, 0o770] {
        fs::set_permissions(&data, fs::Permissions::from_mode(mode)).unwrap();
        let run = start();
        assert!(run.code == 1 && run.stdout.is_empty(), "{run:?}");
        assert!(run.stderr.contains(&format!("mode {mode:o}")) && run.stderr.contains("chmod 700"), "{}", run.stderr);
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    drop(Endpoint::start_with(&["--data-dir", data.to_str().unwrap()]));
    assert_eq!(others_may_use(&data), Vec::<String>::new());
    if rustix::process::geteuid().is_root() {
        chown(&data, Some(OTHER), None).unwrap();
        let run = start();
        assert!(run.code == 1 && run.stderr.contains("it belongs to user 65534"), "{run:?}");
    }
}
