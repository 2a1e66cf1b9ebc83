//! A stack: what it was made of, its resources, and what has happened to it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::change_set::ChangeSetRecord;
use super::engine::{StackOperation, StackSnapshot};
use super::resource::ResourceProperties;
use super::revision::Revision;
use super::stack_policy::StackPolicy;
use crate::simulator::Caller;
use crate::status::{ResourceStatus, StackStatus};

/// The number under which [`super::state::CloudFormationState`] keeps a stack, deleted ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackNumber(pub usize);

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

/// An operation as events name it.
#[derive(Clone, Debug)]
pub struct OperationRecord {
    pub id: Uuid,
    pub kind: OperationKind,
    pub started: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    CreateStack,
    UpdateStack,
    DeleteStack,
    ContinueRollback,
    Rollback,
    CreateChangeSet,
}

#[derive(Clone, Debug)]
pub struct DriftDetection {
    pub id: Uuid,
    pub at: Timestamp,
}

impl OperationKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateStack => "CREATE_STACK",
            Self::UpdateStack => "UPDATE_STACK",
            Self::DeleteStack => "DELETE_STACK",
            Self::ContinueRollback => "CONTINUE_ROLLBACK",
            Self::Rollback => "ROLLBACK",
            Self::CreateChangeSet => "CREATE_CHANGESET",
        }
    }

    /// The operation that a stack's new status begins.
    fn started_by(status: &StackStatus, before: &StackStatus) -> Option<Self> {
        Some(match status {
            StackStatus::ReviewInProgress => Self::CreateChangeSet,
            StackStatus::CreateInProgress => Self::CreateStack,
            StackStatus::UpdateInProgress | StackStatus::ImportInProgress => Self::UpdateStack,
            StackStatus::DeleteInProgress => Self::DeleteStack,
            StackStatus::UpdateRollbackInProgress
                if *before == StackStatus::UpdateRollbackFailed =>
            {
                Self::ContinueRollback
            }
            StackStatus::RollbackInProgress | StackStatus::UpdateRollbackInProgress => {
                Self::Rollback
            }
            _ => return None,
        })
    }
}

/// What a stack was told besides its template and parameters.
#[derive(Clone, Debug, Default)]
pub struct StackSettings {
    pub tags: Vec<(String, String)>,
    pub capabilities: Vec<String>,
    pub notification_arns: Vec<String>,
    pub role_arn: Option<String>,
    pub timeout_minutes: Option<u32>,
    pub on_failure: OnFailure,
    pub disable_rollback: bool,
    pub is_protected: bool,
    pub rollback: RollbackConfiguration,
}

/// Alarms that are watched while a stack is created or updated, and how long after
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackConfiguration.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollbackConfiguration {
    pub monitoring_minutes: Option<u32>,
    /// ARN and type of each.
    pub triggers: Vec<(String, String)>,
}

/// What becomes of a stack that can't be created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    #[default]
    Rollback,
    Delete,
    DoNothing,
}

/// The stack that a nested one belongs to, and as which of its resources.
#[derive(Clone, Debug)]
pub struct ParentStack {
    pub parent: StackNumber,
    pub root: StackNumber,
    pub logical_id: String,
}

#[derive(Clone, Debug)]
pub struct ResourceRecord {
    /// `AWS::SNS::Topic`
    pub kind: Arc<str>,
    /// Absent until its service has begun to make it.
    pub physical_id: Option<Arc<str>>,
    /// Absent before its first event.
    pub status: Option<ResourceStatus>,
    pub reason: Option<StatusReason>,
    pub changed: Timestamp,
    pub properties: Arc<ResourceProperties>,
    pub deletion_policy: Option<String>,
    pub update_replace_policy: Option<String>,
    /// Logical IDs of those that must outlive it.
    pub depends_on: Arc<[String]>,
    /// Of an `AWS::CloudFormation::StackRecord`.
    pub child: Option<StackNumber>,
}

#[derive(Clone, Debug)]
pub struct StackOutput {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export_name: Option<String>,
    /// The simulator made up its value, or a part of it.
    pub is_made_up: bool,
}

/// There are many of them, so they share what they can.
#[derive(Clone, Debug)]
pub struct EventRecord {
    pub id: Uuid,
    pub at: Timestamp,
    /// The ID of the operation that it belongs to.
    pub operation: Uuid,
    pub logical_id: Arc<str>,
    pub physical_id: Option<Arc<str>>,
    pub kind: Arc<str>,
    pub status: ResourceStatus,
    pub reason: Option<StatusReason>,
    /// What a resource is made of.
    pub properties: Option<Arc<ResourceProperties>>,
    pub token: Option<Arc<str>>,
}

pub type StatusReason = Cow<'static, str>;

/// The type of a stack in a stack, and of stacks themselves in their events.
pub const STACK: &str = "AWS::CloudFormation::Stack";

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
}

impl ResourceRecord {
    pub fn has_status(&self, status: &ResourceStatus) -> bool {
        self.status.as_ref() == Some(status)
    }

    pub fn is_deleted(&self) -> bool {
        self.has_status(&ResourceStatus::DeleteComplete)
    }

    /// Whether the stack no longer has it: it is deleted, or retained by itself.
    pub fn is_removed(&self) -> bool {
        self.is_deleted() || self.has_status(&ResourceStatus::DeleteSkipped)
    }
}

impl EventRecord {
    /// Whether it is about the stack, and not about a resource of it.
    pub fn is_of_stack_itself(&self) -> bool {
        &*self.kind == STACK
            && self
                .physical_id
                .as_deref()
                .is_some_and(|id| id.contains(&format!("/{}/", self.logical_id)))
    }

    /// Its ID as CloudFormation writes it: those of resources say what they are about, and when it
    /// happened, but for those that clean up after an update.
    pub fn name(&self) -> String {
        match self.is_of_stack_itself() {
            true => self.id.to_string(),
            false if self.properties.is_none() => format!("{}-{}", self.logical_id, self.id),
            false => format!(
                "{}-{}-{}",
                self.logical_id,
                self.status,
                format_timestamp(self.at)
            ),
        }
    }
}

/// A moment as CloudFormation writes it, to the millisecond.
pub fn format_timestamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn resource_event(
    logical_id: Arc<str>,
    resource: &ResourceRecord,
    status: ResourceStatus,
    reason: Option<StatusReason>,
    at: Timestamp,
    (operation, token): (Uuid, Option<&(Arc<str>, &'static str)>),
) -> EventRecord {
    EventRecord {
        id: Uuid::new_v4(),
        at,
        operation,
        logical_id,
        physical_id: resource.physical_id.clone(),
        kind: resource.kind.clone(),
        status,
        reason,
        properties: Some(resource.properties.clone()),
        token: token.map(|(token, _)| token.clone()),
    }
}
