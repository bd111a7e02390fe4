//! Installs programs from PyPI and npm below `target/`, once per checkout.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// A Python virtual environment with the packages that the file `requirements` lists. `None` if it cannot be installed, because there
/// is no Python, no `venv` or no network.
pub fn python(name: &str, requirements: &Path) -> Option<PathBuf> {
    installed(name, requirements, |venv| {
        let pip = venv.join("bin/pip");
        has_run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(venv))
            && has_run(Command::new(pip).args(["install", "--quiet", "--requirement"]).arg(requirements))
    })
}

/// A folder with the Node.js modules that `package-lock.json` in the folder `package` lists. `None` if they cannot be installed.
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

/// A folder with Ansible's collections for AWS, extracted from the wheel that the file `requirement` names, which contains all
/// collections.
pub fn ansible_collections(name: &str, requirement: &Path) -> Option<PathBuf> {
    const EXTRACT: &str = "import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wanted = tuple(f'ansible_collections/{name}/' for name in ('amazon/aws', 'community/aws'))
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(wanted)])";
    installed(name, requirement, |folder| {
        let downloads = folder.join("downloads");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--requirement"]);
        if !has_run(pip.arg(requirement).arg("--dest").arg(&downloads)) {
            return false;
        }
        let wheel = std::fs::read_dir(&downloads).unwrap().next().unwrap().unwrap().path();
        let is_extracted = has_run(Command::new("python3").args(["-c", EXTRACT]).arg(wheel).arg(folder));
        std::fs::remove_dir_all(downloads).unwrap();
        is_extracted
    })
}

/// The folder into which `install` has installed what the file `wanted` lists. Installs it again when the file has changed.
fn installed(name: &str, wanted: &Path, install: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    // The tests of a file run at the same time.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
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
