//! Strings in JSON, many of them: nearly all are written as they are.

/// Appends a text as a JSON string.
pub fn push_string(json: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| matches!(byte, 0x20..=0x7e) & (byte != b'"') & (byte != b'\\');
    // All bytes are looked at, without a branch for each: that goes many at a time.
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
    } else {
        serde_json::to_writer(json, text).expect("a text is always JSON, and a Vec takes it");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_what_serde_json_writes() {
        for text in ["", "plain 49~", "\"", "\\", "\n", "\u{7f}", "é", "\u{1f600}", "a\u{1}"] {
            let mut json = b"[".to_vec();
            super::push_string(&mut json, text);
            assert_eq!(json, format!("[{}", serde_json::to_string(text).unwrap()).as_bytes());
        }
    }
}
