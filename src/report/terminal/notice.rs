//! Formats an event as one line of text with a level. Used by `live` and `plain`.

use indicatif::HumanBytes;

use super::super::model::{CellState, RunReport, check_name, hook_name, why_kept};
use super::super::{changes, text};
use crate::event::{
    CellId, CheckResult, EventKind, LeftoverResource, RunStarted, RunTask, StackCheck,
};

/// The importance of a notice; each kind of view shows those from some level on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// One step of many; for logs.
    Detail,
    /// Something has finished.
    Milestone,
    Warning,
    Error,
}

/// Returns the event's line, or `None` for events shown otherwise: status changes of stacks, one
/// object of many. `report` has been updated with the event.
pub(super) fn of(kind: &EventKind, report: &RunReport) -> Option<(Level, String)> {
    use Level::{Detail, Error, Milestone, Warning};
    let told = match kind {
        EventKind::RunStarted(run) => (Milestone, started(run)),
        EventKind::Warning {
            cell: None,
            message,
        } => (Warning, format!("warning: {message}")),
        EventKind::Warning {
            cell: Some(cell),
            message,
        } => (Warning, format!("{}: warning: {message}", name(cell))),
        EventKind::LintStarted { templates } => {
            (Detail, format!("lint: {}", count(*templates, "template")))
        }
        EventKind::LintFinding(finding) => (
            if finding.error { Error } else { Warning },
            finding.to_string(),
        ),
        EventKind::LintSkipped { reason } => (Warning, format!("warning: {reason}")),
        EventKind::LintFinished {
            errors: 0,
            warnings: 0,
        } => (Milestone, "lint: nothing found".into()),
        EventKind::LintFinished { errors, warnings } => {
            let level = if *errors > 0 { Error } else { Milestone };
            (
                level,
                format!(
                    "lint: {}, {}",
                    count(*errors, "error"),
                    count(*warnings, "warning")
                ),
            )
        }
        EventKind::PackageStarted { lambda } => (Detail, format!("packaging {lambda}")),
        EventKind::PackageFinished { lambda, archive } => {
            (Milestone, format!("packaged {lambda} as {archive}"))
        }
        EventKind::BucketCreating { bucket, region } => {
            (Detail, format!("creating bucket {bucket} in {region}"))
        }
        EventKind::BucketDeleted { bucket } => (Detail, format!("bucket {bucket} deleted")),
        EventKind::BucketKept { bucket, why } => {
            (Detail, format!("bucket {bucket} kept ({})", why_kept(*why)))
        }
        EventKind::BucketDeleteFailed { bucket, reason } => (
            Error,
            format!("bucket {bucket} could not be deleted: {reason}"),
        ),
        EventKind::UploadStarted {
            bucket,
            uploads,
            unchanged,
            removals,
            bytes,
        } => {
            let files = count(*uploads, "file");
            let size = HumanBytes(*bytes);
            let sent = format!("{files} ({size}), {unchanged} unchanged, {removals} to delete");
            (Detail, format!("upload to {bucket}: {sent}"))
        }
        EventKind::UploadFinished { bucket } => (Milestone, uploaded(bucket, report)),
        EventKind::HookStarted { cell, hook } => (
            Detail,
            format!("{} {} started", name(cell), hook_name(hook)),
        ),
        EventKind::HookFinished {
            cell,
            hook,
            error: None,
            ..
        } => (Detail, format!("{} {} done", name(cell), hook_name(hook))),
        EventKind::HookFinished {
            cell,
            hook,
            error: Some(error),
            ..
        } => (
            Warning,
            format!("{} {} failed: {error}", name(cell), hook_name(hook)),
        ),
        EventKind::CheckStarted { cell, check } => (
            Detail,
            format!("{} {} started", name(cell), check_name(check)),
        ),
        EventKind::CheckFinished {
            cell,
            check,
            result,
        } => check_result(cell, check, result),
        EventKind::CellFinished { cell, .. } => verdict(cell, report)?,
        EventKind::CellRetried {
            cell,
            attempt,
            reason,
        } => (
            Warning,
            format!(
                "{} attempt {attempt} failed, trying again: {reason}",
                name(cell)
            ),
        ),
        EventKind::ChangeSetCreating {
            cell, stack_name, ..
        } => (
            Detail,
            format!("{} creating a change set for {stack_name}", name(cell)),
        ),
        EventKind::ChangeSetCreated {
            cell,
            changes,
            options,
            ..
        } => {
            let options: String = options.iter().map(|it| format!("; {it}")).collect();
            let summary = changes::summary(changes);
            (Milestone, format!("{} {summary}{options}", name(cell)))
        }
        EventKind::ChangeSetExecuted { cell, change_set } => {
            (Milestone, format!("{} executing {change_set}", name(cell)))
        }
        EventKind::ChangeSetLeft { cell, change_set } => (
            Milestone,
            format!("{} {change_set} is left for review", name(cell)),
        ),
        EventKind::ChangeSetDropped { cell, change_set } => {
            (Detail, format!("{} {change_set} dropped", name(cell)))
        }
        EventKind::StackKept {
            cell,
            stack_id,
            why,
        } => (
            Milestone,
            format!("{} kept ({}): {stack_id}", name(cell), why_kept(*why)),
        ),
        EventKind::StackDeleteUnawaited { cell, .. } => (
            Detail,
            format!("{} deletion requested, not awaited", name(cell)),
        ),
        EventKind::StackDeleteFailed {
            cell, reason, left, ..
        } => (Error, not_deleted(cell, reason, left)),
        EventKind::Interrupted { signal } => {
            let then = match report.task {
                RunTask::Deploy => {
                    "no further change sets are executed; those in progress continue"
                }
                _ => "everything that the run created is being deleted",
            };
            (Warning, format!("interrupted by {signal}: {then}"))
        }
        EventKind::StackCreating {
            cell, stack_name, ..
        } => (Detail, format!("{} launching {stack_name}", name(cell))),
        // The verdict repeats the reason of a failed launch, and the summary the end of the run.
        EventKind::BucketCreated { .. }
        | EventKind::FailuresLocated { .. }
        | EventKind::StagingMarked { .. }
        | EventKind::StagingReleased { .. }
        | EventKind::ObjectUploaded { .. }
        | EventKind::ObjectRemoved { .. }
        | EventKind::StackCreated { .. }
        | EventKind::LaunchFailed { .. }
        | EventKind::ParametersResolved { .. }
        | EventKind::StackEvent { .. }
        | EventKind::StackSettled { .. }
        | EventKind::StackDeleting { .. }
        | EventKind::StackDeleted { .. }
        | EventKind::RunFinished(_) => return None,
    };
    Some((told.0, text::one_line(&told.1)))
}

fn started(run: &RunStarted) -> String {
    let endpoint = run
        .endpoint
        .as_deref()
        .map(|it| format!(" at {it}"))
        .unwrap_or_default();
    let version = &run.taskcat_version;
    let project = &run.project;
    let id = &run.run_id;
    let simulated = if run.simulated {
        "simulated (no call reaches AWS): "
    } else {
        ""
    };
    let told = match run.task {
        RunTask::Test => {
            format!(
                "taskcat {version} tests {project}: {}{endpoint}, run {id}",
                count(run.cells.len(), "stack")
            )
        }
        RunTask::Upload => format!("taskcat {version} uploads {project}{endpoint}"),
        RunTask::DryRun => {
            format!("taskcat {version} compares {project} with its buckets{endpoint}")
        }
        RunTask::Deploy => format!("taskcat {version} deploys {project}{endpoint}"),
        RunTask::Clean => format!("taskcat {version} deletes leftovers of {project}{endpoint}"),
    };
    format!("{simulated}{told}")
}

fn not_deleted(cell: &CellId, reason: &str, left: &[LeftoverResource]) -> String {
    let left: Vec<String> = left
        .iter()
        .map(|it| format!("{} ({})", it.logical_id, it.resource_type))
        .collect();
    let left = if left.is_empty() {
        String::new()
    } else {
        format!("; not deleted: {}", left.join(", "))
    };
    format!(
        "{} could not be deleted: {}{left}",
        name(cell),
        reason.trim_end_matches(['.', ' '])
    )
}

fn check_result(cell: &CellId, check: &StackCheck, result: &CheckResult) -> (Level, String) {
    let check = format!("{} {}", name(cell), check_name(check));
    match result {
        CheckResult::Passed => (Level::Detail, format!("{check} passed")),
        CheckResult::Failed { reason, .. } => (Level::Warning, format!("{check} failed: {reason}")),
        CheckResult::NotChecked { reason } => (Level::Warning, format!("{check}: {reason}")),
    }
}

fn verdict(id: &CellId, report: &RunReport) -> Option<(Level, String)> {
    let cell = report.cell_of(id)?;
    let level = if cell.state == CellState::Passed {
        Level::Milestone
    } else {
        Level::Error
    };
    let after = cell
        .duration_seconds
        .map(|it| format!(" after {}", text::duration(it)))
        .unwrap_or_default();
    let cause = cell
        .root_cause
        .as_ref()
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let flaky = if cell.is_flaky() {
        format!(" (flaky: on attempt {})", cell.attempts.len() + 1)
    } else {
        String::new()
    };
    let word = match (report.task, cell.state) {
        (RunTask::Deploy, CellState::Passed) => cell.reason.as_deref().unwrap_or("deployed"),
        (_, state) => state.word(),
    };
    Some((level, format!("{} {word}{flaky}{after}{cause}", name(id))))
}

fn uploaded(bucket: &str, report: &RunReport) -> String {
    let Some(it) = report.buckets.iter().find(|it| it.bucket == bucket) else {
        return format!("uploaded to {bucket}");
    };
    let files = count(it.uploaded, "file");
    let size = HumanBytes(it.bytes);
    format!(
        "uploaded {files} ({size}) to {bucket}, {} unchanged, {} removed",
        it.unchanged, it.removed
    )
}

/// Returns `test region`, in the order of TaskCat's lines.
pub(super) fn name(cell: &CellId) -> String {
    format!(
        "{} {}",
        text::one_line(&cell.test),
        text::one_line(&cell.region)
    )
}

pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
