//! Fast path: parses a record using the previous record as a template. The records of a batch differ in a few values, and
//! the text between these values is the same.

use super::record::Fields;
use crate::json::{self, Value};

/// A field whose value differs from record to record.
#[derive(Debug, Clone, Copy)]
enum VariableField {
    SequenceNumber,
    PartitionKey,
    Arrival,
    Data,
    EventId,
}

impl VariableField {
    const ALL: [Self; 5] = [Self::SequenceNumber, Self::PartitionKey, Self::Arrival, Self::Data, Self::EventId];

    fn value<'f, 'a>(self, fields: &'f mut Fields<'a>) -> &'f mut Option<Value<'a>> {
        match self {
            Self::SequenceNumber => &mut fields.sequence_number,
            Self::PartitionKey => &mut fields.partition_key,
            Self::Arrival => &mut fields.arrival,
            Self::Data => &mut fields.data,
            Self::EventId => &mut fields.event_id,
        }
    }

    /// Returns the length of the value at the beginning of `text`, if it has the usual form: a number, or a string without
    /// escapes.
    fn length(self, text: &str) -> Option<usize> {
        match self {
            Self::Arrival => json::number_length(text),
            Self::Data => json::long_string(text).map(|inside| inside.len() + 2),
            _ => json::plain_string_length(text),
        }
    }
}

/// A record, as the text around its variable values.
#[derive(Debug)]
pub(super) struct Template<'a> {
    fields: Fields<'a>,
    /// The variable values in the order of their positions, each with the text before it.
    variables: [Option<(&'a str, VariableField)>; VariableField::ALL.len()],
    suffix: &'a str,
}

impl<'a> Template<'a> {
    /// Creates a template from a record that was read at the beginning of `text`. A value without the usual form becomes part
    /// of the fixed text.
    pub(super) fn new(mut fields: Fields<'a>, text: &'a str) -> Self {
        let mut positions = VariableField::ALL.map(|field| {
            let start = field.value(&mut fields).as_ref()?.offset_in(text);
            Some((start, field.length(&text[start..])?, field))
        });
        positions.sort_unstable_by_key(|position| position.map(|(start, ..)| start));
        let mut end = 0;
        let mut variables = [None; VariableField::ALL.len()];
        for (variable, (start, length, field)) in variables.iter_mut().zip(positions.into_iter().flatten()) {
            *variable = Some((&text[end..start], field));
            end = start + length;
        }
        Self { suffix: &text[end..fields.raw.len()], fields, variables }
    }

    /// Reads the record at the beginning of `text`, if it matches the template.
    pub(super) fn read(&self, text: &'a str) -> Option<Fields<'a>> {
        let mut fields = self.fields.clone();
        let mut rest = text;
        for &(before, field) in self.variables.iter().flatten() {
            rest = rest.strip_prefix(before)?;
            let length = field.length(rest)?;
            *field.value(&mut fields) = Some(Value::new(rest));
            if let VariableField::Data = field {
                fields.encoded = Some(&rest[1..length - 1]);
            }
            rest = &rest[length..];
        }
        rest = rest.strip_prefix(self.suffix)?;
        fields.raw = &text[..text.len() - rest.len()];
        Some(fields)
    }
}
