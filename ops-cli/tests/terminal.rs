//! Tests that text from services cannot control the terminal, on stdout and stderr, in a pipe and in a terminal.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::UNIX_EPOCH;

use common::{OPS_CLI, Run, function_zip, ops_cli, ops_cli_by};
use serde_json::json;

/// OSC, CSI, C1, BS, CR and LF, direction marks, and invisible characters.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[38;5;201m\u{9b}2J\u{9d}0;x\u{9c}\u{8}\u{8}\rFORGED\nFORGED\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{2028}\u{feff}\u{e0041}\u{7f}";
const ESCAPED: &str = r"\u{1b}]0;owned\u{7}\u{1b}[38;5;201m\u{9b}2J\u{9d}0;x\u{9c}\u{8}\u{8}\rFORGED\nFORGED\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{2028}\u{feff}\u{e0041}\u{7f}";

/// The kind of answer to every request.
#[derive(Clone, Copy)]
enum Answers {
    /// Every request is rejected.
    Refusals,
    /// A stream, a function, a mapping and a log, all with hostile values.
    Values,
}

/// Starts a server that answers every request, and returns its address.
fn server(answers: Answers) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client, answers));
        }
    });
    url
}

fn serve(client: TcpStream, answers: Answers) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (status, body) = match answers {
        Answers::Refusals => ("400 Bad", refusal(&head)),
        Answers::Values => ("200 OK", value(&head, &String::from_utf8_lossy(&body))),
    };
    // A header value can contain non-ASCII bytes, but no ASCII control characters.
    let headers = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nx-amzn-requestid: \u{202e}\u{9b}x\r\nconnection: close\r\n\r\n",
        body.len()
    );
    (&client).write_all(&[headers.as_bytes(), body.as_bytes()].concat()).ok()
}

fn is_query(head: &str) -> bool {
    head.contains("application/x-www-form-urlencoded")
}

fn refusal(head: &str) -> String {
    if is_query(head) {
        // XML allows only these characters.
        let text: String = HOSTILE.chars().filter(|&c| c >= ' ' || matches!(c, '\r' | '\n')).collect();
        return format!("<ErrorResponse><Error><Code>C{text}</Code><Message>M{text}</Message></Error></ErrorResponse>");
    }
    json!({"__type": format!("C{HOSTILE}"), "message": format!("M{HOSTILE}"), "Message": format!("M{HOSTILE}")})
        .to_string()
}

fn value(head: &str, body: &str) -> String {
    if is_query(head) {
        return format!(
            "<{0}Response><{0}Result><Account>123456789012</Account></{0}Result></{0}Response>",
            if body.contains("GetCallerIdentity") { "GetCallerIdentity" } else { "None" }
        );
    }
    let arn = "arn:aws:kinesis:us-east-1:123456789012:stream/test-dev";
    let now_ms = UNIX_EPOCH.elapsed().unwrap().as_millis();
    json!({
        "StreamDescriptionSummary": {
            "StreamName": HOSTILE, "StreamARN": arn, "StreamStatus": HOSTILE, "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": 1.0, "EnhancedMonitoring": [], "OpenShardCount": 1,
            "StreamModeDetails": {"StreamMode": HOSTILE},
        },
        "Shards": [{"ShardId": HOSTILE, "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "1"}, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}],
        "State": HOSTILE, "LastUpdateStatus": HOSTILE, "Runtime": HOSTILE, "CodeSha256": HOSTILE, "LastModified": HOSTILE,
        "EventSourceMappings": [{"UUID": HOSTILE, "State": HOSTILE, "LastProcessingResult": HOSTILE, "EventSourceArn": arn}],
        "logStreams": [{"logStreamName": HOSTILE}],
        "events": [{"timestamp": now_ms, "message": HOSTILE, "eventId": HOSTILE, "logStreamName": HOSTILE}],
    })
    .to_string()
}

fn connected(mut command: Command, url: &str) -> Command {
    command.envs([("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "us-east-1")]).args([
        "--endpoint-url",
        url,
        "--app",
        "test",
    ]);
    command
}

fn is_harmful(character: char) -> bool {
    (character.is_control() && character != '\n') || HOSTILE.chars().any(|c| c == character && !c.is_ascii())
}

#[track_caller]
fn assert_harmless(text: &str) {
    assert_eq!(text.chars().find(|&character| is_harmful(character)), None, "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{text}");
}

/// Runs the program in a terminal, and returns its output without its own styles and progress.
fn in_a_terminal(url: &str, arguments: &[&str]) -> String {
    let quoted: Vec<_> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    let command = format!("{OPS_CLI} --endpoint-url {url} --app test {}", quoted.join(" "));
    let mut script = ops_cli_by("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.envs([
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "us-east-1"),
        ("TERM", "xterm"),
    ]);
    let mut text = String::from_utf8(script.output().unwrap().stdout).unwrap();
    assert!(text.contains("\u{1b}["), "styles are wanted in a terminal: {text:?}");
    for ours in [
        "\u{1b}[0m",
        "\u{1b}[1m",
        "\u{1b}[31m",
        "\u{1b}[32m",
        "\u{1b}[36m",
        "\u{1b}[2K",
        "\u{1b}[1A",
        "\u{1b}[1B",
        "\u{1b}[?25h",
        "\u{1b}[?25l",
        "\r\n",
    ] {
        text = text.replace(ours, if ours == "\r\n" { "\n" } else { "" });
    }
    // A spinner rewrites its line.
    text.split('\r').filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_error_of_a_service_is_escaped() {
    let url = server(Answers::Refusals);
    let zip = function_zip().to_str().unwrap();
    let commands: [&[&str]; 7] = [
        &["publish", "hello"],
        &["tail"],
        &["status"],
        &["provision", "--zip", zip],
        &["teardown", "--yes"],
        &["verify"],
        &["--output", "json", "status"],
    ];
    for arguments in commands {
        let run = Run::of(connected(ops_cli(), &url).args(arguments));
        assert_ne!(run.code, 0, "{arguments:?}");
        assert_harmless(&run.stdout);
        assert_harmless(&run.stderr);
        // XML cannot contain most of these characters.
        let end = ESCAPED.split_once("FORGED\\nFORGED").unwrap().1;
        assert!(run.stderr.contains(end), "{arguments:?}: {}", run.stderr);
        let shown = in_a_terminal(&url, arguments);
        assert_harmless(&shown);
        assert!(shown.contains(end), "{arguments:?}: {shown}");
    }
    let run = Run::of(connected(ops_cli(), &url).args(["publish", "hello"]));
    assert!(run.stderr.contains(&format!("M{ESCAPED}")), "{}", run.stderr);
}

#[test]
fn names_states_and_log_events_are_escaped() {
    let url = server(Answers::Values);
    for arguments in [&["status"][..], &["tail", "--fields", "message"]] {
        let run = Run::of(connected(ops_cli(), &url).args(arguments)).ok();
        assert_harmless(&run.stdout);
        assert!(run.stdout.contains(ESCAPED), "{}", run.stdout);
    }
    let run = Run::of(connected(ops_cli(), &url).args(["status"])).ok();
    assert_eq!(run.stdout.lines().count(), 8, "{}", run.stdout);
    assert_harmless(&in_a_terminal(&url, &["status"]));
    let run = Run::of(connected(ops_cli(), &url).args(["--output", "json", "status"])).ok();
    assert_harmless(&run.stdout);
    assert_eq!(run.json()[0]["stream"]["status"], HOSTILE);
}

#[test]
fn a_usage_error_quotes_arguments_escaped() {
    for arguments in [&["no-such"][..], &["--output"], &["status", "--no-such"], &["tail", "--since"]] {
        let (last, before) = arguments.split_last().unwrap();
        let hostile = if last.starts_with("--") { vec![*last, HOSTILE] } else { vec![HOSTILE] };
        let run = Run::of(ops_cli().args(before).args(hostile));
        assert_eq!(run.code, 2, "{run:?}");
        assert_harmless(&run.stderr);
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}
