//! Functions whose code is a file or a folder on this machine, read again when it changes.
//!
//! What runs is a copy, so that a build may write in place; it is made once the files have not changed for a moment, and is
//! refused like any package when it is not whole.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Cursor, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_package::{BOOTSTRAP, Platform};
use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;

use super::code::{Code, new_root};
use super::function::Function;
use super::functions::{Functions, blocking};
use super::names::{Reference, partition};
use super::persist::Changed;
use super::settings::{Input, Settings};
use super::validation::{invalid_parameter, service_failure};
use crate::error::AwsError;

/// How long files must not have changed before they are taken for whole.
const AT_REST: Duration = Duration::from_millis(25);
/// How long that is waited for before the code there is runs on.
const LONGEST_BUILD_WAIT: Duration = Duration::from_secs(3);
/// A folder is looked at again once so many times as long has passed as the look took.
const LOOK_SHARE: u32 = 20;

/// Where a function's code is, and how it was when it was last read.
#[derive(Debug, Clone)]
pub struct Local {
    pub path: PathBuf,
    seen: u64,
    look_again: Instant,
}

impl Functions {
    /// Makes a function of what is at `path`; one that there is already keeps its settings.
    ///
    /// # Errors
    /// There is nothing at the path that the endpoint can run, and why.
    pub async fn make_local(&self, name: &str, path: &Path) -> Result<(), AwsError> {
        let (name, path) = (Reference::read_new(name, self.config())?, path.to_owned());
        let found = path.canonicalize();
        let path = found.map_err(|error| invalid_parameter(format!("{}: {error}", path.display())))?;
        let existing = self.with_name(&name, |function| function.settings.clone()).ok();
        let settings = match existing {
            Some(settings) => settings,
            None => {
                let input = self.local_settings(&name, &path)?;
                Settings::create(&input, &name, Platform::host().architecture)?
            }
        };
        let (seen, code) = self.read_local(&name, &path, &settings).await?;
        let pool = self.pool(&name, &settings, &code).await?;
        let function = self
            .with_name(&name, |function| function.update(settings.clone(), code.clone(), pool.clone(), Instant::now()));
        if function.is_err() {
            self.add(Function::new(name.clone(), settings, code, pool, Instant::now()));
        }
        self.with_name(&name, |function| {
            tracing::info!(function = name, runtime = function.settings.runtime.id, "its code is {}", path.display());
            function.local = Some(Local { path, seen, look_again: Instant::now() });
            self.keep(function, Changed::Code);
        })
    }

    /// Reads a function's code again if its files have changed; what cannot be run leaves the code as it is.
    pub async fn reload(&self, name: &str) {
        // By the name of an alias the function's own is found.
        let local = self.with_name(name, |function| {
            let local = function.local.clone().filter(|local| local.look_again <= Instant::now());
            local.map(|local| (function.key(), local))
        });
        let Ok(Some((name, local))) = local else { return };
        let name = name.as_str();
        let looked = Instant::now();
        let now = fingerprint(&local.path);
        let (seen, look_again) = (now, Instant::now() + looked.elapsed() * LOOK_SHARE);
        self.with_name(name, |function| function.local.iter_mut().for_each(|local| local.look_again = look_again)).ok();
        if seen == local.seen {
            return;
        }
        // One at a time: the others find it done.
        let _turn = self.reloading().lock().await;
        let Ok(Some((settings, seen))) = self
            .with_name(name, |function| function.local.as_ref().map(|local| (function.settings.clone(), local.seen)))
        else {
            return;
        };
        if seen == fingerprint(&local.path) {
            return;
        }
        let read = async {
            let (seen, code) = self.read_local(name, &local.path, &settings).await?;
            let pool = self.pool(name, &settings, &code).await?;
            self.with_name(name, |function| {
                // Changed meanwhile: the next invocation reads it with the settings that there are then.
                if function.settings != settings {
                    function.local.iter_mut().for_each(|local| local.look_again = Instant::now());
                    return false;
                }
                function.update(settings, code, pool, Instant::now());
                function.local = Some(Local { seen, ..local.clone() });
                self.keep(function, Changed::Code);
                true
            })
        };
        match read.await {
            Ok(false) => {}
            Ok(true) => tracing::info!(function = name, "code reloaded from {}", local.path.display()),
            Err(error) => {
                tracing::warn!(function = name, "the code before runs on: {}", error.message);
                // Not again before it changes.
                self.with_name(name, |function| function.local.iter_mut().for_each(|local| local.seen = now)).ok();
            }
        }
    }

    async fn read_local(&self, name: &str, path: &Path, settings: &Settings) -> Result<(u64, Arc<Code>), AwsError> {
        let seen = at_rest(path).await;
        let (root, path, settings) = (new_root(&self.workspace_folder()?, name), path.to_owned(), settings.clone());
        let code = blocking(move || {
            let zip = pack(&path).map_err(|error| service_failure(&format!("read {}", path.display()), &error))?;
            Code::unpack(&zip, &settings, root).map(Arc::new)
        });
        Ok((seen, code.await?))
    }

    /// The members of a CreateFunction that makes a function of what is at `path`, its role made too.
    fn local_settings(&self, name: &str, path: &Path) -> Result<Input, AwsError> {
        let (runtime, handler) = runtime_of(path)?;
        let config = self.config();
        let role_name = format!("{name}-role");
        self.make_role(&role_name)?;
        let role = format!("arn:{}:iam::{}:role/{role_name}", partition(config), config.account_id);
        let members: Map<String, Value> = [
            ("Runtime", json!(runtime)),
            ("Handler", json!(handler)),
            ("Role", json!(role)),
            ("Timeout", json!(30)),
            ("MemorySize", json!(512)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        serde_json::from_value(Value::Object(members)).map_err(|error| service_failure("make the function", &error))
    }
}

/// The runtime and the handler of what is at a path.
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

/// Waits until files stay as they are, and tells how. What changes for longer is taken as it is.
async fn at_rest(path: &Path) -> u64 {
    let begun = Instant::now();
    let mut before = fingerprint(path);
    loop {
        tokio::time::sleep(AT_REST).await;
        let now = fingerprint(path);
        if now == before || begun.elapsed() > LONGEST_BUILD_WAIT {
            return now;
        }
        before = now;
    }
}

/// Changes when a file is written, replaced, added or removed: by number, size and times of each.
fn fingerprint(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files(path).unwrap_or_default() {
        file.hash(&mut hasher);
        if let Ok(of) = fs::metadata(&file) {
            (of.ino(), of.size(), of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// The files at or below a path, ordered; links within are followed, and hidden ones are not code.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![path.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A zip of what is at a path: of a file, with it as `bootstrap`.
fn pack(path: &Path) -> io::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for file in files(path)? {
        let name = match file.strip_prefix(path) {
            Ok(name) if !name.as_os_str().is_empty() => name.to_string_lossy().into_owned(),
            _ => BOOTSTRAP.to_owned(),
        };
        // Stored: compressing is for the way to AWS.
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, options.unix_permissions(fs::metadata(&file)?.permissions().mode() & 0o777))?;
        zip.write_all(&fs::read(&file)?)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_folder_holds_tells_its_runtime() {
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

    #[test]
    fn every_way_to_change_a_file_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "one").unwrap();
        let mut seen = vec![fingerprint(folder.path())];
        assert_eq!(fingerprint(folder.path()), seen[0]);
        fs::write(&path, "longer").unwrap();
        seen.push(fingerprint(folder.path()));
        fs::write(&other, "second").unwrap();
        seen.push(fingerprint(folder.path()));
        fs::rename(&other, &path).unwrap();
        seen.push(fingerprint(folder.path()));
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/c"), "").unwrap();
        seen.push(fingerprint(folder.path()));
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len());
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::write(folder.path().join(".git/index"), "").unwrap();
        assert_eq!(fingerprint(folder.path()), seen[4]);
    }
}
