//! The part of the protobuf wire format that aggregates need (<https://protobuf.dev/programming-guides/encoding/>).

/// The error for bytes that are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InvalidMessage;

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A value of a wire type that no field of an aggregate has.
    Other,
}

/// Iterates over the fields of a message, each with its number. It ends after the first invalid field.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), InvalidMessage>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field().ok_or(InvalidMessage);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u32, Field<'a>)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let field = match key & 7 {
            0 => Field::Varint(self.varint()?),
            1 => self.take(8).map(|_| Field::Other)?,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Other)?,
            _ => return None,
        };
        (key >> 3 != 0).then_some((key >> 3, field))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// Reads seven bits per byte, the lowest first. The high bit is set if more bytes follow.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = u64::from(byte & 0x7F);
            value |= bits << shift;
            if byte < 0x80 {
                return (bits << shift >> shift == bits).then_some(value);
            }
        }
        None
    }
}

/// Appends a field whose value is a number.
pub(super) fn push_varint_field(out: &mut Vec<u8>, number: u32, value: u64) {
    push_varint(out, u64::from(number << 3));
    push_varint(out, value);
}

/// Appends a field whose value is bytes.
pub(super) fn push_bytes_field(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    push_length(out, number, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends the beginning of a field whose value has the length `bytes`.
pub(super) fn push_length(out: &mut Vec<u8>, number: u32, bytes: usize) {
    push_varint(out, u64::from(number << 3 | 2));
    push_varint(out, bytes as u64);
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Returns the encoded length of a number, in bytes.
pub(super) fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros()).div_ceil(7) as usize
}
