//! What the run came to, in one screen: passed cells first, failed ones last with their root causes, and where the
//! report stands. It is the last thing on the terminal, so its end is what is seen.

use super::super::model::{BucketEnd, CellReport, CellState, RunReport, Teardown, Verdict};
use super::super::text;
use super::notice::count;
use super::{Columns, Options, Paint};
use crate::event::Task;

/// Cells of a state before the rest is only counted, so that all fits one screen.
const ROWS: usize = 6;
/// The same where nothing failed.
const ROWS_OF_A_GOOD_RUN: usize = 20;
/// Lines of a root cause when it is told as it happens, and in the summary of few and of many failures.
pub const CAUSE_LINES: usize = 4;
const CAUSE_LINES_OF_MANY: usize = 2;
const MANY: usize = 3;

/// The lines of the summary. `width` breaks them; without one they are as long as they are.
pub fn lines(report: &RunReport, options: &Options, width: Option<usize>) -> Vec<String> {
    let paint = Paint { colour: options.colour };
    let columns = Columns::of(&report.cells);
    let mut lines = Vec::new();
    // In quiet and minimal output the rows would be the bulk of it; the failures have been told.
    if !options.quiet && !options.minimal && !report.cells.is_empty() && report.task == Task::Test {
        lines.push(String::new());
        lines.extend(rows(report, &columns, paint, width));
        lines.push(String::new());
    }
    lines.extend(left_behind(report, paint));
    lines.push(verdict_line(report, options, paint));
    lines
}

fn rows(report: &RunReport, columns: &Columns, paint: Paint, width: Option<usize>) -> Vec<String> {
    let (passed, other): (Vec<_>, Vec<_>) = report.cells.iter().partition(|cell| cell.state == CellState::Passed);
    let (failed, unfinished): (Vec<_>, Vec<_>) = other.into_iter().partition(|cell| cell.state == CellState::Failed);
    let good_run = failed.is_empty() && unfinished.is_empty();
    let cause_lines = if failed.len() + unfinished.len() > MANY { CAUSE_LINES_OF_MANY } else { CAUSE_LINES };
    let mut lines = Vec::new();
    for cells in [passed, unfinished, failed] {
        let limit = if good_run { ROWS_OF_A_GOOD_RUN } else { ROWS };
        let shown = if cells.len() > limit { limit - 1 } else { cells.len() };
        for cell in cells.iter().take(shown) {
            lines.extend(cell_rows(cell, columns, paint, width, cause_lines));
        }
        if let Some(more) = cells.get(shown) {
            lines.push(paint.faint(&format!("  … {} more {}", cells.len() - shown, more.state.word())));
        }
    }
    lines
}

/// A cell's row, and below it why it failed.
pub fn cell_rows(
    cell: &CellReport,
    columns: &Columns,
    paint: Paint,
    width: Option<usize>,
    cause_lines: usize,
) -> Vec<String> {
    let word = paint.state(cell.state, &format!("{:<11}", cell.state.word()));
    let took = cell.duration_seconds.map(text::duration).unwrap_or_default();
    let mut lines = vec![format!("  {word}  {}  {took}", columns.name(cell)).trim_end().to_owned()];
    let why = cell.root_cause.as_ref().map(|cause| cause.text.as_str()).or(cell.reason.as_deref());
    if let Some(why) = why.filter(|_| cell.state != CellState::Passed) {
        let why = text::one_line(why);
        let indent = " ".repeat(15);
        let mut wrapped = match width {
            Some(width) => text::wrap(&why, width.saturating_sub(indent.len() + 1).max(20)),
            None => vec![why],
        };
        if wrapped.len() > cause_lines {
            wrapped.truncate(cause_lines);
            if let Some(last) = wrapped.last_mut() {
                last.push_str(" …");
            }
        }
        lines.extend(wrapped.into_iter().map(|line| format!("{indent}{line}")));
    }
    lines
}

fn left_behind(report: &RunReport, paint: Paint) -> Vec<String> {
    let stacks = report.cells.iter().filter_map(|cell| match &cell.teardown {
        Teardown::DeleteFailed { left, .. } => {
            let left: Vec<&str> = left.iter().map(|it| it.logical_id.as_str()).collect();
            let left = if left.is_empty() { String::new() } else { format!(": {}", left.join(", ")) };
            Some(format!("stack {} in {}{left}", cell.stack_name, cell.id.region))
        }
        _ => None,
    });
    let buckets = report.buckets.iter().filter(|it| matches!(it.end, BucketEnd::DeleteFailed { .. }));
    let all: Vec<String> = stacks.chain(buckets.map(|it| format!("bucket {}", it.bucket))).collect();
    let mut lines: Vec<String> =
        all.iter().take(ROWS).map(|it| paint.warn(&format!("left behind: {}", text::one_line(it)))).collect();
    if all.len() > ROWS {
        lines.push(paint.warn(&format!("left behind: {} more, named in the report", all.len() - ROWS)));
    }
    lines
}

/// What was done, in numbers.
fn done(report: &RunReport) -> String {
    let stacks = report.cells.iter().filter(|cell| matches!(cell.teardown, Teardown::Deleted)).count();
    let buckets = report.buckets.iter().filter(|bucket| matches!(bucket.end, BucketEnd::Deleted)).count();
    match report.task {
        Task::Test => report.counts(),
        Task::Upload => "uploaded".to_owned(),
        Task::Clean => format!("{} and {} deleted", count(stacks, "stack"), count(buckets, "bucket")),
    }
}

fn verdict_line(report: &RunReport, options: &Options, paint: Paint) -> String {
    let counts = done(report);
    let took = report.duration_seconds().map(|it| format!(" in {}", text::duration(it))).unwrap_or_default();
    let line = match report.verdict {
        Verdict::Passed => paint.good(&counts),
        Verdict::Failed => paint.bad(&counts),
        Verdict::LeftBehind => paint.warn(&counts),
        Verdict::Interrupted => paint.warn(&format!("interrupted: {counts}")),
        // Only a test gives cells a verdict.
        Verdict::Incomplete if report.task != Task::Test => paint.good(&counts),
        Verdict::Incomplete => paint.warn(&format!("incomplete: {counts}")),
        Verdict::Error => {
            let error = report.error.as_deref().unwrap_or("no reason was given");
            let before = if report.task == Task::Test { " before the tests" } else { "" };
            paint.bad(&format!("stopped{before}: {}", text::one_line(error)))
        }
    };
    let report_at =
        options.report.as_deref().map(|path| format!("; report: {}", paint.strong(path))).unwrap_or_default();
    // The words of an error end as they end.
    let took = if report.verdict == Verdict::Error { String::new() } else { took };
    let simulated = if report.simulated { paint.warn("simulated: ") } else { String::new() };
    format!("{simulated}{line}{took}{report_at}")
}
