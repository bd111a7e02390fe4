//! A role in its stored form and in responses.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::tags::write_tags;
use crate::operation::Xml;

/// The characters that the URL encoding of policy documents leaves unchanged (RFC 3986).
const DOCUMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[derive(Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub path: String,
    pub id: String,
    pub arn: String,
    pub created: Timestamp,
    pub trust_policy: String,
    pub description: Option<String>,
    /// In seconds.
    pub max_session_duration: u32,
    pub permissions_boundary: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// The ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// Inline policies by name.
    pub inline: BTreeMap<String, String>,
}

impl Role {
    /// Writes the members that every response has.
    pub fn write(&self, xml: &mut Xml) {
        xml.text("Path", &self.path);
        xml.text("RoleName", &self.name);
        xml.text("RoleId", &self.id);
        xml.text("Arn", &self.arn);
        xml.time("CreateDate", self.created);
        xml.text("AssumeRolePolicyDocument", &encode_document(&self.trust_policy));
        if let Some(description) = &self.description {
            xml.text("Description", description);
        }
        xml.text("MaxSessionDuration", &self.max_session_duration.to_string());
        if let Some(arn) = &self.permissions_boundary {
            xml.element("PermissionsBoundary", |xml| {
                xml.text("PermissionsBoundaryType", "Policy");
                xml.text("PermissionsBoundaryArn", arn);
            });
        }
    }

    /// Writes the members of a response about a single role.
    pub fn write_with_tags(&self, xml: &mut Xml) {
        self.write(xml);
        if !self.tags.is_empty() {
            write_tags(&self.tags, xml);
        }
    }
}

/// Encodes a policy document as responses contain it.
pub fn encode_document(document: &str) -> String {
    utf8_percent_encode(document, DOCUMENT).to_string()
}

/// Generates an identifier: `prefix` and 17 letters and digits, as in IAM's unique identifiers.
pub fn unique_id(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = Uuid::new_v4().as_u128();
    let mut id = prefix.to_owned();
    for _ in 0..17 {
        id.push(char::from(LETTERS[(random % 32) as usize]));
        random /= 32;
    }
    id
}
