//! Change sets: what an update would do, shown before it is done.
//!
//! - `calls`: they are created, executed and deleted
//! - `comparison`: what becomes of each resource, and why; `context`: a resource and its values as
//!   change sets show them
//! - `nested`: change sets of nested stacks, which come and go with their root's
//! - `import`: change sets that bring existing resources into a stack

mod calls;
mod comparison;
mod context;
mod import;
mod nested;

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::resource::Replaces;
use super::revision::Begun;
use super::source::Source;
use super::stack::{Settings, StackNumber};
use crate::status::{ChangeSetStatus, StackStatus};

pub use calls::find;
pub use comparison::Changes;
pub use import::Import;

pub struct ChangeSet {
    /// ARN.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// The ID under which DescribeEvents shows that it was worked out.
    pub operation: Uuid,
    pub created: Timestamp,
    /// When it is worked out.
    pub ready: Timestamp,
    pub kind: ChangeSetKind,
    pub source: Arc<Source>,
    /// Absent where a transform of the template has failed.
    pub begun: Option<Begun>,
    pub settings: Settings,
    pub changes: Changes,
    /// Why it can't be executed.
    pub refused: Option<String>,
    pub execution: Execution,
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
pub enum ChangeSetKind {
    Create,
    Update,
    Import(Vec<Import>),
}

/// How far a change set's execution has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    Available,
    Running,
    Complete,
    Failed,
    /// The stack has been changed by something else.
    Obsolete,
}

/// What would become of one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceChange {
    pub action: Action,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub kind: String,
    /// Of a modified one.
    pub replacement: Option<Replaces>,
    /// `ReplaceAndDelete`
    pub policy_action: Option<&'static str>,
    pub details: Vec<Detail>,
    /// Of a nested stack that is looked into: the ARN of its own.
    pub change_set: Option<String>,
    /// The resource as JSON, before and after.
    pub before: Option<String>,
    pub after: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Add,
    Modify,
    Remove,
    Import,
}

/// One reason for a modification.
#[derive(Clone, Debug, PartialEq)]
pub struct Detail {
    pub target: DetailTarget,
    pub source: ChangeSource,
    /// What the value is made of is known only when the change set is executed.
    pub is_dynamic: bool,
    /// `Topic.TopicName`
    pub cause: Option<String>,
}

/// What a detail is about.
#[derive(Clone, Debug, PartialEq)]
pub struct DetailTarget {
    /// `Properties`, or another part of the resource: `Tags`, `Metadata`, `DeletionPolicy`.
    pub attribute: String,
    /// The property.
    pub name: Option<String>,
    pub replaces: Replaces,
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

impl ChangeSet {
    /// Status and execution status, by this moment.
    pub fn status(&self, now: Timestamp) -> (ChangeSetStatus, &'static str) {
        let execution = match self.execution {
            Execution::Available => "AVAILABLE",
            Execution::Running => "EXECUTE_IN_PROGRESS",
            Execution::Complete => "EXECUTE_COMPLETE",
            Execution::Failed => "EXECUTE_FAILED",
            Execution::Obsolete => "OBSOLETE",
        };
        match &self.refused {
            _ if now < self.ready => (ChangeSetStatus::CreateInProgress, "UNAVAILABLE"),
            Some(_) => (ChangeSetStatus::Failed, "UNAVAILABLE"),
            None if self.root.is_some() && self.execution == Execution::Available => {
                (ChangeSetStatus::CreateComplete, "UNAVAILABLE")
            }
            None => (ChangeSetStatus::CreateComplete, execution),
        }
    }

    /// Why it is in its status, by this moment.
    pub fn status_reason(&self, now: Timestamp) -> Option<&str> {
        match self.status(now) {
            (ChangeSetStatus::Failed, _) => self.refused.as_deref(),
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
            Execution::Running | Execution::Complete | Execution::Failed
        )
    }

    /// Takes note of what the stack that executes it has become.
    pub fn follow(&mut self, status: &StackStatus) {
        if self.execution != Execution::Running {
            return;
        }
        match status {
            StackStatus::CreateComplete
            | StackStatus::UpdateComplete
            | StackStatus::ImportComplete => self.execution = Execution::Complete,
            status if status.is_complete() || status.is_failed() => {
                self.execution = Execution::Failed;
            }
            _ => {}
        }
    }
}

impl ResourceChange {
    fn new(action: Action, id: &str, physical_id: Option<&str>, kind: &str) -> Self {
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

impl Detail {
    fn direct(target: DetailTarget, is_dynamic: bool) -> Self {
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
    fn replaces(&self) -> Replaces {
        match self.target.replaces {
            Replaces::Always if self.is_dynamic => Replaces::Conditionally,
            replaces => replaces,
        }
    }
}

impl DetailTarget {
    fn new(attribute: &str, name: Option<&str>, replaces: Replaces) -> Self {
        let (attribute, name) = (attribute.to_owned(), name.map(str::to_owned));
        Self {
            attribute,
            name,
            replaces,
            path: None,
            before: None,
            after: None,
        }
    }
}
