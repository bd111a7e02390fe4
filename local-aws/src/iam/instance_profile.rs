//! An instance profile in its stored form and in responses.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::role::Role;
use super::tags::write_tags;
use crate::operation::Xml;

#[derive(Serialize, Deserialize)]
pub struct InstanceProfile {
    pub name: String,
    pub path: String,
    pub id: String,
    pub arn: String,
    pub created: Timestamp,
    /// The profile's role. A profile has at most one.
    pub role: Option<String>,
    pub tags: BTreeMap<String, String>,
}

impl InstanceProfile {
    pub fn write(&self, roles: &BTreeMap<String, Role>, xml: &mut Xml) {
        xml.text("Path", &self.path);
        xml.text("InstanceProfileName", &self.name);
        xml.text("InstanceProfileId", &self.id);
        xml.text("Arn", &self.arn);
        xml.time("CreateDate", self.created);
        let role = self.role.as_ref().and_then(|role| roles.get(role));
        xml.list("Roles", role, |xml, role| role.write(xml));
        if !self.tags.is_empty() {
            write_tags(&self.tags, xml);
        }
    }
}
