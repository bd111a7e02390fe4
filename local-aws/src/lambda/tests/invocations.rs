//! Invocations: payloads, logs, errors, timeouts, warm and cold processes.

use std::path::Path;

use super::*;

const ECHO: &str = "import os, sys\ndef handler(event, context):\n    print('hello')\n    return {'event': event, 'pid': os.getpid()}\n";

#[tokio::test]
async fn an_invocation_returns_a_response_and_logs() {
    let bench = Bench::new();
    bench.create_python(ECHO, json!({})).await;
    let invoked = bench.invoke(json!({ "a": "ü" })).await;
    assert_eq!((invoked.status, &invoked.body["event"]), (200, &json!({ "a": "ü" })));
    assert_eq!(invoked.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(invoked.header("x-amz-function-error"), None);
    let id = invoked.header("x-amzn-requestid").unwrap();
    let tail = invoked.log_tail();
    let lines: Vec<&str> = tail.lines().collect();
    assert_eq!(
        lines[..3],
        [&format!("START RequestId: {id} Version: $LATEST"), "hello", &format!("END RequestId: {id}")]
    );
    assert!(lines[3].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")), "{tail}");
    assert!(lines[3].contains("\tMemory Size: 128 MB\tMax Memory Used: ") && lines[3].contains("\tInit Duration: "));
    let logged = bench.lines("/aws/lambda/f");
    assert!(logged[0].starts_with("INIT_START Runtime Version: python:3.12.v1\tRuntime Version ARN: arn:aws:lambda:"));
    assert_eq!(logged[1..], lines);
    let used: u64 = lines[3].split("Max Memory Used: ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(used > 1, "{used} MB");
}

#[tokio::test]
async fn a_payload_that_is_not_json_is_rejected_before_the_function() {
    let bench = Bench::new();
    bench.create_python(ECHO, json!({})).await;
    for payload in [&b"\x99\xeb"[..], b"{\"a\":\"\xff\"}", b"nope", b"{} {}", b"{\"a\":1"] {
        let refused = bench.request("POST", "/2015-03-31/functions/f/invocations", &[], payload.to_vec()).await;
        assert_eq!((refused.status, refused.code()), (400, "InvalidRequestContentException"), "{payload:?}");
        let start = "Could not parse request body into json: Could not parse payload into json: ";
        assert!(refused.message().starts_with(start), "{}", refused.message());
    }
    assert_eq!(bench.printed(), [""; 0]);
}

#[tokio::test]
async fn a_warm_process_is_reused_until_an_update_retires_it() {
    let bench = Bench::new();
    bench.create_python(ECHO, json!({})).await;
    let pid = async || bench.invoke(json!({})).await.body["pid"].as_u64().unwrap();
    let first = pid().await;
    assert_eq!(pid().await, first);
    assert_eq!(bench.streams("/aws/lambda/f").len(), 1);
    bench.settled().await;
    let path = "/2015-03-31/functions/f/configuration";
    assert_eq!(bench.call("PUT", path, json!({ "Timeout": 4 })).await.status, 200);
    assert_ne!(pid().await, first);
    assert_eq!(bench.streams("/aws/lambda/f").len(), 2);
    process_ends(first).await;
}

#[tokio::test]
async fn concurrent_invocations_run_in_separate_processes() {
    let bench = Bench::new();
    // Each one waits until both have started. With one process alone, this would not end.
    let source = "import os, pathlib, time\ndef handler(event, context):\n    folder = pathlib.Path(event)\n    (folder / str(os.getpid())).touch()\n    while len(list(folder.iterdir())) < 2: time.sleep(0.01)\n    return os.getpid()\n";
    bench.create_python(source, json!({ "Timeout": 30 })).await;
    let folder = tempfile::tempdir().unwrap();
    let payload = json!(folder.path());
    let (first, second) = tokio::join!(bench.invoke(payload.clone()), bench.invoke(payload));
    assert!(first.body.is_u64() && second.body.is_u64() && first.body != second.body, "{first:?} {second:?}");
    assert_eq!(bench.streams("/aws/lambda/f").len(), 2);
}

#[tokio::test]
async fn lines_can_be_read_while_the_invocation_runs() {
    let bench = Bench::new();
    let source = "import os, time\ndef handler(event, context):\n    print('working')\n    while not os.path.exists(event): time.sleep(0.01)\n    return 'done'\n";
    bench.create_python(source, json!({ "Timeout": 30 })).await;
    let folder = tempfile::tempdir().unwrap();
    let go = folder.path().join("go");
    let look = async {
        let working = async || bench.printed().contains(&"working".to_owned()).then_some(());
        eventually("the line is readable", working).await;
        assert!(!bench.lines("/aws/lambda/f").iter().any(|line| line.starts_with("END")));
        std::fs::write(&go, "").unwrap();
    };
    let (invoked, ()) = tokio::join!(bench.invoke(json!(go)), look);
    assert_eq!(invoked.body, "done");
}

#[tokio::test]
async fn a_burst_of_lines_is_complete_in_order_and_before_the_end() {
    let bench = Bench::new();
    let source = "import sys\ndef handler(event, context):\n    sys.stdout.write(''.join(f'line {i}\\n' for i in range(event)))\n    sys.stderr.write('last')\n";
    bench.create_python(source, json!({ "Timeout": 60 })).await;
    bench.invoke(json!(9_000)).await;
    let lines = bench.lines("/aws/lambda/f");
    let begin = lines.iter().position(|line| line.starts_with("START")).unwrap() + 1;
    let expected: Vec<String> = (0..9_000).map(|index| format!("line {index}")).chain(["last".to_owned()]).collect();
    assert_eq!(lines[begin..begin + 9_001], expected);
    assert!(lines[begin + 9_001].starts_with("END"), "{}", lines[begin + 9_001]);
}

#[tokio::test]
async fn an_error_of_the_handler_is_returned_and_the_process_survives() {
    let bench = Bench::new();
    bench
        .create_python(
            "import os\ndef handler(event, context):\n    if event: raise ValueError('no')\n    return os.getpid()\n",
            json!({}),
        )
        .await;
    let pid = bench.invoke(json!(false)).await.body;
    let failed = bench.invoke(json!(true)).await;
    assert_eq!((failed.status, failed.header("x-amz-function-error")), (200, Some("Unhandled")));
    assert_eq!(failed.body["errorType"], "ValueError");
    assert_eq!(failed.body["errorMessage"], "no");
    assert_eq!(failed.body["requestId"], failed.header("x-amzn-requestid").unwrap());
    assert!(failed.body["stackTrace"][0].as_str().unwrap().contains("in handler"), "{failed:?}");
    assert!(failed.log_tail().contains("[ERROR] ValueError: no\nTraceback (most recent call last):\n"));
    assert_eq!(bench.invoke(json!(false)).await.body, pid);
}

#[tokio::test]
async fn a_timeout_kills_the_process_and_everything_it_started() {
    let bench = Bench::new();
    let source = "import os, subprocess, time\ndef handler(event, context):\n    if event:\n        child = subprocess.Popen(['sleep', '1000'])\n        print(f'child {child.pid}')\n        away = subprocess.Popen(['sleep', '1000'], start_new_session=True)\n        print(f'away {away.pid}')\n        time.sleep(1000)\n    return context.get_remaining_time_in_millis()\n";
    bench.create_python(source, json!({ "Timeout": 1 })).await;
    let timed_out = bench.invoke(json!(true)).await;
    assert_eq!((timed_out.status, timed_out.header("x-amz-function-error")), (200, Some("Unhandled")));
    let id = timed_out.header("x-amzn-requestid").unwrap();
    let message = format!("RequestId: {id} Error: Task timed out after 1.00 seconds");
    assert_eq!(timed_out.body, json!({ "errorType": "Sandbox.Timedout", "errorMessage": message }));
    let tail = timed_out.log_tail();
    assert!(tail.contains(&format!("Z {id} Task timed out after 1.00 seconds\n")), "{tail}");
    assert!(tail.trim_end().ends_with("Status: timeout"), "{tail}");
    for prefix in ["child ", "away "] {
        let child = bench.printed().iter().find_map(|line| line.strip_prefix(prefix).map(str::to_owned)).unwrap();
        process_ends(child.parse().unwrap()).await;
    }
    let remaining = bench.invoke(json!(false)).await.body.as_u64().unwrap();
    assert!((1..=1000).contains(&remaining), "{remaining}");
    assert_eq!(bench.streams("/aws/lambda/f").len(), 2);
}

#[tokio::test]
async fn the_end_of_a_process_within_an_invocation_is_reported() {
    let bench = Bench::new();
    bench.create_python("import os\ndef handler(event, context):\n    print('bye')\n    if event < 0: os.kill(os.getpid(), 9)\n    os._exit(event)\n", json!({})).await;
    for (code, words) in [
        (1, "Runtime exited with error: exit status 1"),
        (0, "Runtime exited without providing a reason"),
        (-1, "Runtime exited with error: signal: killed"),
    ] {
        let exited = bench.invoke(json!(code)).await;
        let id = exited.header("x-amzn-requestid").unwrap();
        assert_eq!(exited.header("x-amz-function-error"), Some("Unhandled"));
        let message = format!("RequestId: {id} Error: {words}");
        assert_eq!(exited.body, json!({ "errorType": "Runtime.ExitError", "errorMessage": message }));
        let tail = exited.log_tail();
        let (bye, error) = (tail.find("bye\n").unwrap(), tail.find(&message).unwrap());
        assert!(bye < error && error < tail.find("END RequestId").unwrap(), "{tail}");
        assert!(tail.trim_end().ends_with("Status: error\tError Type: Runtime.ExitError"), "{tail}");
    }
}

#[tokio::test]
async fn an_idle_process_that_died_is_replaced() {
    let bench = Bench::new();
    bench.create_python(ECHO, json!({})).await;
    let first = bench.invoke(json!({})).await.body["pid"].as_u64().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    process_ends(first).await;
    let second = bench.invoke(json!({})).await;
    assert_eq!(second.header("x-amz-function-error"), None, "{second:?}");
    assert_ne!(second.body["pid"].as_u64().unwrap(), first);
}

#[tokio::test]
async fn failed_initializations_are_reported() {
    let bench = Bench::new();
    bench.create_python("raise RuntimeError('no start')\n", json!({})).await;
    let failed = bench.invoke(json!({})).await;
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!((&failed.body["errorType"], &failed.body["errorMessage"]), (&json!("RuntimeError"), &json!("no start")));
    assert!(bench.lines("/aws/lambda/f").iter().any(|line| line.starts_with("INIT_REPORT Init Duration: ")
        && line.ends_with("Phase: init\tStatus: error\tError Type: RuntimeError")));

    let bench = Bench::new();
    bench.create_provided("print('starting', flush=True)\nsys.exit(7)\n", json!({})).await;
    let failed = bench.invoke(json!({})).await;
    let message = failed.body["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Error: Runtime exited with error: exit status 7"), "{message}");
    assert_eq!(bench.printed()[0], "starting");

    let bench = Bench::new();
    let created = bench.create("provided.al2023", "bootstrap", "#!/no/such/interpreter\n", json!({})).await;
    assert_eq!(created.status, 201);
    let failed = bench.invoke(json!({})).await;
    assert_eq!(failed.body["errorType"], "Runtime.InvalidEntrypoint");
    assert!(failed.log_tail().contains("Error: fork/exec "), "{failed:?}");
}

#[tokio::test]
async fn the_runtime_api_is_as_documented() {
    let bench = Bench::new();
    let source = r#"
status, headers, body = call("GET", "/invocation/next")
id = headers["Lambda-Runtime-Aws-Request-Id"]
shown = {name: headers[name] for name in ["Lambda-Runtime-Deadline-Ms", "Lambda-Runtime-Invoked-Function-Arn",
         "Lambda-Runtime-Trace-Id", "Lambda-Runtime-Client-Context", "Lambda-Runtime-Invocation-Id", "Content-Type"]}
shown["body"] = json.loads(body)
shown["busy"] = call("GET", "/invocation/next")[0]
shown["browser"] = call("POST", f"/invocation/{id}/response", "{}", {"Origin": "http://evil.example"})[0]
api.close() # rejected before its body was read, so the connection may be closed
shown["wrong"] = [answer("nobody", "{}")[0], call("POST", f"/invocation/{id}/response", "{}", {"Lambda-Runtime-Invocation-Id": "other"})[0]]
echo = {"Lambda-Runtime-Invocation-Id": shown["Lambda-Runtime-Invocation-Id"]}
status, headers, body = call("POST", f"/invocation/{id}/response", json.dumps(shown), echo)
assert (status, json.loads(body)) == (202, {"status": "OK"}), (status, body)
assert answer(id, "{}")[0] == 400
call("GET", "/invocation/next")
"#;
    bench.create_provided(source, json!({ "Timeout": 10 })).await;
    let context = base64_simd::STANDARD.encode_to_string(r#"{"custom":{"a":"b"}}"#);
    let headers = [("x-amz-client-context", context.as_str())];
    let path = "/2015-03-31/functions/f:$LATEST/invocations";
    let invoked = bench.request("POST", path, &headers, "").await;
    assert_eq!(invoked.header("x-amz-function-error"), None, "{invoked:?} {:?}", bench.printed());
    let shown = invoked.body;
    assert_eq!(shown["body"], json!({}));
    assert_eq!(
        shown["Lambda-Runtime-Invoked-Function-Arn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"
    );
    assert_eq!(shown["Lambda-Runtime-Client-Context"], r#"{"custom":{"a":"b"}}"#);
    assert!(shown["Lambda-Runtime-Trace-Id"].as_str().unwrap().starts_with("Root=1-"));
    let deadline: i64 = shown["Lambda-Runtime-Deadline-Ms"].as_str().unwrap().parse().unwrap();
    assert!((deadline - jiff::Timestamp::now().as_millisecond()).abs() <= 10_000);
    assert_eq!(shown["Content-Type"], "application/json");
    assert_eq!((&shown["busy"], &shown["browser"], &shown["wrong"]), (&json!(403), &json!(403), &json!([400, 400])));
    assert!(bench.printed().is_empty(), "{:?}", bench.printed());
}

#[tokio::test(start_paused = true)]
async fn an_initialization_that_never_ends_times_out() {
    let bench = Bench::new();
    bench.create_provided("import time\ntime.sleep(1000)\n", json!({ "Timeout": 2 })).await;
    let invoked = bench.invoke(json!({})).await;
    assert_eq!(invoked.body["errorType"], "Sandbox.Timedout", "{invoked:?}");
    assert!(invoked.log_tail().contains("Task timed out after 2.00 seconds"), "{}", invoked.log_tail());
}

#[tokio::test]
async fn a_process_survives_the_rejection_of_its_response() {
    let source = r#"
before = 0
while True:
    _, headers, event = call("GET", "/invocation/next")
    before, _, _ = answer(headers["Lambda-Runtime-Aws-Request-Id"], "x" * int(event) if int(event) else str(before))
"#;
    let bench = Bench::new();
    bench.create_provided(source, json!({ "Timeout": 30 })).await;
    assert_eq!(bench.invoke(json!(20_000_000)).await.body["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(bench.invoke(json!(0)).await.body, 413);
    assert_eq!(bench.streams("/aws/lambda/f").len(), 1);
}

#[tokio::test]
async fn large_responses_pass_up_to_the_limit() {
    let bench = Bench::new();
    bench.create_python("def handler(event, context): return 'x' * event\n", json!({ "Timeout": 30 })).await;
    let large = bench.invoke(json!(6_000_000)).await;
    assert_eq!(large.body.as_str().unwrap().len(), 6_000_000);
    let too_large = bench.invoke(json!(20_000_000)).await;
    let message = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
    assert_eq!(too_large.body, json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": message }));
    assert_eq!(bench.invoke(json!(1)).await.body, "x");
    let path = "/2015-03-31/functions/f/invocations";
    let refused = bench.request("POST", path, &[], format!("\"{}\"", "x".repeat(6_291_456))).await;
    assert_eq!((refused.status, refused.code()), (413, "RequestEntityTooLargeException"));
    assert_eq!(refused.message(), "Request must be smaller than 6291456 bytes for the InvokeFunction operation");
    let refused = bench.request("POST", path, &[], "no json").await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidRequestContentException"));
}

#[tokio::test]
async fn asynchronous_and_dry_run_invocations_return_at_once() {
    let bench = Bench::new();
    bench.create_python(ECHO, json!({})).await;
    let path = "/2015-03-31/functions/f/invocations";
    let dry = bench.request("POST", path, &[("x-amz-invocation-type", "DryRun")], "{}").await;
    assert_eq!((dry.status, dry.body), (204, json!("")));
    let event = bench.request("POST", path, &[("x-amz-invocation-type", "Event")], "{}").await;
    assert_eq!((event.status, &event.body), (202, &json!("")));
    let end = format!("END RequestId: {}", event.header("x-amzn-requestid").unwrap());
    eventually("the event was processed", async || bench.lines("/aws/lambda/f").contains(&end).then_some(())).await;
    assert_eq!(bench.streams("/aws/lambda/f").len(), 1);
    let invalid = bench.request("POST", path, &[("x-amz-invocation-type", "Other")], "{}").await;
    assert_eq!(invalid.code(), "ValidationException");
}

#[tokio::test]
async fn a_failed_event_is_retried_twice_with_its_request_id() {
    let bench = Bench::new();
    let source = "def handler(event, context):\n    print('tried', context.aws_request_id, event)\n    if event == 'fail': raise Exception('no')\n";
    bench.create_python(source, json!({})).await;
    let path = "/2015-03-31/functions/f/invocations";
    let event = bench.request("POST", path, &[("x-amz-invocation-type", "Event")], r#""fail""#).await;
    let line = format!("tried {} fail", event.header("x-amzn-requestid").unwrap());
    let attempts = || bench.printed().iter().filter(|printed| **printed == line).count();
    eventually("it was attempted three times", async || (attempts() >= 3).then_some(())).await;
    let fine = bench.request("POST", path, &[("x-amz-invocation-type", "Event")], r#""fine""#).await;
    let fine = format!("tried {} fine", fine.header("x-amzn-requestid").unwrap());
    eventually("another one is attempted", async || bench.printed().contains(&fine).then_some(())).await;
    assert_eq!(attempts(), 3);
    assert_eq!(bench.printed().iter().filter(|printed| **printed == fine).count(), 1);
}

#[tokio::test]
async fn the_environment_contains_only_lambdas_variables() {
    let bench = Bench::new();
    let source = "import os\nSTART = dict(os.environ)\ndef handler(event, context):\n    return {'environment': START, 'cwd': os.getcwd()}\n";
    bench.create_python(source, json!({ "Environment": { "Variables": { "OWN": "value" } } })).await;
    let body = bench.invoke(json!({})).await.body;
    let environment = body["environment"].as_object().unwrap();
    for (name, value) in [
        ("AWS_LAMBDA_FUNCTION_NAME", "f"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("AWS_LAMBDA_LOG_FORMAT", "Text"),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"),
        ("_HANDLER", "index.handler"),
        ("TZ", ":UTC"),
        ("OWN", "value"),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    assert_eq!(environment["AWS_LAMBDA_LOG_STREAM_NAME"], bench.streams("/aws/lambda/f")[0]);
    assert_eq!(environment["LAMBDA_TASK_ROOT"], body["cwd"]);
    // The credentials of a session of its own.
    let credentials = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
    assert!(credentials.iter().all(|name| environment[*name].as_str().is_some_and(|value| value.len() >= 20)));
    for leaked in ["HOME", "USER", "CARGO", "CARGO_MANIFEST_DIR", "PWD"] {
        assert_eq!(environment.get(leaked), None);
    }
}

#[tokio::test]
async fn logs_follow_the_logging_config() {
    let bench = Bench::new();
    let logging = json!({ "LogFormat": "JSON", "LogGroup": "shared", "SystemLogLevel": "DEBUG" });
    bench.create_python(ECHO, json!({ "LoggingConfig": logging })).await;
    bench.invoke(json!({})).await;
    let stream = &bench.streams("shared")[0];
    assert!(stream.contains("/f[$LATEST]") && stream.split("[$LATEST]").nth(1).unwrap().len() == 32, "{stream}");
    let types: Vec<Value> = bench
        .lines("shared")
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).map_or(json!(line), |event| event["type"].clone()))
        .collect();
    let expected = ["platform.initStart", "platform.start", "hello", "platform.runtimeDone", "platform.report"];
    assert_eq!(types, expected);
}

#[tokio::test]
async fn shutdown_ends_every_process_and_removes_their_files() {
    let bench = Bench::new();
    bench.create_python("import os, subprocess\ndef handler(event, context):\n    child = subprocess.Popen(['sleep', '1000'])\n    return [os.getpid(), child.pid, os.getcwd()]\n", json!({})).await;
    let body = bench.invoke(json!({})).await.body;
    bench.lambda.shutdown().await;
    process_ends(body[0].as_u64().unwrap()).await;
    process_ends(body[1].as_u64().unwrap()).await;
    let folder = Path::new(body[2].as_str().unwrap());
    eventually("its folder is removed", async || (!folder.exists()).then_some(())).await;
}

#[tokio::test]
async fn deleting_a_function_ends_its_processes() {
    let bench = Bench::new();
    bench.create_python(ECHO, json!({})).await;
    let pid = bench.invoke(json!({})).await.body["pid"].as_u64().unwrap();
    assert_eq!(bench.call("DELETE", "/2015-03-31/functions/f", Value::Null).await.status, 204);
    process_ends(pid).await;
}

/// A killed child of a killed process stays a zombie until its new parent reaps it, which the endpoint does not
/// control.
pub async fn process_ends(pid: u64) {
    eventually("the process has ended", async || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
        matches!(state, None | Some('Z')).then_some(())
    })
    .await;
}
