//! The configuration file: parsed once, and checked against the table of settings. Errors name the line and the column.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use kinesis_event_logger_core::similar::similar;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::flags::check_tag;
use crate::error::{Error, Result};
use crate::provision::setting::{Part, SETTINGS, Setting};

/// The parts of which the file can set the name.
const NAMED: [Part; 4] = [Part::Stream, Part::Role, Part::LogGroup, Part::Function];

/// A parsed configuration file.
#[derive(Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    stage: Option<String>,
    base: Section,
    stages: BTreeMap<String, Section>,
}

/// The values of all stages, or of one.
#[derive(Debug, Default)]
struct Section {
    /// Names and their lines, by `app`, `stream.name` and so on.
    names: BTreeMap<String, (String, usize)>,
    settings: Vec<FileSetting>,
    tags: Vec<(String, String, usize)>,
}

/// A setting in the file.
#[derive(Debug)]
pub struct FileSetting {
    pub setting: &'static Setting,
    pub value: Value,
    pub line: usize,
}

impl ConfigFile {
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let source = Source { path, text };
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().unwrap_or_default();
            source.error(&at, error.message().to_owned())
        })?;
        let mut file = Self { path: path.to_owned(), stage: None, base: Section::default(), stages: BTreeMap::new() };
        for (key, value) in table.get_ref() {
            match key.get_ref().as_ref() {
                "stage" => file.stage = Some(source.text(value)?),
                "stages" => {
                    for (stage, section) in source.table(value)? {
                        let mut read = Section::default();
                        for (key, value) in source.table(section)? {
                            source.read_member(&mut read, key, value, &[])?;
                        }
                        file.stages.insert(stage.get_ref().to_string(), read);
                    }
                }
                _ => source.read_member(&mut file.base, key, value, &["stage", "stages"])?,
            }
        }
        Ok(file)
    }

    pub fn default_stage(&self) -> Option<&str> {
        self.stage.as_deref()
    }

    /// Fails if the file describes stages, but not this one.
    pub fn check_stage(&self, stage: &str) -> Result<()> {
        if self.stages.is_empty() || self.stages.contains_key(stage) || self.stage.as_deref() == Some(stage) {
            return Ok(());
        }
        let stages: Vec<_> = self.stages.keys().map(String::as_str).collect();
        Err(Error::usage(format!(
            "{} describes the stages {}, but not {stage}",
            self.path.display(),
            stages.join(", ")
        ))
        .hint(format!("choose a stage with --stage, or add [stages.{stage}] to the file")))
    }

    pub fn name(&self, stage: &str, key: &str) -> Option<&str> {
        self.named(stage, key).map(|(name, _)| name.as_str())
    }

    /// The line of a name.
    pub fn name_line(&self, stage: &str, key: &str) -> Option<usize> {
        self.named(stage, key).map(|(_, line)| *line)
    }

    fn named(&self, stage: &str, key: &str) -> Option<&(String, usize)> {
        let of_stage = self.stages.get(stage).and_then(|section| section.names.get(key));
        of_stage.or_else(|| self.base.names.get(key))
    }

    /// The settings: those of all stages, then those of the stage, which have precedence.
    pub fn settings(&self, stage: &str) -> impl Iterator<Item = &FileSetting> {
        self.sections(stage).flat_map(|section| &section.settings)
    }

    pub fn tags(&self, stage: &str) -> impl Iterator<Item = &(String, String, usize)> {
        self.sections(stage).flat_map(|section| &section.tags)
    }

    fn sections(&self, stage: &str) -> impl Iterator<Item = &Section> {
        [Some(&self.base), self.stages.get(stage)].into_iter().flatten()
    }
}

/// The text of the file, for the positions in errors.
struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    fn read_member(
        &self,
        section: &mut Section,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
        more: &[&'static str],
    ) -> Result<()> {
        let name = key.get_ref().as_ref();
        if name == "app" {
            section.names.insert("app".into(), (self.text(value)?, self.position(&key.span()).0));
        } else if name == "tags" {
            for (key, value) in self.table(value)? {
                check_tag(key.get_ref()).map_err(|error| self.error(&key.span(), error))?;
                section.tags.push((key.get_ref().to_string(), self.text(value)?, self.position(&key.span()).0));
            }
        } else if let Some(part) = Part::ALL.into_iter().find(|part| part.key() == name) {
            for (key, value) in self.table(value)? {
                self.read_setting(section, part, key, value)?;
            }
        } else {
            let names = Part::ALL.into_iter().map(Part::key).chain(["app", "tags"]).chain(more.iter().copied());
            return Err(self.unknown(name, &key.span(), names.collect()));
        }
        Ok(())
    }

    fn read_setting(
        &self,
        section: &mut Section,
        part: Part,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<()> {
        let name = key.get_ref().as_ref();
        if name == "name" && NAMED.contains(&part) {
            let line = self.position(&key.span()).0;
            section.names.insert(format!("{}.name", part.key()), (self.text(value)?, line));
            return Ok(());
        }
        let Some(setting) = Setting::find(part, name) else {
            let settings = SETTINGS.iter().filter(|setting| setting.part == part).map(|setting| setting.key);
            let names = settings.chain(NAMED.contains(&part).then_some("name")).collect();
            return Err(self.unknown(name, &key.span(), names));
        };
        let json = json(value.get_ref());
        let value_error = |error| self.error(&value.span(), format!("{} is {json}: {error}", setting.name()));
        let value = setting.kind.check(&json).map_err(value_error)?;
        section.settings.push(FileSetting { setting, value, line: self.position(&key.span()).0 });
        Ok(())
    }

    fn table<'v, 'i>(&self, value: &'v Spanned<DeValue<'i>>) -> Result<&'v DeTable<'i>> {
        let expected = || format!("expected a table, not {}", json(value.get_ref()));
        value.get_ref().as_table().ok_or_else(|| self.error(&value.span(), expected()))
    }

    fn text(&self, value: &Spanned<DeValue<'_>>) -> Result<String> {
        let expected = || format!("expected text, not {}", json(value.get_ref()));
        value.get_ref().as_str().map(str::to_owned).ok_or_else(|| self.error(&value.span(), expected()))
    }

    fn unknown(&self, name: &str, at: &Range<usize>, names: Vec<&'static str>) -> Error {
        let hint = match similar(name, names.iter().copied()).as_slice() {
            [] => format!("expected one of {}", names.join(", ")),
            similar => format!("similar names: {}", similar.join(", ")),
        };
        self.error(at, format!("{name} is not a setting ({hint})"))
    }

    fn error(&self, at: &Range<usize>, message: String) -> Error {
        let (line, column) = self.position(at);
        Error::usage(format!("{}:{line}:{column}: {message}", self.path.display()))
            .hint("docs/configuration.md describes the file; `ops-cli init` writes one with every setting")
    }

    /// The line and the column of a position, both from 1.
    fn position(&self, at: &Range<usize>) -> (usize, usize) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

/// The value as JSON. Times become text.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix()).map_or_else(|_| digits.into(), Value::from)
        }
        DeValue::Float(number) => serde_json::from_str(number.as_str()).unwrap_or_else(|_| number.as_str().into()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(members) => {
            let members = members.iter().map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())));
            Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// The whole file as JSON, for the schema.
#[cfg(test)]
pub fn to_json(text: &str) -> Value {
    json(&DeValue::Table(DeTable::parse(text).unwrap().into_inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Path::new("f.toml"), text).map_err(|error| error.message)
    }

    #[test]
    fn a_stage_has_precedence_over_the_values_of_all_stages() {
        let file = parse("app = \"orders\"\n[function]\nmemory = 256\ntimeout = \"2m\"\n[stages.prod]\napp = \"shop\"\n[stages.prod.function]\nmemory = 512\n").unwrap();
        let values = |stage: &str| -> Vec<_> {
            file.settings(stage).map(|it| (it.setting.name(), it.value.to_string(), it.line)).collect()
        };
        let all = [("function.memory".to_owned(), "256".to_owned(), 3), ("function.timeout".into(), "120".into(), 4)];
        assert_eq!(values("dev"), all);
        assert_eq!(values("prod")[2], ("function.memory".into(), "512".into(), 8));
        assert_eq!((file.name("dev", "app"), file.name("prod", "app")), (Some("orders"), Some("shop")));
        assert!(file.check_stage("prod").is_ok());
        assert!(file.check_stage("dev").unwrap_err().message.contains("describes the stages prod, but not dev"));
    }

    #[test]
    fn errors_name_the_line_and_the_column() {
        for (text, error) in [
            ("app = ", "f.toml:1:7: "),
            ("app = 1", "f.toml:1:7: expected text, not 1"),
            ("[function]\n  memry = 1", "f.toml:2:3: memry is not a setting (similar names: memory)"),
            (
                "[function]\nmemory = 64",
                "f.toml:2:10: function.memory is 64: expected a whole number from 128 to 10240",
            ),
            ("[funktion]\nmemory = 64", "f.toml:1:2: funktion is not a setting (similar names: function)"),
            ("[stages.prod.stream]\nshards = \"many\"", "f.toml:2:10: stream.shards is \"many\": expected a number"),
            ("[stages]\nprod = 1", "f.toml:2:8: expected a table, not 1"),
            ("[mapping]\nname = \"x\"", "f.toml:2:1: name is not a setting"),
            ("[tags]\na = 1", "f.toml:2:5: expected text, not 1"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.starts_with(error), "{found}");
        }
    }
}
