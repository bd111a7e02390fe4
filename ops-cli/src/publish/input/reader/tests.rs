use clap::Parser;
use proptest::prelude::*;

use super::super::encoding::MARK;
use super::*;
use crate::arguments::Cli;
use crate::commands::Command;
use crate::commands::publish::Publish;
use crate::publish::accounting::dead_letters::DeadLetter;
use crate::publish::scheduling::batch::QueuedEntry as Sent;

fn args(more: &[&str]) -> Publish {
    match Cli::parse_from(["ops-cli", "publish"].iter().chain(more)).command {
        Command::Publish(args) => args,
        _ => unreachable!("it is publish"),
    }
}

fn all(input: &[u8], more: &[&str], max_bytes: usize) -> Vec<Result<Record, RejectedInput>> {
    let args = args(more);
    let keys = Keys::new(args.key_options()).unwrap();
    let compressor = args.compress.map(|compression| Compressor::new(compression).unwrap());
    let source = Source::of_bytes("test", input.to_vec());
    RecordReader::of(source, args.form(), keys, compressor, max_bytes).collect()
}

fn data(input: &[u8], more: &[&str]) -> Vec<Vec<u8>> {
    all(input, more, 100).into_iter().map(|record| record.unwrap().data().to_vec()).collect()
}

fn refused(input: &[u8], more: &[&str]) -> String {
    let rejected = all(input, more, 100).into_iter().find_map(Result::err).unwrap();
    format!("{} {}", rejected.place.of(&["test".to_owned()]), rejected.reason)
}

#[test]
fn each_line_becomes_a_record_without_its_line_ending() {
    assert_eq!(data(b"a\nb\r\n\nc", &[]), [b"a", b"b", b"c"]);
    assert_eq!(data(b"a\rb\n", &[]), [b"a\rb"]);
    assert!(data(b"\n\n", &[]).is_empty());
}

#[test]
fn data_over_the_limit_is_accepted_if_it_is_within_it_compressed() {
    let line = b"x".repeat(1000);
    assert!(refused(&line, &[]).contains("at most 100 bytes"));
    assert!(data(&line, &["--compress", "zstd"])[0].len() < 100);
    let random: Vec<u8> = (0..1000).map(|_| fastrand::u8(b'a'..)).collect();
    let rejected = all(&random, &["--whole", "--compress", "gzip"], 100).remove(0).unwrap_err();
    assert_eq!(rejected.data, random, "as it was before it was compressed");
}

#[test]
fn whole_inputs_and_base64_lines_become_records() {
    assert_eq!(data(b"a\nb\n", &["--whole"]), [b"a\nb\n"]);
    assert_eq!(data(b"SGVsbG8=\n/w==\n", &["--base64"]), [&b"Hello"[..], b"\xff"]);
    assert_eq!(refused(b"SGVsbG8=\n%%%\n", &["--base64"]), "line 2 of test is not valid base64");
}

#[test]
fn entries_are_read_with_their_keys() {
    let line = br#"{"PartitionKey":"k","Data":"SGVsbG8=","ExplicitHashKey":"7","more":1}"#;
    let escaped = br#"{"PartitionKey":"k","Data":"\/w=="}"#;
    assert_eq!(data(escaped, &["--entries"]), [b"\xff"]);
    let record = all(line, &["--entries"], 100).remove(0).unwrap();
    assert_eq!((record.partition_key(), record.data()), ("k", &b"Hello"[..]));
    assert_eq!(record.hash_key, 7);
    let without = refused(br#"{"Data":""}"#, &["--entries"]);
    assert_eq!(without, "line 1 of test has no PartitionKey");
    let wrong = refused(br#"{"PartitionKey":"k","Data":"","ExplicitHashKey":"07"}"#, &["--entries"]);
    assert!(wrong.contains("invalid ExplicitHashKey: a hash key is a decimal number below 2^128"), "{wrong}");
}

#[test]
fn a_line_over_the_limit_is_rejected_and_the_next_one_is_read() {
    // 99 bytes and a key of one byte are 100.
    let lines: Vec<Vec<u8>> = [99, 100, 102, 103, 5000, 1].map(|length| vec![b'x'; length]).into();
    let read = all(&lines.join(&b'\n'), &["--key", "k"], 100);
    let lengths: Vec<_> = read.iter().map(|read| read.as_ref().map(|record| record.data().len()).ok()).collect();
    assert_eq!(lengths, [Some(99), None, None, None, None, Some(1)]);
    let rejected = read[2].as_ref().unwrap_err();
    assert_eq!((rejected.place.offset, rejected.place.line), (2, 3));
    assert!(rejected.reason.starts_with("is too large: a record has at most 100 bytes"));
}

#[test]
fn a_key_of_many_bytes_counts_in_bytes() {
    assert!(all("x".repeat(98).as_bytes(), &["--key", "é"], 100)[0].is_ok());
    assert!(all("x".repeat(99).as_bytes(), &["--key", "é"], 100)[0].is_err());
}

#[test]
fn a_missing_field_is_reported_with_its_line() {
    let input = b"{\"id\":1}\n{}\n";
    assert_eq!(refused(input, &["--key-field", "/id"]), "line 2 of test has no field /id");
}

#[test]
fn the_mark_at_the_start_of_text_is_not_data() {
    let marked = |text: &[u8]| [MARK, text].concat();
    assert_eq!(data(&marked(b"a\nb\n"), &[]), [b"a", b"b"]);
    assert_eq!(data(&marked(b"{\"id\":1}\r\n"), &["--key-field", "/id"]), [b"{\"id\":1}"]);
    assert_eq!(data(&marked(b"SGVsbG8=\n"), &["--base64"]), [b"Hello"]);
    let entry = b"{\"PartitionKey\":\"k\",\"Data\":\"SGVsbG8=\"}\n";
    assert_eq!(data(&[marked(entry), marked(entry)].concat(), &["--entries"]), [b"Hello", b"Hello"]);
    assert!(data(MARK, &[]).is_empty() && data(&marked(b"\n"), &[]).is_empty());
    // Within text, and in an input that is one record, the bytes of a mark are data.
    assert_eq!(data(&[b"a\n", MARK, b"b"].concat(), &[]), [b"a".to_vec(), marked(b"b")]);
    assert_eq!(data(&marked(b"a"), &["--whole"]), [marked(b"a")]);
}

#[test]
fn text_in_another_encoding_is_rejected_by_name() {
    let utf_16 =
        |mark: &[u8]| [mark, &"{\"id\":1}\n".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()].concat();
    for form in [&[][..], &["--key-field", "/id"], &["--base64"], &["--entries"]] {
        let refused = refused(&utf_16(b"\xff\xfe"), form);
        assert!(refused.starts_with("test could not be read: it is UTF-16,"), "{refused}");
        assert!(refused.contains("iconv -f UTF-16 -t UTF-8"), "{refused}");
    }
    for form in [&["--key-field", "/id"][..], &["--base64"], &["--entries"]] {
        assert!(refused(&utf_16(b""), form).contains("it is UTF-16"));
    }
    assert!(refused(b"\0\0\xfe\xff\0\0\0a", &[]).contains("it is UTF-32"));
    assert_eq!(data(&utf_16(b"\xff\xfe"), &["--whole"]), [utf_16(b"\xff\xfe")]);
}

#[test]
fn a_rejected_record_contains_its_key_if_that_could_be_determined() {
    let rejected = |input: &[u8], more: &[&str]| all(input, more, 100).remove(0).unwrap_err();
    let line = b"x".repeat(103);
    let keys = |rejected: RejectedInput| rejected.keys.map(|keys| keys.0);
    assert_eq!(keys(rejected(&line, &["--key", "k"])).as_deref(), Some("k"));
    assert_eq!(rejected(&line, &["--key", "k", "--hash-key", "7"]).keys, Some(Box::new(("k".into(), Some(7)))));
    assert_eq!(keys(rejected(&line, &[])).map(|key| key.len()), Some(16));
    assert_eq!(keys(rejected(&line, &["--key-field", "/id"])), None);
    let long_field = format!("{{\"id\":\"i\",\"x\":\"{}\"}}", "x".repeat(83));
    assert_eq!(keys(rejected(long_field.as_bytes(), &["--key-field", "/id"])).as_deref(), Some("i"));
    // Only truncated data is marked as such.
    assert!(!rejected(&b"x".repeat(101), &["--key", "k"]).is_cut);
    assert!(rejected(&line, &["--key", "k"]).is_cut);
}

/// Returns the dead letter of rejected input as a line.
fn letter(rejected: &RejectedInput) -> Vec<u8> {
    let names = ["test".to_owned()];
    [serde_json::to_vec(&DeadLetter::of_rejected(rejected, &names)).unwrap(), b"\n".to_vec()].concat()
}

proptest! {
    /// Checks any key and data.
    #[test]
    fn a_dead_letter_is_the_entry_of_its_record(
        bytes in prop::collection::vec(any::<u8>(), 0..60),
        key in "\\PC{1,20}",
        hash_key in prop::option::of(any::<u128>()),
    ) {
        let place = InputPosition { offset: 3, input: 0, line: 4 };
        let sent = Sent::of(Record::new(place, bytes.clone(), &key.as_str().into(), hash_key));
        let names = ["test".to_owned()];
        let line = serde_json::to_vec(&DeadLetter::of_entry(&sent, &names, "why\n")).unwrap();
        let again = all(&line, &["--entries"], 1000).remove(0).unwrap();
        prop_assert_eq!((again.data(), again.partition_key()), (&bytes[..], key.as_str()));
        prop_assert_eq!((again.explicit_hash_key(), again.hash_key), (hash_key, sent.record.hash_key));
    }

    /// Checks every form with any input: the dead letter, read again, is a record with the input's bytes or the same dead
    /// letter.
    #[test]
    fn a_dead_letter_read_again_becomes_the_record_or_the_same_letter(
        lines in prop::collection::vec(prop_oneof![
            "[ -~]{0,120}",
            "[A-Za-z0-9+/]{0,30}={0,2}",
            "\\{\"id\":[0-9]{1,3}\\}",
            "\\{\"PartitionKey\":\"k?\",\"Data\":\"[A-Za-z0-9]{0,9}={0,2}\"\\}",
            "\\{\"Data\":\"SGVsbG8=\"(,\"truncated\":true,\"PartitionKey\":\"k\")?\\}",
        ], 1..6),
        form in prop::sample::select(vec![
            &[][..], &["--key", "k"], &["--key-field", "/id"], &["--base64"], &["--entries"],
        ]),
    ) {
        for (line, read) in lines.iter().filter(|line| !line.is_empty()).zip(all(lines.join("\n").as_bytes(), form, 40)) {
            let Err(rejected) = read else { continue };
            // Under a larger limit, the first reason may no longer apply.
            match all(&letter(&rejected), &["--entries"], 1000).remove(0) {
                Ok(record) => {
                    prop_assert!(!rejected.is_cut);
                    prop_assert_eq!(record.data(), &rejected.data);
                    prop_assert_eq!(record.partition_key(), &rejected.keys.as_ref().unwrap().0);
                    prop_assert!(form == ["--entries"] || record.data() == line.as_bytes());
                }
                Err(again) => {
                    prop_assert_eq!((again.data, again.is_cut), (rejected.data, rejected.is_cut));
                    prop_assert_eq!(again.keys, rejected.keys);
                }
            }
        }
    }
}
