//! Resolves the precedence: an option before an environment variable, before the file, before the default.

use std::collections::BTreeMap;
use std::fmt;

use kinesis_event_logger_core::similar::similar;
use serde_json::Value;

use super::flags::join;
use super::{ConfigFile, SettingFlags};
use crate::error::{Error, Result};
use crate::provision::desired::Requested;
use crate::provision::kind::Kind;
use crate::provision::setting::{SETTINGS, Setting};

/// The sources of settings.
pub struct Layers<'a> {
    pub flags: &'a SettingFlags,
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    pub file: Option<&'a ConfigFile>,
    pub stage: &'a str,
}

/// The source of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    Flag(&'static str),
    Environment(String),
    File(String, usize),
    Default,
    /// The service's default in a new part; an existing part keeps its value.
    Unset,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment(variable) => f.write_str(variable),
            Self::File(path, line) => write!(f, "{path}:{line}"),
            Self::Default => f.write_str("default for a new part"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

/// A setting's value and its source.
#[derive(Debug, Clone)]
pub struct Effective {
    pub setting: &'static Setting,
    pub value: Option<Value>,
    pub origin: Origin,
}

impl Layers<'_> {
    /// The requested settings, without defaults.
    pub fn requested(&self) -> Result<Requested> {
        let mut requested = Requested::default();
        for Effective { setting, value, origin } in self.effective()? {
            if let (Some(value), false) = (value, origin == Origin::Default) {
                requested.set(setting.part, setting.key, value);
            }
        }
        Ok(requested)
    }

    /// The tags in addition to ours.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.effective_tags().into_iter().map(|(key, (value, _))| (key, value)).collect()
    }

    /// The tags with their sources.
    pub fn effective_tags(&self) -> BTreeMap<String, (String, Origin)> {
        let of_file = self.file.into_iter().flat_map(|file| {
            let origin = |line: usize| Origin::File(file.path.display().to_string(), line);
            file.tags(self.stage).map(move |(key, value, line)| (key.clone(), (value.clone(), origin(*line))))
        });
        let of_flags = self.flags.tags.iter().cloned();
        of_file.chain(of_flags.map(|(key, value)| (key, (value, Origin::Flag("tag"))))).collect()
    }

    /// Every setting with its value and its source. Variables of the function are joined from all sources.
    pub fn effective(&self) -> Result<Vec<Effective>> {
        SETTINGS.iter().map(|setting| self.resolve(setting)).collect()
    }

    fn resolve(&self, setting: &'static Setting) -> Result<Effective> {
        let mut found: Option<(Value, Origin)> = None;
        let mut add = |value: Value, origin: Origin| {
            let joined = match (found.take(), &setting.kind) {
                (Some((before, _)), Kind::Variables) => join(before, value),
                _ => value,
            };
            found = Some((joined, origin));
        };
        if let Some(file) = self.file {
            for it in file.settings(self.stage).filter(|it| std::ptr::eq(it.setting, setting)) {
                add(it.value.clone(), Origin::File(file.path.display().to_string(), it.line));
            }
        }
        let variable = setting.variable();
        if let Some(text) = (self.environment)(&variable).filter(|text| !text.is_empty()) {
            let value = setting.kind.parse(&text);
            add(
                value.map_err(|error| Error::usage(format!("{variable} is {text:?}: {error}")))?,
                Origin::Environment(variable),
            );
        }
        for (_, value) in self.flags.settings.iter().filter(|(flag, _)| std::ptr::eq(*flag, setting)) {
            add(value.clone(), Origin::Flag(setting.flag));
        }
        Ok(match (found, setting.default_value()) {
            (Some((value, origin)), _) => Effective { setting, value: Some(value), origin },
            (None, Some(value)) => Effective { setting, value: Some(value), origin: Origin::Default },
            (None, None) => Effective { setting, value: None, origin: Origin::Unset },
        })
    }
}

/// Describes the variables among `names` that look like ours and set nothing.
pub fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<String> {
    const PREFIX: &str = "KINESIS_LOGGER_";
    const OTHERS: [&str; 7] = ["CONFIG", "APP", "STAGE", "STREAM", "FUNCTION", "ROLE", "LOG_GROUP"];
    let of_settings: Vec<_> = SETTINGS.iter().map(|setting| setting.variable().replacen(PREFIX, "", 1)).collect();
    let known = || of_settings.iter().map(String::as_str).chain(OTHERS);
    let endings = names.into_iter().filter_map(|name| name.strip_prefix(PREFIX).map(str::to_owned));
    let unknown = endings.filter(|ending| known().all(|known| known != ending));
    unknown
        .map(|ending| {
            // `STREAM_NAME` for `STREAM`, and `MEMORY` for `FUNCTION_MEMORY`.
            let part = ending.strip_suffix("_NAME").unwrap_or_default();
            let is_meant = |known: &&str| *known == part || known.ends_with(&format!("_{ending}"));
            let mut meant: Vec<_> = known().filter(is_meant).collect();
            if meant.is_empty() {
                meant = similar(&ending, known());
            }
            let meant: Vec<_> = meant.into_iter().map(|name| format!("{PREFIX}{name}")).collect();
            let hint = if meant.is_empty() { String::new() } else { format!("; similar names: {}", meant.join(", ")) };
            format!("the variable {PREFIX}{ending} sets nothing{hint}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::provision::setting::Part;

    #[test]
    fn an_option_precedes_a_variable_which_precedes_the_file_which_precedes_the_default() {
        let text = "[function]\nmemory = 256\nenvironment = { AA = \"file\", BB = \"file\" }\n[stages.prod.function]\nmemory = 512\n";
        let file = ConfigFile::parse(Path::new("f.toml"), text).unwrap();
        let memory = Setting::find(Part::Function, "memory").unwrap();
        let environment = Setting::find(Part::Function, "environment").unwrap();
        let effective = |flags: &SettingFlags, variable: Option<&str>, file: Option<&ConfigFile>, stage: &str| {
            let get = |name: &str| variable.filter(|_| name == "KINESIS_LOGGER_FUNCTION_MEMORY").map(str::to_owned);
            let layers = Layers { flags, environment: &get, file, stage };
            layers
                .effective()
                .unwrap()
                .into_iter()
                .find(|it| it.setting.key == "memory")
                .map(|it| (it.value.unwrap(), it.origin))
                .unwrap()
        };
        let none = SettingFlags::default();
        let given = SettingFlags { settings: vec![(memory, json!(1024))], ..none.clone() };
        assert_eq!(effective(&none, None, None, "dev"), (json!(128), Origin::Default));
        assert_eq!(effective(&none, None, Some(&file), "dev"), (json!(256), Origin::File("f.toml".into(), 2)));
        assert_eq!(effective(&none, None, Some(&file), "prod"), (json!(512), Origin::File("f.toml".into(), 5)));
        let variable = Origin::Environment("KINESIS_LOGGER_FUNCTION_MEMORY".into());
        assert_eq!(effective(&none, Some("768"), Some(&file), "prod"), (json!(768), variable));
        assert_eq!(effective(&given, Some("768"), Some(&file), "prod"), (json!(1024), Origin::Flag("memory")));

        let flags = SettingFlags { settings: vec![(environment, json!({ "BB": "flag" }))], ..none };
        let layers = Layers { flags: &flags, environment: &|_| None, file: Some(&file), stage: "dev" };
        let joined = layers.requested().unwrap().get(Part::Function, "environment").cloned();
        assert_eq!(joined, Some(json!({ "AA": "file", "BB": "flag" })));
    }
    #[test]
    fn a_variable_that_sets_nothing_is_named_with_similar_ones() {
        let unknown = |name: &str| unknown_variables([name.to_owned()]);
        for known in ["KINESIS_LOGGER_APP", "KINESIS_LOGGER_FUNCTION_MEMORY", "LOGGER_DATA", "PATH"] {
            assert!(unknown(known).is_empty(), "{known}");
        }
        for (wrong, meant) in [
            ("KINESIS_LOGGER_MEMORY", "KINESIS_LOGGER_FUNCTION_MEMORY"),
            ("KINESIS_LOGGER_FUNCTION_MEMROY", "KINESIS_LOGGER_FUNCTION_MEMORY"),
            ("KINESIS_LOGGER_STAGGE", "KINESIS_LOGGER_STAGE"),
            ("KINESIS_LOGGER_LOG_GROUP_NAME", "KINESIS_LOGGER_LOG_GROUP"),
        ] {
            assert_eq!(unknown(wrong), [format!("the variable {wrong} sets nothing; similar names: {meant}")]);
        }
    }
}
