//! Tests of `ops-cli demo`, the first command of the README.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Run, ops_cli};

#[test]
fn the_demo_prints_the_line_and_deletes_its_resources() {
    let run = Run::of(ops_cli().args(["--output", "json", "demo"])).ok();
    let outcome = run.json().remove(0);
    let line: serde_json::Value = serde_json::from_str(outcome["line"].as_str().unwrap()).unwrap();
    assert_eq!(line["data"], "Hello, Lambda CLI World");
    assert_eq!(line["sequenceNumber"], outcome["sequenceNumber"]);
    let steps: Vec<_> =
        outcome["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        ["package the function", "start the endpoint", "provision", "publish", "record → log line", "tear down"]
    );
}

#[test]
fn a_demo_that_fails_reports_the_error() {
    let run = Run::of(ops_cli().arg("demo").current_dir("/"));
    run.failed(2, "not in a checkout", "checkout");
}
