//! The summary of a run on one screen: passed cells first, failed ones last by their root causes,
//! what to do next, and the path of the report. It is the last output, so its end is what remains
//! visible.

use super::super::model::{
    BucketReport, BucketState, CellReport, CellState, RunReport, RunVerdict, TeardownState,
};
use super::super::shared_cause::{self, SharedCause};
use super::super::text;
use super::notice::count;
use super::{Columns, Options, Paint};
use crate::event::RunTask;
use crate::report::RootCause;

/// Rows of a small terminal, one of them for the prompt.
const SCREEN: usize = 24 - 1;
/// Number of cells per state to list.
const ROWS: usize = 6;
/// Number of cells to list if nothing failed.
const ROWS_OF_A_GOOD_RUN: usize = 20;
/// Maximum number of lines of a note.
const NOTE_LINES: usize = 2;

/// How much to show about a failed cell.
#[derive(Clone, Copy)]
pub(super) struct FailureDetail {
    /// Lines of the root cause.
    cause: usize,
    /// Lines of the tests that share it.
    places: usize,
    notes: bool,
}

impl FailureDetail {
    pub(super) const FULL: Self = Self {
        cause: 4,
        places: 2,
        notes: true,
    };
    const SHORTER: Self = Self {
        cause: 2,
        places: 2,
        notes: true,
    };
    const CAUSE: Self = Self {
        cause: 2,
        places: 1,
        notes: false,
    };
    const LINE: Self = Self {
        cause: 1,
        places: 1,
        notes: false,
    };
}

/// Returns the lines of the summary, wrapped at `width` if given.
pub(super) fn lines(report: &RunReport, options: &Options, width: Option<usize>) -> Vec<String> {
    let paint = Paint {
        colour: options.colour,
    };
    let mut end = left_behind(report, paint);
    end.extend(next_steps(report, options, paint));
    end.push(verdict_line(report, options, paint));
    // In quiet and minimal output, rows would be most of it, and the failures have been shown.
    if options.quiet || options.minimal || report.cells.is_empty() || !tests(report.task) {
        return end;
    }
    let rows_of = |line: &String| {
        width.map_or(1, |width| {
            console::measure_text_width(line)
                .div_ceil(width.max(1))
                .max(1)
        })
    };
    let room = SCREEN.saturating_sub(2 + end.iter().map(rows_of).sum::<usize>());
    let blank = || vec![String::new()];
    [
        blank(),
        CellsByOutcome::of(report, paint, width).fit(room),
        blank(),
        end,
    ]
    .concat()
}

/// The cells by result.
struct CellsByOutcome<'a> {
    passed: Vec<&'a CellReport>,
    unfinished: Vec<&'a CellReport>,
    /// Those that failed, by cause.
    failed: Vec<SharedCause<'a>>,
    columns: Columns,
    paint: Paint,
    width: Option<usize>,
}

impl<'a> CellsByOutcome<'a> {
    fn of(report: &'a RunReport, paint: Paint, width: Option<usize>) -> Self {
        let (passed, other): (Vec<_>, Vec<_>) = report
            .cells
            .iter()
            .partition(|cell| cell.state == CellState::Passed);
        let (failed, unfinished): (Vec<_>, _) = other
            .into_iter()
            .partition(|cell| cell.state == CellState::Failed);
        Self {
            passed,
            unfinished,
            failed: shared_cause::by_cause(failed),
            columns: Columns::of(&report.cells),
            paint,
            width,
        }
    }

    /// Returns as much as fits: first rows of passed cells are dropped, then details of causes,
    /// then causes.
    fn fit(&self, room: usize) -> Vec<String> {
        if self.failed.is_empty() && self.unfinished.is_empty() {
            return self.block(&self.passed, ROWS_OF_A_GOOD_RUN, FailureDetail::LINE);
        }
        let attempts = [
            (ROWS, FailureDetail::FULL),
            (1, FailureDetail::FULL),
            (1, FailureDetail::SHORTER),
            (1, FailureDetail::CAUSE),
            (1, FailureDetail::LINE),
        ];
        for (limit, detail) in attempts {
            let lines = [
                self.block(&self.passed, limit, detail),
                self.block(&self.unfinished, limit.max(2), detail),
                self.failures(detail),
            ]
            .concat();
            if lines.len() <= room {
                return lines;
            }
        }
        let mut lines = [
            self.block(&self.passed, 1, FailureDetail::LINE),
            self.block(&self.unfinished, 2, FailureDetail::LINE),
        ]
        .concat();
        let room = room.saturating_sub(lines.len() + 1);
        let mut shown = 0;
        let mut used = 0;
        for cause in &self.failed {
            let rows = self.cause(cause, FailureDetail::CAUSE);
            if used + rows.len() > room {
                break;
            }
            (shown, used) = (shown + 1, used + rows.len());
            lines.extend(rows);
        }
        let others: Vec<&CellReport> = self.failed[shown..].concat();
        lines.extend(self.more(&others, 0).filter(|_| shown == 0));
        lines.extend(self.more_causes(&others).filter(|_| shown > 0));
        lines
    }

    fn failures(&self, detail: FailureDetail) -> Vec<String> {
        let causes = self.failed.iter();
        causes.flat_map(|it| self.cause(it, detail)).collect()
    }

    /// Returns the rows of a cause and the tests that failed for it.
    fn cause(&self, cells: &SharedCause, detail: FailureDetail) -> Vec<String> {
        let [first, _, ..] = cells.as_slice() else {
            return cells.iter().flat_map(|it| self.rows(it, detail)).collect();
        };
        let word = self
            .paint
            .state(first.state, &format!("{:<11}", first.state.word()));
        let places = text::one_line(&shared_cause::places(cells));
        let places = format!("{} times: {places}", cells.len());
        let indent = indent(self.width);
        let width = self.width.map(|width| width.saturating_sub(indent + 1));
        let places = broken(&places, width, detail.places);
        let mut lines = vec![format!("  {word}  {}", places[0])];
        let more = places.iter().skip(1);
        lines.extend(more.map(|line| format!("{:indent$}{line}", "")));
        lines.extend(reasons(first, self.paint, self.width, detail));
        lines
    }

    fn more_causes(&self, others: &[&CellReport]) -> Option<String> {
        if others.is_empty() {
            return None;
        }
        let line = format!("  … {} failed for other causes", others.len());
        Some(self.paint.faint(&line))
    }

    /// Returns at most `limit` rows; the last one counts the remaining cells if there are more.
    fn block(&self, cells: &[&CellReport], limit: usize, detail: FailureDetail) -> Vec<String> {
        let shown = if cells.len() > limit {
            limit - 1
        } else {
            cells.len()
        };
        let rows = cells
            .iter()
            .take(shown)
            .flat_map(|cell| self.rows(cell, detail));
        rows.chain(self.more(cells, shown)).collect()
    }

    fn more(&self, cells: &[&CellReport], shown: usize) -> Option<String> {
        let next = cells.get(shown)?;
        let more = if shown > 0 { " more" } else { "" };
        Some(self.paint.faint(&format!(
            "  … {}{more} {}",
            cells.len() - shown,
            next.state.word()
        )))
    }

    fn rows(&self, cell: &CellReport, detail: FailureDetail) -> Vec<String> {
        cell_rows(cell, &self.columns, self.paint, self.width, detail)
    }
}

/// Returns a cell's row, and below it why it failed.
pub(super) fn cell_rows(
    cell: &CellReport,
    columns: &Columns,
    paint: Paint,
    width: Option<usize>,
    detail: FailureDetail,
) -> Vec<String> {
    let word = paint.state(cell.state, &format!("{:<11}", cell.state.word()));
    let took = cell
        .duration_seconds
        .map(text::duration)
        .unwrap_or_default();
    let flaky = if cell.flaky {
        format!("  flaky: passed on attempt {}", cell.attempts.len() + 1)
    } else {
        String::new()
    };
    let row = format!("  {word}  {}  {took}{flaky}", columns.name(cell));
    let mut lines = vec![row.trim_end().to_owned()];
    lines.extend(reasons(cell, paint, width, detail));
    lines
}

/// Returns how far the text below a row is indented. In a narrow terminal, it needs the room more
/// than the alignment does.
fn indent(width: Option<usize>) -> usize {
    if width.is_some_and(|width| width < 60) {
        4
    } else {
        15
    }
}

/// Returns the lines of why a cell failed.
fn reasons(
    cell: &CellReport,
    paint: Paint,
    width: Option<usize>,
    detail: FailureDetail,
) -> Vec<String> {
    let mut lines = Vec::new();
    let why = cell
        .root_cause
        .as_ref()
        .map(|cause| cause.text.as_str())
        .or(cell.reason.as_deref());
    let Some(why) = why.filter(|_| cell.state != CellState::Passed) else {
        return lines;
    };
    let indent = indent(width);
    let mut add = |text: &str, limit: usize, painted: &dyn Fn(&str) -> String| {
        let broken = broken(
            &text::one_line(text),
            width.map(|width| width.saturating_sub(indent + 1)),
            limit,
        );
        lines.extend(
            broken
                .iter()
                .map(|line| format!("{:indent$}{}", "", painted(line))),
        );
    };
    add(why, detail.cause, &str::to_owned);
    let notes = cell
        .root_cause
        .iter()
        .filter(|_| detail.notes)
        .flat_map(RootCause::notes);
    notes.for_each(|note| {
        if note.starts_with("hint: ") {
            add(&note, NOTE_LINES, &str::to_owned)
        } else {
            add(&note, NOTE_LINES, &|line| paint.faint(line))
        }
    });
    lines
}

/// Wraps a text to at most `limit` lines of `width` columns; the last one says if there is more.
fn broken(text: &str, width: Option<usize>, limit: usize) -> Vec<String> {
    let Some(width) = width else {
        return vec![text.to_owned()];
    };
    let mut lines = text::wrap(text, width.max(20));
    if lines.len() > limit {
        lines.truncate(limit);
        if let Some(last) = lines.last_mut() {
            *last = format!("{} …", console::truncate_str(last, width.max(20) - 2, ""));
        }
    }
    lines
}

fn left_behind(report: &RunReport, paint: Paint) -> Vec<String> {
    let stacks = report.cells.iter().filter_map(|cell| match &cell.teardown {
        TeardownState::DeleteFailed { left, .. } => {
            let left: Vec<&str> = left.iter().map(|it| it.logical_id.as_str()).collect();
            let left = if left.is_empty() {
                String::new()
            } else {
                format!(": {}", left.join(", "))
            };
            // A stack that is being cleaned up was launched by another run: only its name is known.
            let name = if cell.stack_name.is_empty() {
                &*cell.id.test
            } else {
                &cell.stack_name
            };
            Some(format!("stack {name} in {}{left}", cell.id.region))
        }
        _ => None,
    });
    let buckets = report
        .buckets
        .iter()
        .filter(|it| matches!(it.end, BucketState::DeleteFailed { .. }));
    let all: Vec<String> = stacks
        .chain(buckets.map(|it| format!("bucket {}", it.bucket)))
        .collect();
    let mut lines: Vec<String> = all
        .iter()
        .take(ROWS)
        .map(|it| paint.warn(&format!("not deleted: {}", text::one_line(it))))
        .collect();
    if all.len() > ROWS {
        lines.push(paint.warn(&format!(
            "not deleted: {} more (see the report)",
            all.len() - ROWS
        )));
    }
    lines
}

/// Returns what was done, in numbers.
fn done(report: &RunReport) -> String {
    let stacks = report
        .cells
        .iter()
        .filter(|cell| matches!(cell.teardown, TeardownState::Deleted))
        .count();
    let buckets = report
        .buckets
        .iter()
        .filter(|bucket| matches!(bucket.end, BucketState::Deleted))
        .count();
    match report.task {
        RunTask::Test => report.counts(),
        RunTask::Deploy => deployed(report),
        RunTask::Upload => uploaded(report),
        RunTask::DryRun => {
            let sum = |of: fn(&BucketReport) -> usize| report.buckets.iter().map(of).sum::<usize>();
            let uploads = sum(|it| it.uploads);
            let removals = sum(|it| it.removals);
            format!(
                "dry run: {} to upload, {removals} to delete; nothing was changed",
                count(uploads, "file")
            )
        }
        RunTask::Clean => cleaned(stacks, buckets, report),
    }
}

fn uploaded(report: &RunReport) -> String {
    let files = report.buckets.iter().map(|it| it.uploaded).sum::<usize>();
    if report.buckets.is_empty() {
        "nothing was uploaded".to_owned()
    } else {
        format!("{} uploaded", count(files, "file"))
    }
}

/// Returns the number of deletions. Deletions that weren't awaited are called requests, since they
/// may still fail.
fn cleaned(stacks: usize, buckets: usize, report: &RunReport) -> String {
    let requested = report
        .cells
        .iter()
        .filter(|cell| matches!(cell.teardown, TeardownState::Unawaited))
        .count();
    let deleted = format!(
        "{} and {} deleted",
        count(stacks, "stack"),
        count(buckets, "bucket")
    );
    match (requested, stacks) {
        (0, _) => deleted,
        (_, 0) => {
            let requested = format!("deletion of {} requested", count(requested, "stack"));
            let buckets = if buckets == 0 {
                String::new()
            } else {
                format!(", {} deleted", count(buckets, "bucket"))
            };
            format!("{requested}, pass -w to wait for it{buckets}")
        }
        _ => format!(
            "{deleted}, deletion of {} requested and pass -w to wait for it",
            count(requested, "stack")
        ),
    }
}

/// Returns whether a task gives every cell a verdict.
fn tests(task: RunTask) -> bool {
    matches!(task, RunTask::Test | RunTask::Deploy)
}

/// Returns `1 deployed, 1 unchanged`: cells that passed by what was done, others by state.
fn deployed(report: &RunReport) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for cell in &report.cells {
        let word = match cell.state {
            CellState::Passed => cell.reason.as_deref().unwrap_or("deployed"),
            other => other.word(),
        };
        match counts.iter_mut().find(|(known, _)| known == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word.to_owned(), 1)),
        }
    }
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    if counts.is_empty() {
        "nothing was deployed".to_owned()
    } else {
        counts.join(", ")
    }
}

/// Returns what the user will do next: test again what failed, or delete what remains.
fn next_steps(report: &RunReport, options: &Options, paint: Paint) -> Vec<String> {
    if report.task != RunTask::Test || options.quiet || options.minimal {
        return Vec::new();
    }
    let mut steps = Vec::new();
    let totals = &report.totals;
    let is_tested = totals.failed + totals.passed > 0;
    if is_tested && totals.passed < totals.cells && options.report.is_some() {
        steps.push("to test only what did not pass, add --rerun-failed".to_owned());
    }
    let remains = |cell: &CellReport| {
        let teardown = &cell.teardown;
        matches!(
            teardown,
            TeardownState::Kept { .. } | TeardownState::DeleteFailed { .. }
        )
    };
    // A simulation in this process ends with it.
    let is_real = !report.simulated || report.endpoint.is_some();
    if is_real && report.cells.iter().any(remains) {
        steps.push(format!(
            "to delete the stacks: taskcat test clean {}",
            report.run_id
        ));
    }
    steps.iter().map(|step| paint.faint(step)).collect()
}

fn verdict_line(report: &RunReport, options: &Options, paint: Paint) -> String {
    let counts = done(report);
    let took = report
        .duration_seconds()
        .map(|it| format!(" in {}", text::duration(it)))
        .unwrap_or_default();
    let line = match report.verdict {
        RunVerdict::Passed => paint.good(&counts),
        RunVerdict::Failed => paint.bad(&counts),
        RunVerdict::LeftBehind => paint.warn(&counts),
        RunVerdict::Interrupted => paint.warn(&format!("interrupted: {counts}")),
        // Only tests have verdicts.
        RunVerdict::Incomplete if !tests(report.task) => paint.good(&counts),
        RunVerdict::Incomplete => paint.warn(&format!("incomplete: {counts}")),
        RunVerdict::Error => {
            let error = report.error.as_deref().unwrap_or("no reason was given");
            let before = if report.task == RunTask::Test {
                " before the tests"
            } else {
                ""
            };
            paint.bad(&format!("stopped{before}: {}", text::one_line(error)))
        }
    };
    let report_at = options
        .report
        .as_deref()
        .map(|path| format!("; report: {}", paint.strong(path)))
        .unwrap_or_default();
    // The error ends the line.
    let took = if report.verdict == RunVerdict::Error || report.task == RunTask::DryRun {
        String::new()
    } else {
        took
    };
    let simulated = if report.simulated {
        paint.warn("simulated: ")
    } else {
        String::new()
    };
    format!("{simulated}{line}{took}{report_at}")
}
