//! Change sets, by the names of CloudFormation's API.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::parsed_template::ParsedTemplate;
use super::revision::AcceptedRevision;
use super::settings::{StackNumber, StackSettings};
use crate::simulator::cloudformation::resource::RequiresRecreation;
use crate::status::{ChangeSetStatus, StackStatus};

pub struct ChangeSetRecord {
    /// ARN.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// The ID under which DescribeEvents shows that it was worked out.
    pub operation: Uuid,
    pub created: Timestamp,
    /// When it is worked out.
    pub ready: Timestamp,
    pub kind: ChangeSetType,
    pub source: Arc<ParsedTemplate>,
    /// Absent where a transform of the template has failed.
    pub accepted: Option<AcceptedRevision>,
    pub settings: StackSettings,
    pub changes: ResourceChanges,
    /// Why it can't be executed.
    pub failure: Option<String>,
    pub execution: ExecutionStatus,
    pub includes_nested_stacks: bool,
    /// Existing resources with the names of new ones are taken over.
    pub imports_existing: bool,
    /// Stack and ID of nested stacks' change sets, which come and go with it.
    pub nested: Vec<(StackNumber, String)>,
    /// Of a nested stack: the change set of the stack that nests it.
    pub parent: Option<String>,
    /// Of a nested stack: the change set that it came with.
    pub root: Option<String>,
}

/// What executing a change set does to its stack.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeSetType {
    Create,
    Update,
    Import(Vec<ResourceToImport>),
}

/// An existing resource that a stack takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceToImport {
    pub logical_id: String,
    /// `AWS::SNS::Topic`
    pub kind: String,
    pub physical_id: String,
}

/// How far a change set's execution has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionStatus {
    Available,
    ExecuteInProgress,
    ExecuteComplete,
    ExecuteFailed,
    /// The stack has been changed by something else.
    Obsolete,
}

/// What a change set lists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceChanges {
    /// By the names of the properties.
    pub by_name: Vec<ResourceChange>,
    /// With the values of the properties (`IncludePropertyValues`).
    pub by_value: Vec<ResourceChange>,
}

/// What would become of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    pub action: ChangeAction,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub kind: String,
    /// Of a modified one.
    pub replacement: Option<RequiresRecreation>,
    /// `ReplaceAndDelete`
    pub policy_action: Option<&'static str>,
    pub details: Vec<ResourceChangeDetail>,
    /// Of a nested stack that is looked into: the ARN of its own.
    pub change_set: Option<String>,
    /// The resource as JSON, before and after.
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeAction {
    Add,
    Modify,
    Remove,
    Import,
}

/// One reason for a modification.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChangeDetail {
    pub target: ResourceTargetDefinition,
    pub source: ChangeSource,
    /// What the value is made of is known only when the change set is executed.
    pub is_dynamic: bool,
    /// `Topic.TopicName`
    pub cause: Option<String>,
}

/// What a detail is about.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceTargetDefinition {
    /// `Properties`, or another part of the resource: `Tags`, `Metadata`, `DeletionPolicy`.
    pub attribute: String,
    /// The property.
    pub name: Option<String>,
    pub requires_recreation: RequiresRecreation,
    /// `/Properties/Tags/0/Value`; only where values are shown.
    pub path: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Where a change comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeSource {
    DirectModification,
    ParameterReference,
    ResourceReference,
    ResourceAttribute,
    /// A nested stack's template may have changed.
    Automatic,
}

impl ChangeSetRecord {
    /// Status and execution status, by this moment.
    pub fn status(&self, now: Timestamp) -> (ChangeSetStatus, &'static str) {
        let execution = match self.execution {
            ExecutionStatus::Available => "AVAILABLE",
            ExecutionStatus::ExecuteInProgress => "EXECUTE_IN_PROGRESS",
            ExecutionStatus::ExecuteComplete => "EXECUTE_COMPLETE",
            ExecutionStatus::ExecuteFailed => "EXECUTE_FAILED",
            ExecutionStatus::Obsolete => "OBSOLETE",
        };
        match &self.failure {
            _ if now < self.ready => (ChangeSetStatus::CreateInProgress, "UNAVAILABLE"),
            Some(_) => (ChangeSetStatus::Failed, "UNAVAILABLE"),
            None if self.root.is_some() && self.execution == ExecutionStatus::Available => {
                (ChangeSetStatus::CreateComplete, "UNAVAILABLE")
            }
            None => (ChangeSetStatus::CreateComplete, execution),
        }
    }

    /// Why it is in its status, by this moment.
    pub fn status_reason(&self, now: Timestamp) -> Option<&str> {
        match self.status(now) {
            (ChangeSetStatus::Failed, _) => self.failure.as_deref(),
            (ChangeSetStatus::CreateComplete, "UNAVAILABLE") => {
                Some("Executable from root change set")
            }
            _ => None,
        }
    }

    /// Whether its execution has begun, however it went on.
    pub fn is_executed(&self) -> bool {
        matches!(
            self.execution,
            ExecutionStatus::ExecuteInProgress
                | ExecutionStatus::ExecuteComplete
                | ExecutionStatus::ExecuteFailed
        )
    }

    /// Takes note of what the stack that executes it has become.
    pub fn update_execution(&mut self, status: &StackStatus) {
        if self.execution != ExecutionStatus::ExecuteInProgress {
            return;
        }
        match status {
            StackStatus::CreateComplete
            | StackStatus::UpdateComplete
            | StackStatus::ImportComplete => self.execution = ExecutionStatus::ExecuteComplete,
            status if status.is_complete() || status.is_failed() => {
                self.execution = ExecutionStatus::ExecuteFailed;
            }
            _ => {}
        }
    }
}

impl ResourceChange {
    pub(crate) fn new(
        action: ChangeAction,
        id: &str,
        physical_id: Option<&str>,
        kind: &str,
    ) -> Self {
        Self {
            action,
            logical_id: id.to_owned(),
            physical_id: physical_id.map(str::to_owned),
            kind: kind.to_owned(),
            replacement: None,
            policy_action: None,
            details: Vec::new(),
            change_set: None,
            before: None,
            after: None,
        }
    }
}

impl ResourceChangeDetail {
    pub(crate) fn direct(target: ResourceTargetDefinition, is_dynamic: bool) -> Self {
        Self {
            target,
            source: ChangeSource::DirectModification,
            is_dynamic,
            cause: None,
        }
    }

    /// Whether the resource is replaced for it: `Always` and dynamic is `Conditionally`.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>
    /// (`Replacement`)
    pub(crate) fn replacement(&self) -> RequiresRecreation {
        match self.target.requires_recreation {
            RequiresRecreation::Always if self.is_dynamic => RequiresRecreation::Conditionally,
            requires_recreation => requires_recreation,
        }
    }
}

impl ResourceTargetDefinition {
    pub(crate) fn new(
        attribute: &str,
        name: Option<&str>,
        requires_recreation: RequiresRecreation,
    ) -> Self {
        let (attribute, name) = (attribute.to_owned(), name.map(str::to_owned));
        Self {
            attribute,
            name,
            requires_recreation,
            path: None,
            before: None,
            after: None,
        }
    }
}
