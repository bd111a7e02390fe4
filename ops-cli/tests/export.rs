//! Tests of `export`: each setting changes the description, and validators of the tools accept it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::provisioning::CHANGES;
use common::{Run, function_zip, install, ops_cli, scratch};

const TOOLS: [&str; 4] = ["terraform", "cloudformation", "sam", "cdk"];

/// Every setting, with a value that differs from the default. Those that exclude each other are in different sets.
const SETTINGS: [&[&str]; 2] = [
    &[
        "--shards",
        "2",
        "--stream-retention-hours",
        "48",
        "--max-record-kib",
        "2048",
        "--encryption-key",
        "alias/mine",
        "--retention-days",
        "90",
        "--log-class",
        "STANDARD",
        "--log-kms-key",
        "arn:aws:kms:us-east-1:123456789012:key/1",
        "--deletion-protection",
        "--memory",
        "256",
        "--timeout",
        "60",
        "--application-log-level",
        "WARN",
        "--system-log-level",
        "WARN",
        "--tracing",
        "Active",
        "--function-kms-key",
        "arn:aws:kms:us-east-1:123456789012:key/2",
        "--subnets",
        "subnet-0123456789abcdef0,subnet-1123456789abcdef0",
        "--security-groups",
        "sg-0123456789abcdef0",
        "--env",
        "LOGGER_FIELDS=compact",
        "--env",
        "NOTE=${x} %{y} \"z\"\\",
        "--reserved-concurrency",
        "5",
        "--batch-size",
        "7",
        "--batch-window",
        "1",
        "--parallelization-factor",
        "2",
        "--retries",
        "3",
        "--max-record-age",
        "60",
        "--on-failure",
        "arn:aws:sqs:us-east-1:123456789012:failed",
        "--mapping-filter",
        r#"{"data":{"level":["ERROR","${x}"]}}"#,
        "--mapping-filter",
        r#"{"data":{"n":[1]}}"#,
        "--mapping-metrics",
        "--starting-position",
        "AT_TIMESTAMP",
        "--starting-timestamp",
        "2026-11-28T14:50:00Z",
        "--tag",
        "team:name=a b",
        "--fan-out",
    ],
    &[
        "--shards",
        "on-demand",
        "--warm-throughput-mibps",
        "10",
        "--distribution",
        "AUTO",
        "--managed-policy",
        "--retention-days",
        "0",
        "--log-class",
        "INFREQUENT_ACCESS",
        "--log-format",
        "Text",
        "--enabled=false",
        "--bisect=false",
        "--partial-responses=false",
        "--tumbling-window",
        "5",
        "--starting-position",
        "LATEST",
    ],
];

fn export(tool: &str, more: &[&str]) -> Run {
    Run::of(ops_cli().args(["--app", "orders", "--stage", "prod", "export", tool]).args(more)).ok()
}

/// Writes what a tool gets for the defaults and for each set of settings, and returns the files.
fn files(tool: &str, extension: &str) -> Vec<PathBuf> {
    let zip = ["--zip", function_zip().to_str().unwrap()];
    let sets = [&[][..], &zip[..]].into_iter().chain(SETTINGS);
    let write = |(n, set): (usize, &[&str])| {
        let path = scratch(&format!("export-{n}.{extension}"));
        std::fs::write(&path, export(tool, set).stdout).unwrap();
        path
    };
    sets.enumerate().map(write).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/export")
}

/// The folder of the validators from PyPI.
fn python() -> Option<PathBuf> {
    unless_in_ci(install::python("export", &folder().join("requirements.txt")))
}

fn unless_in_ci(installed: Option<PathBuf>) -> Option<PathBuf> {
    if installed.is_none() {
        assert!(std::env::var_os("CI").is_none(), "the validators could not be installed");
        eprintln!("the validators could not be installed: they were not run");
    }
    installed
}

#[test]
fn each_setting_changes_the_description_or_is_named_as_left_out() {
    for tool in TOOLS {
        let default = export(tool, &[]).stdout;
        for (args, field) in CHANGES {
            // Only an on-demand stream has these.
            let needs_mode = ["distribution", "warm-throughput-mibps"].contains(field);
            let mode = if needs_mode { &["--shards", "on-demand"][..] } else { &[] };
            let changed = export(tool, &[mode, args].concat());
            // These are the defaults.
            let is_default = args.iter().any(|arg| ["none", "--enabled"].contains(arg) || arg.ends_with("=false"))
                && !["enabled", "bisect", "partial-responses"].contains(field)
                || ["--stream-retention-hours", "--parallelization-factor", "--enabled"].contains(&args[0]);
            let is_named = changed.stderr.contains(&format!(".{field} is left out"));
            assert!(is_default || is_named || changed.stdout != default, "{tool} {args:?}");
        }
    }
    let lacking = export("sam", &["--managed-policy", "--tracing", "Active"]).stderr;
    assert!(lacking.contains("lacks permissions that the settings need (Trace)"), "{lacking}");
    assert!(
        export("terraform", &["--shards", "on-demand", "--distribution", "AUTO"])
            .stderr
            .contains("stream.distribution is left out")
    );
}

#[test]
fn a_setting_that_the_function_would_reject_is_an_error() {
    let mut command = ops_cli();
    Run::of(command.args(["export", "sam", "--env", "LOGGER_SAMPLE=2"])).failed(
        2,
        "a share is a number",
        "settings.md",
    );
}

#[test]
fn cloudformation_and_sam_templates_pass_cfn_lint() {
    let Some(venv) = python() else { return };
    let files = [files("cloudformation", "yaml"), files("sam", "sam.yaml")].concat();
    let run = Run::of(Command::new(venv.join("bin/cfn-lint")).args(["--region", "us-east-1", "--"]).args(files));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn terraform_modules_are_parsed_with_all_their_values() {
    let Some(venv) = python() else { return };
    let files = files("terraform", "tf");
    let run = Run::of(Command::new(venv.join("bin/python")).arg(folder().join("terraform.py")).args(files));
    assert_eq!((run.code, run.stdout.as_str()), (0, "4 modules\n"), "{}", run.stderr);
}

#[test]
fn cdk_stacks_compile_and_become_the_same_template() {
    let Some(modules) = unless_in_ci(install::javascript("export-cdk", &folder())) else { return };
    let stacks = files("cdk", "ts");
    let templates = files("cloudformation", "cdk.yaml");
    for (n, (stack, template)) in stacks.iter().zip(&templates).enumerate() {
        std::fs::copy(stack, modules.join(format!("stack{n}.ts"))).unwrap();
        std::fs::copy(template, modules.join(format!("stack{n}.yaml"))).unwrap();
    }
    std::fs::copy(folder().join("compare.ts"), modules.join("compare.ts")).unwrap();
    // The zip that a stack names if none is given.
    std::fs::create_dir_all(modules.join("target")).unwrap();
    std::fs::copy(function_zip(), modules.join("target/bootstrap.zip")).unwrap();
    let mut compile = Command::new(modules.join("node_modules/.bin/tsc"));
    compile.args([
        "--strict",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "--skipLibCheck",
        "--types",
        "node",
        "compare.ts",
    ]);
    let run = Run::of(compile.current_dir(&modules));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = Run::of(Command::new("node").arg("compare.js").arg(stacks.len().to_string()).current_dir(&modules));
    assert_eq!((run.code, run.stdout.as_str()), (0, "4 stacks are the same\n"), "{}", run.stderr);
}
