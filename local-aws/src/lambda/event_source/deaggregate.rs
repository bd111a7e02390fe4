//! Aggregated records, taken apart: Lambda does so for enhanced fan-out consumers, and for nothing else. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html#filtering-kinesis-efo>

use kinesis_event_logger_core::decode::Aggregate;

use crate::kinesis::Record;

/// The records inside a record; of one that is no aggregate, the record itself. They all have the sequence number and the
/// arrival of the whole, by which a function reports them: one that fails has the aggregate delivered again.
pub fn records(record: Record) -> Vec<Record> {
    let data = base64_simd::STANDARD.decode_to_vec(&record.data).unwrap_or_default();
    let Some(aggregate) = Aggregate::parse(&data) else { return vec![record] };
    let inner = aggregate.records().map(|inner| Record {
        // A key that cannot be read must not lose the data.
        partition_key: inner.partition_key.unwrap_or(&record.partition_key).to_owned(),
        data: base64_simd::STANDARD.encode_to_string(inner.data),
        sequence_number: record.sequence_number.clone(),
        arrival: record.arrival,
    });
    inner.collect()
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::AggregateBuilder;

    use super::*;

    fn record(data: &[u8]) -> Record {
        Record {
            sequence_number: "49".into(),
            partition_key: "a".into(),
            data: base64_simd::STANDARD.encode_to_string(data),
            arrival: 1.5,
        }
    }

    #[test]
    fn an_aggregate_is_its_records_and_anything_else_itself() {
        let mut builder = AggregateBuilder::new(1024);
        builder.add("pk-a", None, b"hello").unwrap();
        builder.add("pk-b", None, b"world").unwrap();
        let found = records(record(&builder.build()));
        let shown: Vec<_> = found.iter().map(|inner| (inner.partition_key.as_str(), inner.data.as_str())).collect();
        assert_eq!(shown, [("pk-a", "aGVsbG8="), ("pk-b", "d29ybGQ=")]);
        assert!(found.iter().all(|inner| inner.sequence_number == "49" && inner.arrival == 1.5));
        for data in [&b"plain"[..], b"", b"\xF3\x89\x9A\xC2", &[0xF3; 40]] {
            let found = records(record(data));
            assert_eq!((found.len(), &found[0].data), (1, &record(data).data));
        }
    }
}
