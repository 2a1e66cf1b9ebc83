//! A phase is over: the stack has reached its state, or another phase follows.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::super::resource;
use super::super::revision;
use super::super::stack::{OnFailure, Output, Resource, Stack, StackNumber};
use super::super::state::Export;
use super::super::world::is_failed_transform;
use super::unmake::{deletions, leftovers};
use super::{Before, Engine, Operation, Phase, tasks};
use crate::status::{ResourceStatus, StackStatus};
use crate::template;

impl Engine<'_> {
    pub(super) fn settle(&mut self, number: StackNumber, at: Timestamp) {
        let Some(operation) = self.state.stack_mut(number).operation.take() else {
            return;
        };
        if matches!(
            operation.phase,
            Phase::Create | Phase::Update | Phase::Delete
        ) {
            self.forget_reviewed(number, at);
        }
        match operation.phase {
            Phase::Create => self.settle_creation(number, operation, at),
            Phase::Update => self.settle_update(number, operation, at),
            Phase::Import => self.settle_import(number, operation, at),
            Phase::UpdateRollback => self.settle_update_rollback(number, operation, at),
            Phase::Cleanup { rolled_back } => {
                let status = if rolled_back {
                    StackStatus::UpdateRollbackComplete
                } else {
                    StackStatus::UpdateComplete
                };
                self.becomes(number, status, None, at);
                self.report(number, Phase::Update, operation.reason, at);
            }
            Phase::Rollback => match failed_to("delete", &operation.failed) {
                None => self.becomes(number, StackStatus::RollbackComplete, None, at),
                Some(reason) => self.becomes(number, StackStatus::RollbackFailed, Some(reason), at),
            },
            Phase::Delete => match failed_to("delete", &operation.failed) {
                None => self.settle_deletion(number, at),
                Some(reason) => {
                    self.becomes(number, StackStatus::DeleteFailed, Some(reason.clone()), at);
                    self.report(number, Phase::Delete, Some(reason), at);
                }
            },
        }
    }

    fn settle_creation(&mut self, number: StackNumber, operation: Operation, at: Timestamp) {
        let reason = operation
            .reason
            .or_else(|| failed_to("create", &operation.failed));
        let reason = reason.map_or_else(|| self.set_outputs(number), Err);
        match reason {
            Ok(()) => {
                self.becomes(number, StackStatus::CreateComplete, None, at);
                self.report(number, Phase::Create, None, at);
            }
            Err(reason) => self.creation_failed(number, reason, at),
        }
    }

    fn creation_failed(&mut self, number: StackNumber, reason: String, at: Timestamp) {
        let sentence = reason.trim_end();
        // A macro's message gets a full stop even if it has one.
        let stop = if sentence.ends_with('.') && !is_failed_transform(sentence) {
            ""
        } else {
            "."
        };
        let going_back = |deed: &str| Some(format!("{sentence}{stop} {deed} requested by user."));
        let (status, stated, phase) = match self.stack(number).settings.on_failure {
            OnFailure::DoNothing => {
                self.becomes(number, StackStatus::CreateFailed, Some(reason.clone()), at);
                return self.report(number, Phase::Create, Some(reason), at);
            }
            OnFailure::Rollback => (
                StackStatus::RollbackInProgress,
                going_back("Rollback"),
                Phase::Rollback,
            ),
            OnFailure::Delete => (
                StackStatus::DeleteInProgress,
                going_back("Delete"),
                Phase::Delete,
            ),
        };
        self.becomes(number, status, stated, at);
        let operation = Operation::new(phase, deletions(self.stack(number)));
        self.operate(number, operation, at);
    }

    fn settle_deletion(&mut self, number: StackNumber, at: Timestamp) {
        self.state
            .exports
            .retain(|_, export| export.stack != Some(number));
        let id = self.stack(number).id.clone();
        // What was left has its name no more through this stack.
        self.state.taken.retain(|_, holder| *holder != id);
        self.becomes(number, StackStatus::DeleteComplete, None, at);
        self.state.forget_name(number);
        let stack = self.state.stack_mut(number);
        stack.deleted = Some(at);
        stack.imports.clear();
        stack
            .change_sets
            .retain(|_, change_set| change_set.is_executed());
        stack.change_set_id = None;
        self.report(number, Phase::Delete, None, at);
    }

    fn settle_update(&mut self, number: StackNumber, operation: Operation, at: Timestamp) {
        let reason = operation
            .reason
            .or_else(|| failed_to("update", &operation.failed));
        let reason = reason.map_or_else(|| self.set_outputs(number), Err);
        let Some(before) = operation.before else {
            return;
        };
        match reason {
            Ok(()) => {
                let stack = self.state.stack_mut(number);
                stack.keep_what_it_has();
                let left = left_by(&before.resources, &stack.resources);
                self.becomes(
                    number,
                    StackStatus::UpdateCompleteCleanupInProgress,
                    None,
                    at,
                );
                self.operate(
                    number,
                    Operation::new(Phase::Cleanup { rolled_back: false }, leftovers(left)),
                    at,
                );
            }
            Err(reason)
                if self.stack(number).settings.disable_rollback
                    && self.stack(number).nested_in.is_none() =>
            {
                self.becomes(number, StackStatus::UpdateFailed, Some(reason), at);
                self.state.stack_mut(number).unsettled = Some(before);
            }
            Err(reason) => self.roll_back_update(number, *before, Some(reason), at),
        }
    }

    /// Puts back what an update has touched; where a rollback is continued, what it couldn't put
    /// back.
    pub(super) fn roll_back_update(
        &mut self,
        number: StackNumber,
        before: Before,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let is_continued = self.stack(number).status == StackStatus::UpdateRollbackFailed;
        self.becomes(number, StackStatus::UpdateRollbackInProgress, reason, at);
        let stack = self.state.stack_mut(number);
        // CloudFormation takes what is skipped for what it was.
        for id in std::mem::take(&mut stack.skipped) {
            stack.resource_becomes(&id, ResourceStatus::UpdateComplete, None, at);
        }
        stack.unsettled = Some(Box::new(before.clone()));
        stack.revision.clone_from(&before.revision);
        stack.settings.clone_from(&before.settings);
        let touched = |(id, before): (&String, &Resource)| {
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
        let mut operation = Operation::new(Phase::UpdateRollback, restored);
        operation.before = Some(Box::new(Before {
            resources: stack.resources.clone(),
            ..before
        }));
        self.operate(number, operation, at);
    }

    fn settle_update_rollback(&mut self, number: StackNumber, operation: Operation, at: Timestamp) {
        if let Some(reason) = failed_to("update", &operation.failed) {
            self.becomes(
                number,
                StackStatus::UpdateRollbackFailed,
                Some(reason.clone()),
                at,
            );
            return self.report(number, Phase::Update, Some(reason), at);
        }
        let Some(before) = operation.before else {
            return;
        };
        let stack = self.state.stack_mut(number);
        stack.keep_what_it_has();
        stack.outputs = before.outputs;
        stack.unsettled = None;
        let left = left_by(&before.resources, &stack.resources);
        let reason = stack.reason.clone();
        self.becomes(
            number,
            StackStatus::UpdateRollbackCompleteCleanupInProgress,
            None,
            at,
        );
        let cleanup = Operation::new(Phase::Cleanup { rolled_back: true }, leftovers(left));
        self.operate(number, Operation { reason, ..cleanup }, at);
    }

    /// The outputs as they are now that everything is made, exports included.
    pub(super) fn set_outputs(&mut self, number: StackNumber) -> Result<(), String> {
        let evaluated = revision::certain(self.cloud, self.state, number, |evaluator| {
            evaluator.outputs()
        });
        let known = revision::without_made_up(self.cloud, self.state, number, |evaluator| {
            evaluator.outputs()
        });
        let known = known.and_then(Result::ok).unwrap_or_default();
        let evaluated = evaluated.unwrap_or_else(|| Ok(indexmap::IndexMap::new()));
        let first = |failures: Vec<template::Failure>| {
            failures
                .into_iter()
                .next()
                .map(|it| it.message)
                .unwrap_or_default()
        };
        let outputs: Vec<Output> = evaluated
            .map_err(first)?
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
                let holder = self.state.exporter(&owner, other);
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

impl Stack {
    /// Drops the resources that its template doesn't have.
    fn keep_what_it_has(&mut self) {
        if let Some(revision) = &self.revision {
            self.resources
                .retain(|id, _| revision.depends_on.contains_key(id));
        }
    }
}

/// An output as it is shown; `known` is what is known of it without what is made up.
fn shown(key: &str, output: &template::Output, known: Option<&template::Output>) -> Output {
    let text = |value: Option<&template::Value>| {
        value.and_then(|value| resource::filled(value.clone()).as_text())
    };
    let is_known = known
        .and_then(template::Output::value)
        .is_some_and(|value| value.unknown().is_none());
    Output {
        key: key.to_owned(),
        value: text(output.value()).unwrap_or_default(),
        description: text(output.body.get("Description")),
        export_name: text(output.export_name()),
        is_made_up: !is_known,
    }
}

/// CloudFormation's sentence for what failed; none if nothing did.
pub(super) fn failed_to(deed: &str, ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| {
        format!(
            "The following resource(s) failed to {deed}: [{}]. ",
            ids.join(", ")
        )
    })
}

/// Of the resources there were, those that are there no more, or as another thing.
fn left_by(
    before: &indexmap::IndexMap<String, Resource>,
    now: &indexmap::IndexMap<String, Resource>,
) -> Vec<(String, Resource)> {
    let is_left = |(id, resource): &(&String, &Resource)| {
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
