//! A consumer that reads a shard without Lambda: turns the records of a `GetRecords` response into lines and a checkpoint.
//!
//! `cargo run -p kinesis-event-logger-core --example get_records`

use std::io::{self, Write};

use kinesis_event_logger_core::{
    AggregateBuilder, Decoder, LineFormat, LineOptions, LineWriter, Position, Redactor, SequenceNumber,
};

/// A record as an SDK returns it (Kinesis API, `Record`).
struct FetchedRecord {
    sequence_number: String,
    partition_key: String,
    approximate_arrival_ms: i64,
    data: Vec<u8>,
}

/// Writes the lines of a page. Returns the sequence number after which to continue (`AFTER_SEQUENCE_NUMBER`).
fn log_page(
    page: &[FetchedRecord],
    decoder: &mut Decoder,
    writer: &LineWriter<'_>,
    mut output: impl Write,
) -> io::Result<Option<SequenceNumber>> {
    let mut line = Vec::new();
    for fetched in page {
        let position = Position {
            stream: Some("orders"),
            shard_id: Some("shardId-000000000000"),
            sequence_number: Some(&fetched.sequence_number),
            partition_key: Some(&fetched.partition_key),
            arrival_ms: Some(fetched.approximate_arrival_ms),
            ..Position::default()
        };
        decoder.decode_bytes(&position, &fetched.data, |record| {
            line.clear();
            writer.append(record, &mut line);
            output.write_all(&line)
        })?;
    }
    // Sequence numbers compare as numbers: "9" is less than "10".
    Ok(page.iter().filter_map(|fetched| fetched.sequence_number.parse().ok()).max())
}

/// A page with a JSON record and an aggregate of two records.
fn page() -> Result<Vec<FetchedRecord>, Box<dyn std::error::Error>> {
    let mut aggregate = AggregateBuilder::new(1024 * 1024);
    aggregate.add("customer-7", None, br#"{"event":"login","password":"hunter2"}"#)?;
    aggregate.add("customer-8", None, b"logout")?;
    let fetched = |sequence_number: &str, partition_key: &str, data: &[u8]| FetchedRecord {
        sequence_number: sequence_number.to_owned(),
        partition_key: partition_key.to_owned(),
        approximate_arrival_ms: 1_545_084_650_987,
        data: data.to_vec(),
    };
    Ok(vec![fetched("9", "customer-7", br#"{"event":"order","total":12.50}"#), fetched("10", "a", &aggregate.build())])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = LineOptions { redactor: Redactor::new(["password"])?, ..LineOptions::DEFAULT };
    let writer = LineWriter::with_options(LineFormat::Json, "page-1", 1_545_084_651_000, &options);
    let mut stdout = io::stdout().lock();
    let checkpoint = log_page(&page()?, &mut Decoder::new(), &writer, &mut stdout)?;
    writeln!(stdout, "continue after {}", checkpoint.map_or("the beginning".to_owned(), |number| number.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_lines_and_a_checkpoint() {
        let options = LineOptions { redactor: Redactor::new(["password"]).unwrap(), ..LineOptions::DEFAULT };
        let writer = LineWriter::with_options(LineFormat::Text, "page-1", 0, &options);
        let mut lines = Vec::new();
        let checkpoint = log_page(&page().unwrap(), &mut Decoder::new(), &writer, &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.contains(r#"data={"event":"login","password":"[redacted]"}"#) && !lines.contains("hunter2"));
        assert_eq!(checkpoint, Some("10".parse().unwrap()));
    }
}
