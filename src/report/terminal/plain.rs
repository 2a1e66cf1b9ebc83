//! The run as lines that only ever go down: for logs, for `--minimal-output` and for `-q`.

use std::io::{self, Write};

use jiff::Timestamp;

use super::notice::{self, Level};
use super::progress::{Phase, Progress, elapsed};
use super::{Options, Paint, summary};
use crate::event::{CellId, Happening, RunEvent};
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
        let paint = Paint { colour: self.options.colour };
        let mut below = Vec::new();
        match &event.happening {
            Happening::StackSettled { cell, .. } => {
                let failures = self.progress.report.cell_of(cell).map(root_cause::own_failures).unwrap_or_default();
                below.extend(failures.iter().map(|it| {
                    format!("{} {}", it.logical_id, it.reason.as_deref().unwrap_or("CloudFormation gave no reason"))
                }));
            }
            Happening::LaunchFailed { reason, .. } => below.push(reason.clone()),
            Happening::StackDeleteFailed { reason, left, .. } => {
                below.push(reason.clone());
                below.extend(left.iter().map(|it| format!("{} {}", it.logical_id, it.status)));
            }
            Happening::HookFinished { error: Some(_), .. } | Happening::BucketDeleteFailed { .. } => {
                if let Some((_, line)) = notice::of(&event.happening, &self.progress.report) {
                    writeln!(self.out, "{}", paint.bad(&line))?;
                }
            }
            // The status is told when the stack has settled, together with its failures.
            Happening::StackEvent { detail, .. } if detail.status.contains("FAILED") => return Ok(()),
            _ => {}
        }
        let settled = match &event.happening {
            Happening::StackSettled { cell, status, .. } if status.contains("FAILED") => {
                Some((cell.clone(), status.clone()))
            }
            _ => None,
        };
        if let Some((cell, status)) = change.or(settled) {
            let line = text::one_line(&format!("{} {status}", notice::name(&cell)));
            let is_bad = status.contains("FAILED");
            writeln!(self.out, "{}", if is_bad { paint.bad(&line) } else { line })?;
            for line in below.iter().filter(|_| !status.ends_with("CREATE_COMPLETE")) {
                writeln!(self.out, "    {}", text::one_line(line))?;
            }
        }
        Ok(())
    }

    fn tick_at(&mut self, now: Timestamp) -> io::Result<()> {
        let silent = now.as_second() - self.last_line.as_second();
        if self.options.quiet || self.options.minimal || silent < LONGEST_SILENCE_SECONDS {
            return Ok(());
        }
        let under_way: Vec<_> = self.progress.active().filter(|(_, it)| it.phase != Phase::Waiting).collect();
        let Some((cell, activity)) = under_way.iter().max_by_key(|(cell, _)| elapsed(cell, now) as u64) else {
            return Ok(());
        };
        let oldest =
            format!("{} {} for {}", notice::name(&cell.id), activity.status, text::duration(elapsed(cell, now)));
        let waiting = activity.waiting_for().map(|it| format!(", waiting for {it}")).unwrap_or_default();
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
