//! Change sets, with the names of CloudFormation's API.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::parsed_template::ParsedTemplate;
use super::revision::AcceptedRevision;
use super::settings::{StackNumber, StackSettings};
use crate::simulator::cloudformation::resource::RequiresRecreation;
use crate::status::{ChangeSetStatus, StackStatus};

/// A change set.
pub(crate) struct ChangeSetRecord {
    /// The ARN.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// The ID under which DescribeEvents shows its creation.
    pub operation: Uuid,
    pub created: Timestamp,
    /// When its creation is complete.
    pub ready: Timestamp,
    pub kind: ChangeSetType,
    pub source: Arc<ParsedTemplate>,
    /// Absent if a transform of the template has failed.
    pub accepted: Option<AcceptedRevision>,
    pub settings: StackSettings,
    pub changes: ResourceChanges,
    /// Why it can't be executed.
    pub failure: Option<String>,
    pub execution: ExecutionStatus,
    pub includes_nested_stacks: bool,
    /// Whether existing resources with the names of new ones are imported.
    pub imports_existing: bool,
    /// Stacks and IDs of the change sets of nested stacks, which are created and deleted with it.
    pub nested: Vec<(StackNumber, String)>,
    /// For a nested stack: the change set of the parent stack.
    pub parent: Option<String>,
    /// For a nested stack: the change set of the root stack.
    pub root: Option<String>,
}

/// What executing a change set does to its stack.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChangeSetType {
    Create,
    Update,
    Import(Vec<ResourceToImport>),
}

/// An existing resource that a stack imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceToImport {
    pub logical_id: String,
    /// `AWS::SNS::Topic`
    pub kind: String,
    pub physical_id: String,
}

/// The status of a change set's execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecutionStatus {
    Available,
    ExecuteInProgress,
    ExecuteComplete,
    ExecuteFailed,
    /// The stack has been changed by something else.
    Obsolete,
}

/// The changes of a change set, in both forms that DescribeChangeSet shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResourceChanges {
    /// With the names of the properties.
    pub by_name: Vec<ResourceChange>,
    /// With the values of the properties (`IncludePropertyValues`).
    pub by_value: Vec<ResourceChange>,
}

/// What would change in one resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResourceChange {
    pub action: ChangeAction,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub kind: String,
    /// Only for modified resources.
    pub replacement: Option<RequiresRecreation>,
    /// `ReplaceAndDelete`
    pub policy_action: Option<&'static str>,
    pub details: Vec<ResourceChangeDetail>,
    /// For a nested stack that is included: the ARN of its change set.
    pub change_set: Option<String>,
    /// The resource as JSON, before and after the change.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What a change set does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeAction {
    Add,
    Modify,
    Remove,
    Import,
}

/// One reason for a modification.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResourceChangeDetail {
    pub target: ResourceTargetDefinition,
    pub source: ChangeSource,
    /// Whether the value is known only when the change set is executed.
    pub is_dynamic: bool,
    /// `Topic.TopicName`
    pub cause: Option<String>,
}

/// What a detail is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResourceTargetDefinition {
    /// `Properties`, or another attribute of the resource: `Tags`, `Metadata`, `DeletionPolicy`.
    pub attribute: String,
    /// The name of the property.
    pub name: Option<String>,
    pub requires_recreation: RequiresRecreation,
    /// `/Properties/Tags/0/Value`; only where values are shown.
    pub path: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What causes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeSource {
    DirectModification,
    ParameterReference,
    ResourceReference,
    ResourceAttribute,
    /// A nested stack's template may have changed.
    Automatic,
}

impl ChangeSetRecord {
    /// Returns the status and the execution status at this moment.
    pub(crate) fn status(&self, now: Timestamp) -> (ChangeSetStatus, &'static str) {
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

    /// Returns the reason of the status at this moment.
    pub(crate) fn status_reason(&self, now: Timestamp) -> Option<&str> {
        match self.status(now) {
            (ChangeSetStatus::Failed, _) => self.failure.as_deref(),
            (ChangeSetStatus::CreateComplete, "UNAVAILABLE") => {
                Some("Executable from root change set")
            }
            _ => None,
        }
    }

    /// Returns whether its execution has begun, whatever the result.
    pub(crate) fn is_executed(&self) -> bool {
        matches!(
            self.execution,
            ExecutionStatus::ExecuteInProgress
                | ExecutionStatus::ExecuteComplete
                | ExecutionStatus::ExecuteFailed
        )
    }

    /// Updates the execution status from the new status of the stack.
    pub(crate) fn update_execution(&mut self, status: &StackStatus) {
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
    /// Returns one without optional members.
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
    /// Returns a detail for a change in the template itself.
    pub(crate) fn direct(target: ResourceTargetDefinition, is_dynamic: bool) -> Self {
        Self {
            target,
            source: ChangeSource::DirectModification,
            is_dynamic,
            cause: None,
        }
    }

    /// Returns whether the resource is replaced: `Always` and dynamic is `Conditionally`.
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
    /// Returns one without optional members.
    pub(crate) fn new(
        attribute: &str,
        name: Option<&str>,
        requires_recreation: RequiresRecreation,
    ) -> Self {
        let attribute = attribute.to_owned();
        let name = name.map(str::to_owned);
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
