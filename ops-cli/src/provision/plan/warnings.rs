//! What a plan does not change, and what happens because of it.

use super::{Plan, Setting};
use crate::provision::desired::DesiredPath;
use crate::provision::fields::Fields;
use crate::provision::kind::NONE;
use crate::provision::observed::ObservedPath;
use crate::provision::plan::alias;
use crate::provision::policy;
use crate::provision::setting::{Part, SETTINGS};
use crate::provision::step::{Action, part_name};

pub fn of(desired: &DesiredPath, observed: &ObservedPath, plan: &Plan) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(mapping) = plan.targets.get(&Part::Mapping) {
        warnings.extend(failed_records(mapping));
        warnings.extend(disabled(mapping));
    }
    warnings.extend(repeated_records(observed, plan));
    if observed.part(Part::Role).is_none_or(|role| role.is_ours) {
        warnings.extend(policy::lacking(&desired.names, &desired.location, &plan.targets));
    }
    if alias::waits_for_deploy(desired, observed) {
        warnings.push(
            "the code that was uploaded last is not live, so the version that is live keeps its settings; `ops-cli deploy` makes a \
version with the new ones live"
                .to_owned(),
        );
    }
    warnings.extend(untagged(desired, observed));
    warnings
}

/// What happens to a record that the function cannot process, if nothing receives it.
fn failed_records(mapping: &Fields) -> Option<String> {
    if mapping.text("on-failure").is_some_and(|arn| arn != NONE) {
        return None;
    }
    let limit = |key| mapping.integer(key).filter(|value| *value >= 0);
    let fate = match (limit("retries"), limit("max-record-age")) {
        (None, None) => "blocks its shard until the record expires".to_owned(),
        (Some(retries), _) => format!("is lost after {retries} retries"),
        (None, Some(seconds)) => format!("is lost when it is {seconds} s old"),
    };
    Some(format!(
        "a record that the function cannot process {fate}, because the event source mapping has no on-failure destination; set one \
with --on-failure ARN"
    ))
}

fn disabled(mapping: &Fields) -> Option<String> {
    (mapping.bool("enabled") == Some(false)).then(|| {
        "the event source mapping is disabled, so that records are not logged; --enabled turns it on".to_owned()
    })
}

/// A new mapping of a stream that exists does not know what an earlier one has read.
fn repeated_records(observed: &ObservedPath, plan: &Plan) -> Option<String> {
    observed.part(Part::Stream)?;
    let creates = plan.steps.iter().any(|step| step.part == Part::Mapping && step.action == Action::Create);
    let is_from_the_oldest = plan.targets.get(&Part::Mapping)?.text("starting-position") == Some("TRIM_HORIZON");
    (creates && is_from_the_oldest).then(|| {
        "the stream exists already, and the new event source mapping starts at its oldest record: records that were logged before are \
logged again, unless you give --starting-position LATEST or AT_TIMESTAMP"
            .to_owned()
    })
}

/// The requested settings of parts that are used and never changed.
fn untagged(desired: &DesiredPath, observed: &ObservedPath) -> Vec<String> {
    let is_untagged = |part| observed.part(part).is_some_and(|existing| !existing.is_ours);
    let differs = |setting: &&Setting| {
        let requested = desired.requested.get(setting.part, setting.key);
        let existing = observed.part(setting.part).and_then(|part| part.fields.get(setting.key));
        requested.is_some() && requested != existing
    };
    let settings = SETTINGS.iter().filter(|setting| is_untagged(setting.part)).filter(differs);
    settings
        .map(|setting| {
            let part = part_name(setting.part, desired);
            format!("--{} has no effect, because the {part} does not carry our tags", setting.flag)
        })
        .collect()
}
