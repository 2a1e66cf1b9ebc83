//! Operations on stacks begin: creation, update and deletion.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use uuid::Uuid;

use super::Engine;
use super::delete::deletion_tasks;
use crate::catalog;
use crate::simulator::Caller;
use crate::simulator::cloudformation::evaluation::comparison;
use crate::simulator::cloudformation::evaluation::revision::{self, EvaluatedRevision};
use crate::simulator::cloudformation::state::operation::{
    OperationPhase, ResourceTask, ScheduledAction, StackOperation, StackSnapshot, tasks,
};
use crate::simulator::cloudformation::state::resource_record::{ResourceRecord, StatusReason};
use crate::simulator::cloudformation::state::revision::AcceptedRevision;
use crate::simulator::cloudformation::state::settings::{ParentStack, StackNumber, StackSettings};
use crate::simulator::cloudformation::state::stack::StackRecord;
use crate::simulator::cloudformation::state::stack_policy::UpdateAction;
use crate::simulator::scenario::HiddenKind;
use crate::status::{ResourceStatus, StackStatus};

/// The reason of the first event of an operation that a caller started.
pub(crate) const BY_USER: &str = "User Initiated";

impl Engine<'_> {
    /// Adds a stack in review.
    pub(crate) fn add_stack(
        &mut self,
        owner: &Caller,
        name: &str,
        id: &str,
        settings: StackSettings,
        nested_in: Option<ParentStack>,
        at: Timestamp,
    ) -> StackNumber {
        let parent = nested_in.as_ref().map(|nested| nested.parent);
        let hidden = self
            .cloud
            .scenario
            .hidden_for(HiddenKind::Stack, &owner.region, name);
        self.state.add_stack(StackRecord {
            id: Arc::from(id),
            name: Arc::from(name),
            owner: owner.clone(),
            created: at,
            updated: None,
            deleted: None,
            hidden_until: hidden.map(|lasts| self.after(at, lasts)),
            status: StackStatus::ReviewInProgress,
            reason: None,
            settings,
            revision: None,
            resources: IndexMap::new(),
            outputs: Vec::new(),
            imports: BTreeSet::new(),
            events: Vec::new(),
            last_event_at: parent.map_or(Timestamp::MIN, |parent| self.stack(parent).last_event_at),
            operation: None,
            change_sets: IndexMap::new(),
            change_set_id: None,
            policy: None,
            policy_during_update: None,
            operations: Vec::new(),
            rollback_target: None,
            skipped_resources: BTreeSet::new(),
            checks: Vec::new(),
            drift: None,
            nested_in,
            token: None,
        })
    }

    /// Begins to create a stack.
    pub(crate) fn begin_creation(
        &mut self,
        number: StackNumber,
        accepted: AcceptedRevision,
        at: Timestamp,
    ) {
        let tasks = creation_tasks(&accepted);
        let AcceptedRevision {
            revision,
            failure,
            imports,
        } = accepted;
        let operation = StackOperation {
            reason: failure,
            imports,
            ..StackOperation::new(OperationPhase::Create, tasks)
        };
        let stack = self.state.stack_mut(number);
        stack.imports.clone_from(&revision.imports);
        stack.revision = Some(revision);
        let reason = stack.nested_in.is_none().then(|| BY_USER.to_owned());
        let timeout = stack.settings.timeout_minutes;
        self.set_status(number, StackStatus::CreateInProgress, reason, at);
        let operation = match self.validate(number, at) {
            Some(reason) => StackOperation {
                reason: Some(reason),
                ..StackOperation::new(OperationPhase::Create, Vec::new())
            },
            None => operation,
        };
        self.start_operation(number, operation, at);
        if let Some(minutes) = timeout {
            let at = self.after(at, Duration::from_secs(u64::from(minutes) * 60));
            self.schedule(number, at, ScheduledAction::TimeOut);
        }
    }

    /// Begins to update a stack.
    pub(crate) fn begin_update(
        &mut self,
        number: StackNumber,
        accepted: AcceptedRevision,
        settings: Option<StackSettings>,
        at: Timestamp,
    ) {
        let updated = creation_tasks(&accepted);
        let AcceptedRevision {
            revision,
            failure,
            imports,
        } = accepted;
        let stack = self.state.stack_mut(number);
        let before = StackSnapshot {
            revision: stack.revision.take(),
            resources: stack.resources.clone(),
            outputs: stack.outputs.clone(),
            settings: stack.settings.clone(),
        };
        stack.rollback_target = None;
        stack.imports.extend(revision.imports.iter().cloned());
        stack.revision = Some(revision);
        if let Some(settings) = settings {
            stack.settings = settings;
        }
        let reason = stack.nested_in.is_none().then(|| BY_USER.to_owned());
        self.set_status(number, StackStatus::UpdateInProgress, reason, at);
        let denied = self.denied_deletions(number, &before);
        for (id, reason) in &denied {
            self.set_resource_status(
                number,
                id,
                ResourceStatus::UpdateFailed,
                Some(StatusReason::Owned(reason.clone())),
                at,
            );
        }
        let tasks = if denied.is_empty() {
            updated
        } else {
            Vec::new()
        };
        let operation = StackOperation {
            reason: failure,
            failed: denied.into_iter().map(|(id, _)| id).collect(),
            imports,
            before: Some(Box::new(before)),
            ..StackOperation::new(OperationPhase::Update, tasks)
        };
        self.start_operation(number, operation, at);
    }

    /// Returns the resources that the update would delete though the stack policy denies it, with
    /// the reasons.
    fn denied_deletions(
        &self,
        number: StackNumber,
        before: &StackSnapshot,
    ) -> Vec<(String, String)> {
        let stack = self.stack(number);
        let Some((policy, revision)) = stack.effective_policy().zip(stack.revision.as_ref()) else {
            return Vec::new();
        };
        let removed = before
            .resources
            .iter()
            .filter(|(id, _)| !revision.depends_on.contains_key(*id));
        let denied = |(id, resource): (&String, &ResourceRecord)| {
            Some((
                id.clone(),
                policy.denial(UpdateAction::Delete, id, &resource.kind)?,
            ))
        };
        removed.filter_map(denied).collect()
    }

    /// Begins to delete a stack.
    pub(crate) fn begin_deletion(
        &mut self,
        number: StackNumber,
        reason: Option<&str>,
        retain: impl Iterator<Item = String>,
        is_forced: bool,
        at: Timestamp,
    ) {
        self.set_status(
            number,
            StackStatus::DeleteInProgress,
            reason.map(str::to_owned),
            at,
        );
        let stack = self.stack(number);
        let exported = self
            .state
            .exports
            .iter()
            .filter(|(_, export)| export.stack == Some(number));
        let mut used = exported.filter_map(|((_, _, name), _)| {
            let user = self
                .state
                .importers(&stack.owner, name)
                .find(|user| user.id != stack.id)?;
            Some((name, user))
        });
        if let Some((name, user)) = used.next() {
            let reason = format!(
                "Export {name} cannot be deleted as it is in use by {}",
                user.name
            );
            self.state.stack_mut(number).operation = None;
            self.set_status(number, StackStatus::DeleteFailed, Some(reason.clone()), at);
            return self.notify_parent(number, OperationPhase::Delete, Some(reason), at);
        }
        let deleted = deletion_tasks(stack);
        let operation = StackOperation {
            retain: retain.collect(),
            is_forced,
            ..StackOperation::new(OperationPhase::Delete, deleted)
        };
        self.start_operation(number, operation, at);
    }

    /// Returns whether an update would change anything.
    pub(crate) fn would_change(&self, number: StackNumber, evaluated: &EvaluatedRevision) -> bool {
        let stack = self.stack(number);
        let Some(old) = &stack.revision else {
            return true;
        };
        if matches!(
            stack.status,
            StackStatus::CreateFailed | StackStatus::UpdateFailed
        ) {
            return true;
        }
        if comparison::changes_resources(self.cloud, self.state, number, evaluated) {
            return true;
        }
        if old.source.text == evaluated.revision.source.text
            && old.parameter_values == evaluated.revision.parameter_values
        {
            return false;
        }
        let now = revision::evaluate_current(self.cloud, self.state, number, |evaluator| {
            evaluator.outputs().ok()
        });
        now.flatten()
            .is_none_or(|now| now != evaluated.stack.outputs)
    }
}

/// Returns a task for each resource; none if the stack fails before any is created.
fn creation_tasks(accepted: &AcceptedRevision) -> Vec<ResourceTask> {
    let wanted = &accepted.revision.depends_on;
    let depends_on = |id: &str| wanted.get(id).map(|on| on.to_vec()).unwrap_or_default();
    match accepted.failure {
        None => tasks(wanted.keys().map(|id| (id.as_str(), None)), depends_on),
        Some(_) => Vec::new(),
    }
}

/// Returns a new stack ID, which is an ARN.
pub(crate) fn new_id(owner: &Caller, name: &str) -> String {
    let partition = catalog::partition_of(&owner.region).name;
    format!(
        "arn:{partition}:cloudformation:{}:{}:stack/{name}/{}",
        owner.region,
        owner.account,
        Uuid::new_v4()
    )
}
