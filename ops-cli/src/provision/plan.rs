//! Plans the steps from the observed path to the desired path. Pure, so that `plan` prints exactly the value that `provision`
//! executes.

mod alias;
mod warnings;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::desired::DesiredPath;
use super::fields::Fields;
use super::observed::{OPEN_SHARDS, ObservedPart, ObservedPath, PartState};
use super::rules;
use super::setting::{Call, Part, SetBy, Setting};
use super::step::{Action, Change, Step, part_name};
use crate::error::{Error, Result};

/// The description of a part that exists without our tags, and is used without changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UntaggedPart(pub String);

/// The steps in their order, the parts that they never change, and the values of each part after the last step.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub untagged: Vec<UntaggedPart>,
    pub targets: BTreeMap<Part, Fields>,
    pub warnings: Vec<String>,
}

impl Plan {
    /// The changes that cost or lose something, with the parts that they concern.
    pub fn asking(&self) -> impl Iterator<Item = (Part, &Change, &'static str)> {
        self.steps
            .iter()
            .flat_map(|step| step.changes.iter().filter_map(|change| Some((step.part, change, change.asks?))))
    }
}

pub fn plan(desired: &DesiredPath, observed: &ObservedPath) -> Result<Plan> {
    let targets = desired.targets(observed);
    rules::check(&targets, &desired.requested)?;
    let mut plan = Plan { steps: Vec::new(), untagged: Vec::new(), targets, warnings: Vec::new() };
    for part in Part::ALL {
        let target = plan.targets.get(&part).cloned().unwrap_or_default();
        match observed.part(part) {
            None if part == Part::Function && desired.zip.is_none() => return Err(no_code(desired)),
            None => create(&mut plan, desired, part, &target),
            Some(existing) if !existing.is_ours => use_untagged(&mut plan, desired, part, existing)?,
            Some(existing) => update(&mut plan, desired, part, existing, &target)?,
        }
        if part == Part::Function {
            plan.steps.extend(alias::step(desired, observed, &plan));
        }
    }
    alias::ask_before_other_code(observed, &mut plan);
    plan.warnings = warnings::of(desired, observed, &plan);
    Ok(plan)
}

fn no_code(desired: &DesiredPath) -> Error {
    Error::usage(format!("the function {} does not exist, and there is no code for it", desired.names.function()))
        .hint("give the function's zip with --zip FILE")
}

/// Plans the creation of a part: one request, and a call for each setting that the request cannot set.
fn create(plan: &mut Plan, desired: &DesiredPath, part: Part, target: &Fields) {
    let mut by_creation = Vec::new();
    let mut by_call: Vec<(Call, Vec<Change>)> = Vec::new();
    for (field, value) in target.iter().filter(|(_, value)| !is_unset(part, value)) {
        let change = Change { field: field.to_owned(), old: None, new: value.clone(), asks: None };
        match own_call(part, field) {
            Some(call) => add(&mut by_call, call, change),
            None => by_creation.push(change),
        }
    }
    by_creation.extend(tag_changes(desired, &BTreeMap::new()));
    plan.steps.push(Step { part, action: Action::Create, changes: by_creation });
    plan.steps.extend(by_call.into_iter().map(|(call, changes)| Step { part, action: Action::Call(call), changes }));
}

/// The call that sets a field of a new part, if the creation does not set it.
fn own_call(part: Part, field: &str) -> Option<Call> {
    match (part, field) {
        (Part::Role, _) => Some(Call::RolePolicy),
        _ => Setting::find(part, field).filter(|setting| setting.set_by == SetBy::OwnCall).map(|setting| setting.call),
    }
}

/// Whether a value is the same as no value.
fn is_unset(part: Part, value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Bool(is_set) => !is_set && part == Part::Role,
        value => value == super::kind::NONE,
    }
}

fn use_untagged(plan: &mut Plan, desired: &DesiredPath, part: Part, existing: &ObservedPart) -> Result<()> {
    let name = part_name(part, desired);
    if part == Part::Function {
        let message = format!("the {name} exists and does not carry our tags, so its code is not changed");
        let [application, stage] = desired.names.tags().map(|(key, value)| format!("{key}={value}"));
        return Err(Error::failed(message).hint(format!(
            "choose another name with --app, --stage or --function, or give it the tags {application} and {stage}"
        )));
    }
    check_state(plan, part, &name, existing)?;
    plan.untagged.push(UntaggedPart(name));
    Ok(())
}

fn check_state(plan: &mut Plan, part: Part, name: &str, existing: &ObservedPart) -> Result<()> {
    match &existing.state {
        PartState::Ready => {}
        PartState::Changing(_) => plan.steps.push(Step { part, action: Action::Await, changes: Vec::new() }),
        PartState::Deleting => {
            return Err(Error::failed(format!("the {name} is being deleted"))
                .hint("run the same command again when it is deleted"));
        }
        PartState::Failed(reason) => {
            return Err(Error::failed(format!("the {name} has failed: {reason}"))
                .hint("delete it with `ops-cli teardown`, and run provision again"));
        }
    }
    Ok(())
}

fn update(plan: &mut Plan, desired: &DesiredPath, part: Part, existing: &ObservedPart, target: &Fields) -> Result<()> {
    let name = part_name(part, desired);
    check_state(plan, part, &name, existing)?;
    let tags = tag_changes(desired, &existing.tags);
    if !tags.is_empty() {
        plan.steps.push(Step { part, action: Action::Tag, changes: tags });
    }
    let mut code = Vec::new();
    let mut by_call: Vec<(Call, Vec<Change>)> = Vec::new();
    for (field, new) in target.iter() {
        for change in changes(part, field, existing.fields.get(field), new) {
            // An empty log group has nothing to lose.
            let asks = change.asks.filter(|_| field != "retention-days" || existing.stored_bytes != Some(0));
            let change = Change { asks, ..change };
            if (part, field) == (Part::Stream, "shards") {
                let open = existing.fields.get(OPEN_SHARDS).or(change.old.as_ref());
                rules::check_resharding(open.unwrap_or(&Value::Null), new)?;
            }
            match call_of(part, field) {
                Some(Call::Fixed) => return Err(fixed(&name, &change)),
                Some(call) => add(&mut by_call, call, change),
                None => code.push(change),
            }
        }
    }
    if !code.is_empty() {
        plan.steps.push(Step { part, action: Action::UpdateCode, changes: code });
    }
    order_stream_calls(&mut by_call, target);
    plan.steps.extend(by_call.into_iter().map(|(call, changes)| Step { part, action: Action::Call(call), changes }));
    Ok(())
}

/// A stream becomes on demand before it gets what only such a stream has, and loses that before it is provisioned again.
fn order_stream_calls(by_call: &mut [(Call, Vec<Change>)], target: &Fields) {
    let becomes_on_demand = target.text("shards").is_some();
    by_call.sort_by_key(|(call, _)| (*call == Call::Shards) != becomes_on_demand);
}

fn add(by_call: &mut Vec<(Call, Vec<Change>)>, call: Call, change: Change) {
    match by_call.iter_mut().find(|(other, _)| *other == call) {
        Some((_, changes)) => changes.push(change),
        None => by_call.push((call, vec![change])),
    }
}

/// The call that changes a field of an existing part; `None` for the function's code.
fn call_of(part: Part, field: &str) -> Option<Call> {
    match (part, field) {
        (Part::Function, "code" | "architecture") => None,
        (Part::Function, "role" | "log-group") => Some(Call::FunctionConfiguration),
        (Part::Mapping, "function") => Some(Call::Mapping),
        (Part::Role, _) => Some(Call::RolePolicy),
        _ => Some(Setting::find(part, field).map_or(Call::Fixed, |setting| setting.call)),
    }
}

/// The changes of one field. A map is compared member by member.
fn changes(part: Part, field: &str, old: Option<&Value>, new: &Value) -> Vec<Change> {
    if let (Value::Object(new), true) = (new, field == "environment") {
        let none = serde_json::Map::new();
        let old = old.and_then(Value::as_object).unwrap_or(&none);
        let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
        let differing = names.filter(|name| old.get(*name) != new.get(*name));
        return differing
            .map(|name| Change {
                field: format!("{field}.{name}"),
                old: old.get(name).cloned(),
                new: new.get(name).cloned().unwrap_or(Value::Null),
                asks: (!new.contains_key(name)).then_some("the variable is removed"),
            })
            .collect();
    }
    if old == Some(new) || old.is_none() && is_unset(part, new) {
        return Vec::new();
    }
    let asks = match (part, field, old) {
        (_, _, None) => None,
        (Part::Function, "role", _) => Some("the function gets another role, with other permissions"),
        (_, _, Some(old)) => Setting::find(part, field).and_then(|setting| (setting.cost)(old, new)),
    };
    vec![Change { field: field.to_owned(), old: old.cloned(), new: new.clone(), asks }]
}

fn tag_changes(desired: &DesiredPath, existing: &BTreeMap<String, String>) -> Vec<Change> {
    let tags = desired.all_tags().into_iter().filter(|(key, value)| existing.get(key) != Some(value));
    tags.map(|(key, value)| Change {
        old: existing.get(&key).map(|value| value.clone().into()),
        field: format!("tags.{key}"),
        new: value.into(),
        asks: None,
    })
    .collect()
}

fn fixed(name: &str, change: &Change) -> Error {
    let Change { field, old, new, .. } = change;
    let old = old.as_ref().map(ToString::to_string).unwrap_or_default();
    Error::usage(format!("the {name} has {field} {old}, which is set only when it is created, but {new} is requested"))
        .hint(format!("leave {field} out, or delete the {name} first"))
}

#[cfg(test)]
mod tests;
