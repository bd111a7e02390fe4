//! The recorded messages, and agreement with another parser.

use proptest::prelude::*;

use super::*;

fn message(text: &[u8]) -> String {
    check(text).unwrap_err()
}

#[test]
fn the_recorded_messages_are_reproduced() {
    let at = |column| {
        format!(
            "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: {column}]"
        )
    };
    assert_eq!(
        message(b"\x99\xeb,j\x07\xa1zYh"),
        format!("Unexpected character ((CTRL-CHAR, code 153)): expected a valid value {VALUES}{}", at(1))
    );
    assert_eq!(message(b"n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt"), format!("Invalid UTF-8 start byte 0x87{}", at(3)));
}

#[test]
fn errors_are_reported_with_their_position() {
    for (text, start, position) in [
        (&b"nope"[..], "Unrecognized token 'nope': was expecting (JSON String,", "line: 1, column: 5]"),
        (
            b"{\"a\":1,\n}",
            "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
            "line: 2, column: 1]",
        ),
        (b"{\"a\" 1}", "Unexpected character ('1' (code 49)): was expecting a colon", "column: 6]"),
        (b"[1 2]", "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries", "column: 4]"),
        (b"[1,]", "Unexpected character (']' (code 93)): expected a value", "column: 4]"),
        (
            b"{\"a\":[1",
            "Unexpected end-of-input: expected close marker for Array (start marker at [Source: REDACTED",
            "column: 8]",
        ),
        (b"\"a", "Unexpected end-of-input in VALUE_STRING", "column: 3]"),
        (b"\"a\x80\"", "Invalid UTF-8 start byte 0x80", "column: 4]"),
        (b"\"\xc3(\"", "Invalid UTF-8 middle byte 0x28", "column: 4]"),
        (b"\"\\x\"", "Unrecognized character escape 'x' (code 120)", "column: 4]"),
        (b"\"\n\"", "Illegal unquoted character ((CTRL-CHAR, code 10))", "]"),
        (b"01", "Invalid numeric value: Leading zeroes not allowed", "]"),
        (b"1.", "Unexpected end-of-input in numeric value", "]"),
        (
            b"-a",
            "Unexpected character ('a' (code 97)) in numeric value: expected digit (0-9) to follow minus sign",
            "]",
        ),
        (b"  ", "No content to map due to end-of-input", "column: 3]"),
    ] {
        let message = message(text);
        assert!(message.starts_with(start) && message.ends_with(position), "{text:?}: {message}");
    }
    assert!(check(&[b'['; 1001]).unwrap_err().starts_with("Document nesting depth (1001) exceeds"));
    assert!(check("[".repeat(1000).as_bytes()).unwrap_err().starts_with("Unexpected end-of-input: expected close"));
}

proptest! {
    /// Accepts exactly the texts that another parser accepts.
    #[test]
    fn it_agrees_with_another_parser(
        text in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0123eE.-+ \nnulltruefalse\xc3\xbc\x80a"[..]), 0..24),
    ) {
        let is_json = std::str::from_utf8(&text).is_ok()
            && serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(check(&text).is_ok(), is_json, "{:?}", String::from_utf8_lossy(&text));
    }
}
