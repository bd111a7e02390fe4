//! Pages of lists: `MaxItems` and `Marker` in, `IsTruncated` and `Marker` out.

use serde::Deserialize;

use super::errors::validation_error;
use crate::error::AwsError;
use crate::operation::Xml;

/// The page that a request asks for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PageInput {
    marker: Option<String>,
    max_items: Option<usize>,
}

/// One page of a list.
pub(super) struct Page<T> {
    items: Vec<T>,
    /// The name of the last item, if there are more after it.
    marker: Option<String>,
}

impl<T> Page<T> {
    /// Selects one page of items that are sorted by `name`. A marker is the name of the last item of the previous page in
    /// hexadecimal digits, so that it cannot be mistaken for a name.
    pub(super) fn of(
        items: impl Iterator<Item = T>,
        input: &PageInput,
        name: impl Fn(&T) -> &str,
    ) -> Result<Self, AwsError> {
        let size = input.max_items.unwrap_or(100);
        let after = input.marker.as_deref().map(decode).transpose()?;
        let mut items = items.skip_while(|item| after.as_deref().is_some_and(|after| name(item) <= after)).peekable();
        let page: Vec<T> = items.by_ref().take(size).collect();
        let marker = page.last().filter(|_| items.peek().is_some()).map(|last| encode(name(last)));
        Ok(Self { items: page, marker })
    }

    /// Writes the page as the list `list`, and whether there are more items.
    pub(super) fn write(self, list: &str, xml: &mut Xml, write: impl Fn(&mut Xml, T)) {
        xml.list(list, self.items, write);
        xml.text("IsTruncated", if self.marker.is_some() { "true" } else { "false" });
        if let Some(marker) = &self.marker {
            xml.text("Marker", marker);
        }
    }
}

fn encode(name: &str) -> String {
    name.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(marker: &str) -> Result<String, AwsError> {
    let pairs = marker.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect::<Option<_>>();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| validation_error(format!("Invalid Marker: {marker}")))
}
