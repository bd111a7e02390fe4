//! Programs from PyPI and npm, installed below `target/` once for a checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A virtual environment of Python with what the file `requirements` names; `None` where it cannot be had, for want of
/// Python, of its `venv` or of a network.
pub fn python(name: &str, requirements: &Path) -> Option<PathBuf> {
    installed(name, requirements, |venv| {
        let pip = venv.join("bin/pip");
        has_run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
            && has_run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(requirements))
    })
}

/// A folder of node's modules, those that `package-lock.json` in the folder `package` names; `None` where they cannot be
/// had.
pub fn javascript(name: &str, package: &Path) -> Option<PathBuf> {
    installed(name, &package.join("package-lock.json"), |modules| {
        std::fs::create_dir_all(modules).unwrap();
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(package.join(file), modules.join(file)).unwrap();
        }
        has_run(
            Command::new("npm")
                .args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
                .arg(modules),
        )
    })
}

/// The folder in which `install` has put what the file `wanted` names: again when that has changed.
fn installed(name: &str, wanted: &Path, install: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let stamp = folder.join("installed");
    let wanted = std::fs::read(wanted).unwrap();
    if std::fs::read(&stamp).is_ok_and(|there| there == wanted) {
        return Some(folder);
    }
    if !install(&folder) {
        return None;
    }
    std::fs::write(stamp, wanted).unwrap();
    Some(folder)
}

fn has_run(command: &mut Command) -> bool {
    match command.output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            eprintln!("{command:?}: {error}");
            false
        }
    }
}
