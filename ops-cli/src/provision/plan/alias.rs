//! Decides whether the alias moves to a new version.

use serde_json::{Value, json};

use super::Plan;
use crate::function::release::LATEST;
use crate::provision::desired::DesiredPath;
use crate::provision::fields::Fields;
use crate::provision::observed::{LiveVersion, ObservedPath};
use crate::provision::setting::{Call, Part};
use crate::provision::step::{Action, Change, Step};

/// The step that publishes a version and moves the alias to it: if the function changes, or if the version behind the alias lacks
/// something that is requested, because an earlier run was interrupted. A rollback stays as it is otherwise.
pub fn step(desired: &DesiredPath, observed: &ObservedPath, plan: &Plan) -> Option<Step> {
    if waits_for_deploy(desired, observed) {
        return None;
    }
    let is_changed = plan.steps.iter().any(|step| {
        let changes_version =
            matches!(step.action, Action::Create | Action::UpdateCode | Action::Call(Call::FunctionConfiguration));
        step.part == Part::Function && changes_version
    });
    let target = plan.targets.get(&Part::Function)?;
    let live = observed.live.as_ref();
    // An upload would change what an alias of `$LATEST` runs.
    let is_version = |live: &LiveVersion| live.version != LATEST;
    if !is_changed && live.is_some_and(|live| is_version(live) && has_all_requested(desired, target, live)) {
        return None;
    }
    let mut changes = vec![Change {
        field: "live".into(),
        old: live.map(|live| json!(format!("version {}", live.version))),
        new: json!("a new version"),
        asks: None,
    }];
    changes.extend(live.and_then(|live| other_code(desired, observed, live)));
    Some(Step { part: Part::Function, action: Action::MoveAlias, changes })
}

/// Whether the code that was uploaded last is not live, after a rollback or a check that failed, and is not to become live without a
/// check.
pub fn waits_for_deploy(desired: &DesiredPath, observed: &ObservedPath) -> bool {
    let newest = observed.part(Part::Function).and_then(|function| function.fields.get("code"));
    let live = observed.live.as_ref().and_then(|live| live.fields.get("code"));
    desired.keeps_code && live.is_some() && live != newest
}

/// Whether the live version has all requested values. The reserved concurrency belongs to the function, not to a version.
fn has_all_requested(desired: &DesiredPath, target: &Fields, live: &LiveVersion) -> bool {
    let is_requested = |field: &str| match field {
        "reserved-concurrency" => false,
        "role" | "log-group" => true,
        "code" | "architecture" => desired.zip.is_some(),
        "environment" if desired.replaces_environment => true,
        _ => desired.requested.get(Part::Function, field).is_some(),
    };
    target.iter().filter(|(field, _)| is_requested(field)).all(|(field, value)| match (field, live.fields.get(field)) {
        ("environment", Some(Value::Object(variables))) if !desired.replaces_environment => {
            let requested = desired.requested.get(Part::Function, field).and_then(Value::as_object);
            requested.into_iter().flatten().all(|(name, value)| variables.get(name) == Some(value))
        }
        (_, existing) => existing == Some(value),
    })
}

/// The change of the code that was not requested: after a rollback, the function's newest code is not the live code.
fn other_code(desired: &DesiredPath, observed: &ObservedPath, live: &LiveVersion) -> Option<Change> {
    let newest = observed.part(Part::Function)?.fields.get("code")?;
    let old = live.fields.get("code")?;
    (desired.zip.is_none() && old != newest).then(|| Change {
        field: "code".into(),
        old: Some(old.clone()),
        new: newest.clone(),
        asks: Some("the alias moves to the code that was uploaded last, which was rolled back, or did not pass the check of `deploy`"),
    })
}

/// Asks before the mapping moves to an alias that runs other code than it. Without a new version, the alias stays where it is.
pub fn ask_before_other_code(observed: &ObservedPath, plan: &mut Plan) {
    let Some(live) = observed.live.as_ref() else { return };
    if plan.steps.iter().any(|step| step.action == Action::MoveAlias) {
        return;
    }
    let newest = observed.part(Part::Function).and_then(|function| function.fields.get("code"));
    let runs_live_code = |function: &str| match function.split_once(':').map_or("", |(_, qualifier)| qualifier) {
        "" | LATEST => newest == live.fields.get("code"),
        qualifier => qualifier == live.version,
    };
    let of_mapping = plan.steps.iter_mut().filter(|step| step.part == Part::Mapping);
    for change in of_mapping.flat_map(|step| &mut step.changes).filter(|change| change.field == "function") {
        let old = change.old.as_ref().and_then(Value::as_str);
        if old.is_some_and(|function| !runs_live_code(function)) {
            change.asks = Some("the alias runs other code than the mapping does now");
        }
    }
}
