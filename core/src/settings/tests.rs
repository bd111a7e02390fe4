//! Tests of the settings.

use super::*;
use crate::line::{DataMode, Envelope};

fn defaults() -> Settings {
    Settings { function_name: "1".to_owned(), ..Settings::default() }
}

fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let set = |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| value.into());
    let of_the_runtime = |name: &str| RUNTIME_VARIABLES.contains(&name).then(|| "1".into());
    Settings::read(|name| set(name).or_else(|| of_the_runtime(name))).map_err(|error| error.to_string())
}

#[test]
fn unset_and_empty_variables_are_the_defaults() {
    assert_eq!(read(&[]), Ok(defaults()));
    assert_eq!(read(&[(LOG_FORMAT, ""), (LOG_LEVEL, ""), (SAMPLE, "")]), Ok(defaults()));
}

#[test]
fn the_values_that_lambda_sets_are_parsed() {
    let settings = read(&[(LOG_FORMAT, "JSON"), (LOG_LEVEL, "FATAL")]);
    assert_eq!(settings, Ok(Settings { format: LineFormat::Json, level: Level::Fatal, ..defaults() }));
    let settings = read(&[(LOG_FORMAT, "Text"), (LOG_LEVEL, "debug")]);
    assert_eq!(settings, Ok(Settings { format: LineFormat::Text, level: Level::Debug, ..defaults() }));
}

#[test]
fn the_values_of_our_own_variables_are_parsed() {
    let settings =
        read(&[(METRICS, "EMF"), (SAMPLE, "0.25"), (DEADLINE_MARGIN, "50"), (MAX_CONCURRENCY, "16"), (SPLIT, "Json")]);
    let sample = "0.25".parse().unwrap();
    let expected = Settings {
        metrics: Metrics::Emf,
        sample,
        deadline_margin_ms: 50,
        max_concurrency: 16,
        split: Split::Json,
        ..defaults()
    };
    assert_eq!(settings, Ok(expected));
}

#[test]
fn data_options_are_parsed() {
    let shown = |redact| read(&[(DATA, "Hash"), (MAX_DATA_BYTES, "0"), (REDACT, redact)]).unwrap().lines;
    let expected = |rules: &[&str]| LineOptions {
        envelope: Envelope::FULL,
        data: DataMode::Hash,
        max_data_bytes: 0,
        redactor: Redactor::new(rules).unwrap(),
    };
    assert_eq!(shown(" password, /card/number"), expected(&["password", "/card/number"]));
    assert_eq!(shown(r#"["a,b", "c"]"#), expected(&["a,b", "c"]));
    for wrong in ["a,,b", ",", "[\"a\"", "[1]", "[\"\"]", "/~2"] {
        assert!(read(&[(REDACT, wrong)]).unwrap_err().starts_with("LOGGER_REDACT is "), "{wrong}");
    }
}

#[test]
fn the_envelope_is_parsed() {
    let envelope =
        |fields: &str| read(&[(LOG_FORMAT, "JSON"), (FIELDS, fields)]).map(|settings| settings.lines.envelope);
    assert_eq!((envelope(""), envelope("Compact")), (Ok(Envelope::FULL), Ok(Envelope::COMPACT)));
    assert!(envelope("v,sequenceNumber").is_ok());
    assert_eq!(
        envelope("v,sequencenumber"),
        Err("LOGGER_FIELDS is \"v,sequencenumber\": \"sequencenumber\" is not a field of the envelope \
             (similar names: sequenceNumber)"
            .to_owned())
    );
}

#[test]
fn data_alone_needs_a_format_or_level_with_which_lambda_drops_no_record() {
    let data = |format: &str, level: &str| read(&[(FIELDS, "data"), (LOG_FORMAT, format), (LOG_LEVEL, level)]);
    for (format, level) in [("Text", ""), ("Text", "WARN"), ("JSON", "TRACE")] {
        assert_eq!(data(format, level).unwrap().lines.envelope, Envelope::DATA);
    }
    for level in ["", "DEBUG", "WARN"] {
        let error = data("JSON", level).unwrap_err();
        assert!(error.ends_with("set the log format to Text, or the level to TRACE"), "{error}");
    }
}

#[test]
fn every_invalid_value_is_reported_with_what_is_accepted() {
    assert_eq!(
        read(&[
            (LOG_FORMAT, "xml"),
            (LOG_LEVEL, "loud"),
            (MAX_CONCURRENCY, "many"),
            (DEADLINE_MARGIN, "-1"),
            (METRICS, "statsd"),
            (SAMPLE, "2"),
            (SPLIT, "lines"),
            (DATA, "some"),
            (MAX_DATA_BYTES, "1000001"),
            (REDACT, "/a~b")
        ]),
        Err("AWS_LAMBDA_LOG_FORMAT is \"xml\": a line format is Text or JSON; \
             AWS_LAMBDA_LOG_LEVEL is \"loud\": a level is TRACE, DEBUG, INFO, WARN, ERROR or FATAL; \
             LOGGER_DATA is \"some\": a data mode is full, hash or none; \
             LOGGER_MAX_DATA_BYTES is \"1000001\": the value must be a whole number of bytes from 0 to 1000000; \
             LOGGER_REDACT is \"/a~b\": rules are JSON pointers and key names, separated by commas or as a JSON list \
             of strings: \"/a~b\" is not a JSON pointer: ~ must be followed by 0 or 1 (RFC 6901); \
             AWS_LAMBDA_MAX_CONCURRENCY is \"many\": the value must be a whole number from 0 to 4294967295; \
             LOGGER_DEADLINE_MARGIN_MS is \"-1\": the value must be a whole number from 0 to 4294967295; \
             LOGGER_SPLIT is \"lines\": data is split by json or off; \
             LOGGER_METRICS is \"statsd\": a metrics format is emf or off; \
             LOGGER_SAMPLE is \"2\": a share is a number from 0 to 1"
            .to_owned())
    );
}

#[test]
fn outside_lambda_the_error_says_where_the_program_runs() {
    let error = Settings::read(|_| None).unwrap_err().to_string();
    assert!(error.starts_with("AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_FUNCTION_NAME"), "{error}");
    assert!(error.ends_with("this program runs in AWS Lambda, or in an endpoint that emulates it"), "{error}");
}

#[test]
fn levels_below_the_configured_one_are_not_written() {
    let settings = Settings { level: Level::Warn, ..Settings::default() };
    assert!(settings.writes(Level::Error) && settings.writes(Level::Warn) && !settings.writes(Level::Info));
}

#[test]
fn values_and_names_are_checked_before_the_function_has_them() {
    assert_eq!(check([("LOGGER_SAMPLE", "0.1"), ("PATH", "x"), ("LOGGER_DATA", "")]), Ok(()));
    let error = |name, value| check([(name, value)]).unwrap_err().to_string();
    assert_eq!(error("LOGGER_SAMPLE", "2"), "LOGGER_SAMPLE is \"2\": a share is a number from 0 to 1");
    assert_eq!(
        error("LOGGER_METRIC", "emf"),
        "LOGGER_METRIC is not a setting of the function (similar names: LOGGER_METRICS)"
    );
    assert!(error("LOGGER_COLOUR_SCHEME", "").ends_with(&format!("(the settings are {})", VARIABLES.join(", "))));
}
