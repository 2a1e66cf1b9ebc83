//! The spine: everything that happens in a run, as values.
//!
//! The steps send [`EventKind`]s; the dispatcher in `run` stamps and orders them into
//! [`RunEvent`]s; the reports consume them, and `events.ndjson` is a list of them, one JSON object
//! a line. This module knows nobody and carries ids and small values only: never a parameter's
//! secret value.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::status::{ResourceStatus, StackStatus};
use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// One line of `events.ndjson`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When the dispatcher took it, UTC.
    pub at: Timestamp,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The time of an event that happens now. It never goes back: the system's clock is asked once, and
/// from then on a clock that nobody sets.
pub fn now() -> Timestamp {
    static START: OnceLock<(Timestamp, Instant)> = OnceLock::new();
    let (at, since) = START.get_or_init(|| (Timestamp::now(), Instant::now()));
    at.checked_add(since.elapsed()).unwrap_or(*at)
}

/// One test in one region: the unit that passes or fails.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct CellId {
    pub test: Arc<str>,
    pub region: Arc<str>,
}

/// `test/region`, as people read it.
impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.test, self.region)
    }
}

/// What happened. Consumers match exhaustively: a new variant is a decision for each of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// Always the first event.
    RunStarted(RunStarted),
    /// Where the files of the project have what a cell failed of, as far as that was foreseen.
    /// Before the cell's verdict.
    FailuresLocated {
        cell: CellId,
        places: Vec<PredictedFailure>,
    },
    /// Something the user should know that stops nothing. `cell` is absent where it concerns the
    /// whole run.
    Warning {
        cell: Option<CellId>,
        message: String,
    },

    LintStarted {
        templates: usize,
    },
    LintFinding(LintFinding),
    LintFinished {
        errors: usize,
        warnings: usize,
    },
    /// Nothing was checked, and why.
    LintSkipped {
        reason: String,
    },

    PackageStarted {
        lambda: String,
    },
    PackageFinished {
        lambda: String,
        archive: String,
    },

    /// A bucket is about to be made. Sent, and on disk, before the call.
    BucketCreating {
        bucket: String,
        region: String,
    },
    BucketCreated {
        bucket: String,
        region: String,
    },
    /// A marker is about to be put into a bucket that other runs may stage to. Sent, and on disk,
    /// before the call.
    ///
    /// Until [`EventKind::StagingReleased`] follows, the journal of a killed run owes its deletion:
    /// the object `key` of the bucket, which is one of the header's shared buckets. The key is
    /// always the one that `stage::marker::key_of` gives for the journal's project and run, so that
    /// a forged journal leads to no other object.
    StagingMarked {
        bucket: String,
        region: String,
        key: String,
    },
    /// The marker was deleted.
    StagingReleased {
        bucket: String,
        key: String,
    },
    /// What staging to one bucket will do. `bytes` counts what is to be sent.
    UploadStarted {
        bucket: String,
        uploads: usize,
        unchanged: usize,
        removals: usize,
        bytes: u64,
    },
    ObjectUploaded {
        bucket: String,
        key: String,
        bytes: u64,
    },
    ObjectRemoved {
        bucket: String,
        key: String,
    },
    UploadFinished {
        bucket: String,
    },

    HookStarted {
        cell: CellId,
        hook: Hook,
    },
    /// `error` says why it failed; absent on success. `output` is the end of what it printed.
    HookFinished {
        cell: CellId,
        hook: Hook,
        error: Option<String>,
        output: Option<String>,
    },

    /// A stack is about to be made. Sent, and on disk, before the call.
    StackCreating {
        cell: CellId,
        stack_name: String,
        client_request_token: String,
    },
    StackCreated {
        cell: CellId,
        stack_id: String,
    },
    /// CreateStack was refused, or the cell could not get that far. The cell is over.
    LaunchFailed {
        cell: CellId,
        reason: String,
        /// Whether the stack may have been created all the same: no answer came, and none was
        /// found.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        may_exist: bool,
    },
    /// One event of CloudFormation's, of the cell's stack or of one nested in it.
    StackEvent {
        cell: CellId,
        #[serde(flatten)]
        detail: StackEvent,
    },
    /// The cell's stack has come to rest; nothing more happens to it until it is deleted.
    StackSettled {
        cell: CellId,
        status: StackStatus,
        reason: Option<String>,
        outputs: Vec<StackOutput>,
    },
    /// The cell's verdict. Teardown may still follow.
    CellFinished {
        cell: CellId,
        outcome: Outcome,
        reason: Option<String>,
    },

    /// An attempt failed for a reason that is AWS's, and its stack is deleted; a fresh stack
    /// follows.
    CellRetried {
        cell: CellId,
        /// Number of the attempt that failed, from 1 on.
        attempt: u32,
        reason: String,
    },

    /// A change set is about to be made. Sent before the call.
    ChangeSetCreating {
        cell: CellId,
        stack_name: String,
        change_set: String,
    },
    /// It is worked out and can be looked at. Without changes there is nothing to execute, and it
    /// is gone again.
    ChangeSetCreated {
        cell: CellId,
        stack_id: String,
        change_set: String,
        changes: Vec<ReportedChange>,
    },
    /// It is being executed; the stack's events follow.
    ChangeSetExecuted {
        cell: CellId,
        change_set: String,
    },
    /// It stands as it is, for somebody else's review.
    ChangeSetLeft {
        cell: CellId,
        change_set: String,
    },
    /// It was not wanted and is gone.
    ChangeSetDropped {
        cell: CellId,
        change_set: String,
    },

    StackDeleting {
        cell: CellId,
        stack_id: String,
    },
    StackDeleted {
        cell: CellId,
        stack_id: String,
    },
    /// The stack could not be deleted, or not in time: `left` is what still stands.
    StackDeleteFailed {
        cell: CellId,
        stack_id: String,
        reason: String,
        left: Vec<LeftoverResource>,
    },
    /// The stack stays, as the user asked.
    StackKept {
        cell: CellId,
        stack_id: String,
        why: KeepReason,
    },
    /// The deletion was asked for and not awaited, as the user asked.
    StackDeleteUnawaited {
        cell: CellId,
        stack_id: String,
    },

    BucketDeleted {
        bucket: String,
    },
    BucketKept {
        bucket: String,
        why: KeepReason,
    },
    BucketDeleteFailed {
        bucket: String,
        reason: String,
    },

    /// The user, or the system, asked the run to stop; teardown follows.
    Interrupted {
        signal: String,
    },
    /// Always the last event.
    RunFinished(RunFinished),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The `taskcat-id` of the run: 32 hex digits.
    pub run_id: String,
    pub taskcat_version: String,
    pub task: RunTask,
    pub project: String,
    /// The endpoint that stands in for AWS, if any.
    pub endpoint: Option<String>,
    /// What answers only simulates AWS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// The templates of the cells, and those nested in them, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateSource>,
    pub cells: Vec<PlannedCell>,
}

/// What a template says of its parameters and resources, by which a failure is followed to its line
/// and to the values that fed it. It holds no values of parameters but defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSource {
    /// Its path relative to the project root.
    pub template: String,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub parameters: IndexMap<String, ParameterSource>,
    /// The lines of its mappings.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub mappings: IndexMap<String, u32>,
    /// By logical id, in the template's order.
    pub resources: IndexMap<String, ResourceSource>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSource {
    /// Counts from 1.
    pub line: u32,
    /// `****` where the template says `NoEcho`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_echo: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSource {
    /// Counts from 1.
    pub line: u32,
    /// It exists only if a condition holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub conditional: bool,
    /// The template's parameters that it refers to, itself or by the conditions that it asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Logical ids of the resources that must be there first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Of a nested stack: the template, as far as it lies in the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Of a nested stack: what it gives to its template's parameters.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub gives: IndexMap<String, ParameterBinding>,
}

/// What a nested stack's parameter is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterBinding {
    /// As it stands in the template.
    Value(String),
    /// The value of one of the outer template's parameters.
    Ref(String),
    /// Made of something else, and of these parameters of the outer template.
    MadeOf(Vec<String>),
}

/// What a run is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunTask {
    #[default]
    Test,
    /// The project is staged, and nothing is launched.
    Upload,
    /// Stacks that stay are created and changed, by change sets.
    Deploy,
    /// What an upload would do is shown.
    DryRun,
    /// What earlier runs left is deleted.
    Clean,
}

/// A place in a file that a failure can be traced to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictedFailure {
    /// What a reason says, or a part of it, where the failure is this one.
    pub message: String,
    /// Relative to the project root.
    pub file: String,
    /// Counts from 1.
    pub line: u32,
    /// What to do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What is known of a cell before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedCell {
    #[serde(flatten)]
    pub id: CellId,
    pub stack_name: String,
    /// The template's path relative to the project root.
    pub template: String,
    pub account_id: String,
    /// Rendered parameters in the template's order; a secret's value is `****`.
    pub parameters: Vec<CellParameter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CellParameter {
    pub key: String,
    pub value: String,
}

/// What a linter found in a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LintFinding {
    /// An error stops the run; anything less is a warning.
    pub error: bool,
    /// `E3012`
    pub rule: String,
    pub message: String,
    /// The template's path relative to the project root; line and column count from 1.
    pub template: String,
    pub line: u32,
    pub column: u32,
}

/// `templates/main.yaml:12:7: E3012 …`, as compilers write it.
impl fmt::Display for LintFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            message,
            template,
            line,
            column,
            ..
        } = self;
        write!(f, "{template}:{line}:{column}: {rule} {message}")
    }
}

/// A CloudFormation stack event, in the API's words
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackEvent {
    pub event_id: String,
    pub stack_id: String,
    pub stack_name: String,
    /// How deep the stack is nested: 0 is the cell's own stack.
    pub depth: u32,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: ResourceStatus,
    pub reason: Option<String>,
}

impl StackEvent {
    /// True for an event about the stack itself rather than about a resource in it.
    pub fn is_of_stack(&self) -> bool {
        self.physical_id.as_deref() == Some(self.stack_id.as_str())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StackOutput {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export_name: Option<String>,
}

/// What a change set would do with a resource
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html>).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedChange {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`
    pub action: String,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    /// `True`, `False` or `Conditional`: whether another resource takes its place. Only of what is
    /// modified.
    pub replacement: Option<String>,
    /// What changes in it.
    pub details: Vec<ReportedChangeDetail>,
    /// Of a nested stack: what the change does in it, as far as that is known.
    pub nested: Vec<ReportedChange>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedChangeDetail {
    /// The property by its path, or else the attribute of the resource: `QueueName`,
    /// `Tags.0.Value`, `DeletionPolicy`.
    pub name: String,
    /// What it was, as text or else as JSON, and what it would be; absent where that isn't known,
    /// or there is nothing. What holds a secret is `****`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// `Never`, `Conditionally` or `Always`: whether this makes another resource of it.
    pub recreation: String,
    /// On what the new value hangs: a parameter or another resource.
    pub cause: Option<String>,
}

/// A resource that a failed deletion left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftoverResource {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: ResourceStatus,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    pub stage: HookStage,
    /// The hook's `type` in the configuration.
    #[serde(rename = "type")]
    pub kind: String,
}

/// TaskCat's names for the two lists of hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookStage {
    Prehooks,
    Posthooks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Passed,
    Failed,
    /// The run was stopped before the cell could pass or fail.
    Interrupted,
    /// An error before the tests kept the run from it.
    Skipped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeepReason {
    /// `--no-delete`
    NoDelete,
    /// `--keep-failed`
    KeepFailed,
}

impl KeepReason {
    /// Returns why the stack of a finished test isn't deleted, or `None` if it is.
    pub fn of(outcome: Outcome, no_delete: bool, keep_failed: bool) -> Option<Self> {
        match outcome {
            _ if no_delete => Some(Self::NoDelete),
            Outcome::Failed if keep_failed => Some(Self::KeepFailed),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFinished {
    pub passed: usize,
    pub failed: usize,
    pub interrupted: usize,
    /// Stacks and buckets that should be gone and are not.
    pub left_behind: usize,
    /// What stopped the run before its cells (lint errors, a bucket that can't be made); absent in
    /// a normal run.
    pub error: Option<String>,
}

/// The steps' end of the spine; clones are cheap.
#[derive(Clone)]
pub struct EventSender(mpsc::UnboundedSender<DispatcherMessage>);

/// What the dispatcher receives.
pub struct DispatcherMessage {
    pub kind: EventKind,
    /// Answered once the happening is on disk, or with the reason why it can't be.
    pub recorded: Option<oneshot::Sender<Result<(), String>>>,
}

/// The journal can't be written, so what it was to announce must not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the run's journal can't be written: {0}")]
pub struct JournalWriteFailed(pub String);

impl EventSender {
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<DispatcherMessage>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub fn send(&self, kind: EventKind) {
        // The dispatcher outlives every sender; were it gone, nobody would be left to tell.
        let _ = self.0.send(DispatcherMessage {
            kind,
            recorded: None,
        });
    }

    pub fn warn(&self, cell: Option<&CellId>, message: impl Into<String>) {
        self.send(EventKind::Warning {
            cell: cell.cloned(),
            message: message.into(),
        });
    }

    /// Sends, and returns when the happening is on disk. To be awaited before whatever it announces
    /// is done.
    pub async fn record(&self, kind: EventKind) -> Result<(), JournalWriteFailed> {
        let (recorded, answer) = oneshot::channel();
        let _ = self.0.send(DispatcherMessage {
            kind,
            recorded: Some(recorded),
        });
        match answer.await {
            Ok(result) => result.map_err(JournalWriteFailed),
            Err(_) => Err(JournalWriteFailed("the dispatcher has stopped".to_owned())),
        }
    }
}
