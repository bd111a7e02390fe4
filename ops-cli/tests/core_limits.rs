//! Every limit in `core/src/limits.rs` is used by some crate.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_limit_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let limits = root.join("core/src/limits.rs");
    let crates = ["core", "lambda-package", "local-aws", "logger-fn", "ops-cli"];
    let files = crates.iter().flat_map(|name| rust_files(&root.join(name).join("src"))).filter(|file| *file != limits);
    let code: String = files.map(|file| fs::read_to_string(file).unwrap()).collect();
    let definitions = fs::read_to_string(limits).unwrap();
    let names = definitions.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next());
    let unused: Vec<_> = names.filter(|name| !code.contains(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}
