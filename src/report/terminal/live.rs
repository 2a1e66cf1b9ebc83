//! The live view: a progress bar for the upload and a line per active cell, redrawn in place;
//! finished cells are printed above it permanently.
//!
//! The view never has more lines than the terminal: other cells are counted by state.

use std::io::{self, Write};
use std::sync::Arc;

use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::notice::{self, Level};
use super::progress::{CellActivity, CellPhase, RunProgress};
use super::screen::{Screen, TerminalSize};
use super::state::{self, RunStatus};
use super::{Columns, Options, Paint, Stderr, summary};
use crate::event::{self, EventKind, RunEvent};
use crate::report::model::{CellReport, CellState};
use crate::report::{EventConsumer, text};

/// Maximum number of redraws per second; more would be wasted.
const DRAWINGS: u8 = 20;

pub(super) struct LiveView {
    options: Options,
    size: TerminalSize,
    progress: RunProgress,
    columns: Columns,
    screen: MultiProgress,
    /// Permanent lines are written directly, since the library of the bars would redraw each of
    /// them with the bars.
    out: Box<dyn Write + Send>,
    upload: Option<ProgressBar>,
    /// All lines about cells as one bar's message, so that they change together.
    cells: ProgressBar,
}

impl LiveView {
    pub(super) fn on_stderr(options: Options) -> Self {
        let fixed = options.width;
        let size = move || {
            let (rows, columns) = console::Term::stderr().size();
            (usize::from(rows), usize::from(fixed.unwrap_or(columns)))
        };
        Self::new(
            options,
            Box::new(Stderr),
            Box::new(Stderr),
            Arc::new(size),
            DRAWINGS,
        )
    }

    /// Creates the view. `bars` and `out` write to the same terminal; the bars are redrawn at most
    /// `drawings` times per second.
    fn new(
        options: Options,
        bars: Box<dyn Write + Send>,
        out: Box<dyn Write + Send>,
        size: TerminalSize,
        drawings: u8,
    ) -> Self {
        let screen = Screen::new(bars, size.clone(), options.reflows);
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::term_like_with_hz(
            Box::new(screen),
            drawings,
        ));
        let cells =
            screen.add(ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner()));
        // The template is a constant; if it were invalid, the default one would show the message,
        // too.
        cells.set_style(
            ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        let progress = RunProgress::default();
        let columns = Columns::default();
        Self {
            options,
            size,
            progress,
            columns,
            screen,
            out,
            upload: None,
            cells,
        }
    }

    fn paint(&self) -> Paint {
        Paint {
            colour: self.options.colour,
        }
    }

    fn draw(&self, now: Timestamp) {
        let (rows, columns) = (self.size)();
        let lines = self.frame(now, rows, columns);
        self.cells.set_message(lines.join("\n"));
    }

    /// Returns the lines about cells: active ones, the number of others, and the counts.
    fn frame(&self, now: Timestamp, rows: usize, columns: usize) -> Vec<String> {
        let mut active: Vec<(&CellReport, &CellActivity)> = self.progress.active().collect();
        if active.is_empty() {
            return Vec::new();
        }
        // One row each for the upload, the counts and the cursor, and one that remains free.
        let room = rows.saturating_sub(4).max(1);
        active.sort_by_key(|(_, activity)| activity.phase == CellPhase::Waiting);
        let shown = if active.len() > room {
            room - 1
        } else {
            active.len()
        };
        let columns = columns.saturating_sub(1).max(20);
        let state = self.state(now);
        let mut lines: Vec<String> = active
            .iter()
            .take(shown)
            .map(|(cell, activity)| state.row(cell, activity, columns))
            .collect();
        let folded = active.get(shown..).unwrap_or_default();
        if !folded.is_empty() {
            let states = state::counts(folded.iter().map(|(_, activity)| activity.phase));
            let key = if self.options.has_key {
                "; the key s shows all"
            } else {
                ""
            };
            lines.push(
                self.paint()
                    .faint(&format!("  … {} more: {states}{key}", folded.len())),
            );
        }
        lines.push(state.tally(columns));
        lines
            .iter()
            .map(|line| console::truncate_str(line, columns, "…").into_owned())
            .collect()
    }

    fn state(&self, now: Timestamp) -> RunStatus<'_> {
        let Self {
            progress,
            options,
            columns,
            ..
        } = self;
        RunStatus {
            progress,
            previous: &options.previous,
            columns: *columns,
            paint: self.paint(),
            now,
        }
    }

    /// Prints the status of every stack if requested.
    fn answer(&mut self, now: Timestamp) -> io::Result<()> {
        if !self.options.asked.take() {
            return Ok(());
        }
        let width = (self.size)().1.saturating_sub(1).max(20);
        let mut lines = vec!["  the status of every stack:".to_owned()];
        lines.extend(self.state(now).lines(width));
        self.tell(&lines)
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
            let style =
                ProgressStyle::with_template("  upload  [{bar:24}] {pos}/{len} files  {msg}");
            let style = style
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("=> ");
            self.screen
                .insert_before(&self.cells, ProgressBar::new(0).with_style(style))
        });
        bar.set_length(upload.objects_in_all);
        bar.set_position(upload.objects);
        bar.set_message(format!(
            "{} / {}",
            HumanBytes(upload.bytes),
            HumanBytes(upload.bytes_in_all)
        ));
    }

    /// Returns the permanent lines for an event. Cells that passed are only counted until the
    /// summary lists them: hundreds of them would scroll the failures off the screen.
    fn lines_of(&self, event: &RunEvent) -> Vec<String> {
        let report = &self.progress.report;
        let paint = self.paint();
        let width = (self.size)().1;
        if let EventKind::CellFinished { cell, .. } = &event.kind {
            let failed = report
                .cell_of(cell)
                .filter(|cell| cell.state != CellState::Passed);
            let rows = |cell| {
                summary::cell_rows(
                    cell,
                    &self.columns,
                    paint,
                    Some(width),
                    summary::FailureDetail::FULL,
                )
            };
            return failed.map(rows).unwrap_or_default();
        }
        let told = notice::of(&event.kind, report).filter(|(level, _)| *level > Level::Detail);
        let Some((level, line)) = told else {
            return Vec::new();
        };
        let painted = |line: &String| match level {
            Level::Error => paint.bad(line),
            Level::Warning => paint.warn(line),
            Level::Milestone | Level::Detail => line.clone(),
        };
        text::wrap(&line, width.saturating_sub(3))
            .iter()
            .map(|line| format!("  {}", painted(line)))
            .collect()
    }

    /// Prints permanent lines.
    fn tell(&mut self, lines: &[String]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let screen = &self.screen;
        let out = &mut self.out;
        screen.suspend(|| {
            writeln!(out, "{}", lines.join("\n"))?;
            out.flush()
        })
    }
}

impl EventConsumer for LiveView {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.options
            .note(event, self.progress.report.has_finished());
        self.progress.apply(event);
        let lines = self.lines_of(event);
        self.tell(&lines)?;
        self.answer(event.at)?;
        match &event.kind {
            // There may be thousands of these; `tick` shows their effect.
            EventKind::StackEvent { .. } | EventKind::ObjectRemoved { .. } => return Ok(()),
            EventKind::ObjectUploaded { .. }
            | EventKind::UploadStarted { .. }
            | EventKind::UploadFinished { .. } => {
                self.show_upload();
                return Ok(());
            }
            EventKind::RunStarted(_) => self.columns = Columns::of(&self.progress.report.cells),
            EventKind::CellFinished { cell, .. } => self.progress.report.forget_events(cell),
            _ => {}
        }
        self.draw(event.at);
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = event::now();
        self.answer(now)?;
        self.draw(now);
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::report::terminal::PreviousRun;
    use crate::report::terminal::tests::{CapturedOutput, told_of_templates, with_templates};
    use crate::report::tests::{fixture, fixture_path, many};

    struct Onto(InMemoryTerm);

    impl Write for Onto {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0
                .write_str(&String::from_utf8_lossy(bytes).replace('\n', "\r\n"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    /// A previous run in which all passed, a little slower.
    fn previous() -> PreviousRun {
        let folder = tempfile::tempdir().unwrap();
        let mut report = crate::report::RunReport::from_events(&fixture("passing"));
        report
            .cells
            .iter_mut()
            .for_each(|cell| cell.duration_seconds = Some(170.0));
        crate::report::write(&report, folder.path()).unwrap();
        PreviousRun::read(folder.path())
    }

    /// Returns the screen after the events of the first `seconds` and a tick.
    fn screen(events: &[RunEvent], seconds: i64, rows: u16, columns: u16) -> String {
        let terminal = InMemoryTerm::new(rows, columns);
        let size = move || (usize::from(rows), usize::from(columns));
        let report = Some("taskcat_outputs/index.html".into());
        let options = Options {
            report,
            previous: previous(),
            has_key: true,
            ..Options::default()
        };
        let mut live = LiveView::new(
            options,
            Box::new(Onto(terminal.clone())),
            Box::new(Onto(terminal.clone())),
            Arc::new(size),
            u8::MAX,
        );
        let start = events[0].at;
        let now = start.as_second() + seconds;
        for event in events.iter().filter(|event| event.at.as_second() < now) {
            live.take(event).unwrap();
        }
        if events.iter().any(|event| event.at.as_second() >= now) {
            // Redraws in quick succession are skipped.
            std::thread::sleep(std::time::Duration::from_millis(60));
            live.draw(Timestamp::from_second(now).unwrap());
        } else {
            live.finish().unwrap();
        }
        terminal.contents()
    }

    #[test]
    fn the_screen_shows_active_cells() {
        let events = with_templates();
        insta::assert_snapshot!("creating", screen(&events, 29, 24, 100));
        insta::assert_snapshot!("failed-and-deleting", screen(&events, 120, 24, 100));
        insta::assert_snapshot!("narrow", screen(&events, 120, 24, 60));
        insta::assert_snapshot!("narrower", screen(&events, 120, 24, 40));
        insta::assert_snapshot!("eight rows", screen(&events, 29, 8, 100));
        insta::assert_snapshot!("end", screen(&events, 1000, 40, 100));
        insta::assert_snapshot!("hostile", screen(&fixture("hostile"), 1000, 24, 100));
    }

    #[test]
    fn more_cells_than_the_terminal_has_rows_are_counted() {
        let events = told_of_templates(many(15, 20));
        let text = screen(&events, 21, 24, 100);
        insta::assert_snapshot!("folded", text);
        assert!(text.lines().count() <= 24);
    }

    /// Everything fits the terminal, however small it is.
    #[test]
    fn no_line_is_wider_than_the_terminal_and_no_view_is_higher() {
        let events = told_of_templates(many(2, 20));
        let mut live = on(CapturedOutput::default(), 24, 100, true);
        events
            .iter()
            .take(200)
            .for_each(|event| live.take(event).unwrap());
        for (rows, columns) in [(24, 100), (8, 100), (24, 60), (8, 40), (5, 30), (4, 24)] {
            let frame = live.frame(events[199].at, rows, columns);
            assert!(frame.len() < rows, "{rows}: {frame:#?}");
            assert!(
                frame
                    .iter()
                    .all(|line| console::measure_text_width(line) < columns),
                "{columns}: {frame:#?}"
            );
        }
    }

    fn on(out: CapturedOutput, rows: usize, columns: usize, reflows: bool) -> LiveView {
        let options = Options {
            reflows,
            ..Options::default()
        };
        LiveView::new(
            options,
            Box::new(CapturedOutput::default()),
            Box::new(out),
            Arc::new(move || (rows, columns)),
            u8::MAX,
        )
    }

    /// Six lines of more than 80 columns, and the counts. A narrower terminal breaks each of the
    /// six in two.
    #[test]
    fn rewrapped_lines_of_a_narrower_terminal_are_erased() {
        let check = |reflows, columns: usize, up: usize, clears: bool| {
            let width = Arc::new(AtomicUsize::new(100));
            let bars = CapturedOutput::default();
            let size = width.clone();
            let size = Arc::new(move || (24, size.load(Ordering::Relaxed)));
            let options = Options {
                reflows,
                ..Options::default()
            };
            let mut live = LiveView::new(
                options,
                Box::new(bars.clone()),
                Box::new(CapturedOutput::default()),
                size,
                u8::MAX,
            );
            let events = with_templates();
            let until = events[0].at + jiff::SignedDuration::from_secs(29);
            events
                .iter()
                .take_while(|event| event.at < until)
                .for_each(|event| live.take(event).unwrap());
            // Redraws in quick succession are skipped.
            std::thread::sleep(std::time::Duration::from_millis(60));
            live.draw(until);
            bars.take();
            width.store(columns, Ordering::Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(60));
            live.draw(until + jiff::SignedDuration::from_secs(1));
            let drawn = bars.take();
            assert!(
                drawn.starts_with(&format!("\u{1b}[{up}A")),
                "{columns}: {drawn:?}"
            );
            assert_eq!(drawn.contains("\r\u{1b}[J"), clears, "{columns}: {drawn:?}");
            assert!(
                !drawn.contains("   \u{1b}[6A")
                    && drawn.contains("AWS::EC2::VPC)\r\n") == (columns > 100),
                "{drawn:?}"
            );
        };
        check(true, 60, 12, true);
        check(true, 120, 6, false);
        check(false, 60, 6, false);
    }

    #[test]
    fn the_state_of_every_stack_stays_on_the_screen() {
        let written = CapturedOutput::default();
        let mut live = on(written.clone(), 24, 100, true);
        live.options.asked.ask();
        let events = with_templates();
        events
            .iter()
            .take(60)
            .for_each(|event| live.take(event).unwrap());
        written.take();
        live.options.asked.ask();
        live.answer(events[59].at).unwrap();
        insta::assert_snapshot!("state", written.take());
        live.answer(events[59].at).unwrap();
        assert_eq!(written.take(), "");
    }

    /// Shows a recorded run at twenty times its speed: `RUN=one-failed cargo test --lib
    /// live::tests::replay -- --ignored --nocapture`.
    #[test]
    #[ignore = "for the eye"]
    fn replay_for_review() {
        let run = std::env::var("RUN").unwrap_or("one-failed".into());
        let events = if run == "many" {
            many(15, 20)
        } else {
            crate::report::events::read(&fixture_path(&run)).unwrap()
        };
        let options = Options {
            is_terminal: true,
            colour: true,
            report: Some("index.html".into()),
            ..Options::default()
        };
        let mut live = LiveView::on_stderr(options);
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
