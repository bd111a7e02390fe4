//! The options that set settings, derived from the table of settings.

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use kinesis_event_logger_core::names;
use serde_json::{Map, Value};

use crate::provision::kind::Kind;
use crate::provision::setting::{Part, SETTINGS, Setting};

const TAG: &str = "tag";

/// The settings and tags that options request.
#[derive(Debug, Clone, Default)]
pub struct SettingFlags {
    pub settings: Vec<(&'static Setting, Value)>,
    pub tags: Vec<(String, String)>,
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let tag = Arg::new(TAG).long(TAG).value_name("KEY=VALUE").help_heading("Tags");
        let tag = tag.action(clap::ArgAction::Append).value_parser(parse_tag);
        let tag = tag.help("Tag of every part, in addition to ours; several if you like");
        command.args(SETTINGS.iter().map(arg)).arg(tag)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &'static Setting) -> Arg {
    let arg = Arg::new(setting.flag).long(setting.flag).value_name(setting.value_name).help(help(setting));
    let arg = arg.help_heading(heading(setting.part)).value_parser(move |text: &str| setting.kind.parse(text));
    match setting.kind {
        Kind::Patterns | Kind::Ids(_) | Kind::Variables => arg.action(clap::ArgAction::Append),
        Kind::Bool => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    }
}

fn help(setting: &Setting) -> String {
    match setting.default {
        Some(default) => format!("{} (default: {default})", setting.about),
        None => setting.about.to_owned(),
    }
}

fn heading(part: Part) -> &'static str {
    match part {
        Part::Stream => "Stream",
        Part::Role => "Role",
        Part::LogGroup => "Log group",
        Part::Function => "Function",
        Part::Mapping => "Event source mapping",
    }
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| "expected KEY=VALUE".to_owned())?;
    check_tag(key)?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Checks the key of a tag: ours have values of their own, and `aws:` is reserved
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>).
pub fn check_tag(key: &str) -> Result<(), String> {
    match key {
        "" => Err("expected KEY=VALUE with a key".to_owned()),
        names::APPLICATION_TAG | names::STAGE_TAG => Err(format!("{key} is set from --app and --stage")),
        key if key.to_ascii_lowercase().starts_with("aws:") => Err("AWS reserves keys that begin with aws:".to_owned()),
        _ => Ok(()),
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Vec::new();
        for setting in SETTINGS {
            let values = matches.get_many::<Value>(setting.flag).into_iter().flatten().cloned();
            settings.extend(values.reduce(join).map(|value| (setting, setting.kind.in_order(value))));
        }
        let tags = matches.get_many::<(String, String)>(TAG).into_iter().flatten().cloned().collect();
        Ok(Self { settings, tags })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Joins the values of an option that is given several times.
pub fn join(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => one.into_iter().chain(other).collect(),
        (Value::Object(one), Value::Object(other)) => {
            Value::Object(one.into_iter().chain(other).collect::<Map<_, _>>())
        }
        (_, other) => other,
    }
}
