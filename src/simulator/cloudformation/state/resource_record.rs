//! The resources and outputs of a stack, and the events that they and the stack have.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::settings::StackNumber;
use crate::simulator::cloudformation::resource::ResourceProperties;
use crate::status::ResourceStatus;

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
