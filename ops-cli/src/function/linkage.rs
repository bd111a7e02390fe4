//! The ways to link the function's binary, the best first.

use std::path::Path;
use std::process::Command;

use lambda_package::Architecture;
use serde::Serialize;

/// Which C library the binary has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linkage {
    StaticGlibc,
    StaticMusl,
    /// The C library of the machine that runs it.
    HostLibrary,
}

/// One way to build for an architecture.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub linkage: Linkage,
    /// The target of rustc.
    pub triple: String,
    /// The linker; `None` for rustc's own choice.
    pub linker: Option<&'static str>,
    /// The command that installs what it needs.
    pub install: String,
}

impl Linkage {
    pub fn describe(self) -> &'static str {
        match self {
            Self::StaticGlibc => "static glibc",
            Self::StaticMusl => "static musl",
            Self::HostLibrary => "this machine's C library",
        }
    }

    /// How it compares with the others (docs/decisions/static-binary.md has the measurements).
    pub fn comparison(self) -> &'static str {
        match self {
            Self::StaticGlibc => "the fastest build that runs on every Lambda image",
            Self::StaticMusl => {
                "runs on every Lambda image, but needs about 1.5 times the CPU time of a static glibc build"
            }
            Self::HostLibrary => {
                "up to a tenth faster than a static glibc build, but needs a machine with this glibc or a newer one"
            }
        }
    }

    /// The options of rustc.
    pub fn flags(self) -> &'static [&'static str] {
        match self {
            Self::StaticGlibc => &["-C", "target-feature=+crt-static"],
            Self::StaticMusl | Self::HostLibrary => &[],
        }
    }
}

/// The candidates for an architecture, the best first, whether or not they can be built here.
pub fn candidates(architecture: Architecture, host: Architecture) -> Vec<Candidate> {
    let machine = architecture.machine();
    let is_host = architecture == host;
    let glibc = format!("{machine}-unknown-linux-gnu");
    let musl = format!("{machine}-unknown-linux-musl");
    let install_glibc = match architecture {
        _ if is_host => "apt-get install libc6-dev".to_owned(),
        Architecture::Arm64 => {
            format!("apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross && rustup target add {glibc}")
        }
        Architecture::X86_64 => {
            format!("apt-get install gcc-x86-64-linux-gnu libc6-dev-amd64-cross && rustup target add {glibc}")
        }
    };
    let cross_gcc = match architecture {
        Architecture::Arm64 => "aarch64-linux-gnu-gcc",
        Architecture::X86_64 => "x86_64-linux-gnu-gcc",
    };
    let candidate =
        |linkage, triple: &String, linker, install| Candidate { linkage, triple: triple.clone(), linker, install };
    let add_musl = format!("rustup target add {musl}");
    let mut candidates = vec![
        candidate(Linkage::StaticGlibc, &glibc, (!is_host).then_some(cross_gcc), install_glibc),
        // The toolchain's own linker, so that no cross-linker has to be installed.
        candidate(Linkage::StaticMusl, &musl, Some("rust-lld"), add_musl),
    ];
    if is_host {
        candidates.push(candidate(Linkage::HostLibrary, &glibc, None, "apt-get install gcc libc6-dev".to_owned()));
    }
    candidates
}

impl Candidate {
    /// Whether what it needs is installed.
    pub fn is_installed(&self) -> bool {
        has_target(&self.triple) && (self.linkage != Linkage::StaticGlibc || has_static_glibc(self.linker))
    }
}

fn has_target(triple: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let answer = Command::new(rustc).args(["--print", "target-libdir", "--target", triple]).output();
    answer.is_ok_and(|answer| {
        answer.status.success() && Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_dir()
    })
}

/// Asks the C compiler, which knows where its libraries are.
fn has_static_glibc(compiler: Option<&str>) -> bool {
    let answer = Command::new(compiler.unwrap_or("cc")).arg("-print-file-name=libc.a").output();
    // It answers with the bare name if there is no such file.
    answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_candidate_is_first_and_only_the_hosts_architecture_has_its_c_library() {
        let of = |architecture| candidates(architecture, Architecture::X86_64);
        let linkages = |architecture| of(architecture).iter().map(|found| found.linkage).collect::<Vec<_>>();
        assert_eq!(linkages(Architecture::X86_64), [Linkage::StaticGlibc, Linkage::StaticMusl, Linkage::HostLibrary]);
        assert_eq!(linkages(Architecture::Arm64), [Linkage::StaticGlibc, Linkage::StaticMusl]);
    }

    #[test]
    fn a_foreign_architecture_needs_a_cross_compiler_and_says_so() {
        let foreign = candidates(Architecture::Arm64, Architecture::X86_64).remove(0);
        assert_eq!((&*foreign.triple, foreign.linker), ("aarch64-unknown-linux-gnu", Some("aarch64-linux-gnu-gcc")));
        assert!(foreign.install.contains("libc6-dev-arm64-cross"), "{}", foreign.install);
        let own = candidates(Architecture::Arm64, Architecture::Arm64).remove(0);
        assert_eq!((own.linker, &*own.install), (None, "apt-get install libc6-dev"));
    }
}
