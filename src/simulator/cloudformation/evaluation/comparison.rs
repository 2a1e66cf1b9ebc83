//! Compares a stack with a new revision: what an update does with each resource, and why.
//!
//! CloudFormation shows it in two ways. Without property values it names the properties that
//! change, and those that use an attribute of a modified resource, which may have another value
//! afterwards. With property values it compares what is known, down to single values, and doesn't
//! list values that merely may change.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html>

use super::context::{self, context};
use super::details::{
    CausingEntity, ValueDifference, automatic_detail, caused_detail, collect_differences,
    target_definition, value_details,
};
use super::nested::nested_stack_input;
use super::revision::{self, EvaluatedRevision};
use super::world::Visibility;
use crate::simulator::Cloud;
use crate::simulator::cloudformation::resource::{self, RequiresRecreation, ResourceProperties};
use crate::simulator::cloudformation::state::CloudFormationState;
use crate::simulator::cloudformation::state::change_set::{
    ChangeAction, ChangeSource, ResourceChange, ResourceChangeDetail, ResourceChanges,
    ResourceTargetDefinition,
};
use crate::simulator::cloudformation::state::resource_record::ResourceRecord;
use crate::simulator::cloudformation::state::revision::{Revision, changed_parameters};
use crate::simulator::cloudformation::state::settings::{StackNumber, StackSettings};
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::template::{self, Evaluator, ReferencedValue, Value, mentioned};
use indexmap::IndexMap;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Returns whether an update would do anything with a resource.
pub(crate) fn changes_resources(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    evaluated: &EvaluatedRevision,
) -> bool {
    !StackComparison::new(cloud, state, number, evaluated).is_empty()
}

/// Returns what an update to the evaluated revision and these settings would do with each resource.
/// Unless nested stacks are included, each of them may change.
pub(crate) fn resource_changes(
    cloud: &Cloud,
    state: &CloudFormationState,
    number: StackNumber,
    evaluated: &EvaluatedRevision,
    settings: &StackSettings,
    includes_nested_stacks: bool,
) -> ResourceChanges {
    let mut comparison = StackComparison::new(cloud, state, number, evaluated);
    comparison.includes_nested_stacks = includes_nested_stacks;
    comparison.find_replaced();
    let mut changes = comparison.evaluator(|evaluator| comparison.changes(&evaluator));
    if settings.tags != comparison.stack.settings.tags {
        comparison.add_tag_changes(&mut changes.by_name);
        comparison.add_tag_changes(&mut changes.by_value);
    }
    for list in [&mut changes.by_name, &mut changes.by_value] {
        list.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
    }
    changes
}

/// Returns whether a nested stack's template or parameters differ from what it has.
fn has_nested_changes(
    cloud: &Cloud,
    state: &CloudFormationState,
    child: StackNumber,
    properties: &ResourceProperties,
) -> bool {
    let child = state.stack(child);
    let Some(revision) = &child.revision else {
        return true;
    };
    // A template that can't be read makes the update fail, which is a change.
    let Ok((text, parameter_values)) = nested_stack_input(cloud, properties) else {
        return true;
    };
    *text != *revision.source.text || parameter_values != revision.parameter_values
}

struct StackComparison<'e> {
    cloud: &'e Cloud,
    state: &'e CloudFormationState,
    number: StackNumber,
    stack: &'e StackRecord,
    revision: &'e Revision,
    /// The stack's current template, evaluated.
    before: template::EvaluatedStack,
    after: Cow<'e, template::EvaluatedStack>,
    /// Resources that will certainly be replaced.
    replaced: BTreeSet<String>,
    /// Parameters with new values.
    parameters: BTreeSet<String>,
    includes_nested_stacks: bool,
}

impl<'e> StackComparison<'e> {
    fn new(
        cloud: &'e Cloud,
        state: &'e CloudFormationState,
        number: StackNumber,
        evaluated: &'e EvaluatedRevision,
    ) -> Self {
        let stack = state.stack(number);
        let evaluate = |old: &Revision| {
            revision::with_evaluator(cloud, state, number, old, Visibility::default(), |it| {
                template::evaluated_stack(it)
            })
        };
        let old = stack.revision.as_ref();
        Self {
            cloud,
            state,
            number,
            stack,
            revision: &evaluated.revision,
            before: old.map(evaluate).unwrap_or_default(),
            after: Cow::Borrowed(&evaluated.stack),
            replaced: BTreeSet::new(),
            parameters: old
                .map(|old| changed_parameters(old, &evaluated.revision))
                .unwrap_or_default(),
            includes_nested_stacks: true,
        }
    }

    /// Calls `ask` with the new template's evaluator, in which attributes of replaced resources are
    /// unknown.
    fn evaluator<T>(&self, ask: impl FnOnce(Evaluator) -> T) -> T {
        let visibility = Visibility {
            replaced: Some(&self.replaced),
            ..Visibility::default()
        };
        revision::with_evaluator(
            self.cloud,
            self.state,
            self.number,
            self.revision,
            visibility,
            ask,
        )
    }

    /// Returns a resource that the stack has.
    fn existing(&self, id: &str) -> Option<&'e ResourceRecord> {
        self.stack.resources.get(id).filter(|it| exists(it))
    }

    fn removed(&self) -> impl Iterator<Item = (&'e String, &'e ResourceRecord)> {
        let wanted = |id: &String| self.after.resources.contains_key(id);
        self.stack
            .resources
            .iter()
            .filter(move |(id, existing)| exists(existing) && !wanted(id))
    }

    fn is_empty(&self) -> bool {
        let is_same = |(id, wanted): (&String, &template::EvaluatedResource)| {
            self.existing(id).is_some_and(|existing| {
                self.differences(id, existing, wanted).is_empty()
                    && !self.changes_nested_stack(existing, wanted)
            })
        };
        self.removed().next().is_none() && self.after.resources.iter().all(is_same)
    }

    fn changes_nested_stack(
        &self,
        existing: &ResourceRecord,
        wanted: &template::EvaluatedResource,
    ) -> bool {
        let none = IndexMap::new();
        let properties = wanted.properties().unwrap_or(&none);
        existing
            .child
            .is_some_and(|child| has_nested_changes(self.cloud, self.state, child, properties))
    }

    /// Finds the resources that are replaced: also those that use the ID or an attribute of a
    /// replaced one in a property that requires recreation.
    fn find_replaced(&mut self) {
        loop {
            let is_replaced = |(id, wanted): &(&String, &template::EvaluatedResource)| {
                let always = |existing| {
                    self.differences(id, existing, wanted)
                        .iter()
                        .any(|it| it.requires_recreation == RequiresRecreation::Always)
                };
                self.existing(id).is_some_and(always)
            };
            let found: BTreeSet<String> = self
                .after
                .resources
                .iter()
                .filter(is_replaced)
                .map(|(id, _)| id.clone())
                .collect();
            if found.is_subset(&self.replaced) {
                return;
            }
            self.replaced.extend(found);
            self.after = Cow::Owned(self.evaluator(template::evaluated_stack));
        }
    }

    /// Returns the values of a resource that differ.
    fn differences(
        &self,
        id: &str,
        existing: &ResourceRecord,
        wanted: &template::EvaluatedResource,
    ) -> Vec<ValueDifference> {
        let none = IndexMap::new();
        let properties = wanted.properties().unwrap_or(&none);
        let replaced: BTreeMap<String, RequiresRecreation> =
            resource::property_changes(&wanted.kind, &existing.properties, properties)
                .into_iter()
                .map(|it| (it.property, it.requires_recreation))
                .collect();
        let mut differences = Vec::new();
        for (property, requires_recreation) in &replaced {
            let mut path = vec!["Properties".to_owned(), property.clone()];
            let first = differences.len();
            collect_differences(
                &mut path,
                existing.properties.get(property),
                properties.get(property),
                &mut differences,
            );
            for difference in &mut differences[first..] {
                difference.requires_recreation =
                    resource::recreation_at(&wanted.kind, &difference.path[1..])
                        .min(*requires_recreation);
            }
        }
        for part in context::SHOWN
            .into_iter()
            .filter(|part| *part != "Properties")
        {
            let before = self
                .before
                .resources
                .get(id)
                .and_then(|it| it.body.get(part));
            collect_differences(
                &mut vec![part.to_owned()],
                before,
                wanted.body.get(part),
                &mut differences,
            );
        }
        // CloudFormation lists metadata before properties, and update policies after them.
        differences.sort_by(|one, other| one.path.first().cmp(&other.path.first()));
        differences
    }

    fn changes(&self, evaluator: &Evaluator) -> ResourceChanges {
        let mut changes = ResourceChanges::default();
        for (id, wanted) in &self.after.resources {
            let Some(existing) = self.existing(id) else {
                let added = ResourceChange::new(ChangeAction::Add, id, None, &wanted.kind);
                changes.by_value.push(ResourceChange {
                    after: Some(self.after(wanted)),
                    ..added.clone()
                });
                changes.by_name.push(added);
                continue;
            };
            let differences = self.differences(id, existing, wanted);
            let mut by_value: Vec<ResourceChangeDetail> = differences
                .iter()
                .flat_map(|difference| {
                    value_details(
                        &wanted.kind,
                        difference,
                        &self.causes(evaluator, id, &difference.path),
                    )
                })
                .collect();
            let mut by_name = self.property_details(evaluator, id, &wanted.kind, &differences);
            let is_automatic = if self.includes_nested_stacks {
                differences.is_empty() && self.changes_nested_stack(existing, wanted)
            } else {
                existing.child.is_some()
            };
            if is_automatic {
                by_value.push(automatic_detail());
                by_name.push(automatic_detail());
            }
            if let Some(change) = self.modification(id, existing, wanted, by_name) {
                changes.by_name.push(change);
            }
            if let Some(change) = self.modification(id, existing, wanted, by_value) {
                let before = self
                    .before
                    .resources
                    .get(id)
                    .map(|it| context(&it.body, &existing.properties));
                changes.by_value.push(ResourceChange {
                    before,
                    after: Some(self.after(wanted)),
                    ..change
                });
            }
        }
        self.add_dynamic_details(evaluator, &mut changes.by_name);
        self.add_removals(&mut changes);
        changes
    }

    fn after(&self, wanted: &template::EvaluatedResource) -> String {
        context(
            &wanted.body,
            wanted.properties().unwrap_or(&IndexMap::new()),
        )
    }

    fn add_removals(&self, changes: &mut ResourceChanges) {
        let visibility = Visibility {
            hides_attributes: true,
            ..Visibility::default()
        };
        let cloud = self.cloud;
        let state = self.state;
        let evaluate = |old: &Revision| {
            revision::with_evaluator(
                cloud,
                state,
                self.number,
                old,
                visibility,
                template::evaluated_stack,
            )
        };
        let before = self
            .removed()
            .next()
            .and(self.stack.revision.as_ref())
            .map(evaluate);
        for (id, existing) in self.removed() {
            let removed = ResourceChange {
                policy_action: Some(deletion_policy_action(existing)),
                ..ResourceChange::new(
                    ChangeAction::Remove,
                    id,
                    existing.physical_id.as_deref(),
                    &existing.kind,
                )
            };
            let known = before.as_ref().and_then(|before| before.resources.get(id));
            let before =
                known.map(|it| context(&it.body, it.properties().unwrap_or(&existing.properties)));
            changes.by_value.push(ResourceChange {
                before,
                ..removed.clone()
            });
            changes.by_name.push(removed);
        }
    }

    fn modification(
        &self,
        id: &str,
        existing: &ResourceRecord,
        wanted: &template::EvaluatedResource,
        details: Vec<ResourceChangeDetail>,
    ) -> Option<ResourceChange> {
        let replacement = details
            .iter()
            .map(ResourceChangeDetail::replacement)
            .max()?;
        let policy = wanted
            .body
            .get("UpdateReplacePolicy")
            .and_then(Value::as_text);
        let replaced = match policy.as_deref() {
            Some("Retain") => "ReplaceAndRetain",
            Some("Snapshot") => "ReplaceAndSnapshot",
            _ => "ReplaceAndDelete",
        };
        let policy_action = (replacement == RequiresRecreation::Always).then_some(replaced);
        Some(ResourceChange {
            replacement: Some(replacement),
            policy_action,
            details,
            ..ResourceChange::new(
                ChangeAction::Modify,
                id,
                existing.physical_id.as_deref(),
                &wanted.kind,
            )
        })
    }

    /// Returns a detail for each property and each of its causes.
    fn property_details(
        &self,
        evaluator: &Evaluator,
        id: &str,
        kind: &str,
        differences: &[ValueDifference],
    ) -> Vec<ResourceChangeDetail> {
        let mut properties: Vec<(ResourceTargetDefinition, Vec<CausingEntity>)> = Vec::new();
        for difference in differences {
            let target = target_definition(kind, &difference.path, difference.requires_recreation);
            let causes = self.causes(evaluator, id, &difference.path);
            let is_same = |it: &(ResourceTargetDefinition, _)| {
                it.0.attribute == target.attribute && it.0.name == target.name
            };
            match properties.iter_mut().find(|it| is_same(it)) {
                Some((known, others)) => {
                    known.requires_recreation =
                        known.requires_recreation.max(target.requires_recreation);
                    others.extend(
                        causes
                            .into_iter()
                            .filter(|it| !others.contains(it))
                            .collect::<Vec<_>>(),
                    );
                }
                None => properties.push((target, causes)),
            }
        }
        let mut details = Vec::new();
        let mut directs = Vec::new();
        for (target, causes) in properties {
            // A reference explains the change completely; a parameter's value is a part of what was
            // submitted.
            if causes
                .iter()
                .all(|(source, ..)| *source == ChangeSource::ParameterReference)
            {
                directs.push(ResourceChangeDetail::direct(
                    target.clone(),
                    !causes.is_empty(),
                ));
            }
            details.extend(
                causes
                    .into_iter()
                    .map(|cause| caused_detail(&target, cause)),
            );
        }
        details.extend(directs);
        details
    }

    /// Returns the entities that certainly change the value at a path.
    fn causes(&self, evaluator: &Evaluator, id: &str, path: &[String]) -> Vec<CausingEntity> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let cause = |it: ReferencedValue| match it {
            ReferencedValue::Name(name) if self.parameters.contains(&name) => {
                Some((ChangeSource::ParameterReference, false, name))
            }
            ReferencedValue::Name(name) => self.replaced.contains(&name).then_some((
                ChangeSource::ResourceReference,
                false,
                name,
            )),
            ReferencedValue::Attribute {
                resource,
                attribute,
            } => self.replaced.contains(&resource).then(|| {
                (
                    ChangeSource::ResourceAttribute,
                    false,
                    format!("{resource}.{attribute}"),
                )
            }),
        };
        mentioned(evaluator, id, &path)
            .into_iter()
            .filter_map(cause)
            .collect()
    }

    /// Adds the properties that use an attribute of a modified resource, or the ID of one that may
    /// be replaced: whether they change is known only afterwards.
    fn add_dynamic_details(&self, evaluator: &Evaluator, changes: &mut Vec<ResourceChange>) {
        loop {
            let modified: BTreeMap<String, RequiresRecreation> = changes
                .iter()
                .filter(|it| !self.replaced.contains(&it.logical_id))
                .filter_map(|it| Some((it.logical_id.clone(), it.replacement?)))
                .collect();
            let mut is_done = true;
            for (id, wanted) in &self.after.resources {
                let Some(existing) = self.existing(id) else {
                    continue;
                };
                let found = self.dynamic_details(evaluator, id, wanted, &modified);
                let known = changes.iter().position(|it| it.logical_id == *id);
                let is_known = |detail: &ResourceChangeDetail, index: usize| {
                    changes[index].details.contains(detail)
                };
                let new: Vec<ResourceChangeDetail> = found
                    .into_iter()
                    .filter(|it| !known.is_some_and(|index| is_known(it, index)))
                    .collect();
                if new.is_empty() {
                    continue;
                }
                is_done = false;
                let mut details = known
                    .map(|index| changes.remove(index).details)
                    .unwrap_or_default();
                details.extend(new);
                changes.extend(self.modification(id, existing, wanted, details));
            }
            if is_done {
                return;
            }
        }
    }

    fn dynamic_details(
        &self,
        evaluator: &Evaluator,
        id: &str,
        wanted: &template::EvaluatedResource,
        modified: &BTreeMap<String, RequiresRecreation>,
    ) -> Vec<ResourceChangeDetail> {
        let mut details = Vec::new();
        for property in wanted.properties().into_iter().flat_map(IndexMap::keys) {
            for taken in mentioned(evaluator, id, &["Properties", property]) {
                let cause = match taken {
                    ReferencedValue::Attribute {
                        resource,
                        attribute,
                    } if resource != id && modified.contains_key(&resource) => (
                        ChangeSource::ResourceAttribute,
                        true,
                        format!("{resource}.{attribute}"),
                    ),
                    ReferencedValue::Name(name)
                        if modified.get(&name) == Some(&RequiresRecreation::Conditionally) =>
                    {
                        (ChangeSource::ResourceReference, true, name)
                    }
                    _ => continue,
                };
                let requires_recreation =
                    resource::recreation_at(&wanted.kind, std::slice::from_ref(property));
                let path = ["Properties".to_owned(), property.clone()];
                details.push(caused_detail(
                    &target_definition(&wanted.kind, &path, requires_recreation),
                    cause,
                ));
            }
        }
        details
    }

    /// Adds changes for new tags of the stack, which all taggable resources inherit.
    fn add_tag_changes(&self, changes: &mut Vec<ResourceChange>) {
        for (id, wanted) in &self.after.resources {
            let Some(existing) = self.existing(id) else {
                continue;
            };
            if !resource::is_taggable(&wanted.kind) {
                continue;
            }
            let detail = ResourceChangeDetail::direct(
                ResourceTargetDefinition::new("Tags", None, RequiresRecreation::Never),
                false,
            );
            match changes.iter_mut().find(|it| it.logical_id == *id) {
                Some(change)
                    if change
                        .details
                        .iter()
                        .all(|it| it.target.attribute != "Tags") =>
                {
                    change.details.push(detail);
                }
                Some(_) => {}
                None => changes.extend(self.modification(id, existing, wanted, vec![detail])),
            }
        }
    }
}

fn exists(resource: &ResourceRecord) -> bool {
    resource.physical_id.is_some() && !resource.is_deleted()
}

/// Returns the `PolicyAction` for a resource that is removed from its stack.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html>
fn deletion_policy_action(resource: &ResourceRecord) -> &'static str {
    let in_cluster = resource.properties.contains_key("DBClusterIdentifier");
    match (resource.deletion_policy.as_deref(), &*resource.kind) {
        (Some("Retain" | "RetainExceptOnCreate"), _) => "Retain",
        (Some("Snapshot"), _) | (None, "AWS::RDS::DBCluster") => "Snapshot",
        (None, "AWS::RDS::DBInstance") if !in_cluster => "Snapshot",
        _ => "Delete",
    }
}
