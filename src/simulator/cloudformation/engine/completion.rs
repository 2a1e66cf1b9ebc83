//! Phases end: the stack reaches its final status, or another phase begins.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::Engine;
use super::delete::{cleanup_tasks, deletion_tasks};
use crate::simulator::cloudformation::evaluation::revision;
use crate::simulator::cloudformation::evaluation::world::is_failed_transform;
use crate::simulator::cloudformation::resource;
use crate::simulator::cloudformation::state::Export;
use crate::simulator::cloudformation::state::operation::{
    OperationPhase, StackOperation, StackSnapshot, tasks,
};
use crate::simulator::cloudformation::state::resource_record::{OutputRecord, ResourceRecord};
use crate::simulator::cloudformation::state::settings::{OnFailure, StackNumber};
use crate::status::{ResourceStatus, StackStatus};
use crate::template;

impl Engine<'_> {
    /// Ends the phase of a stack's operation: sets the final status, or begins the next phase.
    pub(crate) fn complete_phase(&mut self, number: StackNumber, at: Timestamp) {
        let Some(operation) = self.state.stack_mut(number).operation.take() else {
            return self.report_defect(format!("{} has no operation", self.stack(number).id));
        };
        if matches!(
            operation.phase,
            OperationPhase::Create | OperationPhase::Update | OperationPhase::Delete
        ) {
            self.delete_children_in_review(number, at);
        }
        match operation.phase {
            OperationPhase::Create => self.complete_creation(number, operation, at),
            OperationPhase::Update => self.complete_update(number, operation, at),
            OperationPhase::Import => self.complete_import(number, operation, at),
            OperationPhase::UpdateRollback => self.complete_update_rollback(number, operation, at),
            OperationPhase::UpdateCompleteCleanup => {
                self.complete_cleanup(number, StackStatus::UpdateComplete, operation.reason, at)
            }
            OperationPhase::UpdateRollbackCompleteCleanup => self.complete_cleanup(
                number,
                StackStatus::UpdateRollbackComplete,
                operation.reason,
                at,
            ),
            OperationPhase::Rollback => match failure_reason("delete", &operation.failed) {
                None => self.set_status(number, StackStatus::RollbackComplete, None, at),
                Some(reason) => {
                    self.set_status(number, StackStatus::RollbackFailed, Some(reason), at)
                }
            },
            OperationPhase::Delete => match failure_reason("delete", &operation.failed) {
                None => self.complete_deletion(number, at),
                Some(reason) => {
                    self.set_status(number, StackStatus::DeleteFailed, Some(reason.clone()), at);
                    self.notify_parent(number, OperationPhase::Delete, Some(reason), at);
                }
            },
        }
    }

    fn complete_cleanup(
        &mut self,
        number: StackNumber,
        status: StackStatus,
        reason: Option<String>,
        at: Timestamp,
    ) {
        self.set_status(number, status, None, at);
        self.notify_parent(number, OperationPhase::Update, reason, at);
    }

    fn complete_creation(&mut self, number: StackNumber, operation: StackOperation, at: Timestamp) {
        let reason = operation
            .reason
            .or_else(|| failure_reason("create", &operation.failed));
        let reason = reason.map_or_else(|| self.set_outputs(number), Err);
        match reason {
            Ok(()) => {
                self.set_status(number, StackStatus::CreateComplete, None, at);
                self.notify_parent(number, OperationPhase::Create, None, at);
            }
            Err(reason) => self.fail_creation(number, reason, at),
        }
    }

    fn fail_creation(&mut self, number: StackNumber, reason: String, at: Timestamp) {
        let sentence = reason.trim_end();
        // CloudFormation appends a full stop to a macro's message even if it has one.
        let stop = if sentence.ends_with('.') && !is_failed_transform(sentence) {
            ""
        } else {
            "."
        };
        let requested =
            |action: &str| Some(format!("{sentence}{stop} {action} requested by user."));
        let (status, status_reason, phase) = match self.stack(number).settings.on_failure {
            OnFailure::DoNothing => {
                self.set_status(number, StackStatus::CreateFailed, Some(reason.clone()), at);
                return self.notify_parent(number, OperationPhase::Create, Some(reason), at);
            }
            OnFailure::Rollback => (
                StackStatus::RollbackInProgress,
                requested("Rollback"),
                OperationPhase::Rollback,
            ),
            OnFailure::Delete => (
                StackStatus::DeleteInProgress,
                requested("Delete"),
                OperationPhase::Delete,
            ),
        };
        self.set_status(number, status, status_reason, at);
        let operation = StackOperation::new(phase, deletion_tasks(self.stack(number)));
        self.start_operation(number, operation, at);
    }

    fn complete_deletion(&mut self, number: StackNumber, at: Timestamp) {
        self.state
            .exports
            .retain(|_, export| export.stack != Some(number));
        let id = self.stack(number).id.clone();
        // Retained resources no longer reserve their names.
        self.state.reserved_names.retain(|_, holder| *holder != id);
        self.set_status(number, StackStatus::DeleteComplete, None, at);
        self.state.release_name(number);
        let stack = self.state.stack_mut(number);
        stack.deleted = Some(at);
        stack.imports.clear();
        stack
            .change_sets
            .retain(|_, change_set| change_set.is_executed());
        stack.change_set_id = None;
        self.notify_parent(number, OperationPhase::Delete, None, at);
    }

    fn complete_update(&mut self, number: StackNumber, operation: StackOperation, at: Timestamp) {
        let reason = operation
            .reason
            .or_else(|| failure_reason("update", &operation.failed));
        let reason = reason.map_or_else(|| self.set_outputs(number), Err);
        let Some(before) = operation.before else {
            return self.report_defect(format!("{} isn't being updated", self.stack(number).id));
        };
        match reason {
            Ok(()) => {
                let stack = self.state.stack_mut(number);
                stack.drop_undeclared_resources();
                let left = replaced_or_removed(&before.resources, &stack.resources);
                self.set_status(
                    number,
                    StackStatus::UpdateCompleteCleanupInProgress,
                    None,
                    at,
                );
                self.start_operation(
                    number,
                    StackOperation::new(OperationPhase::UpdateCompleteCleanup, cleanup_tasks(left)),
                    at,
                );
            }
            Err(reason)
                if self.stack(number).settings.disable_rollback
                    && self.stack(number).nested_in.is_none() =>
            {
                self.set_status(number, StackStatus::UpdateFailed, Some(reason), at);
                self.state.stack_mut(number).rollback_target = Some(before);
            }
            Err(reason) => self.roll_back_update(number, *before, Some(reason), at),
        }
    }

    /// Rolls back the resources that an update has changed; if a rollback is continued, those that
    /// it couldn't roll back.
    pub(crate) fn roll_back_update(
        &mut self,
        number: StackNumber,
        before: StackSnapshot,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let is_continued = self.stack(number).status == StackStatus::UpdateRollbackFailed;
        self.set_status(number, StackStatus::UpdateRollbackInProgress, reason, at);
        let stack = self.state.stack_mut(number);
        // CloudFormation treats skipped resources as rolled back.
        for id in std::mem::take(&mut stack.skipped_resources) {
            stack.set_resource_status(&id, ResourceStatus::UpdateComplete, None, at);
        }
        stack.rollback_target = Some(Box::new(before.clone()));
        stack.revision.clone_from(&before.revision);
        stack.settings.clone_from(&before.settings);
        let touched = |(id, before): (&String, &ResourceRecord)| {
            let now = stack.resources.get(id)?;
            let is_same =
                now.physical_id == before.physical_id && now.properties == before.properties;
            let is_put_back = is_continued && !now.has_status(&ResourceStatus::UpdateFailed)
                || now.changed == before.changed;
            let is_quiet = is_same && is_put_back && now.child.is_none();
            (!is_quiet).then(|| (id.clone(), Box::new(before.clone())))
        };
        let touched: Vec<_> = before.resources.iter().filter_map(touched).collect();
        let depends_on = |id: &str| {
            before
                .resources
                .get(id)
                .map(|it| it.depends_on.to_vec())
                .unwrap_or_default()
        };
        let restored = tasks(
            touched
                .iter()
                .map(|(id, it)| (id.as_str(), Some(it.clone()))),
            depends_on,
        );
        let mut operation = StackOperation::new(OperationPhase::UpdateRollback, restored);
        operation.before = Some(Box::new(StackSnapshot {
            resources: stack.resources.clone(),
            ..before
        }));
        self.start_operation(number, operation, at);
    }

    fn complete_update_rollback(
        &mut self,
        number: StackNumber,
        operation: StackOperation,
        at: Timestamp,
    ) {
        if let Some(reason) = failure_reason("update", &operation.failed) {
            self.set_status(
                number,
                StackStatus::UpdateRollbackFailed,
                Some(reason.clone()),
                at,
            );
            return self.notify_parent(number, OperationPhase::Update, Some(reason), at);
        }
        let Some(before) = operation.before else {
            return self.report_defect(format!("{} isn't being updated", self.stack(number).id));
        };
        let stack = self.state.stack_mut(number);
        stack.drop_undeclared_resources();
        stack.outputs = before.outputs;
        stack.rollback_target = None;
        let left = replaced_or_removed(&before.resources, &stack.resources);
        let reason = stack.reason.clone();
        self.set_status(
            number,
            StackStatus::UpdateRollbackCompleteCleanupInProgress,
            None,
            at,
        );
        let cleanup = StackOperation::new(
            OperationPhase::UpdateRollbackCompleteCleanup,
            cleanup_tasks(left),
        );
        self.start_operation(number, StackOperation { reason, ..cleanup }, at);
    }

    /// Evaluates the outputs, and updates the exports.
    pub(crate) fn set_outputs(&mut self, number: StackNumber) -> Result<(), String> {
        let evaluated = revision::evaluate_leniently(self.cloud, self.state, number, |evaluator| {
            evaluator.outputs()
        });
        let known =
            revision::evaluate_without_made_up(self.cloud, self.state, number, |evaluator| {
                evaluator.outputs()
            });
        let known = known.and_then(Result::ok).unwrap_or_default();
        let Some(evaluated) = evaluated else {
            let defect = format!("{} has no template", self.stack(number).id);
            self.report_defect(defect.clone());
            return Err(defect);
        };
        let outputs: Vec<OutputRecord> = evaluated
            .map_err(revision::first_message)?
            .iter()
            .map(|(key, output)| shown(key, output, known.get(key)))
            .collect();
        let stack = self.stack(number);
        let owner = stack.owner.clone();
        let key = |name: &str| (owner.account.clone(), owner.region.clone(), name.to_owned());
        let named = || {
            outputs
                .iter()
                .filter_map(|output| Some((output.export_name.as_deref()?, output)))
        };
        for (name, _) in named() {
            if let Some(other) = self
                .state
                .exports
                .get(&key(name))
                .filter(|export| export.stack != Some(number))
            {
                let holder = self.state.exporting_stack_id(&owner, other);
                return Err(format!(
                    "Export with name {name} is already exported by stack {holder}"
                ));
            }
        }
        let names: BTreeSet<&str> = named().map(|(name, _)| name).collect();
        let dropped = self.state.exports.iter().filter(|((_, _, name), export)| {
            export.stack == Some(number) && !names.contains(name.as_str())
        });
        for ((_, _, name), _) in dropped {
            if let Some(user) = self.state.importers(&owner, name).next() {
                return Err(format!(
                    "Export {name} cannot be deleted as it is in use by {}",
                    user.name
                ));
            }
        }
        for (name, output) in named() {
            let is_changed = self
                .state
                .exports
                .get(&key(name))
                .is_some_and(|export| export.value != output.value);
            if let Some(user) = self
                .state
                .importers(&owner, name)
                .next()
                .filter(|_| is_changed)
            {
                return Err(format!(
                    "Export {name} cannot be updated as it is in use by {}",
                    user.name
                ));
            }
        }
        self.state
            .exports
            .retain(|_, export| export.stack != Some(number));
        for (name, output) in named() {
            self.state.exports.insert(
                key(name),
                Export {
                    value: output.value.clone(),
                    stack: Some(number),
                },
            );
        }
        self.state.stack_mut(number).outputs = outputs;
        Ok(())
    }
}

/// Returns an output as it is shown; `known` is its value where made-up values are unknown.
fn shown(
    key: &str,
    output: &template::EvaluatedOutput,
    known: Option<&template::EvaluatedOutput>,
) -> OutputRecord {
    let text = |value: Option<&template::Value>| {
        value.and_then(|value| resource::with_placeholders(value.clone()).as_text())
    };
    let is_known = known
        .and_then(template::EvaluatedOutput::value)
        .is_some_and(|value| value.unknown().is_none());
    OutputRecord {
        key: key.to_owned(),
        value: text(output.value()).unwrap_or_default(),
        description: text(output.body.get("Description")),
        export_name: text(output.export_name()),
        is_made_up: !is_known,
    }
}

/// Returns CloudFormation's sentence for resources that failed; none if there are none.
pub(crate) fn failure_reason(action: &str, ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| {
        format!(
            "The following resource(s) failed to {action}: [{}]. ",
            ids.join(", ")
        )
    })
}

/// Returns the resources that were removed, or replaced by a new physical resource.
fn replaced_or_removed(
    before: &IndexMap<String, ResourceRecord>,
    now: &IndexMap<String, ResourceRecord>,
) -> Vec<(String, ResourceRecord)> {
    let is_left = |(id, resource): &(&String, &ResourceRecord)| {
        let is_there = now
            .get(*id)
            .is_some_and(|now| now.physical_id == resource.physical_id);
        resource.physical_id.is_some() && !is_there
    };
    before
        .iter()
        .filter(is_left)
        .map(|(id, resource)| (id.clone(), resource.clone()))
        .collect()
}
