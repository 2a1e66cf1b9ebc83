//! What happens to stacks, one thing at a time.
//!
//! An [`StackOperation`] is what is being done with a stack: a phase with a task for each resource, in
//! the order of what they depend on. A task goes through [`ScheduledAction`]s that stand in the queue with
//! their time. When nothing is under way any more, the phase is over, and `completion` says what comes
//! next: the stack is complete, or goes back where it came from.
//!
//! - `calls`: what callers ask for
//! - `create`: resources are created, updated and put back; `delete`: they are deleted
//! - `import`: existing resources are taken over
//! - `rollback`: callers send a stack back
//! - `nested`: stacks in stacks; `service_resources`: resources that other services here must know of,
//!   `password` for secrets

mod calls;
mod completion;
mod create;
mod delete;
mod import;
mod nested;
mod password;
mod rollback;
mod service_resources;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::resource::{self, DeclaredResource};
use super::revision::Revision;
use super::stack::{
    ResourceRecord, StackNumber, StackOutput, StackRecord, StackSettings, StatusReason,
};
use super::state::CloudFormationState;
use crate::simulator::Cloud;
use crate::simulator::scenario::{ResourceFacts, ResourceFault, ResourcePhase};
use crate::status::{ResourceStatus, StackStatus};

pub use calls::new_id;
use completion::failure_reason;
use delete::deletion_tasks;
pub use nested::{NewNestedStack, nested_stack_input, nested_stack_tags};

/// The state, in the hands of one call.
pub struct Engine<'a> {
    pub cloud: &'a Cloud,
    pub state: &'a mut CloudFormationState,
    pub now: Timestamp,
}

/// What is being done with a stack.
pub struct StackOperation {
    /// No other operation has it.
    number: u64,
    phase: OperationPhase,
    tasks: Vec<ResourceTask>,
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
    before: Option<Box<StackSnapshot>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OperationPhase {
    Create,
    /// What was created is deleted again.
    Rollback,
    Update,
    /// What was updated is put back.
    UpdateRollback,
    /// What an update, or its rollback, no longer needs is deleted.
    UpdateCompleteCleanup,
    UpdateRollbackCompleteCleanup,
    Delete,
    Import,
}

/// A stack before its update.
#[derive(Clone)]
pub struct StackSnapshot {
    revision: Option<Revision>,
    resources: IndexMap<String, ResourceRecord>,
    outputs: Vec<StackOutput>,
    settings: StackSettings,
}

/// What is to be done with one resource.
struct ResourceTask {
    logical_id: String,
    /// What it is put back to, or what is deleted if it isn't the stack's resource of that name.
    subject: Option<Box<ResourceRecord>>,
    /// So many others must be done first.
    unfinished_dependencies: usize,
    /// Those that wait for it.
    dependents: Vec<usize>,
    state: TaskState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TaskState {
    Waiting,
    Scheduled,
    Running,
    Done,
    Failed,
}

/// What happens next in an operation. Tasks go by their place in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduledAction {
    BeginTask(usize),
    /// The service has begun to make the resource.
    InitiateTask(usize),
    /// With the reason where it failed.
    FinishTask(usize, Option<String>),
    /// The phase is over though it had no tasks.
    CompletePhase,
    TimeOut,
}

/// Between two things that follow on each other.
const STEP_DELAY: Duration = Duration::from_millis(500);

impl Engine<'_> {
    /// Lets happen what is due.
    pub fn catch_up(&mut self) {
        while let Some(entry) = self.state.pop_due(self.now) {
            if self
                .operation(entry.stack)
                .is_none_or(|operation| operation.number != entry.operation)
            {
                continue;
            }
            match entry.action {
                ScheduledAction::BeginTask(task) => self.begin_task(entry.stack, task, entry.at),
                ScheduledAction::InitiateTask(task) => self.initiate(entry.stack, task, entry.at),
                ScheduledAction::FinishTask(task, reason) => {
                    self.finish_task(entry.stack, task, reason, entry.at)
                }
                ScheduledAction::CompletePhase => {
                    self.complete_phase_if_idle(entry.stack, entry.at)
                }
                ScheduledAction::TimeOut => self.time_out(entry.stack, entry.at),
            }
        }
    }

    fn stack(&self, number: StackNumber) -> &StackRecord {
        self.state.stack(number)
    }

    fn operation(&self, number: StackNumber) -> Option<&StackOperation> {
        self.stack(number).operation.as_ref()
    }

    fn operation_mut(&mut self, number: StackNumber) -> Option<&mut StackOperation> {
        self.state.stack_mut(number).operation.as_mut()
    }

    fn task(&self, number: StackNumber, task: usize) -> Option<&ResourceTask> {
        self.operation(number)?.tasks.get(task)
    }

    fn set_status(
        &mut self,
        number: StackNumber,
        status: StackStatus,
        reason: Option<String>,
        at: Timestamp,
    ) {
        self.state.stack_mut(number).set_status(status, reason, at);
    }

    fn set_resource_status(
        &mut self,
        number: StackNumber,
        id: &str,
        status: ResourceStatus,
        reason: Option<StatusReason>,
        at: Timestamp,
    ) {
        self.state
            .stack_mut(number)
            .set_resource_status(id, status, reason, at);
    }

    /// The time when something is over that takes so long in AWS.
    fn after(&self, at: Timestamp, takes: Duration) -> Timestamp {
        at.checked_add(self.cloud.clock.scaled(takes))
            .unwrap_or(Timestamp::MAX)
    }

    fn schedule(&mut self, number: StackNumber, at: Timestamp, action: ScheduledAction) {
        if let Some(operation) = self.operation(number).map(|operation| operation.number) {
            self.state.schedule(at, number, operation, action);
        }
    }

    /// Takes the place of whatever was being done with the stack.
    fn start_operation(
        &mut self,
        number: StackNumber,
        mut operation: StackOperation,
        at: Timestamp,
    ) {
        operation.number = self.state.next_operation_number();
        self.state.stack_mut(number).operation = Some(operation);
        let ready: Vec<usize> = match self.operation(number) {
            Some(operation) => (0..operation.tasks.len())
                .filter(|task| operation.tasks[*task].unfinished_dependencies == 0)
                .collect(),
            None => return,
        };
        if ready.is_empty() {
            let at = self.after(at, STEP_DELAY);
            self.schedule(number, at, ScheduledAction::CompletePhase);
        }
        ready
            .into_iter()
            .for_each(|task| self.schedule_task(number, task, at));
    }

    fn schedule_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let begins = self.after(at, STEP_DELAY);
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        if operation.tasks[task].state != TaskState::Waiting {
            return;
        }
        operation.tasks[task].state = TaskState::Scheduled;
        operation.active += 1;
        self.schedule(number, begins, ScheduledAction::BeginTask(task));
    }

    fn begin_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        if operation.tasks[task].state != TaskState::Scheduled {
            return;
        }
        operation.tasks[task].state = TaskState::Running;
        match operation.phase {
            _ if operation.imports_resource(task) => self.begin_resource_import(number, task, at),
            OperationPhase::Create | OperationPhase::Update => {
                self.begin_create_or_update(number, task, at)
            }
            OperationPhase::UpdateRollback => self.begin_resource_rollback(number, task, at),
            OperationPhase::Rollback
            | OperationPhase::UpdateCompleteCleanup
            | OperationPhase::UpdateRollbackCompleteCleanup
            | OperationPhase::Delete => self.begin_resource_deletion(number, task, at),
            OperationPhase::Import => self.begin_resource_import(number, task, at),
        }
    }

    fn finish_task(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        if !self.is_running(number, task) {
            return;
        }
        let Some(operation) = self.operation(number) else {
            return;
        };
        if operation.imports_resource(task) {
            return self.finish_resource_import(number, task, reason, at);
        }
        match operation.phase {
            OperationPhase::Create | OperationPhase::Update => {
                self.finish_create_or_update(number, task, reason, at)
            }
            OperationPhase::UpdateRollback => {
                self.finish_resource_rollback(number, task, reason, at)
            }
            OperationPhase::Rollback
            | OperationPhase::UpdateCompleteCleanup
            | OperationPhase::UpdateRollbackCompleteCleanup
            | OperationPhase::Delete => self.finish_resource_deletion(number, task, reason, at),
            OperationPhase::Import => self.finish_resource_import(number, task, reason, at),
        }
    }

    fn is_running(&self, number: StackNumber, task: usize) -> bool {
        self.task(number, task)
            .is_some_and(|task| task.state == TaskState::Running)
    }

    /// A task is done, and others may begin.
    fn complete_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        operation.active -= 1;
        operation.tasks[task].state = TaskState::Done;
        let mut ready = Vec::new();
        for next in std::mem::take(&mut operation.tasks[task].dependents) {
            operation.tasks[next].unfinished_dependencies -= 1;
            if operation.tasks[next].unfinished_dependencies == 0 && !operation.is_cancelled {
                ready.push(next);
            }
        }
        ready
            .into_iter()
            .for_each(|next| self.schedule_task(number, next, at));
        self.complete_phase_if_idle(number, at);
    }

    /// A task has failed, and those that wait for it won't begin.
    fn fail_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.operation_mut(number) else {
            return;
        };
        operation.active -= 1;
        operation.tasks[task].state = TaskState::Failed;
        let logical_id = operation.tasks[task].logical_id.clone();
        operation.failed.push(logical_id);
        match operation.phase {
            OperationPhase::Create | OperationPhase::Update => self.cancel(number, at),
            _ => self.complete_phase_if_idle(number, at),
        }
    }

    fn complete_phase_if_idle(&mut self, number: StackNumber, at: Timestamp) {
        if self
            .operation(number)
            .is_some_and(|operation| operation.active == 0)
        {
            self.complete_phase(number, at);
        }
    }

    /// What the scenario does to a resource.
    fn fault(
        &self,
        number: StackNumber,
        logical_id: &str,
        kind: &str,
        phase: ResourcePhase,
    ) -> ResourceFault {
        let stack = self.stack(number);
        let mut fault = self.cloud.resource_fault(&ResourceFacts {
            account: &stack.owner.account,
            region: &stack.owner.region,
            stack: &stack.name,
            logical_id,
            resource_type: kind,
            phase,
        });
        if let Some(resource) = stack.resources.get(logical_id).filter(|_| fault.times_out) {
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
                resource::timeout(&stack.declared(logical_id, resource), policy, phase);
            fault.takes.get_or_insert(takes);
            fault.fails = Some(reason);
        }
        fault
    }
}

impl StackRecord {
    fn declared<'a>(
        &'a self,
        logical_id: &'a str,
        resource: &'a ResourceRecord,
    ) -> DeclaredResource<'a> {
        DeclaredResource {
            account: &self.owner.account,
            region: &self.owner.region,
            stack_name: &self.name,
            logical_id,
            kind: &resource.kind,
            properties: &resource.properties,
        }
    }

    /// The resource's name as [`CloudFormationState::taken`] keeps it, if no second one may have it.
    fn unique_name(
        &self,
        logical_id: &str,
        resource: &ResourceRecord,
    ) -> Option<(String, String, String, String)> {
        let name = resource::declared_name(&self.declared(logical_id, resource))?;
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

impl StackOperation {
    fn new(phase: OperationPhase, tasks: Vec<ResourceTask>) -> Self {
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
    fn imports_resource(&self, task: usize) -> bool {
        self.tasks
            .get(task)
            .is_some_and(|task| self.imports.contains_key(&task.logical_id))
    }
}

/// A task for each, in an order that lets none begin before those that it must wait for. Who isn't
/// among them isn't waited for.
fn tasks<'a>(
    subjects: impl IntoIterator<Item = (&'a str, Option<Box<ResourceRecord>>)>,
    waits_for: impl Fn(&str) -> Vec<String>,
) -> Vec<ResourceTask> {
    let task = |(id, subject): (&str, Option<Box<ResourceRecord>>)| ResourceTask {
        logical_id: id.to_owned(),
        subject,
        unfinished_dependencies: 0,
        dependents: Vec::new(),
        state: TaskState::Waiting,
    };
    let mut tasks: Vec<ResourceTask> = subjects.into_iter().map(task).collect();
    let positions: HashMap<String, usize> = tasks
        .iter()
        .enumerate()
        .map(|(position, task)| (task.logical_id.clone(), position))
        .collect();
    for position in 0..tasks.len() {
        let first: BTreeSet<usize> = waits_for(&tasks[position].logical_id)
            .iter()
            .filter_map(|id| positions.get(id).copied())
            .collect();
        for other in first.into_iter().filter(|other| *other != position) {
            tasks[other].dependents.push(position);
            tasks[position].unfinished_dependencies += 1;
        }
    }
    tasks
}
