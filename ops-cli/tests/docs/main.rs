//! Checks the documents: links, commands and their output, the table of permissions, and the schema of log lines.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod console;
mod links;
mod output;
mod permissions;

use std::path::{Path, PathBuf};

use common::{Endpoint, eventually};
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Markdown file at the top of the repository, in `docs`, and beside a crate's manifest.
fn documents() -> Vec<PathBuf> {
    let mut folders =
        vec![root().to_owned(), root().join("docs"), root().join("docs/decisions"), root().join("docs/promises")];
    folders.extend(["core", "lambda-package", "logger-fn", "local-aws", "ops-cli"].map(|name| root().join(name)));
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let mut documents: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.sort();
    assert!(documents.len() > 40, "{documents:?}");
    documents
}

#[test]
fn the_readme_has_at_most_900_words() {
    let words = read(&root().join("README.md")).split_whitespace().count();
    assert!(words <= 900, "{words} words");
}

#[test]
fn the_schema_accepts_real_lines_and_rejects_others() {
    let schema = serde_json::from_str(&read(&root().join("docs/line.schema.json"))).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let mut lines = golden_lines();
    lines.extend(logged_lines());
    assert!(lines.len() > 60, "{}", lines.len());
    for line in &lines {
        let errors: Vec<_> = schema.iter_errors(line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{line}");
    }
    let mut members: Vec<_> = lines.iter().flat_map(|line| line.as_object().unwrap().keys()).collect();
    members.sort_unstable();
    members.dedup();
    let without = |name: &str| {
        let mut line = lines[0].clone();
        line.as_object_mut().unwrap().remove(name);
        line
    };
    let with = |name: &str, value: Value| {
        let mut line = lines[0].clone();
        line[name] = value;
        line
    };
    for line in [without("type"), without("v"), with("v", 2.into()), with("level", "LOUD".into()), with("x", 1.into())]
    {
        assert!(!schema.is_valid(&line), "{line}");
    }
    let page = read(&root().join("docs/line.md"));
    for member in members {
        assert!(page.contains(&format!("`{member}`")), "docs/line.md does not describe {member}");
    }
}

/// The lines of records in the golden files of `core`, in which every field occurs.
fn golden_lines() -> Vec<Value> {
    let files = ["lines", "cut", "hash", "redacted", "compact"]
        .map(|name| root().join(format!("core/tests/golden/{name}.jsonl")));
    let texts: Vec<_> = files.iter().map(|file| read(file)).collect();
    let lines = texts.iter().flat_map(|text| text.lines()).map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["message"].is_null()).collect()
}

/// The line that the function logs for a record.
fn logged_lines() -> Vec<Value> {
    let endpoint = Endpoint::start();
    endpoint.provision(&[]);
    endpoint.run(["publish", "a record"]).ok();
    eventually("a record's line", || {
        let events = endpoint.run(["--output", "json", "tail"]).ok().json();
        let lines = events.iter().map(|event| serde_json::from_str(event["message"].as_str().unwrap()).unwrap());
        let lines: Vec<Value> = lines.filter(|line: &Value| line["sequenceNumber"].is_string()).collect();
        Some(lines).filter(|lines| !lines.is_empty())
    })
}
