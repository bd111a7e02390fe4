//! Our own bootstraps for Node.js and Python: how handlers are found, how they answer, what they log.

use super::*;

async fn node(file: &str, source: &str, more: Value) -> Bench {
    let bench = Bench::new();
    let created = bench.create("nodejs20.x", file, source, more).await;
    assert_eq!(created.status, 201, "{created:?}");
    bench
}

#[tokio::test]
async fn node_handlers_answer_in_every_way_they_can() {
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
async fn node_console_lines_are_lambdas() {
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
    assert_eq!((&own[1]["level"], &own[1]["errorMessage"]), (&json!("ERROR"), &json!("bad")));
    assert_eq!(own[2]["message"], json!({ "a": 1 }));
}

#[tokio::test]
async fn node_errors_are_answered() {
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

    let source = "exports.handler = async () => { setTimeout(() => { throw new Error('later'); }, 1); await new Promise((r) => setTimeout(r, 5000)); };";
    let bench = node("index.js", source, json!({ "Timeout": 10 })).await;
    let crashed = bench.invoke(json!({})).await;
    let message = crashed.body["errorMessage"].as_str().unwrap();
    assert!(message.ends_with("Runtime exited with error: exit status 129"), "{crashed:?}");
}

#[tokio::test]
async fn the_three_line_logger_of_the_walk_through() {
    let source = "exports.handler = async (event) => { event.Records.forEach(r => console.log(Buffer.from(r.kinesis.data, 'base64').toString('utf8'))); };";
    let bench = node("index.js", source, json!({ "Runtime": "nodejs16.x" })).await;
    bench.invoke(json!({ "Records": [{ "kinesis": { "data": "SGVsbG8sIExhbWJkYSBDTEkgV29ybGQ=" } }] })).await;
    assert!(bench.printed()[0].ends_with("\tINFO\tHello, Lambda CLI World"), "{:?}", bench.printed());
}

#[tokio::test]
async fn python_logging_and_handlers() {
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
