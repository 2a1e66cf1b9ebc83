//! The resources and outputs of a stack, and its events.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::settings::StackNumber;
use crate::simulator::cloudformation::resource::ResourceProperties;
use crate::status::ResourceStatus;

/// A resource of a stack.
#[derive(Clone, Debug)]
pub(crate) struct ResourceRecord {
    /// `AWS::SNS::Topic`
    pub kind: Arc<str>,
    /// Absent until its service has begun to create it.
    pub physical_id: Option<Arc<str>>,
    /// Absent before its first event.
    pub status: Option<ResourceStatus>,
    pub reason: Option<StatusReason>,
    pub changed: Timestamp,
    pub properties: Arc<ResourceProperties>,
    pub deletion_policy: Option<String>,
    pub update_replace_policy: Option<String>,
    /// Logical IDs of the resources that it depends on.
    pub depends_on: Arc<[String]>,
    /// The nested stack of an `AWS::CloudFormation::Stack`.
    pub child: Option<StackNumber>,
}

/// An output of a stack.
#[derive(Clone, Debug)]
pub(crate) struct OutputRecord {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export_name: Option<String>,
    /// Whether the simulator made up its value, or a part of it.
    pub is_made_up: bool,
}

/// An event of a stack or of one of its resources. There are many of them, so they share what they
/// can.
#[derive(Clone, Debug)]
pub(crate) struct EventRecord {
    pub id: Uuid,
    pub at: Timestamp,
    /// The ID of the operation that it belongs to.
    pub operation: Uuid,
    pub logical_id: Arc<str>,
    pub physical_id: Option<Arc<str>>,
    pub kind: Arc<str>,
    pub status: ResourceStatus,
    pub reason: Option<StatusReason>,
    /// The properties of the resource.
    pub properties: Option<Arc<ResourceProperties>>,
    pub token: Option<Arc<str>>,
}

/// The reason of a status.
pub(crate) type StatusReason = Cow<'static, str>;

/// The type of nested stacks, and of stacks themselves in their events.
pub(crate) const STACK: &str = "AWS::CloudFormation::Stack";

impl ResourceRecord {
    /// Returns whether the resource has a status.
    pub(crate) fn has_status(&self, status: &ResourceStatus) -> bool {
        self.status.as_ref() == Some(status)
    }

    /// Returns whether the resource was deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.has_status(&ResourceStatus::DeleteComplete)
    }

    /// Returns whether the stack no longer has it: it was deleted, or retained.
    pub(crate) fn is_removed(&self) -> bool {
        self.is_deleted() || self.has_status(&ResourceStatus::DeleteSkipped)
    }
}

impl EventRecord {
    /// Returns whether it is about the stack itself, and not about one of its resources.
    pub(crate) fn is_of_stack_itself(&self) -> bool {
        &*self.kind == STACK
            && self
                .physical_id
                .as_deref()
                .is_some_and(|id| id.contains(&format!("/{}/", self.logical_id)))
    }

    /// Returns its ID as CloudFormation writes it: those of resources contain the logical ID, the
    /// status and the time, except in the cleanup of an update.
    pub(crate) fn name(&self) -> String {
        if self.is_of_stack_itself() {
            self.id.to_string()
        } else if self.properties.is_none() {
            format!("{}-{}", self.logical_id, self.id)
        } else {
            format!(
                "{}-{}-{}",
                self.logical_id,
                self.status,
                format_timestamp(self.at)
            )
        }
    }
}

/// Returns a time stamp as CloudFormation writes it, to the millisecond.
pub(crate) fn format_timestamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Returns an event of a resource; `operation` and `token` are the stack's.
pub(crate) fn resource_event(
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
