//! No process that a function started outlives the endpoint, however the endpoint ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::invocations::process_ends;
use super::*;

/// Starts a child, one in a session of its own, and a daemon, whose parent has exited and whose working folder is
/// another one.
const STARTS_MANY: &str = r#"
import os, subprocess
def daemon():
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid == 0:
            os.chdir('/')
            os.execv('/bin/sleep', ['sleep', '1000'])
        os.write(write, str(pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(read, 20))
def handler(event, context):
    child = subprocess.Popen(['sleep', '1000'])
    detached = subprocess.Popen(['sleep', '1000'], start_new_session=True)
    return {'pids': [os.getpid(), child.pid, detached.pid, daemon()], 'folder': os.path.dirname(os.environ['LAMBDA_RUNTIME_DIR'])}
"#;

async fn start_many(bench: &Bench) -> Value {
    bench.create_python(STARTS_MANY, json!({ "Timeout": 30 })).await;
    let started = bench.invoke(json!({})).await;
    assert_eq!(started.header("x-amz-function-error"), None, "{started:?}");
    started.body
}

async fn all_end(started: &Value) {
    for pid in started["pids"].as_array().unwrap() {
        process_ends(pid.as_u64().unwrap()).await;
    }
}

#[tokio::test]
async fn a_shutdown_leaves_no_process() {
    let bench = Bench::new();
    let started = start_many(&bench).await;
    bench.lambda.shutdown().await;
    all_end(&started).await;
}

#[tokio::test]
async fn the_end_of_a_function_process_ends_everything_it_started() {
    let bench = Bench::new();
    let started = start_many(&bench).await;
    assert_eq!(bench.call("DELETE", "/2015-03-31/functions/f", Value::Null).await.status, 204);
    all_end(&started).await;
}

#[tokio::test]
async fn a_killed_endpoint_leaves_no_process() {
    let mut endpoint = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lambda::tests::outlive::runs_an_endpoint_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(endpoint.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("\"pids\"")).expect("the endpoint prints the PIDs");
    let started: Value = serde_json::from_str(&line).unwrap();
    endpoint.kill().unwrap();
    endpoint.wait().unwrap();
    all_end(&started).await;
    let folder = Path::new(started["folder"].as_str().unwrap());
    eventually("its folder is removed", async || (!folder.exists()).then_some(())).await;
}

/// `a_killed_endpoint_leaves_no_process` runs this in a process of its own.
#[tokio::test]
#[ignore = "never ends"]
#[allow(clippy::print_stdout)]
async fn runs_an_endpoint_to_be_killed() {
    let bench = Bench::new();
    println!("\n{}", start_many(&bench).await);
    std::future::pending().await
}
