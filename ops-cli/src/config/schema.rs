//! The JSON Schema of the configuration file, derived from the table of settings.

use serde_json::{Map, Value, json};

use crate::provision::setting::{Part, SETTINGS};

/// The schema, which `docs/configuration.schema.json` contains.
pub fn schema() -> Value {
    let mut members = section();
    members.insert("stage".into(), json!({ "type": "string", "description": "Stage that is used without --stage" }));
    let stage = json!({ "type": "object", "additionalProperties": false, "properties": section() });
    let stages = json!({ "type": "object", "description": "Values for one stage each", "additionalProperties": stage });
    members.insert("stages".into(), stages);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kinesis-logger.toml",
        "type": "object",
        "additionalProperties": false,
        "properties": members,
    })
}

fn section() -> Map<String, Value> {
    let mut members = Map::new();
    members
        .insert("app".into(), json!({ "type": "string", "description": "Application, the first part of every name" }));
    for part in Part::ALL {
        let mut properties = Map::new();
        if part != Part::Mapping {
            properties.insert(
                "name".into(),
                json!({ "type": "string", "description": format!("Name of the {}", part.noun()) }),
            );
        }
        for setting in SETTINGS.iter().filter(|setting| setting.part == part) {
            let mut schema = setting.kind.schema();
            schema["description"] = setting.about.into();
            if let Some(default) = setting.default_value() {
                schema["default"] = default;
            }
            properties.insert(setting.key.into(), schema);
        }
        members.insert(
            part.key().into(),
            json!({ "type": "object", "additionalProperties": false, "properties": properties }),
        );
    }
    let tags = json!({ "type": "object", "description": "Tags of every part, in addition to ours", "additionalProperties": { "type": "string" } });
    members.insert("tags".into(), tags);
    members
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::template::template;
    use super::*;

    fn committed() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.schema.json")
    }

    #[test]
    fn the_committed_schema_is_the_one_of_the_settings() {
        let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(committed(), &schema).unwrap();
        }
        let committed = std::fs::read_to_string(committed()).unwrap();
        assert!(committed == schema, "UPDATE_GOLDEN=1 writes docs/configuration.schema.json");
    }

    #[test]
    fn the_schema_accepts_every_setting_of_the_template_and_rejects_what_the_parser_rejects() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let uncommented = template("orders", "prod", &[]).replace("# ", "").replace("#", "");
        let lines: Vec<_> = uncommented.lines().filter(|line| line.contains(" = ") || line.starts_with('[')).collect();
        let file = to_json(&lines.join("\n"));
        let errors: Vec<_> = validator.iter_errors(&file).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{file}");
        for (wrong, is_rejected) in [
            ("[function]\nmemory = 64", true),
            ("[function]\nmemry = 128", true),
            ("[stream]\nshards = \"many\"", true),
            ("[log-group]\nretention-days = 31", true),
            ("[mapping]\nmax-record-age = 5", true),
            ("[mapping]\nretries = -1", false),
            ("[stages.prod.function]\nmemory = 64", true),
        ] {
            assert_eq!(!validator.is_valid(&to_json(wrong)), is_rejected, "{wrong}");
            let parsed = super::super::ConfigFile::parse(Path::new("f"), wrong);
            assert_eq!(parsed.is_err(), is_rejected, "{wrong}");
        }
    }

    fn to_json(text: &str) -> Value {
        super::super::file::to_json(text)
    }
}
