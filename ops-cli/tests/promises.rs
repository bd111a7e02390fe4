//! Every test that a page of docs/promises names exists.
#![allow(clippy::unwrap_used)]

use std::path::Path;

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tests that a document's tables name in their last column, each with its file: `path/to/file.rs`: `a_test`, `another`.
fn named_tests(document: &str) -> Vec<(&str, &str)> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let columns = rows.filter_map(|row| row.trim_end_matches(['|', ' ']).rsplit_once('|'));
    let mut file = "";
    let mut named = Vec::new();
    for name in columns.flat_map(|(_, tests)| quoted(tests)) {
        if name.ends_with(".rs") {
            file = name;
        } else {
            named.push((file, name));
        }
    }
    named
}

fn has_test(source: &str, name: &str) -> bool {
    let test = format!("fn {name}(");
    source.match_indices(&test).any(|(place, _)| {
        let before = source[..place].trim_end().trim_end_matches("async").trim_end();
        let above = before.lines().rev().map(str::trim_start);
        let mut attributes = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        attributes.any(|line| line.contains("test]") || line.contains("test("))
    })
}

#[test]
fn every_test_that_the_promises_name_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let pages = std::fs::read_dir(root.join("docs/promises")).unwrap();
    let pages: Vec<_> = pages.map(|page| std::fs::read_to_string(page.unwrap().path()).unwrap()).collect();
    let named: Vec<_> = pages.iter().flat_map(|page| named_tests(page)).collect();
    assert!(named.len() > 300, "only {} tests were found in docs/promises", named.len());
    let is_missing = |&&(file, name): &&(&str, &str)| {
        let source = std::fs::read_to_string(root.join(file));
        !source.is_ok_and(|source| has_test(&source, name))
    };
    let missing: Vec<_> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "docs/promises names tests that do not exist: {missing:#?}");
}

#[test]
fn a_missing_test_is_detected() {
    let named = named_tests("| promise | test |\n|---|---|\n| `x` | `a.rs`: `one`, `two`; `b.rs`: `three` |\n");
    assert_eq!(named, [("a.rs", "one"), ("a.rs", "two"), ("b.rs", "three")]);
    let source = "#[test]\nfn one() {}\n\n#[tokio::test]\nasync fn two() {}\n\nfn helper() {}\n";
    assert!(has_test(source, "one") && has_test(source, "two"));
    assert!(!has_test(source, "helper") && !has_test(source, "tw"));
}
