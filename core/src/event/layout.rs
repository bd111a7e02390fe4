//! Reading a record by the one before it: in a batch they differ in a few values, and what stands between those is the
//! same text, which need not be read again to know what it says.

use super::source_record::Fields;
use crate::json::{self, Value};

/// A field whose value differs from record to record.
#[derive(Debug, Clone, Copy)]
enum Open {
    SequenceNumber,
    PartitionKey,
    Arrival,
    Data,
    EventId,
}

impl Open {
    const ALL: [Self; 5] = [Self::SequenceNumber, Self::PartitionKey, Self::Arrival, Self::Data, Self::EventId];

    fn of<'f, 'a>(self, fields: &'f mut Fields<'a>) -> &'f mut Option<Value<'a>> {
        match self {
            Self::SequenceNumber => &mut fields.sequence_number,
            Self::PartitionKey => &mut fields.partition_key,
            Self::Arrival => &mut fields.arrival,
            Self::Data => &mut fields.data,
            Self::EventId => &mut fields.event_id,
        }
    }

    /// How long the value at the front of a text is, if it is as usual: a number, or a string without escapes.
    fn length(self, text: &str) -> Option<usize> {
        match self {
            Self::Arrival => json::number_length(text),
            Self::Data => json::long_string(text).map(|inside| inside.len() + 2),
            _ => json::plain_string_length(text),
        }
    }
}

/// How a record is written.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    fields: Fields<'a>,
    /// Which values are open, in the order of their places, and the text before each.
    open: [Option<(&'a str, Open)>; Open::ALL.len()],
    after: &'a str,
}

impl<'a> Layout<'a> {
    /// The layout of a record that was read at the front of `text`. A value that is not as usual counts as text that is
    /// the same in each.
    pub(super) fn of(mut fields: Fields<'a>, text: &'a str) -> Self {
        let mut places = Open::ALL.map(|field| {
            let start = field.of(&mut fields).as_ref()?.offset_in(text);
            Some((start, field.length(&text[start..])?, field))
        });
        places.sort_unstable_by_key(|place| place.map(|(start, ..)| start));
        let mut end = 0;
        let mut open = [None; Open::ALL.len()];
        for (place, (start, length, field)) in open.iter_mut().zip(places.into_iter().flatten()) {
            *place = Some((&text[end..start], field));
            end = start + length;
        }
        Self { after: &text[end..fields.raw.len()], fields, open }
    }

    /// Reads the record at the front of `text`, if it is written like this one.
    pub(super) fn read(&self, text: &'a str) -> Option<Fields<'a>> {
        let mut fields = self.fields.clone();
        let mut rest = text;
        for &(before, field) in self.open.iter().flatten() {
            rest = rest.strip_prefix(before)?;
            let length = field.length(rest)?;
            *field.of(&mut fields) = Some(Value::new(rest));
            if let Open::Data = field {
                fields.encoded = Some(&rest[1..length - 1]);
            }
            rest = &rest[length..];
        }
        rest = rest.strip_prefix(self.after)?;
        fields.raw = &text[..text.len() - rest.len()];
        Some(fields)
    }
}
