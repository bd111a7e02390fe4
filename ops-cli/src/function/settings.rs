//! The function's own settings, as its configuration in Lambda has them.

use std::collections::HashMap;
use std::ffi::OsString;

use aws_sdk_lambda::types::LoggingConfig;
use kinesis_event_logger_core::settings::{RUNTIME_VARIABLES, Settings, SettingsError};

/// Reads the settings from a configuration, as the function does from the variables that Lambda gives it.
pub fn read(variables: &HashMap<String, String>, logging: Option<&LoggingConfig>) -> Result<Settings, SettingsError> {
    let format = logging.and_then(|logging| logging.log_format()).map(|format| format.as_str());
    let level = logging.and_then(|logging| logging.application_log_level()).map(|level| level.as_str());
    Settings::read(|name| {
        let value = match name {
            "AWS_LAMBDA_LOG_FORMAT" => format,
            "AWS_LAMBDA_LOG_LEVEL" => level,
            _ if RUNTIME_VARIABLES.contains(&name) => Some("1"),
            _ => variables.get(name).map(String::as_str),
        };
        value.map(OsString::from)
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{ApplicationLogLevel, LogFormat};
    use kinesis_event_logger_core::LineFormat;
    use kinesis_event_logger_core::line::Level;

    use super::*;

    #[test]
    fn settings_are_read_from_the_variables_and_the_logging_configuration() {
        let variables = HashMap::from([("LOGGER_MAX_DATA_BYTES".to_owned(), "7".to_owned())]);
        let logging = LoggingConfig::builder().log_format(LogFormat::Json);
        let logging = logging.application_log_level(ApplicationLogLevel::Warn).build();
        let settings = read(&variables, Some(&logging)).unwrap();
        assert_eq!((settings.lines.max_data_bytes, settings.format), (7, LineFormat::Json));
        assert!(!settings.writes(Level::Info));
        assert_eq!(read(&HashMap::new(), None).unwrap().format, LineFormat::Text);
    }
}
