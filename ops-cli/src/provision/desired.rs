//! The path that is requested, and the values that each part would have after it was provisioned.

use std::collections::BTreeMap;

use kinesis_event_logger_core::names::{Location, Names};
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::kind::NONE;
use super::observed::ObservedPath;
use super::policy;
use super::setting::{Part, SETTINGS};
use crate::function::FunctionZip;
use crate::function::release::LIVE;

/// The managed policy that lets a function read streams and write logs.
/// <https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSLambdaKinesisExecutionRole.html>
pub const MANAGED_POLICY: &str = "service-role/AWSLambdaKinesisExecutionRole";
/// The beginning of the names of the role's inline policies. Roles are global, so that the paths of several regions share one, and
/// each has its own policy.
const INLINE_POLICY: &str = "kinesis-event-logger-";

/// Retries of a failed batch when there is an on-failure destination, which then receives it.
const RETRIES: i64 = 10;
/// Retries, or seconds of age, without an end.
const ENDLESS: i64 = -1;
/// Half of the default retention of a stream: a batch reaches the destination before its records expire.
const RECORD_AGE_SECONDS: i64 = 12 * 60 * 60;

/// The whole path. A setting that was not requested gets its default in a new part, and keeps its value in an existing part.
#[derive(Debug, Clone)]
pub struct DesiredPath {
    pub names: Names,
    pub location: Location,
    /// The function's code; `None` keeps the code.
    pub zip: Option<FunctionZip>,
    /// Whether an existing function keeps its code, which `deploy` changes.
    pub keeps_code: bool,
    /// The requested settings.
    pub requested: Requested,
    /// Tags in addition to ours.
    pub tags: BTreeMap<String, String>,
    /// Whether the function keeps only the requested environment variables.
    pub replaces_environment: bool,
}

/// The requested settings of all parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requested(BTreeMap<Part, Fields>);

impl Requested {
    pub fn set(&mut self, part: Part, key: &str, value: Value) {
        self.0.entry(part).or_default().set(key, value);
    }

    pub fn get(&self, part: Part, key: &str) -> Option<&Value> {
        self.0.get(&part)?.get(key)
    }
}

impl DesiredPath {
    /// A path for which no settings were requested.
    pub fn new(names: Names, location: Location, zip: Option<FunctionZip>) -> Self {
        let (requested, tags) = (Requested::default(), BTreeMap::new());
        Self { names, location, zip, keeps_code: false, requested, tags, replaces_environment: false }
    }

    /// All tags of a part: ours and the requested ones.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let ours = self.names.tags().map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.tags.clone().into_iter().chain(ours).collect()
    }

    /// The values that each part has after it was provisioned. Parts that are not ours keep theirs.
    pub fn targets(&self, observed: &ObservedPath) -> BTreeMap<Part, Fields> {
        let mut targets: BTreeMap<_, _> =
            Part::ALL.into_iter().map(|part| (part, self.target(part, observed))).collect();
        let role = observed.part(Part::Role);
        if role.is_none_or(|role| role.is_ours)
            && let Some(fields) = targets.get(&Part::Role)
        {
            let mut fields = fields.clone();
            let is_managed = fields.bool("managed-policy") == Some(true);
            let inline =
                if is_managed { json!(NONE) } else { policy::of_function(&self.names, &self.location, &targets) };
            fields.set("inline-policy", inline);
            targets.insert(Part::Role, fields);
        }
        targets
    }

    fn target(&self, part: Part, observed: &ObservedPath) -> Fields {
        let existing = observed.part(part);
        let mut fields = existing.map(|part| part.fields.clone()).unwrap_or_default();
        if existing.is_some_and(|part| !part.is_ours) {
            return fields;
        }
        for setting in SETTINGS.iter().filter(|setting| setting.part == part) {
            let default = existing.is_none().then(|| setting.default_value()).flatten();
            match self.requested.get(part, setting.key).cloned().or(default) {
                Some(Value::Object(variables)) => fields.set(setting.key, self.environment(&fields, variables)),
                Some(value) => fields.set(setting.key, value),
                None => {}
            }
        }
        match part {
            Part::LogGroup => self.finish_interrupted_log_group(&mut fields, observed),
            Part::Function => self.derive_function(&mut fields, observed),
            Part::Mapping => self.derive_mapping(&mut fields, observed),
            Part::Stream | Part::Role => {}
        }
        fields
    }

    fn environment(&self, fields: &Fields, requested: Map<String, Value>) -> Map<String, Value> {
        let existing = fields.members("environment").filter(|_| !self.replaces_environment).cloned();
        existing.unwrap_or_default().into_iter().chain(requested).collect()
    }

    /// An empty group without retention, and without the function, which is created after it, belongs to a run that was interrupted.
    /// Otherwise a person removed the retention.
    fn finish_interrupted_log_group(&self, fields: &mut Fields, observed: &ObservedPath) {
        let is_empty = observed.part(Part::LogGroup).is_some_and(|group| group.stored_bytes.unwrap_or(0) == 0);
        let is_endless = fields.integer("retention-days") == Some(0);
        let is_unfinished = is_empty && is_endless && observed.part(Part::Function).is_none();
        if is_unfinished && self.requested.get(Part::LogGroup, "retention-days").is_none() {
            fields.set_if_some("retention-days", default_of(Part::LogGroup, "retention-days"));
        }
    }

    fn derive_function(&self, fields: &mut Fields, observed: &ObservedPath) {
        let role = observed.part(Part::Role).map(|role| role.id.clone());
        fields.set("role", role.unwrap_or_else(|| self.names.role_arn(&self.location)));
        fields.set("log-group", self.names.log_group());
        if let Some(zip) = &self.zip {
            fields.set("code", zip.sha256.clone());
            fields.set("architecture", zip.architecture.as_str());
        }
        if self.replaces_environment && self.requested.get(Part::Function, "environment").is_none() {
            fields.set("environment", json!({}));
        }
    }

    /// Points the mapping to the alias. When it gets an on-failure destination, retries end, so that the destination gets its batches;
    /// when it loses the destination, they continue, so that no batch is lost. Retries that were set otherwise stay.
    fn derive_mapping(&self, fields: &mut Fields, observed: &ObservedPath) {
        fields.set("function", format!("{}:{LIVE}", self.names.function()));
        let has_destination =
            |fields: &Fields| fields.text("on-failure").is_some_and(|destination| destination != NONE);
        let had_destination = observed.part(Part::Mapping).is_some_and(|mapping| has_destination(&mapping.fields));
        let has_destination = has_destination(fields);
        if has_destination == had_destination {
            return;
        }
        for (key, limit) in [("retries", RETRIES), ("max-record-age", RECORD_AGE_SECONDS)] {
            let (old, new) = if has_destination { (ENDLESS, limit) } else { (limit, ENDLESS) };
            let is_derived = fields.integer(key).map_or(ENDLESS, i64::from) == old;
            if is_derived && self.requested.get(Part::Mapping, key).is_none() {
                fields.set(key, new);
            }
        }
    }
}

fn default_of(part: Part, key: &str) -> Option<Value> {
    super::setting::Setting::find(part, key)?.default_value()
}

/// The name of the inline policy for the path in this region.
pub fn inline_policy(location: &Location) -> String {
    format!("{INLINE_POLICY}{}", location.region)
}

/// The region for whose path an inline policy is; `None` for a policy that is not ours.
pub fn region_of_policy(name: &str) -> Option<&str> {
    name.strip_prefix(INLINE_POLICY)
}

/// The managed policy's ARN in the region's partition.
pub fn policy_arn(location: &Location) -> String {
    format!("arn:{}:iam::aws:policy/{MANAGED_POLICY}", location.partition())
}
