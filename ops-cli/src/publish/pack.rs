//! What one PutRecords request holds. Pure.

use kinesis_event_logger_core::limits;

/// A request of so many bytes is sent without looking for more: a larger one is no faster, and memory is held for each.
pub const ENOUGH_BYTES: usize = 1024 * 1024;

/// How full one request is.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub struct Room {
    records: usize,
    bytes: usize,
}

impl Room {
    /// Takes a record of so many bytes, its key included, unless that would go over a limit of PutRecords.
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits =
            self.records < limits::PUT_RECORDS_RECORDS && self.bytes.saturating_add(bytes) <= limits::PUT_RECORDS_BYTES;
        if fits {
            self.records += 1;
            self.bytes += bytes;
        }
        fits
    }

    /// Whether looking for more records is not worth it.
    pub fn is_enough(&self) -> bool {
        self.records == limits::PUT_RECORDS_RECORDS || self.bytes >= ENOUGH_BYTES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Packs as full as the limits allow.
    fn pack(sizes: &[usize]) -> Vec<Vec<usize>> {
        let (mut requests, mut room) = (Vec::new(), Room::default());
        for size in sizes {
            if requests.is_empty() || !room.take(*size) {
                room = Room::default();
                assert!(room.take(*size));
                requests.push(Vec::new());
            }
            requests.last_mut().unwrap().push(*size);
        }
        requests
    }

    #[test]
    fn a_request_has_500_records() {
        let lengths: Vec<_> = pack(&[10; 1001]).iter().map(Vec::len).collect();
        assert_eq!(lengths, [500, 500, 1]);
    }

    #[test]
    fn a_request_has_its_bytes_exactly_and_not_one_more() {
        let half = limits::PUT_RECORDS_BYTES / 2;
        assert_eq!(pack(&[half, half]), [vec![half, half]]);
        assert_eq!(pack(&[half, half, 1]), [vec![half, half], vec![1]]);
        assert_eq!(pack(&[half, half + 1]), [vec![half], vec![half + 1]]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_no_limit_passed_and_no_request_could_have_taken_the_next(
            sizes in prop::collection::vec(prop_oneof![1_usize..100, 1_usize..=limits::RECORD_BYTES_HIGHEST], 0..2000),
        ) {
            let requests = pack(&sizes);
            prop_assert_eq!(requests.concat(), sizes);
            for (index, request) in requests.iter().enumerate() {
                let bytes: usize = request.iter().sum();
                prop_assert!(request.len() <= 500 && bytes <= 10 * 1024 * 1024);
                if let Some(next) = requests.get(index + 1) {
                    prop_assert!(request.len() == 500 || bytes + next[0] > 10 * 1024 * 1024);
                }
            }
        }
    }
}
