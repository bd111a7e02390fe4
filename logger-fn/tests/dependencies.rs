//! The function links no TLS, no AWS SDK and no C code, so that it starts in milliseconds and builds for any Lambda
//! architecture with Rust alone.

use std::process::Command;

/// The names of the function's dependencies over these kinds of edges (see `cargo tree --help`).
fn dependencies(edges: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "-p", "logger-fn", "-e", edges, "--prefix", "none", "--format", "{p}", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    let names: Vec<_> = tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(names.iter().any(|name| name == "lambda_runtime"), "the tree is not the function's: {tree}");
    names
}

fn found(names: Vec<String>, banned: impl Fn(&str) -> bool) -> Vec<String> {
    names.into_iter().filter(|name| banned(name)).collect()
}

#[test]
fn no_tls_and_no_aws_sdk_is_linked() {
    let banned = |name: &str| {
        let prefixes = ["rustls", "aws-lc", "openssl", "native-tls", "aws-sdk-", "aws-config", "aws-smithy-"];
        name == "ring" || prefixes.iter().any(|prefix| name.starts_with(prefix))
    };
    assert_eq!(found(dependencies("normal"), banned), Vec::<String>::new());
}

#[test]
fn no_c_code_is_compiled() {
    // Constants of the kernel, written in Rust.
    const LINUX: &str = "linux-raw-sys";
    let banned = |name: &str| {
        ["cc", "cmake", "bindgen", "pkg-config", "vcpkg", "nasm-rs"].contains(&name)
            || name.ends_with("-sys") && name != LINUX
    };
    assert_eq!(found(dependencies("normal,build"), banned), Vec::<String>::new());
}
