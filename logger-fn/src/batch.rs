//! Formats the lines of one batch.

use kinesis_event_logger_core::decode::AheadRecord;
use kinesis_event_logger_core::settings::{Settings, Split};
use kinesis_event_logger_core::{Data, Decoder, LineWriter, Payload, Record};

use crate::metrics::Counts;

/// The size of the parts in which a record's lines are formatted. One record can contain millions of lines.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// The buffers of a batch, which the next batch reuses.
#[derive(Default)]
pub struct Buffers {
    lines: Vec<u8>,
    decoder: Decoder,
    /// The end of each record's last line in `lines`.
    ends: Vec<usize>,
}

impl Buffers {
    /// The allocated size in bytes, without the decoder's, which limits itself.
    pub fn capacity(&self) -> usize {
        self.lines.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// How much of a record [`Batch::append`] has formatted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Complete,
    Partial,
}

/// The records of one invocation, and the lines that are not written yet.
pub struct Batch<'a> {
    settings: &'a Settings,
    writer: LineWriter<'a>,
    now_ms: i64,
    buffers: Buffers,
    /// The number of records whose lines were written.
    logged: usize,
    /// The number of lines of the current record that are formatted.
    resume_at: usize,
    pub counts: Counts,
}

impl<'a> Batch<'a> {
    pub fn new(settings: &'a Settings, request_id: &str, now_ms: i64, mut buffers: Buffers) -> Self {
        buffers.lines.clear();
        buffers.ends.clear();
        buffers.decoder.set_split_json(settings.split == Split::Json);
        let writer = LineWriter::with_options(settings.format, request_id, now_ms, &settings.lines);
        Self { settings, writer, now_ms, buffers, logged: 0, resume_at: 0, counts: Counts::default() }
    }

    /// The lines that are not written yet.
    pub fn lines(&self) -> &[u8] {
        &self.buffers.lines
    }

    /// Formats the record's lines, as far as the settings ask for them. Returns `Partial` if there are too many for one
    /// part: then the caller writes the lines and appends the same record again.
    pub fn append(&mut self, ahead: &AheadRecord<'_, '_>) -> Progress {
        let mut decoder = std::mem::take(&mut self.buffers.decoder);
        let mut seen = 0;
        let ended = decoder.decode_ahead(ahead, |record| {
            if seen >= self.resume_at {
                if self.buffers.lines.len() >= PART_BYTES {
                    return Err(Progress::Partial);
                }
                self.append_record(record);
            }
            seen += 1;
            Ok(())
        });
        self.buffers.decoder = decoder;
        if let Err(partial) = ended {
            self.resume_at = seen;
            return partial;
        }
        self.resume_at = 0;
        self.counts.records += 1;
        self.buffers.ends.push(self.buffers.lines.len());
        Progress::Complete
    }

    fn append_record(&mut self, record: &Record<'_>) {
        let counts = &mut self.counts;
        counts.decoded += 1;
        if let Some(arrival_ms) = record.position.arrival_ms {
            counts.add_lag(self.now_ms.saturating_sub(arrival_ms));
        }
        counts.sub_records += u64::from(record.position.sub_sequence_number.is_some());
        match record.data {
            Data::Payload(Payload::Json(text) | Payload::Text(text)) => counts.bytes += text.len() as u64,
            Data::Payload(Payload::Binary(bytes) | Payload::Cbor(bytes)) => counts.bytes += bytes.len() as u64,
            Data::Undecodable(_) => counts.undecodable += 1,
        }
        // Records of a stream that distributes them itself may lack a key. Then the sequence number takes its place.
        let key = record.position.partition_key.or(record.position.sequence_number);
        if key.is_some_and(|key| !self.settings.sample.includes(key)) {
            counts.sampled_out += 1;
        } else if self.settings.writes(record.level()) {
            let summary = self.writer.append(record, &mut self.buffers.lines);
            counts.redacted += u64::from(summary.redacted > 0);
            counts.truncated += u64::from(summary.truncated);
        }
    }

    /// Notes that the first `bytes` of the lines were written, and discards the rest.
    pub fn mark_written(&mut self, bytes: usize) {
        self.logged += self.buffers.ends.partition_point(|&end| end <= bytes);
        self.buffers.lines.clear();
        self.buffers.ends.clear();
    }

    /// The number of records, from the first on, whose lines were written.
    pub fn logged(&self) -> usize {
        self.logged
    }

    pub fn into_buffers(self) -> Buffers {
        self.buffers
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::line::Level;
    use kinesis_event_logger_core::{AggregateBuilder, Event, LineOptions, Redactor};

    use super::*;

    /// A batch with one record for each key and data.
    fn batch<'a>(settings: &'a Settings, records: &[(&str, &str)]) -> Batch<'a> {
        let records: Vec<String> = records
            .iter()
            .map(|(key, data)| {
                format!(
                    r#"{{"kinesis":{{"partitionKey":"{key}","data":"{data}","approximateArrivalTimestamp":0.5}},"eventSource":"aws:kinesis"}}"#
                )
            })
            .collect();
        let event = format!("{{\"Records\":[{}]}}", records.join(","));
        let mut batch = Batch::new(settings, "id", 1000, Buffers::default());
        Event::parse(&event)
            .unwrap()
            .records()
            .for_each(|source| assert_eq!(batch.append(&(&source).into()), Progress::Complete));
        batch
    }

    #[test]
    fn each_record_becomes_a_line_and_is_counted() {
        let settings = Settings::default();
        let batch = batch(&settings, &[("k", "YQ=="), ("k", "/w=="), ("k", "*")]);
        let lines = String::from_utf8(batch.lines().to_owned()).unwrap();
        let lines: Vec<_> = lines.lines().collect();
        assert!(lines[0].ends_with(r#"data="a""#) && lines[1].ends_with("data=base64:1:/w=="), "{lines:?}");
        assert!(lines[2].contains(" WARN id ") && lines[2].ends_with(r#"data=undecodable:"*""#), "{lines:?}");
        let counts =
            Counts { records: 3, decoded: 3, bytes: 2, undecodable: 1, max_lag_ms: Some(500), ..Counts::default() };
        assert_eq!(batch.counts, counts);
    }

    #[test]
    fn redacted_and_truncated_records_are_counted() {
        let redactor = Redactor::new(["password"]).unwrap();
        let lines = LineOptions { redactor, max_data_bytes: 30, ..LineOptions::DEFAULT };
        let settings = Settings { lines, ..Settings::default() };
        let secret = base64_simd::STANDARD.encode_to_string(r#"{"password":"hunter2"}"#);
        let long = base64_simd::STANDARD.encode_to_string("x".repeat(31));
        let batch = batch(&settings, &[("k", &secret), ("k", "YQ=="), ("k", &long)]);
        assert_eq!((batch.counts.redacted, batch.counts.truncated), (1, 1));
        assert!(!String::from_utf8_lossy(batch.lines()).contains("hunter2"));
    }

    #[test]
    fn only_lines_of_the_configured_level_are_formatted() {
        let lines = |level| {
            let settings = Settings { level, ..Settings::default() };
            batch(&settings, &[("k", "YQ=="), ("k", "*")]).lines().split_inclusive(|&byte| byte == b'\n').count()
        };
        assert_eq!((lines(Level::Trace), lines(Level::Warn), lines(Level::Error)), (2, 1, 0));
    }

    #[test]
    fn a_record_counts_as_logged_when_all_of_its_line_is_written() {
        let settings = Settings::default();
        let logged = |bytes: fn(usize) -> usize| {
            let mut batch = batch(&settings, &[("k", "YQ=="), ("k", "YQ==")]);
            batch.mark_written(bytes(batch.lines().len()));
            batch.logged()
        };
        assert_eq!([logged(|_| 0), logged(|all| all / 2 - 1), logged(|all| all / 2)], [0, 0, 1]);
        assert_eq!([logged(|all| all - 1), logged(|all| all)], [1, 2]);
    }

    #[test]
    fn a_record_without_lines_counts_as_logged_after_those_before_it() {
        let settings = Settings { level: Level::Warn, ..Settings::default() };
        let mut batch = batch(&settings, &[("k", "YQ=="), ("k", "*"), ("k", "YQ==")]);
        let mut before = Batch::new(&settings, "id", 0, Buffers::default());
        before.buffers.ends = batch.buffers.ends.clone();
        before.mark_written(0);
        assert_eq!(before.logged(), 1);
        batch.mark_written(batch.lines().len());
        assert_eq!(batch.logged(), 3);
    }

    #[test]
    fn a_large_aggregate_is_formatted_in_parts_without_repeating_a_line() {
        let mut builder = AggregateBuilder::new(1024 * 1024);
        let count = 40_000;
        for number in 0..count {
            builder.add("k", None, format!("{number}").as_bytes()).unwrap();
        }
        let data = base64_simd::STANDARD.encode_to_string(builder.build());
        let event = format!(r#"{{"Records":[{{"kinesis":{{"data":"{data}","sequenceNumber":"1"}}}}]}}"#);
        let source = Event::parse(&event).unwrap().records().next().unwrap();
        let settings = Settings::default();
        let mut batch = Batch::new(&settings, "id", 1000, Buffers::default());
        let mut parts = Vec::new();
        while batch.append(&(&source).into()) == Progress::Partial {
            assert!(batch.lines().len() < PART_BYTES + 1000);
            parts.extend_from_slice(batch.lines());
            batch.mark_written(batch.lines().len());
            assert_eq!(batch.logged(), 0);
        }
        assert!(!parts.is_empty());
        parts.extend_from_slice(batch.lines());
        batch.mark_written(batch.lines().len());
        assert_eq!((batch.logged(), batch.counts.sub_records), (1, count));
        let lines = String::from_utf8(parts).unwrap();
        assert!((0..count).zip(lines.lines()).all(|(number, line)| line.ends_with(&format!("data=\"{number}\""))));
        assert_eq!(lines.lines().count() as u64, count);
    }

    #[test]
    fn a_sample_includes_all_records_of_a_key_or_none() {
        let settings = Settings { sample: "0.5".parse().unwrap(), ..Settings::default() };
        let records: Vec<String> = (0..100).map(|key| (key % 10).to_string()).collect();
        let records: Vec<_> = records.iter().map(|key| (key.as_str(), "YQ==")).collect();
        let batch = batch(&settings, &records);
        let lines = String::from_utf8(batch.lines().to_owned()).unwrap();
        for key in 0..10 {
            let seen = lines.matches(&format!("key=\"{key}\"")).count();
            assert!(seen == 0 || seen == 10, "{key}: {seen}");
        }
        assert!(batch.counts.sampled_out > 0 && batch.counts.sampled_out < 100);
        assert_eq!(lines.lines().count() as u64 + batch.counts.sampled_out, 100);
    }
}
