//! `RunReport`: the result of a run, which all reports are rendered from.
//!
//! `fold` builds it from the run's events. All times are those of the events rather than of the
//! clock, so that a recorded run is rendered identically. `root_cause` finds why a test failed; the
//! formats determine the presentation.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::cause::RootCause;
use super::source::TemplateSources;
use crate::event::{
    CellId, CellParameter, CheckResult, EventKind, Hook, HookStage, KeepReason, LeftoverResource,
    LintFinding, PlannedCell, PredictedFailure, ReportedChange, RunFinished, RunTask, StackCheck,
    StackEvent, StackOutput,
};
use crate::status::StackStatus;

/// The version of the format of `report.json`. Incremented when the format changes incompatibly.
pub const SCHEMA_VERSION: u32 = 1;

/// A run of taskcat: what was tested, the results, and what remains.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct RunReport {
    /// The version of this format.
    pub schema_version: u32,
    /// The ID of the run (`taskcat-id`); of several runs, the last one's.
    pub run_id: String,
    /// The IDs of all runs if this is the report of several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merged_runs: Vec<String>,
    /// The version of taskcat, such as `1.0.0`.
    pub taskcat_version: String,
    /// What the run was for.
    #[serde(skip)]
    pub task: RunTask,
    /// The project's name.
    pub project: String,
    /// The URL of the endpoint used instead of AWS, if any.
    pub endpoint: Option<String>,
    /// True if AWS was only simulated.
    pub simulated: bool,
    /// When the run started: the first event's time. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// The last event's time. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    /// The verdict of the run as a whole.
    pub verdict: RunVerdict,
    /// What stopped the run before its tests; absent in a normal run.
    pub error: Option<String>,
    /// The signal that stopped the run, if any.
    pub interrupted_by: Option<String>,
    /// The number of tests by their result.
    pub totals: Totals,
    /// Warnings about the run as a whole; others are in their cell.
    pub warnings: Vec<String>,
    /// The result of linting; absent if the run didn't lint.
    pub lint: Option<LintReport>,
    /// The Lambda archives that were built.
    pub packages: Vec<PackageReport>,
    /// The buckets that the run staged to.
    pub buckets: Vec<BucketReport>,
    /// One entry per test and region, in the plan's order; for several runs, the result of the last
    /// one that tested it.
    pub cells: Vec<CellReport>,
    #[serde(skip)]
    pub(super) positions: HashMap<CellId, usize>,
    #[serde(skip)]
    pub(super) runs: Vec<ReportedRun>,
    #[serde(skip)]
    pub(super) decision: DecisionTime,
}

/// One of the runs in a report; usually the only one.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportedRun {
    pub run_id: String,
    /// Whether its results count: not all of its tests have been repeated since.
    pub counts: bool,
    pub interrupted_by: Option<String>,
    pub finished: Option<RunFinished>,
}

/// The verdict of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunVerdict {
    /// Every test passed, and everything was deleted.
    Passed,
    /// At least one test failed.
    Failed,
    /// Every test passed, but something could not be deleted.
    LeftBehind,
    /// The run was stopped before its end.
    Interrupted,
    /// The run stopped before its tests; `error` says why.
    Error,
    /// The events end before the run did: it was killed.
    #[default]
    Incomplete,
}

/// The number of tests by their result; each region counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    /// All tests.
    pub cells: usize,
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that were interrupted.
    pub interrupted: usize,
    /// Tests that weren't launched because of an earlier error, or since a test that they depend on
    /// didn't pass.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped: usize,
    /// Tests without a verdict, since the run ended before them.
    pub unfinished: usize,
    /// Stacks and buckets that should have been deleted but still exist.
    pub left_behind: usize,
}

/// The result of linting the templates.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct LintReport {
    /// The number of templates that were linted.
    pub templates: usize,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The findings.
    pub findings: Vec<LintFinding>,
}

/// A Lambda function that was packaged.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PackageReport {
    /// The function's directory, relative to the project root.
    pub lambda: String,
    /// Path of the archive, relative to the project root; absent if packaging did not finish.
    pub archive: Option<String>,
}

/// A bucket that the run staged to.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct BucketReport {
    /// The bucket's name.
    pub bucket: String,
    /// The bucket's region; known only for buckets that the run created.
    pub region: Option<String>,
    /// Whether the run created the bucket.
    pub created: bool,
    /// The number of objects to upload.
    pub uploads: usize,
    /// The number of objects that were the same already.
    pub unchanged: usize,
    /// The number of objects to remove.
    pub removals: usize,
    /// The number of objects uploaded.
    pub uploaded: usize,
    /// The number of objects removed.
    pub removed: usize,
    /// The number of bytes uploaded.
    pub bytes: u64,
    /// What happened to the bucket at the end.
    pub end: BucketState,
}

/// What happened to a bucket at the end of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BucketState {
    /// Nothing is recorded.
    #[default]
    Unknown,
    /// The bucket was deleted.
    Deleted,
    /// The bucket was kept, as requested.
    Kept {
        /// The option that kept it.
        why: KeepReason,
    },
    /// The bucket could not be deleted.
    DeleteFailed {
        /// Why the deletion failed.
        reason: String,
    },
}

/// A test in a region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CellReport {
    /// The test and its region.
    #[serde(flatten)]
    pub id: CellId,
    /// The state of the test.
    pub state: CellState,
    /// Why it failed; the same in every report.
    pub root_cause: Option<RootCause>,
    /// The reason that the verdict gives, if any.
    pub reason: Option<String>,
    /// The template's path, relative to the project root.
    pub template: String,
    /// The AWS account's 12-digit ID.
    pub account_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// The stack's ARN; absent if no stack was created.
    pub stack_id: Option<String>,
    /// The stack's last known status; once it is terminal, its status before deletion.
    pub stack_status: Option<StackStatus>,
    /// The reason that CloudFormation gives for the status, if any.
    pub stack_status_reason: Option<String>,
    /// Why the stack could not be launched at all.
    pub launch_error: Option<String>,
    /// When the test started. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// When its verdict was known, before teardown. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    /// Seconds from start to verdict.
    pub duration_seconds: Option<f64>,
    /// The stack's parameters; secrets are masked.
    pub parameters: Vec<CellParameter>,
    /// The stack's outputs.
    pub outputs: Vec<StackOutput>,
    /// The update from an earlier version; absent if the test has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateReport>,
    /// The hooks that ran.
    pub hooks: Vec<HookReport>,
    /// The checks of the stack, in the configuration's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckReport>,
    /// What happened to the stack after the verdict.
    pub teardown: TeardownState,
    /// Warnings about this test.
    pub warnings: Vec<String>,
    /// Earlier results, oldest first: in earlier runs, if this is the report of several, and in
    /// attempts that were retried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// True if it passed only after a failed attempt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
    /// The test's stack and those nested in it, in the order of their first events.
    pub stacks: Vec<StackReport>,
    /// CloudFormation's events until the stack's status was terminal, including nested stacks,
    /// oldest first.
    pub events: Vec<StackEvent>,
    /// CloudFormation's events of the deletion.
    pub teardown_events: Vec<StackEvent>,
    /// True once the stack's events are those of its deletion.
    #[serde(skip)]
    pub(super) tearing_down: bool,
    /// The run's templates.
    #[serde(skip)]
    pub sources: Arc<TemplateSources>,
    /// Index of the report's run that tested it last.
    #[serde(skip)]
    pub(super) run: usize,
    #[serde(skip)]
    pub(super) decision: DecisionTime,
    /// The possible causes of failure with their locations in the project's files.
    #[serde(skip)]
    pub(super) places: Vec<PredictedFailure>,
}

/// The update of a test's stack from an earlier version.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct UpdateReport {
    /// The earlier version's template, relative to the project root.
    pub from: String,
    /// When the earlier version was complete and the update began. RFC 3339, UTC.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// What the update changes, even if it was not executed.
    pub changes: Vec<ReportedChange>,
}

/// The time that a deployment waits for the user's decision, which doesn't count as its duration.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DecisionTime {
    /// Since when it has been waiting.
    since: Option<Timestamp>,
    seconds: f64,
}

impl DecisionTime {
    pub(super) fn apply(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::ChangeSetCreated { .. } => self.since = Some(at),
            EventKind::ChangeSetExecuted { .. } | EventKind::ChangeSetDropped { .. } => {
                self.seconds += seconds_between(self.since.take(), Some(at)).unwrap_or_default();
            }
            _ => {}
        }
    }

    /// Returns a duration without the waiting time.
    pub(super) fn without(self, seconds: f64) -> f64 {
        // In milliseconds, like all durations here.
        ((seconds - self.seconds).max(0.0) * 1000.0).round() / 1000.0
    }
}

/// The result of a test in an earlier run or in an attempt that was retried.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Attempt {
    /// The ID of that run (`taskcat-id`).
    pub run_id: String,
    /// The state of the test.
    pub state: CellState,
    /// Why it failed.
    pub root_cause: Option<RootCause>,
    /// The reason that the verdict gives, if any.
    pub reason: Option<String>,
    /// Seconds from start to verdict.
    pub duration_seconds: Option<f64>,
}

/// The state of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// Not started.
    #[default]
    Waiting,
    /// Started, without a verdict.
    Running,
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// Stopped before it passed or failed.
    Interrupted,
    /// Not launched because of an earlier error, or since a test that it depends on didn't pass.
    Skipped,
}

impl CellState {
    /// Returns the word for the state at the end of a run.
    pub fn word(self) -> &'static str {
        match self {
            CellState::Waiting | CellState::Running => "unfinished",
            CellState::Passed => "passed",
            CellState::Failed => "failed",
            CellState::Interrupted => "interrupted",
            CellState::Skipped => "skipped",
        }
    }
}

/// A hook that ran.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HookReport {
    /// The hook.
    #[serde(flatten)]
    pub hook: Hook,
    /// When the hook started. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When the hook finished. RFC 3339, UTC. Absent if it had not finished at the last event.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    /// Why the hook failed; absent on success.
    pub error: Option<String>,
    /// The end of the hook's output if it succeeded.
    pub output: Option<String>,
}

/// A check of a stack.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CheckReport {
    /// The check.
    #[serde(flatten)]
    pub check: StackCheck,
    /// When the check started. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// When the check finished. RFC 3339, UTC. Absent if it had not finished at the last event.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    /// Seconds from start to result.
    pub duration_seconds: Option<f64>,
    /// The result; absent if it had not finished at the last event.
    #[serde(flatten)]
    pub result: Option<CheckResult>,
}

impl CheckReport {
    /// Returns why the check failed or could not be made.
    pub fn reason(&self) -> Option<&str> {
        match self.result.as_ref()? {
            CheckResult::Passed => None,
            CheckResult::Failed { reason, .. } | CheckResult::NotChecked { reason } => Some(reason),
        }
    }

    /// Returns whether the check failed.
    pub fn has_failed(&self) -> bool {
        matches!(self.result, Some(CheckResult::Failed { .. }))
    }
}

/// What happened to a test's stack after its verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TeardownState {
    /// No stack was created, or the events don't mention its deletion.
    #[default]
    None,
    /// The stack is being deleted.
    Deleting,
    /// The stack was deleted.
    Deleted,
    /// The stack could not be deleted.
    DeleteFailed {
        /// Why the deletion failed.
        reason: String,
        /// The resources that still exist.
        left: Vec<LeftoverResource>,
        /// What to do about it, if the cause is a well-known one.
        hint: Option<String>,
    },
    /// The stack was kept, as requested.
    Kept {
        /// The option that kept it.
        why: KeepReason,
    },
    /// Deletion of the stack was requested but not awaited.
    Unawaited,
}

/// A test's own stack or one nested in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StackReport {
    /// The stack's ARN.
    pub stack_id: String,
    /// The stack's name.
    pub stack_name: String,
    /// How deep the stack is nested; 0 is the test's own stack.
    pub depth: u32,
    /// The ARN of the parent stack; absent for the test's own stack.
    pub parent: Option<String>,
    /// The logical ID in the parent stack; absent for the test's own stack.
    pub logical_id: Option<String>,
    /// The stack's last known status.
    pub status: Option<StackStatus>,
}

impl RunReport {
    /// Returns the counts in words, as in the heading of every report: `1 failed, 5 passed`.
    pub fn counts(&self) -> String {
        let totals = &self.totals;
        let words = [
            (totals.failed, "failed"),
            (totals.interrupted, "interrupted"),
            (totals.skipped, "skipped"),
            (totals.unfinished, "unfinished"),
            (totals.passed, "passed"),
            (totals.left_behind, "not deleted"),
        ];
        let counts: Vec<String> = words
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        if counts.is_empty() {
            "nothing was tested".into()
        } else {
            counts.join(", ")
        }
    }

    /// Returns the seconds from the first to the last event, without waiting for the user's
    /// decision.
    pub fn duration_seconds(&self) -> Option<f64> {
        seconds_between(self.started_at, self.finished_at)
            .map(|seconds| self.decision.without(seconds))
    }

    /// Returns the cell with this ID.
    pub fn cell_of(&self, id: &CellId) -> Option<&CellReport> {
        self.positions
            .get(id)
            .and_then(|position| self.cells.get(*position))
    }
}

impl CellReport {
    pub(super) fn new(cell: &PlannedCell, sources: Arc<TemplateSources>) -> Self {
        Self {
            id: cell.id.clone(),
            state: CellState::Waiting,
            root_cause: None,
            reason: None,
            template: cell.template.clone(),
            account_id: cell.account_id.clone(),
            stack_name: cell.stack_name.clone(),
            stack_id: None,
            stack_status: None,
            stack_status_reason: None,
            launch_error: None,
            started_at: None,
            finished_at: None,
            duration_seconds: None,
            parameters: cell.parameters.clone(),
            outputs: Vec::new(),
            update: cell.update_from.clone().map(|from| UpdateReport {
                from,
                ..UpdateReport::default()
            }),
            hooks: Vec::new(),
            checks: Vec::new(),
            teardown: TeardownState::None,
            warnings: Vec::new(),
            attempts: Vec::new(),
            flaky: false,
            stacks: Vec::new(),
            events: Vec::new(),
            teardown_events: Vec::new(),
            tearing_down: false,
            sources,
            run: 0,
            decision: DecisionTime::default(),
            places: Vec::new(),
        }
    }

    /// Returns the cell as it was planned.
    pub(super) fn to_event(&self) -> PlannedCell {
        PlannedCell {
            id: self.id.clone(),
            stack_name: self.stack_name.clone(),
            template: self.template.clone(),
            account_id: self.account_id.clone(),
            parameters: self.parameters.clone(),
            update_from: self.update.as_ref().map(|it| it.from.clone()),
        }
    }

    /// Returns whether it passed only after a failed attempt.
    pub(super) fn is_flaky(&self) -> bool {
        self.state == CellState::Passed
            && self
                .attempts
                .iter()
                .any(|attempt| attempt.state == CellState::Failed)
    }

    /// Returns the earlier attempts and this result, for the report of a later run.
    pub(super) fn into_attempts(self, run_id: &str) -> Vec<Attempt> {
        let Self {
            mut attempts,
            state,
            root_cause,
            reason,
            duration_seconds,
            ..
        } = self;
        attempts.push(Attempt {
            run_id: run_id.to_owned(),
            state,
            root_cause,
            reason,
            duration_seconds,
        });
        attempts
    }

    /// Returns whether the stack should have been deleted but still exists.
    pub fn is_left_behind(&self) -> bool {
        matches!(self.teardown, TeardownState::DeleteFailed { .. })
    }

    /// Returns the logical IDs from the test's own stack to `stack_id`; empty for the test's own.
    pub fn path_of(&self, stack_id: &str) -> Vec<&str> {
        let mut path = Vec::new();
        let mut next = self.stack(stack_id);
        while let Some(stack) = next {
            path.extend(stack.logical_id.as_deref());
            // Recorded events may claim that a stack is nested in itself.
            next = (path.len() < self.stacks.len())
                .then(|| self.stack(stack.parent.as_deref()?))
                .flatten();
        }
        path.reverse();
        path
    }

    fn stack(&self, stack_id: &str) -> Option<&StackReport> {
        self.stacks.iter().find(|stack| stack.stack_id == stack_id)
    }
}

/// Returns a hook's name for display: `prehook script`.
pub fn hook_name(hook: &Hook) -> String {
    let stage = match hook.stage {
        HookStage::Prehooks => "prehook",
        HookStage::Posthooks => "posthook",
    };
    format!("{stage} {}", hook.kind)
}

/// Returns a check's name for display: `check http ${Url}`.
pub fn check_name(check: &StackCheck) -> String {
    format!("check {}", check.name)
}

/// Returns the option that keeps something, for display.
pub fn why_kept(why: KeepReason) -> &'static str {
    match why {
        KeepReason::NoDelete => "--no-delete",
        KeepReason::KeepFailed => "--keep-failed",
    }
}

/// Returns the stack ID of an event about a nested stack, `AWS::CloudFormation::Stack`.
pub fn nested_stack_id(event: &StackEvent) -> Option<&str> {
    let is_nested = event.resource_type == "AWS::CloudFormation::Stack" && !event.is_of_stack();
    event
        .physical_id
        .as_deref()
        .filter(|id| is_nested && !id.is_empty())
}

/// Omits a zero count from `report.json`.
fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub(super) fn seconds_between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    // Milliseconds are the precision of reports; more digits would be noise.
    Some((to?.as_millisecond() - from?.as_millisecond()).max(0) as f64 / 1000.0)
}
