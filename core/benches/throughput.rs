//! Measures how fast one core turns events into lines, in bytes of the event:
//! `cargo bench -p kinesis-event-logger-core --bench throughput`.
//!
//! Each iteration parses the event from its bytes, including the validation of UTF-8 and JSON.
//!
//! The limiting factors: for JSON with many short members, validating every token before the data is embedded (about half of
//! the time; parsing the event takes a sixth). For JSON with one long text, base64, UTF-8 and memory. For aggregates, MD5,
//! which must match: each step depends on the one before, so that one core is not faster than `md5_of_the_aggregates`. No
//! crate is faster, because the chain of 64 dependent steps for 64 bytes is part of the algorithm, and vector instructions
//! help only for several messages at once.

use std::convert::Infallible;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use kinesis_event_logger_core::decode::ReadAhead;
use kinesis_event_logger_core::{AggregateBuilder, Decoder, Event, LineFormat, LineOptions, LineWriter, Redactor};
use md5::{Digest, Md5};
use serde_json::value::RawValue;

const RECORDS: usize = 1000;

fn main() {
    divan::main();
}

/// A typical JSON record of 1 KiB: short strings, numbers, nesting, a longer text.
fn json_record(number: usize) -> String {
    let mut record = format!(
        r#"{{"id":"018f4a2e-7c1b-7def-8abc-{number:012}","type":"order.created","time":"2026-11-23T16:56:00.123Z","version":3,"customer":{{"id":{number},"name":"Ada Lovelace","email":"ada@example.com","vip":true}},"items":["#
    );
    for item in 0..6 {
        record.push_str(&format!(
            r#"{{"sku":"SKU-{item:05}","quantity":{item},"price":12.50,"currency":"EUR","tags":["new","sale"]}},"#
        ));
    }
    record.pop();
    record.push_str(r#"],"total":125.75,"note":""#);
    let note = 1024 - record.len() - 2;
    record.extend("Leave it with the neighbour, please. ".chars().cycle().take(note));
    record.push_str("\"}");
    assert_eq!(record.len(), 1024);
    record
}

/// A JSON record of 1 KiB with one long text and a few short members.
fn text_record(number: usize) -> String {
    let mut record = format!(r#"{{"id":{number},"level":"INFO","time":"2026-11-23T16:56:00.123Z","message":""#);
    let text = 1024 - record.len() - 2;
    record.extend("The order was taken and is on its way to Ada Lovelace. ".chars().cycle().take(text));
    record.push_str("\"}");
    record
}

/// An event as Lambda sends it.
fn event<D: AsRef<[u8]>>(data: impl Iterator<Item = D>) -> Box<RawValue> {
    let records: Vec<_> = data
        .enumerate()
        .map(|(number, data)| {
            let data = base64_simd::STANDARD.encode_to_string(data.as_ref());
            let sequence = format!("4959033827149025660855969253836157109592157598913658{number:04}");
            format!(
                r#"{{"kinesis":{{"kinesisSchemaVersion":"1.0","partitionKey":"customer-{number}","sequenceNumber":"{sequence}","data":"{data}","approximateArrivalTimestamp":1545084650.987}},"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shardId-000000000006:{sequence}","eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::123456789012:role/lambda-role","awsRegion":"us-east-2","eventSourceARN":"arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream"}}"#
            )
        })
        .collect();
    RawValue::from_string(format!(r#"{{"Records":[{}]}}"#, records.join(","))).expect("it is JSON")
}

fn json_event() -> Box<RawValue> {
    event((0..RECORDS).map(json_record))
}

/// Fifty records of 1 KiB in each of twenty aggregates.
fn aggregate_event() -> Box<RawValue> {
    const EACH: usize = 50;
    event((0..RECORDS / EACH).map(|aggregate| {
        let mut builder = AggregateBuilder::new(1 << 20);
        for number in 0..EACH {
            let number = aggregate * EACH + number;
            builder.add(&format!("customer-{number}"), None, json_record(number).as_bytes()).expect("it fits");
        }
        builder.build()
    }))
}

fn lines(bencher: Bencher<'_, '_>, event: &RawValue, format: LineFormat) {
    redacted_lines(bencher, event, format, &[]);
}

fn redacted_lines(bencher: Bencher<'_, '_>, event: &RawValue, format: LineFormat, rules: &[&str]) {
    let options = LineOptions { redactor: Redactor::new(rules).expect("rules"), ..LineOptions::DEFAULT };
    let (mut decoder, mut lines) = (Decoder::new(), Vec::new());
    bencher.counter(BytesCount::of_str(event.get())).bench_local(|| {
        let writer =
            LineWriter::with_options(format, "c9e64f6b-3c6c-4a36-9ad3-9d2a1a4e7a5f", 1_545_084_651_000, &options);
        lines.clear();
        let event = Event::parse(black_box(event.get())).expect("a Kinesis event");
        let mut records = ReadAhead::new(event.records());
        while let Some(source) = records.next() {
            let Ok(()) = decoder.decode_ahead(&source, |record| {
                writer.append(record, &mut lines);
                Ok::<_, Infallible>(())
            });
        }
        black_box(lines.len())
    });
}

#[divan::bench]
fn json_to_json_lines(bencher: Bencher<'_, '_>) {
    lines(bencher, &json_event(), LineFormat::Json);
}

#[divan::bench]
fn json_to_text_lines(bencher: Bencher<'_, '_>) {
    lines(bencher, &json_event(), LineFormat::Text);
}

#[divan::bench]
fn json_of_text_to_json_lines(bencher: Bencher<'_, '_>) {
    lines(bencher, &event((0..RECORDS).map(text_record)), LineFormat::Json);
}

#[divan::bench]
fn aggregates_to_json_lines(bencher: Bencher<'_, '_>) {
    lines(bencher, &aggregate_event(), LineFormat::Json);
}

/// Rules that name nothing in the records.
mod rules {
    use super::*;

    const NAMES: &[&str] = &["password", "card_number", "authorization"];

    #[divan::bench]
    fn names(bencher: Bencher<'_, '_>) {
        redacted_lines(bencher, &json_event(), LineFormat::Json, NAMES);
    }

    #[divan::bench]
    fn names_and_pointers(bencher: Bencher<'_, '_>) {
        redacted_lines(bencher, &json_event(), LineFormat::Json, &["password", "/card/number", "/customer/secret"]);
    }

    #[divan::bench]
    fn names_in_one_long_text(bencher: Bencher<'_, '_>) {
        redacted_lines(bencher, &event((0..RECORDS).map(text_record)), LineFormat::Json, NAMES);
    }

    /// Escapes, letters of several scripts, URLs: text that does not take the fast path of the search.
    #[divan::bench]
    fn names_in_escapes(bencher: Bencher<'_, '_>) {
        let escaped = |number| {
            json_record(number)
                .replace("Ada Lovelace", r#"Jos\u00e9 \"Ünal\" 漢字 😀"#)
                .replace("ada@example.com", "https:\\/\\/example.com?a=1&b=2%20c")
        };
        redacted_lines(bencher, &event((0..RECORDS).map(escaped)), LineFormat::Json, NAMES);
    }

    #[divan::bench]
    fn names_that_are_not_ascii(bencher: Bencher<'_, '_>) {
        redacted_lines(bencher, &json_event(), LineFormat::Json, &["пароль", "größe"]);
    }
}

/// The parts of `json_to_json_lines`.
mod parts {
    use super::*;

    #[divan::bench]
    fn walk_the_event(bencher: Bencher<'_, '_>) {
        let event = json_event();
        bencher
            .counter(BytesCount::of_str(event.get()))
            .bench(|| Event::parse(black_box(event.get())).expect("a Kinesis event").records().count());
    }

    #[divan::bench]
    fn decode_without_lines(bencher: Bencher<'_, '_>) {
        let event = json_event();
        let mut decoder = Decoder::new();
        bencher.counter(BytesCount::of_str(event.get())).bench_local(|| {
            for record in Event::parse(black_box(event.get())).expect("a Kinesis event").records() {
                let Ok(()) = decoder.decode(&record, |record| {
                    black_box(record);
                    Ok::<_, Infallible>(())
                });
            }
        });
    }

    /// The lower bound for aggregates.
    #[divan::bench]
    fn md5_of_the_aggregates(bencher: Bencher<'_, '_>) {
        let data: Vec<u8> = (0..RECORDS).flat_map(|number| json_record(number).into_bytes()).collect();
        bencher.counter(BytesCount::of_slice(&data)).bench(|| Md5::digest(black_box(&data)));
    }
}
