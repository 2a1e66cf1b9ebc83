//! Operations on stacks: a phase with a task for each resource, and what happens next in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use indexmap::IndexMap;
use jiff::Timestamp;
use uuid::Uuid;

use super::resource_record::{ResourceRecord, StackOutput};
use super::revision::Revision;
use super::settings::StackSettings;
use crate::status::StackStatus;

/// What is being done with a stack.
pub struct StackOperation {
    /// No other operation has it.
    pub(crate) number: u64,
    pub(crate) phase: OperationPhase,
    pub(crate) tasks: Vec<ResourceTask>,
    /// Tasks that are planned or running.
    pub(crate) active: usize,
    /// Logical IDs, in the order in which they failed.
    pub(crate) failed: Vec<String>,
    /// Nothing new is begun.
    pub(crate) is_cancelled: bool,
    /// Why the stack as a whole fails.
    pub(crate) reason: Option<String>,
    /// Of a deletion: resources that are to be left, and whether those that can't be deleted are.
    pub(crate) retain: BTreeSet<String>,
    pub(crate) is_forced: bool,
    /// Physical IDs of resources that are taken over, by logical IDs.
    pub(crate) imports: BTreeMap<String, String>,
    /// Of an update or an import: what there was.
    pub(crate) before: Option<Box<StackSnapshot>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationPhase {
    Create,
    /// What was created is deleted again.
    Rollback,
    Update,
    /// What was updated is put back.
    UpdateRollback,
    /// What an update, or its rollback, no longer needs is deleted.
    UpdateCompleteCleanup,
    UpdateRollbackCompleteCleanup,
    Delete,
    Import,
}

/// A stack before its update.
#[derive(Clone)]
pub struct StackSnapshot {
    pub(crate) revision: Option<Revision>,
    pub(crate) resources: IndexMap<String, ResourceRecord>,
    pub(crate) outputs: Vec<StackOutput>,
    pub(crate) settings: StackSettings,
}

/// What is to be done with one resource.
pub(crate) struct ResourceTask {
    pub(crate) logical_id: String,
    /// What it is put back to, or what is deleted if it isn't the stack's resource of that name.
    pub(crate) subject: Option<Box<ResourceRecord>>,
    /// So many others must be done first.
    pub(crate) unfinished_dependencies: usize,
    /// Those that wait for it.
    pub(crate) dependents: Vec<usize>,
    pub(crate) state: TaskState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaskState {
    Waiting,
    Scheduled,
    Running,
    Done,
    Failed,
}

/// What happens next in an operation. Tasks go by their place in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ScheduledAction {
    BeginTask(usize),
    /// The service has begun to make the resource.
    InitiateTask(usize),
    /// With the reason where it failed.
    FinishTask(usize, Option<String>),
    /// The phase is over though it had no tasks.
    CompletePhase,
    TimeOut,
}

impl StackOperation {
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

    /// Whether a task is about an existing resource that becomes the stack's.
    pub(crate) fn imports_resource(&self, task: usize) -> bool {
        self.tasks
            .get(task)
            .is_some_and(|task| self.imports.contains_key(&task.logical_id))
    }
}

/// A task for each, in an order that lets none begin before those that it must wait for. Who isn't
/// among them isn't waited for.
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
