//! Tags of roles.

use std::collections::BTreeMap;

use crate::error::AwsError;

use super::Identity;
use super::page::Page;
use super::parameters::{Parameters, validation_error};
use super::roles::find;
use super::xml::Xml;

/// The most tags a role may carry.
const MAX_TAGS: usize = 50;

impl Identity {
    pub(super) fn tag_role(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let name = parameters.role_name()?;
        let tags = read_tags(parameters);
        check_tags(&tags)?;
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        let mut tagged = role.tags.clone();
        tagged.extend(tags);
        check_tags(&tagged)?;
        role.tags = tagged;
        self.keep(role);
        Ok(())
    }

    pub(super) fn untag_role(&self, parameters: &Parameters<'_>) -> Result<(), AwsError> {
        let name = parameters.role_name()?;
        let keys = parameters.list("TagKeys", |key| parameters.get(key));
        let mut roles = self.roles();
        let role = find(&mut roles, name)?;
        role.tags.retain(|key, _| !keys.contains(&key.as_str()));
        self.keep(role);
        Ok(())
    }

    pub(super) fn list_role_tags(&self, parameters: &Parameters<'_>) -> Result<Xml, AwsError> {
        let name = parameters.role_name()?;
        let mut roles = self.roles();
        let page = Page::of(find(&mut roles, name)?.tags.iter(), parameters, |(key, _)| key)?;
        let mut result = Xml::default();
        page.write("Tags", &mut result, write_tag);
        Ok(result)
    }
}

/// `Tags.member.1.Key` and `Tags.member.1.Value`, and so on.
pub(super) fn read_tags(parameters: &Parameters<'_>) -> BTreeMap<String, String> {
    let tags = parameters.list("Tags", |tag| {
        let key = parameters.get(&format!("{tag}.Key"))?;
        Some((key.to_owned(), parameters.get(&format!("{tag}.Value")).unwrap_or_default().to_owned()))
    });
    tags.into_iter().collect()
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    let allowed = |text: &str| text.chars().all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c));
    if tags.len() > MAX_TAGS {
        let text = format!("The number of tags has reached the maximum limit of {MAX_TAGS}.");
        return Err(AwsError::new(409, "LimitExceeded", text));
    }
    for (key, value) in tags {
        if !(1..=128).contains(&key.chars().count()) || !allowed(key) {
            return Err(validation_error(format!(
                "The tag key '{key}' is not 1 to 128 letters, digits, blanks and _.:/=+-@"
            )));
        }
        if value.chars().count() > 256 || !allowed(value) {
            return Err(validation_error(format!(
                "The tag value '{value}' is not up to 256 letters, digits, blanks and _.:/=+-@"
            )));
        }
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(AwsError::bad_request(
                "InvalidInput",
                "Tag keys beginning with aws: are reserved for system use.",
            ));
        }
    }
    Ok(())
}

pub(super) fn write_tags(tags: &BTreeMap<String, String>, xml: &mut Xml) {
    xml.list("Tags", tags, write_tag);
}

fn write_tag(xml: &mut Xml, (key, value): (&String, &String)) {
    xml.text("Key", key);
    xml.text("Value", value);
}
