//! What an update does with each resource, and why.
//!
//! CloudFormation tells it in two ways. Without property values it names the properties: those that
//! change, and those that take an attribute of a resource that changes, which may have another
//! value afterwards. With property values it compares what is known, down to single values, so that
//! what merely may change isn't listed.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html>

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::super::engine::{Engine, asked};
use super::super::resource::{self, Replaces};
use super::super::revision::{self, Foreseen, Revision, changed_parameters};
use super::super::stack::{Resource, Settings, Stack, StackNumber};
use super::super::world::Sight;
use super::context::{self, context};
use super::{Action, ChangeSource, Detail, DetailTarget, ResourceChange};
use crate::template::{self, Evaluator, Mentioned, Value, mentioned};

/// What a change set lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// By the names of the properties.
    pub by_name: Vec<ResourceChange>,
    /// With the values of the properties (`IncludePropertyValues`).
    pub by_value: Vec<ResourceChange>,
}

/// A single value that differs.
struct Leaf {
    /// From the resource's entry: `Properties`, `Tags`, `0`, `Value`.
    path: Vec<String>,
    before: Option<Value>,
    after: Option<Value>,
    replaces: Replaces,
}

/// A thing that makes a value change: where it comes from, whether it is dynamic, and its name.
type Cause = (ChangeSource, bool, String);

type Properties = IndexMap<String, Value>;

impl Engine<'_> {
    /// Whether an update would do anything with a resource.
    pub fn changes_resources(&self, number: StackNumber, foreseen: &Foreseen) -> bool {
        !Comparison::new(self, number, foreseen).is_empty()
    }

    /// What an update to the foreseen revision and these settings would do with each resource.
    /// Nested stacks that aren't looked into may change in any case.
    pub fn changes(
        &self,
        number: StackNumber,
        foreseen: &Foreseen,
        settings: &Settings,
        includes_nested_stacks: bool,
    ) -> Changes {
        let mut comparison = Comparison::new(self, number, foreseen);
        comparison.includes_nested_stacks = includes_nested_stacks;
        comparison.find_replaced();
        let mut changes = comparison.evaluator(|evaluator| comparison.changes(&evaluator));
        if settings.tags != comparison.stack.settings.tags {
            comparison.tag(&mut changes.by_name);
            comparison.tag(&mut changes.by_value);
        }
        for list in [&mut changes.by_name, &mut changes.by_value] {
            list.sort_by(|one, other| one.logical_id.cmp(&other.logical_id));
        }
        changes
    }

    /// Whether a nested stack's template or parameters differ from what it has.
    fn nested_changes(&self, child: StackNumber, properties: &Properties) -> bool {
        let child = self.state.stack(child);
        let Some(revision) = &child.revision else {
            return true;
        };
        // What can't be had will fail, and failing is a change.
        let Ok((text, given)) = asked(self.cloud, properties) else {
            return true;
        };
        *text != *revision.source.text || given != revision.given
    }
}

struct Comparison<'e> {
    engine: &'e Engine<'e>,
    number: StackNumber,
    stack: &'e Stack,
    revision: &'e Revision,
    /// The stack's template as it is now.
    before: template::Stack,
    after: Cow<'e, template::Stack>,
    /// Resources that are replaced for certain.
    replaced: BTreeSet<String>,
    /// Parameters with new values.
    parameters: BTreeSet<String>,
    includes_nested_stacks: bool,
}

impl<'e> Comparison<'e> {
    fn new(engine: &'e Engine, number: StackNumber, foreseen: &'e Foreseen) -> Self {
        let stack = engine.state.stack(number);
        let evaluate = |old: &Revision| {
            revision::evaluate(
                engine.cloud,
                engine.state,
                number,
                old,
                Sight::default(),
                |it| it.stack(),
            )
        };
        let old = stack.revision.as_ref();
        Self {
            engine,
            number,
            stack,
            revision: &foreseen.revision,
            before: old.map(evaluate).unwrap_or_default(),
            after: Cow::Borrowed(&foreseen.stack),
            replaced: BTreeSet::new(),
            parameters: old
                .map(|old| changed_parameters(old, &foreseen.revision))
                .unwrap_or_default(),
            includes_nested_stacks: true,
        }
    }

    /// Asks the new template's evaluator, which knows nothing of what is replaced.
    fn evaluator<T>(&self, ask: impl FnOnce(Evaluator) -> T) -> T {
        let sight = Sight {
            replaced: Some(&self.replaced),
            ..Sight::default()
        };
        revision::evaluate(
            self.engine.cloud,
            self.engine.state,
            self.number,
            self.revision,
            sight,
            ask,
        )
    }

    /// A resource that the stack has.
    fn existing(&self, id: &str) -> Option<&'e Resource> {
        self.stack.resources.get(id).filter(|it| is_there(it))
    }

    fn removed(&self) -> impl Iterator<Item = (&'e String, &'e Resource)> {
        let wanted = |id: &String| self.after.resources.contains_key(id);
        self.stack
            .resources
            .iter()
            .filter(move |(id, there)| is_there(there) && !wanted(id))
    }

    fn is_empty(&self) -> bool {
        let is_same = |(id, wanted): (&String, &template::Resource)| {
            self.existing(id).is_some_and(|there| {
                self.leaves(id, there, wanted).is_empty() && !self.is_changed_inside(there, wanted)
            })
        };
        self.removed().next().is_none() && self.after.resources.iter().all(is_same)
    }

    fn is_changed_inside(&self, there: &Resource, wanted: &template::Resource) -> bool {
        let none = IndexMap::new();
        let properties = wanted.properties().unwrap_or(&none);
        there
            .child
            .is_some_and(|child| self.engine.nested_changes(child, properties))
    }

    /// What takes the ID or an attribute of a resource that is replaced changes too, and may be
    /// replaced for it.
    fn find_replaced(&mut self) {
        loop {
            let is_replaced = |(id, wanted): &(&String, &template::Resource)| {
                let always = |there| {
                    self.leaves(id, there, wanted)
                        .iter()
                        .any(|it| it.replaces == Replaces::Always)
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
            self.after = Cow::Owned(self.evaluator(|it| it.stack()));
        }
    }

    /// The values of a resource that differ.
    fn leaves(&self, id: &str, there: &Resource, wanted: &template::Resource) -> Vec<Leaf> {
        let none = IndexMap::new();
        let properties = wanted.properties().unwrap_or(&none);
        let replaced: BTreeMap<String, Replaces> =
            resource::changes(&wanted.kind, &there.properties, properties)
                .into_iter()
                .map(|it| (it.property, it.replaces))
                .collect();
        let mut leaves = Vec::new();
        for (property, replaces) in &replaced {
            let mut path = vec!["Properties".to_owned(), property.clone()];
            let first = leaves.len();
            differing(
                &mut path,
                there.properties.get(property),
                properties.get(property),
                &mut leaves,
            );
            for leaf in &mut leaves[first..] {
                leaf.replaces = resource::replaces_at(&wanted.kind, &leaf.path[1..]).min(*replaces);
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
            differing(
                &mut vec![part.to_owned()],
                before,
                wanted.body.get(part),
                &mut leaves,
            );
        }
        // CloudFormation lists metadata before properties, and policies of updates after them.
        leaves.sort_by(|one, other| one.path.first().cmp(&other.path.first()));
        leaves
    }

    fn changes(&self, evaluator: &Evaluator) -> Changes {
        let mut changes = Changes::default();
        for (id, wanted) in &self.after.resources {
            let Some(there) = self.existing(id) else {
                let added = ResourceChange::new(Action::Add, id, None, &wanted.kind);
                changes.by_value.push(ResourceChange {
                    after: Some(self.after(wanted)),
                    ..added.clone()
                });
                changes.by_name.push(added);
                continue;
            };
            let leaves = self.leaves(id, there, wanted);
            let mut by_value: Vec<Detail> = leaves
                .iter()
                .flat_map(|leaf| {
                    valued(&wanted.kind, leaf, &self.causes(evaluator, id, &leaf.path))
                })
                .collect();
            let mut by_name = self.named(evaluator, id, &wanted.kind, &leaves);
            let is_automatic = match self.includes_nested_stacks {
                true => leaves.is_empty() && self.is_changed_inside(there, wanted),
                false => there.child.is_some(),
            };
            if is_automatic {
                by_value.push(automatic());
                by_name.push(automatic());
            }
            if let Some(change) = self.modification(id, there, wanted, by_name) {
                changes.by_name.push(change);
            }
            if let Some(change) = self.modification(id, there, wanted, by_value) {
                let before = self
                    .before
                    .resources
                    .get(id)
                    .map(|it| context(&it.body, &there.properties));
                changes.by_value.push(ResourceChange {
                    before,
                    after: Some(self.after(wanted)),
                    ..change
                });
            }
        }
        self.follow(evaluator, &mut changes.by_name);
        self.remove(&mut changes);
        changes
    }

    fn after(&self, wanted: &template::Resource) -> String {
        context(
            &wanted.body,
            wanted.properties().unwrap_or(&IndexMap::new()),
        )
    }

    fn remove(&self, changes: &mut Changes) {
        let sight = Sight {
            hides_attributes: true,
            ..Sight::default()
        };
        let (cloud, state) = (self.engine.cloud, &*self.engine.state);
        let evaluate = |old: &Revision| {
            revision::evaluate(cloud, state, self.number, old, sight, |it| it.stack())
        };
        let before = self
            .removed()
            .next()
            .and(self.stack.revision.as_ref())
            .map(evaluate);
        for (id, there) in self.removed() {
            let removed = ResourceChange {
                policy_action: Some(deletion(there)),
                ..ResourceChange::new(
                    Action::Remove,
                    id,
                    there.physical_id.as_deref(),
                    &there.kind,
                )
            };
            let known = before.as_ref().and_then(|before| before.resources.get(id));
            let before =
                known.map(|it| context(&it.body, it.properties().unwrap_or(&there.properties)));
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
        there: &Resource,
        wanted: &template::Resource,
        details: Vec<Detail>,
    ) -> Option<ResourceChange> {
        let replacement = details.iter().map(Detail::replaces).max()?;
        let policy = wanted
            .body
            .get("UpdateReplacePolicy")
            .and_then(Value::as_text);
        let replaced = match policy.as_deref() {
            Some("Retain") => "ReplaceAndRetain",
            Some("Snapshot") => "ReplaceAndSnapshot",
            _ => "ReplaceAndDelete",
        };
        let policy_action = (replacement == Replaces::Always).then_some(replaced);
        Some(ResourceChange {
            replacement: Some(replacement),
            policy_action,
            details,
            ..ResourceChange::new(
                Action::Modify,
                id,
                there.physical_id.as_deref(),
                &wanted.kind,
            )
        })
    }

    /// A detail for each property and each of its causes.
    fn named(&self, evaluator: &Evaluator, id: &str, kind: &str, leaves: &[Leaf]) -> Vec<Detail> {
        let mut properties: Vec<(DetailTarget, Vec<Cause>)> = Vec::new();
        for leaf in leaves {
            let target = target_of(kind, &leaf.path, leaf.replaces);
            let causes = self.causes(evaluator, id, &leaf.path);
            let is_same = |it: &(DetailTarget, _)| {
                it.0.attribute == target.attribute && it.0.name == target.name
            };
            match properties.iter_mut().find(|it| is_same(it)) {
                Some((known, others)) => {
                    known.replaces = known.replaces.max(target.replaces);
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
            // A reference says all that there is to say of it; a parameter's value is a part of
            // what is submitted.
            if causes
                .iter()
                .all(|(source, ..)| *source == ChangeSource::ParameterReference)
            {
                directs.push(Detail::direct(target.clone(), !causes.is_empty()));
            }
            details.extend(causes.into_iter().map(|cause| caused(&target, cause)));
        }
        details.extend(directs);
        details
    }

    /// The things that certainly make the value at a path change.
    fn causes(&self, evaluator: &Evaluator, id: &str, path: &[String]) -> Vec<Cause> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let cause = |it: Mentioned| match it {
            Mentioned::Name(name) if self.parameters.contains(&name) => {
                Some((ChangeSource::ParameterReference, false, name))
            }
            Mentioned::Name(name) => self.replaced.contains(&name).then_some((
                ChangeSource::ResourceReference,
                false,
                name,
            )),
            Mentioned::Attribute {
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

    /// Lists the properties that take an attribute of a modified resource, or the ID of one that
    /// may be replaced: whether they change is known only afterwards.
    fn follow(&self, evaluator: &Evaluator, changes: &mut Vec<ResourceChange>) {
        loop {
            let modified: BTreeMap<String, Replaces> = changes
                .iter()
                .filter(|it| !self.replaced.contains(&it.logical_id))
                .filter_map(|it| Some((it.logical_id.clone(), it.replacement?)))
                .collect();
            let mut is_done = true;
            for (id, wanted) in &self.after.resources {
                let Some(there) = self.existing(id) else {
                    continue;
                };
                let found = self.dynamic(evaluator, id, wanted, &modified);
                let known = changes.iter().position(|it| it.logical_id == *id);
                let is_known =
                    |detail: &Detail, index: usize| changes[index].details.contains(detail);
                let new: Vec<Detail> = found
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
                changes.extend(self.modification(id, there, wanted, details));
            }
            if is_done {
                return;
            }
        }
    }

    fn dynamic(
        &self,
        evaluator: &Evaluator,
        id: &str,
        wanted: &template::Resource,
        modified: &BTreeMap<String, Replaces>,
    ) -> Vec<Detail> {
        let mut details = Vec::new();
        for property in wanted.properties().into_iter().flat_map(IndexMap::keys) {
            for taken in mentioned(evaluator, id, &["Properties", property]) {
                let cause = match taken {
                    Mentioned::Attribute {
                        resource,
                        attribute,
                    } if resource != id && modified.contains_key(&resource) => (
                        ChangeSource::ResourceAttribute,
                        true,
                        format!("{resource}.{attribute}"),
                    ),
                    Mentioned::Name(name)
                        if modified.get(&name) == Some(&Replaces::Conditionally) =>
                    {
                        (ChangeSource::ResourceReference, true, name)
                    }
                    _ => continue,
                };
                let replaces = resource::replaces_at(&wanted.kind, std::slice::from_ref(property));
                let path = ["Properties".to_owned(), property.clone()];
                details.push(caused(&target_of(&wanted.kind, &path, replaces), cause));
            }
        }
        details
    }

    /// New tags of the stack are new tags of all its resources that can have tags.
    fn tag(&self, changes: &mut Vec<ResourceChange>) {
        for (id, wanted) in &self.after.resources {
            let Some(there) = self.existing(id) else {
                continue;
            };
            if !resource::is_taggable(&wanted.kind) {
                continue;
            }
            let detail = Detail::direct(DetailTarget::new("Tags", None, Replaces::Never), false);
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
                None => changes.extend(self.modification(id, there, wanted, vec![detail])),
            }
        }
    }
}

fn is_there(resource: &Resource) -> bool {
    resource.physical_id.is_some() && !resource.is_deleted()
}

/// What becomes of a resource that its stack doesn't have any more.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html>
fn deletion(resource: &Resource) -> &'static str {
    let in_cluster = resource.properties.contains_key("DBClusterIdentifier");
    match (resource.deletion_policy.as_deref(), &*resource.kind) {
        (Some("Retain" | "RetainExceptOnCreate"), _) => "Retain",
        (Some("Snapshot"), _) | (None, "AWS::RDS::DBCluster") => "Snapshot",
        (None, "AWS::RDS::DBInstance") if !in_cluster => "Snapshot",
        _ => "Delete",
    }
}

/// Goes down into both values as long as they are alike.
fn differing(
    path: &mut Vec<String>,
    before: Option<&Value>,
    after: Option<&Value>,
    leaves: &mut Vec<Leaf>,
) {
    if resource::same(before, after) {
        return;
    }
    let mut deeper =
        |part: String, before: Option<&Value>, after: Option<&Value>, leaves: &mut Vec<Leaf>| {
            path.push(part);
            differing(path, before, after, leaves);
            path.pop();
        };
    match (before, after) {
        (Some(Value::Map(old)), Some(Value::Map(new))) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                deeper(key.clone(), old.get(key), new.get(key), leaves);
            }
        }
        (Some(Value::List(old)), Some(Value::List(new))) => {
            for index in 0..old.len().max(new.len()) {
                deeper(index.to_string(), old.get(index), new.get(index), leaves);
            }
        }
        _ => leaves.push(Leaf {
            path: path.clone(),
            before: before.cloned(),
            after: after.cloned(),
            replaces: Replaces::Never,
        }),
    }
}

fn valued(kind: &str, leaf: &Leaf, causes: &[Cause]) -> Vec<Detail> {
    let target = DetailTarget {
        path: Some(format!("/{}", leaf.path.join("/"))),
        before: leaf.before.as_ref().map(context::value),
        after: leaf.after.as_ref().map(context::value),
        ..target_of(kind, &leaf.path, leaf.replaces)
    };
    let direct = Detail::direct(target.clone(), !causes.is_empty());
    // CloudFormation lists attributes before the value itself, and everything else after it.
    let (attributes, others): (Vec<_>, Vec<_>) = causes
        .iter()
        .cloned()
        .partition(|(source, ..)| *source == ChangeSource::ResourceAttribute);
    let details = |causes: Vec<Cause>| {
        causes
            .into_iter()
            .map(|cause| caused(&target, cause))
            .collect::<Vec<_>>()
    };
    details(attributes)
        .into_iter()
        .chain([direct])
        .chain(details(others))
        .collect()
}

fn caused(target: &DetailTarget, (source, is_dynamic, cause): Cause) -> Detail {
    Detail {
        target: target.clone(),
        source,
        is_dynamic,
        cause: Some(cause),
    }
}

/// CloudFormation knows of no change in the properties of the nested stack, but looks into it.
fn automatic() -> Detail {
    let target = DetailTarget::new("Properties", None, Replaces::Never);
    Detail {
        target,
        source: ChangeSource::Automatic,
        is_dynamic: true,
        cause: None,
    }
}

/// Tags are an attribute of their own, but for buckets, of which AWS was recorded to name the
/// property.
fn target_of(kind: &str, path: &[String], replaces: Replaces) -> DetailTarget {
    let are_tags = |property: &str| property == "Tags" && kind != "AWS::S3::Bucket";
    match path {
        [part, property, ..] if part == "Properties" && are_tags(property) => {
            DetailTarget::new("Tags", None, replaces)
        }
        [part, property, ..] if part == "Properties" => {
            DetailTarget::new(part, Some(property), replaces)
        }
        [part, ..] => DetailTarget::new(part, None, replaces),
        [] => DetailTarget::new("Properties", None, replaces),
    }
}
