//! A stack: its settings, its resources, and its history.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use uuid::Uuid;

use super::change_set::{ChangeSetRecord, ExecutionStatus};
use super::check::{CheckKind, CheckRecord};
use super::operation::{OperationKind, OperationRecord, StackOperation, StackSnapshot};
use super::resource_record::{
    EventRecord, OutputRecord, ResourceRecord, STACK, StatusReason, resource_event,
};
use super::revision::Revision;
use super::settings::{ParentStack, StackSettings};
use super::stack_policy::StackPolicy;
use crate::simulator::Caller;
use crate::simulator::cloudformation::resource::{self, DeclaredResource};
use crate::status::{ResourceStatus, StackStatus};

/// A stack.
pub(crate) struct StackRecord {
    /// The ARN.
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub owner: Caller,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    /// Until when the scenario hides it.
    pub hidden_until: Option<Timestamp>,
    pub status: StackStatus,
    pub reason: Option<String>,
    pub settings: StackSettings,
    /// None while it is in review.
    pub revision: Option<Revision>,
    pub resources: IndexMap<String, ResourceRecord>,
    pub outputs: Vec<OutputRecord>,
    /// Names of the exports that it imports.
    pub imports: BTreeSet<String>,
    /// Oldest first.
    pub events: Vec<EventRecord>,
    /// The time of the last event of this stack or of its nested stacks; the next event is later.
    pub last_event_at: Timestamp,
    /// The current operation.
    pub operation: Option<StackOperation>,
    /// By their IDs, executed ones included.
    pub change_sets: IndexMap<String, ChangeSetRecord>,
    /// The change set that was executed last.
    pub change_set_id: Option<String>,
    pub nested_in: Option<ParentStack>,
    /// The stack policy.
    pub policy: Option<StackPolicy>,
    /// The policy of the current update, if it has one of its own.
    pub policy_during_update: Option<StackPolicy>,
    /// Its operations, oldest first; never empty once it has an event.
    pub operations: Vec<OperationRecord>,
    /// After a failed update or a failed rollback: the stack before the update.
    pub rollback_target: Option<Box<StackSnapshot>>,
    /// Logical IDs of resources that the continued rollback skips.
    pub skipped_resources: BTreeSet<String>,
    /// The failed checks, which only DescribeEvents shows.
    pub checks: Vec<CheckRecord>,
    /// The last drift detection.
    pub drift: Option<DriftDetection>,
    /// The token of the last call that started an operation, and the action of the call.
    pub token: Option<(Arc<str>, &'static str)>,
}

/// A drift detection.
#[derive(Clone, Debug)]
pub(crate) struct DriftDetection {
    pub id: Uuid,
    pub at: Timestamp,
    /// What had drifted, by logical ID: the actual properties, or none if the resource was deleted.
    pub drifted: BTreeMap<String, Option<Json>>,
}

impl DriftDetection {
    /// Returns the stack's drift status.
    pub(crate) fn status(&self) -> &'static str {
        if self.drifted.is_empty() {
            "IN_SYNC"
        } else {
            "DRIFTED"
        }
    }
}

impl StackRecord {
    /// Returns whether the stack was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.status == StackStatus::DeleteComplete
    }

    /// Returns whether an operation is in progress.
    pub(crate) fn is_busy(&self) -> bool {
        self.status.is_in_progress() && self.status != StackStatus::ReviewInProgress
    }

    /// Sets the stack's status, and adds the event.
    pub(crate) fn set_status(
        &mut self,
        status: StackStatus,
        reason: Option<String>,
        at: Timestamp,
    ) {
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
            // A deleted stack keeps the time at which its deletion began. A rollback deletes
            // resources as well.
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

    /// Returns the time of the next event: no two events of a stack have the same time stamp in
    /// milliseconds.
    fn next_event_time(&mut self, at: Timestamp) -> Timestamp {
        let is_later = at.as_millisecond() > self.last_event_at.as_millisecond();
        self.last_event_at = if is_later {
            at
        } else {
            self.last_event_at
                .checked_add(SignedDuration::from_millis(1))
                .unwrap_or(at)
        };
        self.last_event_at
    }

    /// Sets a resource's status, and adds the event.
    pub(crate) fn set_resource_status(
        &mut self,
        id: &str,
        status: ResourceStatus,
        reason: Option<StatusReason>,
        at: Timestamp,
    ) {
        let at = self.next_event_time(at);
        debug_assert!(
            self.resources.contains_key(id),
            "{} has no resource {id}",
            self.id
        );
        let operation = self.operation_id();
        let Some(resource) = self.resources.get_mut(id) else {
            return;
        };
        resource.status = Some(status.clone());
        resource.reason.clone_from(&reason);
        resource.changed = at;
        self.events.push(resource_event(
            Arc::from(id),
            resource,
            status,
            reason,
            at,
            (operation, self.token.as_ref()),
        ));
    }

    /// Records a failed check of a resource.
    pub(crate) fn record_check(
        &mut self,
        id: &str,
        kind: Arc<str>,
        check: CheckKind,
        reason: String,
        at: Timestamp,
    ) {
        let at = self.next_event_time(at);
        self.checks.push(CheckRecord {
            id: Uuid::new_v4(),
            at,
            operation: self.operation_id(),
            logical_id: Arc::from(id),
            kind,
            check,
            reason,
        });
    }

    /// Returns the policy that applies to the current update.
    pub(crate) fn effective_policy(&self) -> Option<&StackPolicy> {
        self.policy_during_update.as_ref().or(self.policy.as_ref())
    }

    /// Returns the type of a resource as its template declares it.
    pub(crate) fn declared_type(&self, id: &str) -> Arc<str> {
        let root = self.revision.as_ref().map(|it| &it.source.template.root);
        let declared = root.and_then(|root| root.get("Resources")?.get(id)?.get("Type"));
        debug_assert!(declared.is_some(), "{} declares no resource {id}", self.id);
        declared.map_or_else(Arc::default, |kind| Arc::from(&*kind.text))
    }

    /// Returns the ID of the last operation.
    pub(crate) fn operation_id(&self) -> Uuid {
        self.operations.last().map(|it| it.id).unwrap_or_default()
    }

    /// Adds an event for a resource that was replaced or removed, in which CloudFormation shows no
    /// properties.
    pub(crate) fn record_removed_resource(
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

    /// Returns a resource as the stack declares it.
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

    /// Returns the key under which the state reserves the resource's name, if it must be unique.
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

    /// Returns a change set that isn't executed yet.
    pub(crate) fn change_set_named(&self, name: &str) -> Option<&ChangeSetRecord> {
        self.change_sets
            .values()
            .find(|it| it.name == name && !it.is_executed())
    }

    /// Marks the change sets as obsolete, because something else has changed the stack.
    pub(crate) fn mark_change_sets_obsolete(&mut self) {
        for change_set in self
            .change_sets
            .values_mut()
            .filter(|it| it.execution == ExecutionStatus::Available)
        {
            change_set.execution = ExecutionStatus::Obsolete;
        }
    }

    /// Drops the resources that its template doesn't declare.
    pub(crate) fn drop_undeclared_resources(&mut self) {
        if let Some(revision) = &self.revision {
            self.resources
                .retain(|id, _| revision.depends_on.contains_key(id));
        }
    }
}
