//! Compares each view with the files in `golden`. `UPDATE_GOLDEN=1` rewrites them; review the difference.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::*;
use crate::tail::matching::Matching;

const NOON: i64 = 1_795_867_200_000;
const REQUEST: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

fn event(after_ms: i64, message: &str) -> Event {
    Event {
        timestamp: NOON + after_ms,
        ingestion_time: NOON + after_ms + 30,
        log_group: "/aws/lambda/orders-dev".into(),
        log_stream: "2026/11/28/[$LATEST]1f0c".into(),
        event_id: Some("37294389".into()),
        late: false,
        message: message.to_owned(),
    }
}

fn ours(key: &str, rest: &str) -> String {
    format!(
        r#"{{"timestamp":"2026-11-28T12:00:00.000Z","level":"INFO","v":1,"requestId":"{REQUEST}","stream":"orders-dev","shard":"shardId-000000000000","sequenceNumber":"4959","partitionKey":"{key}","arrival":"2026-11-28T11:59:59.980Z","lagMs":20,{rest}}}"#
    )
}

/// A few minutes of a function's log.
fn session() -> Vec<Event> {
    let report = |more: &str| {
        format!(
            "REPORT RequestId: {REQUEST}\tDuration: 26.73 ms\tBilled Duration: 27 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\t{more}\n"
        )
    };
    let warn = ours("user-7", r#""type":"undecodable","error":"the data is not base64: invalid symbol","data":"%%%""#)
        .replace("INFO", "WARN");
    let long = ours(
        "a-partition-key-that-is-longer-than-its-column",
        r#""type":"json","data":{"order":{"id":1234567,"items":[{"sku":"A-1","price":12.5},{"sku":"B-22","price":-0.5e3}],"paid":true,"note":null},"漢字":"text with \u001b[31m and \" and \\ inside"}"#,
    );
    let mut events = vec![
        event(-43_200_001, "the last line of yesterday"),
        event(0, "INIT_START Runtime Version: provided:al2023.v1\n"),
        event(1, &format!("START RequestId: {REQUEST} Version: $LATEST\n")),
        event(20, &ours("user-42", r#""type":"json","bytes":9,"data":{"total":12.5,"ok":true}"#)),
        event(21, &ours("k", r#""type":"text","data":"plain text\twith a tab\nand a second line""#)),
        event(22, &long),
        event(23, &warn),
        event(30, &format!("END RequestId: {REQUEST}\n")),
        event(31, &report("Init Duration: 48.26 ms\t")),
        event(1000, &report("Status: timeout")),
        event(1001, &format!("2026-11-28T12:00:01.001Z {REQUEST} Task timed out after 3.00 seconds\n\n")),
        event(1002, &report("Status: error\tError Type: Runtime.OutOfMemory").replace("75 MB", "128 MB")),
        event(
            1003,
            &format!("RequestId: {REQUEST} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n"),
        ),
        event(
            2000,
            r#"{"level":"error","message":"could not save","orderId":7,"timestamp":"x","cause":{"code":"EIO"}}"#,
        ),
        event(
            2001,
            "[ERROR]\t2026-11-28T12:00:02.001Z\tid\tTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'",
        ),
        event(2002, "hostile \u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1A\rFORGED\u{202e}"),
    ];
    events.push(Event { late: true, ..event(1500, "DEBUG came late") });
    events
}

fn pretty(events: &[Event], columns: Option<usize>, has_labels: bool) -> String {
    let matching = Matching::new(&[], &[], &["total".to_owned()]).unwrap();
    let now = Timestamp::from_millisecond(NOON).unwrap();
    let mut view = Pretty::new(TimeZone::UTC, matching, now);
    view.set_columns(columns);
    view.set_labels(has_labels);
    let mut to = Vec::new();
    events.iter().filter(|event| !Pretty::hides(event.text())).for_each(|event| view.render(event, &mut to));
    String::from_utf8(to).unwrap()
}

#[track_caller]
fn assert_golden(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tail/view/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == shown, "{} differs. It is now:\n{shown}", path.display());
}

fn unstyled(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn the_pretty_view_fits_terminals_of_40_80_and_140_columns() {
    for columns in [40, 80, 140] {
        let shown = unstyled(&pretty(&session(), Some(columns), false));
        assert!(shown.lines().all(|line| spans::width(line) <= columns), "{shown}");
        assert_golden(&format!("pretty-{columns}.txt"), &shown);
    }
}

#[test]
fn the_pretty_view_wraps_lines_if_it_is_wide() {
    assert_golden("pretty-wide.txt", &unstyled(&pretty(&session(), None, false)));
}

#[test]
fn the_pretty_view_is_coloured() {
    assert_golden("pretty-styles.txt", &pretty(&session(), Some(100), false).replace('\u{1b}', "␛"));
}

#[test]
fn lines_of_several_groups_name_their_group() {
    let mut events: Vec<_> = session().into_iter().skip(3).take(2).collect();
    events[1].log_group = "/aws/lambda/a-log-group-with-a-long-name".into();
    assert_golden("pretty-groups.txt", &unstyled(&pretty(&events, Some(80), true)));
}

#[test]
fn no_message_moves_the_cursor_in_any_view_on_a_terminal() {
    let views = || {
        let fields = Fields::parse(&["message".to_owned(), "data".to_owned()]).unwrap();
        let template = Template::parse("{message}").unwrap();
        [
            View::Pretty(Box::new(Pretty::new(TimeZone::UTC, Matching::default(), Timestamp::UNIX_EPOCH))),
            View::Raw { is_terminal: true },
            View::Json,
            View::Fields { fields, zone: TimeZone::UTC, as_json: false },
            View::Template { template, zone: TimeZone::UTC, is_terminal: true },
        ]
    };
    for mut view in views() {
        let mut to = Vec::new();
        session().iter().for_each(|event| view.render(event, &mut to));
        let shown = unstyled(&String::from_utf8(to).unwrap());
        let is_harmful = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert_eq!(shown.chars().find(|c| is_harmful(*c)), None, "{shown}");
    }
}

fn line(view: &mut View, event: &Event) -> String {
    let mut to = Vec::new();
    view.render(event, &mut to);
    String::from_utf8(to).unwrap()
}

#[test]
fn a_raw_view_in_a_pipe_leaves_the_bytes_untouched() {
    let hostile = "a\u{1b}[31m\tb\r\u{202e}\n second line\n";
    assert_eq!(line(&mut View::Raw { is_terminal: false }, &event(0, hostile)), hostile);
    assert_eq!(line(&mut View::Raw { is_terminal: false }, &event(0, "no line break")), "no line break\n");
    assert_eq!(line(&mut View::Raw { is_terminal: false }, &event(0, "crlf\r\n")), "crlf\r\n");
}

#[test]
fn fields_and_templates_select_values_in_json_lines() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    let shown = event(7, &ours("user \\\"1\\\"", r#""type":"json","data":{"user":{"id":"u\t1"},"items":[{"n":5}]}"#));
    let names = ["time", "key", "level", "data.user.id", "data.items.0.n", "sequenceNumber", "nowhere", "group"];
    let fields = Fields::parse(&names.map(str::to_owned)).unwrap();
    let expected = "2026-11-28T14:00:00.007+02:00\tuser \"1\"\tINFO\tu\\t1\t5\t4959\t-\t/aws/lambda/orders-dev\n";
    assert_eq!(
        line(&mut View::Fields { fields: fields.clone(), zone: zone.clone(), as_json: false }, &shown),
        expected
    );
    let json = line(&mut View::Fields { fields, zone: zone.clone(), as_json: true }, &shown);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["data.user.id"], json.get("nowhere")), (&"u\t1".into(), None));
    let template = Template::parse("{{{key}}} {data.items}\\t{data.user.id}").unwrap();
    let mut view = View::Template { template, zone, is_terminal: false };
    assert_eq!(line(&mut view, &shown), "{user \"1\"} [{\"n\":5}]\tu\t1\n");
}

#[test]
fn fields_select_values_in_text_lines() {
    let text =
        r#"2026-11-28T10:00:00.000Z INFO r stream=s shard=0 seq=4 key="k" arrival=a lagMs=7 data={"user":{"id":9}}"#;
    let fields = Fields::parse(&["key".to_owned(), "data.user.id".to_owned(), "data".to_owned()]).unwrap();
    let mut view = View::Fields { fields, zone: TimeZone::UTC, as_json: false };
    assert_eq!(line(&mut view, &event(0, text)), "k\t9\t{\"user\":{\"id\":9}}\n");
}

#[test]
fn fields_are_the_values_but_for_tabs_line_breaks_and_control_characters() {
    let field = |name: &str, message: &str, as_json| {
        let fields = Fields::parse(&[name.to_owned()]).unwrap();
        line(&mut View::Fields { fields, zone: TimeZone::UTC, as_json }, &event(0, message))
    };
    let data = r#"{"a":"q\"uote \\ back\nnl"}"#;
    let shown = field("data", &ours("k", &format!(r#""type":"json","data":{data}"#)), false);
    assert_eq!(shown, format!("{data}\n"));
    assert_eq!(field("message", "a\tb\r\nc \\ \u{1b}[0m\n", false), "a\\tb\\r\\nc \\ \\u{1b}[0m\n");
    let json: serde_json::Value = serde_json::from_str(&field("message", "a \u{202e}\n", true)).unwrap();
    assert_eq!(json["message"], "a \u{202e}");
}

#[test]
fn invalid_templates_and_fields_are_rejected() {
    for template in ["{time", "time}", "{}", "{a..b}"] {
        assert!(Template::parse(template).is_err(), "{template}");
    }
    assert!(Fields::parse(&["time".to_owned(), String::new()]).is_err());
}
