//! Runs the commands in the `console` blocks of each document, in the order of the page, against an endpoint of their own. Output
//! that a block shows below a command is compared with the command's stdout. Blocks of other kinds are not run: `sh` is for commands
//! that need AWS, another tool or another machine, and has no prompts.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::common::{Endpoint, OPS_CLI, eventually, function_zip, ops_cli_by, scratch};
use super::output::matches;
use super::{documents, read, root};

/// A line with one or more commands, and the output that the page shows for it.
#[derive(Debug, PartialEq)]
struct Example {
    commands: Vec<String>,
    output: Vec<String>,
}

/// The examples in a document's `console` blocks.
fn examples(document: &str) -> Vec<Example> {
    let mut block = None;
    let mut examples = Vec::<Example>::new();
    for line in document.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            block = block.is_none().then_some(kind);
            continue;
        }
        match (block, line.strip_prefix("$ ")) {
            (Some("console"), Some(command)) => {
                let command = command.split("  # ").next().unwrap();
                let commands = command.split(" && ").map(|command| command.trim().to_owned()).collect();
                examples.push(Example { commands, output: Vec::new() });
            }
            (Some("console"), None) => match examples.last_mut() {
                Some(example) => example.output.push(line.to_owned()),
                None => panic!("{line:?} comes before the first command of a console block"),
            },
            (Some(kind), Some(_)) => panic!("a {kind:?} block has the prompt of a console block: {line:?}"),
            _ => {}
        }
    }
    for example in &mut examples {
        // Blank lines separate commands.
        while example.output.last().is_some_and(|line| line.trim().is_empty()) {
            example.output.pop();
        }
    }
    examples
}

/// How a command is run.
#[derive(Debug, PartialEq)]
enum Step {
    /// Until it ends, with success.
    Run(String),
    /// Until it has printed its output, and is then interrupted.
    Follow(String),
    /// Not at all, because the page's endpoint takes its place.
    Endpoint,
    /// Not at all, because a task of cargo-make runs commands that the documents contain too. The task must exist.
    Task(String),
    /// Not at all, because it installs something or runs this test.
    Skip,
}

fn step(command: &str) -> Step {
    let words: Vec<_> = command.split_whitespace().collect();
    match words.as_slice() {
        ["ops-cli", "local", ..] => Step::Endpoint,
        ["cargo", "make", task, ..] => Step::Task((*task).to_owned()),
        ["cargo", "demo"] => Step::Run("ops-cli demo".to_owned()),
        ["cargo", "test", ..] | ["cargo", "install", ..] | ["rustup", "target", "add", ..] => Step::Skip,
        // Other commands of cargo might run this test again.
        ["cargo", ..] => panic!("add a rule for {command:?} in a console block"),
        words if words.contains(&"--follow") => Step::Follow(command.to_owned()),
        _ => Step::Run(command.to_owned()),
    }
}

/// The folder in which a page's commands run, and the endpoint that they reach.
struct Page {
    endpoint: Endpoint,
    folder: PathBuf,
}

impl Page {
    fn new(name: &str) -> Self {
        let folder = scratch(&format!("docs-{}", name.replace('/', "-")));
        std::fs::create_dir_all(folder.join("target")).unwrap();
        // The zip that a reader of the page would have built before, perhaps on another page.
        std::fs::copy(function_zip(), folder.join("target/bootstrap.zip")).unwrap();
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let endpoint = Endpoint::start();
        // `--local` alone selects the default port, where another endpoint may be running.
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

    /// Runs a command, and returns its stdout.
    fn run(&self, line: &str) -> String {
        let output = self.command(line).output().unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "$ {line}\n{stdout}\n{stderr}\n{}", output.status);
        stdout.into_owned()
    }

    /// Runs a command until its stdout is what the page shows, and interrupts it.
    fn follow(&self, line: &str, shown: &[String]) {
        let printed = self.folder.join("printed");
        let stdout = std::fs::File::create(&printed).unwrap();
        let mut child = self.command(&format!("exec {line}")).stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        eventually(&format!("the output of {line}"), || {
            let printed = read(&printed);
            Some(()).filter(|()| printed.contains('\n') && (shown.is_empty() || is_shown(shown, &printed)))
        });
        let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(interrupted.success());
        let ended = eventually(&format!("the end of {line}"), || child.try_wait().unwrap());
        // A shell reports 130.
        assert!(ended.code() == Some(130) || ended.signal() == Some(2), "$ {line}: {ended}");
    }

    /// Runs a command whose output is complete after a while, until it is what the page shows.
    fn poll(&self, line: &str, shown: &[String]) {
        let mut printed = String::new();
        for _ in 0..100 {
            printed = self.run(line);
            if is_shown(shown, &printed) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("$ {line}\nthe page shows:\n{}\nthe command prints:\n{printed}", shown.join("\n"));
    }

    fn check(&self, name: &str, example: &Example) {
        let Example { commands, output: shown } = example;
        let steps: Vec<_> = commands.iter().map(|command| step(command)).collect();
        let mut printed = String::new();
        for step in &steps {
            match step {
                // A line is in the log a moment after its record was published.
                Step::Run(line) if line.contains(" tail") && !shown.is_empty() => return self.poll(line, shown),
                Step::Run(line) => printed += &self.run(line),
                Step::Follow(line) => return self.follow(line, shown),
                Step::Task(task) => assert!(has_task(task), "{name}: there is no task {task} in Makefile.toml"),
                Step::Endpoint | Step::Skip => {}
            }
        }
        assert!(
            shown.is_empty() || is_shown(shown, &printed),
            "{name}: $ {}\nthe page shows:\n{}\nthe command prints:\n{printed}",
            commands.join(" && "),
            shown.join("\n")
        );
    }
}

fn is_shown(shown: &[String], printed: &str) -> bool {
    matches(shown, &printed.lines().collect::<Vec<_>>())
}

fn has_task(task: &str) -> bool {
    read(&root().join("Makefile.toml")).contains(&format!("[tasks.{task}]"))
}

fn run_page(document: &Path) -> usize {
    let name = document.strip_prefix(root()).unwrap().display().to_string();
    let examples = examples(&read(document));
    let steps: Vec<_> = examples.iter().flat_map(|example| &example.commands).map(|command| step(command)).collect();
    if !steps.iter().any(|step| matches!(step, Step::Run(_) | Step::Follow(_))) {
        return 0;
    }
    let page = Page::new(&name);
    let provisions = |step: &Step| matches!(step, Step::Run(line) if line.contains(" provision "));
    if !steps.iter().any(provisions) {
        page.run("ops-cli --local provision --zip target/bootstrap.zip");
    }
    examples.iter().for_each(|example| page.check(&name, example));
    steps.len()
}

#[test]
fn every_console_command_runs_and_prints_what_the_page_shows() {
    let count: usize = documents().iter().map(|document| run_page(document)).sum();
    assert!(count > 30, "only {count} commands were found");
    let shown = documents().into_iter().flat_map(|document| examples(&read(&document)));
    let shown = shown.filter(|example| !example.output.is_empty()).count();
    assert!(shown > 8, "only {shown} outputs were found");
}

#[test]
fn examples_are_read_from_console_blocks_only() {
    let document = "```console\n$ ops-cli local    # comment\nits output\n\n$ a && b\n```\n```sh\nrm\n```\n$ ls\n";
    let example = |commands: &[&str], output: &[&str]| Example {
        commands: commands.iter().map(|&command| command.to_owned()).collect(),
        output: output.iter().map(|&line| line.to_owned()).collect(),
    };
    assert_eq!(examples(document), [example(&["ops-cli local"], &["its output"]), example(&["a", "b"], &[])]);
    assert_eq!(step("ops-cli tail --follow"), Step::Follow("ops-cli tail --follow".to_owned()));
    assert_eq!(step("cargo make deploy"), Step::Task("deploy".to_owned()));
    assert!(has_task("deploy") && !has_task("no-such-task"));
}
