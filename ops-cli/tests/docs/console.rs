//! Every command in a `console` block of a document runs, in the order of the page, against an endpoint of its own.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::common::{Endpoint, OPS_CLI, eventually, function_zip, ops_cli_by, scratch};
use super::{documents, read, root};

/// The commands of a document's `console` blocks.
fn commands(document: &str) -> Vec<String> {
    let mut in_block = false;
    let mut commands = Vec::new();
    for line in document.lines() {
        if line.starts_with("```") {
            in_block = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| in_block) {
            let command = command.split("  # ").next().unwrap();
            commands.extend(command.split(" && ").map(|command| command.trim().to_owned()));
        }
    }
    commands
}

/// How a command of a document is run here.
#[derive(Debug, PartialEq)]
enum Step {
    /// To its end, which must be a success.
    Run(String),
    /// Until it has printed a line, then it is interrupted.
    Follow(String),
    /// What the page's own endpoint stands for.
    Endpoint,
    /// A task of cargo-make, whose command is another row of the same documents.
    Task(String),
    /// Installs something, or is the run of this very test.
    Skip,
}

fn step(command: &str) -> Step {
    let words: Vec<_> = command.split_whitespace().collect();
    match words.as_slice() {
        ["ops-cli", "local", ..] => Step::Endpoint,
        ["cargo", "make", task, ..] => Step::Task((*task).to_owned()),
        ["cargo", "demo"] => Step::Run("ops-cli demo".to_owned()),
        ["cargo", "test", ..] | ["cargo", "install", ..] | ["rustup", "target", "add", ..] => Step::Skip,
        // Never cargo itself: it might run this test again.
        ["cargo", ..] => panic!("{command:?} in a console block: say here how to run it"),
        words if words.contains(&"--follow") => Step::Follow(command.to_owned()),
        _ => Step::Run(command.to_owned()),
    }
}

/// A page's commands, with the folder in which they run and the endpoint that they reach.
struct Page {
    endpoint: Endpoint,
    folder: PathBuf,
}

impl Page {
    fn new(name: &str) -> Self {
        let folder = scratch(&format!("docs-{}", name.replace('/', "-")));
        std::fs::create_dir_all(folder.join("target")).unwrap();
        // The zip as a person who follows the page would have it, whichever page built it.
        std::fs::copy(function_zip(), folder.join("target/bootstrap.zip")).unwrap();
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let endpoint = Endpoint::start();
        // `--local` alone is the default port, where somebody's own endpoint may be running.
        let here = format!("#!/bin/sh\nexec {OPS_CLI} --endpoint-url {} \"$@\"\n", endpoint.url);
        let ops_cli = folder.join("bin/ops-cli");
        std::fs::write(&ops_cli, here).unwrap();
        std::fs::set_permissions(&ops_cli, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { endpoint, folder }
    }

    fn command(&self, line: &str) -> Command {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = ops_cli_by("bash");
        command.args(["-euo", "pipefail", "-c", line]).env("PATH", path).envs(self.endpoint.exports());
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) {
        let output = self.command(line).output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "$ {line}\n{stdout}\n{stderr}\n{}", output.status);
    }

    fn follow(&self, line: &str) {
        let printed = self.folder.join("printed");
        let stdout = std::fs::File::create(&printed).unwrap();
        let mut child = self.command(&format!("exec {line}")).stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        eventually(&format!("a line of {line}"), || Some(()).filter(|()| read(&printed).contains('\n')));
        let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        let ended = eventually(&format!("the end of {line}"), || child.try_wait().unwrap());
        // What a shell shows as 130.
        assert!(ended.code() == Some(130) || ended.signal() == Some(2), "$ {line}: {ended}");
    }
}

fn has_task(task: &str) -> bool {
    read(&root().join("Makefile.toml")).contains(&format!("[tasks.{task}]"))
}

fn run_page(document: &Path) -> usize {
    let name = document.strip_prefix(root()).unwrap().display().to_string();
    let steps: Vec<_> = commands(&read(document)).iter().map(|command| step(command)).collect();
    if !steps.iter().any(|step| matches!(step, Step::Run(_) | Step::Follow(_))) {
        return 0;
    }
    let page = Page::new(&name);
    let provisions = |step: &Step| matches!(step, Step::Run(line) if line.contains(" provision "));
    if !steps.iter().any(provisions) {
        page.run("ops-cli --local provision --zip target/bootstrap.zip");
    }
    for step in &steps {
        match step {
            Step::Run(line) => page.run(line),
            Step::Follow(line) => page.follow(line),
            Step::Task(task) => assert!(has_task(task), "{name}: there is no task {task} in Makefile.toml"),
            Step::Endpoint | Step::Skip => {}
        }
    }
    steps.len()
}

#[test]
fn every_console_command_runs() {
    let count: usize = documents().iter().map(|document| run_page(document)).sum();
    assert!(count > 30, "only {count} commands were found");
}

#[test]
fn commands_are_taken_from_console_blocks_only() {
    let document = "```console\n$ ops-cli local    # comment\nits output\n$ cargo demo\n```\n```sh\n$ rm\n```\n$ ls\n";
    assert_eq!(commands(document), ["ops-cli local", "cargo demo"]);
    assert_eq!(step("ops-cli tail --follow"), Step::Follow("ops-cli tail --follow".to_owned()));
    assert_eq!(step("cargo make deploy"), Step::Task("deploy".to_owned()));
    assert!(has_task("deploy") && !has_task("no-such-task"));
}
