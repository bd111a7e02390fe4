//! Carries out a plan. Parts that do not depend on each other are changed concurrently; each step ends when the part that it created
//! or changed is usable.

mod calls;
mod function;
mod log_group;
mod mapping;
mod role;
mod stream;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::desired::DesiredPath;
use super::fields::Fields;
use super::observed::ObservedPath;
use super::plan::Plan;
use super::setting::{Call, Part};
use super::step::{Action, Change, Step, StepDescription};
use super::tags;
use crate::aws::Aws;
use crate::error::{Error, Result};
use crate::progress::{ProgressStep, note};
use crate::signals::interrupted;

/// The time limit for a part to become usable, which takes AWS minutes at most.
pub const DEADLINE: Duration = Duration::from_secs(300);

/// The result of a run that did not finish.
pub struct Failure {
    pub error: Error,
    /// The parts that this run created.
    pub created: Vec<Part>,
}

/// Carries out the steps of a plan. After a failure or an interrupt, reports the steps that were not done.
pub async fn apply(
    aws: &Aws,
    desired: &DesiredPath,
    observed: &ObservedPath,
    plan: &Plan,
    deadline: Duration,
) -> Result<(), Failure> {
    let applier = Applier { aws, desired, observed, plan, deadline, done: Mutex::default(), created: Mutex::default() };
    let result = tokio::select! {
        result = applier.run() => result,
        () = interrupted() => Err(Error::interrupted()),
    };
    result.map_err(|error| {
        let done = applier.done();
        for step in plan.steps.iter().filter(|step| !done.contains(step)) {
            note(&format!("not done: {}", StepDescription(step, desired)));
        }
        let created = applier.created.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hint =
            format!("{} of {} steps are done; run the same command again to continue", done.len(), plan.steps.len());
        let error = if error.hint.is_some() { error } else { error.hint(hint) };
        Failure { error, created }
    })
}

struct Applier<'a> {
    aws: &'a Aws,
    desired: &'a DesiredPath,
    observed: &'a ObservedPath,
    plan: &'a Plan,
    deadline: Duration,
    done: Mutex<Vec<&'a Step>>,
    /// The parts that this run has created or begun to create. The request for one of them may have been accepted although it was
    /// interrupted.
    created: Mutex<Vec<Part>>,
}

impl<'a> Applier<'a> {
    /// The function needs its role and log group, and the mapping needs the function and the stream.
    async fn run(&self) -> Result<()> {
        let function = async {
            let (role, log_group) = tokio::join!(self.run_part(Part::Role), self.run_part(Part::LogGroup));
            both(role, log_group)?;
            self.run_part(Part::Function).await
        };
        // Not `try_join`, which would abandon a call whose result is then unknown.
        let (stream, function) = tokio::join!(self.run_part(Part::Stream), function);
        both(stream, function)?;
        self.run_part(Part::Mapping).await
    }

    async fn run_part(&self, part: Part) -> Result<()> {
        for step in self.plan.steps.iter().filter(|step| step.part == part) {
            let progress = ProgressStep::begin(StepDescription(step, self.desired).to_string());
            self.carry_out(step, &progress).await?;
            progress.done();
            self.done.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        }
        Ok(())
    }

    fn done(&self) -> Vec<&'a Step> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the request that creates a part, and remembers that this run created it unless it exists or the request is rejected.
    async fn create<T>(&self, part: Part, request: impl Future<Output = Result<Option<T>>>) -> Result<Option<T>> {
        let created = || self.created.lock().unwrap_or_else(PoisonError::into_inner);
        created().push(part);
        let answer = request.await;
        if !matches!(answer, Ok(Some(_))) {
            created().retain(|other| *other != part);
        }
        answer
    }

    async fn carry_out(&self, step: &Step, progress: &ProgressStep) -> Result<()> {
        let changes = step.changes.as_slice();
        match (step.action, step.part) {
            (Action::Await, Part::Stream) => self.await_stream(progress).await,
            (Action::Await, Part::Function) => self.await_function(progress).await,
            (Action::Await, Part::Mapping) => self.await_mapping(progress, &self.mapping_id()?).await,
            (Action::Await, Part::Role | Part::LogGroup) => Ok(()),
            (Action::Create, Part::Stream) => self.create_stream(progress).await,
            (Action::Create, Part::Role) => self.create_role(progress).await,
            (Action::Create, Part::LogGroup) => self.create_log_group(progress).await,
            (Action::Create, Part::Function) => self.create_function(progress).await,
            (Action::Create, Part::Mapping) => self.create_mapping(progress).await,
            (Action::Tag, part) => tags::set(self.aws, self.desired, part, &self.observed_id(part)).await,
            (Action::UpdateCode, _) => self.update_code(progress).await,
            (Action::MoveAlias, _) => self.move_alias().await,
            (Action::Call(call), _) => self.call(call, changes, progress).await,
        }
    }

    async fn call(&self, call: Call, changes: &[Change], progress: &ProgressStep) -> Result<()> {
        match call {
            Call::Shards => self.change_shards(progress).await,
            Call::StreamRetention => self.change_stream_retention(changes, progress).await,
            Call::MaxRecordSize => self.change_max_record_size(progress).await,
            Call::WarmThroughput => self.change_warm_throughput(progress).await,
            Call::Distribution => self.change_distribution(progress).await,
            Call::Encryption => self.change_encryption(changes, progress).await,
            Call::RolePolicy => self.change_role_policy(progress).await,
            Call::LogRetention => self.change_log_retention(progress).await,
            Call::LogKey => self.change_log_key(progress).await,
            Call::DeletionProtection => self.change_deletion_protection(progress).await,
            Call::FunctionConfiguration => self.update_configuration(changes, progress).await,
            Call::Concurrency => self.change_concurrency(progress).await,
            Call::Mapping => self.update_mapping(changes, progress).await,
            Call::Fixed => Ok(()),
        }
    }

    /// The values of a part after the plan.
    fn target(&self, part: Part) -> &Fields {
        static NOTHING: std::sync::LazyLock<Fields> = std::sync::LazyLock::new(Fields::default);
        self.plan.targets.get(&part).unwrap_or(&NOTHING)
    }

    fn observed_id(&self, part: Part) -> String {
        self.observed.part(part).map(|part| part.id.clone()).unwrap_or_default()
    }

    /// Ensures that a new part carries our tags. A part that existed already, although it was not observed, must carry them,
    /// because another process may have created it.
    async fn settle(&self, is_created: bool, part: Part, id: &str) -> Result<()> {
        if is_created {
            tags::ensure(self.aws, self.desired, part, id).await
        } else {
            tags::must_be_ours(self.aws, self.desired, part).await
        }
    }
}

/// The first error of two, after a notice with the second.
fn both(one: Result<()>, other: Result<()>) -> Result<()> {
    match (one, other) {
        (Err(first), Err(second)) => {
            note(&format!("also failed: {}", second.message));
            Err(first)
        }
        (one, other) => one.and(other),
    }
}
