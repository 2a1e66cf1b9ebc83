//! Change sets of nested stacks, which are created and deleted with their root's change set.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/change-sets-for-nested-stacks.html>

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::simulator::cloudformation::engine::{BY_USER, Engine, NewNestedStack};
use crate::simulator::cloudformation::evaluation::comparison::resource_changes;
use crate::simulator::cloudformation::evaluation::context::KNOWN_AFTER_APPLY;
use crate::simulator::cloudformation::evaluation::nested::{nested_stack_input, nested_stack_tags};
use crate::simulator::cloudformation::evaluation::revision::{
    EvaluatedRevision, RevisionTarget, evaluate_nested_revision, is_unsupported_macro,
};
use crate::simulator::cloudformation::resource::ResourceProperties;
use crate::simulator::cloudformation::state::change_set::{
    ChangeAction, ChangeSetRecord, ChangeSetType, ExecutionStatus, ResourceChange, ResourceChanges,
};
use crate::simulator::cloudformation::state::parsed_template::ParsedTemplate;
use crate::simulator::cloudformation::state::resource_record::STACK;
use crate::simulator::cloudformation::state::settings::{StackNumber, StackSettings};
use crate::status::StackStatus;
use crate::template::Value;

/// The change set whose nested stacks get change sets.
pub(crate) struct ParentChangeSet<'a> {
    pub number: StackNumber,
    pub name: &'a str,
    pub id: &'a str,
    /// The ID of the root's change set.
    pub root: &'a str,
    /// The stack's settings after the change set's execution.
    pub settings: &'a StackSettings,
}

/// The template and parameters of a nested stack.
struct NestedStackInput {
    source: Arc<ParsedTemplate>,
    parameter_values: IndexMap<String, String>,
    /// Parameters whose values are known only after the execution.
    unknown: BTreeSet<String>,
}

impl Engine<'_> {
    /// Creates change sets for the nested stacks that are added or modified, at any depth.
    ///
    /// # Errors
    /// Returns CloudFormation's message for the one that failed, which makes the parent's fail as
    /// well.
    pub(crate) fn create_nested_change_sets(
        &mut self,
        parent: &ParentChangeSet,
        evaluated: &EvaluatedRevision,
        changes: &mut ResourceChanges,
        nested: &mut Vec<(StackNumber, String)>,
    ) -> Result<(), String> {
        let is_nested = |it: &&ResourceChange| {
            it.kind == STACK && matches!(it.action, ChangeAction::Add | ChangeAction::Modify)
        };
        let ids: Vec<String> = changes
            .by_name
            .iter()
            .filter(is_nested)
            .map(|it| it.logical_id.clone())
            .collect();
        let mut failed = None;
        for id in ids {
            let properties = evaluated
                .stack
                .resources
                .get(&id)
                .and_then(|it| it.properties());
            let Some((child, change_set)) =
                properties.and_then(|it| self.nested_change_set(parent, &id, it, nested))
            else {
                continue;
            };
            for list in [&mut changes.by_name, &mut changes.by_value] {
                if let Some(change) = list.iter_mut().find(|it| it.logical_id == id) {
                    change.change_set = Some(change_set.id.clone());
                }
            }
            if change_set.failure.is_some() {
                let id = &change_set.id;
                failed = Some(format!(
                    "Nested change set {id} was not successfully created: Currently in FAILED."
                ));
            }
            nested.push((child, change_set.id.clone()));
            self.state
                .stack_mut(child)
                .change_sets
                .insert(change_set.id.clone(), change_set);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Creates the change set of one nested stack; returns none if its template can't be read,
    /// which its creation will report.
    fn nested_change_set(
        &mut self,
        parent: &ParentChangeSet,
        logical_id: &str,
        properties: &ResourceProperties,
        nested: &mut Vec<(StackNumber, String)>,
    ) -> Option<(StackNumber, ChangeSetRecord)> {
        let template = self.nested_stack_values(properties)?;
        let existing = self
            .state
            .stack(parent.number)
            .resources
            .get(logical_id)
            .and_then(|it| it.child);
        let (new, settings) = match existing.map(|child| self.state.stack(child)) {
            Some(stack) => (
                None,
                StackSettings {
                    tags: nested_stack_tags(parent.settings, properties),
                    ..stack.settings.clone()
                },
            ),
            None => {
                let new = self
                    .new_nested(parent.number, logical_id, parent.settings, properties)
                    .ok()?;
                let settings = new.settings.clone();
                (Some(new), settings)
            }
        };
        let (owner, stack_name, stack_id) =
            match (&new, existing.map(|child| self.state.stack(child))) {
                (
                    Some(NewNestedStack {
                        owner, name, id, ..
                    }),
                    _,
                ) => (owner.clone(), name.clone(), id.clone()),
                (None, stack) => {
                    stack.map(|it| (it.owner.clone(), it.name.to_string(), it.id.to_string()))?
                }
            };
        let target = RevisionTarget {
            caller: &owner,
            name: &stack_name,
            id: &stack_id,
            notification_arns: &settings.notification_arns,
            number: existing,
        };
        let NestedStackInput {
            source,
            parameter_values,
            unknown,
        } = template;
        let capabilities = &settings.capabilities;
        let inner = evaluate_nested_revision(
            self.cloud,
            self.state,
            target,
            &source,
            parameter_values,
            &unknown,
            capabilities,
        );
        if inner
            .as_ref()
            .err()
            .is_some_and(|error| is_unsupported_macro(&error.message))
        {
            return None;
        }
        let child = match new {
            Some(new) => self.add_in_review(new),
            None => existing?,
        };
        let name = format!("{}-{logical_id}", parent.name);
        let mut change_set = ChangeSetRecord {
            kind: if existing.is_some() {
                ChangeSetType::Update
            } else {
                ChangeSetType::Create
            },
            includes_nested_stacks: true,
            parent: Some(parent.id.to_owned()),
            root: Some(parent.root.to_owned()),
            ..self.new_change_set(&owner, &name, source, settings)
        };
        let inner = match inner {
            Ok(inner) => inner,
            Err(error) => {
                change_set.failure = Some(error.message);
                return Some((child, change_set));
            }
        };
        change_set.changes = resource_changes(
            self.cloud,
            self.state,
            child,
            &inner,
            &change_set.settings,
            true,
        );
        let own = ParentChangeSet {
            number: child,
            name: &change_set.name,
            id: &change_set.id,
            root: parent.root,
            settings: &change_set.settings,
        };
        change_set.failure = self
            .create_nested_change_sets(&own, &inner, &mut change_set.changes, nested)
            .err();
        change_set.accepted = Some(inner.accept());
        Some((child, change_set))
    }

    fn nested_stack_values(&mut self, properties: &ResourceProperties) -> Option<NestedStackInput> {
        let (text, mut parameter_values) = nested_stack_input(self.cloud, properties).ok()?;
        let unknown: BTreeSet<String> = match properties.get("Parameters") {
            Some(Value::Map(parameters)) => {
                let unknown = parameters
                    .iter()
                    .filter(|(_, value)| value.unknown().is_some());
                unknown.map(|(key, _)| key.clone()).collect()
            }
            _ => BTreeSet::new(),
        };
        parameter_values.extend(
            unknown
                .iter()
                .map(|key| (key.clone(), KNOWN_AFTER_APPLY.to_owned())),
        );
        let source = self.state.templates.read(&text).ok()?;
        Some(NestedStackInput {
            source,
            parameter_values,
            unknown,
        })
    }

    /// Adds a nested stack that exists only for its change set.
    fn add_in_review(&mut self, new: NewNestedStack) -> StackNumber {
        let NewNestedStack {
            owner,
            name,
            id,
            nested_in,
            ..
        } = new;
        let child = self.add_stack(
            &owner,
            &name,
            &id,
            StackSettings::default(),
            Some(nested_in),
            self.now,
        );
        let reason = Some(BY_USER.to_owned());
        self.state
            .stack_mut(child)
            .set_status(StackStatus::ReviewInProgress, reason, self.now);
        child
    }

    /// Marks the change sets of nested stacks as executed with their root's.
    pub(crate) fn execute_nested_change_sets(&mut self, nested: Vec<(StackNumber, String)>) {
        for (number, id) in nested {
            let stack = self.state.stack_mut(number);
            if let Some(change_set) = stack.change_sets.get_mut(&id) {
                change_set.execution = ExecutionStatus::ExecuteInProgress;
                stack.change_set_id = Some(id);
            }
        }
    }

    /// Deletes the change sets of nested stacks, and the stacks that exist only for them.
    pub(crate) fn delete_nested_change_sets(&mut self, nested: Vec<(StackNumber, String)>) {
        for (number, id) in nested {
            self.state.stack_mut(number).change_sets.shift_remove(&id);
            self.delete_in_review(number, self.now);
        }
    }
}
