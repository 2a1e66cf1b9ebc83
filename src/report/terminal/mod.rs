//! The run as those see it who watch: on a terminal a live view, elsewhere log lines; at the end a summary. All of it
//! goes to stderr.
//!
//! `progress` knows what each cell is doing, `notice` puts an event into words, `live` and `plain` show them. Whether
//! there is a terminal, and whether it takes colours, `cli` has found out.

mod live;
mod notice;
mod plain;
mod progress;
mod summary;

use std::io;

use anstyle::{AnsiColor, Style};

use super::Consumer;
use super::model::{CellReport, CellState};
use super::text;

/// How to show the run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Errors and the final verdict only.
    pub quiet: bool,
    /// Changes of stacks' states only, one line each: TaskCat's `--minimal-output`.
    pub minimal: bool,
    /// stderr is a terminal that can move its cursor.
    pub is_terminal: bool,
    /// Columns to break lines at; the terminal is asked where absent, and without a terminal lines are not broken.
    pub width: Option<u16>,
    /// Escape codes for colours may be written.
    pub colour: bool,
    /// Where the report will stand, for the summary.
    pub report: Option<String>,
}

/// The consumer that shows the run on stderr.
pub fn consumer(options: Options) -> Box<dyn Consumer> {
    if options.is_terminal && !options.quiet && !options.minimal {
        Box::new(live::Live::on_stderr(options))
    } else {
        Box::new(plain::Plain::new(options, Box::new(io::stderr())))
    }
}

/// The few colours, or none.
#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn apply(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn good(self, text: &str) -> String {
        self.apply(AnsiColor::Green.on_default(), text)
    }

    fn bad(self, text: &str) -> String {
        self.apply(AnsiColor::Red.on_default().bold(), text)
    }

    fn warn(self, text: &str) -> String {
        self.apply(AnsiColor::Yellow.on_default(), text)
    }

    fn faint(self, text: &str) -> String {
        self.apply(Style::new().dimmed(), text)
    }

    fn strong(self, text: &str) -> String {
        self.apply(Style::new().bold(), text)
    }

    fn state(self, state: CellState, text: &str) -> String {
        match state {
            CellState::Passed => self.good(text),
            CellState::Failed => self.bad(text),
            CellState::Interrupted | CellState::Waiting | CellState::Running => self.warn(text),
        }
    }
}

/// Widths of the columns that all rows about cells share.
#[derive(Clone, Copy, Default)]
struct Columns {
    test: usize,
    region: usize,
}

impl Columns {
    fn of(cells: &[CellReport]) -> Self {
        let widest = |name: fn(&CellReport) -> &str| {
            cells.iter().map(|cell| console::measure_text_width(&text::one_line(name(cell)))).max().unwrap_or(0).min(40)
        };
        Self { test: widest(|cell| &cell.id.test), region: widest(|cell| &cell.id.region) }
    }

    /// `test  region`, padded.
    fn name(&self, cell: &CellReport) -> String {
        format!(
            "{}  {}",
            pad(&text::one_line(&cell.id.test), self.test),
            pad(&text::one_line(&cell.id.region), self.region)
        )
    }
}

fn pad(text: &str, width: usize) -> String {
    console::pad_str(text, width, console::Alignment::Left, Some("…")).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::event::{Happening, RunEvent};
    use crate::report::tests::{SCENARIOS, fixture};

    #[derive(Clone, Default)]
    pub struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        /// What has been written since the last call.
        pub fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn plain(events: &[RunEvent], options: Options) -> String {
        let written = Written::default();
        let mut consumer = plain::Plain::new(options, Box::new(written.clone()));
        events.iter().for_each(|event| consumer.take(event).unwrap());
        consumer.finish().unwrap();
        written.take()
    }

    #[test]
    fn lines_of_every_scenario() {
        let report = Some("taskcat_outputs/index.html".to_owned());
        let with = |quiet, minimal| Options { quiet, minimal, report: report.clone(), ..Options::default() };
        for scenario in SCENARIOS {
            let events = fixture(scenario);
            insta::assert_snapshot!(format!("{scenario}.plain"), plain(&events, with(false, false)));
            insta::assert_snapshot!(format!("{scenario}.minimal"), plain(&events, with(false, true)));
            insta::assert_snapshot!(format!("{scenario}.quiet"), plain(&events, with(true, false)));
        }
    }

    #[test]
    fn a_simulated_run_says_so_at_its_start_and_at_its_end() {
        let mut events = fixture("one-failed");
        if let Happening::RunStarted(run) = &mut events[0].happening {
            run.simulated = true;
        }
        let check = |quiet, minimal, at_start: bool| {
            let text = plain(&events, Options { quiet, minimal, ..Options::default() });
            let first = text.lines().next().unwrap();
            assert_eq!(first.contains(" simulated: nothing reaches AWS; taskcat "), at_start, "{text}");
            assert!(text.lines().last().unwrap().starts_with("simulated: "), "{text}");
        };
        check(false, false, true);
        check(false, true, false);
        check(true, false, false);
    }

    #[test]
    fn without_colour_no_control_character_is_written() {
        for scenario in SCENARIOS {
            for (quiet, minimal) in [(false, false), (false, true), (true, false)] {
                let text = plain(&fixture(scenario), Options { quiet, minimal, ..Options::default() });
                let found: Vec<char> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
                assert!(found.is_empty(), "{scenario}: {found:?}");
            }
        }
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let events = fixture("one-failed");
        let coloured = plain(&events, Options { colour: true, ..Options::default() });
        assert!(coloured.contains("\u{1b}[1m\u{1b}[31mapp eu-west-1 failed"), "{coloured}");
        assert_eq!(console::strip_ansi_codes(&coloured), plain(&events, Options::default()));
    }
}
