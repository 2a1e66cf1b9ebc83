//! Shows a run on stderr: a live view on a terminal, log lines elsewhere, and a summary at the end.
//!
//! `progress` tracks what each cell is doing, `state` and `estimate` format it, `notice` describes
//! events, and `live` (on its `screen`) and `plain` display everything. `cli` detects the terminal
//! and its colors.

mod estimate;
mod live;
mod notice;
mod plain;
mod progress;
mod screen;
mod state;
mod summary;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};

use super::EventConsumer;
use super::model::{CellReport, CellState};
use super::text;
use crate::event::{EventKind, RunEvent};
pub use estimate::PreviousRun;

/// How to show the run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Show only errors and the final verdict.
    pub quiet: bool,
    /// Show only changes of stacks' statuses, one line each: TaskCat's `--minimal-output`.
    pub minimal: bool,
    /// Whether stderr is a terminal that can move its cursor.
    pub is_terminal: bool,
    /// Column to wrap lines at. If absent, the terminal's width is used, and without a terminal
    /// lines aren't wrapped.
    pub width: Option<u16>,
    /// Whether to use colors.
    pub colour: bool,
    /// Whether the terminal rewraps lines when it is made narrower, as most do.
    pub reflows: bool,
    /// Path of the report, for the summary.
    pub report: Option<String>,
    /// Durations of the cells in the previous run.
    pub previous: PreviousRun,
    /// Requests to print the status of every stack.
    pub asked: StatusRequest,
    /// Whether a key requests it.
    pub has_key: bool,
}

impl Options {
    /// Handles an event. After the last event, the only other one is a failure to write a report;
    /// then the summary doesn't name the report.
    fn note(&mut self, event: &RunEvent, has_finished: bool) {
        if has_finished && matches!(event.kind, EventKind::Warning { .. }) {
            self.report = None;
        }
    }

    /// Returns whether the view is redrawn in place.
    pub fn is_live(&self) -> bool {
        self.is_terminal && !self.quiet && !self.minimal
    }
}

/// A request to print the status of every stack. The view checks it at least once per second.
#[derive(Clone, Debug, Default)]
pub struct StatusRequest(Arc<AtomicBool>);

impl StatusRequest {
    /// Requests the status of every stack.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns true once for all requests since the last call.
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// Returns the consumer that shows the run on stderr.
pub fn consumer(options: Options) -> Box<dyn EventConsumer> {
    if options.is_live() {
        Box::new(live::LiveView::on_stderr(options))
    } else {
        Box::new(plain::PlainView::new(options, Box::new(Stderr)))
    }
}

/// stderr. The run continues if writing fails, since there is no other place to report it.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The colors, or none.
#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    fn apply(self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
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
            CellState::Interrupted
            | CellState::Skipped
            | CellState::Waiting
            | CellState::Running => self.warn(text),
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
            cells
                .iter()
                .map(|cell| console::measure_text_width(&text::one_line(name(cell))))
                .max()
                .unwrap_or(0)
                .min(40)
        };
        Self {
            test: widest(|cell| &cell.id.test),
            region: widest(|cell| &cell.id.region),
        }
    }

    fn width(self) -> usize {
        self.test + self.region + 2
    }

    /// Returns `test  region`, padded.
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
pub(super) mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;

    use super::*;
    use crate::event::{EventKind, RunEvent, TemplateSource};
    use crate::report::tests::{SCENARIOS, exchanged, fixture, hostile, many};

    #[derive(Clone, Default)]
    pub struct CapturedOutput(Arc<Mutex<Vec<u8>>>);

    impl CapturedOutput {
        /// Returns what has been written since the last call.
        pub fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    impl Write for CapturedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the run in which a nested stack's subnet fails, including its templates'
    /// declarations.
    pub fn with_templates() -> Vec<RunEvent> {
        told_of_templates(fixture("one-failed"))
    }

    pub fn told_of_templates(mut events: Vec<RunEvent>) -> Vec<RunEvent> {
        let declared = |ids: &[&str], conditional: bool| {
            let resource = |(line, id): (usize, &&str)| {
                (
                    (*id).to_owned(),
                    serde_json::json!({"line": 10 * line + 20, "conditional": conditional}),
                )
            };
            ids.iter()
                .enumerate()
                .map(resource)
                .collect::<serde_json::Map<_, _>>()
        };
        let mut network = declared(
            &["VPC", "InternetGateway", "PublicSubnet1", "PrivateSubnet1"],
            false,
        );
        network["PrivateSubnet1"]["parameters"] =
            serde_json::json!(["PrivateSubnet1CIDR", "VPCCIDR"]);
        network.append(&mut declared(&["NatGateway1", "NatGateway2"], true));
        let mut app = declared(&["NetworkStack", "Database", "Listener"], false);
        app["NetworkStack"]["template"] = "submodules/vpc/templates/vpc.template.yaml".into();
        app["NetworkStack"]["gives"] = serde_json::json!({"VPCCIDR": {"value": "10.0.0.0/16"}});
        let templates = serde_json::json!([
            {"template": "templates/app.template.yaml", "resources": app},
            {"template": "templates/vpc.template.yaml", "resources": network},
            {
                "template": "submodules/vpc/templates/vpc.template.yaml",
                "parameters": {"PrivateSubnet1CIDR": {"line": 3, "default": "10.1.0.0/19"},
                    "VPCCIDR": {"line": 7}},
                "resources": network
            }
        ]);
        if let EventKind::RunStarted(run) = &mut events[0].kind {
            run.templates = serde_json::from_value::<Vec<TemplateSource>>(templates).unwrap();
        }
        events
    }

    #[test]
    fn a_failure_is_followed_by_its_declaration() {
        let check = |name: &str, quiet, minimal| {
            let text = plain(
                &with_templates(),
                Options {
                    quiet,
                    minimal,
                    ..Options::default()
                },
            );
            insta::assert_snapshot!(name, text);
        };
        check("notes.plain", false, false);
        check("notes.minimal", false, true);
        check("notes.quiet", true, false);
    }

    #[test]
    fn the_summary_fits_a_small_terminal_and_ends_with_what_failed() {
        let summary = |events: &[RunEvent], width| {
            let report = crate::report::RunReport::from_events(events);
            let options = Options {
                report: Some("taskcat_outputs/index.html".into()),
                ..Options::default()
            };
            summary::lines(&report, &options, Some(width))
        };
        let check = |name: &str, events: Vec<RunEvent>, width: usize| {
            let lines = summary(&events, width);
            assert!(
                lines
                    .iter()
                    .all(|line| console::measure_text_width(line) <= width),
                "{lines:#?}"
            );
            assert!(lines.len() < 24, "{}: {lines:#?}", lines.len());
            insta::assert_snapshot!(name, lines.join("\n"));
        };
        check("one of six.summary", with_templates(), 100);
        check(
            "three of thirty.summary",
            told_of_templates(many(5, 6)),
            100,
        );
        let forty_failed = told_of_templates(many(21, 21));
        check("40 of 441.summary", forty_failed.clone(), 100);
        check("narrow.summary", forty_failed, 70);
        for (tests, regions) in [(1, 1), (2, 5), (3, 10), (7, 7)] {
            let lines = summary(&told_of_templates(many(tests, regions)), 80);
            assert!(lines.len() < 24, "{tests} × {regions}: {lines:#?}");
        }
    }

    #[test]
    fn each_cause_is_shown_once_with_what_failed_for_it() {
        let mut report = crate::report::RunReport::from_events(&many(12, 5));
        assert_eq!(report.cells.len(), 60);
        for (number, cell) in report.cells.iter_mut().enumerate() {
            cell.root_cause = None;
            cell.state = CellState::Passed;
            if number < 25 {
                let request =
                    format!("(Request ID: 5f3c2a10-8b1d-4c6e-9f00-0000000000{number:02})");
                let stack = &cell.stack_name;
                let reason = format!(
                    "cause {} of {stack} failed, at length {request}",
                    number % 4
                );
                cell.reason = Some(reason);
                cell.state = CellState::Failed;
            }
        }
        let lines = summary::lines(&report, &Options::default(), Some(80));
        assert!(lines.len() < 24, "{}: {lines:#?}", lines.len());
        insta::assert_snapshot!("four causes.summary", lines.join("\n"));
    }

    #[test]
    fn the_state_of_every_stack_is_shown_once_to_those_who_ask() {
        let events = with_templates();
        let check = |name: &str, options: Options, seconds: i64| {
            let written = CapturedOutput::default();
            let asked = options.asked.clone();
            let mut consumer = plain::PlainView::new(options, Box::new(written.clone()));
            let until = events[0].at + jiff::SignedDuration::from_secs(seconds);
            let mut events = events.iter().filter(|event| event.at <= until).peekable();
            while let Some(event) = events.next() {
                if events.peek().is_none() {
                    written.take();
                    asked.ask();
                }
                consumer.take(event).unwrap();
            }
            let text = written.take();
            insta::assert_snapshot!(name, text);
            consumer.tick().unwrap();
            assert!(!written.take().contains("the status of every stack"));
        };
        check("creating.state", Options::default(), 29);
        check("deleting.state", Options::default(), 120);
        check(
            "quiet.state",
            Options {
                quiet: true,
                ..Options::default()
            },
            29,
        );
        check(
            "minimal.state",
            Options {
                minimal: true,
                ..Options::default()
            },
            29,
        );
    }

    #[test]
    fn no_foreign_text_commands_the_system_that_reads_the_log() {
        let mut events = with_templates();
        for event in &mut events {
            match &mut event.kind {
                EventKind::StackEvent { detail, .. } if detail.status.is_failed() => {
                    detail.reason = Some("::error::one ##[add-mask]two".into());
                    detail.logical_id = "::warning::x".into();
                }
                EventKind::CellFinished { reason, .. } => {
                    *reason = Some("::stop-commands::x".into())
                }
                _ => {}
            }
            let renamed = serde_json::to_string(event)
                .unwrap()
                .replace("\"vpc\"", "\"::set-output name=a::b\"");
            *event = serde_json::from_str(&renamed).unwrap();
        }
        for (quiet, minimal) in [(false, false), (false, true), (true, false)] {
            let options = Options {
                quiet,
                minimal,
                ..Options::default()
            };
            options.asked.ask();
            let text = plain(&events, options);
            assert!(text.contains("add-mask"), "{text}");
            let commands = text
                .lines()
                .filter(|line| line.trim_start().starts_with("::") || line.contains("##["));
            assert_eq!(commands.collect::<Vec<_>>(), Vec::<&str>::new(), "{text}");
        }
    }

    fn plain(events: &[RunEvent], options: Options) -> String {
        let written = CapturedOutput::default();
        let mut consumer = plain::PlainView::new(options, Box::new(written.clone()));
        events
            .iter()
            .for_each(|event| consumer.take(event).unwrap());
        consumer.finish().unwrap();
        written.take()
    }

    #[test]
    fn lines_of_every_scenario() {
        let report = Some("taskcat_outputs/index.html".to_owned());
        let with = |quiet, minimal| Options {
            quiet,
            minimal,
            report: report.clone(),
            ..Options::default()
        };
        for scenario in SCENARIOS {
            let events = fixture(scenario);
            insta::assert_snapshot!(
                format!("{scenario}.plain"),
                plain(&events, with(false, false))
            );
            insta::assert_snapshot!(
                format!("{scenario}.minimal"),
                plain(&events, with(false, true))
            );
            insta::assert_snapshot!(
                format!("{scenario}.quiet"),
                plain(&events, with(true, false))
            );
        }
    }

    #[test]
    fn a_simulated_run_says_so_at_its_start_and_at_its_end() {
        let mut events = fixture("one-failed");
        if let EventKind::RunStarted(run) = &mut events[0].kind {
            run.simulated = true;
        }
        let check = |quiet, minimal, at_start: bool| {
            let text = plain(
                &events,
                Options {
                    quiet,
                    minimal,
                    ..Options::default()
                },
            );
            let first = text.lines().next().unwrap();
            assert_eq!(
                first.contains(" simulated (no call reaches AWS): taskcat "),
                at_start,
                "{text}"
            );
            assert!(
                text.lines().last().unwrap().starts_with("simulated: "),
                "{text}"
            );
        };
        check(false, false, true);
        check(false, true, false);
        check(true, false, false);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(48)
        })]
        #[test]
        fn whatever_strings_are_stays_text_on_the_terminal(
            scenario in prop::sample::select(SCENARIOS.to_vec()),
            strings in prop::collection::vec(hostile(), 1..12),
            (quiet, minimal) in prop::sample::select(vec![
                (false, false),
                (false, true),
                (true, false),
            ]),
        ) {
            let options = Options { quiet, minimal, ..Options::default() };
            let text = plain(&exchanged(scenario, &strings), options);
            let found: Vec<char> = text
                .chars()
                .filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}')
                .collect();
            prop_assert!(found.is_empty(), "{found:?}");
            // No line is a command for GitHub's runner.
            let is_command =
                |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
            prop_assert!(!text.lines().any(is_command));
        }
    }

    #[test]
    fn without_colour_no_control_character_is_written() {
        for scenario in SCENARIOS {
            for (quiet, minimal) in [(false, false), (false, true), (true, false)] {
                let text = plain(
                    &fixture(scenario),
                    Options {
                        quiet,
                        minimal,
                        ..Options::default()
                    },
                );
                let found: Vec<char> = text
                    .chars()
                    .filter(|c| c.is_control() && *c != '\n')
                    .collect();
                assert!(found.is_empty(), "{scenario}: {found:?}");
            }
        }
    }

    #[test]
    fn color_changes_only_the_color() {
        let events = fixture("one-failed");
        let coloured = plain(
            &events,
            Options {
                colour: true,
                ..Options::default()
            },
        );
        assert!(
            coloured.contains("\u{1b}[1m\u{1b}[31mapp eu-west-1 failed"),
            "{coloured}"
        );
        assert_eq!(
            console::strip_ansi_codes(&coloured),
            plain(&events, Options::default())
        );
    }
}
