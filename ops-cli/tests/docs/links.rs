//! Links between documents.

use std::collections::BTreeSet;
use std::path::Path;

use super::{documents, read, root};

/// Returns the text of a document without its code, in which brackets are not links.
fn prose(document: &str) -> String {
    let mut in_block = false;
    let lines = document.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    lines.flat_map(|line| line.split('`').step_by(2).chain(["\n"])).collect()
}

/// The targets of the links and images in a document.
fn targets(document: &str) -> Vec<String> {
    let prose = prose(document);
    let after = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    after.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a document's headings, as GitHub and mdBook name them.
fn anchors(document: &str) -> BTreeSet<String> {
    let mut in_block = false;
    let headings = document.lines().filter(|line| {
        in_block ^= line.starts_with("```");
        !in_block && line.starts_with('#')
    });
    headings
        .map(|heading| {
            let title = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Explains why a link is broken, if it is.
fn broken(document: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { document.to_owned() } else { document.parent().unwrap().join(path) };
    let name = document.strip_prefix(root()).unwrap().display();
    if !path.exists() {
        return Some(format!("{name}: {target}: no such file"));
    }
    (!anchor.is_empty() && !anchors(&read(&path)).contains(anchor))
        .then(|| format!("{name}: {target}: no such heading"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut count = 0;
    let mut all_broken = Vec::new();
    for document in documents() {
        let targets = targets(&read(&document));
        count += targets.len();
        all_broken.extend(targets.iter().filter_map(|target| broken(&document, target)));
    }
    assert!(count > 100, "only {count} links were found");
    assert!(all_broken.is_empty(), "{all_broken:#?}");
}

#[test]
fn a_broken_link_is_found() {
    let readme = root().join("README.md");
    assert_eq!(targets("a [b](c.md#d) `[e](f)`\n```\n[g](h)\n```\n![i](j.svg)"), ["c.md#d", "j.svg"]);
    assert!(broken(&readme, "docs/no-such-page.md").is_some());
    assert!(broken(&readme, "docs/settings.md#no-such-heading").is_some());
    assert_eq!(broken(&readme, "docs/settings.md#redaction"), None);
}

#[test]
fn the_summary_lists_every_page_of_the_book() {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let listed: BTreeSet<_> = targets(&summary).into_iter().collect();
    let docs = root().join("docs");
    let pages = documents().into_iter().filter_map(|page| Some(page.strip_prefix(&docs).ok()?.display().to_string()));
    let pages: BTreeSet<_> = pages.filter(|page| page != "SUMMARY.md").collect();
    assert_eq!(listed, pages);
}
