//! Writes records for GetRecords and SubscribeToShard. In JSON, base64 is written without a search for characters to
//! escape. The search would take longer than everything else.

use serde::Serialize;

use super::shard::{Item, SequenceText, ShardSequence};
use crate::encoding::{BlobOut, Encoding, Timestamp, serialization};
use crate::error::AwsError;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a, R> {
    records: Vec<Record<'a>>,
    #[serde(flatten)]
    rest: &'a R,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Record<'a> {
    sequence_number: SequenceText,
    approximate_arrival_timestamp: Timestamp,
    data: BlobOut<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    partition_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encryption_type: Option<&'static str>,
}

/// The bytes of a record in a response in addition to its key and its data.
const RECORD_BYTES: usize = 200;

/// The body of a response: these records, and the members of `rest`, which has at least one.
pub(super) fn body<R: Serialize>(
    encoding: Encoding,
    items: &[Item],
    shard: ShardSequence,
    rest: &R,
) -> Result<Vec<u8>, AwsError> {
    if encoding == Encoding::Cbor {
        let records = items.iter().map(|item| Record::new(item, shard)).collect();
        return encoding.body(&Answer { records, rest });
    }
    let sizes = items.iter().map(|item| RECORD_BYTES + item.entry.partition_key.len() + item.entry.data.len() / 3 * 4);
    let mut body = Vec::with_capacity(sizes.sum::<usize>() + 2 * RECORD_BYTES);
    body.extend_from_slice(br#"{"Records":["#);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write(&mut body, item, shard)?;
    }
    body.extend_from_slice(b"],");
    // The members of `rest` without the opening brace.
    body.extend_from_slice(&encoding.body(rest)?[1..]);
    Ok(body)
}

fn write_json(body: &mut Vec<u8>, value: &impl Serialize) -> Result<(), AwsError> {
    serde_json::to_writer(body, value).map_err(|error| serialization(&error))
}

fn write(body: &mut Vec<u8>, item: &Item, shard: ShardSequence) -> Result<(), AwsError> {
    body.extend_from_slice(br#"{"SequenceNumber":""#);
    body.extend_from_slice(item.number(shard).as_str().as_bytes());
    body.extend_from_slice(br#"","ApproximateArrivalTimestamp":"#);
    write_json(body, &Timestamp(item.arrival))?;
    body.extend_from_slice(br#","Data":""#);
    base64_simd::STANDARD.encode_append(item.entry.data, body);
    body.push(b'"');
    if !item.entry.partition_key.is_empty() {
        body.extend_from_slice(br#","PartitionKey":"#);
        write_json(body, &item.entry.partition_key)?;
    }
    if item.is_encrypted {
        body.extend_from_slice(br#","EncryptionType":"KMS""#);
    }
    body.push(b'}');
    Ok(())
}

impl<'a> Record<'a> {
    fn new(item: &Item<'a>, shard: ShardSequence) -> Self {
        Self {
            sequence_number: item.number(shard),
            approximate_arrival_timestamp: Timestamp(item.arrival),
            data: BlobOut(item.entry.data),
            partition_key: item.entry.partition_key,
            encryption_type: item.is_encrypted.then_some("KMS"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::kinesis::shard::ChunkEntry;

    proptest! {
        #[test]
        fn the_written_json_equals_serdes(
            records: Vec<(String, Vec<u8>, bool)>, arrival in 0_u64..1 << 42, counter in 0_u64..1 << 40,
        ) {
            let shard = ShardSequence { created_seconds: 1_700_000_000, index: 3 };
            let items: Vec<_> = records
                .iter()
                .map(|(partition_key, data, is_encrypted)| {
                    let entry = ChunkEntry { partition_key, data };
                    Item { counter, arrival, is_encrypted: *is_encrypted, entry }
                })
                .collect();
            let rest = json!({ "MillisBehindLatest": 7 });
            let written: Value = serde_json::from_slice(&body(Encoding::Json, &items, shard, &rest).unwrap()).unwrap();
            let records = items.iter().map(|item| Record::new(item, shard)).collect();
            prop_assert_eq!(written, json!(Answer { records, rest: &rest }));
        }
    }
}
