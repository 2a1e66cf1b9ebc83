//! Resources are deleted: with their stack, when its creation is undone, or when an update has left
//! them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::super::resource;
use super::super::stack::{Reason, Resource, Stack, StackNumber};
use super::{Deed, Engine, Phase, Step, Task, effect, tasks};
use crate::status::ResourceStatus;

impl Engine<'_> {
    pub(super) fn begin_delete(&mut self, number: StackNumber, task: usize, at: Timestamp) {
        let Some((id, subject)) = self.subject(number, task) else {
            return;
        };
        let is_left = self
            .operation(number)
            .is_some_and(|operation| operation.retain.contains(&id));
        if is_left || self.is_retained(number, task, &subject) {
            self.state
                .leave(&self.state.stack(number).owner.clone(), &subject);
            self.deletion_becomes(number, task, ResourceStatus::DeleteSkipped, None, at);
            return self.done(number, task, at);
        }
        if subject.physical_id.is_none() {
            self.deletion_becomes(number, task, ResourceStatus::DeleteComplete, None, at);
            return self.done(number, task, at);
        }
        self.deletion_becomes(number, task, ResourceStatus::DeleteInProgress, None, at);
        let impact = self.impact(number, &id, &subject.kind, Deed::Delete);
        let takes = impact
            .takes
            .unwrap_or_else(|| resource::takes(&subject.kind, Deed::Delete));
        match subject.child.filter(|_| impact.fails.is_none()) {
            Some(child) => self.delete_nested(number, task, child, at),
            None => {
                let ends = self.after(at, takes);
                self.plan(number, ends, Step::Finish(task, impact.fails));
            }
        }
    }

    pub(super) fn finish_delete(
        &mut self,
        number: StackNumber,
        task: usize,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let Some((id, subject)) = self.subject(number, task) else {
            return;
        };
        let physical_id = subject.physical_id.as_deref().unwrap_or_default();
        let reason = reason.or_else(|| {
            effect::unmake(self.cloud, self.stack(number), &subject, physical_id).err()
        });
        match reason {
            None => {
                self.give_name_back(number, &id, &subject);
                self.deletion_becomes(number, task, ResourceStatus::DeleteComplete, None, at);
                self.done(number, task, at);
            }
            Some(reason) => {
                self.deletion_becomes(
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
                    self.deletion_becomes(number, task, ResourceStatus::DeleteSkipped, None, at);
                    return self.done(number, task, at);
                }
                self.failed(number, task, at);
            }
        }
    }

    /// The resource that a task is about.
    fn subject(&self, number: StackNumber, task: usize) -> Option<(String, Resource)> {
        let task = self.task(number, task)?;
        let own = || self.stack(number).resources.get(&task.logical_id).cloned();
        let subject = task.subject.as_deref().cloned().or_else(own)?;
        Some((task.logical_id.clone(), subject))
    }

    fn deletion_becomes(
        &mut self,
        number: StackNumber,
        task: usize,
        status: ResourceStatus,
        reason: Option<Reason>,
        at: Timestamp,
    ) {
        let Some(found) = self.task(number, task) else {
            return;
        };
        let (id, subject) = (found.logical_id.clone(), found.subject.clone());
        let stack = self.state.stack_mut(number);
        match subject {
            Some(subject) => stack.tell_of(&id, &subject, status, reason, at),
            None => stack.resource_becomes(&id, status, reason, at),
        }
    }

    fn is_retained(&self, number: StackNumber, task: usize, subject: &Resource) -> bool {
        let Some(operation) = self.operation(number) else {
            return false;
        };
        let replacing = self
            .stack(number)
            .resources
            .get(&operation.tasks[task].logical_id);
        let policy = match replacing.filter(|_| operation.tasks[task].subject.is_some()) {
            // What the update asked for counts, not what was asked for before.
            Some(new) if operation.phase == (Phase::Cleanup { rolled_back: false }) => {
                &new.update_replace_policy
            }
            Some(_) => &subject.update_replace_policy,
            None => &subject.deletion_policy,
        };
        match policy.as_deref() {
            Some("Retain") => true,
            // It was there before the stack.
            Some("RetainExceptOnCreate") if subject.has_status(&ResourceStatus::ImportComplete) => {
                true
            }
            Some("RetainExceptOnCreate") => operation.phase != Phase::Rollback,
            _ => false,
        }
    }

    fn give_name_back(&mut self, number: StackNumber, id: &str, resource: &Resource) {
        let stack = self.stack(number);
        let Some(key) = stack.unique_name(id, resource) else {
            return;
        };
        let own = stack.id.clone();
        if self.state.taken.get(&key) == Some(&own) {
            self.state.taken.remove(&key);
        }
    }
}

/// The tasks of a stack's deletion: whatever depends on a resource goes first.
pub(super) fn deletions(stack: &Stack) -> Vec<Task> {
    let left = stack.resources.iter().filter(|(_, it)| !it.has_left());
    of(left
        .rev()
        .map(|(id, resource)| (id.as_str(), resource, None))
        .collect())
}

/// The tasks for what an update has left.
pub(super) fn leftovers(left: Vec<(String, Resource)>) -> Vec<Task> {
    of(left
        .iter()
        .rev()
        .map(|(id, resource)| (id.as_str(), resource, Some(Box::new(resource.clone()))))
        .collect())
}

fn of(doomed: Vec<(&str, &Resource, Option<Box<Resource>>)>) -> Vec<Task> {
    let mut dependents: HashMap<String, Vec<String>> = HashMap::new();
    for (id, resource, _) in &doomed {
        for on in resource.depends_on.iter() {
            dependents
                .entry(on.clone())
                .or_default()
                .push((*id).to_owned());
        }
    }
    let waits_for = |id: &str| dependents.get(id).cloned().unwrap_or_default();
    tasks(
        doomed.into_iter().map(|(id, _, subject)| (id, subject)),
        waits_for,
    )
}
