//! One record to put, and where in the input it stood.

use kinesis_event_logger_core::hash_key;

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub place: Place,
    pub data: Vec<u8>,
    pub partition_key: String,
    pub explicit_hash_key: Option<u128>,
}

/// Where in the input something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Counts the records of all inputs, from 0; those with errors too.
    pub offset: u64,
    /// Which input, counted from 0.
    pub input: usize,
    /// Its line, counted from 1; 0 where the input is not read by lines.
    pub line: u64,
}

impl Place {
    /// In words, given the inputs' names: `line 2 of stdin`.
    pub fn of(&self, names: &[String]) -> String {
        let name = names.get(self.input).map_or("the input", String::as_str);
        if self.line > 0 { format!("line {} of {name}", self.line) } else { name.to_owned() }
    }
}

impl Record {
    /// What Kinesis counts: data and key, in bytes.
    pub fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }

    /// The number that decides the shard: the explicit hash key, or that of the partition key.
    pub fn hash_key(&self) -> u128 {
        self.explicit_hash_key.unwrap_or_else(|| hash_key(&self.partition_key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_key_is_the_md5_of_the_partition_key_or_what_is_given() {
        let place = Place { offset: 0, input: 0, line: 1 };
        let mut record = Record { place, data: vec![1, 2], partition_key: "a".into(), explicit_hash_key: None };
        assert_eq!(record.hash_key(), 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661);
        assert_eq!(record.size(), 3);
        record.explicit_hash_key = Some(7);
        assert_eq!(record.hash_key(), 7);
    }
}
