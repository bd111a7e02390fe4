//! Counters of the endpoint's work. `/_local/metrics` shows them in Prometheus's text format.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Upper bounds of a histogram's buckets, in seconds.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A handle on the counters. Clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Families>);

/// Counters (`_total`), gauges, and histograms in seconds. The name shows the kind.
#[derive(Default)]
struct Families {
    requests: Family<u64>,
    request_seconds: Family<Histogram>,
    records: Family<u64>,
    record_bytes: Family<u64>,
    invocations: Family<u64>,
    invocation_seconds: Family<Histogram>,
    iterator_age: Family<f64>,
    log_events: Family<u64>,
    log_bytes: Family<u64>,
}

/// The direction of records.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Direction {
    In,
    Out,
}

impl Metrics {
    /// Counts a response.
    pub fn request(&self, service: &str, operation: &str, status: u16, took: Duration) {
        let operation = [("service", service), ("operation", operation)];
        let status = status.to_string();
        self.0.requests.update(&[operation[0], operation[1], ("status", &status)], |count| *count += 1);
        self.0.request_seconds.update(&operation, |histogram| histogram.observe(took));
    }

    /// Counts records that were put on a stream, or read from it by a client or an event source mapping. `bytes` are the
    /// bytes of their data.
    pub fn records(&self, direction: Direction, stream: &str, count: usize, bytes: usize) {
        if count == 0 {
            return;
        }
        let direction = if direction == Direction::In { "in" } else { "out" };
        let labels = [("direction", direction), ("stream", stream)];
        self.0.records.update(&labels, |total| *total += count as u64);
        self.0.record_bytes.update(&labels, |total| *total += bytes as u64);
    }

    /// Counts an invocation that has ended.
    pub fn invocation(&self, function: &str, is_error: bool, took: Duration) {
        let outcome = if is_error { "error" } else { "ok" };
        self.0.invocations.update(&[("function", function), ("outcome", outcome)], |count| *count += 1);
        self.0.invocation_seconds.update(&[("function", function)], |histogram| histogram.observe(took));
    }

    /// Sets the age of the last record of a batch at the time when the function received it: Lambda's `IteratorAge`.
    pub fn iterator_age(&self, mapping: &str, shard: &str, milliseconds: i64) {
        let seconds = milliseconds.max(0) as f64 / 1000.0;
        self.0.iterator_age.update(&[("mapping", mapping), ("shard", shard)], |age| *age = seconds);
    }

    /// Removes the series of a mapping that was deleted.
    pub fn forget_mapping(&self, mapping: &str) {
        let labels = format_labels(&[("mapping", mapping)]) + ",";
        self.0.iterator_age.lock().retain(|series, _| !series.starts_with(&labels));
    }

    /// Counts stored log events. `bytes` are the bytes of their messages.
    pub fn log_events(&self, group: &str, count: usize, bytes: usize) {
        self.0.log_events.update(&[("group", group)], |total| *total += count as u64);
        self.0.log_bytes.update(&[("group", group)], |total| *total += bytes as u64);
    }

    /// Renders all counters and these `gauges`: name, help text, value.
    pub fn render(&self, gauges: &[(&str, &str, f64)]) -> String {
        let families = &self.0;
        let mut text = String::new();
        families.requests.render(&mut text, "local_aws_requests_total", "Requests answered.");
        families.request_seconds.render(&mut text, "local_aws_request_seconds", "Time to a request's answer.");
        families.records.render(&mut text, "local_aws_records_total", "Records put on streams (in) and read (out).");
        families.record_bytes.render(&mut text, "local_aws_record_bytes_total", "Bytes of their data.");
        families.invocations.render(&mut text, "local_aws_invocations_total", "Invocations of functions that ended.");
        families.invocation_seconds.render(&mut text, "local_aws_invocation_seconds", "Time of an invocation.");
        families.iterator_age.render(
            &mut text,
            "local_aws_iterator_age_seconds",
            "Age of the last record of the last batch when its function got it.",
        );
        families.log_events.render(&mut text, "local_aws_log_events_total", "Log events stored.");
        families.log_bytes.render(&mut text, "local_aws_log_bytes_total", "Bytes of their messages.");
        for (name, help, value) in gauges {
            write_head(&mut text, name, help, "gauge");
            writeln!(text, "{name} {value}").ok();
        }
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// One value for each combination of labels. The key is the rendered labels.
struct Family<V>(Mutex<BTreeMap<String, V>>);

impl<V> Default for Family<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: Default> Family<V> {
    fn update(&self, labels: &[(&str, &str)], change: impl FnOnce(&mut V)) {
        change(self.lock().entry(format_labels(labels)).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Value> Family<V> {
    fn render(&self, to: &mut String, name: &str, help: &str) {
        let series = self.lock();
        if series.is_empty() {
            return;
        }
        write_head(to, name, help, V::KIND);
        for (labels, value) in &*series {
            value.write(to, name, labels);
        }
    }
}

/// A value and its rendering.
trait Value: Default {
    const KIND: &str;
    fn write(&self, to: &mut String, name: &str, labels: &str);
}

impl Value for u64 {
    const KIND: &str = "counter";

    fn write(&self, to: &mut String, name: &str, labels: &str) {
        writeln!(to, "{name}{{{labels}}} {self}").ok();
    }
}

impl Value for f64 {
    const KIND: &str = "gauge";

    fn write(&self, to: &mut String, name: &str, labels: &str) {
        writeln!(to, "{name}{{{labels}}} {self}").ok();
    }
}

#[derive(Default)]
struct Histogram {
    /// The count of each bucket alone. The last is for values above all bounds.
    counts: [u64; BUCKETS.len() + 1],
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.partition_point(|bound| *bound < seconds);
        self.counts[bucket] += 1;
        self.sum += seconds;
    }
}

impl Value for Histogram {
    const KIND: &str = "histogram";

    fn write(&self, to: &mut String, name: &str, labels: &str) {
        let mut total = 0;
        let bounds = BUCKETS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(self.counts) {
            total += count;
            writeln!(to, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}").ok();
        }
        writeln!(to, "{name}_sum{{{labels}}} {}", self.sum).ok();
        writeln!(to, "{name}_count{{{labels}}} {total}").ok();
    }
}

fn write_head(to: &mut String, name: &str, help: &str, kind: &str) {
    writeln!(to, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
}

/// `service="kinesis",operation="PutRecords"`
fn format_labels(labels: &[(&str, &str)]) -> String {
    let mut shown = String::with_capacity(64);
    for (name, value) in labels {
        if !shown.is_empty() {
            shown.push(',');
        }
        shown.push_str(name);
        shown.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => shown.push_str("\\\\"),
                '"' => shown.push_str("\\\""),
                '\n' => shown.push_str("\\n"),
                c => shown.push(c),
            }
        }
        shown.push('"');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered_in_prometheus_format() {
        let metrics = Metrics::default();
        metrics.request("kinesis", "PutRecords", 200, Duration::from_millis(1));
        metrics.request("kinesis", "PutRecords", 200, Duration::from_secs(60));
        metrics.log_events("a\"\\\n", 2, 20);
        let shown = metrics.render(&[("process_open_fds", "Descriptors.", 3.0)]);
        let lines: Vec<_> = shown.lines().collect();
        for line in [
            "# TYPE local_aws_requests_total counter",
            r#"local_aws_requests_total{service="kinesis",operation="PutRecords",status="200"} 2"#,
            r#"local_aws_request_seconds_bucket{service="kinesis",operation="PutRecords",le="0.0005"} 0"#,
            r#"local_aws_request_seconds_bucket{service="kinesis",operation="PutRecords",le="0.001"} 1"#,
            r#"local_aws_request_seconds_bucket{service="kinesis",operation="PutRecords",le="10"} 1"#,
            r#"local_aws_request_seconds_bucket{service="kinesis",operation="PutRecords",le="+Inf"} 2"#,
            r#"local_aws_request_seconds_sum{service="kinesis",operation="PutRecords"} 60.001"#,
            r#"local_aws_request_seconds_count{service="kinesis",operation="PutRecords"} 2"#,
            r#"local_aws_log_events_total{group="a\"\\\n"} 2"#,
            "process_open_fds 3",
        ] {
            assert!(lines.contains(&line), "no {line} in:\n{shown}");
        }
        assert!(!shown.contains("invocations"), "{shown}");
    }

    #[test]
    fn a_deleted_mapping_has_no_iterator_age() {
        let metrics = Metrics::default();
        for mapping in ["1", "12"] {
            metrics.iterator_age(mapping, "shardId-000000000000", 1000);
        }
        metrics.forget_mapping("1");
        let shown = metrics.render(&[]);
        assert!(!shown.contains(r#"mapping="1","#) && shown.contains(r#"mapping="12","#), "{shown}");
    }
}
