//! Identifies an event in 128 bits.

use std::collections::{BTreeMap, HashMap};

use sha2::{Digest, Sha256};

/// The number of distinct contents that one pass remembers. The oldest are forgotten first, because a pass in the order of
/// time does not return to them.
const MOST_CONTENTS: usize = 65_536;

/// The basis of an event's identity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum IdentifyBy {
    /// The event ID, or the content if the service returns no ID.
    EventId,
    /// Always the content. Polled events have an ID, and the same events in a Live Tail session have none.
    Content,
}

/// The parts of an event that identify it.
#[derive(Debug, Clone, Copy)]
pub struct IdentityParts<'a> {
    pub event_id: Option<&'a str>,
    pub log_stream: &'a str,
    pub timestamp: i64,
    /// When the service received it, in epoch milliseconds; 0 if it does not say.
    pub ingestion_time: i64,
    pub message: &'a str,
}

/// One pass over events: a sweep, or a Live Tail session. It counts events of the same content, because only their number
/// distinguishes identical lines.
#[derive(Debug, Default)]
pub struct Pass {
    /// The contents of each timestamp, and their counts.
    met: BTreeMap<i64, HashMap<u128, u32>>,
    contents: usize,
}

impl Pass {
    /// Returns the identity of the next event of this pass.
    pub fn identity(&mut self, event: IdentityParts<'_>, by: IdentifyBy) -> u128 {
        match event.event_id {
            // The prefixes 0 and 1 separate the two kinds of identity.
            Some(id) if by == IdentifyBy::EventId && !id.is_empty() => digest(&[b"\0", id.as_bytes()]),
            _ => {
                let timestamp = event.timestamp.to_le_bytes();
                let length = event.log_stream.len().to_le_bytes();
                let parts = [b"\x01", &timestamp[..], &length, event.log_stream.as_bytes(), event.message.as_bytes()];
                let content = digest(&parts);
                match self.count(event.timestamp, content) {
                    1 => content,
                    ordinal => digest(&[&content.to_le_bytes(), &ordinal.to_le_bytes()]),
                }
            }
        }
    }

    fn count(&mut self, timestamp: i64, content: u128) -> u32 {
        let alike = self.met.entry(timestamp).or_default();
        if let Some(count) = alike.get_mut(&content) {
            *count += 1;
            return *count;
        }
        alike.insert(content, 1);
        self.contents += 1;
        while self.contents > MOST_CONTENTS
            && self.met.len() > 1
            && let Some((_, forgotten)) = self.met.pop_first()
        {
            self.contents -= forgotten.len();
        }
        1
    }
}

fn digest(parts: &[&[u8]]) -> u128 {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    let bytes: [u8; 32] = digest.finalize().into();
    bytes[..16].iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(event_id: Option<&str>, log_stream: &str, timestamp: i64, message: &str) -> u128 {
        let event = IdentityParts { event_id, log_stream, timestamp, ingestion_time: 0, message };
        Pass::default().identity(event, IdentifyBy::EventId)
    }

    #[test]
    fn every_part_of_an_event_changes_its_identity() {
        let one = of(None, "a", 1, "bc");
        assert_eq!(one, of(Some(""), "a", 1, "bc"));
        for other in
            [of(None, "ab", 1, "c"), of(None, "a", 2, "bc"), of(None, "a", 1, "bd"), of(Some("a"), "a", 1, "bc")]
        {
            assert_ne!(one, other);
        }
        assert_eq!(of(Some("id"), "a", 1, "b"), of(Some("id"), "c", 2, "d"));
    }

    #[test]
    fn identical_lines_of_one_pass_differ_and_those_of_two_passes_agree() {
        let event = IdentityParts {
            event_id: Some("ignored"),
            log_stream: "s",
            timestamp: 7,
            ingestion_time: 0,
            message: "same",
        };
        let pass = || {
            let mut pass = Pass::default();
            [(); 3].map(|()| pass.identity(event, IdentifyBy::Content))
        };
        let [first, second, third] = pass();
        assert!(first != second && second != third && first != third);
        assert_eq!(pass(), [first, second, third]);
    }

    #[test]
    fn a_pass_remembers_a_bounded_number_of_contents() {
        let mut pass = Pass::default();
        for timestamp in 0..200_000 {
            let message = "distinct, by its time";
            pass.identity(
                IdentityParts { event_id: None, log_stream: "s", timestamp, ingestion_time: 0, message },
                IdentifyBy::Content,
            );
        }
        assert!(pass.contents <= MOST_CONTENTS && pass.met.len() <= MOST_CONTENTS);
    }
}
