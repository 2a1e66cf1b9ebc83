//! Change sets: what an update would do, to be looked at before it is done.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::engine::{Engine, asked, new_id};
use super::request::Request;
use super::resource::{self, Replaces};
use super::revision::{Begun, Foreseen, Target, foresee};
use super::stack::{STACK, Settings, StackNumber};
use super::{Answer, ServiceError, error, invalid};
use crate::catalog;
use crate::simulator::Caller;
use crate::simulator::xml::Xml;
use crate::template::{self, Value};
use crate::yaml::{self, Node};

pub struct ChangeSet {
    /// ARN.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub created: Timestamp,
    /// When it is worked out.
    pub ready: Timestamp,
    /// Of a stack that isn't there yet.
    pub creates: bool,
    pub begun: Begun,
    pub settings: Settings,
    pub changes: Vec<ResourceChange>,
    /// Why it can't be executed.
    pub refused: Option<String>,
    pub is_executed: bool,
    /// Those of nested stacks, which come and go with it.
    pub nested: Vec<(StackNumber, String)>,
    /// Of a nested stack: the one that it came with.
    pub root: Option<String>,
}

/// What would become of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    pub action: Action,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub kind: String,
    /// Of a modified one.
    pub replaces: Replaces,
    pub details: Vec<Detail>,
    /// Of a nested stack that is looked into: the ARN of its own.
    pub change_set: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Add,
    Modify,
    Remove,
}

/// One reason for a modification.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    /// `Properties`, or an attribute of the resource: `DeletionPolicy`.
    pub attribute: String,
    /// The property.
    pub name: Option<String>,
    pub replaces: Replaces,
    /// The resource on which the new value hangs, where it isn't known yet.
    pub cause: Option<String>,
    /// What the property is, and what it would be.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Nominally, to work one out.
const TAKES: Duration = Duration::from_secs(3);

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

impl ChangeSet {
    /// Status and execution status, by this moment.
    pub fn status(&self, now: Timestamp) -> (&'static str, &'static str) {
        match (&self.refused, self.is_executed) {
            _ if now < self.ready => ("CREATE_IN_PROGRESS", "UNAVAILABLE"),
            (Some(_), _) => ("FAILED", "UNAVAILABLE"),
            (None, false) => ("CREATE_COMPLETE", "AVAILABLE"),
            (None, true) => ("CREATE_COMPLETE", "EXECUTE_COMPLETE"),
        }
    }
}

impl Engine<'_> {
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>
    pub fn create_change_set(&mut self, request: &Request) -> Answer {
        let name = request.new_name("ChangeSetName")?;
        let (number, creates) = self.subject_of(request)?;
        let existing = number.map(|number| self.state.stack(number));
        if existing.is_some_and(|stack| stack.change_sets.contains_key(name)) {
            return Err(error(
                "AlreadyExistsException",
                format!("ChangeSet {name} cannot be created due to a mismatch with existing attribute Template"),
            ));
        }
        let stack_name =
            existing.map_or_else(|| request.new_name("StackName").map(str::to_owned), |it| Ok(it.name.to_string()))?;
        let id = existing.map_or_else(|| new_id(request.caller, &stack_name), |stack| stack.id.to_string());
        let (foreseen, settings) = match number.filter(|_| !creates) {
            Some(number) => self.foresee_update(number, request)?,
            None => self.foresee_creation(request, &stack_name, &id)?,
        };
        let number = number.unwrap_or_else(|| {
            let number = self.add_stack(request.caller, &stack_name, &id, settings.clone(), None, self.now);
            let stack = self.state.stack_mut(number);
            stack.becomes("REVIEW_IN_PROGRESS", Some("User Initiated".to_owned()), self.now);
            number
        });
        let mut changes = self.changes(number, &foreseen);
        let id_of_set = change_set_id(request.caller, name);
        let mut nested = Vec::new();
        if request.flag("IncludeNestedStacks") {
            self.look_into(number, (name, &id_of_set), &foreseen, &mut changes, &mut nested);
        }
        let is_idle = !creates
            && changes.is_empty()
            && !self.would_change(number, &foreseen)
            && settings.tags == self.state.stack(number).settings.tags;
        let change_set = ChangeSet {
            id: id_of_set,
            name: name.to_owned(),
            description: request.text("Description").map(str::to_owned),
            created: self.now,
            ready: self.now.checked_add(self.cloud.clock.scaled(TAKES)).unwrap_or(self.now),
            creates,
            begun: foreseen.begun(),
            settings,
            changes,
            refused: is_idle.then(|| NO_CHANGES.to_owned()),
            is_executed: false,
            nested,
            root: None,
        };
        let mut xml = Xml::new();
        xml.text("Id", &change_set.id).text("StackId", &id);
        self.state.stack_mut(number).change_sets.insert(name.to_owned(), change_set);
        Ok(xml.finish())
    }

    /// Change sets for the nested stacks that are there and change, and for those that they nest. One that can't be worked
    /// out is left out: its stack will tell why.
    fn look_into(
        &mut self,
        number: StackNumber,
        (name, root): (&str, &str),
        foreseen: &Foreseen,
        changes: &mut [ResourceChange],
        nested: &mut Vec<(StackNumber, String)>,
    ) {
        for change in changes.iter_mut().filter(|it| it.kind == STACK && it.action == Action::Modify) {
            let child = self.state.stack(number).resources.get(&change.logical_id).and_then(|it| it.child);
            let wanted = foreseen.stack.resources.get(&change.logical_id).and_then(|it| it.properties());
            let Some((child, (text, given))) = child.zip(wanted.and_then(|it| asked(self.cloud, it).ok())) else {
                continue;
            };
            let Ok(source) = self.state.sources.read(&text) else { continue };
            let stack = self.state.stack(child);
            let (owner, settings) = (stack.owner.clone(), stack.settings.clone());
            let target = Target {
                caller: &owner,
                name: &stack.name,
                id: &stack.id,
                notification_arns: &settings.notification_arns,
                number: Some(child),
            };
            let Ok(inner) = foresee(self.cloud, self.state, target, &source, given, &settings.capabilities) else {
                continue;
            };
            let mut inner_changes = self.changes(child, &inner);
            let own_name = format!("{name}-{}", change.logical_id);
            self.look_into(child, (&own_name, root), &inner, &mut inner_changes, nested);
            let change_set = ChangeSet {
                id: change_set_id(&owner, &own_name),
                name: own_name.clone(),
                description: None,
                created: self.now,
                ready: self.now.checked_add(self.cloud.clock.scaled(TAKES)).unwrap_or(self.now),
                creates: false,
                begun: inner.begun(),
                settings,
                changes: inner_changes,
                refused: None,
                is_executed: false,
                nested: Vec::new(),
                root: Some(root.to_owned()),
            };
            change.change_set = Some(change_set.id.clone());
            nested.push((child, own_name.clone()));
            self.state.stack_mut(child).change_sets.insert(own_name, change_set);
        }
    }

    /// Those of nested stacks go.
    fn forget_nested(&mut self, nested: Vec<(StackNumber, String)>) {
        for (number, name) in nested {
            self.state.stack_mut(number).change_sets.shift_remove(&name);
        }
    }

    /// The stack that a new change set is for, if it is there, and whether it is to be created.
    fn subject_of(&self, request: &Request) -> Result<(Option<StackNumber>, bool), ServiceError> {
        let name = request.required("StackName")?;
        let number = self.state.find(request.caller, name).filter(|number| !self.state.stack(*number).is_deleted());
        let in_review = number.is_some_and(|number| self.state.stack(number).status == "REVIEW_IN_PROGRESS");
        match (request.text("ChangeSetType").unwrap_or("UPDATE"), number) {
            ("CREATE", None) => Ok((None, true)),
            ("CREATE", Some(_)) if in_review => Ok((number, true)),
            ("CREATE", Some(_)) => {
                Err(invalid(format!("Stack [{name}] already exists and cannot be created again with the changeSet.")))
            }
            ("UPDATE", None) => Err(invalid(format!("Stack [{name}] does not exist"))),
            ("UPDATE", Some(_)) if in_review => Ok((number, true)),
            ("UPDATE", Some(found)) => self.must_be_updatable(found).map(|()| (number, false)),
            (other, _) => Err(invalid(format!("The simulator has no change sets of type {other}."))),
        }
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ExecuteChangeSet.html>
    pub fn execute_change_set(&mut self, request: &Request) -> Answer {
        let (number, name) = find(self, request)?;
        let change_set = &self.state.stack(number).change_sets[&name];
        let (status, execution) = change_set.status(self.now);
        if execution != "AVAILABLE" {
            let message =
                format!("ChangeSet [{}] cannot be executed in its current status of [{status}]", change_set.id);
            return Err(error("InvalidChangeSetStatus", message));
        }
        if change_set.root.is_some() {
            let message = format!("Cannot execute change set [{}]: it belongs to its root's change set", change_set.id);
            return Err(error("InvalidChangeSetStatus", message));
        }
        let creates = change_set.creates;
        if !creates {
            self.must_be_updatable(number)?;
        }
        let (begun, settings) = (change_set.begun.clone(), change_set.settings.clone());
        let nested = change_set.nested.clone();
        self.forget_nested(nested);
        let token = request.token("ExecuteChangeSet");
        let stack = self.state.stack_mut(number);
        stack.token = token;
        // The others were worked out for a stack that is another one now.
        stack.change_sets.retain(|other, _| *other == name);
        if let Some(change_set) = stack.change_sets.get_mut(&name) {
            change_set.is_executed = true;
        }
        if creates {
            stack.settings = settings;
            self.begin_creation(number, begun, self.now);
        } else {
            self.begin_update(number, begun, Some(settings), self.now);
        }
        Ok(String::new())
    }

    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteChangeSet.html>
    pub fn delete_change_set(&mut self, request: &Request) -> Answer {
        if let Ok((number, name)) = find(self, request) {
            let removed = self.state.stack_mut(number).change_sets.shift_remove(&name);
            self.forget_nested(removed.map(|it| it.nested).unwrap_or_default());
        }
        Ok(String::new())
    }

    /// What an update would do with each resource.
    pub fn changes(&self, number: StackNumber, foreseen: &Foreseen) -> Vec<ResourceChange> {
        let stack = self.state.stack(number);
        let mut changes = Vec::new();
        for (id, wanted) in &foreseen.stack.resources {
            let there = stack.resources.get(id).filter(|it| it.physical_id.is_some() && it.status != "DELETE_COMPLETE");
            match there {
                None => changes.push(ResourceChange::new(Action::Add, id, None, &wanted.kind)),
                Some(there) => {
                    let mut change =
                        ResourceChange::new(Action::Modify, id, there.physical_id.as_deref(), &wanted.kind);
                    change.details = self.details(there, wanted);
                    if !change.details.is_empty() {
                        change.replaces = change.details.iter().map(|it| it.replaces).max().unwrap_or(Replaces::Never);
                        changes.push(change);
                    }
                }
            }
        }
        for (id, there) in &stack.resources {
            if !foreseen.stack.resources.contains_key(id)
                && there.physical_id.is_some()
                && there.status != "DELETE_COMPLETE"
            {
                changes.push(ResourceChange::new(Action::Remove, id, there.physical_id.as_deref(), &there.kind));
            }
        }
        follow(&mut changes, foreseen);
        changes
    }

    fn details(&self, there: &super::stack::Resource, wanted: &template::Resource) -> Vec<Detail> {
        let none = indexmap::IndexMap::new();
        let properties = wanted.properties().unwrap_or(&none);
        let mut details = Vec::new();
        if wanted.kind == STACK {
            if there.child.is_some_and(|child| self.nested_changes(child, properties)) {
                details.push(Detail::new("Properties", Replaces::Never));
            }
        } else {
            for change in resource::changes(&wanted.kind, &there.properties, properties) {
                details.push(Detail {
                    before: there.properties.get(&change.property).and_then(told),
                    after: properties.get(&change.property).and_then(told),
                    name: Some(change.property),
                    ..Detail::new("Properties", change.replaces)
                });
            }
        }
        let policy = |name: &str| wanted.body.get(name).and_then(Value::as_text);
        let policies =
            [("DeletionPolicy", &there.deletion_policy), ("UpdateReplacePolicy", &there.update_replace_policy)];
        for (name, had) in policies {
            if policy(name) != *had {
                details.push(Detail::new(name, Replaces::Never));
            }
        }
        details
    }

    fn nested_changes(&self, child: StackNumber, properties: &indexmap::IndexMap<String, Value>) -> bool {
        let child = self.state.stack(child);
        let Some(revision) = &child.revision else { return true };
        // What can't be had will fail, and failing is a change.
        let Ok((text, given)) = asked(self.cloud, properties) else { return true };
        *text != *revision.source.text || given != revision.given
    }
}

/// What hangs on a resource that is replaced changes as well; how, is known when the new one is there.
fn follow(changes: &mut Vec<ResourceChange>, foreseen: &Foreseen) {
    let root = &foreseen.revision.source.template.root;
    let Some(resources) = root.get("Resources") else { return };
    let replaced: BTreeSet<String> =
        changes.iter().filter(|it| it.replaces == Replaces::Always).map(|it| it.logical_id.clone()).collect();
    for cause in replaced {
        for (id, node) in resources.entries() {
            let Some(wanted) = foreseen.stack.resources.get(&*id.text) else { continue };
            let properties = node.get("Properties").map_or(&[][..], Node::entries);
            for (name, _) in properties.iter().filter(|(_, value)| mentions(value, &cause)) {
                let detail = Detail {
                    name: Some(name.text.to_string()),
                    cause: Some(cause.clone()),
                    ..Detail::new("Properties", Replaces::Conditionally)
                };
                match changes.iter_mut().find(|change| change.logical_id == *id.text) {
                    Some(change) if change.action == Action::Modify => {
                        change.replaces = change.replaces.max(Replaces::Conditionally);
                        change.details.push(detail);
                    }
                    Some(_) => {}
                    None => {
                        let mut change = ResourceChange::new(Action::Modify, &id.text, None, &wanted.kind);
                        change.replaces = Replaces::Conditionally;
                        change.details.push(detail);
                        changes.push(change);
                    }
                }
            }
        }
    }
}

/// Whether an expression takes something of a resource.
fn mentions(node: &Node, id: &str) -> bool {
    match &node.value {
        yaml::Value::Sequence(items) => items.iter().any(|item| mentions(item, id)),
        yaml::Value::Mapping(entries) => entries.iter().any(|(key, value)| {
            let text = &*value.text;
            match &*key.text {
                "Ref" => text == id,
                "Fn::GetAtt" => {
                    let first = value.as_sequence().and_then(|parts| parts.first()).map_or(text, |first| &first.text);
                    first.split('.').next() == Some(id)
                }
                "Fn::Sub" if value.is_scalar() => {
                    text.contains(&format!("${{{id}}}")) || text.contains(&format!("${{{id}."))
                }
                _ => mentions(value, id),
            }
        }),
        _ => false,
    }
}

/// A property as change sets tell it: text, or else JSON. What is not known before the execution isn't told.
fn told(value: &Value) -> Option<String> {
    match value.as_text() {
        Some(text) => Some(text),
        None => value.unknown().is_none().then(|| value.to_json().to_string()),
    }
}

impl Detail {
    fn new(attribute: &str, replaces: Replaces) -> Self {
        Self { attribute: attribute.to_owned(), name: None, replaces, cause: None, before: None, after: None }
    }
}

impl ResourceChange {
    fn new(action: Action, id: &str, physical_id: Option<&str>, kind: &str) -> Self {
        Self {
            action,
            logical_id: id.to_owned(),
            physical_id: physical_id.map(str::to_owned),
            kind: kind.to_owned(),
            replaces: Replaces::Never,
            details: Vec::new(),
            change_set: None,
        }
    }
}

fn change_set_id(caller: &Caller, name: &str) -> String {
    let partition = catalog::partition_of(&caller.region).name;
    let (region, account) = (&caller.region, &caller.account);
    format!("arn:{partition}:cloudformation:{region}:{account}:changeSet/{name}/{}", Uuid::new_v4())
}

/// The change set that a call is about: by its ARN, or by its name and its stack's.
///
/// # Errors
/// There is none.
pub fn find(engine: &Engine, request: &Request) -> Result<(StackNumber, String), ServiceError> {
    let asked = request.required("ChangeSetName")?;
    let missing = || error("ChangeSetNotFound", format!("ChangeSet [{asked}] does not exist"));
    if asked.starts_with("arn:") {
        let mut sets = engine
            .state
            .of(request.caller)
            .flat_map(|(number, stack)| stack.change_sets.values().map(move |it| (number, it)));
        let found = sets.find(|(_, set)| set.id == asked);
        return found.map(|(number, set)| (number, set.name.clone())).ok_or_else(missing);
    }
    let number = engine.state.found(request.caller, request.required("StackName")?)?;
    let has = engine.state.stack(number).change_sets.contains_key(asked);
    if has { Ok((number, asked.to_owned())) } else { Err(missing()) }
}
