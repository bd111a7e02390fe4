use proptest::prelude::*;

use super::*;
use crate::publish::input::record::{InputPosition, Record};

const AT: At<'_> = At { shard_id: "shardId-000000000000", sequence_number: "4959", time: 5 };

fn entry(offset: u64) -> QueuedEntry {
    let place = InputPosition { offset, input: 0, line: offset + 1 };
    QueuedEntry::of(Record::new(place, Vec::new(), &"k".into(), None))
}

fn add(receipts: &mut Receipts, offset: u64) {
    receipts.add([(None, &entry(offset))].into_iter(), &AT).unwrap();
}

#[test]
fn a_line_is_the_receipt_in_json() {
    let path = path("line");
    std::fs::remove_file(&path).ok();
    let mut receipts = Receipts::to_file(&path, false).unwrap();
    let (plain, mut again) = (entry(0), entry(7));
    (again.attempts, again.may_be_put) = (3, true);
    again.record = again.record.sending_again("shardId-000000000001:\"7");
    let at = At { sequence_number: "\"1", ..AT };
    receipts.add([(None, &plain), (Some(4), &again)].into_iter(), &at).unwrap();
    receipts.flush().unwrap();
    let expected = [Receipt::of((None, &plain), &at), Receipt::of((Some(4), &again), &at)];
    let lines: String = expected.iter().map(|receipt| serde_json::to_string(receipt).unwrap() + "\n").collect();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), lines);
    std::fs::remove_file(&path).unwrap();
}

fn path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("receipts-{name}-{}", std::process::id()))
}

#[test]
fn a_truncated_receipt_is_overwritten_and_its_record_is_resent() {
    let path = path("cut");
    std::fs::remove_file(&path).ok();
    let mut receipts = Receipts::to_file(&path, false).unwrap();
    for offset in [0, 2, 1, 5] {
        add(&mut receipts, offset);
    }
    receipts.flush().unwrap();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"offset\":3,").unwrap();

    let acknowledged = AcknowledgedOffsets::read(&path).unwrap();
    let holds: Vec<_> = (0..7).filter(|offset| acknowledged.holds(*offset)).collect();
    assert_eq!(holds, [0, 1, 2, 5]);
    assert_eq!(acknowledged, AcknowledgedOffsets { all_before: 3, more: [5].into() });
    assert_eq!((acknowledged.end(), AcknowledgedOffsets::default().end()), (6, 0));

    assert!(Receipts::to_file(&path, false).is_err(), "receipts are not overwritten");
    let mut receipts = Receipts::to_file(&path, true).unwrap();
    add(&mut receipts, 3);
    receipts.flush().unwrap();
    let mut offsets = Vec::new();
    read(&path, |receipt| offsets.push(receipt.offset)).unwrap();
    assert_eq!(offsets, [0, 2, 1, 5, 3]);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_byte_order_mark_and_blank_lines_are_not_receipts() {
    let path = path("blank");
    let receipt = |offset| serde_json::to_string(&Receipt::of((None, &entry(offset)), &AT)).unwrap();
    std::fs::write(&path, format!("\u{feff}{}\n\n{}\r\n \n\n", receipt(0), receipt(1))).unwrap();
    let mut offsets = Vec::new();
    read(&path, |receipt| offsets.push(receipt.offset)).unwrap();
    assert_eq!(offsets, [0, 1]);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn only_prefixes_of_receipts_are_recognized_as_such() {
    let mut sent = entry(12);
    sent.may_be_put = true;
    let receipt = serde_json::to_vec(&Receipt::of((Some(3), &sent), &AT)).unwrap();
    assert!((0..=receipt.len()).all(|end| is_beginning(&receipt[..end])));
    for other in ["hello", "\0\0\0", "{\"a", "{\"offset\":x", "{\"offset\":1,\"value\":2}", "{\"offset\":1}", " {\"off"]
    {
        assert!(!is_beginning(other.as_bytes()), "{other}");
    }
}

proptest! {
    /// Checks files with any content, cut anywhere.
    #[test]
    fn a_file_with_other_content_is_rejected_and_not_changed(
        content in prop_oneof!["[^{]{1,40}", "\\{\"n\":[0-9]{1,9}\\}\n?", "([ -~]{0,20}\n){0,3}[a-z]{1,9}"]
            .prop_filter("blank lines are no content", |content: &String| !content.trim_ascii().is_empty()),
        receipts in 0_u64..3,
        go_on: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let mut before = Vec::new();
        for offset in 0..receipts {
            serde_json::to_writer(&mut before, &Receipt::of((None, &entry(offset)), &AT)).unwrap();
            before.push(b'\n');
        }
        before.extend(content.as_bytes());
        std::fs::write(&path, &before).unwrap();
        prop_assert!(AcknowledgedOffsets::read(&path).is_err());
        let opened = AcknowledgedOffsets::read(&path).and_then(|_| Receipts::to_file(&path, go_on));
        prop_assert!(opened.is_err());
        prop_assert!(Receipts::to_file(&path, false).is_err());
        prop_assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[test]
fn on_stdout_a_receipt_waits_for_earlier_ones() {
    let mut in_order = InOrder::new(Output { format: crate::output::Format::Json });
    for offset in [3, 4, 9] {
        in_order.slots.push_back((offset, Slot::Expected));
    }
    in_order.settle(4, Slot::Known(Receipt::of((None, &entry(4)), &AT)));
    in_order.flush().unwrap();
    assert_eq!(in_order.slots.len(), 3);
    in_order.settle(3, Slot::Never);
    in_order.flush().unwrap();
    assert_eq!(in_order.slots.len(), 1);
}
