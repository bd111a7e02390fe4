//! Events of every kind of payload, each of about 2 MB of data.

use std::io::Write;
use std::sync::Arc;

use kinesis_event_logger_core::AggregateBuilder;
use serde_json::json;

const DATA_BYTES: usize = 2 * 1024 * 1024;

/// A kind of payload, and an event of it.
pub struct Kind {
    pub name: &'static str,
    pub event: Arc<[u8]>,
}

/// Returns an event of each kind.
pub fn all() -> Vec<Kind> {
    let kib = |number: usize| dense_json(number, 1024).into_bytes();
    let records = |count: usize, data: &dyn Fn(usize) -> Vec<u8>| event((0..count).map(data));
    let kinds: [(&'static str, Vec<u8>); 8] = [
        ("dense JSON of 1 KiB", records(DATA_BYTES / 1024, &kib)),
        ("text of 1 KiB", records(DATA_BYTES / 1024, &|number| text(number, 1024))),
        ("binary of 1 KiB", records(DATA_BYTES / 1024, &|number| binary(number, 1024))),
        ("gzip of 10 KiB JSON", records(DATA_BYTES / 10240, &|number| gzip(&several(number, 10)))),
        ("zstd of 10 KiB JSON", records(DATA_BYTES / 10240, &|number| zstd(&several(number, 10)))),
        ("KPL aggregates of 100 × 1 KiB", records(DATA_BYTES / 102_400, &aggregate)),
        ("CloudWatch Logs envelopes of 50 events", records(DATA_BYTES / 10240, &envelope)),
        ("10 MiB text", event([text(0, 10 * 1024 * 1024)])),
    ];
    kinds.into_iter().map(|(name, event)| Kind { name, event: event.into() }).collect()
}

/// An event of text whose body has about `bytes`.
pub fn event_of(bytes: usize) -> Arc<[u8]> {
    event((0..bytes / 1600).map(|number| dense_json(number, 1024).into_bytes())).into()
}

fn event(data: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let record = |(number, data): (usize, Vec<u8>)| {
        let sequence_number = format!("4959033827149025660855969253836157109592157598913{number:07}");
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0", "partitionKey": format!("customer-{number}"), "sequenceNumber": sequence_number,
                "data": base64_simd::STANDARD.encode_to_string(data), "approximateArrivalTimestamp": 1_545_084_650.987,
            },
            "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("shardId-000000000006:{sequence_number}"),
            "eventName": "aws:kinesis:record", "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
            "awsRegion": "us-east-2", "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        })
    };
    let records: Vec<_> = data.into_iter().enumerate().map(record).collect();
    json!({ "Records": records }).to_string().into_bytes()
}

fn dense_json(number: usize, bytes: usize) -> String {
    let item = |item: usize| json!({"sku": format!("SKU-{item:05}"), "quantity": item, "price": 12.5, "tags": ["new", "sale"], "gift": false});
    let items: Vec<_> = (0..bytes / 80 - 2).map(item).collect();
    let mut data = json!({"id": number, "customer": {"id": number * 7919, "vip": true}, "items": items, "note": ""});
    let rest = bytes.saturating_sub(data.to_string().len());
    data["note"] = "x".repeat(rest).into();
    data.to_string()
}

fn several(number: usize, kib: usize) -> Vec<u8> {
    let records: Vec<_> = (0..kib).map(|part| dense_json(number * kib + part, 1022)).collect();
    format!("[{}]", records.join(",")).into_bytes()
}

fn text(number: usize, bytes: usize) -> Vec<u8> {
    let sentence = format!("{number}: the order was taken and is on its way to Ada Lovelace. ");
    sentence.bytes().cycle().take(bytes).collect()
}

/// Bytes of a linear congruential generator, the first of which is not UTF-8.
fn binary(number: usize, bytes: usize) -> Vec<u8> {
    let mut state = number as u64;
    let next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    [0xFF].into_iter().chain((1..bytes).map(next)).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}

fn zstd(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

fn aggregate(number: usize) -> Vec<u8> {
    let mut builder = AggregateBuilder::new(1 << 20);
    for part in 0..100 {
        let data = dense_json(number * 100 + part, 1024);
        builder.add(&format!("customer-{part}"), None, data.as_bytes()).expect("it fits");
    }
    builder.build()
}

fn envelope(number: usize) -> Vec<u8> {
    let log_event = |part: usize| json!({"id": format!("{number:020}{part:036}"), "timestamp": 1_545_084_650_987_i64, "message": dense_json(part, 200)});
    let events: Vec<_> = (0..50).map(log_event).collect();
    let envelope = json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/aws/lambda/shop", "logStream": "2018/12/17/[$LATEST]0a",
        "subscriptionFilters": ["all"], "logEvents": events,
    });
    gzip(envelope.to_string().as_bytes())
}
