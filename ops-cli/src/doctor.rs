//! Finds what is wrong with a path, what that means, and what to do. The checks are pure functions over what was read.

mod checks;
mod readings;

use std::io::{self, Write};

use serde::Serialize;

use crate::error::Error;
use crate::output::Render;

pub use checks::diagnose;
pub use readings::Readings;

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// The checked part of the path, or something that the path depends on.
    pub subject: &'static str,
    pub message: String,
    /// The consequence; `None` if it is in order.
    pub meaning: Option<String>,
    /// The remedy.
    pub action: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Ok,
    Warning,
    Broken,
}

impl Finding {
    pub fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, subject, message: message.into(), meaning: None, action: None }
    }

    pub fn warning(subject: &'static str, message: impl Into<String>, meaning: &str, action: &str) -> Self {
        let (meaning, action) = (Some(meaning.to_owned()), Some(action.to_owned()));
        Self { severity: Severity::Warning, subject, message: message.into(), meaning, action }
    }

    pub fn broken(subject: &'static str, message: impl Into<String>, meaning: &str, action: &str) -> Self {
        Self { severity: Severity::Broken, ..Self::warning(subject, message, meaning, action) }
    }

    /// Something that could not be read.
    fn unknown(subject: &'static str, error: &Error) -> Self {
        let action = error.hint.as_deref().unwrap_or("run `ops-cli doctor` again");
        Self::warning(subject, error.message.clone(), "this was not checked", action)
    }
}

/// All findings.
#[derive(Serialize)]
pub struct Diagnosis {
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

impl Render for Diagnosis {
    const HEADINGS: &'static [&'static str] = &["ok", "warning", "broken"];

    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for Finding { severity, subject, message, meaning, action } in &self.findings {
            let severity = match severity {
                Severity::Ok => "ok",
                Severity::Warning => "warning",
                Severity::Broken => "broken",
            };
            writeln!(to, "{severity:<8} {subject:<13} {message}")?;
            if let Some(meaning) = meaning {
                writeln!(to, "{:22} {meaning}", "")?;
            }
            if let Some(action) = action {
                writeln!(to, "{:22} → {action}", "")?;
            }
        }
        Ok(())
    }
}
