//! The live view: a bar for the upload and one line for each cell at work, redrawn in place; what has ended is printed
//! above it for good.
//!
//! However many cells there are, the view takes no more lines than the terminal has: the rest is counted by state.

use std::io::{self, Write};

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::notice::{self, Level};
use super::progress::{Activity, Phase, Progress};
use super::{Columns, Options, Paint, pad, summary};
use crate::event::{Happening, RunEvent};
use crate::report::model::{CellReport, CellState};
use crate::report::{Consumer, text};

/// Width of the longest status that is common, so that the columns stand still.
const STATUS_WIDTH: usize = 18;

pub struct Live {
    options: Options,
    size: Box<dyn Fn() -> (usize, usize) + Send>,
    progress: Progress,
    columns: Columns,
    screen: MultiProgress,
    /// What stays is written past the bars' library: it pads lines with spaces instead of ending them, so that text
    /// copied from the terminal, or the terminal made narrower, would be a mess.
    out: Box<dyn Write + Send>,
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
        Self::new(options, ProgressDrawTarget::stderr(), Box::new(io::stderr()), Box::new(size))
    }

    /// `size` is asked for rows and columns at every drawing, since terminals are resized.
    fn new(
        options: Options,
        target: ProgressDrawTarget,
        out: Box<dyn Write + Send>,
        size: Box<dyn Fn() -> (usize, usize) + Send>,
    ) -> Self {
        let screen = MultiProgress::with_draw_target(target);
        let cells = screen.add(ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner()));
        // The template is a constant; should it ever be wrong, the default one shows the message too.
        cells.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let (progress, columns) = (Progress::default(), Columns::default());
        Self { options, size, progress, columns, screen, out, upload: None, cells }
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
        let mut active: Vec<(&CellReport, &Activity)> = self.progress.active().collect();
        if active.is_empty() {
            return Vec::new();
        }
        // One row each for the upload, the counts and the cursor, and one that is left free.
        let room = rows.saturating_sub(4).max(1);
        active.sort_by_key(|(_, activity)| activity.phase == Phase::Waiting);
        let shown = if active.len() > room { room - 1 } else { active.len() };
        let columns = columns.saturating_sub(1).max(20);
        let mut lines: Vec<String> =
            active.iter().take(shown).map(|(cell, activity)| self.cell_line(cell, activity, now, columns)).collect();
        let folded = active.get(shown..).unwrap_or_default();
        if !folded.is_empty() {
            let states = counts(folded.iter().map(|(_, activity)| activity.phase));
            lines.push(self.paint().faint(&format!("  … {} more: {states}", folded.len())));
        }
        lines.push(self.tally(&active, now));
        lines.iter().map(|line| console::truncate_str(line, columns, "…").into_owned()).collect()
    }

    fn cell_line(&self, cell: &CellReport, activity: &Activity, now: Timestamp, columns: usize) -> String {
        let paint = self.paint();
        let name = self.columns.name(cell);
        if activity.phase == Phase::Waiting {
            return paint.faint(&format!("  {name}  waiting"));
        }
        let status = pad(&text::one_line(&activity.status), STATUS_WIDTH);
        let status = if status.contains("FAILED") || status.contains("ROLLBACK") { paint.bad(&status) } else { status };
        let took = text::duration(activity.elapsed(now));
        let done = match activity.phase {
            Phase::Deleting if activity.done == 0 => String::new(),
            Phase::Deleting => format!("{} gone", activity.done),
            _ => format!("{} done", activity.done),
        };
        let line = format!("  {name}  {status}  {took:>7}  {done:>8}");
        let Some((id, kind)) = activity.waiting_for() else { return line.trim_end().to_owned() };
        let room = columns.saturating_sub(console::measure_text_width(&line));
        let (long, short) = (format!("  waiting for {id} ({kind})"), format!("  waiting for {id}"));
        let waiting = if console::measure_text_width(&long) <= room { long } else { short };
        line + &paint.faint(&text::clean(&waiting))
    }

    fn tally(&self, active: &[(&CellReport, &Activity)], now: Timestamp) -> String {
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

    /// What the event leaves on the screen. Cells that passed only count, until the summary names them: with hundreds
    /// of cells they would push the failures off the screen.
    fn lines_of(&self, event: &RunEvent) -> Vec<String> {
        let (report, paint) = (&self.progress.report, self.paint());
        let width = (self.size)().1;
        if let Happening::CellFinished { cell, .. } = &event.happening {
            let failed = report.cell_of(cell).filter(|cell| cell.state != CellState::Passed);
            let rows = |cell| summary::cell_rows(cell, &self.columns, paint, Some(width), summary::CAUSE_LINES);
            return failed.map(rows).unwrap_or_default();
        }
        let told = notice::of(&event.happening, report).filter(|(level, _)| *level > Level::Detail);
        let Some((level, line)) = told else { return Vec::new() };
        let painted = |line: &String| match level {
            Level::Error => paint.bad(line),
            Level::Warning => paint.warn(line),
            Level::Milestone | Level::Detail => line.clone(),
        };
        text::wrap(&line, width.saturating_sub(3)).iter().map(|line| format!("  {}", painted(line))).collect()
    }

    /// Prints what stays on the screen.
    fn tell(&mut self, lines: &[String]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let (screen, out) = (&self.screen, &mut self.out);
        screen.suspend(|| {
            writeln!(out, "{}", lines.join("\n"))?;
            out.flush()
        })
    }
}

impl Consumer for Live {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.progress.apply(event);
        let lines = self.lines_of(event);
        self.tell(&lines)?;
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
        let lines = summary::lines(&self.progress.report, &self.options, width);
        self.tell(&lines)
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

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::report::tests::{fixture, fixture_path, many};

    struct Onto(InMemoryTerm);

    impl Write for Onto {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write_str(&String::from_utf8_lossy(bytes).replace('\n', "\r\n"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    /// The screen after the events until `seconds` have passed, and a tick then.
    fn screen(events: &[RunEvent], seconds: i64, rows: u16, columns: u16) -> String {
        let terminal = InMemoryTerm::new(rows, columns);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let size = move || (usize::from(rows), usize::from(columns));
        let options = Options { report: Some("taskcat_outputs/index.html".into()), ..Options::default() };
        let mut live = Live::new(options, target, Box::new(Onto(terminal.clone())), Box::new(size));
        let start = events[0].at;
        let now = start.as_second() + seconds;
        for event in events.iter().filter(|event| event.at.as_second() < now) {
            live.take(event).unwrap();
        }
        if events.iter().any(|event| event.at.as_second() >= now) {
            // Drawings that follow one another at once are left out by the drawing's pacing.
            std::thread::sleep(std::time::Duration::from_millis(60));
            live.draw(Timestamp::from_second(now).unwrap());
        } else {
            live.finish().unwrap();
        }
        terminal.contents()
    }

    #[test]
    fn what_stands_on_the_screen() {
        let events = fixture("one-failed");
        insta::assert_snapshot!("creating", screen(&events, 29, 24, 100));
        insta::assert_snapshot!("failed-and-deleting", screen(&events, 120, 24, 100));
        insta::assert_snapshot!("narrow", screen(&events, 120, 24, 48));
        insta::assert_snapshot!("end", screen(&events, 1000, 40, 100));
        insta::assert_snapshot!("hostile", screen(&fixture("hostile"), 1000, 24, 100));
    }

    #[test]
    fn more_cells_than_the_terminal_has_rows_are_counted() {
        let events = many(15, 20);
        let text = screen(&events, 21, 24, 100);
        insta::assert_snapshot!("folded", text);
        assert!(text.lines().count() <= 24);
    }

    /// Shows a recorded run at twenty times its speed:
    /// `RUN=one-failed cargo test --lib live::tests::replay -- --ignored --nocapture`.
    #[test]
    #[ignore = "for the eye"]
    fn replay() {
        let run = std::env::var("RUN").unwrap_or("one-failed".into());
        let events =
            if run == "many" { many(15, 20) } else { crate::report::events::read(&fixture_path(&run)).unwrap() };
        let options =
            Options { is_terminal: true, colour: true, report: Some("index.html".into()), ..Options::default() };
        let mut live = Live::on_stderr(options);
        let mut now = events[0].at;
        for event in &events {
            while now < event.at {
                std::thread::sleep(std::time::Duration::from_millis(50));
                now += jiff::SignedDuration::from_secs(1);
                live.draw(now);
            }
            live.take(event).unwrap();
        }
        live.finish().unwrap();
    }
}
