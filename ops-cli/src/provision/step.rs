//! The steps of a plan, and the field changes that each of them makes.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::desired::DesiredPath;
use super::setting::{Call, Part};

/// A change of one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    pub field: String,
    /// `None` if the part, or the field, does not exist.
    pub old: Option<Value>,
    /// Null if a variable or a statement is removed.
    pub new: Value,
    /// What the change costs or loses, if it needs confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asks: Option<&'static str>,
}

/// A step: one change of a part, or a wait for a change that an earlier run started.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub part: Part,
    pub action: Action,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Waits for a change that is in progress.
    Await,
    Create,
    Tag,
    UpdateCode,
    Call(Call),
    /// Publishes a version, and points the alias to it. The mapping runs no other code and configuration.
    MoveAlias,
}

/// Describes a step and the part that it concerns.
pub struct StepDescription<'a>(pub &'a Step, pub &'a DesiredPath);

impl fmt::Display for StepDescription<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(step, desired) = self;
        let part = part_name(step.part, desired);
        match step.action {
            Action::Await => return write!(f, "wait for the {part}"),
            Action::Create => return write!(f, "create the {part}"),
            Action::Tag => write!(f, "tag the {part}")?,
            Action::UpdateCode => return write!(f, "update the code of the {part}"),
            Action::MoveAlias => return write!(f, "publish a version of the {part} and move its alias"),
            Action::Call(_) => write!(f, "change the {part}")?,
        }
        let fields: Vec<_> = step.changes.iter().map(|change| change.field.as_str()).collect();
        write!(f, ": {}", fields.join(", "))
    }
}

/// The part with its name: `stream orders-prod`.
pub fn part_name(part: Part, desired: &DesiredPath) -> String {
    let names = &desired.names;
    let noun = part.noun();
    match part {
        Part::Stream => format!("{noun} {}", names.stream()),
        Part::Role => format!("{noun} {}", names.role()),
        Part::LogGroup => format!("{noun} {}", names.log_group()),
        Part::Function => format!("{noun} {}", names.function()),
        Part::Mapping => format!("{noun} {} → {}", names.stream(), names.function()),
    }
}
