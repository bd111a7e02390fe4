//! Unpacks KPL aggregates. Lambda does so for enhanced fan-out consumers only. Pure.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html#filtering-kinesis-efo>

use kinesis_event_logger_core::decode::Aggregate;

use crate::kinesis::RecordRef;

/// Calls `each` for every record inside an aggregate, or for the record itself if it is not an aggregate. All records of an
/// aggregate have its sequence number and its arrival. A function reports failed records by sequence number, so one that
/// fails has the whole aggregate delivered again.
pub fn records(record: RecordRef<'_>, mut each: impl FnMut(RecordRef<'_>)) {
    let Some(aggregate) = Aggregate::parse(record.data) else { return each(record) };
    for inner in aggregate.records() {
        // A key that cannot be read must not lose the data.
        each(RecordRef {
            partition_key: inner.partition_key.unwrap_or(record.partition_key),
            data: inner.data,
            ..record
        });
    }
}

#[cfg(test)]
mod tests {
    use kinesis_event_logger_core::AggregateBuilder;

    use super::*;

    fn found(data: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        records(RecordRef { counter: 49, arrival: 1500, partition_key: "a", data }, |inner| {
            assert_eq!((inner.counter, inner.arrival), (49, 1500));
            found.push((inner.partition_key.to_owned(), inner.data.to_vec()));
        });
        found
    }

    #[test]
    fn an_aggregate_is_unpacked_and_other_data_is_one_record() {
        let mut builder = AggregateBuilder::new(1024);
        builder.add("pk-a", None, b"hello").unwrap();
        builder.add("pk-b", None, b"world").unwrap();
        assert_eq!(found(&builder.build()), [("pk-a".into(), b"hello".to_vec()), ("pk-b".into(), b"world".to_vec())]);
        for data in [&b"plain"[..], b"", b"\xF3\x89\x9A\xC2", &[0xF3; 40]] {
            assert_eq!(found(data), [("a".to_owned(), data.to_vec())]);
        }
    }
}
