//! Nested stacks. Each is a stack of its own, which notifies its parent when it ends.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rand::distr::{Alphanumeric, SampleString};

use super::Engine;
use super::stacks::new_id;
use crate::simulator::Caller;
use crate::simulator::cloudformation::error::invalid;
use crate::simulator::cloudformation::evaluation::nested::{nested_stack_input, nested_stack_tags};
use crate::simulator::cloudformation::evaluation::revision::{
    self, RevisionTarget, evaluate_nested_revision,
};
use crate::simulator::cloudformation::resource::ResourceProperties;
use crate::simulator::cloudformation::state::operation::{
    OperationKind, OperationPhase, ResourceTask, TaskState,
};
use crate::simulator::cloudformation::state::resource_record::ResourceRecord;
use crate::simulator::cloudformation::state::settings::{
    OnFailure, ParentStack, StackNumber, StackSettings,
};
use crate::simulator::error::ServiceError;
use crate::status::{ResourceStatus, StackStatus};
use crate::template::Value;

/// How deep stacks may be nested, and how many one root may have, so that a template that nests
/// itself is stopped (the second is CloudFormation's quota for the operations of one hierarchy).
const MAX_DEPTH: usize = 10;

const MAX_STACKS: usize = 2_500;

/// A nested stack that doesn't exist yet.
pub(crate) struct NewNestedStack {
    pub owner: Caller,
    pub name: String,
    /// The ARN.
    pub id: String,
    pub settings: StackSettings,
    pub nested_in: ParentStack,
}

impl Engine<'_> {
    /// Begins to create the nested stack of a resource, or to update it if it exists.
    pub(crate) fn initiate_nested(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        resource: &ResourceRecord,
        at: Timestamp,
    ) {
        let started = match resource.child {
            Some(child) => self.update_nested(number, id, child, resource, at),
            None => self.create_nested(number, id, resource, at).map(|()| true),
        };
        match started {
            Ok(true) => {}
            // The nested stack doesn't change.
            Ok(false) => self.complete_task(number, task, at),
            Err(error) => self.finish_task(number, task, Some(error.message), at),
        }
    }

    fn create_nested(
        &mut self,
        number: StackNumber,
        id: &str,
        resource: &ResourceRecord,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        let child_in_review = self.child_in_review(number, id);
        let NewNestedStack {
            owner,
            name,
            id: stack_id,
            settings,
            nested_in,
        } = self.new_nested(
            number,
            id,
            &self.stack(number).settings,
            &resource.properties,
        )?;
        let (name, stack_id) = match child_in_review.map(|child| self.stack(child)) {
            Some(stack) => (stack.name.to_string(), stack.id.to_string()),
            None => (name, stack_id),
        };
        let (text, parameter_values) = nested_stack_input(self.cloud, &resource.properties)?;
        let made_up = self.made_up_parameters(number, id);
        let source = self.state.templates.read(&text)?;
        let target = RevisionTarget {
            caller: &owner,
            name: &name,
            id: &stack_id,
            notification_arns: &settings.notification_arns,
            number: None,
        };
        let evaluated = evaluate_nested_revision(
            self.cloud,
            self.state,
            target,
            &source,
            parameter_values,
            &made_up,
            &settings.capabilities,
        )?;
        let child = match child_in_review {
            Some(child) => {
                let stack = self.state.stack_mut(child);
                stack.settings = settings;
                stack.updated = Some(at);
                child
            }
            None => self.add_stack(&owner, &name, &stack_id, settings, Some(nested_in), at),
        };
        if let Some(resource) = self.resource_mut(number, id) {
            resource.child = Some(child);
            resource.physical_id = Some(stack_id.into());
        }
        self.set_resource_status(
            number,
            id,
            ResourceStatus::CreateInProgress,
            Some("Resource creation Initiated".into()),
            at,
        );
        self.begin_creation(child, evaluated.accept(), at);
        Ok(())
    }

    /// Returns the nested stack that a resource would create.
    ///
    /// # Errors
    /// Fails if it would exceed the limits of nested stacks.
    pub(crate) fn new_nested(
        &self,
        parent: StackNumber,
        logical_id: &str,
        inherited: &StackSettings,
        properties: &ResourceProperties,
    ) -> Result<NewNestedStack, ServiceError> {
        let stack = self.stack(parent);
        let root = stack
            .nested_in
            .as_ref()
            .map_or(parent, |nested| nested.root);
        self.check_nesting_limits(parent, root)?;
        let random = Alphanumeric
            .sample_string(&mut rand::rng(), 12)
            .to_uppercase();
        let name = format!("{}-{logical_id}-{random}", stack.name);
        let minutes = properties.get("TimeoutInMinutes").and_then(Value::as_text);
        let settings = StackSettings {
            tags: nested_stack_tags(inherited, properties),
            capabilities: inherited.capabilities.clone(),
            notification_arns: inherited.notification_arns.clone(),
            role_arn: inherited.role_arn.clone(),
            timeout_minutes: minutes.and_then(|minutes| minutes.parse().ok()),
            on_failure: OnFailure::DoNothing,
            disable_rollback: true,
            ..StackSettings::default()
        };
        Ok(NewNestedStack {
            owner: stack.owner.clone(),
            id: new_id(&stack.owner, &name),
            name,
            settings,
            nested_in: ParentStack {
                parent,
                root,
                logical_id: logical_id.to_owned(),
            },
        })
    }

    /// Returns the nested stack that the executed change set has created for a resource.
    fn child_in_review(&self, parent: StackNumber, logical_id: &str) -> Option<StackNumber> {
        let children = self.children_in_review(parent);
        children.into_iter().find(|child| {
            let child = self.stack(*child);
            let is_of_resource = child
                .nested_in
                .as_ref()
                .is_some_and(|nested| nested.logical_id == logical_id);
            is_of_resource && child.change_set_id.is_some()
        })
    }

    /// Returns the nested stacks that exist only for a change set.
    fn children_in_review(&self, parent: StackNumber) -> Vec<StackNumber> {
        let is_child = |nested: &ParentStack| nested.parent == parent;
        let stacks = self.state.stacks_of(&self.stack(parent).owner);
        let children = stacks.filter(|(_, stack)| stack.nested_in.as_ref().is_some_and(is_child));
        children
            .filter(|(_, stack)| stack.status == StackStatus::ReviewInProgress)
            .map(|(number, _)| number)
            .collect()
    }

    /// Deletes the nested stacks that a finished operation hasn't created, at any depth.
    pub(crate) fn delete_children_in_review(&mut self, number: StackNumber, at: Timestamp) {
        for child in self.children_in_review(number) {
            self.delete_in_review(child, at);
        }
    }

    /// Deletes a stack that exists only for a change set.
    pub(crate) fn delete_in_review(&mut self, number: StackNumber, at: Timestamp) {
        if self.stack(number).status != StackStatus::ReviewInProgress {
            return;
        }
        self.delete_children_in_review(number, at);
        self.set_status(number, StackStatus::DeleteComplete, None, at);
        self.state.release_name(number);
        let stack = self.state.stack_mut(number);
        stack.deleted = Some(at);
        stack.change_sets.clear();
    }

    /// Rolls back a nested stack whose own rollback has failed, which happens only if the rollback
    /// of its root is continued.
    pub(crate) fn roll_back_nested(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        resource: &ResourceRecord,
        at: Timestamp,
    ) {
        let is_continued = self.stack(number).operations.last().map(|it| it.kind)
            == Some(OperationKind::ContinueRollback);
        let before = resource.child.filter(|_| is_continued).and_then(|child| {
            let before = self.state.stack_mut(child).rollback_target.take()?;
            Some((child, *before))
        });
        match before {
            Some((child, before)) => {
                self.set_resource_status(number, id, ResourceStatus::UpdateInProgress, None, at);
                self.roll_back_update(child, before, None, at);
            }
            None => {
                let reason = resource.child.map(|child| {
                    let stack = self.stack(child);
                    format!(
                        "Embedded stack {} was not successfully updated. Currently in {}",
                        stack.id, stack.status
                    )
                });
                self.finish_task(number, task, reason, at);
            }
        }
    }

    /// Returns the parameters of a nested stack whose values contain something that the simulator
    /// made up.
    fn made_up_parameters(&self, number: StackNumber, id: &str) -> BTreeSet<String> {
        let known =
            revision::evaluate_without_made_up(self.cloud, self.state, number, |evaluator| {
                evaluator.one_resource(id)
            });
        let resource = known.and_then(Result::ok).flatten();
        match resource
            .as_ref()
            .and_then(|resource| resource.properties()?.get("Parameters"))
        {
            Some(Value::Map(parameters)) => {
                let unknown = parameters
                    .iter()
                    .filter(|(_, value)| value.unknown().is_some());
                unknown.map(|(key, _)| key.clone()).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// Begins to update a nested stack; returns false if nothing changes.
    fn update_nested(
        &mut self,
        number: StackNumber,
        id: &str,
        child: StackNumber,
        resource: &ResourceRecord,
        at: Timestamp,
    ) -> Result<bool, ServiceError> {
        let (text, parameter_values) = nested_stack_input(self.cloud, &resource.properties)?;
        let made_up = self.made_up_parameters(number, id);
        let source = self.state.templates.read(&text)?;
        let stack = self.stack(child);
        let target = RevisionTarget {
            caller: &stack.owner,
            name: &stack.name,
            id: &stack.id,
            notification_arns: &stack.settings.notification_arns,
            number: Some(child),
        };
        let capabilities = &stack.settings.capabilities;
        let evaluated = evaluate_nested_revision(
            self.cloud,
            self.state,
            target,
            &source,
            parameter_values,
            &made_up,
            capabilities,
        )?;
        let settings = StackSettings {
            tags: nested_stack_tags(&self.stack(number).settings, &resource.properties),
            ..self.stack(child).settings.clone()
        };
        if !self.would_change(child, &evaluated) && settings.tags == self.stack(child).settings.tags
        {
            return Ok(false);
        }
        self.set_resource_status(number, id, ResourceStatus::UpdateInProgress, None, at);
        self.begin_update(child, evaluated.accept(), Some(settings), at);
        Ok(true)
    }

    /// Begins to delete a nested stack.
    pub(crate) fn delete_nested(
        &mut self,
        number: StackNumber,
        task: usize,
        child: StackNumber,
        at: Timestamp,
    ) {
        if self.stack(child).is_deleted() {
            return self.finish_task(number, task, None, at);
        }
        let is_forced = self
            .operation(number)
            .is_some_and(|operation| operation.is_forced);
        self.begin_deletion(child, None, std::iter::empty(), is_forced, at);
    }

    /// Cancels a nested stack whose parent was cancelled.
    pub(crate) fn cancel_nested(&mut self, child: StackNumber, at: Timestamp) {
        if self
            .operation(child)
            .is_some_and(|it| matches!(it.phase, OperationPhase::Create | OperationPhase::Update))
        {
            self.cancel(child, at);
        }
    }

    /// Notifies the parent that its nested stack has ended, with the reason if it failed.
    pub(crate) fn notify_parent(
        &mut self,
        child: StackNumber,
        phase: OperationPhase,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let stack = self.stack(child);
        let Some(ParentStack {
            parent, logical_id, ..
        }) = stack.nested_in.clone()
        else {
            return;
        };
        let embedded = |reason: String| {
            let id = &stack.id;
            match phase {
                OperationPhase::Create => {
                    format!("Embedded stack {id} was not successfully created: {reason}")
                }
                OperationPhase::Rollback | OperationPhase::Delete => {
                    format!("Embedded stack {id} was not successfully deleted: {reason}")
                }
                OperationPhase::Update
                | OperationPhase::UpdateRollback
                | OperationPhase::UpdateCompleteCleanup
                | OperationPhase::UpdateRollbackCompleteCleanup
                | OperationPhase::Import => {
                    format!(
                        "Embedded stack {id} was not successfully updated. Currently in {} with \
                         reason: {reason}",
                        stack.status
                    )
                }
            }
        };
        let reason = reason.map(embedded);
        let last_event_at = stack.last_event_at.max(self.stack(parent).last_event_at);
        self.state.stack_mut(parent).last_event_at = last_event_at;
        let Some(operation) = self.operation(parent) else {
            return;
        };
        let waits =
            |task: &ResourceTask| task.logical_id == logical_id && task.state == TaskState::Running;
        if let Some(task) = operation.tasks.iter().position(waits) {
            self.finish_task(parent, task, reason, at);
        }
    }

    fn check_nesting_limits(
        &self,
        parent: StackNumber,
        root: StackNumber,
    ) -> Result<(), ServiceError> {
        let mut depth = 1;
        let mut above = self.stack(parent).nested_in.as_ref();
        while let Some(nested) = above {
            depth += 1;
            above = self.stack(nested.parent).nested_in.as_ref();
        }
        let of_root = |nested: &ParentStack| nested.root == root;
        let owner = &self.stack(root).owner;
        let related = self
            .state
            .stacks_of(owner)
            .filter(|(_, stack)| stack.nested_in.as_ref().is_some_and(of_root))
            .count();
        if depth > MAX_DEPTH || related >= MAX_STACKS {
            return Err(invalid(
                "Nested stacks of this stack have exceeded the limit of the simulator.",
            ));
        }
        Ok(())
    }
}
