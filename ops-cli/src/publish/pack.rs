//! Records → PutRecords requests, each as full as the service's limits allow. Pure.

use kinesis_event_logger_core::limits;

use super::source::Record;

/// Gathers records in the order they come.
#[derive(Default)]
pub struct Packer {
    records: Vec<Record>,
    bytes: usize,
}

impl Packer {
    /// Takes a record; the request that has no room for it, if it was the last one to fit.
    pub fn push(&mut self, record: Record) -> Option<Vec<Record>> {
        let is_full =
            self.records.len() == limits::PUT_RECORDS_RECORDS || self.bytes + record.size() > limits::PUT_RECORDS_BYTES;
        let full = if is_full { self.finish() } else { None };
        self.bytes += record.size();
        self.records.push(record);
        full
    }

    /// The last request, unless there is nothing left.
    pub fn finish(&mut self) -> Option<Vec<Record>> {
        self.bytes = 0;
        let records = std::mem::take(&mut self.records);
        (!records.is_empty()).then_some(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(sizes: &[usize]) -> Vec<Vec<usize>> {
        let mut packer = Packer::default();
        let mut requests = Vec::new();
        for size in sizes {
            let record = Record { data: vec![0; size - 1], partition_key: "k".into() };
            requests.extend(packer.push(record));
        }
        requests.extend(packer.finish());
        requests.iter().map(|request| request.iter().map(Record::size).collect()).collect()
    }

    #[test]
    fn nothing_is_packed_into_nothing() {
        assert!(pack(&[]).is_empty());
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
}
