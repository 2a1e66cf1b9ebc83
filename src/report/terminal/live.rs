//! The live view: a bar for the upload and one line for each cell at work, redrawn in place; what has ended is printed
//! above it for good.
//!
//! However many cells there are, the view takes no more lines than the terminal has: the rest is counted by state.

use std::io;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::notice::{self, Level};
use super::progress::{Activity, Phase, Progress, elapsed};
use super::{Columns, Options, Paint, pad, summary};
use crate::event::{Happening, RunEvent};
use crate::report::model::CellReport;
use crate::report::{Consumer, text};

/// Width of the longest status that is common, so that the columns stand still.
const STATUS_WIDTH: usize = 18;

pub struct Live {
    options: Options,
    size: Box<dyn Fn() -> (usize, usize) + Send>,
    progress: Progress,
    columns: Columns,
    screen: MultiProgress,
    upload: Option<ProgressBar>,
    /// All lines about cells, as one bar's message: they change together or not at all.
    cells: ProgressBar,
}

impl Live {
    pub fn on_stderr(options: Options) -> Self {
        let fixed = options.width;
        let size = move || {
            let (rows, columns) = console::Term::stderr().size();
            (usize::from(rows), usize::from(fixed.unwrap_or(columns)))
        };
        Self::new(options, ProgressDrawTarget::stderr(), Box::new(size))
    }

    /// `size` is asked for rows and columns at every drawing, since terminals are resized.
    fn new(options: Options, target: ProgressDrawTarget, size: Box<dyn Fn() -> (usize, usize) + Send>) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let cells = screen.add(ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner()));
        // The template is a constant; should it ever be wrong, the default one shows the message too.
        cells.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { options, size, progress: Progress::default(), columns: Columns::default(), screen, upload: None, cells }
    }

    fn paint(&self) -> Paint {
        Paint { colour: self.options.colour }
    }

    fn draw(&self, now: Timestamp) {
        let (rows, columns) = (self.size)();
        let lines = self.frame(now, rows, columns);
        self.cells.set_message(lines.join("\n"));
    }

    /// The lines about cells: those at work, what had no room, and the counts.
    fn frame(&self, now: Timestamp, rows: usize, columns: usize) -> Vec<String> {
        let mut active: Vec<(&CellReport, Activity)> = self.progress.active().collect();
        if active.is_empty() {
            return Vec::new();
        }
        // One row each for the upload, the counts and the cursor, and one that is left free.
        let room = rows.saturating_sub(4).max(1);
        active.sort_by_key(|(_, activity)| activity.phase == Phase::Waiting);
        let shown = if active.len() > room { room - 1 } else { active.len() };
        let mut lines: Vec<String> =
            active.iter().take(shown).map(|(cell, it)| self.cell_line(cell, it, now)).collect();
        let folded = active.get(shown..).unwrap_or_default();
        if !folded.is_empty() {
            let states = counts(folded.iter().map(|(_, activity)| activity.phase));
            lines.push(self.paint().faint(&format!("  … {} more: {states}", folded.len())));
        }
        lines.push(self.tally(&active, now));
        let columns = columns.saturating_sub(1).max(20);
        lines.iter().map(|line| console::truncate_str(line, columns, "…").into_owned()).collect()
    }

    fn cell_line(&self, cell: &CellReport, activity: &Activity, now: Timestamp) -> String {
        let paint = self.paint();
        let name = self.columns.name(cell);
        if activity.phase == Phase::Waiting {
            return paint.faint(&format!("  {name}  waiting"));
        }
        let status = pad(&text::one_line(&activity.status), STATUS_WIDTH);
        let status = if status.contains("FAILED") || status.contains("ROLLBACK") { paint.bad(&status) } else { status };
        let took = text::duration(elapsed(cell, now));
        let done = format!("{} done", activity.done);
        let waiting = activity.waiting_for().map(|it| paint.faint(&format!("waiting for {}", text::one_line(&it))));
        format!("  {name}  {status}  {took:>7}  {done:>8}  {}", waiting.unwrap_or_default()).trim_end().to_owned()
    }

    fn tally(&self, active: &[(&CellReport, Activity)], now: Timestamp) -> String {
        let mut parts = vec![counts(active.iter().map(|(_, activity)| activity.phase))];
        for word in ["passed", "failed", "interrupted"] {
            let count = self.progress.report.cells.iter().filter(|cell| cell.state.word() == word).count();
            if count > 0 {
                let part = format!("{count} {word}");
                parts.push(if word == "passed" { self.paint().good(&part) } else { self.paint().bad(&part) });
            }
        }
        let started = self.progress.report.started_at.unwrap_or(now);
        let took = text::duration((now.as_millisecond() - started.as_millisecond()) as f64 / 1000.0);
        format!("  {}  {}", parts.join(", "), self.paint().faint(&took))
    }

    fn show_upload(&mut self) {
        let upload = self.progress.upload;
        if upload.open == 0 {
            if let Some(bar) = self.upload.take() {
                bar.finish_and_clear();
                self.screen.remove(&bar);
            }
            return;
        }
        let bar = self.upload.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("  upload  [{bar:24}] {pos}/{len} files  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            self.screen.insert_before(&self.cells, ProgressBar::new(0).with_style(style))
        });
        bar.set_length(upload.objects_in_all);
        bar.set_position(upload.objects);
        bar.set_message(format!("{} / {}", HumanBytes(upload.bytes), HumanBytes(upload.bytes_in_all)));
    }

    /// Prints what stays on the screen.
    fn tell(&self, event: &RunEvent) -> io::Result<()> {
        let report = &self.progress.report;
        if let Happening::CellFinished { cell, .. } = &event.happening
            && let Some(cell) = report.cell_of(cell)
        {
            let width = Some((self.size)().1);
            return self.screen.println(summary::cell_rows(cell, &self.columns, self.paint(), width).join("\n"));
        }
        match notice::of(&event.happening, report) {
            Some((Level::Error, line)) => self.screen.println(format!("  {}", self.paint().bad(&line))),
            Some((Level::Warning, line)) => self.screen.println(format!("  {}", self.paint().warn(&line))),
            Some((Level::Milestone, line)) => self.screen.println(format!("  {line}")),
            Some((Level::Detail, _)) | None => Ok(()),
        }
    }
}

impl Consumer for Live {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.progress.apply(event);
        self.tell(event)?;
        match &event.happening {
            // There may be thousands of these; `tick` shows what they came to.
            Happening::StackEvent { .. } | Happening::ObjectRemoved { .. } => return Ok(()),
            Happening::ObjectUploaded { .. } | Happening::UploadStarted { .. } | Happening::UploadFinished { .. } => {
                self.show_upload();
                return Ok(());
            }
            Happening::RunStarted(_) => self.columns = Columns::of(&self.progress.report.cells),
            Happening::CellFinished { cell, .. } => self.progress.report.forget_events(cell),
            _ => {}
        }
        self.draw(event.at);
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.draw(Timestamp::now());
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.cells.finish_and_clear();
        self.screen.clear()?;
        self.progress.report.conclude();
        let width = Some((self.size)().1);
        self.screen.println(summary::lines(&self.progress.report, &self.options, width).join("\n"))
    }
}

/// `3 creating, 2 waiting`
fn counts(phases: impl Iterator<Item = Phase> + Clone) -> String {
    let counted = Phase::ALL.iter().map(|(phase, word)| (phases.clone().filter(|it| it == phase).count(), word));
    counted
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect::<Vec<_>>()
        .join(", ")
}
