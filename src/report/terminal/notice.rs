//! An event in one line of words, and how much it matters. `live` and `plain` both speak through
//! it.

use indicatif::HumanBytes;

use super::super::model::{CellState, RunReport, hook_name, why_kept};
use super::super::{changes, text};
use crate::event::{CellId, Happening, LeftResource, RunStarted, Task};

/// How much a notice matters; each kind of view shows those from some level on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A step of many; for logs.
    Detail,
    /// Something has come to its end.
    Milestone,
    Warning,
    Error,
}

/// The event's line; none for what is told otherwise: a change of a stack's status, one object of
/// many. `report` has taken the event in already.
pub fn of(happening: &Happening, report: &RunReport) -> Option<(Level, String)> {
    use Level::{Detail, Error, Milestone, Warning};
    let told = match happening {
        Happening::RunStarted(run) => (Milestone, started(run)),
        Happening::Warning { cell: None, message } => (Warning, format!("warning: {message}")),
        Happening::Warning { cell: Some(cell), message } => (Warning, format!("{}: warning: \
            {message}", name(cell))),
        Happening::LintStarted { templates } => (Detail, format!("lint: {}", count(*templates, "template"))),
        Happening::LintFinding(finding) => (if finding.error { Error } else { Warning }, finding.to_string()),
        Happening::LintSkipped { reason } => (Warning, format!("warning: {reason}")),
        Happening::LintFinished { errors: 0, warnings: 0 } => (Milestone, "lint: nothing found".into()),
        Happening::LintFinished { errors, warnings } => {
            let level = if *errors > 0 { Error } else { Milestone };
            (level, format!("lint: {}, {}", count(*errors, "error"), count(*warnings, "warning")))
        }
        Happening::PackageStarted { lambda } => (Detail, format!("packaging {lambda}")),
        Happening::PackageFinished { lambda, archive } => (Milestone, format!("packaged {lambda} \
            as {archive}")),
        Happening::BucketCreating { bucket, region } => (Detail, format!("creating bucket {bucket} \
            in {region}")),
        Happening::BucketDeleted { bucket } => (Detail, format!("bucket {bucket} deleted")),
        Happening::BucketKept { bucket, why } => (Detail, format!("bucket {bucket} kept: {}", why_kept(*why))),
        Happening::BucketDeleteFailed { bucket, reason } => {
            (Error, format!("bucket {bucket} could not be deleted: {reason}"))
        }
        Happening::UploadStarted { bucket, uploads, unchanged, removals, bytes } => {
            let (files, size) = (count(*uploads, "file"), HumanBytes(*bytes));
            (Detail, format!("upload to {bucket}: {files} ({size}), {unchanged} unchanged, \
                {removals} to remove"))
        }
        Happening::UploadFinished { bucket } => (Milestone, uploaded(bucket, report)),
        Happening::HookStarted { cell, hook } => (Detail, format!("{} {} started", name(cell), hook_name(hook))),
        Happening::HookFinished { cell, hook, error: None, .. } => {
            (Detail, format!("{} {} done", name(cell), hook_name(hook)))
        }
        Happening::HookFinished { cell, hook, error: Some(error), .. } => {
            (Warning, format!("{} {} failed: {error}", name(cell), hook_name(hook)))
        }
        Happening::CellFinished { cell, .. } => verdict(cell, report)?,
        Happening::CellRetried { cell, attempt, reason } => {
            (Warning, format!("{} attempt {attempt} failed, trying again: {reason}", name(cell)))
        }
        Happening::ChangeSetCreating { cell, stack_name, .. } => {
            (Detail, format!("{} working out what changes in {stack_name}", name(cell)))
        }
        Happening::ChangeSetCreated { cell, changes, .. } => {
            (Milestone, format!("{} {}", name(cell), changes::summary(changes)))
        }
        Happening::ChangeSetExecuted { cell, change_set } => {
            (Milestone, format!("{} executing {change_set}", name(cell)))
        }
        Happening::ChangeSetLeft { cell, change_set } => {
            (Milestone, format!("{} {change_set} is left for review", name(cell)))
        }
        Happening::ChangeSetDropped { cell, change_set } => {
            (Detail, format!("{} {change_set} dropped", name(cell)))
        }
        Happening::StackKept { cell, stack_id, why } => {
            (Milestone, format!("{} kept ({}): {stack_id}", name(cell), why_kept(*why)))
        }
        Happening::StackDeleteUnawaited { cell, .. } => {
            (Detail, format!("{} deletion requested, not awaited", name(cell)))
        }
        Happening::StackDeleteFailed { cell, reason, left, .. } => (Error, not_deleted(cell, reason, left)),
        Happening::Interrupted { signal } => {
            let then = match report.task {
                Task::Deploy => "nothing more is begun; what CloudFormation is executing goes on \
                    without this",
                _ => "what the run has made is being deleted",
            };
            (Warning, format!("interrupted by {signal}: {then}"))
        }
        Happening::StackCreating { cell, stack_name, .. } => (Detail, format!("{} launching \
            {stack_name}", name(cell))),
        Happening::BucketCreated { .. }
        | Happening::FailuresLocated { .. }
        | Happening::StagingMarked { .. }
        | Happening::StagingReleased { .. }
        | Happening::ObjectUploaded { .. }
        | Happening::ObjectRemoved { .. }
        | Happening::StackCreated { .. }
        // The cell's verdict follows, with this reason.
        | Happening::LaunchFailed { .. }
        | Happening::StackEvent { .. }
        | Happening::StackSettled { .. }
        | Happening::StackDeleting { .. }
        | Happening::StackDeleted { .. }
        // The summary says it.
        | Happening::RunFinished(_) => return None,
    };
    Some((told.0, text::one_line(&told.1)))
}

fn started(run: &RunStarted) -> String {
    let against = run
        .endpoint
        .as_deref()
        .map(|it| format!(" against {it}"))
        .unwrap_or_default();
    let (version, project, id) = (&run.taskcat_version, &run.project, &run.run_id);
    let simulated = if run.simulated {
        "simulated: nothing reaches AWS; "
    } else {
        ""
    };
    let told = match run.task {
        Task::Test => {
            format!(
                "taskcat {version} tests {project}: {}{against}, run {id}",
                count(run.cells.len(), "stack")
            )
        }
        Task::Upload => format!("taskcat {version} uploads {project}{against}"),
        Task::DryRun => format!("taskcat {version} compares {project} with its buckets{against}"),
        Task::Deploy => format!("taskcat {version} deploys {project}{against}"),
        Task::Clean => format!("taskcat {version} cleans up after {project}{against}"),
    };
    format!("{simulated}{told}")
}

fn not_deleted(cell: &CellId, reason: &str, left: &[LeftResource]) -> String {
    let left: Vec<String> = left
        .iter()
        .map(|it| format!("{} ({})", it.logical_id, it.resource_type))
        .collect();
    let left = if left.is_empty() {
        String::new()
    } else {
        format!("; left behind: {}", left.join(", "))
    };
    format!(
        "{} could not be deleted: {}{left}",
        name(cell),
        reason.trim_end_matches(['.', ' '])
    )
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
        (Task::Deploy, CellState::Passed) => cell.reason.as_deref().unwrap_or("deployed"),
        (_, state) => state.word(),
    };
    Some((level, format!("{} {word}{flaky}{after}{cause}", name(id))))
}

fn uploaded(bucket: &str, report: &RunReport) -> String {
    let Some(it) = report.buckets.iter().find(|it| it.bucket == bucket) else {
        return format!("uploaded to {bucket}");
    };
    let (files, size) = (count(it.uploaded, "file"), HumanBytes(it.bytes));
    format!(
        "uploaded {files} ({size}) to {bucket}, {} unchanged, {} removed",
        it.unchanged, it.removed
    )
}

/// `test region`, in the order of TaskCat's lines.
pub fn name(cell: &CellId) -> String {
    format!(
        "{} {}",
        text::one_line(&cell.test),
        text::one_line(&cell.region)
    )
}

pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
