//! The layers of a record's data: aggregate, compression, shape, syntax. Pure.
//!
//! The core's decoder unpacks data in the same order, but reports only the innermost records. A test compares the two.

use std::convert::Infallible;

use kinesis_event_logger_core::decode::{Aggregate, Compression, MAX_DECOMPRESSED_BYTES, classify};
use kinesis_event_logger_core::{Decoder, Payload, Position, Record};
use serde::Serialize;

/// The layers of compression that the function removes: one around an aggregate and one inside.
const MAX_COMPRESSION_LAYERS: usize = 2;

/// One layer and the layers inside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "layer")]
pub enum Layer {
    /// An aggregate in the format of the KPL.
    Aggregate {
        bytes: usize,
        /// The number of its records, all of which `records` has unless one was asked for.
        count: usize,
        records: Vec<SubRecord>,
    },
    Compression {
        format: String,
        bytes: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        decompressed_bytes: Option<usize>,
        /// Why the data stays compressed.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        inside: Option<Box<Layer>>,
    },
    /// JSON that a known service writes.
    Shape { shape: String, bytes: usize, records: usize },
    /// The innermost data.
    Data { syntax: &'static str, bytes: usize },
}

/// A record inside an aggregate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SubRecord {
    pub sub_sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explicit_hash_key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    pub inside: Layer,
}

/// Returns the layers of a record's data.
pub fn layers(data: &[u8]) -> Layer {
    let mut remaining = MAX_DECOMPRESSED_BYTES;
    unpack(data, false, MAX_COMPRESSION_LAYERS, &mut remaining)
}

fn unpack(data: &[u8], is_sub_record: bool, layers: usize, remaining: &mut usize) -> Layer {
    if let Some(aggregate) = Aggregate::parse(data).filter(|_| !is_sub_record) {
        let records = aggregate.records().map(|record| SubRecord {
            sub_sequence_number: record.sub_sequence_number,
            partition_key: record.partition_key.map(str::to_owned),
            explicit_hash_key: record.explicit_hash_key.map(str::to_owned),
            problem: record.problem.map(|problem| problem.to_string()),
            inside: unpack(record.data, true, layers, remaining),
        });
        let records: Vec<_> = records.collect();
        return Layer::Aggregate { bytes: data.len(), count: records.len(), records };
    }
    match Compression::of(data) {
        Some(compression) => decompress(compression, data, is_sub_record, layers, remaining),
        None => innermost(data),
    }
}

fn decompress(
    compression: Compression,
    data: &[u8],
    is_sub_record: bool,
    layers: usize,
    remaining: &mut usize,
) -> Layer {
    let (format, bytes) = (compression.to_string(), data.len());
    let failed = |format, error| Layer::Compression {
        format,
        bytes,
        decompressed_bytes: None,
        error: Some(error),
        inside: None,
    };
    let Some(layers) = layers.checked_sub(1) else {
        return failed(format, format!("it is inside {MAX_COMPRESSION_LAYERS} layers of compression"));
    };
    let mut out = Vec::new();
    let decompressed = compression.decompress(data, *remaining, &mut out);
    *remaining = remaining.saturating_sub(out.len());
    if let Err(error) = decompressed {
        return failed(format, error.to_string());
    }
    let inside = Some(Box::new(unpack(&out, is_sub_record, layers, remaining)));
    Layer::Compression { format, bytes, decompressed_bytes: Some(out.len()), error: None, inside }
}

fn innermost(data: &[u8]) -> Layer {
    let bytes = data.len();
    let (mut shape, mut records) = (None, 0);
    let count = |record: &Record<'_>| {
        shape = record.origin.map(|origin| origin.shape.to_owned());
        records += 1;
        Ok::<_, Infallible>(())
    };
    let Ok(()) = Decoder::new().decode_bytes(&Position::default(), data, count);
    match shape {
        Some(shape) => Layer::Shape { shape, bytes, records },
        None => Layer::Data { syntax: syntax(data), bytes },
    }
}

fn syntax(data: &[u8]) -> &'static str {
    match classify(data) {
        Payload::Json(_) => "json",
        Payload::Text(_) => "text",
        Payload::Cbor(_) => "cbor",
        Payload::Binary(_) => "binary",
    }
}

impl Layer {
    /// Keeps only one record of an aggregate, whether or not the aggregate is compressed.
    pub fn keep(&mut self, sub_sequence_number: u64) {
        match self {
            Self::Aggregate { records, .. } => {
                records.retain(|record| record.sub_sequence_number == sub_sequence_number);
            }
            Self::Compression { inside: Some(inside), .. } => inside.keep(sub_sequence_number),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use kinesis_event_logger_core::AggregateBuilder;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn aggregate(records: &[&[u8]]) -> Vec<u8> {
        let mut builder = AggregateBuilder::new(1 << 20);
        for (number, data) in records.iter().enumerate() {
            builder.add(&format!("k{number}"), None, data).unwrap();
        }
        builder.build()
    }

    /// The number of lines that the function makes of the innermost layers.
    fn lines(layer: &Layer) -> usize {
        match layer {
            Layer::Aggregate { records, .. } => records.iter().map(|record| lines(&record.inside)).sum::<usize>(),
            Layer::Compression { inside: Some(inside), .. } => lines(inside),
            Layer::Shape { records, .. } => *records,
            Layer::Compression { .. } | Layer::Data { .. } => 1,
        }
    }

    #[test]
    fn layers_are_the_ones_that_the_core_unpacks() {
        let envelope = br#"{"messageType":"DATA_MESSAGE","owner":"1","logGroup":"g","logStream":"s","logEvents":[{"id":"1","timestamp":1,"message":"a"},{"id":"2","timestamp":1,"message":"b"}]}"#;
        let inside = aggregate(&[&gzip(b"one"), b"{}", &gzip(envelope), &aggregate(&[b"x"])]);
        let thrice = gzip(&gzip(&gzip(b"x")));
        let mut cut = gzip(b"hello");
        cut.pop();
        for data in [b"".to_vec(), b"\xff".to_vec(), inside.clone(), gzip(&inside), gzip(envelope), thrice, cut] {
            let mut count = 0;
            let Ok(()) = Decoder::new().decode_bytes(&Position::default(), &data, |_| {
                count += 1;
                Ok::<_, Infallible>(())
            });
            assert_eq!(lines(&layers(&data)), count, "{:?}", layers(&data));
        }
    }

    #[test]
    fn layers_have_their_sizes() {
        let data = gzip(b"{\"a\":1}");
        let json = serde_json::to_value(layers(&data)).unwrap();
        let expected = serde_json::json!({
            "layer": "compression", "format": "gzip", "bytes": data.len(), "decompressedBytes": 7,
            "inside": { "layer": "data", "syntax": "json", "bytes": 7 },
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn keep_leaves_one_record_of_an_aggregate() {
        let mut layer = layers(&gzip(&aggregate(&[b"one", b"two"])));
        layer.keep(1);
        assert_eq!(lines(&layer), 1);
        layer.keep(2);
        assert_eq!(lines(&layer), 0);
    }
}
