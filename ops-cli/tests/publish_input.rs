//! The input of `publish`: which records it becomes, which errors are reported, and how much memory it needs.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use common::publishing::{active, endpoint, file, lines, numbered, on_stream, path, text};
use common::{Endpoint, OPS_CLI, Run, ops_cli_by};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn input_errors_go_to_the_dead_letters_or_stop_at_once() {
    let (endpoint, client) = endpoint(1).await;
    let mut content = b"{\"k\":\"a\"}\n{\"k\":\n{}\n".to_vec();
    content.extend(vec![b'x'; 1_100_000]);
    content.extend(b"\n{\"k\":\"last\"}\n");
    let input = file("errors", &content);
    let dead = path("errors-dead");
    let publish = ["publish", "--file", text(&input), "--key-field", "/k", "--dead-letter", text(&dead)];
    let run = endpoint.run(publish).failed(1, "3 of 5 records were not published", text(&dead));
    assert_eq!(run.stdout.lines().count(), 2);
    assert!(run.stderr.contains("5 records read = 2 acknowledged + 3 dead-lettered"), "{}", run.stderr);
    let letters = lines(&dead);
    let places: Vec<_> = letters.iter().map(|letter| (&letter["offset"], &letter["line"])).collect();
    assert_eq!(places, [(&json!(1), &json!(2)), (&json!(2), &json!(3)), (&json!(3), &json!(4))]);
    for (letter, reason) in letters.iter().zip(["is not valid JSON", "has no field /k", "is too large"]) {
        assert!(letter["reason"].as_str().unwrap().starts_with(reason), "{}", letter["reason"]);
    }

    endpoint.run(publish.iter().chain(&["--strict"])).failed(2, "line 2 of", "--dead-letter");
    assert_eq!(on_stream(&client).await.len(), 3, "what came before the error was published");
    assert_eq!(endpoint.run(["publish", "--hash-key", "x", "data"]).code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_reports_requests_and_shards_and_sends_nothing() {
    let (endpoint, client) = endpoint(2).await;
    let input = file("dry", numbered(1200, 1200));
    let run = endpoint.run(["--output", "json", "publish", "--dry-run", "--file", text(&input), "--key-field", "/k"]);
    let plan = run.ok().json().remove(0);
    assert_eq!((&plan["records"], &plan["requests"], &plan["entries"]), (&json!(1200), &json!(3), &json!(1200)));
    let how = ["--file", text(&input), "--key-field", "/k", "--aggregate"];
    let aggregated =
        endpoint.run(["--output", "json", "publish", "--dry-run"].iter().chain(&how)).ok().json().remove(0);
    assert_eq!((&aggregated["records"], &aggregated["requests"]), (&json!(1200), &json!(1)));
    assert_eq!(
        (&aggregated["entries"], &aggregated["bytes"]),
        (&json!(2), &plan["bytes"]),
        "one a shard: {aggregated}"
    );
    let shards: u64 = plan["shards"].as_array().unwrap().iter().map(|shard| shard["records"].as_u64().unwrap()).sum();
    assert_eq!(shards, 1200);
    assert!(on_stream(&client).await.is_empty());

    let wrong = file("dry-wrong", "%\n".repeat(1000));
    let run = endpoint.run(["--output", "json", "publish", "--dry-run", "--base64", "--file", text(&wrong)]);
    let plan = run.ok().json().remove(0);
    assert_eq!(plan["inputErrorCount"], 1000);
    assert_eq!(plan["inputErrors"].as_array().unwrap().len(), 100, "the first of them are named");
}

/// The limit without the program itself, which is twice as large in a development build as in a release. Together they are
/// 64 MiB.
const MOST_RESIDENT_KIB: u64 = 48 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_small_whatever_the_input() {
    let (endpoint, client) = endpoint(1).await;
    // 120 MB of records of 600 KB, from two files.
    let small = file("large", format!("{}\n", "x".repeat(600_000)).repeat(100));
    check_resident(&endpoint, &[], &small, 0);
    // The highest limit that a stream can have.
    let arn = client.describe_stream_summary().stream_name("test-dev").send().await.unwrap();
    let arn = arn.stream_description_summary.unwrap().stream_arn;
    client.update_max_record_size().stream_arn(arn).max_record_size_in_kib(10_240).send().await.unwrap();
    active(&client).await;
    let data = vec![b'x'; 10 * 1024 * 1024 - 100];
    let base64 = base64_simd::STANDARD.encode_to_string(&data);
    let entry = format!("{{\"PartitionKey\":\"k\",\"Data\":\"{base64}\"}}\n");
    let line = String::from_utf8(data).unwrap() + "\n";
    let forms: [(&[&str], _); 4] =
        [(&[], line.clone()), (&["--base64"], base64 + "\n"), (&["--entries"], entry), (&["--compress", "gzip"], line)];
    for (form, line) in forms {
        std::fs::write(&small, line.repeat(3)).unwrap();
        check_resident(&endpoint, form, &small, 0);
    }
    std::fs::write(&small, format!("%{}\n", "x".repeat(14 * 1024 * 1024 - 100)).repeat(3)).unwrap();
    check_resident(&endpoint, &["--base64", "--dead-letter", "/dev/null"], &small, 1);
    std::fs::remove_file(small).unwrap();
}

/// Asserts that `publish` needs only a few MiB with this input, besides the program itself, in two runs.
#[track_caller]
fn check_resident(endpoint: &Endpoint, form: &[&str], input: &Path, code: i32) {
    let publish = ["publish", "--quiet", "--file", text(input), "--file", text(input)];
    let mut child =
        endpoint.ops(publish.iter().chain(form)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut highest = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let kib = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        highest = highest.max(kib("VmHWM:").zip(kib("RssFile:")).map_or(0, |(most, program)| most - program));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(code), "{form:?}");
    assert!((1..MOST_RESIDENT_KIB).contains(&highest), "{form:?}: {highest} KiB resident");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_are_published_than_can_be_open() {
    let (endpoint, client) = endpoint(1).await;
    let files: Vec<_> = (0..100).map(|n| file(&format!("many-{n}"), format!("{n}\n"))).collect();
    let few = ["-c", "ulimit -n 40; exec \"$@\"", "sh", OPS_CLI, "--local", "--endpoint-url", &endpoint.url];
    let publish = ["--app", "test", "publish", "--key", "k"].into_iter();
    let args = publish.chain(files.iter().flat_map(|file| ["--file", text(file)]));
    let run = Run::of(ops_cli_by("sh").args(few).args(args)).ok();
    assert_eq!(run.stdout.lines().count(), 100);
    let data: Vec<_> = on_stream(&client).await.into_iter().map(|(_, data)| data).collect();
    assert_eq!(data, (0..100).map(|n: u32| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_file_is_rejected_as_an_output() {
    let (endpoint, _client) = endpoint(1).await;
    let input = file("read-and-written", "%\n");
    let link = path("read-and-written-link");
    std::os::unix::fs::symlink(&input, &link).unwrap();
    let publish = ["publish", "--base64", "--file", text(&input)];
    for twice in [["--dead-letter", text(&link)], ["--receipts", text(&input)]] {
        endpoint.run(publish.iter().chain(&twice)).failed(2, "is given twice", "a separate file");
    }
    let both = path("both");
    let other_name = both.parent().unwrap().join("../scratch").join(both.file_name().unwrap());
    let twice = ["--receipts", text(&both), "--dead-letter", text(&other_name)];
    endpoint.run(publish.iter().chain(&twice)).failed(2, "is given twice", "a separate file");
    let mut from_stdin = endpoint.ops(["publish", "--base64", "--dead-letter", text(&input)]);
    from_stdin.stdin(std::fs::File::open(&input).unwrap());
    Run::of(&mut from_stdin).failed(2, "is given twice", "a separate file");
    endpoint.run(["publish", "x", "--receipts", "-"]).failed(2, "`-` is not supported", "go to stdout");
    let nowhere = ["--receipts", "/dev/null", "--dead-letter", "/dev/null"];
    endpoint.run(publish.iter().chain(&nowhere)).failed(1, "1 of 1 record was not published", "/dev/null");
}

/// Text with a UTF-8 byte order mark.
fn marked(text: &str) -> String {
    format!("\u{feff}{text}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_order_mark_is_not_data_and_other_encodings_are_named() {
    let (endpoint, client) = endpoint(1).await;
    let entry = "{\"PartitionKey\":\"k\",\"Data\":\"ZW50cnk=\"}\n";
    for (name, form, content) in [
        ("plain", &["--key", "k"][..], marked("plain\r\n")),
        ("field", &["--key-field", "/id"], marked("{\"id\":\"k\"}\n")),
        ("base64", &["--base64", "--key", "k"], marked("YmFzZTY0\n")),
        ("entries", &["--entries"], marked(entry)),
        ("joined", &["--entries"], marked(entry) + &marked(entry)),
    ] {
        let input = file(&format!("marked-{name}"), content);
        endpoint.run(["publish", "--quiet", "--file", text(&input)].iter().chain(form)).ok();
    }
    endpoint.run(["publish", "--quiet", "--key", "k", &marked("argument")]).ok();
    let whole = file("marked-whole", marked("whole"));
    endpoint.run(["publish", "--quiet", "--key", "k", "--whole", "--file", text(&whole)]).ok();
    let records = on_stream(&client).await;
    let data: Vec<_> = records.iter().map(|(_, data)| data.as_str()).collect();
    let whole = marked("whole");
    assert_eq!(data, ["plain", "{\"id\":\"k\"}", "base64", "entry", "entry", "entry", "argument", &whole]);
    assert!(records.iter().all(|(key, _)| key == "k"));

    let utf_16: Vec<u8> = marked("{\"id\":1}\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let input = file("utf-16", &utf_16);
    for form in [&[][..], &["--key-field", "/id"], &["--base64"], &["--entries"]] {
        let run = endpoint.run(["publish", "--file", text(&input), "--strict"].iter().chain(form));
        run.failed(2, "it is UTF-16, but text is read as UTF-8", "no record of the input was published");
    }
    for (name, to_bytes) in [("le", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("be", u16::to_be_bytes)] {
        let text_in_utf_16: Vec<u8> = "grüße 1\ngrüße 2\n".encode_utf16().flat_map(to_bytes).collect();
        let input = file(&format!("utf-16-{name}"), &text_in_utf_16);
        let run = endpoint.run(["publish", "--file", text(&input)]);
        run.failed(2, "it is UTF-16, but text is read as UTF-8", "no record of the input was published");
    }
    assert_eq!(on_stream(&client).await.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_in_another_form_than_ndjson_are_named_in_one_error() {
    let (endpoint, client) = endpoint(1).await;
    let entry = "{\"PartitionKey\":\"k\",\"Data\":\"ZW50cnk=\"}";
    let long = format!("[{}]", vec![entry; 50_000].join(","));
    let aside = path("no-array");
    for (name, content) in [
        ("empty", "[]".to_owned()),
        ("array", format!("[{entry},{entry}]\n")),
        ("pretty", format!("[\n  {entry},\n  {entry}\n]\n")),
        ("long", long),
    ] {
        let input = file(&format!("array-{name}"), content);
        let publish = ["publish", "--entries", "--file", text(&input), "--dead-letter", text(&aside)];
        let run = endpoint.run(publish);
        run.failed(
            2,
            "begins a JSON array, and --entries expects NDJSON with one entry per line",
            "one entry per line",
        );
    }
    assert!(lines(&aside).is_empty(), "an input in another form has no dead letters");
    for (content, reason) in [
        ("{\n", "is not a whole JSON object, and --entries expects NDJSON"),
        ("\"text\"\n", "is not a JSON object, and --entries expects NDJSON"),
        ("1\n", "is not a JSON object, and --entries expects NDJSON"),
    ] {
        let input = file("no-object", content);
        let run = endpoint.run(["publish", "--entries", "--strict", "--file", text(&input)]);
        run.failed(2, reason, "no record of the input was published");
    }
    assert_eq!(on_stream(&client).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_as_key_keeps_its_digits() {
    let (endpoint, client) = endpoint(1).await;
    let numbers = ["20000000000000000001", "20000000000000000002", "1e2", "0.1000", "1e400", "-0", "1E+2"];
    let content: String = numbers.iter().map(|number| format!("{{\"id\":{number}}}\n")).collect();
    let input = file("digits", content);
    endpoint.run(["publish", "--quiet", "--file", text(&input), "--key-field", "/id"]).ok();
    let keys: Vec<_> = on_stream(&client).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, numbers);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_resent_except_those_that_cannot_be_sent() {
    let (endpoint, client) = endpoint(1).await;
    let long = "x".repeat(1_100_000);
    let (input, dead) = (file("again", format!("{long}\none\n{long}\ntwo\n")), path("again-dead"));
    common::publishing::fault(&endpoint, "failedEntries", json!({ "probability": 1.0 }));
    let publish = ["publish", "--file", text(&input), "--key", "k", "--deadline", "1", "--dead-letter", text(&dead)];
    endpoint.run(publish).failed(1, "4 of 4 records were not published", text(&dead));
    let letters = lines(&dead);
    assert!(letters.iter().all(|letter| letter["PartitionKey"] == "k"), "the key is known of all");
    assert_eq!(letters.iter().filter(|letter| letter["truncated"] == true).count(), 2);
    endpoint.faults("DELETE", "");

    let run = endpoint.run(["publish", "--entries", "--file", text(&dead)]);
    let run = run.failed(1, "2 of 4 records were not published", "--dead-letter FILE");
    assert_eq!(run.stderr.matches("not published: line").count(), 2, "{}", run.stderr);
    let sent = |records: Vec<(String, String)>| records.into_iter().map(|(_, data)| data).collect::<Vec<_>>();
    let mut data = sent(on_stream(&client).await);
    // Dead letters are in the order in which records were abandoned, and these two fail at once.
    data.sort_unstable();
    assert_eq!(data, ["one", "two"]);

    let aside = path("again-aside");
    let entries = ["publish", "--entries", "--file", text(&dead), "--dead-letter", text(&aside)];
    endpoint.run(entries).failed(1, "2 of 4 records were not published", text(&aside));
    let data = |letters: &[serde_json::Value]| {
        letters
            .iter()
            .filter(|letter| letter["truncated"] == true)
            .map(|letter| letter["Data"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(data(&lines(&aside)), data(&letters), "they are the letters that they were");
    endpoint.run(entries.iter().chain(&["--strict"])).failed(2, "", "--dead-letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_other_content_is_not_written_to() {
    let (endpoint, client) = endpoint(1).await;
    for content in ["no newline", "two\nlines", "lines\n", "{\"offset\":1,\"value\":2}"] {
        let other = file("something-else", content);
        for option in ["--resume", "--receipts", "--dead-letter"] {
            let run = endpoint.run(["publish", "x", option, text(&other)]);
            run.failed(2, text(&other), "use ");
            assert_eq!(std::fs::read_to_string(&other).unwrap(), content, "{option}");
        }
    }
    assert!(on_stream(&client).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_describes_what_was_published() {
    let (endpoint, _client) = endpoint(1).await;
    let publish = || endpoint.ops(["publish", "--base64", "--quiet"]);
    let first = Run::with_stdin(&mut publish(), b"%\nYQ==\n").failed(
        2,
        "line 1 of stdin",
        "no record of the input was published",
    );
    assert!(!first.stderr.contains("what came before"), "{}", first.stderr);
    let later = Run::with_stdin(&mut publish(), b"YQ==\n%\n");
    later.failed(2, "line 2 of stdin", "everything before it was published");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_replayed_at_their_recorded_pace() {
    let (endpoint, client) = endpoint(1).await;
    let entry = |data: &str, arrival: &str| {
        let data = base64_simd::STANDARD.encode_to_string(data);
        format!("{{\"PartitionKey\":\"k\",\"Data\":\"{data}\",\"ApproximateArrivalTimestamp\":{arrival}}}\n")
    };
    let arrivals = ["1764324438.500", "1764324438.500", "\"2025-11-28T10:07:20.500Z\""];
    let input = file("replay", arrivals.iter().map(|arrival| entry("x", arrival)).collect::<String>());
    for (pace, least) in [("recorded", 2000), ("4x", 500)] {
        let receipts = path(&format!("replay-{pace}"));
        let publish = ["publish", "--entries", "--pace", pace, "--file", text(&input), "--receipts", text(&receipts)];
        endpoint.run(publish).ok();
        let times: Vec<_> = lines(&receipts).iter().map(|receipt| receipt["time"].as_i64().unwrap()).collect();
        assert_eq!(times.len(), 3);
        assert!(times[2] - times[0] >= least - 100, "{pace}: {times:?}");
    }
    let without = file("replay-without", "{\"PartitionKey\":\"k\",\"Data\":\"eA==\"}\n");
    let publish = ["publish", "--entries", "--strict", "--pace", "2x", "--file", text(&without)];
    endpoint.run(publish).failed(2, "has no ApproximateArrivalTimestamp, which --pace needs", "no record of the input");
    assert_eq!(endpoint.run(["publish", "--pace", "2x", "x"]).code, 2);
    assert_eq!(on_stream(&client).await.len(), 6);
}
