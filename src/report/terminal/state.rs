//! Formats the status of every cell, one line each: for the live view, and in full on request.

use jiff::Timestamp;

use super::super::model::{CellReport, CellState, StackReport, TeardownState};
use super::super::text;
use super::estimate::{PreviousRun, about};
use super::progress::{CellActivity, CellPhase, RunProgress};
use super::{Columns, Paint, pad};
use crate::status::StackStatus;

/// Shown in place of the status of a nested stack that has no event yet.
const NOT_BEGUN: &str = "not yet begun";
/// Width of the longest common status, so that the columns don't move.
const STATUS_WIDTH: usize = 18;
/// Width of the status if there is little room.
const SHORT_STATUS_WIDTH: usize = 8;

/// The state of the run at a moment.
pub(super) struct RunStatus<'a> {
    pub progress: &'a RunProgress,
    pub previous: &'a PreviousRun,
    pub columns: Columns,
    pub paint: Paint,
    pub now: Timestamp,
}

impl RunStatus<'_> {
    /// Returns every cell with its nested stacks below, and the counts; in lines of at most `width`
    /// columns if possible.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for cell in &self.progress.report.cells {
            match self
                .progress
                .activity(&cell.id)
                .filter(|it| it.phase != CellPhase::Over)
            {
                Some(activity) => {
                    lines.push(self.row(cell, activity, width));
                    lines.extend(self.nested(cell, activity, width));
                }
                None => lines.push(self.ended(cell)),
            }
        }
        lines.push(self.tally(width));
        lines
    }

    /// Returns the row of an active cell in at most `width` columns, unless that is absurdly
    /// narrow.
    pub(super) fn row(&self, cell: &CellReport, activity: &CellActivity, width: usize) -> String {
        let name = self.columns.name(cell);
        if activity.phase == CellPhase::Waiting {
            return self.paint.faint(&format!("  {name}  waiting"));
        }
        let took = text::duration(activity.elapsed(self.now));
        let done = done(cell, activity);
        let status = text::one_line(activity.label());
        let full = pad(&status, STATUS_WIDTH);
        let line = format!(
            "  {name}  {}  {took:>7}  {done:>8}",
            self.status(activity.status.as_ref(), &full)
        );
        let wide = console::measure_text_width(&line);
        if wide > width {
            return self.narrow_row(cell, activity, &format!("{took}  {done}"), width);
        }
        let Some((id, kind)) = activity.waiting_for() else {
            return line.trim_end().to_owned();
        };
        let long = format!("  waiting for {id} ({kind})");
        let short = format!("  waiting for {id}");
        let waiting = if console::measure_text_width(&long) <= width - wide {
            long
        } else {
            short
        };
        line + &self.paint.faint(&text::clean(&waiting))
    }

    /// Returns a row for a narrow terminal. The name is shortened, since the progress is what
    /// changes.
    fn narrow_row(
        &self,
        cell: &CellReport,
        activity: &CellActivity,
        rest: &str,
        width: usize,
    ) -> String {
        let status = text::one_line(
            activity
                .status
                .as_ref()
                .map_or(activity.label(), StackStatus::short),
        );
        let status = pad(
            &status,
            SHORT_STATUS_WIDTH.max(console::measure_text_width(&status).min(STATUS_WIDTH)),
        );
        let room = width.saturating_sub(
            console::measure_text_width(&status) + console::measure_text_width(rest) + 6,
        );
        let full = self.columns.name(cell);
        let name = if console::measure_text_width(&full) <= room {
            full
        } else {
            let name = format!(
                "{} {}",
                text::one_line(&cell.id.test),
                text::one_line(&cell.id.region)
            );
            pad(&name, room.max(4))
        };
        format!(
            "  {name}  {}  {rest}",
            self.status(activity.status.as_ref(), &status)
        )
        .trim_end()
        .to_owned()
    }

    /// Returns the counts of the run, its duration and the estimate, as far as they fit into
    /// `width` columns.
    pub(super) fn tally(&self, width: usize) -> String {
        let cells = &self.progress.report.cells;
        let count = |state| cells.iter().filter(|cell| cell.state == state).count();
        let verdicts = [
            CellState::Failed,
            CellState::Interrupted,
            CellState::Skipped,
            CellState::Passed,
        ]
        .map(|state| (state, count(state)));
        let verdicts =
            verdicts
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(state, count)| {
                    let part = format!("{count} {}", state.word());
                    if state == CellState::Passed {
                        self.paint.good(&part)
                    } else {
                        self.paint.bad(&part)
                    }
                });
        let at_work = counts(self.progress.active().map(|(_, it)| it.phase));
        let parts: Vec<String> = verdicts
            .chain(Some(at_work).filter(|it| !it.is_empty()))
            .collect();
        let mut line = format!("  {}", parts.join(", "));
        let started = self.progress.report.started_at.unwrap_or(self.now);
        let took = text::duration(
            (self.now.as_millisecond() - started.as_millisecond()).max(0) as f64 / 1000.0,
        );
        let left = self.left().map(|left| format!(", {left}"));
        for more in [Some(format!("  {took}")), left].into_iter().flatten() {
            if console::measure_text_width(&line) + more.len() <= width {
                line += &self.paint.faint(&more);
            }
        }
        line
    }

    /// Returns `about 3m left`.
    pub(super) fn left(&self) -> Option<String> {
        let phase = |id: &_| {
            self.progress
                .activity(id)
                .map(|it| it.phase)
                .unwrap_or_default()
        };
        self.previous
            .left(&self.progress.report, phase, self.now)
            .map(about)
    }

    fn status(&self, status: Option<&StackStatus>, shown: &str) -> String {
        let is_bad = status.is_some_and(|status| status.is_failed() || status.is_rollback());
        if is_bad {
            self.paint.bad(shown)
        } else {
            shown.to_owned()
        }
    }

    /// Returns the rows of the nested stacks that exist, each below its parent.
    fn nested(&self, cell: &CellReport, activity: &CellActivity, width: usize) -> Vec<String> {
        let nested = cell.stacks.iter().filter(|stack| stack.depth > 0);
        let mut nested: Vec<_> = nested
            .map(|stack| (cell.path_of(&stack.stack_id), stack))
            .collect();
        nested.sort_by(|(one, _), (other, _)| one.cmp(other));
        let line = |(path, stack): &(Vec<&str>, &StackReport)| {
            let name = text::one_line(path.last().unwrap_or(&stack.stack_name.as_str()));
            let indent = " ".repeat(4 + 2 * path.len().clamp(1, 10));
            let room = (2 + self.columns.width()).saturating_sub(indent.len());
            let status = stack.status.as_ref();
            let done = match activity.phase {
                CellPhase::Creating if !status.is_some_and(StackStatus::is_rollback) => {
                    activity.resources_of(cell, stack).to_string()
                }
                _ => String::new(),
            };
            let full = text::one_line(status.map_or(NOT_BEGUN, StackStatus::as_str));
            let padded = self.status(status, &pad(&full, STATUS_WIDTH));
            let line = format!(
                "{indent}{}  {padded}  {:7}  {done:>8}",
                pad_at_least(&name, room),
                ""
            );
            if console::measure_text_width(&line) <= width {
                return line.trim_end().to_owned();
            }
            let short = text::one_line(status.map_or(NOT_BEGUN, StackStatus::short));
            format!("{indent}{name}  {}  {done}", self.status(status, &short))
                .trim_end()
                .to_owned()
        };
        nested.iter().map(line).collect()
    }

    /// Returns the row of a finished cell.
    fn ended(&self, cell: &CellReport) -> String {
        let word = self
            .paint
            .state(cell.state, &pad(cell.state.word(), STATUS_WIDTH));
        let took = cell
            .duration_seconds
            .map(text::duration)
            .unwrap_or_default();
        let then = match cell.teardown {
            TeardownState::None => "",
            TeardownState::Deleting | TeardownState::Unawaited => "being deleted",
            TeardownState::Deleted => "deleted",
            TeardownState::DeleteFailed { .. } => "could not be deleted",
            TeardownState::Kept { .. } => "kept",
        };
        format!(
            "  {}  {word}  {took:>7}  {then:>8}",
            self.columns.name(cell)
        )
        .trim_end()
        .to_owned()
    }
}

/// Returns how many resources have been created or deleted.
fn done(cell: &CellReport, activity: &CellActivity) -> String {
    let goes = activity.phase == CellPhase::Deleting
        || activity
            .status
            .as_ref()
            .is_some_and(StackStatus::is_rollback);
    match activity.phase {
        CellPhase::Hooks | CellPhase::Checks => String::new(),
        _ if goes && activity.gone == 0 => String::new(),
        _ if goes => format!("{} gone", activity.gone),
        _ => activity.resources(cell).to_string(),
    }
}

fn pad_at_least(text: &str, width: usize) -> String {
    pad(text, width.max(console::measure_text_width(text)))
}

/// Returns `3 creating, 2 waiting`.
pub(super) fn counts(phases: impl Iterator<Item = CellPhase>) -> String {
    let phases: Vec<CellPhase> = phases.collect();
    let counted = CellPhase::ALL
        .iter()
        .map(|(phase, word)| (phases.iter().filter(|it| *it == phase).count(), word));
    let counted = counted
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"));
    counted.collect::<Vec<_>>().join(", ")
}
