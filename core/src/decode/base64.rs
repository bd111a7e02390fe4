//! Base64 as Lambda writes it (RFC 4648 section 4, padded).

use std::fmt;

use thiserror::Error;

/// The reason why a text is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the text is {}", self.complement())]
#[non_exhaustive]
pub enum Base64Error {
    /// A character outside the alphabet, or padding before the end.
    Character {
        /// The character.
        character: char,
        /// The number of characters before it.
        position: usize,
    },
    /// A length that is not a multiple of 4.
    Length {
        /// The number of characters.
        length: usize,
    },
    /// Bits that remain after the last whole byte.
    TrailingBits,
}

impl Base64Error {
    /// The error without its subject, for messages that name the text: `kinesis.data is not base64: …`.
    pub(super) fn complement(self) -> impl fmt::Display {
        fmt::from_fn(move |f| match self {
            Self::Character { character, position } => {
                write!(f, "not base64: {character:?} at character {position}")
            }
            Self::Length { length } => write!(f, "not base64: {length} characters, not a multiple of 4"),
            Self::TrailingBits => f.write_str("not base64: the last group has bits left over"),
        })
    }
}

/// Decodes base64 into `buffer`, replacing its content.
///
/// # Errors
/// Returns the first [`Base64Error`] in the text.
pub(super) fn decode_base64<'b>(text: &str, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Base64Error> {
    buffer.clear();
    match base64_simd::STANDARD.decode_append(text, buffer) {
        Ok(()) => Ok(buffer),
        Err(_) => Err(find_error(text)),
    }
}

/// Finds the error, because the decoder does not report which one it is.
fn find_error(text: &str) -> Base64Error {
    let unpadded = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    let is_foreign =
        |&(_, character): &(usize, char)| !matches!(character, 'A'..='Z' | 'a'..='z' | '0'..='9' | '+' | '/');
    if let Some((position, character)) = unpadded.chars().enumerate().find(is_foreign) {
        return Base64Error::Character { character, position };
    }
    if !text.len().is_multiple_of(4) {
        return Base64Error::Length { length: text.len() };
    }
    Base64Error::TrailingBits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn errors_name_the_character_and_its_position() {
        let error = |text: &str| decode_base64(text, &mut Vec::new()).unwrap_err().to_string();
        assert_eq!(error("aGk*"), "the text is not base64: '*' at character 3");
        assert_eq!(error("é!"), "the text is not base64: 'é' at character 0");
        assert_eq!(error("aG=k"), "the text is not base64: '=' at character 2");
        assert_eq!(error("aGk=\n"), "the text is not base64: '=' at character 3");
        assert_eq!(error("aGk"), "the text is not base64: 3 characters, not a multiple of 4");
        assert_eq!(error("aGl="), "the text is not base64: the last group has bits left over");
        assert_eq!(error("===="), "the text is not base64: '=' at character 0");
    }

    proptest! {
        #[test]
        fn encoded_bytes_decode_to_themselves(bytes in prop::collection::vec(any::<u8>(), 0..200), before in prop::collection::vec(any::<u8>(), 0..9)) {
            let mut buffer = before;
            let encoded = base64_simd::STANDARD.encode_to_string(&bytes);
            prop_assert_eq!(decode_base64(&encoded, &mut buffer), Ok(bytes.as_slice()));
        }

        #[test]
        fn any_text_decodes_or_returns_an_error(text in "[A-Za-z0-9+/]{0,8}[=é*]{0,3}[A-Za-z0-9+/=]{0,5}") {
            let mut buffer = Vec::new();
            match decode_base64(&text, &mut buffer) {
                Ok(bytes) => prop_assert_eq!(base64_simd::STANDARD.encode_to_string(bytes), text),
                Err(Base64Error::TrailingBits) => prop_assert!(text.ends_with('=') && text.len().is_multiple_of(4)),
                Err(_) => {}
            }
        }
    }
}
