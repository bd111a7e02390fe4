//! Tags of roles and of instance profiles.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::AwsError;
use crate::operation::{Parameters, Xml};

use super::Iam;
use super::page::Page;
use super::roles::find;

/// The most tags that one of them may carry.
const MAX_TAGS: usize = 50;

impl Iam {
    pub(super) fn tag_role(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let name = parameters.required("RoleName");
        let tags = read_tags(parameters)?;
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        add(&mut role.tags, tags)?;
        self.keep(role);
        Ok(())
    }

    pub(super) fn untag_role(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let name = parameters.required("RoleName");
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        remove(&mut role.tags, parameters);
        self.keep(role);
        Ok(())
    }

    pub(super) fn list_role_tags(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.required("RoleName");
        let mut roles = self.roles();
        list(&find(&mut roles, name)?.tags, parameters)
    }
}

/// Removes the tags that a request names.
pub(super) fn remove(tags: &mut BTreeMap<String, String>, parameters: &Parameters<'_>) {
    let keys = parameters.list("TagKeys", |key| parameters.get(key).map(str::to_lowercase));
    tags.retain(|key, _| !keys.contains(&key.to_lowercase()));
}

/// The page of tags that a request asks for.
pub(super) fn list(tags: &BTreeMap<String, String>, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
    let page = Page::of(tags.iter(), parameters, |(key, _)| key)?;
    let mut result = Xml::default();
    page.write("Tags", &mut result, write_tag);
    Ok(result)
}

/// The tags of a request: `Tags.member.1.Key` and `Tags.member.1.Value`, and so on.
///
/// # Errors
/// `InvalidInput` for a key that is given twice or is AWS's own.
pub(super) fn read_tags(parameters: &Parameters<'_>) -> Result<BTreeMap<String, String>, AwsError> {
    let given = parameters.list("Tags", |tag| {
        let key = parameters.get(&format!("{tag}.Key"))?;
        Some((key, parameters.get(&format!("{tag}.Value")).unwrap_or_default()))
    });
    let invalid = |text| Err(AwsError::bad_request("InvalidInput", text));
    let mut tags = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for (key, value) in given {
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return invalid("Tag keys beginning with aws: are reserved for system use.");
        }
        if !keys.insert(key.to_lowercase()) {
            return invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(tags)
}

/// Adds tags. Keys are not distinguished by case: the new one replaces the other.
///
/// # Errors
/// `LimitExceeded`, and nothing is changed.
pub(super) fn add(tags: &mut BTreeMap<String, String>, new: BTreeMap<String, String>) -> Result<(), AwsError> {
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

pub(super) fn write_tags(tags: &BTreeMap<String, String>, xml: &mut Xml) {
    xml.list("Tags", tags, write_tag);
}

fn write_tag(xml: &mut Xml, (key, value): (&String, &String)) {
    xml.text("Key", key);
    xml.text("Value", value);
}
