//! The parameters of each action with their constraints: botocore's service model `iam` 2010-05-08. Every request is
//! checked against it before its action runs.

use super::errors::validation_error;
use crate::error::AwsError;
use crate::operation::Parameters;

const MAX_TAGS: usize = 50;

struct Parameter {
    name: &'static str,
    is_required: bool,
    shape: &'static Shape,
}

enum Shape {
    Text(Text),
    Number {
        least: i64,
        most: i64,
    },
    Boolean,
    OneOf(&'static [&'static str]),
    /// `NAME.member.1.Key` and `NAME.member.1.Value`, and so on.
    Tags,
    /// `NAME.member.1`, and so on.
    TagKeys,
}

struct Text {
    least: usize,
    most: usize,
    pattern: Pattern,
}

/// How a value of the wrong characters is reported.
enum Pattern {
    None,
    /// With the others, by the regular expression.
    Regex(&'static str, fn(&str) -> bool),
    /// In a sentence of its own, which does not follow from the model.
    Sentence(&'static str, fn(&str) -> bool),
}

impl Pattern {
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::None => true,
            Self::Regex(_, matches) | Self::Sentence(_, matches) => matches(value),
        }
    }
}

const fn text(least: usize, most: usize, pattern: Pattern) -> Shape {
    Shape::Text(Text { least, most, pattern })
}

const NAME: &str = "It must contain only alphanumeric characters and/or the following: +=,.@_-";
const PATH: &str = "It must begin and end with / and contain only alphanumeric characters and/or / characters.";
const ROLE_NAME: &Shape = &text(1, 64, Pattern::Sentence(NAME, is_name));
const POLICY_NAME: &Shape = &text(1, 128, Pattern::Sentence(NAME, is_name));
const PROFILE_NAME: &Shape = &text(1, 128, Pattern::Sentence(NAME, is_name));
const ARN: &Shape = &text(20, 2048, Pattern::None);
const ROLE_PATH: &Shape = &text(1, 512, Pattern::Sentence(PATH, is_path));
const PATH_PREFIX: &Shape = &text(1, 512, Pattern::Regex(r"\u002F[\u0021-\u007F]*", is_path_prefix));
const POLICY_PATH: &Shape = &text(1, 512, Pattern::Regex(r"((/[A-Za-z0-9\.,\+@=_-]+)*)/", is_policy_path));
const DOCUMENT: &Shape = &text(1, 131_072, Pattern::Regex(r"[\u0009\u000A\u000D\u0020-\u00FF]+", is_document));
const DESCRIPTION: &Shape =
    &text(0, 1000, Pattern::Regex(r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*", is_description));
const MARKER: &Shape = &text(
    1,
    320,
    Pattern::Regex(r"[\u0020-\u00FF]+", |value| value.chars().all(|c| ('\u{20}'..='\u{ff}').contains(&c))),
);
const TAG_KEY: &Text =
    &Text { least: 1, most: 128, pattern: Pattern::Regex(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+", is_tag_text) };
const TAG_VALUE: &Text =
    &Text { least: 0, most: 256, pattern: Pattern::Regex(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", is_tag_text) };
const SESSION: &Shape = &Shape::Number { least: 3600, most: 43_200 };
const SIGNIN_SESSION: &Shape = &Shape::Number { least: 3600, most: 7_776_000 };

const fn required(name: &'static str, shape: &'static Shape) -> Parameter {
    Parameter { name, is_required: true, shape }
}

const fn optional(name: &'static str, shape: &'static Shape) -> Parameter {
    Parameter { name, is_required: false, shape }
}

const ROLE: Parameter = required("RoleName", ROLE_NAME);
const POLICY: Parameter = required("PolicyName", POLICY_NAME);
const POLICY_ARN: Parameter = required("PolicyArn", ARN);
const PROFILE: Parameter = required("InstanceProfileName", PROFILE_NAME);
const MAX_ITEMS: Parameter = optional("MaxItems", &Shape::Number { least: 1, most: 1000 });
const FROM_MARKER: Parameter = optional("Marker", MARKER);

const ACTIONS: &[(&str, &[Parameter])] = &[
    ("AddRoleToInstanceProfile", &[PROFILE, ROLE]),
    ("AttachRolePolicy", &[ROLE, POLICY_ARN]),
    ("CreateInstanceProfile", &[PROFILE, optional("Path", ROLE_PATH), optional("Tags", &Shape::Tags)]),
    (
        "CreateRole",
        &[
            optional("Path", ROLE_PATH),
            ROLE,
            required("AssumeRolePolicyDocument", DOCUMENT),
            optional("Description", DESCRIPTION),
            optional("MaxSessionDuration", SESSION),
            optional("MaxSigninSessionDuration", SIGNIN_SESSION),
            optional("PermissionsBoundary", ARN),
            optional("Tags", &Shape::Tags),
        ],
    ),
    ("DeleteInstanceProfile", &[PROFILE]),
    ("DeleteRole", &[ROLE]),
    ("DeleteRolePermissionsBoundary", &[ROLE]),
    ("DeleteRolePolicy", &[ROLE, POLICY]),
    ("DetachRolePolicy", &[ROLE, POLICY_ARN]),
    ("GetInstanceProfile", &[PROFILE]),
    ("GetRole", &[ROLE]),
    ("GetRolePolicy", &[ROLE, POLICY]),
    ("ListAccountAliases", &[FROM_MARKER, MAX_ITEMS]),
    ("ListAttachedRolePolicies", &[ROLE, optional("PathPrefix", POLICY_PATH), FROM_MARKER, MAX_ITEMS]),
    ("ListInstanceProfileTags", &[PROFILE, FROM_MARKER, MAX_ITEMS]),
    ("ListInstanceProfiles", &[optional("PathPrefix", PATH_PREFIX), FROM_MARKER, MAX_ITEMS]),
    ("ListInstanceProfilesForRole", &[ROLE, FROM_MARKER, MAX_ITEMS]),
    (
        "ListPolicies",
        &[
            optional("Scope", &Shape::OneOf(&["All", "AWS", "Local"])),
            optional("OnlyAttached", &Shape::Boolean),
            optional("PathPrefix", POLICY_PATH),
            optional("PolicyUsageFilter", &Shape::OneOf(&["PermissionsPolicy", "PermissionsBoundary"])),
            FROM_MARKER,
            MAX_ITEMS,
        ],
    ),
    ("ListRolePolicies", &[ROLE, FROM_MARKER, MAX_ITEMS]),
    ("ListRoleTags", &[ROLE, FROM_MARKER, MAX_ITEMS]),
    ("ListRoles", &[optional("PathPrefix", PATH_PREFIX), FROM_MARKER, MAX_ITEMS]),
    ("PutRolePermissionsBoundary", &[ROLE, required("PermissionsBoundary", ARN)]),
    ("PutRolePolicy", &[ROLE, POLICY, required("PolicyDocument", DOCUMENT)]),
    ("RemoveRoleFromInstanceProfile", &[PROFILE, ROLE]),
    ("TagInstanceProfile", &[PROFILE, required("Tags", &Shape::Tags)]),
    ("TagRole", &[ROLE, required("Tags", &Shape::Tags)]),
    ("UntagInstanceProfile", &[PROFILE, required("TagKeys", &Shape::TagKeys)]),
    ("UntagRole", &[ROLE, required("TagKeys", &Shape::TagKeys)]),
    ("UpdateAssumeRolePolicy", &[ROLE, required("PolicyDocument", DOCUMENT)]),
    (
        "UpdateRole",
        &[
            ROLE,
            optional("Description", DESCRIPTION),
            optional("MaxSessionDuration", SESSION),
            optional("MaxSigninSessionDuration", SIGNIN_SESSION),
            optional("ResetMaxSigninSessionDuration", &Shape::Boolean),
        ],
    ),
    ("UpdateRoleDescription", &[ROLE, required("Description", DESCRIPTION)]),
];

/// Checks the parameters of a request for `action`.
///
/// # Errors
/// `MalformedInput` for a value of another type; `ValidationError` that names every broken constraint.
pub(super) fn check(action: &str, parameters: &Parameters<'_>) -> Result<(), AwsError> {
    let model = ACTIONS.iter().find(|(name, _)| *name == action).map_or(&[][..], |(_, model)| model);
    let mut broken = Broken::default();
    for Parameter { name, is_required, shape } in model {
        check_shape(&mut broken, parameters, name, *is_required, shape)?;
    }
    broken.finish()
}

fn check_shape(
    broken: &mut Broken,
    parameters: &Parameters<'_>,
    name: &'static str,
    is_required: bool,
    shape: &Shape,
) -> Result<(), AwsError> {
    let member = member(name);
    let value = match shape {
        Shape::Tags => {
            let tags = parameters.list(name, |tag| parameters.has(tag).then(|| tag.to_owned()));
            broken.list(&member, tags.len(), is_required);
            for (number, tag) in (1..).zip(&tags) {
                let part = |part: &str| parameters.get(&format!("{tag}.{part}"));
                broken.required_text(part("Key"), &format!("{member}.{number}.member.key"), TAG_KEY);
                broken.required_text(part("Value"), &format!("{member}.{number}.member.value"), TAG_VALUE);
            }
            return Ok(());
        }
        Shape::TagKeys => {
            let keys = parameters.list(name, |key| parameters.get(key));
            broken.list(&member, keys.len(), is_required);
            for (number, key) in (1..).zip(&keys) {
                broken.text(key, &format!("{member}.{number}.member"), TAG_KEY);
            }
            return Ok(());
        }
        _ => parameters.get(name),
    };
    let Some(value) = value else {
        broken.require(!is_required, "null", &member, "Member must not be null");
        return Ok(());
    };
    let is_malformed = || AwsError::bad_request("MalformedInput", format!("{name} is not what it should be: {value}"));
    match shape {
        Shape::Text(text) => broken.text(value, &member, text),
        Shape::Number { least, most } => {
            let number: i64 = value.parse().map_err(|_| is_malformed())?;
            let quoted = format!("'{value}'");
            let constraint = format!("Member must have value greater than or equal to {least}");
            broken.require(number >= *least, &quoted, &member, &constraint);
            let constraint = format!("Member must have value less than or equal to {most}");
            broken.require(number <= *most, &quoted, &member, &constraint);
        }
        Shape::Boolean if ["true", "false"].iter().any(|word| value.eq_ignore_ascii_case(word)) => {}
        Shape::Boolean => return Err(is_malformed()),
        Shape::OneOf(values) => {
            let constraint = format!("Member must satisfy enum value set: [{}]", values.join(", "));
            broken.require(values.contains(&value), &format!("'{value}'"), &member, &constraint);
        }
        Shape::Tags | Shape::TagKeys => {}
    }
    Ok(())
}

/// The constraints that a request breaks.
#[derive(Default)]
struct Broken {
    constraints: Vec<String>,
    sentence: Option<String>,
}

impl Broken {
    fn require(&mut self, holds: bool, value: &str, member: &str, constraint: &str) {
        if !holds {
            self.constraints.push(format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}"));
        }
    }

    fn list(&mut self, member: &str, length: usize, is_required: bool) {
        self.require(length > 0 || !is_required, "null", member, "Member must not be null");
        let constraint = format!("Member must have length less than or equal to {MAX_TAGS}");
        self.require(length <= MAX_TAGS, &format!("'[{length} members]'"), member, &constraint);
    }

    fn required_text(&mut self, value: Option<&str>, member: &str, text: &Text) {
        match value {
            Some(value) => self.text(value, member, text),
            None => self.require(false, "null", member, "Member must not be null"),
        }
    }

    fn text(&mut self, value: &str, member: &str, text: &Text) {
        let (quoted, length) = (format!("'{value}'"), value.chars().count());
        let constraint = format!("Member must have length less than or equal to {}", text.most);
        self.require(length <= text.most, &quoted, member, &constraint);
        let constraint = format!("Member must have length greater than or equal to {}", text.least);
        self.require(length >= text.least, &quoted, member, &constraint);
        // An empty value where some length is needed breaks that constraint, and no pattern.
        if length < text.least || text.pattern.matches(value) {
            return;
        }
        match text.pattern {
            Pattern::Regex(regex, _) => {
                let constraint = format!("Member must satisfy regular expression pattern: {regex}");
                self.require(false, &quoted, member, &constraint);
            }
            Pattern::Sentence(sentence, _) => {
                self.sentence.get_or_insert(format!("The specified value for {member} is invalid. {sentence}"));
            }
            Pattern::None => {}
        }
    }

    fn finish(self) -> Result<(), AwsError> {
        let count = self.constraints.len();
        let noun = if count == 1 { "error" } else { "errors" };
        match (count, self.sentence) {
            (0, None) => Ok(()),
            (0, Some(sentence)) => Err(validation_error(sentence)),
            _ => Err(validation_error(format!("{count} validation {noun} detected: {}", self.constraints.join("; ")))),
        }
    }
}

/// Parameters begin with a capital, members in messages do not.
fn member(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

fn is_name(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
}

fn is_path(value: &str) -> bool {
    value.starts_with('/') && value.ends_with('/') && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_path_prefix(value: &str) -> bool {
    value.starts_with('/') && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == 0x7f)
}

fn is_policy_path(value: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && is_name(part);
    match value.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest)) {
        Some("") => value == "/",
        Some(parts) => value.ends_with('/') && parts.split('/').all(is_part),
        None => false,
    }
}

fn is_document(value: &str) -> bool {
    value.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}'))
}

fn is_description(value: &str) -> bool {
    value.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}'))
}

/// Whether a text has only the characters of tags. Combining marks, which are alphabetic and not in `\p{L}`, are accepted too.
pub fn is_tag_text(value: &str) -> bool {
    let is_blank = |c: char| c.is_whitespace() && !c.is_control();
    value.chars().all(|c| c.is_alphanumeric() || is_blank(c) || "_.:/=+-@".contains(c))
}

#[cfg(test)]
mod tests;
