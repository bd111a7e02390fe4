//! Tags of roles and of instance profiles.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::page::{Page, PageInput};
use crate::error::AwsError;
use crate::operation::Xml;

/// The most tags that a role or an instance profile can have.
const MAX_TAGS: usize = 50;

/// A tag of a request.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    value: String,
}

/// Validates the tags of a request.
///
/// # Errors
/// `InvalidInput` for a duplicate key or one that is reserved for AWS.
pub fn checked(given: Vec<Tag>) -> Result<BTreeMap<String, String>, AwsError> {
    let invalid = |text| Err(AwsError::bad_request("InvalidInput", text));
    let mut tags = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for Tag { key, value } in given {
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return invalid("Tag keys beginning with aws: are reserved for system use.");
        }
        if !keys.insert(key.to_lowercase()) {
            return invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
        }
        tags.insert(key, value);
    }
    Ok(tags)
}

/// Adds tags. Keys are not distinguished by case, so a new tag replaces one whose key differs only in case.
///
/// # Errors
/// `LimitExceeded`. Then nothing is changed.
pub fn add(tags: &mut BTreeMap<String, String>, new: BTreeMap<String, String>) -> Result<(), AwsError> {
    let is_replaced = |key: &String| new.keys().any(|other| other.to_lowercase() == key.to_lowercase());
    let mut merged: BTreeMap<_, _> =
        tags.iter().filter(|(key, _)| !is_replaced(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    merged.extend(new);
    if merged.len() > MAX_TAGS {
        let text = format!("The number of tags has reached the maximum limit of {MAX_TAGS}.");
        return Err(AwsError::new(409, "LimitExceeded", text));
    }
    *tags = merged;
    Ok(())
}

/// Removes the tags with these keys.
pub fn remove(tags: &mut BTreeMap<String, String>, keys: &[String]) {
    let keys: BTreeSet<String> = keys.iter().map(|key| key.to_lowercase()).collect();
    tags.retain(|key, _| !keys.contains(&key.to_lowercase()));
}

/// Writes the page of tags that a request asks for.
pub fn list(tags: &BTreeMap<String, String>, page: &PageInput) -> Result<Xml, AwsError> {
    let mut result = Xml::default();
    Page::of(tags.iter(), page, |(key, _)| key)?.write("Tags", &mut result, write_tag);
    Ok(result)
}

pub fn write_tags(tags: &BTreeMap<String, String>, xml: &mut Xml) {
    xml.list("Tags", tags, write_tag);
}

fn write_tag(xml: &mut Xml, (key, value): (&String, &String)) {
    xml.text("Key", key);
    xml.text("Value", value);
}
