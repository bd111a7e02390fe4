//! The settings of the function, as its configuration has them.

use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use kinesis_event_logger_core::settings::Settings;

use crate::aws::Aws;
use crate::error::Result;
use crate::function::release::LIVE;
use crate::function::settings;

/// The settings with which lines are made, and where they come from.
pub struct FunctionSettings {
    pub settings: Settings,
    /// Completes the sentence "the settings are …".
    pub source: String,
}

/// Reads the settings of the version that the alias `live` runs, or of a function without the alias. Without the function, they are
/// the defaults.
pub async fn read(aws: &Aws, function: &str) -> Result<FunctionSettings> {
    let request = aws.lambda().get_function_configuration().function_name(function);
    let doing = || format!("read the function {function}");
    let live = aws.find(doing(), || request.clone().qualifier(LIVE).send()).await?;
    let found = match live {
        Some(live) => Some(live),
        None => aws.find(doing(), || request.clone().send()).await?,
    };
    Ok(match found {
        Some(configuration) => of(function, &configuration),
        None => FunctionSettings {
            settings: Settings::default(),
            source: format!("the defaults, because there is no function {function}"),
        },
    })
}

fn of(function: &str, configuration: &GetFunctionConfigurationOutput) -> FunctionSettings {
    let environment = configuration.environment();
    let variables = environment.and_then(|environment| environment.variables()).cloned().unwrap_or_default();
    let unreadable = environment.and_then(|environment| environment.error());
    match settings::read(&variables, configuration.logging_config()) {
        Ok(settings) if unreadable.is_none() => {
            FunctionSettings { settings, source: format!("those of the function {function}") }
        }
        Ok(settings) => FunctionSettings {
            settings,
            source: format!("the defaults, because the variables of the function {function} cannot be decrypted"),
        },
        Err(error) => FunctionSettings {
            settings: Settings::default(),
            source: format!("the defaults, because those of the function {function} are invalid: {error}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{EnvironmentResponse, LogFormat, LoggingConfig};
    use kinesis_event_logger_core::LineFormat;

    use super::*;

    fn configuration(name: &str, value: &str) -> GetFunctionConfigurationOutput {
        GetFunctionConfigurationOutput::builder()
            .environment(EnvironmentResponse::builder().variables(name, value).build())
            .logging_config(LoggingConfig::builder().log_format(LogFormat::Json).build())
            .build()
    }

    #[test]
    fn settings_that_are_invalid_are_named() {
        let read = of("f", &configuration("LOGGER_MAX_DATA_BYTES", "7"));
        assert_eq!((read.settings.lines.max_data_bytes, read.settings.format), (7, LineFormat::Json));
        assert_eq!(read.source, "those of the function f");
        let read = of("f", &configuration("LOGGER_MAX_DATA_BYTES", "x"));
        assert!(read.settings == Settings::default() && read.source.contains("LOGGER_MAX_DATA_BYTES"));
    }
}
