//! How records look.

use kinesis_event_logger_core::AggregateBuilder;

use super::common::{OPS_CLI, Run, ops_cli_by};
use super::{Endpoint, Fixture};

fn aggregate(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = AggregateBuilder::new(1024 * 1024);
    records.iter().for_each(|(key, data)| builder.add(key, None, data).unwrap());
    builder.build()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_unpacked_as_the_function_does_it() {
    let fixture = Fixture::new(1).await;
    fixture.put_one("a", &aggregate(&[("k1", b"{\"n\":1}"), ("k2", b"two"), ("k3", b"\xff\x00")])).await;
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, b"compressed").unwrap();
        encoder.finish().unwrap()
    };
    fixture.put_one("z", &gzip).await;
    assert_eq!(fixture.consume(&[]).ok().stdout, "{\"n\":1}\ntwo\n/wA=\ncompressed\n");
    assert_eq!(fixture.consume(&["--format", "%k %i %S\\n"]).ok().stdout, "k1 0 7\nk2 1 3\nk3 2 2\nz - 10\n");
    let hex = fixture.consume(&["--hex", "--key", "k3"]).ok().stdout;
    assert_eq!(hex, "00000000  ff 00                                             |..|\n");
    assert_eq!(fixture.consume(&["--from", "-2"]).ok().stdout, "/wA=\ncompressed\n");
    let lines = fixture.consume(&["--view", "json"]).ok().json();
    assert_eq!(
        (&lines[0]["data"]["n"], &lines[1]["data"], &lines[2]["type"]),
        (&1.into(), &"two".into(), &"binary".into())
    );
    assert_eq!((&lines[1]["subSequenceNumber"], &lines[1]["partitionKey"]), (&1.into(), &"k2".into()));
}

/// The function's line differs only in what the invocation adds.
#[tokio::test(flavor = "multi_thread")]
async fn a_json_line_is_the_line_of_the_function() {
    let endpoint = Endpoint::start();
    let kinesis = aws_sdk_kinesis::Client::new(&endpoint.sdk_config().await);
    let fixture = Fixture { endpoint, kinesis };
    fixture.endpoint.provision(&["--log-format", "json"]);
    Run::with_stdin(&mut fixture.endpoint.ops(["publish"]), b"{\"order\":7}\nplain text\n").ok();
    fixture
        .endpoint
        .run(["tail", "-f", "--no-platform", "--grep", "partitionKey", "--count", "2", "--timeout", "60s"])
        .ok();
    let logged = fixture.endpoint.run(["tail", "--no-platform", "--grep", "partitionKey"]).ok().json();
    let shown = fixture.consume(&["--view", "json"]).ok().json();
    assert_eq!((logged.len(), shown.len()), (2, 2));
    for (mut logged, mut shown) in logged.into_iter().zip(shown) {
        for line in [&mut logged, &mut shown] {
            for name in ["timestamp", "requestId", "lagMs"] {
                line.as_object_mut().unwrap().remove(name).unwrap();
            }
        }
        assert_eq!(logged, shown);
    }
}

/// Runs in a terminal with this many columns, and returns its output.
fn in_a_terminal(fixture: &Fixture, columns: usize, arguments: &str) -> String {
    let mut script = ops_cli_by("script");
    let command = format!("stty cols {columns}; {OPS_CLI} --app test consume --utc {arguments}");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.envs(fixture.endpoint.exports()).env("TERM", "xterm-256color");
    let output = script.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_pretty_lines_cut_to_its_width() {
    let fixture = Fixture::new(2).await;
    fixture.put_one("user-42", br#"{"total":12.5,"note":"long enough to be cut on a narrow terminal"}"#).await;
    for columns in [40, 120] {
        let shown = in_a_terminal(&fixture, columns, "");
        assert!(shown.contains("\u{1b}["), "colours are wanted: {shown:?}");
        let text = anstream::adapter::strip_str(&shown).to_string();
        assert!(text.contains("  shard ") && text.contains("  user-42"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= columns), "{text}");
        assert_eq!(text.contains('…'), columns < 120, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_controls_a_terminal_in_any_view() {
    let fixture = Fixture::new(1).await;
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[1;1H\u{9b}1A\rFORGED\u{202e}";
    fixture.put_one(hostile, hostile.as_bytes()).await;
    for arguments in ["", "--wide", "--view raw", "--view json", "--format '%k %s %v\\n'"] {
        let shown = in_a_terminal(&fixture, 80, arguments);
        let text = anstream::adapter::strip_str(&shown).to_string();
        let is_harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert_eq!(text.chars().find(|c| is_harmful(*c)), None, "{arguments}: {shown:?}");
        assert!(!shown.contains("\u{1b}[2J") && !shown.contains("\u{1b}]0"), "{arguments}: {shown:?}");
        let is_cut = text.contains('…');
        assert!((is_cut || text.contains("FORGED")) && !text.lines().any(|line| line.starts_with("FORGED")), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_name_the_hot_shard_and_the_hot_key() {
    let fixture = Fixture::new(2).await;
    for n in 0..150 {
        fixture.put_one("hot", format!("record {n}").as_bytes()).await;
    }
    fixture.put(&super::numbered("cold", 0..20)).await;
    let run = fixture.consume(&["--stats"]).ok();
    assert!(run.stderr.lines().any(|line| line.starts_with("shard") && line.ends_with("hot")), "{}", run.stderr);
    assert!(run.stderr.lines().any(|line| line.contains("\"hot\"  150 records")), "{}", run.stderr);
    let run = fixture.endpoint.run(["--output", "json", "consume", "--stats"]).ok();
    let stats: serde_json::Value = serde_json::from_str(run.stderr.trim()).unwrap();
    assert_eq!((&stats["records"], &stats["keys"][0]["records"]), (&170.into(), &150.into()));
    assert_eq!(run.json().len(), 170);
}
