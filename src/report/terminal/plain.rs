//! Shows a run as log lines: without a terminal, for `--minimal-output` and for `-q`.

use std::io::{self, Write};

use jiff::Timestamp;

use super::notice::{self, Level};
use super::progress::{CellPhase, RunProgress};
use super::state::RunStatus;
use super::{Columns, Options, Paint, summary};
use crate::event::{self, CellId, CheckResult, EventKind, RunEvent};
use crate::report::model::{check_name, hook_name};
use crate::report::{EventConsumer, RootCause, github, root_cause, text};
use crate::status::StackStatus;

/// Seconds without a line after which one is printed, so that CI systems and readers don't assume
/// that the run hangs.
const LONGEST_SILENCE_SECONDS: i64 = 55;

pub(super) struct PlainView {
    options: Options,
    out: Box<dyn Write + Send>,
    progress: RunProgress,
    last_line: Timestamp,
}

impl PlainView {
    pub(super) fn new(options: Options, out: Box<dyn Write + Send>) -> Self {
        Self {
            options,
            out,
            progress: RunProgress::default(),
            last_line: Timestamp::UNIX_EPOCH,
        }
    }

    fn log(&mut self, at: Timestamp, level: Level, line: &str) -> io::Result<()> {
        let paint = Paint {
            colour: self.options.colour,
        };
        let line = match level {
            Level::Error => paint.bad(line),
            Level::Warning => paint.warn(line),
            Level::Milestone | Level::Detail => line.to_owned(),
        };
        let stamped = if self.options.quiet {
            line
        } else {
            format!("{} {line}", paint.faint(&text::seconds(at)))
        };
        self.last_line = at;
        self.put(&stamped)
    }

    /// Writes a line. Every line goes through here, so that foreign text can't issue commands to
    /// the CI system.
    fn put(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", github::inert(line))
    }

    /// Writes the notes below a failure: where the resource is declared, its parameters and what to
    /// do.
    fn notes(&mut self, at: Timestamp, cell: &CellId) -> io::Result<()> {
        let cause = self
            .progress
            .report
            .cell_of(cell)
            .and_then(|cell| cell.root_cause.as_ref());
        let notes = cause.map(RootCause::notes).unwrap_or_default();
        notes.iter().try_for_each(|note| {
            self.log(at, Level::Detail, &format!("  {}", text::one_line(note)))
        })
    }

    fn state(&self, now: Timestamp) -> RunStatus<'_> {
        let progress = &self.progress;
        let previous = &self.options.previous;
        let columns = Columns::of(&progress.report.cells);
        RunStatus {
            progress,
            previous,
            columns,
            paint: Paint {
                colour: self.options.colour,
            },
            now,
        }
    }

    /// Prints the status of every stack if requested.
    fn answer(&mut self, now: Timestamp) -> io::Result<()> {
        if !self.options.asked.take() {
            return Ok(());
        }
        let lines = self.state(now).lines(usize::MAX);
        self.log(now, Level::Detail, "the status of every stack:")?;
        lines.iter().try_for_each(|line| self.put(line))
    }

    /// Prints TaskCat's minimal lines: `test region STATUS`, and below a failed one what failed in
    /// it.
    fn minimal(
        &mut self,
        event: &RunEvent,
        change: Option<(CellId, StackStatus)>,
    ) -> io::Result<()> {
        let report = &self.progress.report;
        let of_cause = |cause: Option<RootCause>| cause.map(|it| it.notes()).unwrap_or_default();
        let (cell, label, is_bad, below, notes) = match &event.kind {
            EventKind::StackSettled { cell, status, .. } if status.is_unsuccessful() => {
                let failures = report
                    .cell_of(cell)
                    .map(root_cause::own_failures)
                    .unwrap_or_default();
                let reason = |reason: &Option<String>| {
                    reason
                        .clone()
                        .unwrap_or("CloudFormation gave no reason".into())
                };
                let below = failures
                    .iter()
                    .map(|it| format!("{} {}", it.logical_id, reason(&it.reason)));
                let cause = report.cell_of(cell).and_then(root_cause::of_cell);
                (
                    cell.clone(),
                    status.to_string(),
                    true,
                    below.collect(),
                    of_cause(cause),
                )
            }
            EventKind::StackDeleteFailed {
                cell, reason, left, ..
            } => {
                let left = left
                    .iter()
                    .map(|it| format!("{} {}", it.logical_id, it.status));
                let below = std::iter::once(reason.clone()).chain(left).collect();
                (
                    cell.clone(),
                    StackStatus::DeleteFailed.to_string(),
                    true,
                    below,
                    Vec::new(),
                )
            }
            EventKind::LaunchFailed { cell, reason, .. } => {
                let cause = report
                    .cell_of(cell)
                    .and_then(|cell| cell.root_cause.clone());
                let status = StackStatus::launch_failed().to_string();
                (
                    cell.clone(),
                    status,
                    true,
                    vec![reason.clone()],
                    of_cause(cause),
                )
            }
            EventKind::HookFinished {
                cell,
                hook,
                error: Some(error),
                ..
            } => (
                cell.clone(),
                format!("{} failed", hook_name(hook)),
                true,
                vec![error.clone()],
                Vec::new(),
            ),
            EventKind::CheckFinished {
                cell,
                check,
                result: CheckResult::Failed { reason, .. },
            } => (
                cell.clone(),
                format!("{} failed", check_name(check)),
                true,
                vec![reason.clone()],
                vec![format!("set at {}:{}", check.file, check.line)],
            ),
            // Printed when the stack's status is terminal, together with what failed in it.
            EventKind::StackEvent { detail, .. }
                if StackStatus::from(&detail.status).is_unsuccessful() =>
            {
                return Ok(());
            }
            _ => match change {
                Some((cell, status)) => (cell, status.to_string(), false, Vec::new(), Vec::new()),
                None => return Ok(()),
            },
        };
        let line = text::one_line(&format!("{} {label}", notice::name(&cell)));
        let paint = Paint {
            colour: self.options.colour,
        };
        self.put(&if is_bad { paint.bad(&line) } else { line })?;
        // The first is the root cause, which the notes are about.
        let (cause, others) = below.split_at(below.len().min(1));
        cause
            .iter()
            .try_for_each(|line| self.put(&format!("    {}", text::one_line(line))))?;
        notes
            .iter()
            .try_for_each(|note| self.put(&format!("      {}", text::one_line(note))))?;
        others
            .iter()
            .try_for_each(|line| self.put(&format!("    {}", text::one_line(line))))
    }

    fn tick_at(&mut self, now: Timestamp) -> io::Result<()> {
        let silent = now.as_second() - self.last_line.as_second();
        if self.options.quiet || self.options.minimal || silent < LONGEST_SILENCE_SECONDS {
            return Ok(());
        }
        let under_way: Vec<_> = self
            .progress
            .active()
            .filter(|(_, it)| it.phase != CellPhase::Waiting)
            .collect();
        let Some((cell, activity)) = under_way
            .iter()
            .min_by_key(|(_, it)| -(it.elapsed(now) as i64))
        else {
            return Ok(());
        };
        let since = text::duration(activity.elapsed(now));
        let oldest = format!(
            "{} {} for {since}",
            notice::name(&cell.id),
            activity.label()
        );
        let waiting = activity
            .waiting_for()
            .map(|(id, kind)| format!(", waiting for {id} ({kind})"))
            .unwrap_or_default();
        let left = self
            .state(now)
            .left()
            .map(|left| format!("; {left}"))
            .unwrap_or_default();
        let line = format!(
            "{} in progress; {oldest}{waiting}{left}",
            notice::count(under_way.len(), "stack")
        );
        self.log(now, Level::Detail, &text::one_line(&line))
    }
}

impl EventConsumer for PlainView {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.options
            .note(event, self.progress.report.has_finished());
        let change = self.progress.apply(event);
        if self.options.minimal && !self.options.quiet {
            self.minimal(event, change)?;
        } else {
            let least = if self.options.quiet {
                Level::Error
            } else {
                Level::Detail
            };
            if let Some((cell, status)) = change.filter(|_| least == Level::Detail) {
                self.log(
                    event.at,
                    Level::Detail,
                    &text::one_line(&format!("{} {status}", notice::name(&cell))),
                )?;
            }
            if let Some((level, line)) = notice::of(&event.kind, &self.progress.report)
                && level >= least
            {
                self.log(event.at, level, &line)?;
                if let EventKind::CellFinished { cell, .. } = &event.kind {
                    self.notes(event.at, cell)?;
                }
            }
        }
        self.answer(event.at)?;
        if let EventKind::CellFinished { cell, .. } = &event.kind {
            self.progress.report.forget_events(cell);
        }
        self.out.flush()
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = event::now();
        self.answer(now)?;
        self.tick_at(now)?;
        self.out.flush()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.progress.report.conclude();
        for line in summary::lines(&self.progress.report, &self.options, None) {
            self.put(&line)?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::PreviousRun;
    use super::super::tests::CapturedOutput;
    use super::*;
    use crate::report::tests::fixture;

    /// Returns the lines of ticks every tenth second in the first two minutes after the first
    /// hundred events.
    fn ticks(options: Options) -> Vec<String> {
        let written = CapturedOutput::default();
        let mut plain = PlainView::new(options, Box::new(written.clone()));
        let events = fixture("passing");
        let events: Vec<_> = events
            .iter()
            .take_while(|event| event.at.as_second() - events[0].at.as_second() < 40)
            .collect();
        events.iter().for_each(|event| plain.take(event).unwrap());
        written.take();
        for second in (0..=120).step_by(10) {
            plain
                .tick_at(events[events.len() - 1].at + jiff::SignedDuration::from_secs(second))
                .unwrap();
        }
        written.take().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_a_minute_while_stacks_are_in_progress() {
        assert_eq!(
            ticks(Options::default()),
            [
                "2026-11-02T10:01:07Z 6 stacks in progress; vpc us-east-1 CREATE_IN_PROGRESS for \
                 1m 03s, waiting for \
                 NatGateway1 (AWS::EC2::NatGateway)",
                "2026-11-02T10:02:07Z 6 stacks in progress; vpc us-east-1 CREATE_IN_PROGRESS for \
                 2m 03s, waiting for \
                 NatGateway1 (AWS::EC2::NatGateway)",
            ]
        );
        assert!(
            ticks(Options {
                quiet: true,
                ..Options::default()
            })
            .is_empty()
        );
        assert!(
            ticks(Options {
                minimal: true,
                ..Options::default()
            })
            .is_empty()
        );
    }

    #[test]
    fn the_line_estimates_the_remaining_time() {
        let folder = tempfile::tempdir().unwrap();
        crate::report::write(
            &crate::report::RunReport::from_events(&fixture("passing")),
            folder.path(),
        )
        .unwrap();
        let lines = ticks(Options {
            previous: PreviousRun::read(folder.path()),
            ..Options::default()
        });
        assert!(
            lines[0].ends_with("(AWS::EC2::NatGateway); about 2m left"),
            "{lines:?}"
        );
        assert!(
            lines[1].ends_with("(AWS::EC2::NatGateway); about 40s left"),
            "{lines:?}"
        );
    }

    #[test]
    fn no_line_is_printed_when_nothing_is_in_progress() {
        let written = CapturedOutput::default();
        let mut plain = PlainView::new(Options::default(), Box::new(written.clone()));
        let events = fixture("passing");
        events.iter().for_each(|event| plain.take(event).unwrap());
        written.take();
        plain
            .tick_at(events[events.len() - 1].at + jiff::SignedDuration::from_secs(500))
            .unwrap();
        assert_eq!(written.take(), "");
    }
}
