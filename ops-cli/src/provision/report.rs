//! Renders a plan: its field changes for people, its steps for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::desired::DesiredPath;
use super::kind::NONE;
use super::plan::{Plan, UntaggedPart};
use super::setting::Part;
use super::step::{Action, Change, StepDescription, part_name};
use crate::output::{Render, counted};

/// A plan, or the plan that was carried out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    region: String,
    account: String,
    stream: String,
    function: String,
    log_group: String,
    /// The steps that were done, or that would be done.
    steps: Vec<ReportedStep>,
    /// Parts that are used and never changed, because they do not carry our tags.
    untouched: Vec<UntaggedPart>,
    warnings: Vec<String>,
    dry_run: bool,
}

#[derive(Serialize)]
struct ReportedStep {
    step: String,
    #[serde(skip)]
    part: Part,
    #[serde(rename = "part")]
    name: String,
    #[serde(skip)]
    action: Action,
    changes: Vec<Change>,
}

impl PlanReport {
    pub fn new(desired: &DesiredPath, plan: &Plan, dry_run: bool) -> Self {
        let steps = plan.steps.iter().map(|step| ReportedStep {
            step: StepDescription(step, desired).to_string(),
            part: step.part,
            name: part_name(step.part, desired),
            action: step.action,
            changes: step.changes.clone(),
        });
        Self {
            region: desired.location.region.clone(),
            account: desired.location.account_id.clone(),
            stream: desired.names.stream().to_owned(),
            function: desired.names.function().to_owned(),
            log_group: desired.names.log_group().to_owned(),
            steps: steps.collect(),
            untouched: plan.untagged.clone(),
            warnings: plan.warnings.clone(),
            dry_run,
        }
    }

    fn path(&self) -> String {
        format!("{} → {} → {}", self.stream, self.function, self.log_group)
    }

    fn show_part(&self, to: &mut dyn Write, part: Part) -> io::Result<()> {
        let steps = || self.steps.iter().filter(move |step| step.part == part);
        let Some(first) = steps().next() else { return Ok(()) };
        let is_new = steps().any(|step| step.action == Action::Create);
        writeln!(to, "{} {}", if is_new { "+" } else { "~" }, first.name)?;
        for step in steps() {
            if step.action == Action::Await {
                writeln!(to, "~   wait until the change in progress has ended")?;
            }
            for change in step.changes.iter().flat_map(by_statement) {
                show_change(to, &change, is_new)?;
            }
        }
        Ok(())
    }
}

/// A change of a policy as one change for each statement that differs, by its Sid; another change as it is.
fn by_statement(change: &Change) -> Vec<Change> {
    let statements = |policy: Option<&Value>| -> BTreeMap<String, Value> {
        let statements = policy.and_then(|policy| policy["Statement"].as_array()).into_iter().flatten();
        statements.map(|it| (it["Sid"].as_str().unwrap_or_default().to_owned(), described(it).into())).collect()
    };
    let (old, new) = (statements(change.old.as_ref()), statements(Some(&change.new)));
    if old.is_empty() && new.is_empty() {
        return vec![change.clone()];
    }
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    names
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| Change {
            field: format!("{}.{name}", change.field),
            old: old.get(name).cloned(),
            new: new.get(name).cloned().unwrap_or(Value::Null),
            asks: None,
        })
        .collect()
}

/// A statement in words: `logs:PutLogEvents on arn:…`.
fn described(statement: &Value) -> String {
    let list = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        value => shown(value),
    };
    format!("{} on {}", list(&statement["Action"]), list(&statement["Resource"]))
}

fn show_change(to: &mut dyn Write, change: &Change, is_new: bool) -> io::Result<()> {
    let Change { field, old, new, asks } = change;
    // The value of a variable or a tag is any text.
    let is_text = ["environment.", "tags."].iter().any(|map| field.starts_with(map));
    let is_removed = |value: &Value| value.is_null() || !is_text && value == NONE;
    let (mark, values) = match old {
        None => ("+", shown(new)),
        Some(old) if is_removed(new) => ("-", shown(old)),
        Some(old) => ("~", format!("{} → {}", shown(old), shown(new))),
    };
    let mark = if is_new { "+" } else { mark };
    match asks {
        Some(reason) => writeln!(to, "{mark}   {field:<24} {values}   (asks: {reason})"),
        None => writeln!(to, "{mark}   {field:<24} {values}"),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

impl Render for PlanReport {
    const HEADINGS: &'static [&'static str] = &["+", "~", "-"];

    fn text(&self, to: &mut dyn Write) -> io::Result<()> {
        for UntaggedPart(name) in &self.untouched {
            writeln!(to, "{name} does not carry our tags, so it is used and not changed")?;
        }
        if self.steps.is_empty() {
            return writeln!(to, "nothing to do: {}", self.path());
        }
        if !self.dry_run {
            return writeln!(to, "ready: {}", self.path());
        }
        for part in Part::ALL {
            self.show_part(to, part)?;
        }
        writeln!(to, "{} to do", counted(self.steps.len() as u64, "step"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_shown_statement_by_statement() {
        let statement =
            |sid: &str, resource: Value| json!({ "Sid": sid, "Action": ["a:b", "a:c"], "Resource": resource });
        let policy = |statements: Vec<Value>| json!({ "Version": "2012-10-17", "Statement": statements });
        let shown = |old: Option<Value>, new: Value| {
            let mut text = Vec::new();
            let change = Change { field: "inline-policy".into(), old, new, asks: None };
            by_statement(&change).iter().for_each(|change| show_change(&mut text, change, false).unwrap());
            String::from_utf8(text).unwrap()
        };
        let (same, before) = (statement("Same", json!("r")), statement("Old", json!(["r", "s"])));
        let changed = shown(
            Some(policy(vec![same.clone(), before, statement("Changed", json!("r"))])),
            policy(vec![same.clone(), statement("Changed", json!("s")), statement("New", json!("t"))]),
        );
        let expected = [
            "~   inline-policy.Changed    a:b, a:c on r → a:b, a:c on s",
            "-   inline-policy.Old        a:b, a:c on r, s",
            "+   inline-policy.New        a:b, a:c on t",
        ];
        assert_eq!(changed.lines().collect::<Vec<_>>(), expected);
        assert_eq!(shown(Some(json!(NONE)), policy(vec![same])), "+   inline-policy.Same       a:b, a:c on r\n");
    }
}
