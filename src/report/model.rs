//! `RunReport`: what a run came to, as the fold of its events. Everything that is written at the end renders from it.
//!
//! It takes every time from the events, never from the clock, so that a recorded run renders the same again.
//! What a failed cell failed of is `root_cause`'s; how anything looks is for the formats.

use std::collections::HashMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::root_cause::{self, RootCause};
use crate::event::{
    Cell, CellId, Happening, Hook, HookStage, KeptWhy, LeftResource, Outcome, Output, Parameter, RunEvent, RunFinished,
    RunStarted, StackEvent,
};

/// The version of the shape of `report.json`. It grows when a reader of the former shape would break.
pub const SCHEMA_VERSION: u32 = 1;

/// A run of taskcat: what was tested, what came of it, and what is left of it.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct RunReport {
    /// The version of this shape.
    pub schema_version: u32,
    /// The `taskcat-id` of the run.
    pub run_id: String,
    pub taskcat_version: String,
    pub project: String,
    /// The endpoint that stood in for AWS, if any.
    pub endpoint: Option<String>,
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub started_at: Option<Timestamp>,
    /// The last event's time.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub finished_at: Option<Timestamp>,
    pub verdict: Verdict,
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
    /// One for each test in each region, in the plan's order.
    pub cells: Vec<CellReport>,
    #[serde(skip)]
    positions: HashMap<CellId, usize>,
    #[serde(skip)]
    finished: Option<RunFinished>,
}

/// What the run as a whole came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
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
    pub end: BucketEnd,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BucketEnd {
    /// Nothing was said of its end.
    #[default]
    Unknown,
    Deleted,
    Kept {
        why: KeptWhy,
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
    pub stack_status: Option<String>,
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
    pub parameters: Vec<Parameter>,
    pub outputs: Vec<Output>,
    pub hooks: Vec<HookReport>,
    pub teardown: Teardown,
    pub warnings: Vec<String>,
    /// The cell's stack and those nested in it, as they appeared.
    pub stacks: Vec<StackReport>,
    /// CloudFormation's events until the stack settled, nested stacks included, oldest first.
    pub events: Vec<StackEvent>,
    /// Those of its deletion.
    pub teardown_events: Vec<StackEvent>,
    /// True once the stack's events are those of its deletion.
    #[serde(skip)]
    tearing_down: bool,
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
}

impl CellState {
    /// What the reports call it at the end of a run.
    pub fn word(self) -> &'static str {
        match self {
            CellState::Waiting | CellState::Running => "unfinished",
            CellState::Passed => "passed",
            CellState::Failed => "failed",
            CellState::Interrupted => "interrupted",
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
}

/// What became of a cell's stack after its verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Teardown {
    /// There was no stack, or the events say nothing of its deletion.
    #[default]
    None,
    Deleting,
    Deleted,
    DeleteFailed {
        reason: String,
        left: Vec<LeftResource>,
    },
    Kept {
        why: KeptWhy,
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
    pub status: Option<String>,
}

impl RunReport {
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Self {
        let mut report = Self::default();
        for event in events {
            report.apply(event);
        }
        report.conclude();
        report
    }

    /// Takes the next event in.
    pub fn apply(&mut self, event: &RunEvent) {
        let at = event.at;
        self.started_at.get_or_insert(at);
        self.finished_at = Some(at);
        match &event.happening {
            Happening::RunStarted(run) => self.start(run),
            Happening::RunFinished(end) => self.finished = Some(end.clone()),
            Happening::Interrupted { signal } => self.interrupted_by = Some(signal.clone()),
            Happening::Warning { cell: None, message } => self.warnings.push(message.clone()),
            Happening::LintStarted { templates } => {
                self.lint = Some(LintReport { templates: *templates, ..LintReport::default() });
            }
            Happening::LintFinished { errors, warnings } => {
                let lint = self.lint.get_or_insert_default();
                (lint.errors, lint.warnings) = (*errors, *warnings);
            }
            Happening::PackageStarted { lambda } => {
                self.packages.push(PackageReport { lambda: lambda.clone(), archive: None });
            }
            Happening::PackageFinished { lambda, archive } => {
                if let Some(package) = self.packages.iter_mut().rev().find(|package| package.lambda == *lambda) {
                    package.archive = Some(archive.clone());
                }
            }
            Happening::BucketCreating { bucket, .. }
            | Happening::BucketCreated { bucket, .. }
            | Happening::UploadStarted { bucket, .. }
            | Happening::ObjectUploaded { bucket, .. }
            | Happening::ObjectRemoved { bucket, .. }
            | Happening::UploadFinished { bucket }
            | Happening::BucketDeleted { bucket }
            | Happening::BucketKept { bucket, .. }
            | Happening::BucketDeleteFailed { bucket, .. } => self.bucket(bucket).apply(&event.happening),
            Happening::Warning { cell: Some(cell), .. }
            | Happening::HookStarted { cell, .. }
            | Happening::HookFinished { cell, .. }
            | Happening::StackCreating { cell, .. }
            | Happening::StackCreated { cell, .. }
            | Happening::LaunchFailed { cell, .. }
            | Happening::StackEvent { cell, .. }
            | Happening::StackSettled { cell, .. }
            | Happening::CellFinished { cell, .. }
            | Happening::StackDeleting { cell, .. }
            | Happening::StackDeleted { cell, .. }
            | Happening::StackDeleteFailed { cell, .. }
            | Happening::StackKept { cell, .. }
            | Happening::StackDeleteUnawaited { cell, .. } => self.cell(cell).apply(at, &event.happening),
        }
    }

    /// Counts and judges, once the last event is in.
    pub fn conclude(&mut self) {
        self.schema_version = SCHEMA_VERSION;
        for cell in &mut self.cells {
            if cell.root_cause.is_none() {
                cell.root_cause = root_cause::of_cell(cell);
            }
            // Late events of nested stacks come in batches by stack; CloudFormation's own clock orders them.
            cell.events.sort_by_key(|event| event.timestamp);
            cell.teardown_events.sort_by_key(|event| event.timestamp);
        }
        let count = |state: &[CellState]| self.cells.iter().filter(|cell| state.contains(&cell.state)).count();
        let stacks = self.cells.iter().filter(|cell| cell.is_left_behind()).count();
        let buckets = self.buckets.iter().filter(|it| matches!(it.end, BucketEnd::DeleteFailed { .. })).count();
        let seen = stacks + buckets;
        self.totals = Totals {
            cells: self.cells.len(),
            passed: count(&[CellState::Passed]),
            failed: count(&[CellState::Failed]),
            interrupted: count(&[CellState::Interrupted]),
            unfinished: count(&[CellState::Waiting, CellState::Running]),
            left_behind: self.finished.as_ref().map_or(seen, |end| end.left_behind.max(seen)),
        };
        self.error = self.finished.as_ref().and_then(|end| end.error.clone());
        self.verdict = self.judge();
    }

    fn judge(&self) -> Verdict {
        let totals = &self.totals;
        if self.error.is_some() {
            Verdict::Error
        } else if self.interrupted_by.is_some() || totals.interrupted > 0 {
            Verdict::Interrupted
        } else if totals.failed > 0 {
            Verdict::Failed
        } else if self.finished.is_none() || totals.unfinished > 0 {
            Verdict::Incomplete
        } else if totals.left_behind > 0 {
            Verdict::LeftBehind
        } else {
            Verdict::Passed
        }
    }

    /// The counts in words, as every output heads them: `1 failed, 5 passed`.
    pub fn counts(&self) -> String {
        let totals = &self.totals;
        let words = [
            (totals.failed, "failed"),
            (totals.interrupted, "interrupted"),
            (totals.unfinished, "unfinished"),
            (totals.passed, "passed"),
            (totals.left_behind, "left behind"),
        ];
        let counts: Vec<String> =
            words.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if counts.is_empty() { "nothing was tested".into() } else { counts.join(", ") }
    }

    pub fn duration_seconds(&self) -> Option<f64> {
        seconds_between(self.started_at, self.finished_at)
    }

    /// The cell that an event is about.
    pub fn cell_of(&self, id: &CellId) -> Option<&CellReport> {
        self.positions.get(id).and_then(|position| self.cells.get(*position))
    }

    /// Drops what only a full report needs of a cell whose verdict is in.
    pub fn forget_events(&mut self, id: &CellId) {
        let cell = self.cell(id);
        (cell.events, cell.teardown_events) = (Vec::new(), Vec::new());
    }

    fn start(&mut self, run: &RunStarted) {
        self.run_id = run.run_id.clone();
        self.taskcat_version = run.taskcat_version.clone();
        self.project = run.project.clone();
        self.endpoint = run.endpoint.clone();
        for cell in &run.cells {
            self.positions.insert(cell.id.clone(), self.cells.len());
            self.cells.push(CellReport::new(cell));
        }
    }

    fn bucket(&mut self, name: &str) -> &mut BucketReport {
        let position = self.buckets.iter().position(|it| it.bucket == name).unwrap_or_else(|| {
            self.buckets.push(BucketReport { bucket: name.into(), ..BucketReport::default() });
            self.buckets.len() - 1
        });
        &mut self.buckets[position]
    }

    /// A cell that `RunStarted` did not announce is taken in all the same: a report that drops things is worse.
    fn cell(&mut self, id: &CellId) -> &mut CellReport {
        let position = *self.positions.entry(id.clone()).or_insert_with(|| {
            self.cells.push(CellReport::new(&Cell {
                id: id.clone(),
                stack_name: String::new(),
                template: String::new(),
                account_id: String::new(),
                parameters: Vec::new(),
            }));
            self.cells.len() - 1
        });
        &mut self.cells[position]
    }
}

impl BucketReport {
    fn apply(&mut self, happening: &Happening) {
        match happening {
            Happening::BucketCreating { region, .. } => self.region = Some(region.clone()),
            Happening::BucketCreated { region, .. } => {
                self.region = Some(region.clone());
                self.created = true;
            }
            Happening::UploadStarted { uploads, unchanged, removals, bytes, .. } => {
                (self.uploads, self.unchanged, self.removals) = (*uploads, *unchanged, *removals);
                self.bytes = *bytes;
            }
            Happening::ObjectUploaded { .. } => self.uploaded += 1,
            Happening::ObjectRemoved { .. } => self.removed += 1,
            Happening::BucketDeleted { .. } => self.end = BucketEnd::Deleted,
            Happening::BucketKept { why, .. } => self.end = BucketEnd::Kept { why: *why },
            Happening::BucketDeleteFailed { reason, .. } => {
                self.end = BucketEnd::DeleteFailed { reason: reason.clone() };
            }
            _ => {}
        }
    }
}

impl CellReport {
    fn new(cell: &Cell) -> Self {
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
            teardown: Teardown::None,
            warnings: Vec::new(),
            stacks: Vec::new(),
            events: Vec::new(),
            teardown_events: Vec::new(),
            tearing_down: false,
        }
    }

    /// True where the stack should be gone and is not.
    pub fn is_left_behind(&self) -> bool {
        matches!(self.teardown, Teardown::DeleteFailed { .. })
    }

    /// The logical ids that lead from the cell's own stack to `stack_id`; empty for the cell's own.
    pub fn path_of(&self, stack_id: &str) -> Vec<&str> {
        let mut path = Vec::new();
        let mut next = self.stack(stack_id);
        while let Some(stack) = next {
            path.extend(stack.logical_id.as_deref());
            // Recorded events may claim that a stack is nested in itself.
            next = (path.len() < self.stacks.len()).then(|| self.stack(stack.parent.as_deref()?)).flatten();
        }
        path.reverse();
        path
    }

    fn stack(&self, stack_id: &str) -> Option<&StackReport> {
        self.stacks.iter().find(|stack| stack.stack_id == stack_id)
    }

    fn apply(&mut self, at: Timestamp, happening: &Happening) {
        match happening {
            Happening::Warning { message, .. } => self.warnings.push(message.clone()),
            Happening::HookStarted { hook, .. } => {
                self.begin(at);
                let hook = hook.clone();
                self.hooks.push(HookReport { hook, started_at: at, finished_at: None, error: None });
            }
            Happening::HookFinished { hook, error, .. } => self.hook_finished(at, hook, error),
            Happening::StackCreating { stack_name, .. } => {
                self.begin(at);
                self.stack_name = stack_name.clone();
            }
            Happening::StackCreated { stack_id, .. } => {
                self.begin(at);
                self.stack_id = Some(stack_id.clone());
            }
            Happening::LaunchFailed { reason, .. } => {
                self.launch_error = Some(reason.clone());
                self.finish(at, CellState::Failed);
            }
            Happening::StackEvent { detail, .. } => self.stack_event(detail),
            Happening::StackSettled { status, reason, outputs, .. } => {
                self.tearing_down = true;
                self.stack_status = Some(status.clone());
                self.stack_status_reason = reason.clone();
                self.outputs = outputs.clone();
            }
            Happening::CellFinished { outcome, reason, .. } => {
                self.reason = reason.clone();
                let state = match outcome {
                    Outcome::Passed => CellState::Passed,
                    Outcome::Failed => CellState::Failed,
                    Outcome::Interrupted => CellState::Interrupted,
                };
                self.finish(at, state);
            }
            Happening::StackDeleting { .. } => {
                self.tearing_down = true;
                self.teardown = Teardown::Deleting;
            }
            Happening::StackDeleted { .. } => self.teardown = Teardown::Deleted,
            Happening::StackDeleteFailed { reason, left, .. } => {
                self.teardown = Teardown::DeleteFailed { reason: reason.clone(), left: left.clone() };
            }
            Happening::StackKept { why, .. } => self.teardown = Teardown::Kept { why: *why },
            Happening::StackDeleteUnawaited { .. } => self.teardown = Teardown::Unawaited,
            _ => {}
        }
    }

    fn begin(&mut self, at: Timestamp) {
        self.started_at.get_or_insert(at);
        if self.state == CellState::Waiting {
            self.state = CellState::Running;
        }
    }

    fn finish(&mut self, at: Timestamp, state: CellState) {
        self.state = state;
        self.finished_at = Some(at);
        self.duration_seconds = seconds_between(self.started_at, self.finished_at);
        self.root_cause = root_cause::of_cell(self);
    }

    fn hook_finished(&mut self, at: Timestamp, hook: &Hook, error: &Option<String>) {
        let open = self.hooks.iter_mut().find(|it| it.finished_at.is_none() && it.hook == *hook);
        match open {
            Some(it) => (it.finished_at, it.error) = (Some(at), error.clone()),
            None => self.hooks.push(HookReport {
                hook: hook.clone(),
                started_at: at,
                finished_at: Some(at),
                error: error.clone(),
            }),
        }
    }

    fn stack_event(&mut self, event: &StackEvent) {
        let stack = self.stack_mut(&event.stack_id, &event.stack_name, event.depth);
        if event.is_of_stack() {
            stack.status = Some(event.status.clone());
            if event.depth == 0 && !self.tearing_down {
                self.stack_status = Some(event.status.clone());
                self.stack_status_reason = event.reason.clone();
            }
        } else if let Some(nested) = nested_stack_id(event) {
            let child = self.stack_mut(nested, "", event.depth + 1);
            child.parent = Some(event.stack_id.clone());
            child.logical_id = Some(event.logical_id.clone());
        }
        if self.tearing_down { &mut self.teardown_events } else { &mut self.events }.push(event.clone());
    }

    fn stack_mut(&mut self, stack_id: &str, name: &str, depth: u32) -> &mut StackReport {
        let position = self.stacks.iter().position(|it| it.stack_id == stack_id).unwrap_or_else(|| {
            let (stack_id, stack_name) = (stack_id.into(), name.into());
            self.stacks.push(StackReport { stack_id, stack_name, depth, parent: None, logical_id: None, status: None });
            self.stacks.len() - 1
        });
        let stack = &mut self.stacks[position];
        if stack.stack_name.is_empty() {
            stack.stack_name = name.into();
        }
        stack
    }
}

impl HookReport {
    /// The hook as the reports name it: `prehooks script`.
    pub fn title(&self) -> String {
        let stage = match self.hook.stage {
            HookStage::Prehooks => "prehooks",
            HookStage::Posthooks => "posthooks",
        };
        format!("{stage} {}", self.hook.kind)
    }
}

/// The id of the stack that a resource of type `AWS::CloudFormation::Stack` stands for.
pub fn nested_stack_id(event: &StackEvent) -> Option<&str> {
    let is_nested = event.resource_type == "AWS::CloudFormation::Stack" && !event.is_of_stack();
    event.physical_id.as_deref().filter(|id| is_nested && !id.is_empty())
}

fn seconds_between(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    // Milliseconds are all that a report can mean; more digits would only be noise.
    Some((to?.as_millisecond() - from?.as_millisecond()) as f64 / 1000.0)
}
