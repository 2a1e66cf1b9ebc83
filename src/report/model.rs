//! `RunReport`: what a run came to. Everything that is written at the end renders from it.
//!
//! `fold` makes it of the run's events. All times in it are those of the events, never the clock's,
//! so that a recorded run renders the same again. What a failed cell failed of is `root_cause`'s;
//! how anything looks is for the formats.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::cause::RootCause;
use super::source::TemplateSources;
use crate::event::{
    CellId, CellParameter, EventKind, Hook, HookStage, KeepReason, LeftoverResource, LintFinding,
    PlannedCell, PredictedFailure, RunFinished, RunTask, StackEvent, StackOutput,
};
use crate::status::StackStatus;

/// The version of the shape of `report.json`. It grows when a reader of the former shape would
/// break.
pub const SCHEMA_VERSION: u32 = 1;

/// A run of taskcat: what was tested, what came of it, and what is left of it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct RunReport {
    /// The version of this shape.
    pub schema_version: u32,
    /// The `taskcat-id` of the run; of several, the last one's.
    pub run_id: String,
    /// The `taskcat-id`s of all runs, where this is the report of several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub merged_runs: Vec<String>,
    pub taskcat_version: String,
    #[serde(skip)]
    pub task: RunTask,
    pub project: String,
    /// The endpoint that stood in for AWS, if any was given.
    pub endpoint: Option<String>,
    /// True where AWS was only simulated, so that nothing of this happened there.
    pub simulated: bool,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// The last event's time.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    pub verdict: RunVerdict,
    /// What stopped the run before its cells.
    pub error: Option<String>,
    /// The signal that asked the run to stop.
    pub interrupted_by: Option<String>,
    pub totals: Totals,
    /// Warnings that concern no single cell; the others stand with their cell.
    pub warnings: Vec<String>,
    pub lint: Option<LintReport>,
    /// The Lambda archives that were built.
    pub packages: Vec<PackageReport>,
    pub buckets: Vec<BucketReport>,
    /// One for each test in each region, in the plan's order; tested by several runs, as the last
    /// one found it.
    pub cells: Vec<CellReport>,
    #[serde(skip)]
    pub(super) positions: HashMap<CellId, usize>,
    #[serde(skip)]
    pub(super) runs: Vec<ReportedRun>,
    #[serde(skip)]
    pub(super) decision: DecisionTime,
}

/// One of the runs that a report is of; mostly there is one alone.
#[derive(Clone, Debug, Default)]
pub(super) struct ReportedRun {
    pub run_id: String,
    /// What it found counts: not all of its cells have been tested again since.
    pub counts: bool,
    pub interrupted_by: Option<String>,
    pub finished: Option<RunFinished>,
}

/// What the run as a whole came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunVerdict {
    /// Every cell passed, and nothing is left that should be gone.
    Passed,
    /// At least one cell failed.
    Failed,
    /// Every cell passed, but something could not be deleted.
    LeftBehind,
    /// The run was asked to stop before its end.
    Interrupted,
    /// The run stopped before its cells; `error` says why.
    Error,
    /// The events end before the run did: it was killed.
    #[default]
    Incomplete,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    pub cells: usize,
    pub passed: usize,
    pub failed: usize,
    pub interrupted: usize,
    /// Cells that an error before the tests kept the run from.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped: usize,
    /// Cells that have no verdict: the run ended before them.
    pub unfinished: usize,
    /// Stacks and buckets that should be gone and are not.
    pub left_behind: usize,
}

#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct LintReport {
    pub templates: usize,
    pub errors: usize,
    pub warnings: usize,
    pub findings: Vec<LintFinding>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PackageReport {
    pub lambda: String,
    /// Absent where packaging did not end.
    pub archive: Option<String>,
}

/// A bucket that the run staged to.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct BucketReport {
    pub bucket: String,
    /// Known of the buckets that the run made.
    pub region: Option<String>,
    pub created: bool,
    /// How many objects were to be sent, were the same already, and were to be removed.
    pub uploads: usize,
    pub unchanged: usize,
    pub removals: usize,
    /// How many of them have been.
    pub uploaded: usize,
    pub removed: usize,
    pub bytes: u64,
    pub end: BucketState,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BucketState {
    /// Nothing was said of its end.
    #[default]
    Unknown,
    Deleted,
    Kept {
        why: KeepReason,
    },
    DeleteFailed {
        reason: String,
    },
}

/// One test in one region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CellReport {
    #[serde(flatten)]
    pub id: CellId,
    pub state: CellState,
    /// Why it failed; the same in every output.
    pub root_cause: Option<RootCause>,
    /// The words of the verdict, if it came with any.
    pub reason: Option<String>,
    pub template: String,
    pub account_id: String,
    pub stack_name: String,
    pub stack_id: Option<String>,
    /// The stack's status as far as it is known; before deletion, once it has settled.
    pub stack_status: Option<StackStatus>,
    pub stack_status_reason: Option<String>,
    /// Why the stack could not be launched at all.
    pub launch_error: Option<String>,
    /// When work on it began, and when its verdict came. Teardown comes after.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    pub duration_seconds: Option<f64>,
    /// Secrets are masked.
    pub parameters: Vec<CellParameter>,
    pub outputs: Vec<StackOutput>,
    pub hooks: Vec<HookReport>,
    pub teardown: TeardownState,
    pub warnings: Vec<String>,
    /// What it came to before, the first one first: in earlier runs, where this is the report of
    /// several, and in attempts that were retried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// It passed only after an attempt had failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub flaky: bool,
    /// The cell's stack and those nested in it, as they appeared.
    pub stacks: Vec<StackReport>,
    /// CloudFormation's events until the stack settled, nested stacks included, oldest first.
    pub events: Vec<StackEvent>,
    /// Those of its deletion.
    pub teardown_events: Vec<StackEvent>,
    /// True once the stack's events are those of its deletion.
    #[serde(skip)]
    pub(super) tearing_down: bool,
    /// The run's templates.
    #[serde(skip)]
    pub sources: Arc<TemplateSources>,
    /// Which of the report's runs tested it last.
    #[serde(skip)]
    pub(super) run: usize,
    #[serde(skip)]
    pub(super) decision: DecisionTime,
    /// The places in the project's files of its possible causes of failure.
    #[serde(skip)]
    pub(super) places: Vec<PredictedFailure>,
}

/// The time that a deployment waits for somebody's answer, which is not the deployment's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DecisionTime {
    /// Since when it is waited for.
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

    /// A duration without it.
    pub(super) fn without(self, seconds: f64) -> f64 {
        // Milliseconds, as all durations here.
        ((seconds - self.seconds).max(0.0) * 1000.0).round() / 1000.0
    }
}

/// What a cell came to in an earlier run, or in an attempt that was retried.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Attempt {
    /// The `taskcat-id` of that run.
    pub run_id: String,
    pub state: CellState,
    pub root_cause: Option<RootCause>,
    pub reason: Option<String>,
    pub duration_seconds: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    #[default]
    Waiting,
    Running,
    Passed,
    Failed,
    Interrupted,
    Skipped,
}

impl CellState {
    /// What the reports call it at the end of a run.
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

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HookReport {
    #[serde(flatten)]
    pub hook: Hook,
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub started_at: Timestamp,
    /// Absent where the hook had not ended when the events did.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    pub error: Option<String>,
    /// The end of what a hook that succeeded printed.
    pub output: Option<String>,
}

/// What became of a cell's stack after its verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TeardownState {
    /// There was no stack, or the events say nothing of its deletion.
    #[default]
    None,
    Deleting,
    Deleted,
    DeleteFailed {
        reason: String,
        left: Vec<LeftoverResource>,
        /// What to do about it, where the cause is a well-known one.
        hint: Option<String>,
    },
    Kept {
        why: KeepReason,
    },
    /// Its deletion was asked for and not awaited.
    Unawaited,
}

/// The cell's own stack or one nested in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StackReport {
    pub stack_id: String,
    pub stack_name: String,
    /// 0 is the cell's own stack.
    pub depth: u32,
    /// The stack that it is nested in, and its logical id there.
    pub parent: Option<String>,
    pub logical_id: Option<String>,
    pub status: Option<StackStatus>,
}

impl RunReport {
    /// The counts in words, as every output heads them: `1 failed, 5 passed`.
    pub fn counts(&self) -> String {
        let totals = &self.totals;
        let words = [
            (totals.failed, "failed"),
            (totals.interrupted, "interrupted"),
            (totals.skipped, "skipped"),
            (totals.unfinished, "unfinished"),
            (totals.passed, "passed"),
            (totals.left_behind, "left behind"),
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

    pub fn duration_seconds(&self) -> Option<f64> {
        seconds_between(self.started_at, self.finished_at)
            .map(|seconds| self.decision.without(seconds))
    }

    /// The cell that an event is about.
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
            hooks: Vec::new(),
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

    /// The cell as it was announced.
    pub(super) fn to_event(&self) -> PlannedCell {
        PlannedCell {
            id: self.id.clone(),
            stack_name: self.stack_name.clone(),
            template: self.template.clone(),
            account_id: self.account_id.clone(),
            parameters: self.parameters.clone(),
        }
    }

    /// Whether it passed only after an attempt had failed.
    pub(super) fn is_flaky(&self) -> bool {
        self.state == CellState::Passed
            && self
                .attempts
                .iter()
                .any(|attempt| attempt.state == CellState::Failed)
    }

    /// What this was, for the report of a later run of the same cell.
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

    /// True where the stack should be gone and is not.
    pub fn is_left_behind(&self) -> bool {
        matches!(self.teardown, TeardownState::DeleteFailed { .. })
    }

    /// The logical ids that lead from the cell's own stack to `stack_id`; empty for the cell's own.
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

/// The hook as people read it: `prehook script`.
pub fn hook_name(hook: &Hook) -> String {
    let stage = match hook.stage {
        HookStage::Prehooks => "prehook",
        HookStage::Posthooks => "posthook",
    };
    format!("{stage} {}", hook.kind)
}

/// Why something stays, as people read it.
pub fn why_kept(why: KeepReason) -> &'static str {
    match why {
        KeepReason::NoDelete => "--no-delete",
        KeepReason::KeepFailed => "--keep-failed",
    }
}

/// The id of the stack that a resource of type `AWS::CloudFormation::Stack` stands for.
pub fn nested_stack_id(event: &StackEvent) -> Option<&str> {
    let is_nested = event.resource_type == "AWS::CloudFormation::Stack" && !event.is_of_stack();
    event
        .physical_id
        .as_deref()
        .filter(|id| is_nested && !id.is_empty())
}

/// Leaves a count out of `report.json` where there is nothing to count.
fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub(super) fn seconds_between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    // Milliseconds are all that a report can mean; more digits would only be noise.
    Some((to?.as_millisecond() - from?.as_millisecond()).max(0) as f64 / 1000.0)
}
