//! All stacks, and the index of their names, their exports, and the queue of scheduled actions.
//!
//! - `stack`: a stack; `resource_record`: its resources, outputs and events; `settings`
//! - `parsed_template`, `revision`: its template, and the values of its parameters
//! - `operation`: the operation on it; `change_set`; `check`; `stack_policy`

pub(crate) mod change_set;
pub(crate) mod check;
pub(crate) mod operation;
pub(crate) mod parsed_template;
pub(crate) mod resource_record;
pub(crate) mod revision;
pub(crate) mod settings;
pub(crate) mod stack;
pub(crate) mod stack_policy;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::error::invalid;
use crate::catalog::partition_of;
use crate::simulator::Caller;
use crate::simulator::error::ServiceError;
use operation::ScheduledAction;
use parsed_template::TemplateCache;
use resource_record::ResourceRecord;
use settings::StackNumber;
use stack::StackRecord;

/// The state of CloudFormation in all accounts and regions.
#[derive(Default)]
pub(super) struct CloudFormationState {
    stacks: Vec<StackRecord>,
    /// By account, region and name: those that aren't deleted.
    names: HashMap<(String, String, String), StackNumber>,
    ids: HashMap<Arc<str>, StackNumber>,
    queue: BinaryHeap<Reverse<QueueEntry>>,
    sequence: u64,
    pub templates: TemplateCache,
    /// By account, region and name.
    pub exports: BTreeMap<(String, String, String), Export>,
    /// Names that must be unique: account, region (empty for global types), type and name, and the
    /// ID of the stack whose resource has it.
    pub reserved_names: HashMap<(String, String, String, String), Arc<str>>,
    /// Account, region, type and physical ID of resources that stacks have retained.
    retained: HashSet<(String, String, String, String)>,
    /// A lost invariant of the engine, which every later call answers as an internal error.
    pub(crate) defect: Option<String>,
}

/// An exported value.
#[derive(Clone, Debug)]
pub(super) struct Export {
    pub value: String,
    /// None for a seeded export, whose stack isn't here.
    pub stack: Option<StackNumber>,
}

/// An action at its time.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueEntry {
    pub at: Timestamp,
    /// Actions at the same time are carried out in the order in which they were scheduled.
    sequence: u64,
    pub stack: StackNumber,
    /// The number of the operation that it belongs to; it is dropped if another one has begun.
    pub operation: u64,
    pub action: ScheduledAction,
}

impl CloudFormationState {
    /// Returns a stack.
    pub(super) fn stack(&self, number: StackNumber) -> &StackRecord {
        &self.stacks[number.0]
    }

    /// Returns a stack.
    pub(super) fn stack_mut(&mut self, number: StackNumber) -> &mut StackRecord {
        &mut self.stacks[number.0]
    }

    /// Adds a stack, and returns its number.
    pub(super) fn add_stack(&mut self, stack: StackRecord) -> StackNumber {
        let number = StackNumber(self.stacks.len());
        self.ids.insert(stack.id.clone(), number);
        self.names
            .insert(stack_key(&stack.owner, &stack.name), number);
        self.stacks.push(stack);
        number
    }

    /// Releases the name of a deleted stack, which is found by its ID only.
    pub(super) fn release_name(&mut self, number: StackNumber) {
        let stack = &self.stacks[number.0];
        self.names.remove(&stack_key(&stack.owner, &stack.name));
    }

    /// Returns the stack with that name, or with that ID, deleted or not.
    pub(super) fn find(&self, caller: &Caller, name_or_id: &str) -> Option<StackNumber> {
        let found = if name_or_id.starts_with("arn:") {
            self.ids.get(name_or_id)
        } else {
            self.names.get(&stack_key(caller, name_or_id))
        };
        found
            .copied()
            .filter(|number| self.stack(*number).owner == *caller)
    }

    /// # Errors
    /// Fails in CloudFormation's words if there is no such stack.
    pub(super) fn find_required(
        &self,
        caller: &Caller,
        name_or_id: &str,
    ) -> Result<StackNumber, ServiceError> {
        let missing = || invalid(format!("Stack with id {name_or_id} does not exist"));
        self.find(caller, name_or_id).ok_or_else(missing)
    }

    /// Returns a caller's stacks, the newest first.
    pub(super) fn stacks_of(
        &self,
        caller: &Caller,
    ) -> impl Iterator<Item = (StackNumber, &StackRecord)> {
        let numbered = self
            .stacks
            .iter()
            .enumerate()
            .rev()
            .map(|(number, stack)| (StackNumber(number), stack));
        numbered.filter(move |(_, stack)| stack.owner == *caller)
    }

    /// Returns the ID of the stack that has exported something.
    pub(super) fn exporting_stack_id(&self, owner: &Caller, export: &Export) -> Arc<str> {
        let seeded = || {
            let partition = partition_of(&owner.region).name;
            let region = &owner.region;
            let account = &owner.account;
            format!(
                "arn:{partition}:cloudformation:{region}:{account}:stack/seeded/{}",
                Uuid::nil()
            )
            .into()
        };
        export
            .stack
            .map_or_else(seeded, |number| self.stack(number).id.clone())
    }

    /// Returns whether a stack of the caller's has a resource with this physical ID.
    pub(super) fn has_resource(&self, caller: &Caller, physical_id: &str) -> bool {
        let mut resources = self
            .stacks_of(caller)
            .flat_map(|(_, stack)| stack.resources.values());
        let is_removed = |it: &ResourceRecord| it.is_removed();
        resources.any(|it| it.physical_id.as_deref() == Some(physical_id) && !is_removed(it))
    }

    /// Records that a resource exists without its stack.
    pub(super) fn record_retained(&mut self, owner: &Caller, resource: &ResourceRecord) {
        if let Some(physical_id) = resource.physical_id.as_deref() {
            self.retained
                .insert(resource_key(owner, &resource.kind, physical_id));
        }
    }

    /// Returns whether a stack has retained this resource.
    pub(super) fn has_retained(&self, owner: &Caller, kind: &str, physical_id: &str) -> bool {
        self.retained
            .contains(&resource_key(owner, kind, physical_id))
    }

    /// Schedules an action of an operation.
    pub(super) fn schedule(
        &mut self,
        at: Timestamp,
        stack: StackNumber,
        operation: u64,
        action: ScheduledAction,
    ) {
        self.sequence += 1;
        self.queue.push(Reverse(QueueEntry {
            at,
            sequence: self.sequence,
            stack,
            operation,
            action,
        }));
    }

    /// Returns the next action if it is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<QueueEntry> {
        self.queue.peek().filter(|next| next.0.at <= now)?;
        self.queue.pop().map(|next| next.0)
    }

    /// Returns a new number for an operation.
    pub(super) fn next_operation_number(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Returns the stacks that import an export.
    pub(super) fn importers<'s>(
        &'s self,
        caller: &'s Caller,
        export: &'s str,
    ) -> impl Iterator<Item = &'s StackRecord> {
        self.stacks_of(caller)
            .map(|(_, stack)| stack)
            .filter(move |stack| !stack.is_deleted() && stack.imports.contains(export))
    }
}

fn resource_key(owner: &Caller, kind: &str, physical_id: &str) -> (String, String, String, String) {
    (
        owner.account.clone(),
        owner.region.clone(),
        kind.to_owned(),
        physical_id.to_owned(),
    )
}

fn stack_key(owner: &Caller, name: &str) -> (String, String, String) {
    (owner.account.clone(), owner.region.clone(), name.to_owned())
}
