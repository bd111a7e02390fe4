//! The commented configuration file that `ops-cli init` writes, derived from the table of settings.

use std::fmt::Write;

use serde_json::Value;

use crate::provision::kind::Kind;
use crate::provision::setting::{Part, SETTINGS, Setting};

/// The file: names, then every setting as a comment with its default or an example.
/// `given` are the parts' names that are not derived from the application and the stage.
pub fn template(app: &str, stage: &str, given: &[(Part, &str)]) -> String {
    let mut text = format!(
        "# Configuration of ops-cli, which describes the path from the stream to the log group.\n\
         # Precedence: option, environment variable, this file, default. `ops-cli config show` prints the result.\n\
         # A setting that is commented out keeps its value in an existing part, and gets its default in a new part.\n\n\
         app = {app:?}\nstage = {stage:?}\n"
    );
    for part in Part::ALL {
        let _ = write!(text, "\n[{}]\n", part.key());
        if part != Part::Mapping {
            let _ = match given.iter().find(|(named, _)| *named == part) {
                Some((_, name)) => writeln!(text, "name = {name:?}"),
                None => writeln!(text, "# name = \"{}\"", example_name(part, app, stage)),
            };
        }
        for setting in SETTINGS.iter().filter(|setting| setting.part == part) {
            let _ = write!(text, "# {}\n# {} = {}\n", setting.about, setting.key, example(setting));
        }
    }
    text += "\n# Tags of every part, in addition to ours.\n[tags]\n# team = \"platform\"\n";
    let _ = write!(text, "\n# Values for one stage only.\n# [stages.{stage}.stream]\n# shards = 4\n");
    text
}

fn example_name(part: Part, app: &str, stage: &str) -> String {
    match part {
        Part::Role => format!("{app}-{stage}-role"),
        Part::LogGroup => format!("/aws/lambda/{app}-{stage}"),
        _ => format!("{app}-{stage}"),
    }
}

fn example(setting: &Setting) -> String {
    match (setting.default_value(), &setting.kind) {
        (Some(Value::String(text)), _) => format!("{text:?}"),
        (Some(value), _) => value.to_string(),
        (None, Kind::Integer(range) | Kind::Seconds(range)) => range.start().to_string(),
        (None, Kind::SecondsOrNever(range)) => range.end().to_string(),
        (None, Kind::OneOf(words)) => format!("{:?}", words[0]),
        (None, Kind::Bool) => "false".into(),
        (None, Kind::Patterns) => r#"['{"data":{"level":["ERROR"]}}']"#.into(),
        (None, Kind::Ids(prefix)) => format!("[\"{prefix}0123456789abcdef0\"]"),
        (None, Kind::Variables) => r#"{ LOGGER_DATA = "hash" }"#.into(),
        (None, Kind::Time) => "\"2026-11-28T14:50:00Z\"".into(),
        (None, _) => "\"none\"".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::ConfigFile;
    use super::*;

    #[test]
    fn the_template_is_valid_as_it_is_and_contains_every_setting() {
        let text = template("orders", "prod", &[]);
        let file = ConfigFile::parse(Path::new("f"), &text).unwrap();
        assert_eq!((file.name("prod", "app"), file.settings("prod").count()), (Some("orders"), 0));
        for setting in SETTINGS {
            assert!(text.contains(&format!("\n# {} = ", setting.key)), "{}", setting.name());
        }
    }
}
