//! Operations on stacks: a phase with a task for each resource.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use jiff::Timestamp;
use uuid::Uuid;

use super::resource_record::{OutputRecord, ResourceRecord};
use super::revision::Revision;
use super::settings::StackSettings;
use crate::status::StackStatus;

/// The operation on a stack.
pub(crate) struct StackOperation {
    /// The unique number of the operation.
    pub(crate) number: u64,
    pub(crate) phase: OperationPhase,
    pub(crate) tasks: Vec<ResourceTask>,
    /// The number of tasks that are scheduled or running.
    pub(crate) active: usize,
    /// Logical IDs of failed resources, in the order in which they failed.
    pub(crate) failed: Vec<String>,
    /// Whether no further tasks begin.
    pub(crate) is_cancelled: bool,
    /// Why the stack as a whole fails.
    pub(crate) reason: Option<String>,
    /// For a deletion: resources to retain, and whether resources that can't be deleted are
    /// retained.
    pub(crate) retain: BTreeSet<String>,
    pub(crate) is_forced: bool,
    /// Physical IDs of resources to import, by logical IDs.
    pub(crate) imports: BTreeMap<String, String>,
    /// For an update or an import: the stack before.
    pub(crate) before: Option<Box<StackSnapshot>>,
}

/// The phase of an operation, named by the stack's status `<PHASE>_IN_PROGRESS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationPhase {
    Create,
    /// `ROLLBACK_IN_PROGRESS`: what was created is deleted.
    Rollback,
    Update,
    /// `UPDATE_ROLLBACK_IN_PROGRESS`: what was updated is rolled back.
    UpdateRollback,
    /// The cleanup of an update or of its rollback: what is no longer needed is deleted.
    UpdateCompleteCleanup,
    UpdateRollbackCompleteCleanup,
    Delete,
    Import,
}

/// A stack before its update.
#[derive(Clone)]
pub(crate) struct StackSnapshot {
    pub(crate) revision: Option<Revision>,
    pub(crate) resources: IndexMap<String, ResourceRecord>,
    pub(crate) outputs: Vec<OutputRecord>,
    pub(crate) settings: StackSettings,
}

/// What an operation does with one resource.
pub(crate) struct ResourceTask {
    pub(crate) logical_id: String,
    /// The resource to roll back to; for a deletion, the resource to delete if it isn't the stack's
    /// current one.
    pub(crate) subject: Option<Box<ResourceRecord>>,
    /// The number of dependencies that aren't done yet.
    pub(crate) unfinished_dependencies: usize,
    /// The positions of tasks that wait for it.
    pub(crate) dependents: Vec<usize>,
    pub(crate) state: TaskState,
}

/// The state of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    Waiting,
    Scheduled,
    Running,
    Done,
    Failed,
}

/// What happens next in an operation. Tasks are given by their position.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ScheduledAction {
    BeginTask(usize),
    /// The service has begun to create or update the resource.
    InitiateTask(usize),
    /// The task ends, with the reason if it failed.
    FinishTask(usize, Option<String>),
    /// The phase ends though it had no tasks.
    CompletePhase,
    TimeOut,
}

impl StackOperation {
    /// Returns an operation that hasn't begun.
    pub(crate) fn new(phase: OperationPhase, tasks: Vec<ResourceTask>) -> Self {
        Self {
            number: 0,
            phase,
            tasks,
            active: 0,
            failed: Vec::new(),
            is_cancelled: false,
            reason: None,
            retain: BTreeSet::new(),
            is_forced: false,
            imports: BTreeMap::new(),
            before: None,
        }
    }

    /// Returns whether a task imports an existing resource.
    pub(crate) fn imports_resource(&self, task: usize) -> bool {
        self.tasks
            .get(task)
            .is_some_and(|task| self.imports.contains_key(&task.logical_id))
    }
}

/// Returns a task for each resource, with dependencies on those that it must wait for. Resources
/// that aren't among them aren't waited for.
pub(crate) fn tasks<'a>(
    subjects: impl IntoIterator<Item = (&'a str, Option<Box<ResourceRecord>>)>,
    waits_for: impl Fn(&str) -> Vec<String>,
) -> Vec<ResourceTask> {
    let task = |(id, subject): (&str, Option<Box<ResourceRecord>>)| ResourceTask {
        logical_id: id.to_owned(),
        subject,
        unfinished_dependencies: 0,
        dependents: Vec::new(),
        state: TaskState::Waiting,
    };
    let mut tasks: Vec<ResourceTask> = subjects.into_iter().map(task).collect();
    let positions: HashMap<String, usize> = tasks
        .iter()
        .enumerate()
        .map(|(position, task)| (task.logical_id.clone(), position))
        .collect();
    for position in 0..tasks.len() {
        let first: BTreeSet<usize> = waits_for(&tasks[position].logical_id)
            .iter()
            .filter_map(|id| positions.get(id).copied())
            .collect();
        for other in first.into_iter().filter(|other| *other != position) {
            tasks[other].dependents.push(position);
            tasks[position].unfinished_dependencies += 1;
        }
    }
    tasks
}

/// An operation as events show it.
#[derive(Clone, Debug)]
pub(crate) struct OperationRecord {
    pub id: Uuid,
    pub kind: OperationKind,
    pub started: Timestamp,
}

/// The type of an operation
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_OperationEntry.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationKind {
    CreateStack,
    UpdateStack,
    DeleteStack,
    ContinueRollback,
    Rollback,
    CreateChangeSet,
}

impl OperationKind {
    /// Returns the `OperationType`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CreateStack => "CREATE_STACK",
            Self::UpdateStack => "UPDATE_STACK",
            Self::DeleteStack => "DELETE_STACK",
            Self::ContinueRollback => "CONTINUE_ROLLBACK",
            Self::Rollback => "ROLLBACK",
            Self::CreateChangeSet => "CREATE_CHANGESET",
        }
    }

    /// Returns the kind of operation that begins with a stack's new status.
    pub(crate) fn started_by(status: &StackStatus, before: &StackStatus) -> Option<Self> {
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
