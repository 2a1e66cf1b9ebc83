//! What happens to stacks, one thing at a time.
//!
//! An [`Operation`] is what is being done with a stack: a phase with a task for each resource, in
//! the order of what they depend on. A task goes through [`Step`]s that stand in the queue with
//! their time. When nothing is under way any more, the phase is over, and `settle` says what comes
//! next: the stack is complete, or goes back where it came from.
//!
//! - `calls`: what callers ask for
//! - `make`: resources are created, updated and put back; `unmake`: they are deleted
//! - `import`: existing resources are taken over
//! - `rollback`: callers send a stack back
//! - `nested`: stacks in stacks; `effect`: resources that other services here must know of,
//!   `password` for secrets

mod calls;
mod effect;
mod import;
mod make;
mod nested;
mod password;
mod rollback;
mod settle;
mod unmake;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::resource::{self, Facts};
use super::revision::Revision;
use super::stack::{Output, Reason, Resource, Settings, Stack, StackNumber};
use super::state::State;
use crate::simulator::Cloud;
use crate::simulator::scenario::{Impact, Phase as Deed, ResourceFacts};
use crate::status::{ResourceStatus, StackStatus};

pub use calls::new_id;
pub use nested::{NewNested, asked, tags};
use settle::failed_to;
use unmake::deletions;

/// The state, in the hands of one call.
pub struct Engine<'a> {
    pub cloud: &'a Cloud,
    pub state: &'a mut State,
    pub now: Timestamp,
}

/// What is being done with a stack.
pub struct Operation {
    /// No other operation has it.
    number: u64,
    phase: Phase,
    tasks: Vec<Task>,
    /// Tasks that are planned or running.
    active: usize,
    /// Logical IDs, in the order in which they failed.
    failed: Vec<String>,
    /// Nothing new is begun.
    is_cancelled: bool,
    /// Why the stack as a whole fails.
    reason: Option<String>,
    /// Of a deletion: resources that are to be left, and whether those that can't be deleted are.
    retain: BTreeSet<String>,
    is_forced: bool,
    /// Physical IDs of resources that are taken over, by logical IDs.
    imports: BTreeMap<String, String>,
    /// Of an update or an import: what there was.
    before: Option<Box<Before>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Create,
    /// What was created is deleted again.
    Rollback,
    Update,
    /// What was updated is put back.
    UpdateRollback,
    /// What an update, or its rollback, no longer needs is deleted.
    Cleanup {
        rolled_back: bool,
    },
    Delete,
    Import,
}

/// A stack before its update.
#[derive(Clone)]
pub struct Before {
    revision: Option<Revision>,
    resources: IndexMap<String, Resource>,
    outputs: Vec<Output>,
    settings: Settings,
}

/// What is to be done with one resource.
struct Task {
    logical_id: String,
    /// What it is put back to, or what is deleted if it isn't the stack's resource of that name.
    subject: Option<Box<Resource>>,
    /// So many others must be done first.
    missing: usize,
    /// Those that wait for it.
    then: Vec<usize>,
    state: TaskState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskState {
    Waiting,
    Planned,
    Running,
    Done,
    Failed,
}

/// What happens next in an operation. Tasks go by their place in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Begin(usize),
    /// The service has begun to make the resource.
    Initiate(usize),
    /// With the reason where it failed.
    Finish(usize, Option<String>),
    /// The phase is over though it had no tasks.
    Settle,
    TimeOut,
}

/// Between two things that follow on each other.
const LAG: Duration = Duration::from_millis(500);

impl Engine<'_> {
    /// Lets happen what is due.
    pub fn catch_up(&mut self) {
        while let Some(due) = self.state.due(self.now) {
            if self
                .operation(due.stack)
                .is_none_or(|operation| operation.number != due.operation)
            {
                continue;
            }
            match due.step {
                Step::Begin(task) => self.begin(due.stack, task, due.at),
                Step::Initiate(task) => self.initiate(due.stack, task, due.at),
                Step::Finish(task, reason) => self.finish(due.stack, task, reason, due.at),
                Step::Settle => self.settle_if_idle(due.stack, due.at),
                Step::TimeOut => self.time_out(due.stack, due.at),
            }
        }
    }

    fn stack(&self, number: StackNumber) -> &Stack {
        self.state.stack(number)
    }

    fn operation(&self, number: StackNumber) -> Option<&Operation> {
        self.stack(number).operation.as_ref()
    }

    fn operation_mut(&mut self, number: StackNumber) -> Option<&mut Operation> {
        self.state.stack_mut(number).operation.as_mut()
    }

    fn task(&self, number: StackNumber, task: usize) -> Option<&Task> {
        self.operation(number)?.tasks.get(task)
    }

    fn becomes(
        &mut self,
        number: StackNumber,
        status: StackStatus,
        reason: Option<String>,
        at: Timestamp,
    ) {
        self.state.stack_mut(number).becomes(status, reason, at);
    }

    fn resource_becomes(
        &mut self,
        number: StackNumber,
        id: &str,
        status: ResourceStatus,
        reason: Option<Reason>,
        at: Timestamp,
    ) {
        self.state
            .stack_mut(number)
            .resource_becomes(id, status, reason, at);
    }

    /// The time when something is over that takes so long in AWS.
    fn after(&self, at: Timestamp, takes: Duration) -> Timestamp {
        at.checked_add(self.cloud.clock.scaled(takes))
            .unwrap_or(Timestamp::MAX)
    }

    fn plan(&mut self, number: StackNumber, at: Timestamp, step: Step) {
        if let Some(operation) = self.operation(number).map(|operation| operation.number) {
            self.state.plan(at, number, operation, step);
        }
    }

    /// Takes the place of whatever was being done with the stack.
    fn operate(&mut self, number: StackNumber, mut operation: Operation, at: Timestamp) {
        operation.number = self.state.next_operation();
        self.state.stack_mut(number).operation = Some(operation);
        let ready: Vec<usize> = match self.operation(number) {
            Some(operation) => (0..operation.tasks.len())
                .filter(|task| operation.tasks[*task].missing == 0)
                .collect(),
            None => return,
        };
        if ready.is_empty() {
            let at = self.after(at, LAG);
            self.plan(number, at, Step::Settle);
        }
        ready
            .into_iter()
            .for_each(|task| self.make_ready(number, task, at));
    }

    fn make_ready(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let begins = self.after(at, LAG);
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        if operation.tasks[task].state != TaskState::Waiting {
            return;
        }
        operation.tasks[task].state = TaskState::Planned;
        operation.active += 1;
        self.plan(number, begins, Step::Begin(task));
    }

    fn begin(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        if operation.tasks[task].state != TaskState::Planned {
            return;
        }
        operation.tasks[task].state = TaskState::Running;
        match operation.phase {
            _ if operation.takes_over(task) => self.begin_take_over(number, task, at),
            Phase::Create | Phase::Update => self.begin_make(number, task, at),
            Phase::UpdateRollback => self.begin_restore(number, task, at),
            Phase::Rollback | Phase::Cleanup { .. } | Phase::Delete => {
                self.begin_delete(number, task, at)
            }
            Phase::Import => self.begin_take_over(number, task, at),
        }
    }

    fn finish(&mut self, number: StackNumber, task: usize, reason: Option<String>, at: Timestamp) {
        if !self.is_running(number, task) {
            return;
        }
        let Some(operation) = self.operation(number) else {
            return;
        };
        if operation.takes_over(task) {
            return self.finish_take_over(number, task, reason, at);
        }
        match operation.phase {
            Phase::Create | Phase::Update => self.finish_make(number, task, reason, at),
            Phase::UpdateRollback => self.finish_restore(number, task, reason, at),
            Phase::Rollback | Phase::Cleanup { .. } | Phase::Delete => {
                self.finish_delete(number, task, reason, at)
            }
            Phase::Import => self.finish_take_over(number, task, reason, at),
        }
    }

    fn is_running(&self, number: StackNumber, task: usize) -> bool {
        self.task(number, task)
            .is_some_and(|task| task.state == TaskState::Running)
    }

    /// A task is done, and others may begin.
    fn done(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        operation.active -= 1;
        operation.tasks[task].state = TaskState::Done;
        let mut ready = Vec::new();
        for next in std::mem::take(&mut operation.tasks[task].then) {
            operation.tasks[next].missing -= 1;
            if operation.tasks[next].missing == 0 && !operation.is_cancelled {
                ready.push(next);
            }
        }
        ready
            .into_iter()
            .for_each(|next| self.make_ready(number, next, at));
        self.settle_if_idle(number, at);
    }

    /// A task has failed, and those that wait for it won't begin.
    fn failed(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        operation.active -= 1;
        operation.tasks[task].state = TaskState::Failed;
        let logical_id = operation.tasks[task].logical_id.clone();
        operation.failed.push(logical_id);
        match operation.phase {
            Phase::Create | Phase::Update => self.cancel(number, at),
            _ => self.settle_if_idle(number, at),
        }
    }

    fn settle_if_idle(&mut self, number: StackNumber, at: Timestamp) {
        if self
            .operation(number)
            .is_some_and(|operation| operation.active == 0)
        {
            self.settle(number, at);
        }
    }

    /// What the scenario does to a resource.
    fn impact(&self, number: StackNumber, logical_id: &str, kind: &str, phase: Deed) -> Impact {
        let stack = self.stack(number);
        let mut impact = self.cloud.resource_fault(&ResourceFacts {
            account: &stack.owner.account,
            region: &stack.owner.region,
            stack: &stack.name,
            logical_id,
            resource_type: kind,
            phase,
        });
        if let Some(resource) = stack.resources.get(logical_id).filter(|_| impact.times_out) {
            let root = stack
                .revision
                .as_ref()
                .map(|revision| &revision.source.template.root);
            let policy = root.and_then(|root| {
                root.get("Resources")?
                    .get(logical_id)?
                    .get("CreationPolicy")
            });
            let (takes, reason) =
                resource::timeout(&stack.facts(logical_id, resource), policy, phase);
            impact.takes.get_or_insert(takes);
            impact.fails = Some(reason);
        }
        impact
    }
}

impl Stack {
    fn facts<'a>(&'a self, logical_id: &'a str, resource: &'a Resource) -> Facts<'a> {
        Facts {
            account: &self.owner.account,
            region: &self.owner.region,
            stack_name: &self.name,
            logical_id,
            kind: &resource.kind,
            properties: &resource.properties,
        }
    }

    /// The resource's name as [`State::taken`] keeps it, if no second one may have it.
    fn unique_name(
        &self,
        logical_id: &str,
        resource: &Resource,
    ) -> Option<(String, String, String, String)> {
        let name = resource::given_name(&self.facts(logical_id, resource))?;
        let region = if resource::is_global(&resource.kind) {
            ""
        } else {
            &self.owner.region
        };
        Some((
            self.owner.account.clone(),
            region.to_owned(),
            resource.kind.to_string(),
            name.to_owned(),
        ))
    }
}

impl Operation {
    fn new(phase: Phase, tasks: Vec<Task>) -> Self {
        Self {
            number: 0,
            phase,
            tasks,
            active: 0,
            failed: Vec::new(),
            is_cancelled: false,
            reason: None,
            retain: BTreeSet::new(),
            is_forced: false,
            imports: BTreeMap::new(),
            before: None,
        }
    }

    /// Whether a task is about an existing resource that becomes the stack's.
    fn takes_over(&self, task: usize) -> bool {
        self.tasks
            .get(task)
            .is_some_and(|task| self.imports.contains_key(&task.logical_id))
    }
}

/// A task for each, in an order that lets none begin before those that it must wait for. Who isn't
/// among them isn't waited for.
fn tasks<'a>(
    subjects: impl IntoIterator<Item = (&'a str, Option<Box<Resource>>)>,
    waits_for: impl Fn(&str) -> Vec<String>,
) -> Vec<Task> {
    let task = |(id, subject): (&str, Option<Box<Resource>>)| Task {
        logical_id: id.to_owned(),
        subject,
        missing: 0,
        then: Vec::new(),
        state: TaskState::Waiting,
    };
    let mut tasks: Vec<Task> = subjects.into_iter().map(task).collect();
    let places: HashMap<String, usize> = tasks
        .iter()
        .enumerate()
        .map(|(place, task)| (task.logical_id.clone(), place))
        .collect();
    for place in 0..tasks.len() {
        let first: BTreeSet<usize> = waits_for(&tasks[place].logical_id)
            .iter()
            .filter_map(|id| places.get(id).copied())
            .collect();
        for other in first.into_iter().filter(|other| *other != place) {
            tasks[other].then.push(place);
            tasks[place].missing += 1;
        }
    }
    tasks
}
