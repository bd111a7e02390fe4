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

/// A folder of Ansible's collections of AWS, as the wheel that the file `requirement` names brings them: it holds all
/// collections there are, of which these are a thirtieth.
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
