#![no_main]
//! Parses any message between a magic number and its MD5. An aggregate that parses is built again and parses to the same.

use kinesis_event_logger_core::decode::{AGGREGATE_MAGIC, Aggregate, AggregateBuilder};
use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};

fuzz_target!(|message: &[u8]| {
    let data = [&AGGREGATE_MAGIC, message, &Md5::digest(message)[..]].concat();
    let Some(aggregate) = Aggregate::parse(&data) else { return };
    let mut builder = AggregateBuilder::new(usize::MAX);
    let whole: Vec<_> = aggregate.records().filter(|record| record.problem.is_none()).collect();
    for record in &whole {
        builder.add(record.partition_key.expect("no problem"), record.explicit_hash_key, record.data).expect("room");
    }
    if whole.is_empty() {
        return;
    }
    let built = builder.build();
    let again = Aggregate::parse(&built).expect("an aggregate");
    let keys = |key: Option<&str>| key.filter(|key| !key.is_empty()).map(str::to_owned);
    for (first, second) in whole.iter().zip(again.records()) {
        assert_eq!((first.partition_key, first.data), (second.partition_key, second.data));
        assert_eq!(keys(first.explicit_hash_key), keys(second.explicit_hash_key));
    }
    assert_eq!(again.records().count(), whole.len());
});
