use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use crate::{GlibcVersion, Machine};

/// An instruction set of Lambda functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Arm64,
}

impl Architecture {
    /// The instruction set of this machine.
    pub fn host() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::X86_64 }
    }

    /// Parses Lambda's name for it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Self::X86_64),
            "arm64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// Lambda's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// The instruction set of its executables.
    pub fn machine(self) -> Machine {
        match self {
            Self::X86_64 => Machine::X86_64,
            Self::Arm64 => Machine::Aarch64,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The platform that runs a `bootstrap`: this machine, or one of Lambda's images.
#[derive(Debug, Clone)]
pub struct Platform {
    /// The name in messages: "this machine", "provided.al2023".
    pub name: String,
    /// The instruction set.
    pub architecture: Architecture,
    /// The glibc version; `None` if there is no glibc or its version is not available.
    pub glibc: Option<GlibcVersion>,
    loaders: Loaders,
}

#[derive(Debug, Clone, Copy)]
enum Loaders {
    OnThisMachine,
    Only(&'static str),
}

impl Platform {
    /// This machine. The first call runs a short-lived process.
    pub fn host() -> &'static Self {
        static HOST: OnceLock<Platform> = OnceLock::new();
        HOST.get_or_init(|| Self {
            name: "this machine".into(),
            architecture: Architecture::host(),
            glibc: host_glibc(),
            loaders: Loaders::OnThisMachine,
        })
    }

    /// The image of a runtime `provided.*`, `None` for any other. Amazon Linux 2023 has glibc 2.34, Amazon Linux 2 has 2.26.
    /// <https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html>
    pub fn lambda_image(runtime: &str, architecture: Architecture) -> Option<Self> {
        let glibc = match runtime {
            "provided.al2023" => (2, 34),
            "provided.al2" => (2, 26),
            _ => return None,
        };
        let loader = match architecture {
            Architecture::X86_64 => "/lib64/ld-linux-x86-64.so.2",
            Architecture::Arm64 => "/lib/ld-linux-aarch64.so.1",
        };
        Some(Self { name: runtime.to_owned(), architecture, glibc: Some(glibc), loaders: Loaders::Only(loader) })
    }

    /// Whether the dynamic loader `path` exists there.
    pub fn has_loader(&self, path: &str) -> bool {
        match self.loaders {
            Loaders::OnThisMachine => Path::new(path).exists(),
            Loaders::Only(loader) => path == loader,
        }
    }
}

/// `getconf` belongs to glibc, and needs no foreign call as `gnu_get_libc_version` does.
fn host_glibc() -> Option<GlibcVersion> {
    let output = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    parse_getconf(std::str::from_utf8(&output.stdout).ok()?)
}

/// `glibc 2.36` → `(2, 36)`.
fn parse_getconf(text: &str) -> Option<GlibcVersion> {
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn getconf_reports_the_version() {
        assert_eq!(parse_getconf("glibc 2.36\n"), Some((2, 36)));
        assert_eq!(parse_getconf("glibc 2.36.9000\n"), Some((2, 36)));
        assert_eq!(parse_getconf("undefined\n"), None);
    }

    #[test]
    fn lambdas_images_have_only_glibcs_loader() {
        let image = Platform::lambda_image("provided.al2023", Architecture::X86_64).unwrap();
        assert_eq!(image.glibc, Some((2, 34)));
        assert!(image.has_loader("/lib64/ld-linux-x86-64.so.2"));
        assert!(!image.has_loader("/lib/ld-musl-x86_64.so.1"));
        assert!(Platform::lambda_image("nodejs20.x", Architecture::X86_64).is_none());
    }
}
