//! Functions whose code is a file or a folder on this machine, reloaded when it changes.
//!
//! A function runs a copy, so that a build may write in place. The copy is made once the files do not change any more. An
//! incomplete or invalid build is rejected like any package, and the code before it continues to run.

use std::path::Path;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::code::Unpacked;
use super::configuration::{ConfigurationInput, Settings};
use super::context::Context;
use super::errors::{invalid_parameter, service_failure};
use super::function::{Function, Program};
use super::local_source::{self, LocalSource};
use super::names::{Reference, partition};
use super::persistence;
use super::workspace::blocking;
use crate::error::AwsError;
use lambda_package::BOOTSTRAP;
use lambda_package::Platform;

/// Creates a function whose code is at `path`. An existing function of this name keeps its settings, but gets the runtime and the
/// handler of code in another language.
///
/// # Errors
/// The path does not contain code that the endpoint can run, with the reason.
pub async fn create_function(context: &Context, name: &str, path: &Path) -> Result<(), AwsError> {
    let (name, path) = (Reference::read_new(name, &context.config)?, path.to_owned());
    let found = path.canonicalize();
    let path = found.map_err(|error| invalid_parameter(format!("{}: {error}", path.display())))?;
    let existing = context.with_name(&name, |function| function.settings.clone()).ok();
    let settings = match existing {
        Some(settings) => in_language_of(settings, &path)?,
        None => {
            let input = default_settings(context, &name, &path)?;
            Settings::create(&input, &name, Platform::host().architecture)?
        }
    };
    let Loaded { program, zip, fingerprint } = load(context, &name, &path, &settings).await?;
    let updated =
        context.with_name(&name, |function| function.update(settings.clone(), program.clone(), Instant::now()));
    if updated.is_err() {
        context.add(Function::new(name.clone(), settings, program, Instant::now()));
    }
    context.with_name(&name, |function| {
        let runtime = &function.settings.runtime.id;
        tracing::info!(function = name, runtime, "function registered with the code in {}", path.display());
        function.local = Some(LocalSource { path, fingerprint, next_check: Instant::now() });
        persistence::store_with_code(context, function, Some(zip));
    })
}

/// Reloads the code of the function with this key if its files have changed. Code that cannot be run changes nothing.
pub async fn reload(context: &Context, key: &str, local: LocalSource) {
    let path = local.path.clone();
    let Ok((now, next_check)) = blocking(move || Ok(local_source::check(&path))).await else { return };
    let postpone = |function: &mut Function| function.local.iter_mut().for_each(|local| local.next_check = next_check);
    context.with_name(key, postpone).ok();
    if now == local.fingerprint {
        return;
    }
    // One invocation reloads; the others wait for it.
    let _reloading = context.reloading.lock().await;
    let current = context
        .with_name(key, |function| function.local.as_ref().map(|local| (function.settings.clone(), local.fingerprint)));
    let Ok(Some((settings, loaded))) = current else { return };
    let path = local.path.clone();
    let Ok((now, _)) = blocking(move || Ok(local_source::check(&path))).await else { return };
    if loaded == now {
        return;
    }
    match load(context, key, &local.path, &settings).await {
        Ok(loaded) => replace(context, key, local, &settings, loaded),
        Err(error) => {
            tracing::warn!(function = key, "new code rejected, the previous code continues to run: {}", error.message);
            // Rejected code is not read again until its files change.
            let reject = |function: &mut Function| function.local.iter_mut().for_each(|local| local.fingerprint = now);
            context.with_name(key, reject).ok();
        }
    }
}

fn replace(context: &Context, key: &str, local: LocalSource, settings: &Settings, loaded: Loaded) {
    let path = local.path.display().to_string();
    let replaced = context.with_name(key, |function| {
        // After a concurrent change of the settings, the next invocation reloads with the new ones.
        if function.settings != *settings {
            function.local.iter_mut().for_each(|local| local.next_check = Instant::now());
            return false;
        }
        function.update(settings.clone(), loaded.program, Instant::now());
        function.local = Some(LocalSource { fingerprint: loaded.fingerprint, ..local });
        persistence::store_with_code(context, function, Some(loaded.zip));
        true
    });
    if replaced.is_ok_and(|replaced| replaced) {
        tracing::info!(function = key, "code reloaded from {path}");
    }
}

struct Loaded {
    program: Program,
    zip: bytes::Bytes,
    fingerprint: u64,
}

async fn load(context: &Context, key: &str, path: &Path, settings: &Settings) -> Result<Loaded, AwsError> {
    let path = path.to_owned();
    let packed = blocking(move || {
        local_source::read(&path).map_err(|error| invalid_parameter(format!("cannot read {}: {error}", path.display())))
    });
    let local_source::Packed { zip, fingerprint } = packed.await?;
    let workspace = context.workspace()?;
    let Unpacked { code, zip } = workspace.unpack(key, settings, move || Ok(zip)).await?;
    Ok(Loaded { program: workspace.program(key, settings, &code).await?, zip, fingerprint })
}

/// The members of a CreateFunction for the code at `path`. Creates the function's role.
fn default_settings(context: &Context, name: &str, path: &Path) -> Result<ConfigurationInput, AwsError> {
    let (runtime, handler) = runtime_of(path)?;
    let config = &context.config;
    let role_name = format!("{name}-role");
    context.sts.iam().ensure_lambda_role(&role_name)?;
    let role = format!("arn:{}:iam::{}:role/{role_name}", partition(config), config.account_id);
    input([
        ("Runtime", json!(runtime)),
        ("Handler", json!(handler)),
        ("Role", json!(role)),
        ("Timeout", json!(30)),
        ("MemorySize", json!(512)),
    ])
}

/// The settings with the runtime and the handler of the code at `path`, if their runtime is one of another language.
fn in_language_of(settings: Settings, path: &Path) -> Result<Settings, AwsError> {
    let (runtime, handler) = runtime_of(path)?;
    // `provided.al2` and `provided.al2023`, `python3.12` and `python3.13`.
    let language = |runtime: &str| runtime.bytes().take_while(u8::is_ascii_alphabetic).count();
    let same = language(runtime);
    if same == language(&settings.runtime.id) && runtime[..same] == settings.runtime.id[..same] {
        return Ok(settings);
    }
    settings.update(&input([("Runtime", json!(runtime)), ("Handler", json!(handler))])?)
}

fn input<const N: usize>(members: [(&str, Value); N]) -> Result<ConfigurationInput, AwsError> {
    let members: Map<String, Value> = members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    serde_json::from_value(Value::Object(members)).map_err(|error| service_failure("create the function", &error))
}

/// The runtime and the handler for the code at a path.
fn runtime_of(path: &Path) -> Result<(&'static str, &'static str), AwsError> {
    let has = |name: &str| path.join(name).is_file();
    if path.is_file() || has(BOOTSTRAP) {
        return Ok(("provided.al2023", BOOTSTRAP));
    }
    if ["index.mjs", "index.js", "index.cjs"].into_iter().any(has) {
        return Ok(("nodejs22.x", "index.handler"));
    }
    for (file, handler) in [("lambda_function.py", "lambda_function.lambda_handler"), ("index.py", "index.handler")] {
        if has(file) {
            return Ok(("python3.13", handler));
        }
    }
    Err(invalid_parameter(format!(
        "{} has none of: bootstrap, index.mjs, index.js, index.cjs, lambda_function.py, index.py",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_files_of_a_folder_decide_its_runtime() {
        for (file, runtime, handler) in [
            ("bootstrap", "provided.al2023", "bootstrap"),
            ("index.mjs", "nodejs22.x", "index.handler"),
            ("lambda_function.py", "python3.13", "lambda_function.lambda_handler"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            assert!(runtime_of(folder.path()).unwrap_err().message.contains("has none of: bootstrap"));
            fs::write(folder.path().join(file), "").unwrap();
            assert_eq!(runtime_of(folder.path()).unwrap(), (runtime, handler));
        }
    }
}
