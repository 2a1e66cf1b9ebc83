//! The engine: carries out operations on stacks, one action at a time.
//!
//! An operation is a phase with a task for each resource, in the order of their dependencies. The
//! actions of tasks are queued with their time. When no task is active any more, the phase ends,
//! and `completion` decides what comes next: the stack reaches its final status, or another phase
//! begins.
//!
//! - `stacks`: begins operations; `validation`: validations before that
//! - `create`: resources are created, updated and rolled back; `delete`: they are deleted; `import`
//! - `nested`: nested stacks
//! - `service_resources`: resources that exist in another simulated service; `password`: passwords
//!   of generated secrets

mod completion;
mod create;
mod delete;
mod import;
mod nested;
mod password;
pub(super) mod service_resources;
mod stacks;
mod validation;

use std::time::Duration;

use jiff::Timestamp;

use super::resource;
use super::state::CloudFormationState;
use super::state::operation::{
    OperationPhase, ResourceTask, ScheduledAction, StackOperation, TaskState,
};
use super::state::resource_record::{ResourceRecord, StatusReason};
use super::state::settings::StackNumber;
use super::state::stack::StackRecord;
use crate::simulator::Cloud;
use crate::simulator::scenario::{ResourceFacts, ResourceFault, ResourcePhase};
use crate::status::{ResourceStatus, StackStatus};

pub(crate) use delete::deletion_tasks;
pub(crate) use nested::NewNestedStack;
pub(crate) use stacks::{BY_USER, new_id};

/// The state while a call works on it.
pub(super) struct Engine<'a> {
    pub cloud: &'a Cloud,
    pub state: &'a mut CloudFormationState,
    pub now: Timestamp,
}

/// The nominal time between two consecutive actions.
const STEP_DELAY: Duration = Duration::from_millis(500);

impl<'a> Engine<'a> {
    /// Returns an engine at the current time.
    pub(super) fn new(cloud: &'a Cloud, state: &'a mut CloudFormationState) -> Self {
        Self {
            cloud,
            state,
            now: cloud.clock.now(),
        }
    }
}

impl Engine<'_> {
    /// Records that something is missing that the engine itself has created. Such a defect panics
    /// in debug builds; in others this call and all later ones answer an internal error.
    pub(crate) fn report_defect(&mut self, defect: String) {
        debug_assert!(false, "{defect}");
        self.state.defect.get_or_insert(defect);
    }

    /// Returns the logical ID of a task's resource. A missing task is a defect.
    pub(crate) fn logical_id(&mut self, number: StackNumber, task: usize) -> Option<String> {
        let id = self.task(number, task).map(|task| task.logical_id.clone());
        if id.is_none() {
            self.report_defect(format!("{} has no task {task}", self.stack(number).id));
        }
        id
    }

    /// Returns the current operation of a stack, which must have one. A missing operation is a
    /// defect.
    pub(crate) fn current_operation(&mut self, number: StackNumber) -> Option<&mut StackOperation> {
        if self.operation(number).is_none() {
            self.report_defect(format!("{} has no operation", self.stack(number).id));
        }
        self.operation_mut(number)
    }

    /// Returns a resource of a stack. A missing resource is a defect.
    pub(crate) fn resource_mut(
        &mut self,
        number: StackNumber,
        id: &str,
    ) -> Option<&mut ResourceRecord> {
        if !self.stack(number).resources.contains_key(id) {
            self.report_defect(format!("{} has no resource {id}", self.stack(number).id));
        }
        self.state.stack_mut(number).resources.get_mut(id)
    }

    /// Carries out the actions that are due.
    pub(super) fn catch_up(&mut self) {
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

    /// Returns a stack.
    pub(crate) fn stack(&self, number: StackNumber) -> &StackRecord {
        self.state.stack(number)
    }

    /// Returns the current operation of a stack.
    pub(crate) fn operation(&self, number: StackNumber) -> Option<&StackOperation> {
        self.stack(number).operation.as_ref()
    }

    /// Returns the current operation of a stack.
    pub(crate) fn operation_mut(&mut self, number: StackNumber) -> Option<&mut StackOperation> {
        self.state.stack_mut(number).operation.as_mut()
    }

    /// Returns a task of a stack's current operation.
    pub(crate) fn task(&self, number: StackNumber, task: usize) -> Option<&ResourceTask> {
        self.operation(number)?.tasks.get(task)
    }

    /// Sets the status of a stack.
    pub(crate) fn set_status(
        &mut self,
        number: StackNumber,
        status: StackStatus,
        reason: Option<String>,
        at: Timestamp,
    ) {
        self.state.stack_mut(number).set_status(status, reason, at);
    }

    /// Sets the status of a resource.
    pub(crate) fn set_resource_status(
        &mut self,
        number: StackNumber,
        id: &str,
        status: ResourceStatus,
        reason: Option<StatusReason>,
        at: Timestamp,
    ) {
        if self.resource_mut(number, id).is_none() {
            return;
        }
        self.state
            .stack_mut(number)
            .set_resource_status(id, status, reason, at);
    }

    /// Returns when something ends that takes this long in AWS.
    pub(crate) fn after(&self, at: Timestamp, takes: Duration) -> Timestamp {
        at.checked_add(self.cloud.clock.scaled(takes))
            .unwrap_or(Timestamp::MAX)
    }

    /// Schedules an action of a stack's current operation.
    pub(crate) fn schedule(&mut self, number: StackNumber, at: Timestamp, action: ScheduledAction) {
        if let Some(operation) = self.current_operation(number).map(|it| it.number) {
            self.state.schedule(at, number, operation, action);
        }
    }

    /// Starts an operation, which supersedes the stack's current one.
    pub(crate) fn start_operation(
        &mut self,
        number: StackNumber,
        mut operation: StackOperation,
        at: Timestamp,
    ) {
        operation.number = self.state.next_operation_number();
        let ready: Vec<usize> = (0..operation.tasks.len())
            .filter(|task| operation.tasks[*task].unfinished_dependencies == 0)
            .collect();
        self.state.stack_mut(number).operation = Some(operation);
        if ready.is_empty() {
            let at = self.after(at, STEP_DELAY);
            self.schedule(number, at, ScheduledAction::CompletePhase);
        }
        ready
            .into_iter()
            .for_each(|task| self.schedule_task(number, task, at));
    }

    /// Schedules the beginning of a task whose dependencies are done.
    pub(crate) fn schedule_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let begins = self.after(at, STEP_DELAY);
        let Some(operation) = self.current_operation(number) else {
            return;
        };
        if operation.tasks[task].state != TaskState::Waiting {
            return;
        }
        operation.tasks[task].state = TaskState::Scheduled;
        operation.active += 1;
        self.schedule(number, begins, ScheduledAction::BeginTask(task));
    }

    /// Begins a task.
    pub(crate) fn begin_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.current_operation(number) else {
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

    /// Ends the work of a running task, with the reason if it failed.
    pub(crate) fn finish_task(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        if !self.is_running(number, task) {
            return;
        }
        let Some(operation) = self.current_operation(number) else {
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

    /// Returns whether a task is running.
    pub(crate) fn is_running(&self, number: StackNumber, task: usize) -> bool {
        self.task(number, task)
            .is_some_and(|task| task.state == TaskState::Running)
    }

    /// Completes a task, and schedules those that waited for it.
    pub(crate) fn complete_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.current_operation(number) else {
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

    /// Fails a task; those that wait for it won't begin.
    pub(crate) fn fail_task(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some(operation) = self.current_operation(number) else {
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

    /// Ends the phase if no task is active any more.
    pub(crate) fn complete_phase_if_idle(&mut self, number: StackNumber, at: Timestamp) {
        if self
            .operation(number)
            .is_some_and(|operation| operation.active == 0)
        {
            self.complete_phase(number, at);
        }
    }

    /// Returns the scenario's fault for a resource.
    pub(crate) fn fault(
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
