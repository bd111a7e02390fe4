//! Checks whether a payload is JSON, and describes an error with Lambda's messages.
//!
//! Lambda's messages are those of Jackson, AWS's JSON parser. The messages about an unexpected character and about
//! UTF-8 are recorded. The others are from Jackson's sources (`UTF8StreamJsonParser`, 2.18).

/// The deepest nesting of arrays and objects, which is Jackson's limit.
const MAX_DEPTH: usize = 1000;
const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// # Errors The message about the first error, with its line and column.
pub fn check(text: &[u8]) -> Result<(), String> {
    let mut scanner = Scanner { text, at: 0, open: Vec::new() };
    scanner.skip_whitespace();
    if scanner.at == text.len() {
        return Err(scanner.error("No content to map due to end-of-input", 0));
    }
    scanner.document()
}

struct Scanner<'a> {
    text: &'a [u8],
    /// The offset of the next byte.
    at: usize,
    /// The offsets of the open brackets.
    open: Vec<usize>,
}

type Checked = Result<(), String>;

impl Scanner<'_> {
    fn document(&mut self) -> Checked {
        loop {
            let is_open = self.value()?;
            if is_open {
                continue;
            }
            // A value is complete. Closes brackets until another value follows.
            loop {
                self.skip_whitespace();
                let Some(&bracket) = self.open.last() else {
                    return match self.peek() {
                        None => Ok(()),
                        Some(byte) => Err(self.unexpected(byte, "Expected space separating root-level values")),
                    };
                };
                let is_object = self.text[bracket] == b'{';
                match (self.peek(), is_object) {
                    (None, _) => return Err(self.unclosed(bracket)),
                    (Some(b'}'), true) | (Some(b']'), false) => {
                        self.at += 1;
                        self.open.pop();
                    }
                    (Some(b','), _) => {
                        self.at += 1;
                        self.skip_whitespace();
                        if is_object {
                            self.name()?;
                        }
                        break;
                    }
                    (Some(byte), _) => {
                        let kind = if is_object { "Object" } else { "Array" };
                        let comment = format!("was expecting comma to separate {kind} entries");
                        return Err(self.unexpected(byte, &comment));
                    }
                }
            }
        }
    }

    /// Reads a value. Returns `true` for a bracket that must be followed by another value.
    fn value(&mut self) -> Result<bool, String> {
        self.skip_whitespace();
        let Some(byte) = self.peek() else {
            return Err(match self.open.last() {
                Some(&bracket) => self.unclosed(bracket),
                None => self.error("Unexpected end-of-input", 0),
            });
        };
        match byte {
            b'{' | b'[' => return self.bracket(byte),
            b'"' => self.string("VALUE_STRING")?,
            b'-' | b'0'..=b'9' => self.number()?,
            b'n' => self.literal("null")?,
            b't' => self.literal("true")?,
            b'f' => self.literal("false")?,
            b']' | b',' | b'}' if byte != b']' || self.open.last().is_some_and(|open| self.text[*open] == b'[') => {
                return Err(self.unexpected(byte, "expected a value"));
            }
            _ if is_identifier_start(byte) => return Err(self.invalid_token(self.at)),
            _ => return Err(self.unexpected(byte, &format!("expected a valid value {VALUES}"))),
        }
        Ok(false)
    }

    fn bracket(&mut self, bracket: u8) -> Result<bool, String> {
        if self.open.len() == MAX_DEPTH {
            let message = format!(
                "Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH}, from `StreamReadConstraints.getMaxNestingDepth()`)",
                MAX_DEPTH + 1
            );
            return Err(self.error(&message, 1));
        }
        self.open.push(self.at);
        self.at += 1;
        self.skip_whitespace();
        let closing = if bracket == b'{' { b'}' } else { b']' };
        if self.peek() == Some(closing) {
            self.at += 1;
            self.open.pop();
            return Ok(false);
        }
        if bracket == b'{' {
            self.name()?;
        }
        Ok(true)
    }

    fn name(&mut self) -> Checked {
        match self.peek() {
            Some(b'"') => self.string("field name")?,
            Some(byte) => return Err(self.unexpected(byte, "was expecting double-quote to start field name")),
            None => return Err(self.unclosed(self.open.last().copied().unwrap_or_default())),
        }
        self.skip_whitespace();
        match self.peek() {
            Some(b':') => self.at += 1,
            Some(byte) => return Err(self.unexpected(byte, "was expecting a colon to separate field name and value")),
            None => return Err(self.error("Unexpected end-of-input within/between Object entries", 0)),
        }
        Ok(())
    }

    fn string(&mut self, what: &str) -> Checked {
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.error(&format!("Unexpected end-of-input in {what}"), 0)),
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(byte @ 0..=0x1f) => {
                    let message = format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in string value",
                        described(byte)
                    );
                    return Err(self.error(&message, 1));
                }
                Some(0x20..=0x7f) => self.at += 1,
                Some(_) => self.multibyte()?,
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Checked {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    match self.peek() {
                        Some(byte) if byte.is_ascii_hexdigit() => self.at += 1,
                        Some(byte) => {
                            return Err(self.unexpected(byte, "expected a hex-digit for character escape sequence"));
                        }
                        None => return Err(self.error("Unexpected end-of-input in character escape sequence", 0)),
                    }
                }
            }
            Some(byte) => return Err(self.error(&format!("Unrecognized character escape {}", described(byte)), 1)),
            None => return Err(self.error("Unexpected end-of-input in character escape sequence", 0)),
        }
        Ok(())
    }

    fn multibyte(&mut self) -> Checked {
        let rest = &self.text[self.at..];
        let end = rest.len().min(4);
        let valid = match std::str::from_utf8(&rest[..end]) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).unwrap_or_default(),
        };
        if let Some(char) = valid.chars().next() {
            self.at += char.len_utf8();
            return Ok(());
        }
        let length = match rest[0] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            byte => return Err(self.error(&format!("Invalid UTF-8 start byte {byte:#x}"), 1)),
        };
        let wrong = (1..length).find(|&index| rest.get(index).is_none_or(|byte| byte & 0xc0 != 0x80));
        Err(match wrong {
            Some(index) if index < rest.len() => {
                self.error(&format!("Invalid UTF-8 middle byte {:#x}", rest[index]), index + 1)
            }
            Some(_) => self.error("Unexpected end-of-input in VALUE_STRING", rest.len()),
            // A sequence that UTF-8 excludes: overlong, or half of a surrogate pair.
            None => self.error(&format!("Invalid UTF-8 start byte {:#x}", rest[0]), 1),
        })
    }

    fn number(&mut self) -> Checked {
        let is_negative = self.peek() == Some(b'-');
        self.at += usize::from(is_negative);
        let (start, leads_with_zero) = (self.at, self.peek() == Some(b'0'));
        self.digits(match is_negative {
            true => "expected digit (0-9) to follow minus sign, for valid numeric value",
            false => "expected digit",
        })?;
        if leads_with_zero && self.at - start > 1 {
            self.at = start + 1;
            return Err(self.error("Invalid numeric value: Leading zeroes not allowed", 1));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("Decimal point not followed by a digit")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("Exponent indicator not followed by a digit")?;
        }
        Ok(())
    }

    fn digits(&mut self, comment: &str) -> Checked {
        match self.peek() {
            Some(byte) if byte.is_ascii_digit() => {}
            Some(byte) => {
                let message = format!("Unexpected character ({}) in numeric value: {comment}", described(byte));
                return Err(self.error(&message, 0));
            }
            None => return Err(self.error("Unexpected end-of-input in numeric value", 0)),
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Checked {
        let rest = &self.text[self.at..];
        let is_whole = rest.get(word.len()).is_none_or(|byte| !is_identifier_part(*byte));
        if !rest.starts_with(word.as_bytes()) || !is_whole {
            return Err(self.invalid_token(self.at));
        }
        self.at += word.len();
        Ok(())
    }

    /// A word that is not a literal. Jackson decodes it to show it.
    fn invalid_token(&mut self, start: usize) -> String {
        self.at = start + 1;
        while let Some(byte) = self.peek() {
            if byte >= 0x80
                && let Err(error) = self.multibyte()
            {
                return error;
            }
            if byte < 0x80 {
                self.at += 1;
                if !is_identifier_part(byte) {
                    self.at -= 1;
                    break;
                }
            }
        }
        let token = String::from_utf8_lossy(&self.text[start..self.at]).into_owned();
        let past = usize::from(self.at < self.text.len());
        self.error(&format!("Unrecognized token '{token}': was expecting {VALUES}"), past)
    }

    fn unexpected(&self, byte: u8, comment: &str) -> String {
        self.error(&format!("Unexpected character ({}): {comment}", described(byte)), 0)
    }

    fn unclosed(&self, bracket: usize) -> String {
        let kind = if self.text[bracket] == b'{' { "Object" } else { "Array" };
        let start = self.location(bracket);
        self.error(&format!("Unexpected end-of-input: expected close marker for {kind} (start marker at {start})"), 0)
    }

    /// A message with the location of the byte `ahead` bytes after the next one.
    fn error(&self, message: &str, ahead: usize) -> String {
        format!("{message}\n at {}", self.location(self.at + ahead))
    }

    fn location(&self, offset: usize) -> String {
        let before = &self.text[..offset.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let row = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let column = offset - row + 1;
        format!(
            "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
        )
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_whitespace(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }
}

/// Formats a byte like Java's `char`.
fn described(byte: u8) -> String {
    if char::from(byte).is_control() {
        format!("(CTRL-CHAR, code {byte})")
    } else {
        format!("'{}' (code {byte})", char::from(byte))
    }
}

fn is_identifier_start(byte: u8) -> bool {
    char::from(byte).is_alphabetic() || b"_$".contains(&byte)
}

fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit()
}

#[cfg(test)]
mod tests;
