//! The run as lines that only ever go down: for logs, for `--minimal-output` and for `-q`.

use std::io::{self, Write};

use jiff::Timestamp;

use super::notice::{self, Level};
use super::progress::{Phase, Progress};
use super::{Options, Paint, summary};
use crate::event::{CellId, Happening, RunEvent};
use crate::report::model::hook_name;
use crate::report::{Consumer, root_cause, text};

/// A log that says nothing for longer makes CI systems and readers believe that the run hangs.
const LONGEST_SILENCE_SECONDS: i64 = 55;

pub struct Plain {
    options: Options,
    out: Box<dyn Write + Send>,
    progress: Progress,
    last_line: Timestamp,
}

impl Plain {
    pub fn new(options: Options, out: Box<dyn Write + Send>) -> Self {
        Self { options, out, progress: Progress::default(), last_line: Timestamp::UNIX_EPOCH }
    }

    fn log(&mut self, at: Timestamp, level: Level, line: &str) -> io::Result<()> {
        let paint = Paint { colour: self.options.colour };
        let line = match level {
            Level::Error => paint.bad(line),
            Level::Warning => paint.warn(line),
            Level::Milestone | Level::Detail => line.to_owned(),
        };
        let stamped = if self.options.quiet { line } else { format!("{} {line}", paint.faint(&text::seconds(at))) };
        self.last_line = at;
        writeln!(self.out, "{stamped}")
    }

    /// TaskCat's minimalist lines: `test region STATUS`, and below a failed one what failed in it.
    fn minimal(&mut self, event: &RunEvent, change: Option<(CellId, String)>) -> io::Result<()> {
        let report = &self.progress.report;
        let (cell, status, below) = match &event.happening {
            Happening::StackSettled { cell, status, .. } if is_bad(status) => {
                let failures = report.cell_of(cell).map(root_cause::own_failures).unwrap_or_default();
                let reason = |reason: &Option<String>| reason.clone().unwrap_or("CloudFormation gave no reason".into());
                let below = failures.iter().map(|it| format!("{} {}", it.logical_id, reason(&it.reason)));
                (cell.clone(), status.clone(), below.collect())
            }
            Happening::StackDeleteFailed { cell, reason, left, .. } => {
                let left = left.iter().map(|it| format!("{} {}", it.logical_id, it.status));
                (cell.clone(), "DELETE_FAILED".into(), std::iter::once(reason.clone()).chain(left).collect())
            }
            Happening::LaunchFailed { cell, reason } => (cell.clone(), "LAUNCH_FAILED".into(), vec![reason.clone()]),
            Happening::HookFinished { cell, hook, error: Some(error), .. } => {
                (cell.clone(), format!("{} failed", hook_name(hook)), vec![error.clone()])
            }
            // Told once the stack has come to rest, together with what failed in it.
            Happening::StackEvent { detail, .. } if is_bad(&detail.status) => return Ok(()),
            _ => match change {
                Some((cell, status)) => (cell, status, Vec::new()),
                None => return Ok(()),
            },
        };
        let line = text::one_line(&format!("{} {status}", notice::name(&cell)));
        let paint = Paint { colour: self.options.colour };
        writeln!(self.out, "{}", if below.is_empty() && !is_bad(&status) { line } else { paint.bad(&line) })?;
        below.iter().try_for_each(|line| writeln!(self.out, "    {}", text::one_line(line)))
    }

    fn tick_at(&mut self, now: Timestamp) -> io::Result<()> {
        let silent = now.as_second() - self.last_line.as_second();
        if self.options.quiet || self.options.minimal || silent < LONGEST_SILENCE_SECONDS {
            return Ok(());
        }
        let under_way: Vec<_> = self.progress.active().filter(|(_, it)| it.phase != Phase::Waiting).collect();
        let Some((cell, activity)) = under_way.iter().min_by_key(|(_, it)| -(it.elapsed(now) as i64)) else {
            return Ok(());
        };
        let since = text::duration(activity.elapsed(now));
        let oldest = format!("{} {} for {since}", notice::name(&cell.id), activity.status);
        let waiting =
            activity.waiting_for().map(|(id, kind)| format!(", waiting for {id} ({kind})")).unwrap_or_default();
        let line = format!("{} in progress; {oldest}{waiting}", notice::count(under_way.len(), "stack"));
        self.log(now, Level::Detail, &text::one_line(&line))
    }
}

impl Consumer for Plain {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        let change = self.progress.apply(event);
        if self.options.minimal && !self.options.quiet {
            self.minimal(event, change)?;
        } else {
            let least = if self.options.quiet { Level::Error } else { Level::Detail };
            if let Some((cell, status)) = change.filter(|_| least == Level::Detail) {
                self.log(event.at, Level::Detail, &text::one_line(&format!("{} {status}", notice::name(&cell))))?;
            }
            if let Some((level, line)) = notice::of(&event.happening, &self.progress.report)
                && level >= least
            {
                self.log(event.at, level, &line)?;
            }
        }
        if let Happening::CellFinished { cell, .. } = &event.happening {
            self.progress.report.forget_events(cell);
        }
        self.out.flush()
    }

    fn tick(&mut self) -> io::Result<()> {
        self.tick_at(Timestamp::now())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.progress.report.conclude();
        for line in summary::lines(&self.progress.report, &self.options, None) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}

/// True of a status that a stack rests in when it has failed.
fn is_bad(status: &str) -> bool {
    status.contains("FAILED") || status.ends_with("ROLLBACK_COMPLETE")
}

#[cfg(test)]
mod tests {
    use super::super::tests::Written;
    use super::*;
    use crate::report::tests::fixture;

    /// What ticks at every tenth second say in the first two minutes after the first hundred events.
    fn ticks(options: Options) -> Vec<String> {
        let written = Written::default();
        let mut plain = Plain::new(options, Box::new(written.clone()));
        let events = fixture("passing");
        let events: Vec<_> =
            events.iter().take_while(|event| event.at.as_second() - events[0].at.as_second() < 40).collect();
        events.iter().for_each(|event| plain.take(event).unwrap());
        written.take();
        for second in (0..=120).step_by(10) {
            plain.tick_at(events[events.len() - 1].at + jiff::SignedDuration::from_secs(second)).unwrap();
        }
        written.take().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_a_minute_while_stacks_are_in_progress() {
        assert_eq!(
            ticks(Options::default()),
            [
                "2026-11-02T10:01:07Z 6 stacks in progress; vpc us-east-1 CREATE_IN_PROGRESS for 1m 03s, waiting for \
                 NatGateway1 (AWS::EC2::NatGateway)",
                "2026-11-02T10:02:07Z 6 stacks in progress; vpc us-east-1 CREATE_IN_PROGRESS for 2m 03s, waiting for \
                 NatGateway1 (AWS::EC2::NatGateway)",
            ]
        );
        assert!(ticks(Options { quiet: true, ..Options::default() }).is_empty());
        assert!(ticks(Options { minimal: true, ..Options::default() }).is_empty());
    }

    #[test]
    fn silence_when_nothing_is_in_progress() {
        let written = Written::default();
        let mut plain = Plain::new(Options::default(), Box::new(written.clone()));
        let events = fixture("passing");
        events.iter().for_each(|event| plain.take(event).unwrap());
        written.take();
        plain.tick_at(events[events.len() - 1].at + jiff::SignedDuration::from_secs(500)).unwrap();
        assert_eq!(written.take(), "");
    }
}
