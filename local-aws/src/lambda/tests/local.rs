//! Functions whose code is on this machine, with real processes.

use std::os::unix::fs::PermissionsExt;

use super::mappings::PRINT;
use super::*;
use crate::lambda::hot_reload;

fn print_as(version: &str) -> String {
    format!(
        "{PROVIDED}while True:\n    _, headers, body = call('GET', '/invocation/next')\n    print('{version}', flush=True)\n    answer(headers['Lambda-Runtime-Aws-Request-Id'], '\"{version}\"')\n"
    )
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_saved_program_runs_with_the_next_invocation() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("logger");
    write_program(&program, &print_as("one"));
    let bench = Bench::new();
    hot_reload::create_function(&bench.lambda.context, "f", &program).await.unwrap();
    assert_eq!(bench.invoke(json!({})).await.body, "one");
    let shown = bench.call("GET", "/2015-03-31/functions/f/configuration", Value::Null).await.body;
    assert_eq!((&shown["Runtime"], &shown["Handler"]), (&json!("provided.al2023"), &json!("bootstrap")));
    assert_eq!(shown["Role"], "arn:aws:iam::000000000000:role/f-role");
    // Written in place and then replaced by another file, as builds do.
    write_program(&program, &print_as("two"));
    assert_eq!(bench.invoke(json!({})).await.body, "two");
    let built = folder.path().join("built");
    write_program(&built, &print_as("three"));
    std::fs::rename(&built, &program).unwrap();
    assert_eq!(bench.invoke(json!({})).await.body, "three");
    assert_eq!(bench.invoke(json!({})).await.body, "three");
    assert_eq!(bench.streams("/aws/lambda/f").len(), 3);
}

#[tokio::test]
async fn code_in_another_language_gets_its_runtime_and_handler() {
    let folder = tempfile::tempdir().unwrap();
    let (program, python) = (folder.path().join("logger"), folder.path().join("python"));
    write_program(&program, &print_as("one"));
    std::fs::create_dir(&python).unwrap();
    std::fs::write(python.join("index.py"), "def handler(event, context):\n    return 'two'\n").unwrap();
    let bench = Bench::new();
    hot_reload::create_function(&bench.lambda.context, "f", &program).await.unwrap();
    assert_eq!(bench.invoke(json!({})).await.body, "one");
    let settings = json!({ "Timeout": 7, "Runtime": "provided.al2" });
    assert_eq!(bench.call("PUT", "/2015-03-31/functions/f/configuration", settings).await.status, 200);
    for (path, runtime, handler) in [(&program, "provided.al2", "bootstrap"), (&python, "python3.13", "index.handler")]
    {
        hot_reload::create_function(&bench.lambda.context, "f", path).await.unwrap();
        let shown = bench.call("GET", "/2015-03-31/functions/f/configuration", Value::Null).await.body;
        assert_eq!((&shown["Runtime"], &shown["Handler"]), (&json!(runtime), &json!(handler)));
        assert_eq!(shown["Timeout"], 7);
    }
    assert_eq!(bench.invoke(json!({})).await.body, "two");
}

#[tokio::test]
async fn saved_code_runs_for_latest_and_its_aliases() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("logger");
    write_program(&program, &print_as("one"));
    let bench = Bench::new();
    hot_reload::create_function(&bench.lambda.context, "f", &program).await.unwrap();
    let alias = json!({ "Name": "live", "FunctionVersion": "$LATEST" });
    let created = bench.call("POST", "/2015-03-31/functions/f/aliases", alias).await;
    assert_eq!(created.status, 201, "{created:?}");
    write_program(&program, &print_as("two"));
    let invoked = bench.call("POST", "/2015-03-31/functions/f:live/invocations", json!({})).await;
    assert_eq!((&invoked.body, invoked.header("x-amz-executed-version")), (&json!("two"), Some("$LATEST")));
}

#[tokio::test]
async fn incomplete_code_never_runs() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    write_program(&program, &print_as("whole"));
    let bench = Bench::new();
    hot_reload::create_function(&bench.lambda.context, "f", folder.path()).await.unwrap();
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    std::fs::write(&program, &own[..own.len() / 2]).unwrap();
    assert_eq!(bench.invoke(json!({})).await.body, "whole");
    std::fs::remove_file(&program).unwrap();
    assert_eq!(bench.invoke(json!({})).await.body, "whole");
    write_program(&program, &print_as("again"));
    assert_eq!(bench.invoke(json!({})).await.body, "again");
}

#[tokio::test]
async fn a_mapping_runs_the_saved_code_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("index.py");
    std::fs::write(&file, PRINT).unwrap();
    let bench = Bench::new();
    hot_reload::create_function(&bench.lambda.context, "f", folder.path()).await.unwrap();
    bench.create_stream(1).await;
    bench.mapped(json!({})).await;
    bench.put("k", "first").await;
    bench.prints("00 k first").await;
    std::fs::write(&file, PRINT.replace("'batch'", "'saved'")).unwrap();
    bench.put("k", "second").await;
    bench.prints("saved 1").await;
}

#[tokio::test]
async fn code_that_cannot_run_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new();
    let refused =
        async |path: &Path| hot_reload::create_function(&bench.lambda.context, "f", path).await.unwrap_err().message;
    assert!(refused(&folder.path().join("missing")).await.ends_with("missing: No such file or directory (os error 2)"));
    assert!(refused(folder.path()).await.contains("has none of: bootstrap"));
    let text = folder.path().join("text");
    std::fs::write(&text, "text").unwrap();
    assert!(refused(&text).await.contains("neither an ELF executable nor a script"));
}
