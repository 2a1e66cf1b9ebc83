//! Builds the report from events: how each event changes it.
//!
//! `model` defines the report. Every variant is named, so that a new one requires a decision.

use std::sync::Arc;

use jiff::Timestamp;

use super::model::{
    BucketReport, BucketState, CellReport, CellState, CheckReport, HookReport, LintReport,
    PackageReport, ReportedRun, RunReport, RunVerdict, SCHEMA_VERSION, StackReport, TeardownState,
    Totals, nested_stack_id, seconds_between,
};
use super::source::TemplateSources;
use super::{hint, root_cause};
use crate::event::{
    CellId, CheckResult, EventKind, Hook, Outcome, PlannedCell, RunEvent, RunStarted, StackCheck,
    StackEvent,
};
use crate::status::StackStatus;

impl RunReport {
    /// Builds the report of these events, concluded.
    pub fn from_events<'a>(events: impl IntoIterator<Item = &'a RunEvent>) -> Self {
        let mut report = Self::default();
        for event in events {
            report.apply(event);
        }
        report.conclude();
        report
    }

    /// Applies the next event.
    pub fn apply(&mut self, event: &RunEvent) {
        let at = event.at;
        self.started_at.get_or_insert(at);
        self.finished_at = self.finished_at.max(Some(at));
        self.decision.apply(at, &event.kind);
        match &event.kind {
            EventKind::RunStarted(run) => self.start(run),
            EventKind::RunFinished(end) => self.run().finished = Some(end.clone()),
            EventKind::Interrupted { signal } => self.run().interrupted_by = Some(signal.clone()),
            EventKind::Warning {
                cell: None,
                message,
            } => self.warnings.push(message.clone()),
            EventKind::LintStarted { .. }
            | EventKind::LintFinding(_)
            | EventKind::LintFinished { .. } => {
                self.lint.get_or_insert_default().apply(&event.kind);
            }
            EventKind::LintSkipped { reason } => {
                self.lint = None;
                self.warnings.push(reason.clone());
            }
            EventKind::PackageStarted { lambda } => {
                self.packages.retain(|package| package.lambda != *lambda);
                self.packages.push(PackageReport {
                    lambda: lambda.clone(),
                    archive: None,
                });
            }
            EventKind::PackageFinished { lambda, archive } => {
                if let Some(package) = self
                    .packages
                    .iter_mut()
                    .rev()
                    .find(|package| package.lambda == *lambda)
                {
                    package.archive = Some(archive.clone());
                }
            }
            EventKind::BucketCreating { bucket, .. }
            | EventKind::BucketCreated { bucket, .. }
            | EventKind::StagingMarked { bucket, .. }
            | EventKind::StagingReleased { bucket, .. }
            | EventKind::UploadStarted { bucket, .. }
            | EventKind::ObjectUploaded { bucket, .. }
            | EventKind::ObjectRemoved { bucket, .. }
            | EventKind::UploadFinished { bucket }
            | EventKind::BucketDeleted { bucket }
            | EventKind::BucketKept { bucket, .. }
            | EventKind::BucketDeleteFailed { bucket, .. } => {
                self.bucket(bucket).apply(&event.kind)
            }
            EventKind::CellRetried { cell, reason, .. } => self.retry(cell, at, reason),
            EventKind::Warning {
                cell: Some(cell), ..
            }
            | EventKind::FailuresLocated { cell, .. }
            | EventKind::HookStarted { cell, .. }
            | EventKind::HookFinished { cell, .. }
            | EventKind::ParametersResolved { cell, .. }
            | EventKind::CheckStarted { cell, .. }
            | EventKind::CheckFinished { cell, .. }
            | EventKind::StackCreating { cell, .. }
            | EventKind::StackCreated { cell, .. }
            | EventKind::LaunchFailed { cell, .. }
            | EventKind::StackEvent { cell, .. }
            | EventKind::StackSettled { cell, .. }
            | EventKind::CellFinished { cell, .. }
            | EventKind::ChangeSetCreating { cell, .. }
            | EventKind::ChangeSetCreated { cell, .. }
            | EventKind::ChangeSetExecuted { cell, .. }
            | EventKind::ChangeSetLeft { cell, .. }
            | EventKind::ChangeSetDropped { cell, .. }
            | EventKind::StackDeleting { cell, .. }
            | EventKind::StackDeleted { cell, .. }
            | EventKind::StackDeleteFailed { cell, .. }
            | EventKind::StackKept { cell, .. }
            | EventKind::StackDeleteUnawaited { cell, .. } => {
                self.cell(cell).apply(at, &event.kind)
            }
        }
    }

    /// Computes totals and verdict. Further events may still be applied afterwards.
    pub fn conclude(&mut self) {
        self.schema_version = SCHEMA_VERSION;
        for cell in &mut self.cells {
            if cell.finished_at.is_none() {
                cell.root_cause = root_cause::of_cell(cell);
            }
            cell.flaky = cell.is_flaky();
            // Late events of nested stacks arrive in batches per stack; CloudFormation's timestamps
            // give their order.
            cell.events.sort_by_key(|event| event.timestamp);
            cell.teardown_events.sort_by_key(|event| event.timestamp);
        }
        let count = |state: &[CellState]| {
            self.cells
                .iter()
                .filter(|cell| state.contains(&cell.state))
                .count()
        };
        let stacks = self
            .cells
            .iter()
            .filter(|cell| cell.is_left_behind())
            .count();
        let buckets = self
            .buckets
            .iter()
            .filter(|it| matches!(it.end, BucketState::DeleteFailed { .. }))
            .count();
        let seen = stacks + buckets;
        let ends = self.runs.iter().filter_map(|run| run.finished.as_ref());
        self.totals = Totals {
            cells: self.cells.len(),
            passed: count(&[CellState::Passed]),
            failed: count(&[CellState::Failed]),
            interrupted: count(&[CellState::Interrupted]),
            skipped: count(&[CellState::Skipped]),
            unfinished: count(&[CellState::Waiting, CellState::Running]),
            left_behind: ends.map(|end| end.left_behind).sum::<usize>().max(seen),
        };
        self.judge_runs();
        self.verdict = self.judge();
    }

    /// Determines what stopped the runs. A run whose cells have all been tested again doesn't count
    /// anymore.
    fn judge_runs(&mut self) {
        let last = self.runs.len().saturating_sub(1);
        for (index, run) in self.runs.iter_mut().enumerate() {
            run.counts = index == last || self.cells.iter().any(|cell| cell.run == index);
        }
        let counting = || self.runs.iter().filter(|run| run.counts);
        let errors: Vec<String> = counting()
            .filter_map(|run| run.finished.as_ref()?.error.clone())
            .collect();
        self.error = (!errors.is_empty()).then(|| errors.join("; "));
        self.interrupted_by = counting().find_map(|run| run.interrupted_by.clone());
    }

    fn judge(&self) -> RunVerdict {
        let totals = &self.totals;
        if self.error.is_some() {
            RunVerdict::Error
        } else if self.interrupted_by.is_some() || totals.interrupted > 0 {
            RunVerdict::Interrupted
        } else if totals.failed > 0 {
            RunVerdict::Failed
        } else if !self.has_ended() || totals.unfinished > 0 {
            RunVerdict::Incomplete
        } else if totals.left_behind > 0 {
            RunVerdict::LeftBehind
        } else {
            RunVerdict::Passed
        }
    }

    /// Returns whether the last event of the last run was applied.
    pub(super) fn has_finished(&self) -> bool {
        self.runs.last().is_some_and(|run| run.finished.is_some())
    }

    fn has_ended(&self) -> bool {
        !self.runs.is_empty()
            && self
                .runs
                .iter()
                .all(|run| run.finished.is_some() || !run.counts)
    }

    /// Drops data of a finished cell that only the full report needs.
    pub fn forget_events(&mut self, id: &CellId) {
        let cell = self.cell(id);
        (cell.events, cell.teardown_events) = (Vec::new(), Vec::new());
    }

    /// Starts a run. Cells of a further run replace those that were tested before.
    fn start(&mut self, run: &RunStarted) {
        self.runs.push(ReportedRun {
            run_id: run.run_id.clone(),
            ..ReportedRun::default()
        });
        if self.runs.len() > 1 {
            self.merged_runs = self.runs.iter().map(|run| run.run_id.clone()).collect();
        }
        self.run_id = run.run_id.clone();
        self.taskcat_version = run.taskcat_version.clone();
        self.project = run.project.clone();
        self.task = run.task;
        self.endpoint = run.endpoint.clone();
        self.simulated |= run.simulated;
        let sources = Arc::new(TemplateSources::new(&run.templates));
        for cell in &run.cells {
            let run = self.runs.len() - 1;
            let new = CellReport {
                run,
                ..CellReport::new(cell, sources.clone())
            };
            match self.positions.get(&cell.id) {
                Some(position) => {
                    let previous = std::mem::replace(&mut self.cells[*position], new);
                    let run_id = self.runs.get(previous.run).map_or("", |run| &run.run_id);
                    self.cells[*position].attempts = previous.into_attempts(run_id);
                }
                None => {
                    self.positions.insert(cell.id.clone(), self.cells.len());
                    self.cells.push(new);
                }
            }
        }
    }

    /// Restarts a cell; its result so far becomes an attempt.
    fn retry(&mut self, id: &CellId, at: Timestamp, reason: &str) {
        let run_id = self.run_id.clone();
        let cell = self.cell(id);
        cell.reason = Some(reason.to_owned());
        cell.finish(at, CellState::Failed);
        let fresh = CellReport {
            run: cell.run,
            ..CellReport::new(&cell.to_event(), cell.sources.clone())
        };
        let failed = std::mem::replace(cell, fresh);
        cell.attempts = failed.into_attempts(&run_id);
    }

    /// Returns the current run.
    fn run(&mut self) -> &mut ReportedRun {
        if self.runs.is_empty() {
            self.runs.push(ReportedRun::default());
        }
        let last = self.runs.len() - 1;
        &mut self.runs[last]
    }

    fn bucket(&mut self, name: &str) -> &mut BucketReport {
        let position = self
            .buckets
            .iter()
            .position(|it| it.bucket == name)
            .unwrap_or_else(|| {
                self.buckets.push(BucketReport {
                    bucket: name.into(),
                    ..BucketReport::default()
                });
                self.buckets.len() - 1
            });
        &mut self.buckets[position]
    }

    /// Returns a cell; creates it if `RunStarted` did not announce it, since a report that drops
    /// results would be worse.
    fn cell(&mut self, id: &CellId) -> &mut CellReport {
        let position = *self.positions.entry(id.clone()).or_insert_with(|| {
            let stack_name = String::new();
            let template = String::new();
            let account_id = String::new();
            let cell = PlannedCell {
                id: id.clone(),
                stack_name,
                template,
                account_id,
                parameters: Vec::new(),
                update_from: None,
            };
            self.cells.push(CellReport::new(&cell, Arc::default()));
            self.cells.len() - 1
        });
        &mut self.cells[position]
    }
}

impl LintReport {
    fn apply(&mut self, kind: &EventKind) {
        match kind {
            EventKind::LintStarted { templates } => self.templates = self.templates.max(*templates),
            // Several runs report the same finding.
            EventKind::LintFinding(finding) if !self.findings.contains(finding) => {
                self.findings.push(finding.clone())
            }
            EventKind::LintFinished { errors, warnings } => {
                let found = self.findings.iter().filter(|finding| finding.error).count();
                self.errors = found.max(*errors);
                self.warnings = (self.findings.len() - found).max(*warnings);
            }
            _ => {}
        }
    }
}

impl BucketReport {
    fn apply(&mut self, kind: &EventKind) {
        match kind {
            EventKind::BucketCreating { region, .. } => self.region = Some(region.clone()),
            EventKind::BucketCreated { region, .. } => {
                self.region = Some(region.clone());
                self.created = true;
            }
            EventKind::UploadStarted {
                uploads,
                unchanged,
                removals,
                bytes,
                ..
            } => {
                (self.uploads, self.unchanged, self.removals) = (*uploads, *unchanged, *removals);
                self.bytes = *bytes;
            }
            EventKind::ObjectUploaded { .. } => self.uploaded += 1,
            EventKind::ObjectRemoved { .. } => self.removed += 1,
            EventKind::BucketDeleted { .. } => self.end = BucketState::Deleted,
            EventKind::BucketKept { why, .. } => self.end = BucketState::Kept { why: *why },
            EventKind::BucketDeleteFailed { reason, .. } => {
                self.end = BucketState::DeleteFailed {
                    reason: reason.clone(),
                };
            }
            _ => {}
        }
    }
}

impl CellReport {
    fn apply(&mut self, at: Timestamp, kind: &EventKind) {
        self.decision.apply(at, kind);
        match kind {
            EventKind::Warning { message, .. } => self.warnings.push(message.clone()),
            EventKind::FailuresLocated { places, .. } => self.places = places.clone(),
            EventKind::HookStarted { hook, .. } => {
                self.begin(at);
                let hook = hook.clone();
                self.hooks.push(HookReport {
                    hook,
                    started_at: at,
                    finished_at: None,
                    error: None,
                    output: None,
                });
            }
            EventKind::HookFinished {
                hook,
                error,
                output,
                ..
            } => self.hook_finished(at, hook, error, output),
            EventKind::ParametersResolved { parameters, .. } => {
                self.parameters = parameters.clone();
            }
            EventKind::CheckStarted { check, .. } => self.check(at, check, None),
            EventKind::CheckFinished { check, result, .. } => self.check(at, check, Some(result)),
            EventKind::StackCreating { stack_name, .. } => {
                self.begin(at);
                self.stack_name = stack_name.clone();
            }
            EventKind::ChangeSetCreating { stack_name, .. } => {
                self.begin(at);
                self.stack_name = stack_name.clone();
                if let Some(update) = &mut self.update {
                    update.started_at = Some(at);
                    self.tearing_down = false;
                }
            }
            EventKind::StackCreated { stack_id, .. } => {
                self.begin(at);
                self.stack_id = Some(stack_id.clone());
            }
            EventKind::ChangeSetCreated {
                stack_id, changes, ..
            } => {
                self.begin(at);
                self.stack_id = Some(stack_id.clone());
                if let Some(update) = &mut self.update {
                    update.changes.clone_from(changes);
                }
            }
            EventKind::LaunchFailed { reason, .. } => {
                self.launch_error = Some(reason.clone());
                self.finish(at, CellState::Failed);
            }
            EventKind::StackEvent { detail, .. } => self.stack_event(detail),
            EventKind::StackSettled {
                status,
                reason,
                outputs,
                ..
            } => {
                self.tearing_down = true;
                self.stack_status = Some(status.clone());
                self.stack_status_reason = reason.clone();
                self.outputs = outputs.clone();
            }
            EventKind::CellFinished {
                outcome, reason, ..
            } => {
                self.reason = reason.clone();
                let state = match outcome {
                    Outcome::Passed => CellState::Passed,
                    Outcome::Failed => CellState::Failed,
                    Outcome::Interrupted => CellState::Interrupted,
                    Outcome::Skipped => CellState::Skipped,
                };
                self.finish(at, state);
            }
            EventKind::StackDeleting { .. } => {
                self.tearing_down = true;
                self.teardown = TeardownState::Deleting;
            }
            EventKind::StackDeleted { .. } => self.teardown = TeardownState::Deleted,
            EventKind::StackDeleteFailed { reason, left, .. } => {
                let reasons = left
                    .iter()
                    .filter_map(|it| it.reason.as_deref())
                    .chain([reason.as_str()]);
                let hint = reasons.filter_map(hint::of).next();
                self.teardown = TeardownState::DeleteFailed {
                    reason: reason.clone(),
                    left: left.clone(),
                    hint,
                };
            }
            EventKind::StackKept { why, .. } => self.teardown = TeardownState::Kept { why: *why },
            EventKind::StackDeleteUnawaited { .. } => self.teardown = TeardownState::Unawaited,
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
        let seconds = seconds_between(self.started_at, self.finished_at);
        self.duration_seconds = seconds.map(|seconds| self.decision.without(seconds));
        self.root_cause = root_cause::of_cell(self);
    }

    fn hook_finished(
        &mut self,
        at: Timestamp,
        hook: &Hook,
        error: &Option<String>,
        output: &Option<String>,
    ) {
        let open = self
            .hooks
            .iter()
            .position(|it| it.finished_at.is_none() && it.hook == *hook);
        let started_at = open.map_or(at, |open| self.hooks.remove(open).started_at);
        self.hooks.push(HookReport {
            hook: hook.clone(),
            started_at,
            finished_at: Some(at),
            error: error.clone(),
            output: output.clone(),
        });
    }

    /// Starts a check, or finishes it with its result.
    fn check(&mut self, at: Timestamp, check: &StackCheck, result: Option<&CheckResult>) {
        let open = self.checks.iter_mut().find(|it| it.check == *check);
        let (started_at, finished_at) = match (&open, result) {
            (Some(open), Some(_)) => (open.started_at, Some(at)),
            (_, result) => (at, result.map(|_| at)),
        };
        let report = CheckReport {
            check: check.clone(),
            started_at,
            finished_at,
            duration_seconds: seconds_between(Some(started_at), finished_at),
            result: result.cloned(),
        };
        match open {
            Some(open) => *open = report,
            None => self.checks.push(report),
        }
    }

    fn stack_event(&mut self, event: &StackEvent) {
        let stack = self.stack_mut(&event.stack_id, &event.stack_name, event.depth);
        if event.is_of_stack() {
            stack.status = Some(StackStatus::from(&event.status));
            if event.depth == 0 && !self.tearing_down {
                self.stack_status = Some(StackStatus::from(&event.status));
                self.stack_status_reason = event.reason.clone();
            }
        } else if let Some(nested) = nested_stack_id(event) {
            let child = self.stack_mut(nested, "", event.depth + 1);
            child.parent = Some(event.stack_id.clone());
            child.logical_id = Some(event.logical_id.clone());
        }
        if self.tearing_down {
            &mut self.teardown_events
        } else {
            &mut self.events
        }
        .push(event.clone());
    }

    fn stack_mut(&mut self, stack_id: &str, name: &str, depth: u32) -> &mut StackReport {
        let position = self
            .stacks
            .iter()
            .position(|it| it.stack_id == stack_id)
            .unwrap_or_else(|| {
                let stack_id = stack_id.into();
                let stack_name = name.into();
                self.stacks.push(StackReport {
                    stack_id,
                    stack_name,
                    depth,
                    parent: None,
                    logical_id: None,
                    status: None,
                });
                self.stacks.len() - 1
            });
        let stack = &mut self.stacks[position];
        if stack.stack_name.is_empty() {
            stack.stack_name = name.into();
        }
        stack
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::model::Attempt;
    use crate::report::tests::fixture;

    /// Returns a recorded run as another run, a number of hours later.
    fn again(scenario: &str, run_id: &str, hours: i64) -> Vec<RunEvent> {
        let mut events = fixture(scenario);
        for event in &mut events {
            event.at += jiff::SignedDuration::from_hours(hours);
            if let EventKind::RunStarted(run) = &mut event.kind {
                run.run_id = run_id.to_owned();
            }
        }
        events
    }

    fn only(mut events: Vec<RunEvent>, test: &str) -> Vec<RunEvent> {
        if let EventKind::RunStarted(run) = &mut events[0].kind {
            run.cells.retain(|cell| &*cell.id.test == test);
        }
        let is_other = |event: &RunEvent| {
            let event = serde_json::to_value(event).unwrap();
            event
                .get("cell")
                .and_then(|cell| cell.get("test"))
                .is_some_and(|it| it != test)
        };
        events.retain(|event| !is_other(event));
        events
    }

    #[test]
    fn shards_become_one_report() {
        let vpc = only(again("passing", "one", 0), "vpc");
        let app = only(again("passing", "two", 1), "app");
        let report = RunReport::from_events(vpc.iter().chain(&app));
        assert_eq!(
            (report.verdict, report.counts().as_str()),
            (RunVerdict::Passed, "6 passed")
        );
        assert_eq!(
            (
                report.run_id.as_str(),
                report.merged_runs.join(" ").as_str()
            ),
            ("two", "one two")
        );
        assert!(report.cells.iter().all(|cell| cell.attempts.is_empty()));
        // Their lint findings and their buckets are the same.
        let alone = RunReport::from_events(&fixture("passing"));
        assert_eq!(report.buckets.len(), alone.buckets.len());
        assert!(alone.merged_runs.is_empty());
        // A shard that was killed makes the merged report incomplete.
        let killed = &vpc[..vpc.len() - 1];
        assert_eq!(
            RunReport::from_events(killed.iter().chain(&app)).verdict,
            RunVerdict::Incomplete
        );
    }

    #[test]
    fn the_last_result_of_a_cell_counts() {
        let attempts = |report: &RunReport| -> Vec<String> {
            let of_cell = |cell: &CellReport| {
                let said = |it: &Attempt| {
                    let cause = it
                        .root_cause
                        .as_ref()
                        .map(|cause| format!(": {}", cause.path.join("/")));
                    format!(
                        "{} {} {}{}",
                        cell.id,
                        it.run_id,
                        it.state.word(),
                        cause.unwrap_or_default()
                    )
                };
                cell.attempts.iter().map(said).collect::<Vec<_>>()
            };
            report
                .cells
                .iter()
                .filter(|cell| &*cell.id.test == "app")
                .flat_map(of_cell)
                .collect()
        };
        let first = again("one-failed", "one", 0);
        let second = only(again("passing", "two", 1), "app");
        let report = RunReport::from_events(first.iter().chain(&second));
        assert_eq!(
            (report.verdict, report.counts().as_str()),
            (RunVerdict::Passed, "6 passed")
        );
        assert_eq!(
            attempts(&report),
            [
                "app/us-east-1 one passed",
                "app/eu-west-1 one failed: NetworkStack/PrivateSubnet1",
                "app/ap-southeast-2 one passed"
            ]
        );
        // Three runs, with a failure again.
        let third = only(again("one-failed", "three", 2), "app");
        let report = RunReport::from_events(first.iter().chain(&second).chain(&third));
        assert_eq!(
            (report.verdict, report.counts().as_str()),
            (RunVerdict::Failed, "1 failed, 5 passed")
        );
        assert_eq!(attempts(&report).len(), 6);
    }

    #[test]
    fn an_interrupted_run_counts_until_all_its_cells_have_been_tested_again() {
        let first = again("interrupted", "one", 0);
        let second = again("passing", "two", 1);
        let report = RunReport::from_events(first.iter().chain(&second));
        assert_eq!(
            (report.verdict, report.interrupted_by.as_deref()),
            (RunVerdict::Passed, None)
        );
        let part = only(again("passing", "two", 1), "app");
        let report = RunReport::from_events(first.iter().chain(&part));
        assert_eq!(
            (report.verdict, report.interrupted_by.as_deref()),
            (RunVerdict::Interrupted, Some("SIGINT"))
        );
        // Resources that a run didn't delete still exist, whatever follows.
        let first = again("delete-failed", "one", 0);
        let second = again("passing", "two", 1);
        let report = RunReport::from_events(first.iter().chain(&second));
        assert_eq!(
            (report.verdict, report.totals.left_behind),
            (RunVerdict::LeftBehind, 1)
        );
    }
}
