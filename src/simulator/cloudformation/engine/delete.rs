//! Resources are deleted: with their stack, when its creation is rolled back, or in the cleanup of
//! an update.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{Engine, service_resources};
use crate::simulator::cloudformation::resource;
use crate::simulator::cloudformation::state::operation::{
    OperationPhase, ResourceTask, ScheduledAction, tasks,
};
use crate::simulator::cloudformation::state::resource_record::{ResourceRecord, StatusReason};
use crate::simulator::cloudformation::state::settings::StackNumber;
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::scenario::ResourcePhase;
use crate::status::ResourceStatus;

impl Engine<'_> {
    /// Begins to delete or retain a resource.
    pub(crate) fn begin_resource_deletion(
        &mut self,
        number: StackNumber,
        task: usize,
        at: Timestamp,
    ) {
        let Some((id, subject)) = self.subject(number, task) else {
            return self.report_defect(format!("{} has no task {task}", self.stack(number).id));
        };
        let is_retained_by_request = self
            .operation(number)
            .is_some_and(|operation| operation.retain.contains(&id));
        if is_retained_by_request || self.is_retained(number, task, &subject) {
            self.state
                .record_retained(&self.state.stack(number).owner.clone(), &subject);
            self.set_deletion_status(number, task, ResourceStatus::DeleteSkipped, None, at);
            return self.complete_task(number, task, at);
        }
        if subject.physical_id.is_none() {
            self.set_deletion_status(number, task, ResourceStatus::DeleteComplete, None, at);
            return self.complete_task(number, task, at);
        }
        self.set_deletion_status(number, task, ResourceStatus::DeleteInProgress, None, at);
        let fault = self.fault(number, &id, &subject.kind, ResourcePhase::Delete);
        let takes = fault
            .takes
            .unwrap_or_else(|| resource::nominal_duration(&subject.kind, ResourcePhase::Delete));
        match subject.child.filter(|_| fault.fails.is_none()) {
            Some(child) => self.delete_nested(number, task, child, at),
            None => {
                let ends = self.after(at, takes);
                self.schedule(number, ends, ScheduledAction::FinishTask(task, fault.fails));
            }
        }
    }

    /// Ends the deletion of a resource, with the reason if it failed.
    pub(crate) fn finish_resource_deletion(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let Some((id, subject)) = self.subject(number, task) else {
            return self.report_defect(format!("{} has no task {task}", self.stack(number).id));
        };
        let Some(physical_id) = subject.physical_id.as_deref() else {
            return self.report_defect(format!("{id} is deleted without a physical ID"));
        };
        let reason = reason.or_else(|| {
            service_resources::delete(self.cloud, self.stack(number), &subject, physical_id).err()
        });
        match reason {
            None => {
                self.release_name_of(number, &id, &subject);
                self.set_deletion_status(number, task, ResourceStatus::DeleteComplete, None, at);
                self.complete_task(number, task, at);
            }
            Some(reason) => {
                self.set_deletion_status(
                    number,
                    task,
                    ResourceStatus::DeleteFailed,
                    Some(reason.into()),
                    at,
                );
                if self
                    .operation(number)
                    .is_some_and(|operation| operation.is_forced)
                {
                    self.set_deletion_status(number, task, ResourceStatus::DeleteSkipped, None, at);
                    return self.complete_task(number, task, at);
                }
                self.fail_task(number, task, at);
            }
        }
    }

    /// Returns the resource that a task deletes, with its logical ID.
    fn subject(&self, number: StackNumber, task: usize) -> Option<(String, ResourceRecord)> {
        let task = self.task(number, task)?;
        let own = || self.stack(number).resources.get(&task.logical_id).cloned();
        let subject = task.subject.as_deref().cloned().or_else(own)?;
        Some((task.logical_id.clone(), subject))
    }

    fn set_deletion_status(
        &mut self,
        number: StackNumber,
        task: usize,
        status: ResourceStatus,
        reason: Option<StatusReason>,
        at: Timestamp,
    ) {
        let Some(id) = self.logical_id(number, task) else {
            return;
        };
        match self.task(number, task).and_then(|it| it.subject.clone()) {
            Some(subject) => self
                .state
                .stack_mut(number)
                .record_removed_resource(&id, &subject, status, reason, at),
            None => self.set_resource_status(number, &id, status, reason, at),
        }
    }

    fn is_retained(&self, number: StackNumber, task: usize, subject: &ResourceRecord) -> bool {
        let Some(operation) = self.operation(number) else {
            return false;
        };
        let replacing = self
            .stack(number)
            .resources
            .get(&operation.tasks[task].logical_id);
        let policy = match replacing.filter(|_| operation.tasks[task].subject.is_some()) {
            // The new template's policy counts, not the previous one's.
            Some(new) if operation.phase == (OperationPhase::UpdateCompleteCleanup) => {
                &new.update_replace_policy
            }
            Some(_) => &subject.update_replace_policy,
            None => &subject.deletion_policy,
        };
        let except_on_create = self.stack(number).settings.retain_except_on_create;
        match policy.as_deref() {
            Some("Retain") if !except_on_create => true,
            // Imported resources existed before the stack.
            Some("Retain" | "RetainExceptOnCreate")
                if subject.has_status(&ResourceStatus::ImportComplete) =>
            {
                true
            }
            Some("Retain" | "RetainExceptOnCreate") => !matches!(
                operation.phase,
                OperationPhase::Rollback | OperationPhase::UpdateRollbackCompleteCleanup
            ),
            _ => false,
        }
    }

    fn release_name_of(&mut self, number: StackNumber, id: &str, resource: &ResourceRecord) {
        let stack = self.stack(number);
        let Some(key) = stack.unique_name(id, resource) else {
            return;
        };
        let own = stack.id.clone();
        if self.state.reserved_names.get(&key) == Some(&own) {
            self.state.reserved_names.remove(&key);
        }
    }
}

/// Returns the tasks of a stack's deletion: dependents are deleted before the resources that they
/// depend on.
pub(crate) fn deletion_tasks(stack: &StackRecord) -> Vec<ResourceTask> {
    let left = stack.resources.iter().filter(|(_, it)| !it.is_removed());
    removal_tasks(
        left.rev()
            .map(|(id, resource)| (id.as_str(), resource, None))
            .collect(),
    )
}

/// Returns the tasks of an update's cleanup.
pub(crate) fn cleanup_tasks(left: Vec<(String, ResourceRecord)>) -> Vec<ResourceTask> {
    removal_tasks(
        left.iter()
            .rev()
            .map(|(id, resource)| (id.as_str(), resource, Some(Box::new(resource.clone()))))
            .collect(),
    )
}

fn removal_tasks(
    removed: Vec<(&str, &ResourceRecord, Option<Box<ResourceRecord>>)>,
) -> Vec<ResourceTask> {
    let mut dependents: HashMap<String, Vec<String>> = HashMap::new();
    for (id, resource, _) in &removed {
        for on in resource.depends_on.iter() {
            dependents
                .entry(on.clone())
                .or_default()
                .push((*id).to_owned());
        }
    }
    let waits_for = |id: &str| dependents.get(id).cloned().unwrap_or_default();
    tasks(
        removed.into_iter().map(|(id, _, subject)| (id, subject)),
        waits_for,
    )
}
