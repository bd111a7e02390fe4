//! The endpoint's bootstraps for Node.js and Python: handlers, responses and logs.

use super::*;

async fn node(file: &str, source: &str, more: Value) -> Bench {
    let bench = Bench::new();
    let created = bench.create("nodejs20.x", file, source, more).await;
    assert_eq!(created.status, 201, "{created:?}");
    bench
}

#[tokio::test]
async fn node_handlers_of_every_form_return_their_result() {
    for (file, handler, source, answer) in [
        ("index.js", "index.handler", "exports.handler = async (event) => event.a;", json!(1)),
        (
            "index.js",
            "index.handler",
            "exports.handler = (event, context, done) => setTimeout(() => done(null, 'late'), 5);",
            json!("late"),
        ),
        (
            "index.js",
            "index.handler",
            "exports.handler = (event, context) => { context.succeed('done'); };",
            json!("done"),
        ),
        ("index.js", "index.handler", "exports.handler = async () => {};", json!(null)),
        ("index.js", "index.handler", "exports.handler = () => 'ignored';", json!(null)),
        ("index.js", "index.handler", "exports.handler = () => new Promise(() => {});", json!(null)),
        ("index.mjs", "index.handler", "export const handler = async () => 'module';", json!("module")),
        ("index.cjs", "index.handler", "exports.handler = async () => 'common';", json!("common")),
        ("src/app.js", "src/app.deep.handler", "exports.deep = { handler: async () => 'deep' };", json!("deep")),
        (
            "index.js",
            "index.handler",
            "exports.handler = async (e, c) => [c.functionName, c.memoryLimitInMB, c.getRemainingTimeInMillis() > 0, c.invokedFunctionArn.endsWith(':f')];",
            json!(["f", "128", true, true]),
        ),
    ] {
        let bench = node(file, source, json!({ "Handler": handler })).await;
        for _ in 0..2 {
            let invoked = bench.invoke(json!({ "a": 1 })).await;
            assert_eq!(invoked.body, answer, "{source} {:?}", bench.printed());
        }
        assert_eq!(bench.streams("/aws/lambda/f").len(), 1, "{source}");
    }
}

#[tokio::test]
async fn node_24_has_an_invoke_store() {
    let source = "const store = globalThis.awslambda.InvokeStore;
        const atInit = [store?.hasContext(), store?.getRequestId()];
        const refusal = (work) => { try { work(); } catch (error) { return error.message; } };
        exports.handler = async (event, context) => {
            if (!store) return 'none';
            const before = store.get('own');
            store.set('own', event);
            await new Promise(setImmediate);
            return [atInit, before ?? null, store.get('own'), store.getRequestId() === context.awsRequestId,
                refusal(() => store.set(Symbol.for('_AWS_LAMBDA_REQUEST_ID'), 'x'))];
        };";
    let bench = Bench::new();
    let created = bench.create("nodejs24.x", "index.js", source, json!({})).await;
    assert_eq!(created.status, 201, "{created:?}");
    let refused = "Cannot modify protected Lambda context field: Symbol(_AWS_LAMBDA_REQUEST_ID)";
    for event in [1, 2] {
        let invoked = bench.invoke(json!(event)).await;
        assert_eq!(invoked.body, json!([[false, "-"], null, event, true, refused]), "{:?}", bench.printed());
    }
    assert_eq!(node("index.js", source, json!({})).await.invoke(json!(1)).await.body, "none");
}

#[tokio::test]
async fn node_console_lines_have_lambdas_format() {
    let source = "exports.handler = async () => { console.log('two\\nlines', { a: 1 }); console.error('bad %d', 7); console.warn('careful'); };";
    let bench = node("index.js", source, json!({})).await;
    let invoked = bench.invoke(json!({})).await;
    let id = invoked.header("x-amzn-requestid").unwrap();
    let printed = bench.printed();
    let lines: Vec<(&str, String)> = printed
        .iter()
        .map(|line| {
            let (time, rest) = line.split_once('\t').unwrap();
            time.parse::<jiff::Timestamp>().unwrap();
            (rest.split_once('\t').unwrap().0, rest.split_once('\t').unwrap().1.to_owned())
        })
        .collect();
    let expected = ["INFO\ttwo\nlines { a: 1 }", "ERROR\tbad 7", "WARN\tcareful"];
    assert_eq!(lines, expected.map(|line| (id, line.to_owned())));
}

#[tokio::test]
async fn node_lines_in_json_follow_the_level() {
    let source = "exports.handler = async () => { console.debug('no'); console.log('yes', 1); console.error(new Error('bad')); console.info({ a: 1 }); };";
    let logging = json!({ "LogFormat": "JSON", "ApplicationLogLevel": "INFO" });
    let bench = node("index.js", source, json!({ "LoggingConfig": logging })).await;
    let invoked = bench.invoke(json!({})).await;
    let lines: Vec<Value> =
        bench.lines("/aws/lambda/f").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let own: Vec<&Value> = lines.iter().filter(|line| line.get("type").is_none()).collect();
    assert_eq!(own.len(), 3, "{own:?}");
    assert_eq!((&own[0]["level"], &own[0]["message"]), (&json!("INFO"), &json!("yes 1")));
    assert_eq!(own[0]["requestId"], invoked.header("x-amzn-requestid").unwrap());
    assert_eq!((&own[1]["level"], &own[1]["message"]["errorMessage"]), (&json!("ERROR"), &json!("bad")));
    assert_eq!(own[2]["message"], json!({ "a": 1 }));
}

#[tokio::test]
async fn node_errors_are_returned() {
    let source = "exports.handler = async (event) => { if (event) throw new TypeError('no'); await new Promise(() => { throw 'text'; }); };";
    let bench = node("index.js", source, json!({})).await;
    let failed = bench.invoke(json!(true)).await;
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!((&failed.body["errorType"], &failed.body["errorMessage"]), (&json!("TypeError"), &json!("no")));
    assert!(failed.body["trace"][0].as_str().unwrap().starts_with("TypeError: no"));
    assert!(failed.log_tail().contains("\tERROR\tInvoke Error"), "{}", failed.log_tail());
    assert_eq!(bench.invoke(json!(false)).await.body["errorMessage"], "text");

    for (handler, source, kind) in [
        ("index.other", "exports.handler = 1;", "Runtime.HandlerNotFound"),
        ("index.handler", "exports.handler = 1;", "Runtime.HandlerNotFound"),
        ("missing.handler", "", "Runtime.ImportModuleError"),
        ("index.handler", "require('no-such-module');", "Runtime.ImportModuleError"),
        ("index.handler", "exports.handler = (", "Runtime.UserCodeSyntaxError"),
        ("index", "", "Runtime.MalformedHandlerName"),
    ] {
        let bench = node("index.js", source, json!({ "Handler": handler })).await;
        assert_eq!(bench.invoke(json!({})).await.body["errorType"], kind, "{handler} {source}");
    }
}

/// A pause that every error must interrupt.
const PAUSE: &str = "await new Promise((resolve) => setTimeout(resolve, 5000));";

#[tokio::test]
async fn node_errors_outside_of_the_handler_fail_the_invocation() {
    for (work, kind, message, logged) in [
        (
            "Promise.reject(new TypeError('no'));",
            "Runtime.UnhandledPromiseRejection",
            "TypeError: no",
            "Unhandled Promise Rejection",
        ),
        ("setTimeout(() => { throw new RangeError('later'); }, 1);", "RangeError", "later", "Uncaught Exception"),
    ] {
        let source = format!("exports.handler = async () => {{ {work} {PAUSE} }};");
        let bench = node("index.js", &source, json!({ "Timeout": 10 })).await;
        let failed = bench.invoke(json!({})).await;
        assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
        assert_eq!(
            (&failed.body["errorType"], &failed.body["errorMessage"]),
            (&json!(kind), &json!(message)),
            "{failed:?}"
        );
        assert!(bench.printed()[0].contains(&format!("\tERROR\t{logged} \t{{\"errorType\":")), "{:?}", bench.printed());
    }
    // During the initialization there is no invocation yet.
    let source = "Promise.reject(new Error('early')); exports.handler = async () => 1;";
    let failed = node("index.js", source, json!({})).await.invoke(json!({})).await;
    assert_eq!(failed.body["errorMessage"], "Error: early", "{failed:?}");
    // Node.js 24 on Lambda leaves them to Node.js itself.
    let source = format!("exports.handler = async () => {{ Promise.reject(new Error('no')); {PAUSE} }};");
    let failed = node("index.js", &source, json!({ "Runtime": "nodejs24.x" })).await.invoke(json!({})).await;
    assert!(failed.body["errorMessage"].as_str().unwrap().ends_with("error: exit status 1"), "{failed:?}");
}

#[tokio::test]
async fn node_errors_outside_of_the_handler_come_before_its_answer() {
    let rejection = "Promise.reject(new Error('unh'));";
    let late = "process.once('unhandledRejection', () => console.error('later')); setTimeout(() => console.error('later'), 0);";
    for (runtime, work, kind) in [
        (
            "nodejs18.x",
            format!("{rejection} await new Promise((done) => setTimeout(done, 0));"),
            "Runtime.UnhandledPromiseRejection",
        ),
        (
            "nodejs22.x",
            format!("{late} {rejection} await new Promise((done) => setTimeout(done, 0));"),
            "Runtime.UnhandledPromiseRejection",
        ),
        (
            "nodejs20.x",
            "setImmediate(() => { throw new RangeError('late'); }); await new Promise(setImmediate);".to_owned(),
            "RangeError",
        ),
        (
            "nodejs20.x",
            "queueMicrotask(() => { throw new RangeError('late'); }); await new Promise(setImmediate);".to_owned(),
            "RangeError",
        ),
        ("nodejs24.x", rejection.to_owned(), "Runtime.ExitError"),
        ("nodejs24.x", "setImmediate(() => { throw new RangeError('late'); });".to_owned(), "Runtime.ExitError"),
    ] {
        let source = format!("exports.handler = async () => {{ {work} return 'ok'; }};");
        let bench = node("index.js", &source, json!({ "Runtime": runtime })).await;
        for _ in 0..3 {
            let failed = bench.invoke(json!({})).await;
            assert_eq!(failed.body["errorType"], kind, "{runtime} {work} {failed:?}");
        }
        assert!(bench.printed().iter().all(|line| !line.contains("later")), "{:?}", bench.printed());
    }
}

#[tokio::test]
async fn node_errors_of_a_stream_end_the_process() {
    for work in [
        "stream.end('x'); stream.write('more');",
        "stream.destroy(new Error('x')); await new Promise((done) => setTimeout(done, 20));",
    ] {
        let source = format!("exports.handler = awslambda.streamifyResponse(async (event, stream) => {{ {work} }});");
        for (runtime, kind) in
            [("nodejs18.x", "Runtime.UnhandledPromiseRejection"), ("nodejs24.x", "Runtime.ExitError")]
        {
            let bench = node("index.js", &source, json!({ "Runtime": runtime })).await;
            for _ in 0..2 {
                assert_eq!(bench.invoke(json!({})).await.body["errorType"], kind, "{runtime} {work}");
            }
            let is_logged = bench.printed().iter().any(|line| line.contains("Invoke Error"));
            assert!(runtime != "nodejs24.x" || !is_logged, "{:?}", bench.printed());
        }
    }
}

#[tokio::test]
async fn node_streams_return_the_written_bytes() {
    for (body, answer) in [
        ("stream.write('a'); stream.end('b');", json!("ab")),
        (
            "const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201 }); http.write('a'); http.end();",
            json!("{\"statusCode\":201}\0\0\0\0\0\0\0\0a"),
        ),
    ] {
        let source = format!("exports.handler = awslambda.streamifyResponse(async (event, stream) => {{ {body} }});");
        let bench = node("index.js", &source, json!({})).await;
        for _ in 0..2 {
            assert_eq!(bench.invoke(json!({})).await.body, answer, "{:?}", bench.printed());
        }
    }
    let source = "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('begun'); throw new RangeError('late'); });";
    let failed = node("index.js", source, json!({})).await.invoke(json!({})).await;
    assert_eq!(
        (&failed.body["errorType"], &failed.body["errorMessage"]),
        (&json!("RangeError"), &json!("late")),
        "{failed:?}"
    );
}

#[tokio::test]
async fn the_three_line_logger_of_the_documentation_logs_records() {
    let source = "exports.handler = async (event) => { event.Records.forEach(r => console.log(Buffer.from(r.kinesis.data, 'base64').toString('utf8'))); };";
    let bench = node("index.js", source, json!({ "Runtime": "nodejs16.x" })).await;
    bench.invoke(json!({ "Records": [{ "kinesis": { "data": "SGVsbG8sIExhbWJkYSBDTEkgV29ybGQ=" } }] })).await;
    assert!(bench.printed()[0].ends_with("\tINFO\tHello, Lambda CLI World"), "{:?}", bench.printed());
}

#[tokio::test]
async fn python_logging_and_handlers_work_as_on_lambda() {
    let bench = Bench::new();
    let source = "import logging\ndef handler(event, context):\n    logging.warning('one\\ntwo %d', 2)\n    logging.info('hidden')\n    print(event['ü'])\n    return [context.function_name, context.memory_limit_in_mb, context.aws_request_id]\n";
    let more = json!({ "Handler": "pkg/app.handler" });
    let created = bench.create("python3.12", "pkg/app.py", source, more).await;
    assert_eq!(created.status, 201);
    let invoked = bench.invoke(json!({ "ü": "grün" })).await;
    let id = invoked.header("x-amzn-requestid").unwrap();
    assert_eq!(invoked.body, json!(["f", "128", id]));
    let printed = bench.printed();
    assert!(
        printed[0].starts_with("[WARNING]\t") && printed[0].ends_with(&format!("Z\t{id}\tone\ntwo 2")),
        "{printed:?}"
    );
    assert_eq!(printed[1..], ["grün"]);

    for (handler, source, kind) in [
        ("index.other", "", "Runtime.HandlerNotFound"),
        ("missing.handler", "", "Runtime.ImportModuleError"),
        ("index.handler", "def (", "Runtime.UserCodeSyntaxError"),
        ("index", "", "Runtime.MalformedHandlerName"),
    ] {
        let bench = Bench::new();
        bench.create_python(source, json!({ "Handler": handler })).await;
        assert_eq!(bench.invoke(json!({})).await.body["errorType"], kind, "{handler}");
    }
}

fn json_at(level: &str) -> Value {
    json!({ "LoggingConfig": { "LogFormat": "JSON", "ApplicationLogLevel": level, "SystemLogLevel": "WARN" } })
}

async fn python(source: &str, more: Value) -> Bench {
    let bench = Bench::new();
    bench.create_python(source, more).await;
    bench
}

/// The lines of JSON that a function has logged.
fn records(bench: &Bench) -> Vec<Value> {
    bench.lines("/aws/lambda/f").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn python_warnings_criticals_and_errors_pass_the_level_warn() {
    let source = "import logging\ndef handler(event, context):\n    logging.info('i')\n    logging.warning('w')\n    logging.critical('c')\n    raise ValueError('e')\n";
    let bench = python(source, json_at("WARN")).await;
    bench.invoke(json!({})).await;
    let levels: Vec<Value> = records(&bench).into_iter().map(|record| record["level"].clone()).collect();
    assert_eq!(levels, ["WARNING", "CRITICAL", "ERROR"]);
}

#[tokio::test]
async fn raw_output_never_mixes_with_a_record() {
    let source = "exports.handler = async () => { process.stdout.write('p'); console.warn('w'); };";
    let node = node("index.js", source, json_at("WARN")).await;
    let source = "import logging\ndef handler(event, context):\n    print('p', end='')\n    logging.warning('w')\n";
    let python = python(source, json_at("WARN")).await;
    for bench in [node, python] {
        bench.invoke(json!({})).await;
        let messages: Vec<Value> = records(&bench).into_iter().map(|record| record["message"].clone()).collect();
        assert_eq!(messages, ["w"]);
    }
}

#[tokio::test]
async fn printed_and_logged_lines_keep_their_order() {
    let source = "exports.handler = async () => { for (let i = 0; i < 100; i++) { process.stdout.write(`p${i}\\n`); console.log(`l${i}`); process.stderr.write(`e${i}\\n`); } };";
    let node = node("index.js", source, json!({})).await;
    let source = "import logging, sys\ndef handler(event, context):\n    for i in range(100):\n        print(f'p{i}')\n        logging.error(f'l{i}')\n        print(f'e{i}', file=sys.stderr)\n";
    let python = python(source, json!({})).await;
    let expected: Vec<String> = (0..100).flat_map(|i| ["p", "l", "e"].map(|kind| format!("{kind}{i}"))).collect();
    for bench in [node, python] {
        bench.invoke(json!({})).await;
        let printed = bench.printed();
        let texts: Vec<&str> = printed.iter().map(|line| line.rsplit('\t').next().unwrap()).collect();
        assert_eq!(texts, expected);
    }
}

#[tokio::test]
async fn python_json_records_contain_the_given_values() {
    let source = "import logging\ndef handler(event, context):\n    logging.error('grüße', extra={'order': 7})\n    logging.error({'a': 1})\n    try: 1 / 0\n    except ZeroDivisionError: logging.exception('failed')\n";
    let bench = python(source, json_at("INFO")).await;
    bench.invoke(json!({})).await;
    assert!(bench.lines("/aws/lambda/f")[0].contains("grüße"));
    let records = records(&bench);
    assert_eq!(records[0]["order"], 7);
    let timestamp = records[0]["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == "2026-01-02T03:04:05.678Z".len() && timestamp.parse::<jiff::Timestamp>().is_ok());
    assert_eq!(records[1]["message"], json!({ "a": 1 }));
    assert!(records[2]["location"].as_str().unwrap().ends_with("/index.py:handler:6"), "{}", records[2]);
    assert_eq!(
        (&records[2]["errorType"], &records[2]["errorMessage"]),
        (&json!("ZeroDivisionError"), &json!("division by zero"))
    );
}

#[tokio::test]
async fn python_results_are_marshalled_as_on_lambda() {
    let source = "from decimal import Decimal\ndef handler(event, context):\n    return {'decimal': {'n': Decimal('1.50')}, 'set': {1, 2}, 'bytes': b'raw'}[event]\n";
    let bench = python(source, json!({})).await;
    let request = Request::post("/2015-03-31/functions/f/invocations").body(Bytes::from(r#""decimal""#)).unwrap();
    let answer = bench.lambda.handle(request).await.unwrap();
    assert_eq!(answer.body(), r#"{"n": 1.50}"#);
    assert_eq!(bench.invoke(json!("bytes")).await.body, "raw");
    let failed = bench.invoke(json!("set")).await.body;
    assert_eq!(failed["errorType"], "Runtime.MarshalError");
    assert_eq!(failed["errorMessage"], "Unable to marshal response: Object of type set is not JSON serializable");
    assert_eq!(failed["stackTrace"], json!([]));
}

#[tokio::test]
async fn python_results_with_as_dict_are_objects() {
    let source = "class A:\n    def __init__(self, d): self.d = d\n    def _asdict(self): return self.d\ndef handler(event, context):\n    return [A({'k': 1}), {'a': A({})}] if event else A(7)\n";
    let bench = python(source, json!({})).await;
    assert_eq!(bench.invoke(json!(true)).await.body, json!([{ "k": 1 }, { "a": {} }]));
    let failed = bench.invoke(json!(false)).await.body;
    assert_eq!(failed["errorMessage"], "Unable to marshal response: _asdict() must return a dict, not int");
}

#[tokio::test]
async fn a_python_process_ends_after_a_response_that_is_too_large() {
    let source = "import os\ndef handler(event, context):\n    return 'x' * event if event else os.getpid()\n";
    let bench = python(source, json!({})).await;
    let before = bench.invoke(json!(0)).await.body;
    assert_eq!(bench.invoke(json!(7_000_000)).await.body["errorType"], "Function.ResponseSizeTooLarge");
    let lines = eventually("the end of the process is logged", async || {
        let lines = bench.printed();
        lines.iter().any(|line| line.contains("RuntimeError: Failed to post invocation response")).then_some(lines)
    })
    .await;
    let failed = "LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. ";
    assert!(lines.iter().any(|line| line.starts_with("[ERROR] [") && line.contains(failed)), "{lines:?}");
    assert_ne!(bench.invoke(json!(0)).await.body, before);
}

#[tokio::test]
async fn python_records_with_a_lone_surrogate_fail_the_handler() {
    let source = "import logging\ndef handler(event, context):\n    logging.error('sur \\ud800 x')\n";
    let failed = python(source, json!({})).await.invoke(json!({})).await.body;
    assert_eq!(failed["errorType"], "UnicodeEncodeError", "{failed}");
}

#[tokio::test]
async fn python_records_keep_the_extra_values_with_names_of_unused_members() {
    let source = "import logging\ndef handler(event, context):\n    logging.error('m', extra={'tenantId': 't', '_frame_type': None})\n";
    let bench = python(source, json_at("INFO")).await;
    bench.invoke(json!({})).await;
    let record = &records(&bench)[0];
    assert_eq!((&record["tenantId"], record.get("_frame_type")), (&json!("t"), None), "{record}");
}

#[tokio::test]
async fn a_python_error_at_init_outside_latin_1_is_reported_by_the_end_of_the_process() {
    let bench = python("raise ValueError('5 \u{20ac}')\n", json!({})).await;
    let failed = bench.invoke(json!({})).await.body;
    assert_eq!(failed["errorType"], "Runtime.ExitError", "{failed}");
    assert!(bench.printed().iter().any(|line| line.contains("5 \u{20ac}")), "{:?}", bench.printed());
}

#[tokio::test]
async fn node_errors_without_a_text_as_stack_are_described_as_on_lambda() {
    let source = "exports.handler = async () => { throw Object.assign(new Error('x'), { stack: ['a'] }); };";
    let failed = node("index.js", source, json!({})).await.invoke(json!({})).await.body;
    assert_eq!((&failed["errorType"], failed.get("trace")), (&json!("handled"), None), "{failed}");
}

#[tokio::test]
async fn the_context_of_node_24_has_the_trace_id() {
    let source = "exports.handler = async (event, context) => [Object.keys(context).includes('xRayTraceId'), context.xRayTraceId === process.env._X_AMZN_TRACE_ID];";
    for (runtime, expected) in [("nodejs22.x", json!([false, false])), ("nodejs24.x", json!([true, true]))] {
        let bench = node("index.js", source, json!({ "Runtime": runtime })).await;
        assert_eq!(bench.invoke(json!({})).await.body, expected, "{runtime}");
    }
}

#[tokio::test]
async fn python_errors_contain_only_the_functions_frames() {
    for (source, kind, trace) in [
        ("import nosuch", "Runtime.ImportModuleError", json!([])),
        ("x = (\n", "Runtime.UserCodeSyntaxError", json!(["  File \"/var/task/index.py\" Line 1\n    x = (\n"])),
        ("def handler(event):\n    pass\n", "TypeError", json!([])),
        (
            "def handler(event, context):\n    raise KeyError('k')\n",
            "KeyError",
            json!(["  File \"/var/task/index.py\", line 2, in handler\n    raise KeyError('k')\n"]),
        ),
    ] {
        let bench = python(source, json!({})).await;
        let failed = bench.invoke(json!({})).await.body;
        assert_eq!(failed["errorType"], kind);
        let frames: Vec<String> = serde_json::from_value(failed["stackTrace"].clone()).unwrap();
        let plain = |frame: &String| match (frame.find('/'), frame.find("/index.py")) {
            (Some(from), Some(to)) => format!("{}/var/task{}", &frame[..from], &frame[to..]),
            _ => frame.clone(),
        };
        assert_eq!(json!(frames.iter().map(plain).collect::<Vec<_>>()), trace, "{failed}");
    }
}

#[tokio::test]
async fn a_python_formatter_can_use_the_request_id() {
    let source = "import logging\nlogging.getLogger().handlers[0].setFormatter(logging.Formatter('%(aws_request_id)s %(message)s'))\ndef handler(event, context):\n    logging.error('m')\n";
    let bench = python(source, json!({})).await;
    let id = bench.invoke(json!({})).await.header("x-amzn-requestid").unwrap().to_owned();
    assert_eq!(bench.printed(), [format!("{id} m")]);
}

#[tokio::test]
async fn a_runtime_that_aws_has_ended_needs_the_option_any_runtime() {
    let source = "def handler(event, context):\n    return 1\n";
    let refused = Bench::new().create("python3.7", "index.py", source, json!({})).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidParameterValueException"));
    assert!(
        refused
            .message()
            .starts_with("The runtime parameter of python3.7 is no longer supported for creating or updating")
    );

    let bench = python(source, json!({})).await;
    bench.settled().await;
    let path = "/2015-03-31/functions/f/configuration";
    let refused = bench.call("PUT", path, json!({ "Runtime": "nodejs14.x" })).await;
    assert_eq!((refused.status, refused.code()), (400, "InvalidParameterValueException"));

    let bench = Bench::with(Config { any_runtime: true, ..Config::default() }, &Store::default());
    assert_eq!(bench.create("python3.7", "index.py", source, json!({})).await.status, 201);
    assert_eq!(bench.invoke(json!({})).await.body, 1);
}
