//! A stack: its settings, its resources, and what has happened to it.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::change_set::{ChangeSetRecord, ExecutionStatus};
use super::operation::{OperationKind, OperationRecord, StackOperation, StackSnapshot};
use super::resource_record::{
    EventRecord, ResourceRecord, STACK, StackOutput, StatusReason, resource_event,
};
use super::revision::Revision;
use super::settings::{ParentStack, StackSettings};
use super::stack_policy::StackPolicy;
use crate::simulator::Caller;
use crate::simulator::cloudformation::resource::{self, DeclaredResource};
use crate::status::{ResourceStatus, StackStatus};

pub struct StackRecord {
    /// ARN.
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub owner: Caller,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    /// The scenario keeps it out of sight for a while.
    pub hidden_until: Option<Timestamp>,
    pub status: StackStatus,
    pub reason: Option<String>,
    pub settings: StackSettings,
    /// None as long as it is in review.
    pub revision: Option<Revision>,
    pub resources: IndexMap<String, ResourceRecord>,
    pub outputs: Vec<StackOutput>,
    /// Exports of other stacks that it uses.
    pub imports: BTreeSet<String>,
    /// Oldest first.
    pub events: Vec<EventRecord>,
    /// The moment of the last event, of this stack or of one that it has heard of: its next one is
    /// later.
    pub last_event_at: Timestamp,
    /// What is being done with it.
    pub operation: Option<StackOperation>,
    /// By their IDs, executed ones included.
    pub change_sets: IndexMap<String, ChangeSetRecord>,
    /// The one that was executed last.
    pub change_set_id: Option<String>,
    pub nested_in: Option<ParentStack>,
    /// Which resources updates may touch.
    pub policy: Option<StackPolicy>,
    /// The policy of the update that is under way, where it has one of its own.
    pub policy_during_update: Option<StackPolicy>,
    /// What has been done with it, oldest first; never empty once it has an event.
    pub operations: Vec<OperationRecord>,
    /// Of a failed update, or of a rollback that has failed: what there was before.
    pub rollback_target: Option<Box<StackSnapshot>>,
    /// Logical IDs of resources that the rollback to be continued leaves as they are.
    pub skipped_resources: BTreeSet<String>,
    /// The last time that somebody looked for drift.
    pub drift: Option<DriftDetection>,
    /// The token of the last call that began something, and that call's action.
    pub token: Option<(Arc<str>, &'static str)>,
}

#[derive(Clone, Debug)]
pub struct DriftDetection {
    pub id: Uuid,
    pub at: Timestamp,
}

impl StackRecord {
    pub fn is_deleted(&self) -> bool {
        self.status == StackStatus::DeleteComplete
    }

    pub fn is_busy(&self) -> bool {
        self.status.is_in_progress() && self.status != StackStatus::ReviewInProgress
    }

    /// The stack's own state, with an event that says so.
    pub fn set_status(&mut self, status: StackStatus, reason: Option<String>, at: Timestamp) {
        let at = self.next_event_time(at);
        if let Some(kind) = OperationKind::started_by(&status, &self.status) {
            self.operations.push(OperationRecord {
                id: Uuid::new_v4(),
                kind,
                started: at,
            });
        }
        self.status = status.clone();
        self.reason.clone_from(&reason);
        self.change_sets
            .values_mut()
            .for_each(|change_set| change_set.update_execution(&status));
        if status.is_terminal() {
            self.policy_during_update = None;
        }
        match &status {
            StackStatus::UpdateInProgress | StackStatus::UpdateRollbackInProgress => {
                self.updated = Some(at)
            }
            // The time at which the deletion began, which a deleted stack keeps. A rollback deletes
            // as well.
            StackStatus::DeleteInProgress | StackStatus::RollbackInProgress => {
                self.deleted = Some(at)
            }
            _ => {}
        }
        let event = EventRecord {
            id: Uuid::new_v4(),
            at,
            operation: self.operation_id(),
            logical_id: self.name.clone(),
            physical_id: Some(self.id.clone()),
            kind: Arc::from(STACK),
            status: ResourceStatus::from(&status),
            reason: reason.map(StatusReason::Owned),
            properties: None,
            token: self.token.as_ref().map(|(token, _)| token.clone()),
        };
        self.events.push(event);
    }

    /// The moment of the next event: no two of a stack have the same time stamp, which is in
    /// milliseconds.
    fn next_event_time(&mut self, at: Timestamp) -> Timestamp {
        let is_later = at.as_millisecond() > self.last_event_at.as_millisecond();
        self.last_event_at = match is_later {
            true => at,
            false => self
                .last_event_at
                .checked_add(SignedDuration::from_millis(1))
                .unwrap_or(at),
        };
        self.last_event_at
    }

    /// A resource's state, with an event that says so.
    pub fn set_resource_status(
        &mut self,
        id: &str,
        status: ResourceStatus,
        reason: Option<StatusReason>,
        at: Timestamp,
    ) {
        let at = self.next_event_time(at);
        let Some(resource) = self.resources.get_mut(id) else {
            return;
        };
        resource.status = Some(status.clone());
        resource.reason.clone_from(&reason);
        resource.changed = at;
        let operation = self.operations.last().map(|it| it.id).unwrap_or_default();
        self.events.push(resource_event(
            Arc::from(id),
            resource,
            status,
            reason,
            at,
            (operation, self.token.as_ref()),
        ));
    }

    /// The policy that counts for an update that is under way.
    pub fn effective_policy(&self) -> Option<&StackPolicy> {
        self.policy_during_update.as_ref().or(self.policy.as_ref())
    }

    /// The ID of the operation that was begun last.
    pub fn operation_id(&self) -> Uuid {
        self.operations.last().map(|it| it.id).unwrap_or_default()
    }

    /// An event of a resource that the stack has no more, since it was replaced or removed.
    /// CloudFormation shows no properties in it.
    pub fn record_removed_resource(
        &mut self,
        id: &str,
        resource: &ResourceRecord,
        status: ResourceStatus,
        reason: Option<StatusReason>,
        at: Timestamp,
    ) {
        let at = self.next_event_time(at);
        let operation = self.operation_id();
        let event = resource_event(
            Arc::from(id),
            resource,
            status,
            reason,
            at,
            (operation, self.token.as_ref()),
        );
        self.events.push(EventRecord {
            properties: None,
            ..event
        });
    }

    pub(crate) fn declared<'a>(
        &'a self,
        logical_id: &'a str,
        resource: &'a ResourceRecord,
    ) -> DeclaredResource<'a> {
        DeclaredResource {
            account: &self.owner.account,
            region: &self.owner.region,
            stack_name: &self.name,
            logical_id,
            kind: &resource.kind,
            properties: &resource.properties,
        }
    }

    /// The resource's name as [`CloudFormationState::taken`] keeps it, if no second one may have it.
    pub(crate) fn unique_name(
        &self,
        logical_id: &str,
        resource: &ResourceRecord,
    ) -> Option<(String, String, String, String)> {
        let name = resource::declared_name(&self.declared(logical_id, resource))?;
        let region = if resource::is_global(&resource.kind) {
            ""
        } else {
            &self.owner.region
        };
        Some((
            self.owner.account.clone(),
            region.to_owned(),
            resource.kind.to_string(),
            name.to_owned(),
        ))
    }

    /// A change set that waits for its execution.
    pub fn change_set_named(&self, name: &str) -> Option<&ChangeSetRecord> {
        self.change_sets
            .values()
            .find(|it| it.name == name && !it.is_executed())
    }

    /// The stack has been changed by something else than a change set.
    pub fn mark_change_sets_obsolete(&mut self) {
        for change_set in self
            .change_sets
            .values_mut()
            .filter(|it| it.execution == ExecutionStatus::Available)
        {
            change_set.execution = ExecutionStatus::Obsolete;
        }
    }

    /// Drops the resources that its template doesn't have.
    pub(crate) fn drop_undeclared_resources(&mut self) {
        if let Some(revision) = &self.revision {
            self.resources
                .retain(|id, _| revision.depends_on.contains_key(id));
        }
    }
}
