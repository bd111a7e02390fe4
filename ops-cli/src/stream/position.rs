//! The position of a record, as options and arguments name it: `SHARD:SEQUENCE_NUMBER[:SUB_SEQUENCE_NUMBER]`. Pure.

use std::fmt;
use std::str::FromStr;

use kinesis_event_logger_core::SequenceNumber;

/// The position of a record on a stream. Its text is also the `eventID` that Lambda gives the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPosition {
    pub shard_id: String,
    pub sequence_number: SequenceNumber,
    /// The record's index in the aggregate with this sequence number, from 0.
    pub sub_sequence_number: Option<u64>,
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shard_id, self.sequence_number)?;
        self.sub_sequence_number.map_or(Ok(()), |number| write!(f, ":{number}"))
    }
}

impl FromStr for RecordPosition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        let Some(second) = second else { return alone(first) };
        let shard_id = shard_id(first)?;
        let sequence_number = sequence_number(second)?;
        let sub_sequence_number = third.map(|number| {
            number.parse().map_err(|_| format!("{number:?} is not a sub-sequence number, which counts from 0"))
        });
        Ok(Self { shard_id, sequence_number, sub_sequence_number: sub_sequence_number.transpose()? })
    }
}

/// Parses a sequence number without a shard: Kinesis' own sequence numbers contain the index of their shard.
fn alone(text: &str) -> Result<RecordPosition, String> {
    const FORM: &str =
        "expected SHARD:SEQUENCE_NUMBER, for example 1:49590338271490256608559692538361571095921575989136588898";
    let sequence_number: SequenceNumber = text.parse().map_err(|_| FORM)?;
    let parts = sequence_number.parts().ok_or(FORM)?;
    Ok(RecordPosition { shard_id: numbered(parts.shard_index.into()), sequence_number, sub_sequence_number: None })
}

fn sequence_number(text: &str) -> Result<SequenceNumber, String> {
    text.parse().map_err(|error| format!("{text:?} is not a sequence number: {error}"))
}

/// Returns the id of a shard that is given by its id or by its number.
///
/// # Errors
/// The text is neither. Kinesis allows other ids, but creates none (Kinesis API, `ShardId`).
pub fn shard_id(text: &str) -> Result<String, String> {
    let number = text.strip_prefix("shardId-").unwrap_or(text);
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|_| is_number);
    number
        .map(numbered)
        .ok_or_else(|| format!("{text:?} is not a shard: expected a number, or an id such as shardId-000000000001"))
}

fn numbered(number: u64) -> String {
    format!("shardId-{number:012}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEQUENCE_NUMBER: &str = "49590338271490256608559692538361571095921575989136588898";

    fn parsed(text: &str) -> Result<RecordPosition, String> {
        text.parse()
    }

    #[test]
    fn a_shard_is_given_by_its_id_or_its_number() {
        for shard in ["6", "06", "shardId-000000000006", "shardId-6"] {
            let position = parsed(&format!("{shard}:{SEQUENCE_NUMBER}")).unwrap();
            assert_eq!(position.to_string(), format!("shardId-000000000006:{SEQUENCE_NUMBER}"));
        }
        assert_eq!(parsed("1:2:3").unwrap().sub_sequence_number, Some(3));
    }

    #[test]
    fn a_sequence_number_of_kinesis_names_its_shard() {
        assert_eq!(parsed(SEQUENCE_NUMBER).unwrap().shard_id, "shardId-000000000006");
        assert!(parsed("4959").unwrap_err().starts_with("expected SHARD:SEQUENCE_NUMBER"));
    }

    #[test]
    fn an_error_names_the_part_that_is_wrong() {
        let error = |text| parsed(text).unwrap_err();
        assert!(error("orders:1").starts_with("\"orders\" is not a shard"));
        assert!(error("+1:1").starts_with("\"+1\" is not a shard"));
        assert!(error("1:x").starts_with("\"x\" is not a sequence number"));
        assert!(error("1:2:3:4").starts_with("\"3:4\" is not a sub-sequence number"));
        assert!(error("").starts_with("expected SHARD:SEQUENCE_NUMBER"));
    }

    proptest! {
        #[test]
        fn a_position_is_parsed_from_its_text(shard in 0..1_000_000_000_000_u64, number in "[1-9][0-9]{0,128}", sub: Option<u64>) {
            let position = RecordPosition {
                shard_id: numbered(shard),
                sequence_number: number.parse().unwrap(),
                sub_sequence_number: sub,
            };
            prop_assert_eq!(parsed(&position.to_string()), Ok(position));
        }
    }
}
