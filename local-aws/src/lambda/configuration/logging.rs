//! A function's logging: the log group, the format and the levels.
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-logs.html>

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::AwsError;
use crate::lambda::errors::invalid_parameter;

/// The member `LoggingConfig` of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LoggingInput {
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
    log_group: Option<String>,
}

/// The log group and the format of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Logging {
    pub format: Format,
    pub group: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    Text,
    Json { application_level: String, system_level: String },
}

impl Logging {
    /// This configuration with the members that a request sets. Levels exist in the JSON format only, where they default to
    /// INFO (recorded answers of 2025-11).
    ///
    /// # Errors
    /// A level without the JSON format.
    pub fn with(&self, input: &LoggingInput) -> Result<Self, AwsError> {
        let is_json = match input.log_format.as_deref() {
            Some(format) => format == "JSON",
            None => self.format != Format::Text,
        };
        let has_level = input.application_log_level.is_some() || input.system_log_level.is_some();
        if has_level && !is_json {
            return Err(invalid_parameter("Log levels can be set only when LogFormat is JSON."));
        }
        let (application, system) = match &self.format {
            Format::Json { application_level, system_level } => (application_level.as_str(), system_level.as_str()),
            Format::Text => ("INFO", "INFO"),
        };
        let level = |given: &Option<String>, before: &str| given.clone().unwrap_or_else(|| before.to_owned());
        let format = if is_json {
            Format::Json {
                application_level: level(&input.application_log_level, application),
                system_level: level(&input.system_log_level, system),
            }
        } else {
            Format::Text
        };
        Ok(Self { format, group: input.log_group.clone().unwrap_or_else(|| self.group.clone()) })
    }

    /// The member `LoggingConfig` of a `FunctionConfiguration`.
    pub fn to_json(&self) -> Value {
        match &self.format {
            Format::Text => json!({ "LogFormat": "Text", "LogGroup": self.group }),
            Format::Json { application_level, system_level } => json!({
                "LogFormat": "JSON",
                "ApplicationLogLevel": application_level,
                "SystemLogLevel": system_level,
                "LogGroup": self.group,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(logging: &Logging, input: Value) -> Result<Logging, AwsError> {
        logging.with(&serde_json::from_value(input).unwrap())
    }

    #[test]
    fn levels_require_the_json_format() {
        let text = Logging { format: Format::Text, group: "/aws/lambda/f".into() };
        let json = with(&text, json!({ "LogFormat": "JSON" })).unwrap();
        let levels = |application: &str, system: &str| Format::Json {
            application_level: application.into(),
            system_level: system.into(),
        };
        assert_eq!(json.format, levels("INFO", "INFO"));
        let debug = with(&json, json!({ "ApplicationLogLevel": "DEBUG" })).unwrap();
        assert_eq!(debug.format, levels("DEBUG", "INFO"));
        assert_eq!(with(&debug, json!({ "LogFormat": "Text" })).unwrap(), text);
        let moved = with(&text, json!({ "LogGroup": "cool_lambda" })).unwrap();
        assert_eq!((moved.format, moved.group.as_str()), (Format::Text, "cool_lambda"));
        assert!(with(&text, json!({ "SystemLogLevel": "WARN" })).is_err());
    }
}
