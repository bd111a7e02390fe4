//! Parses the lines that Lambda itself writes to a function's log, in text and in JSON. Pure.

use serde::Deserialize;

/// A line of the platform.
#[derive(Debug, Clone, PartialEq)]
pub enum Platform {
    /// The start or the end of an invocation, an extension or the runtime, which needs no attention.
    Routine,
    /// The report of an invocation.
    Report(Report),
    /// A timeout, or a process that was killed or exited.
    Fault,
}

/// The values of a REPORT line.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// In milliseconds, like the next two.
    pub duration: f64,
    pub billed: f64,
    /// The duration of a cold start.
    pub init: Option<f64>,
    /// In megabytes, like the next.
    pub memory: u64,
    pub used: u64,
    /// `timeout` or `error` if the invocation did not succeed.
    pub status: Option<String>,
    pub error_type: Option<String>,
}

impl Report {
    pub fn has_failed(&self) -> bool {
        self.status.is_some()
    }
}

impl Platform {
    /// Parses a message. Returns `None` if the platform did not write it.
    pub fn parse(message: &str) -> Option<Self> {
        let first = message.as_bytes().first()?;
        match first {
            b'{' => json(message),
            b'S' if message.starts_with("START RequestId: ") => Some(Self::Routine),
            b'E' if message.starts_with("END RequestId: ") => Some(Self::Routine),
            b'E' if message.starts_with("EXTENSION\t") => Some(Self::Routine),
            b'L' if message.starts_with("LOGS\t") => Some(Self::Routine),
            b'T' if message.starts_with("TELEMETRY\t") => Some(Self::Routine),
            b'I' if message.starts_with("INIT_START ") => Some(Self::Routine),
            b'I' if message.starts_with("INIT_REPORT ") => {
                Some(if message.contains("Status: ") { Self::Fault } else { Self::Routine })
            }
            b'R' if message.starts_with("REPORT RequestId: ") => Some(Self::Report(report(message))),
            b'R' if message.starts_with("RequestId: ") && message.contains(" Error: Runtime ") => Some(Self::Fault),
            b'0'..=b'9' if is_timeout(message) => Some(Self::Fault),
            _ => None,
        }
    }
}

/// Recognizes `2026-11-28T21:27:03.123Z 8476…-…9f Task timed out after 3.00 seconds`.
fn is_timeout(message: &str) -> bool {
    let mut words = message.splitn(3, ' ');
    words.nth(2).is_some_and(|rest| rest.starts_with("Task timed out after "))
}

fn report(message: &str) -> Report {
    let mut report = Report::default();
    let number =
        |value: &str| value.split(' ').next().and_then(|number| number.parse::<f64>().ok()).unwrap_or_default();
    for part in message.split(['\t', '\n']) {
        let Some((name, value)) = part.trim().split_once(": ") else { continue };
        match name {
            "Duration" => report.duration = number(value),
            "Billed Duration" => report.billed = number(value),
            "Init Duration" => report.init = Some(number(value)),
            "Memory Size" => report.memory = number(value) as u64,
            "Max Memory Used" => report.used = number(value) as u64,
            "Status" if value != "success" => report.status = Some(value.to_owned()),
            "Error Type" => report.error_type = Some(value.to_owned()),
            _ => {}
        }
    }
    report
}

#[derive(Deserialize)]
struct Line<'a> {
    r#type: &'a str,
    #[serde(default)]
    record: RecordOrText,
}

/// The record of a fault is a string.
#[derive(Deserialize)]
#[serde(untagged)]
enum RecordOrText {
    Record(Record),
    Text(serde::de::IgnoredAny),
}

impl Default for RecordOrText {
    fn default() -> Self {
        Self::Record(Record::default())
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Record {
    status: Option<String>,
    error_type: Option<String>,
    metrics: Metrics,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Metrics {
    duration_ms: f64,
    billed_duration_ms: f64,
    init_duration_ms: Option<f64>,
    #[serde(rename = "memorySizeMB")]
    memory_size: u64,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used: u64,
}

fn json(message: &str) -> Option<Platform> {
    // Most messages are not the platform's. This check avoids parsing them.
    if !message.contains("\"platform.") {
        return None;
    }
    let Line { r#type, record } = serde_json::from_str(message).ok()?;
    let kind = r#type.strip_prefix("platform.")?;
    let Record { status, error_type, metrics } = match record {
        RecordOrText::Record(record) => record,
        RecordOrText::Text(_) => Record::default(),
    };
    let status = status.filter(|status| status != "success");
    Some(match kind {
        "report" => Platform::Report(Report {
            duration: metrics.duration_ms,
            billed: metrics.billed_duration_ms,
            init: metrics.init_duration_ms,
            memory: metrics.memory_size,
            used: metrics.max_memory_used,
            status,
            error_type,
        }),
        "fault" => Platform::Fault,
        _ if status.is_some() && kind != "runtimeDone" => Platform::Fault,
        _ => Platform::Routine,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_from_text_and_from_json() {
        let expected = Report {
            duration: 26.73,
            billed: 27.0,
            init: Some(48.26),
            memory: 128,
            used: 75,
            status: Some("error".into()),
            error_type: Some("Runtime.ExitError".into()),
        };
        let text = "REPORT RequestId: 1\tDuration: 26.73 ms\tBilled Duration: 27 ms\tMemory Size: 128 MB\tMax Memory Used: \
                    75 MB\tInit Duration: 48.26 ms\tStatus: error\tError Type: Runtime.ExitError\n";
        assert_eq!(Platform::parse(text), Some(Platform::Report(expected.clone())));
        let json = r#"{"time":"2026-11-28T10:00:00.000Z","type":"platform.report","record":{"requestId":"1","metrics":{
            "durationMs":26.73,"billedDurationMs":27,"memorySizeMB":128,"maxMemoryUsedMB":75,"initDurationMs":48.26},
            "status":"error","errorType":"Runtime.ExitError"}}"#;
        assert_eq!(Platform::parse(json), Some(Platform::Report(expected)));
    }

    #[test]
    fn lines_of_the_platform_are_distinguished_from_those_of_the_function() {
        use Platform::{Fault, Routine};
        for (message, expected) in [
            ("START RequestId: 1 Version: $LATEST\n", Some(Routine)),
            ("END RequestId: 1", Some(Routine)),
            ("INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn", Some(Routine)),
            ("INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout", Some(Fault)),
            ("2026-11-28T10:00:00.000Z 8476a536 Task timed out after 3.00 seconds", Some(Fault)),
            ("RequestId: 8476a536 Error: Runtime exited with error: signal: killed\nRuntime.ExitError", Some(Fault)),
            (r#"{"time":"t","type":"platform.start","record":{"requestId":"1"}}"#, Some(Routine)),
            (r#"{"time":"t","type":"platform.runtimeDone","record":{"status":"timeout"}}"#, Some(Routine)),
            (r#"{"time":"t","type":"platform.fault","record":"RequestId: 1 Error"}"#, Some(Fault)),
            (r#"{"type":"platform.initReport","record":{"status":"timeout"}}"#, Some(Fault)),
            ("STARTED", None),
            ("", None),
            (r#"{"message":"about \"platform.report\""}"#, None),
            ("2026-11-28T10:00:00Z INFO Task timed out after 3.00 seconds, they say", Some(Fault)),
            ("2026 was a year", None),
        ] {
            assert_eq!(Platform::parse(message), expected, "{message}");
        }
    }
}
