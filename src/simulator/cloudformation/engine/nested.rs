//! Stacks in stacks: each is a stack of its own, which tells its parent how it ended.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::Timestamp;
use rand::distr::{Alphanumeric, SampleString};

use super::super::revision::{self, Target, foresee_nested};
use super::super::source;
use super::super::stack::{
    NestedIn, OnFailure, OperationKind, Resource, STACK, Settings, StackNumber,
};
use super::super::{ServiceError, invalid};
use super::calls::new_id;
use super::{Engine, Phase, TaskState, effect};
use crate::simulator::{Caller, Cloud};
use crate::status::{ResourceStatus, StackStatus};
use crate::template::Value;

/// How deep stacks nest, and how many there may be of one root, so that a template that nests
/// itself comes to an end (the second is CloudFormation's quota for the operations of one
/// hierarchy).
const MAX_DEPTH: usize = 10;
const MAX_STACKS: usize = 2_500;

/// A nested stack to be.
pub struct NewNested {
    pub owner: Caller,
    pub name: String,
    /// ARN.
    pub id: String,
    pub settings: Settings,
    pub nested_in: NestedIn,
}

impl Engine<'_> {
    /// The nested stack of a resource begins to be created, or updated where there is one.
    pub(super) fn initiate_nested(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        resource: &Resource,
        at: Timestamp,
    ) {
        let begun = match resource.child {
            Some(child) => self.update_nested(number, id, child, resource, at),
            None => self.create_nested(number, id, resource, at).map(|()| true),
        };
        match begun {
            Ok(true) => {}
            // Nothing in it changes.
            Ok(false) => self.done(number, task, at),
            Err(error) => self.finish(number, task, Some(error.message), at),
        }
    }

    fn create_nested(
        &mut self,
        number: StackNumber,
        id: &str,
        resource: &Resource,
        at: Timestamp,
    ) -> Result<(), ServiceError> {
        let reviewed = self.reviewed(number, id);
        let NewNested {
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
        let (name, stack_id) = match reviewed.map(|child| self.stack(child)) {
            Some(stack) => (stack.name.to_string(), stack.id.to_string()),
            None => (name, stack_id),
        };
        let (text, given) = asked(self.cloud, &resource.properties)?;
        let made_up = self.made_up_parameters(number, id);
        let source = self.state.sources.read(&text)?;
        let target = Target {
            caller: &owner,
            name: &name,
            id: &stack_id,
            notification_arns: &settings.notification_arns,
            number: None,
        };
        let foreseen = foresee_nested(
            self.cloud,
            self.state,
            target,
            &source,
            given,
            &made_up,
            &settings.capabilities,
        )?;
        let child = match reviewed {
            Some(child) => {
                let stack = self.state.stack_mut(child);
                stack.settings = settings;
                stack.updated = Some(at);
                child
            }
            None => self.add_stack(&owner, &name, &stack_id, settings, Some(nested_in), at),
        };
        if let Some(resource) = self.state.stack_mut(number).resources.get_mut(id) {
            resource.child = Some(child);
            resource.physical_id = Some(stack_id.into());
        }
        self.resource_becomes(
            number,
            id,
            ResourceStatus::CreateInProgress,
            Some("Resource creation Initiated".into()),
            at,
        );
        self.begin_creation(child, foreseen.begun(), at);
        Ok(())
    }

    /// A stack that a resource would nest, which doesn't exist yet.
    ///
    /// # Errors
    /// It would nest too deep.
    pub fn new_nested(
        &self,
        parent: StackNumber,
        logical_id: &str,
        inherited: &Settings,
        properties: &IndexMap<String, Value>,
    ) -> Result<NewNested, ServiceError> {
        let stack = self.stack(parent);
        let root = stack
            .nested_in
            .as_ref()
            .map_or(parent, |nested| nested.root);
        self.bound(parent, root)?;
        let random = Alphanumeric
            .sample_string(&mut rand::rng(), 12)
            .to_uppercase();
        let name = format!("{}-{logical_id}-{random}", stack.name);
        let minutes = properties.get("TimeoutInMinutes").and_then(Value::as_text);
        let settings = Settings {
            tags: tags(inherited, properties),
            capabilities: inherited.capabilities.clone(),
            notification_arns: inherited.notification_arns.clone(),
            role_arn: inherited.role_arn.clone(),
            timeout_minutes: minutes.and_then(|minutes| minutes.parse().ok()),
            on_failure: OnFailure::DoNothing,
            disable_rollback: true,
            ..Settings::default()
        };
        Ok(NewNested {
            owner: stack.owner.clone(),
            id: new_id(&stack.owner, &name),
            name,
            settings,
            nested_in: NestedIn {
                parent,
                root,
                logical_id: logical_id.to_owned(),
            },
        })
    }

    /// The nested stack that the change set under way has created for a resource.
    fn reviewed(&self, parent: StackNumber, logical_id: &str) -> Option<StackNumber> {
        let children = self.reviewed_children(parent);
        children.into_iter().find(|child| {
            let child = self.stack(*child);
            let is_of_resource = child
                .nested_in
                .as_ref()
                .is_some_and(|nested| nested.logical_id == logical_id);
            is_of_resource && child.change_set_id.is_some()
        })
    }

    /// The nested stacks of which only change sets exist.
    fn reviewed_children(&self, parent: StackNumber) -> Vec<StackNumber> {
        let is_child = |nested: &NestedIn| nested.parent == parent;
        let stacks = self.state.of(&self.stack(parent).owner);
        let children = stacks.filter(|(_, stack)| stack.nested_in.as_ref().is_some_and(is_child));
        children
            .filter(|(_, stack)| stack.status == StackStatus::ReviewInProgress)
            .map(|(number, _)| number)
            .collect()
    }

    /// Deletes the nested stacks that a finished operation hasn't created, and all of their own.
    pub(super) fn forget_reviewed(&mut self, number: StackNumber, at: Timestamp) {
        for child in self.reviewed_children(number) {
            self.delete_reviewed(child, at);
        }
    }

    /// Deletes a stack of which only a change set exists.
    pub fn delete_reviewed(&mut self, number: StackNumber, at: Timestamp) {
        if self.stack(number).status != StackStatus::ReviewInProgress {
            return;
        }
        self.forget_reviewed(number, at);
        self.becomes(number, StackStatus::DeleteComplete, None, at);
        self.state.forget_name(number);
        let stack = self.state.stack_mut(number);
        stack.deleted = Some(at);
        stack.change_sets.clear();
    }

    /// A nested stack whose own rollback has failed is rolled back only where the rollback of its
    /// root is continued.
    pub(super) fn restore_nested(
        &mut self,
        number: StackNumber,
        task: usize,
        id: &str,
        resource: &Resource,
        at: Timestamp,
    ) {
        let is_continued = self.stack(number).operations.last().map(|it| it.kind)
            == Some(OperationKind::ContinueRollback);
        let before = resource.child.filter(|_| is_continued).and_then(|child| {
            let before = self.state.stack_mut(child).unsettled.take()?;
            Some((child, *before))
        });
        match before {
            Some((child, before)) => {
                self.resource_becomes(number, id, ResourceStatus::UpdateInProgress, None, at);
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
                self.finish(number, task, reason, at);
            }
        }
    }

    /// The parameters to which a nested stack gets something that the simulator made up.
    fn made_up_parameters(&self, number: StackNumber, id: &str) -> BTreeSet<String> {
        let known = revision::without_made_up(self.cloud, self.state, number, |evaluator| {
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

    /// Whether there is anything to update.
    fn update_nested(
        &mut self,
        number: StackNumber,
        id: &str,
        child: StackNumber,
        resource: &Resource,
        at: Timestamp,
    ) -> Result<bool, ServiceError> {
        let (text, given) = asked(self.cloud, &resource.properties)?;
        let made_up = self.made_up_parameters(number, id);
        let source = self.state.sources.read(&text)?;
        let stack = self.stack(child);
        let target = Target {
            caller: &stack.owner,
            name: &stack.name,
            id: &stack.id,
            notification_arns: &stack.settings.notification_arns,
            number: Some(child),
        };
        let capabilities = &stack.settings.capabilities;
        let foreseen = foresee_nested(
            self.cloud,
            self.state,
            target,
            &source,
            given,
            &made_up,
            capabilities,
        )?;
        let settings = Settings {
            tags: tags(&self.stack(number).settings, &resource.properties),
            ..self.stack(child).settings.clone()
        };
        if !self.would_change(child, &foreseen) && settings.tags == self.stack(child).settings.tags
        {
            return Ok(false);
        }
        self.resource_becomes(number, id, ResourceStatus::UpdateInProgress, None, at);
        self.begin_update(child, foreseen.begun(), Some(settings), at);
        Ok(true)
    }

    pub(super) fn delete_nested(
        &mut self,
        number: StackNumber,
        task: usize,
        child: StackNumber,
        at: Timestamp,
    ) {
        if self.stack(child).is_deleted() {
            return self.finish(number, task, None, at);
        }
        let is_forced = self
            .operation(number)
            .is_some_and(|operation| operation.is_forced);
        self.begin_deletion(child, None, std::iter::empty(), is_forced, at);
    }

    /// The parent goes another way, and doesn't wait any more.
    pub(super) fn cancel_nested(&mut self, child: StackNumber, at: Timestamp) {
        if self
            .operation(child)
            .is_some_and(|it| matches!(it.phase, Phase::Create | Phase::Update))
        {
            self.cancel(child, at);
        }
    }

    /// Tells the parent that its nested stack has ended, well or with a reason.
    pub(super) fn report(
        &mut self,
        child: StackNumber,
        phase: Phase,
        reason: Option<String>,
        at: Timestamp,
    ) {
        let stack = self.stack(child);
        let Some(NestedIn {
            parent, logical_id, ..
        }) = stack.nested_in.clone()
        else {
            return;
        };
        let embedded = |reason: String| {
            let id = &stack.id;
            match phase {
                Phase::Create => {
                    format!("Embedded stack {id} was not successfully created: {reason}")
                }
                Phase::Rollback | Phase::Delete => {
                    format!("Embedded stack {id} was not successfully deleted: {reason}")
                }
                Phase::Update | Phase::UpdateRollback | Phase::Cleanup { .. } | Phase::Import => {
                    format!(
                        "Embedded stack {id} was not successfully updated. Currently in {} with \
                         reason: {reason}",
                        stack.status
                    )
                }
            }
        };
        let reason = reason.map(embedded);
        let latest = stack.latest.max(self.stack(parent).latest);
        self.state.stack_mut(parent).latest = latest;
        let Some(operation) = self.operation(parent) else {
            return;
        };
        let waits =
            |task: &super::Task| task.logical_id == logical_id && task.state == TaskState::Running;
        if let Some(task) = operation.tasks.iter().position(waits) {
            self.finish(parent, task, reason, at);
        }
    }

    fn bound(&self, parent: StackNumber, root: StackNumber) -> Result<(), ServiceError> {
        let mut depth = 1;
        let mut above = self.stack(parent).nested_in.as_ref();
        while let Some(nested) = above {
            depth += 1;
            above = self.stack(nested.parent).nested_in.as_ref();
        }
        let of_root = |nested: &NestedIn| nested.root == root;
        let owner = &self.stack(root).owner;
        let related = self
            .state
            .of(owner)
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

/// The template and the parameters that the properties of a nested stack ask for.
///
/// # Errors
/// There is no such template.
pub fn asked(
    cloud: &Cloud,
    properties: &IndexMap<String, Value>,
) -> Result<(String, IndexMap<String, String>), ServiceError> {
    let url = properties.get("TemplateURL").and_then(Value::as_text);
    let url = url.ok_or_else(|| invalid(format!("{STACK} must have a TemplateURL.")))?;
    let text = source::of_nested(cloud, &url)?;
    let parameters = match properties.get("Parameters") {
        Some(Value::Map(entries)) => entries
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), sent(value)?)))
            .collect(),
        _ => IndexMap::new(),
    };
    Ok((text, parameters))
}

/// A value as a parameter: lists with commas.
fn sent(value: &Value) -> Option<String> {
    match value {
        Value::List(items) => Some(
            items
                .iter()
                .filter_map(Value::as_text)
                .collect::<Vec<_>>()
                .join(","),
        ),
        other => other.as_text(),
    }
}

/// The tags of a nested stack: those of its parent, and over them its own property
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stack.html>).
pub fn tags(parent: &Settings, properties: &IndexMap<String, Value>) -> Vec<(String, String)> {
    let own = effect::tags(properties);
    let is_kept = |(key, _): &&(String, String)| !own.iter().any(|(other, _)| other == key);
    parent
        .tags
        .iter()
        .filter(is_kept)
        .cloned()
        .chain(own.iter().cloned())
        .collect()
}
