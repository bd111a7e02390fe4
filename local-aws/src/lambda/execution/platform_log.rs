//! Lambda's own lines in a function's log, as text or as JSON. Pure.
//!
//! Text: recorded answers of 2025-11. JSON: the platform events of the telemetry API,
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>, and their levels,
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::lambda::configuration::Format;

/// The status of an ended invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Status {
    Success,
    Timeout,
    /// The runtime has ended or could not start. The error's type, for example `Runtime.ExitError`.
    Error(String),
}

/// The values of the REPORT line.
#[derive(Debug, Clone)]
pub struct Report {
    pub duration: Duration,
    /// Only the first invocation of a process reports it.
    pub init_duration: Option<Duration>,
    pub memory_mb: u32,
    pub max_memory_mb: u64,
    pub status: Status,
}

/// Writes the lines of one function.
#[derive(Debug, Clone)]
pub struct PlatformLog {
    format: Format,
    runtime_version: String,
    runtime_version_arn: String,
    /// `$LATEST`, or a number.
    version: String,
}

impl PlatformLog {
    pub fn new(format: Format, runtime_version: String, runtime_version_arn: String, version: String) -> Self {
        Self { format, runtime_version, runtime_version_arn, version }
    }

    pub fn init_start(&self, now: Timestamp) -> Option<String> {
        let (version, arn) = (&self.runtime_version, &self.runtime_version_arn);
        self.line(
            now,
            || format!("INIT_START Runtime Version: {version}\tRuntime Version ARN: {arn}"),
            Level::Info,
            "platform.initStart",
            || json!({ "initializationType": "on-demand", "phase": "init", "runtimeVersion": version, "runtimeVersionArn": arn }),
        )
    }

    /// Only a failed initialization has its own report.
    pub fn init_report(&self, now: Timestamp, duration: Duration, status: &Status) -> Option<String> {
        self.line(
            now,
            || format!("INIT_REPORT Init Duration: {} ms\tPhase: init\t{}", text_ms(duration), text_status(status)),
            Level::Warn,
            "platform.initReport",
            || {
                let mut record = json!({
                    "initializationType": "on-demand", "phase": "init", "metrics": { "durationMs": json_ms(duration) }
                });
                set_status(&mut record, status);
                record
            },
        )
    }

    pub fn start(&self, now: Timestamp, request_id: &str) -> Option<String> {
        let version = &self.version;
        self.line(
            now,
            || format!("START RequestId: {request_id} Version: {version}"),
            Level::Info,
            "platform.start",
            || json!({ "requestId": request_id, "version": version }),
        )
    }

    pub fn end(&self, now: Timestamp, request_id: &str, duration: Duration, status: &Status) -> Option<String> {
        let level = if *status == Status::Success { Level::Debug } else { Level::Warn };
        self.line(
            now,
            || format!("END RequestId: {request_id}"),
            level,
            "platform.runtimeDone",
            || {
                let mut record = json!({ "requestId": request_id, "metrics": { "durationMs": json_ms(duration) } });
                set_status(&mut record, status);
                record
            },
        )
    }

    pub fn report(&self, now: Timestamp, request_id: &str, report: &Report) -> Option<String> {
        let level = if report.status == Status::Success { Level::Info } else { Level::Warn };
        self.line(
            now,
            || text_report(request_id, report),
            level,
            "platform.report",
            || {
                let mut metrics = json!({
                    "durationMs": json_ms(report.duration), "billedDurationMs": billed_ms(report.duration),
                    "memorySizeMB": report.memory_mb, "maxMemoryUsedMB": report.max_memory_mb,
                });
                if let Some(init) = report.init_duration {
                    metrics["initDurationMs"] = json_ms(init);
                }
                let mut record = json!({ "requestId": request_id, "metrics": metrics });
                set_status(&mut record, &report.status);
                record
            },
        )
    }

    /// The text line about a failure. In the JSON format, other events contain it.
    pub fn failure(&self, text: String) -> Option<String> {
        (self.format == Format::Text).then_some(text)
    }

    fn line(
        &self,
        now: Timestamp,
        text: impl FnOnce() -> String,
        level: Level,
        event: &str,
        record: impl FnOnce() -> Value,
    ) -> Option<String> {
        match &self.format {
            Format::Text => Some(text()),
            Format::Json { system_level, .. } => (level >= Level::least(system_level)).then(|| {
                let time = now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
                // Formatted without serde for AWS's order of keys: time first.
                format!(r#"{{"time":"{time}","type":"{event}","record":{}}}"#, record())
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warn,
}

impl Level {
    fn least(configured: &str) -> Self {
        match configured {
            "DEBUG" => Self::Debug,
            "WARN" => Self::Warn,
            _ => Self::Info,
        }
    }
}

fn text_report(request_id: &str, report: &Report) -> String {
    let mut line = format!(
        "REPORT RequestId: {request_id}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
        text_ms(report.duration),
        billed_ms(report.duration),
        report.memory_mb,
        report.max_memory_mb
    );
    if let Some(init) = report.init_duration {
        line += &format!("Init Duration: {} ms\t", text_ms(init));
    }
    line + &text_status(&report.status)
}

fn text_status(status: &Status) -> String {
    match status {
        Status::Success => String::new(),
        Status::Timeout => "Status: timeout".into(),
        Status::Error(kind) => format!("Status: error\tError Type: {kind}"),
    }
}

fn set_status(record: &mut Value, status: &Status) {
    record["status"] = match status {
        Status::Success => "success".into(),
        Status::Timeout => "timeout".into(),
        Status::Error(kind) => {
            record["errorType"] = json!(kind);
            "error".into()
        }
    };
}

fn text_ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

fn json_ms(duration: Duration) -> Value {
    json!((duration.as_secs_f64() * 1_000_000.0).round() / 1000.0)
}

/// Rounds up to full milliseconds, at least one.
fn billed_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

    fn log(format: Format) -> PlatformLog {
        PlatformLog::new(
            format,
            "provided:al2023.v1".into(),
            "arn:aws:lambda:us-east-1::runtime:00".into(),
            "$LATEST".into(),
        )
    }

    fn json_at(system_level: &str) -> PlatformLog {
        log(Format::Json { application_level: "INFO".into(), system_level: system_level.into() })
    }

    fn report(init_duration: Option<Duration>, status: Status) -> Report {
        Report { duration: Duration::from_micros(26_731), init_duration, memory_mb: 128, max_memory_mb: 75, status }
    }

    #[test]
    fn text_lines_have_awss_format() {
        let (log, now) = (log(Format::Text), Timestamp::UNIX_EPOCH);
        assert_eq!(
            log.init_start(now).unwrap(),
            "INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:00"
        );
        assert_eq!(log.start(now, ID).unwrap(), format!("START RequestId: {ID} Version: $LATEST"));
        assert_eq!(log.end(now, ID, Duration::ZERO, &Status::Success).unwrap(), format!("END RequestId: {ID}"));
        assert_eq!(
            log.report(now, ID, &report(None, Status::Success)).unwrap(),
            format!(
                "REPORT RequestId: {ID}\tDuration: 26.73 ms\tBilled Duration: 27 ms\tMemory Size: 128 MB\tMax Memory Used: 75 MB\t"
            )
        );
        let cold = log.report(now, ID, &report(Some(Duration::from_micros(48_260)), Status::Timeout)).unwrap();
        assert!(cold.ends_with("Max Memory Used: 75 MB\tInit Duration: 48.26 ms\tStatus: timeout"), "{cold}");
    }

    #[test]
    fn json_lines_are_platform_events_at_their_level() {
        let now = Timestamp::from_millisecond(1_795_452_960_123).unwrap();
        let start: Value = serde_json::from_str(&json_at("INFO").start(now, ID).unwrap()).unwrap();
        let expected = json!({
            "time": "2026-11-23T16:56:00.123Z", "type": "platform.start", "record": { "requestId": ID, "version": "$LATEST" }
        });
        assert_eq!(start, expected);
        assert_eq!(json_at("INFO").end(now, ID, Duration::ZERO, &Status::Success), None);
        assert!(json_at("DEBUG").end(now, ID, Duration::ZERO, &Status::Success).is_some());
        assert_eq!(json_at("WARN").report(now, ID, &report(None, Status::Success)), None);
        let failed = json_at("WARN").report(now, ID, &report(None, Status::Error("Runtime.ExitError".into()))).unwrap();
        let failed: Value = serde_json::from_str(&failed).unwrap();
        assert_eq!(failed["record"]["errorType"], "Runtime.ExitError");
        assert_eq!(failed["record"]["metrics"]["billedDurationMs"], 27);
    }
}
