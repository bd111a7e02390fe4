//! A session in a pseudo-terminal.

use super::common::{OPS_CLI, ops_cli_by};
use super::{Fixture, ago};

/// Runs in a terminal with this many columns, and returns its output.
fn in_a_terminal(fixture: &Fixture, columns: usize, arguments: &str, no_color: bool) -> String {
    let mut script = ops_cli_by("script");
    let command = format!("stty cols {columns}; {OPS_CLI} --app test tail --utc {arguments}");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    script.envs(fixture.endpoint.exports()).env("TERM", "xterm-256color");
    if no_color {
        script.env("NO_COLOR", "1");
    }
    let output = script.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n")
}

async fn fixture() -> Fixture {
    let fixture = Fixture::new().await;
    let ours = r#"{"v":1,"level":"INFO","sequenceNumber":"1","partitionKey":"user-42","data":{"total":12.5,"items":["a","b","c"],"note":"long enough to be cut on a narrow terminal"}}"#;
    let report = "REPORT RequestId: 1\tDuration: 26.73 ms\tBilled Duration: 27 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\tInit Duration: 48.26 ms";
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[1;1H\u{9b}1A\rFORGED\u{202e}";
    fixture.put_at(ago(5), &["START RequestId: 1 Version: 1", ours, "END RequestId: 1", report, hostile]).await;
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_pretty_lines_cut_to_its_width() {
    let fixture = fixture().await;
    for columns in [40, 80, 140] {
        let shown = in_a_terminal(&fixture, columns, "", false);
        assert!(shown.contains("\u{1b}["), "colours are wanted: {shown:?}");
        let text = anstream::adapter::strip_str(&shown).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "START and END are hidden: {text}");
        assert!(lines.iter().all(|line| line.chars().count() <= columns), "{text}");
        assert!(lines[0].contains("user-42  {\"total\":12.5"), "{text}");
        assert!(lines[1].contains("cold start 48.3 ms"), "{text}");
        assert_eq!(lines[0].contains('…'), columns < 140, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_message_controls_the_terminal_in_any_view() {
    let fixture = fixture().await;
    for arguments in ["", "--wide", "--view raw", "--view json", "--fields message", "--template '{message}'"] {
        let shown = in_a_terminal(&fixture, 80, arguments, true);
        let is_harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert_eq!(shown.chars().find(|c| is_harmful(*c)), None, "{arguments}: {shown:?}");
        assert!(shown.contains("FORGED") && !shown.lines().any(|line| line.starts_with("FORGED")), "{shown}");
    }
}
