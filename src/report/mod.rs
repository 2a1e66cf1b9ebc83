//! Reports of a run for people and programs: all consumers of its events.
//!
//! The dispatcher in `run` passes each event to each [`EventConsumer`]. `events.ndjson` is written
//! during the run; the other files are rendered from a [`RunReport`], which is folded from the
//! events, so that a recorded run is rendered identically. The terminal shows the progress. This
//! module depends on `event`, never on a step or on `run`.

mod cause;
pub mod cfn_logs;
pub mod changes;
pub mod changes_page;
pub mod events;
mod fold;
pub mod folder;
pub mod github;
mod hint;
pub mod html;
pub mod json;
pub mod junit;
pub mod model;
pub mod redact;
pub mod root_cause;
pub mod shared_cause;
pub mod source;
pub mod terminal;
pub mod text;
pub mod timeline;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::event::RunEvent;
use crate::input::{self, InputError};
pub use cause::RootCause;
pub use model::RunReport;

/// A consumer of a run's events. The dispatcher drops one that fails, with a warning; the others
/// continue.
pub trait EventConsumer: Send {
    /// Handles the next event.
    fn take(&mut self, event: &RunEvent) -> io::Result<()>;

    /// Called about once per second as long as the run lasts, even without events.
    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Called once, after the last event.
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a recorded run can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it can't be read.
        source: InputError,
    },
    /// A line isn't an event.
    #[error("{}:{line}: not a taskcat event: {source}", path.display())]
    Event {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why it can't be parsed.
        source: serde_json::Error,
    },
}

type RenderFile = fn(&RunReport, &mut dyn Write) -> io::Result<()>;

/// The files that exist once per run.
const FILES: [(&str, RenderFile); 3] = [
    ("index.html", html::render),
    ("junit.xml", junit::render),
    ("report.json", json::render),
];

/// Returns the consumers that write the usual files to `directory`, which is created if necessary.
/// The report of an earlier run is deleted, so that it can't be mistaken for this one's.
pub fn files(directory: &Path) -> io::Result<Vec<Box<dyn EventConsumer>>> {
    fs::create_dir_all(directory).map_err(|error| at_path(directory, error))?;
    FILES
        .iter()
        .try_for_each(|(name, _)| folder::remove(&directory.join(name)))?;
    let events = events::EventsFile::create(&directory.join("events.ndjson"))?;
    let report = ReportFiles {
        directory: directory.into(),
        report: RunReport::default(),
        written: None,
    };
    Ok(vec![Box::new(events), Box::new(report)])
}

/// Writes `index.html`, `junit.xml`, `report.json` and the `-cfnlogs.txt` files of a report to
/// `directory`. If a file can't be written, the others still are; the error names all that failed.
pub fn write(report: &RunReport, directory: &Path) -> io::Result<()> {
    let rendered =
        FILES.map(|(name, render)| replace(&directory.join(name), |out| render(report, out)));
    let logs = cfn_logs::files(report).into_iter().map(|(name, cells)| {
        replace(&directory.join(name), |out| {
            cfn_logs::render(&cells, report, out)
        })
    });
    let errors: Vec<String> = rendered
        .into_iter()
        .chain(logs)
        .filter_map(|it| Some(it.err()?.to_string()))
        .collect();
    if errors.is_empty() {
        Ok(())
    } else {
        Err(io::Error::other(errors.join("; ")))
    }
}

/// Writes a file completely or not at all, so that no reader ever sees a partial file.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let partial = path.with_added_extension("partial");
    let written = create(&partial).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| {
            // The partial file is useless; failing to delete it isn't worth an error.
            let _ = fs::remove_file(&partial);
            at_path(path, error)
        })
}

/// Creates a file in place of an earlier one, without following links.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().write(true).create_new(true).open(path)
}

/// Folds the events and renders the files. All files share one fold, since it holds every event of
/// the run.
struct ReportFiles {
    directory: PathBuf,
    report: RunReport,
    /// When the files were last written.
    written: Option<Instant>,
}

/// Maximum age of the report's files, in case the run is killed without warning.
const BETWEEN_WRITES: Duration = Duration::from_secs(15);

impl EventConsumer for ReportFiles {
    fn take(&mut self, event: &RunEvent) -> io::Result<()> {
        self.report.apply(event);
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        let written = self.written.get_or_insert_with(Instant::now);
        if written.elapsed() >= BETWEEN_WRITES {
            *written = Instant::now();
            self.report.conclude();
            // The problem may be solved by the end of the run, so the consumer continues.
            if let Err(error) = write(&self.report, &self.directory) {
                tracing::debug!("the report so far could not be written: {error}");
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.report.conclude();
        write(&self.report, &self.directory)
    }
}

fn at_path(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot write {}: {}", path.display(), input::reason(&error)),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::event::EventKind;

    pub const SCENARIOS: [&str; 8] = [
        "passing",
        "one-failed",
        "launch-failed",
        "hook-failed",
        "delete-failed",
        "interrupted",
        "hostile",
        "log-layout",
    ];

    pub fn fixture_path(scenario: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/events")
            .join(scenario)
            .join("events.ndjson")
    }

    pub fn fixture(scenario: &str) -> Vec<RunEvent> {
        events::read(&fixture_path(scenario)).unwrap()
    }

    fn rendered(render: RenderFile, report: &RunReport) -> String {
        let mut out = Vec::new();
        render(report, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn logs_of(report: &RunReport) -> BTreeMap<String, String> {
        let log = |cells: &[&model::CellReport]| {
            let mut out = Vec::new();
            cfn_logs::render(cells, report, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        cfn_logs::files(report)
            .into_iter()
            .map(|(name, cells)| (name, log(&cells)))
            .collect()
    }

    /// Sends the events to the usual consumers, like the dispatcher.
    fn consume(events: &[RunEvent], directory: &Path) {
        let mut consumers = files(directory).unwrap();
        for event in events {
            consumers
                .iter_mut()
                .for_each(|consumer| consumer.take(event).unwrap());
            consumers
                .iter_mut()
                .for_each(|consumer| consumer.tick().unwrap());
        }
        consumers
            .iter_mut()
            .for_each(|consumer| consumer.finish().unwrap());
    }

    fn contents(directory: &Path) -> BTreeMap<String, String> {
        let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
        entries
            .map(|it| {
                (
                    it.file_name().into_string().unwrap(),
                    fs::read_to_string(it.path()).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn every_file_is_rendered_again_from_the_recorded_events_byte_for_byte() {
        for scenario in SCENARIOS.into_iter().chain(["failures", "rollbacks"]) {
            let first = tempfile::tempdir().unwrap();
            let second = tempfile::tempdir().unwrap();
            consume(&fixture(scenario), first.path());
            let recorded = events::read(&first.path().join("events.ndjson")).unwrap();
            consume(&recorded, second.path());
            let first = contents(first.path());
            let second = contents(second.path());
            assert_eq!(
                first.keys().collect::<Vec<_>>(),
                second.keys().collect::<Vec<_>>(),
                "{scenario}"
            );
            for (name, text) in &first {
                assert!(text == &second[name], "{scenario}: {name} differs");
            }
            assert_eq!(
                first["events.ndjson"],
                fs::read_to_string(fixture_path(scenario)).unwrap(),
                "{scenario}"
            );
        }
    }

    #[test]
    fn outputs_of_every_scenario() {
        for scenario in SCENARIOS {
            let directory = tempfile::tempdir().unwrap();
            consume(&fixture(scenario), directory.path());
            let files = contents(directory.path());
            let page = &files["index.html"];
            // The design changes more often than the content, which the snapshot is for.
            let (head, rest) = page.split_once("<style>").unwrap();
            let (_, body) = rest.split_once("</style>").unwrap();
            let head = without_hash(head);
            let body = without_script(body);
            insta::assert_snapshot!(format!("{scenario}.html"), format!("{head}{body}"));
            insta::assert_snapshot!(format!("{scenario}.junit"), files["junit.xml"]);
            let logs = files
                .iter()
                .filter(|(name, _)| name.ends_with("-cfnlogs.txt"));
            let logs: Vec<String> = logs
                .map(|(name, log)| format!("==> {name} <==\n{log}"))
                .collect();
            insta::assert_snapshot!(format!("{scenario}.cfnlogs"), logs.join("\n"));
        }
        let report = RunReport::from_events(&fixture("hook-failed"));
        insta::assert_snapshot!("hook-failed.json", rendered(json::render, &report));
    }

    /// Returns the page without its script, the only one, at its end.
    fn without_script(page: &str) -> String {
        let (body, rest) = page.rsplit_once("<script>").unwrap();
        let (_, tail) = rest.split_once("</script>").unwrap();
        format!("{body}{tail}")
    }

    fn without_hash(head: &str) -> String {
        let (start, rest) = head.split_once("script-src 'sha256-").unwrap();
        format!(
            "{start}script-src '{}",
            rest.split_once('\'')
                .map(|(_, rest)| format!("…'{rest}"))
                .unwrap()
        )
    }

    #[test]
    fn the_logs_equal_those_that_taskcat_writes_of_the_same_events() {
        for scenario in ["one-failed", "log-layout"] {
            let logs = logs_of(&RunReport::from_events(&fixture(scenario)));
            let expected = contents(&fixture_path(scenario).with_file_name("taskcat"));
            assert!(!expected.is_empty());
            for (name, log) in expected {
                assert_eq!(logs[&name], log, "{scenario}: {name}");
            }
        }
    }

    #[test]
    fn create_failed_is_in_the_page_only_if_something_had_that_status() {
        let check = |scenario: &str, expect: bool| {
            let page = rendered(html::render, &RunReport::from_events(&fixture(scenario)));
            assert_eq!(page.contains("CREATE_FAILED"), expect, "{scenario}");
        };
        check("passing", false);
        check("one-failed", true);
        check("launch-failed", false);
        check("hook-failed", false);
        check("delete-failed", false);
        check("interrupted", false);
        // A parameter and a reason contain the text, but no status does.
        check("hostile", false);
    }

    #[test]
    fn a_simulated_run_says_so_in_every_file_and_no_other_does() {
        let check = |simulated: bool| {
            let mut events = fixture("one-failed");
            if let EventKind::RunStarted(run) = &mut events[0].kind {
                (run.simulated, run.endpoint) = (simulated, None);
            }
            let directory = tempfile::tempdir().unwrap();
            consume(&events, directory.path());
            // From the recorded events alone.
            let recorded = events::read(&directory.path().join("events.ndjson")).unwrap();
            assert_eq!(recorded, events);
            let said = |text: &str, expect: &str| {
                assert_eq!(text.contains(expect), simulated, "{expect}: {text}")
            };
            for (name, text) in contents(directory.path()) {
                match name.as_str() {
                    "index.html" => {
                        said(&text, "failed (simulated) – taskcat report</title>");
                        said(
                            &text,
                            "<span class=\"badge interrupted\">simulated</span></h1>",
                        );
                        said(
                            &text,
                            "<strong>Simulated.</strong> Nothing of this happened in AWS.",
                        );
                        assert_eq!(
                            text.contains("console.aws.amazon.com"),
                            !simulated,
                            "a link to AWS"
                        );
                    }
                    "junit.xml" => {
                        let suites = "<testsuite ";
                        let properties = "<property name=\"simulated\" value=\"true\"/>";
                        let expect = if simulated {
                            text.matches(suites).count()
                        } else {
                            0
                        };
                        assert_eq!(text.matches(properties).count(), expect, "{text}");
                    }
                    "report.json" => said(&text, "\"simulated\": true"),
                    "events.ndjson" => said(&text, "\"simulated\":true"),
                    _ => said(&text, "Simulated: nothing of this happened in AWS.\n"),
                }
            }
        };
        check(true);
        check(false);
    }

    #[test]
    fn hostile_strings_stay_text_in_every_output() {
        let report = RunReport::from_events(&fixture("hostile"));
        let page = without_script(&rendered(html::render, &report));
        for injected in [
            "<script",
            "<img",
            "<svg",
            "Key<b>",
            "href=\"javascript",
            "etc/passwd-",
        ] {
            assert!(!page.contains(injected), "{injected} in the page");
        }
        // The template syntax in a name is text, too.
        assert!(page.contains("{{ 7*7 }}"));
        let hostile = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        let junit = rendered(junit::render, &report);
        let logs: String = logs_of(&report).into_values().collect();
        for (name, output) in [
            ("index.html", &page),
            ("junit.xml", &junit),
            ("cfnlogs", &logs),
        ] {
            let found: Vec<char> = output.chars().filter(|c| hostile(*c)).collect();
            assert!(found.is_empty(), "{name} holds {found:?}");
        }
        let mut reader = quick_xml::Reader::from_str(&junit);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
        // XML 1.0 can't represent these two.
        assert!(!junit.contains(['\u{fffe}', '\u{ffff}']));
        assert_eq!(
            logs_of(&report).into_keys().collect::<Vec<_>>(),
            [".._.._etc_passwd-us-east-1_.._.._x-cfnlogs.txt"]
        );
        serde_json::from_str::<serde_json::Value>(&rendered(json::render, &report)).unwrap();
    }

    /// Generates strings with a meaning in some output format, combined in pieces.
    pub fn hostile() -> impl Strategy<Value = String> {
        let pieces = [
            "<script>alert(1)</script>",
            "</noscript>",
            "<!--",
            "-->",
            "]]>",
            "<![CDATA[",
            "&amp;",
            "&#0;",
            "'",
            "\"",
            "{{ 7*7 }}",
            "{% raw %}",
            "\u{1b}[2J",
            "\u{1b}]8;;http://x\u{7}",
            "\r\n::error::",
            "\n::set-output name=x::y",
            "|",
            "`",
            "[x](javascript:alert(1))",
            "@everyone",
            "##[error]x",
            "../../etc/passwd",
            "\0",
            "\u{b}",
            "\u{202e}",
            "\u{fffe}",
            "\u{2028}",
            "CREATE_FAILED",
            "%0A",
            "=cmd|' /C calc'!A0",
            "💥",
            "ä",
            " ",
            "x",
            "onerror=alert(1)",
        ];
        prop::collection::vec(
            prop_oneof![
                prop::sample::select(pieces.to_vec()).prop_map(str::to_owned),
                any::<char>().prop_map(String::from)
            ],
            0..5,
        )
        .prop_map(|pieces| pieces.concat())
    }

    /// Returns a recorded run in which user-defined strings are replaced.
    pub fn exchanged(scenario: &str, strings: &[String]) -> Vec<RunEvent> {
        fn walk(value: &mut serde_json::Value, key: &str, strings: &[String], next: &mut usize) {
            match value {
                serde_json::Value::String(text)
                    if !matches!(
                        key,
                        "event"
                            | "at"
                            | "timestamp"
                            | "task"
                            | "outcome"
                            | "why"
                            | "stage"
                            | "status"
                    ) =>
                {
                    *next += 1;
                    // Every third is kept, so that the run stays consistent.
                    if next.is_multiple_of(3) {
                        *text = strings[*next / 3 % strings.len()].clone();
                    }
                }
                serde_json::Value::Array(items) => items
                    .iter_mut()
                    .for_each(|item| walk(item, key, strings, next)),
                serde_json::Value::Object(entries) => entries
                    .iter_mut()
                    .for_each(|(key, item)| walk(item, key, strings, next)),
                _ => {}
            }
        }
        let mut next = 0;
        let events = fixture(scenario).into_iter().map(|event| {
            let mut value = serde_json::to_value(&event).unwrap();
            walk(&mut value, "", strings, &mut next);
            serde_json::from_value(value).unwrap()
        });
        events.collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(48)
        })]
        #[test]
        fn whatever_strings_are_stays_text_in_every_output(
            scenario in prop::sample::select(SCENARIOS.to_vec()),
            strings in prop::collection::vec(hostile(), 1..12),
        ) {
            let events = exchanged(scenario, &strings);
            let report = RunReport::from_events(&events);
            let page = rendered(html::render, &report);
            for injected in ["<script>alert", "<![CDATA[", "</noscript>alert"] {
                prop_assert!(!page.contains(injected), "{injected}");
            }
            let own = rendered(html::render, &RunReport::default()).matches("<script").count();
            prop_assert_eq!(page.matches("<script").count(), own);
            let junit = rendered(junit::render, &report);
            let mut reader = quick_xml::Reader::from_str(&junit);
            let mut cases = 0;
            let mut depth = 0;
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Start(tag) => {
                        depth += 1;
                        cases += usize::from(tag.name().as_ref() == "testcase");
                    }
                    quick_xml::events::Event::Empty(tag) =>
                        cases += usize::from(tag.name().as_ref() == "testcase"),
                    quick_xml::events::Event::End(_) => depth -= 1,
                    quick_xml::events::Event::Eof => break,
                    _ => {}
                }
            }
            prop_assert_eq!((cases, depth), (report.cells.len(), 0));
            let json = rendered(json::render, &report);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(json["cells"].as_array().unwrap().len(), report.cells.len());
            let logs = logs_of(&report);
            prop_assert!(logs.keys().all(|name| !name.contains(['/', '\\', '\0'])
                && name.ends_with("-cfnlogs.txt")));
            for line in github::annotations(&report, Some(Path::new(""))) {
                let line = line.to_string();
                prop_assert!(line.starts_with("::") && !line.contains(['\n', '\r']));
            }
            let markdown = github::summary(&report, 1 << 20);
            for injected in ["<script", "<img", "](javascript:", "@everyone"] {
                prop_assert!(!markdown.contains(injected), "{injected}");
            }
            let is_hostile = |c: char| {
                (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}'
            };
            for text in [&page, &junit].into_iter().chain(logs.values()) {
                prop_assert!(!text.contains(is_hostile));
            }
            // Recorded events are read back unchanged.
            let directory = tempfile::tempdir().unwrap();
            consume(&events, directory.path());
            prop_assert_eq!(events::read(&directory.path().join("events.ndjson")).unwrap(), events);
        }
    }

    #[test]
    fn the_root_cause_reads_the_same_everywhere() {
        for scenario in ["one-failed", "launch-failed", "hook-failed"] {
            let report = RunReport::from_events(&fixture(scenario));
            let cause = report
                .cells
                .iter()
                .find_map(|cell| cell.root_cause.as_ref())
                .unwrap()
                .text
                .clone();
            let unescape = |text: String| {
                let plain = text
                    .replace("&quot;", "\"")
                    .replace("&#39;", "'")
                    .replace("&#x27;", "'")
                    .replace("&#x2f;", "/");
                plain.replace("&apos;", "'")
            };
            let page = unescape(rendered(html::render, &report));
            // The failed resource and the reason are two elements that form one text.
            let page = page.replace("</span><span class=\"why\">", "");
            assert!(page.contains(&cause), "{cause}");
            assert!(
                unescape(rendered(junit::render, &report)).contains(&cause),
                "{cause}"
            );
            let json: serde_json::Value =
                serde_json::from_str(&rendered(json::render, &report)).unwrap();
            assert!(
                json["cells"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|cell| cell["root_cause"]["text"] == *cause)
            );
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_keeps_no_other_back() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("index.html")).unwrap();
        let error = write(
            &RunReport::from_events(&fixture("hook-failed")),
            directory.path(),
        )
        .unwrap_err()
        .to_string();
        assert_eq!(
            error,
            format!(
                "cannot write {}: it is a directory",
                directory.path().join("index.html").display()
            )
        );
        assert!(directory.path().join("junit.xml").is_file());
        assert!(directory.path().join("report.json").is_file());
    }

    #[test]
    fn a_run_that_was_killed_is_incomplete() {
        let mut events = fixture("passing");
        events.truncate(60);
        let report = RunReport::from_events(&events);
        assert_eq!(report.verdict, model::RunVerdict::Incomplete);
        assert_eq!(report.counts(), "6 unfinished");
        assert!(
            !events
                .iter()
                .any(|event| matches!(event.kind, EventKind::RunFinished(_)))
        );
        let page = rendered(html::render, &report);
        assert!(page.contains("The run did not end."));
    }

    #[test]
    fn the_report_of_an_earlier_run_does_not_pass_for_this_ones() {
        let directory = tempfile::tempdir().unwrap();
        consume(&fixture("passing"), directory.path());
        assert!(directory.path().join("index.html").exists());
        files(directory.path()).unwrap();
        assert_eq!(contents(directory.path())["events.ndjson"], "");
        assert!(
            ["index.html", "junit.xml", "report.json"]
                .iter()
                .all(|name| !directory.path().join(name).exists())
        );
    }

    #[test]
    fn a_report_that_was_written_before_the_end_changes_nothing_in_the_last_one() {
        for scenario in SCENARIOS {
            let events = fixture(scenario);
            let mut report = RunReport::default();
            for event in &events {
                report.apply(event);
                report.conclude();
            }
            let early = rendered(json::render, &report);
            let late = rendered(json::render, &RunReport::from_events(&events));
            assert!(early == late, "{scenario}");
        }
    }

    /// Writes pages for manual review: `cargo test --lib report -- --ignored pages`, then open
    /// `target/report-pages`.
    #[test]
    #[ignore = "writes pages to look at"]
    fn pages_for_review() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-pages");
        for scenario in SCENARIOS {
            consume(&fixture(scenario), &root.join(scenario));
        }
        consume(&many(5, 6), &root.join("thirty"));
        consume(&many(15, 20), &root.join("three-hundred"));
    }

    /// Repeats the cells of "one-failed" with other names.
    pub fn many(tests: usize, regions: usize) -> Vec<RunEvent> {
        let text = fs::read_to_string(fixture_path("one-failed")).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let of_cell = |test: &str, region: &str| {
            let cell = format!("\"cell\":{{\"test\":\"{test}\",\"region\":\"{region}\"}}");
            lines
                .iter()
                .filter(move |line| line.contains(&cell))
                .copied()
                .collect::<Vec<_>>()
        };
        let good = of_cell("vpc", "us-east-1");
        let bad = of_cell("app", "eu-west-1");
        let mut start: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        let mut cells = Vec::new();
        let mut all = Vec::new();
        for test in 0..tests {
            for region in 0..regions {
                let fails = (test * 7 + region * 3) % 11 == 0;
                let (kind, old) = if fails {
                    ("app", "eu-west-1")
                } else {
                    ("vpc", "us-east-1")
                };
                let name = format!("{kind}-{test}");
                let place = format!("xx-region-{region}");
                let template = start["cells"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|cell| cell["test"] == kind)
                    .unwrap();
                let mut cell = template.clone();
                cell["test"] = name.as_str().into();
                cell["region"] = place.as_str().into();
                cells.push(cell);
                let renamed = |line: &&str| {
                    line.replace(
                        &format!("\"test\":\"{kind}\""),
                        &format!("\"test\":\"{name}\""),
                    )
                    .replace(old, &place)
                };
                all.extend(if fails { &bad } else { &good }.iter().map(renamed));
            }
        }
        start["cells"] = cells.into();
        all.insert(0, start.to_string());
        all.push(lines[lines.len() - 1].to_owned());
        let mut events: Vec<RunEvent> = all
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        events.sort_by_key(|event| event.at);
        events
    }
}
