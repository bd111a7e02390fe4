//! Tests of the help pages.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Run, ops_cli};

const COMMANDS: [&str; 23] = [
    "init",
    "config",
    "plan",
    "provision",
    "publish",
    "verify",
    "tail",
    "consume",
    "show",
    "redrive",
    "status",
    "doctor",
    "teardown",
    "iam-policy",
    "export",
    "local",
    "demo",
    "package",
    "deploy",
    "versions",
    "rollback",
    "invoke",
    "completions",
];

#[test]
fn every_command_has_examples() {
    for command in COMMANDS {
        let help = Run::of(ops_cli().args([command, "--help"])).ok().stdout;
        let examples = help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{command} has no examples:\n{help}"));
        assert!(examples.contains("ops-cli"), "{command}: {examples}");
    }
}

#[test]
fn help_states_what_a_command_promises() {
    for (command, promise) in [
        ("provision", "are used as they are, and never changed"),
        ("publish", "read = acknowledged + dead-lettered"),
        ("verify", "The exit code is 1 if a record is missing"),
        ("tail", "late ones included"),
        ("consume", "it says so and reads more slowly"),
        ("show", "whether the log contains them"),
        ("redrive", "exactly the records that they name"),
        ("teardown", "do not carry our tags are never deleted"),
        ("local", "accepts only requests that are signed"),
        ("package", "checks that Lambda can run the binary"),
        ("deploy", "If the check fails, `live` stays"),
        ("rollback", "or to the given version"),
        ("invoke", "Nothing is put on the stream"),
    ] {
        let help = Run::of(ops_cli().args([command, "--help"])).ok().stdout;
        let words: Vec<_> = help.split_whitespace().collect();
        assert!(words.join(" ").contains(promise), "{command}: {help}");
    }
}

#[test]
fn help_lists_every_command() {
    let help = Run::of(ops_cli().arg("--help")).ok().stdout;
    let listed: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        // An indented line continues the line above.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|command| *command != "help")
        .collect();
    assert_eq!(listed, COMMANDS);
}

#[test]
fn completion_scripts_contain_the_options() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Run::of(ops_cli().args(["completions", shell])).ok().stdout;
        assert!(script.contains("starting-position"), "{shell}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_code_2() {
    assert_eq!(Run::of(ops_cli().arg("publsh")).code, 2);
    assert_eq!(Run::of(ops_cli().args(["provision", "--memory", "64"])).code, 2);
    assert_eq!(Run::of(ops_cli().args(["--local", "--profile", "x", "status"])).code, 2);
}
