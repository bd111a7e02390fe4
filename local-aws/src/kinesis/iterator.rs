//! Shard iterators: a position in a shard, and the time when the iterator was created. They are opaque to clients.

/// A position in a shard, valid for five minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIterator {
    /// Epoch milliseconds.
    pub created: u64,
    /// The incarnation of the stream, so that the iterator cannot read a later stream with the same name.
    pub incarnation: u64,
    pub shard_index: u32,
    /// The counter of the next record to read.
    pub next: u64,
    pub stream_name: String,
}

const VERSION: u8 = 1;

impl ShardIterator {
    pub fn encode(&self) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.created.to_be_bytes());
        bytes.extend(self.incarnation.to_be_bytes());
        bytes.extend(self.shard_index.to_be_bytes());
        bytes.extend(self.next.to_be_bytes());
        bytes.extend(self.stream_name.as_bytes());
        base64_simd::STANDARD.encode_to_string(bytes)
    }

    /// Decodes an iterator, which may be enclosed in double quotes (recorded: AWS accepts the output of `aws --query`).
    /// Returns `None` for any other text.
    pub fn decode(text: &str) -> Option<Self> {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let bytes = base64_simd::STANDARD.decode_to_vec(text).ok()?;
        let (&[VERSION], rest) = bytes.split_first_chunk()? else { return None };
        let (created, rest) = rest.split_first_chunk()?;
        let (incarnation, rest) = rest.split_first_chunk()?;
        let (shard_index, rest) = rest.split_first_chunk()?;
        let (next, stream_name) = rest.split_first_chunk()?;
        Some(Self {
            created: u64::from_be_bytes(*created),
            incarnation: u64::from_be_bytes(*incarnation),
            shard_index: u32::from_be_bytes(*shard_index),
            next: u64::from_be_bytes(*next),
            stream_name: String::from_utf8(stream_name.to_vec()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_encoded_iterator_decodes_to_itself(created: u64, incarnation: u64, shard_index: u32, next: u64, stream_name in "[a-z]{1,128}") {
            let iterator = ShardIterator { created, incarnation, shard_index, next, stream_name };
            let text = iterator.encode();
            // The API accepts iterators of up to 512 characters.
            prop_assert!(text.len() <= 512);
            let quoted = format!("\"{text}\"");
            prop_assert_eq!(ShardIterator::decode(&quoted), Some(iterator.clone()));
            prop_assert_eq!(ShardIterator::decode(&text), Some(iterator));
        }

        #[test]
        fn decoding_any_text_does_not_panic(text: String, bytes: Vec<u8>) {
            ShardIterator::decode(&text);
            ShardIterator::decode(&base64_simd::STANDARD.encode_to_string(bytes));
        }
    }
}
