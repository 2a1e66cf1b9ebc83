//! `junit.xml`: a suite for each test, a case for each region, as CodeBuild, Jenkins, GitLab and
//! GitHub read it.
//!
//! It keeps to the schema of Jenkins's xUnit plugin (`junit-10.xsd`), which knows properties of
//! suites only: what there is to say of a case stands in its `system-out`. A cell that several runs
//! have tested shows the former ones as reruns, in Maven Surefire's elements.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::RootCause;
use super::model::{Attempt, CellReport, CellState, RunReport};
use super::text;
use crate::status::{ResourceStatus, StackStatus};

/// Readers cut or refuse longer attributes; the whole text stands in the element.
const MESSAGE_LIMIT: usize = 1000;

/// CodeBuild takes no more cases in a report
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/test-report.html>).
const CASE_LIMIT: usize = 500;

pub fn render(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let mut junit = Report::new(clean(&report.project));
    junit.time = seconds(report.duration_seconds());
    let shown = shown(report);
    let mut tests: Vec<&str> = Vec::new();
    for cell in &report.cells {
        if !tests.contains(&&*cell.id.test) {
            tests.push(&cell.id.test);
        }
    }
    for test in tests {
        let (all, cells) = (
            of_test(&report.cells, test),
            of_test(shown.iter().copied(), test),
        );
        junit.add_test_suite(suite(report, test, all.len(), &cells));
    }
    if let Some(error) = report.error.as_ref().filter(|_| report.cells.is_empty()) {
        junit.add_test_suite(not_started(report, error));
    }
    let xml = junit.to_string().map_err(io::Error::other)?;
    // The schema has no place for the first of these; a name can't pretend to be it, since its
    // quotes are escaped.
    out.write_all(xml.replacen(" skipped=\"0\"", "", 1).as_bytes())
}

/// Without a case, a reader would take a run that could not start for one that found nothing wrong.
fn not_started(report: &RunReport, error: &str) -> TestSuite {
    let message = text::shortened(&text::one_line(error), MESSAGE_LIMIT);
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status
        .set_type("not started")
        .set_message(message)
        .set_description(clean(error));
    let mut case = TestCase::new("start", status);
    case.set_classname(clean(&report.project));
    let mut suite = TestSuite::new("taskcat");
    add_properties(&mut suite, report);
    suite.add_test_case(case);
    suite
}

fn add_properties(suite: &mut TestSuite, report: &RunReport) {
    suite.add_property(Property::new("taskcat-id", clean(&report.run_id)));
    suite.add_property(Property::new(
        "taskcat-version",
        clean(&report.taskcat_version),
    ));
    suite.add_property(Property::new("project", clean(&report.project)));
}

/// The cells that there is room for, in the report's order: where not all are, those that passed
/// are left out first.
fn shown(report: &RunReport) -> Vec<&CellReport> {
    let (passed, other): (Vec<_>, Vec<_>) = report
        .cells
        .iter()
        .enumerate()
        .partition(|(_, cell)| cell.state == CellState::Passed);
    let mut shown: Vec<_> = other.into_iter().chain(passed).take(CASE_LIMIT).collect();
    shown.sort_unstable_by_key(|(index, _)| *index);
    shown.into_iter().map(|(_, cell)| cell).collect()
}

fn of_test<'c>(cells: impl IntoIterator<Item = &'c CellReport>, test: &str) -> Vec<&'c CellReport> {
    cells
        .into_iter()
        .filter(|cell| &*cell.id.test == test)
        .collect()
}

/// `cells` are those that are shown, of `all` of the test.
fn suite(report: &RunReport, test: &str, all: usize, cells: &[&CellReport]) -> TestSuite {
    let mut suite = TestSuite::new(clean(test));
    // The field's type reads RFC 3339; so no second library of dates is named here.
    suite.timestamp = cells
        .iter()
        .filter_map(|it| it.started_at)
        .min()
        .and_then(|at| at.to_string().parse().ok());
    suite.time = seconds(Some(
        cells.iter().filter_map(|it| it.duration_seconds).sum(),
    ));
    add_properties(&mut suite, report);
    if let Some(cell) = cells.first() {
        suite.add_property(Property::new("template", clean(&cell.template)));
    }
    if report.simulated {
        suite.add_property(Property::new("simulated", "true"));
    }
    if cells.len() < all {
        suite.add_property(Property::new(
            "passed-and-left-out",
            (all - cells.len()).to_string(),
        ));
    }
    suite.add_test_cases(cells.iter().map(|cell| case(report, cell)));
    suite
}

fn case(report: &RunReport, cell: &CellReport) -> TestCase {
    let mut case = TestCase::new(clean(&cell.id.region), status(cell));
    case.set_classname(format!(
        "{}.{}",
        clean(&report.project),
        clean(&cell.id.test)
    ));
    case.time = seconds(cell.duration_seconds);
    let facts = [
        ("template", Some(cell.template.as_str())),
        ("region", Some(&*cell.id.region)),
        ("account", Some(cell.account_id.as_str())),
        ("stack-name", Some(cell.stack_name.as_str())),
        ("stack-id", cell.stack_id.as_deref()),
        (
            "stack-status",
            cell.stack_status.as_ref().map(StackStatus::as_str),
        ),
    ];
    let facts = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    let lines: Vec<String> = facts
        .map(|(name, value)| format!("{name}: {}", text::one_line(value)))
        .collect();
    case.set_system_out(lines.join("\n"));
    case
}

fn status(cell: &CellReport) -> TestCaseStatus {
    let reruns = cell.attempts.iter().filter_map(rerun);
    let Some(told) =
        FailureElement::of(cell.state, cell.root_cause.as_ref(), cell.reason.as_deref())
    else {
        let mut status = TestCaseStatus::success();
        status.add_reruns(reruns);
        return status;
    };
    let mut status = TestCaseStatus::non_success(told.kind);
    status
        .set_type(told.type_of)
        .set_message(told.message)
        .set_description(told.text);
    status.add_reruns(reruns);
    status
}

/// An earlier attempt that didn't pass.
fn rerun(attempt: &Attempt) -> Option<TestRerun> {
    let told = FailureElement::of(
        attempt.state,
        attempt.root_cause.as_ref(),
        attempt.reason.as_deref(),
    )?;
    let mut rerun = TestRerun::new(told.kind);
    rerun
        .set_type(told.type_of)
        .set_message(told.message)
        .set_stack_trace(told.text);
    Some(rerun)
}

/// How a failure is told.
struct FailureElement {
    kind: NonSuccessKind,
    type_of: String,
    /// On one line.
    message: String,
    text: String,
}

impl FailureElement {
    /// None of what passed.
    fn of(state: CellState, cause: Option<&RootCause>, reason: Option<&str>) -> Option<Self> {
        let (kind, type_of, fallback) = match state {
            CellState::Passed => return None,
            CellState::Failed => (NonSuccessKind::Failure, "failed", "failed"),
            CellState::Interrupted => (
                NonSuccessKind::Error,
                "interrupted",
                "the run was interrupted",
            ),
            CellState::Skipped => (
                NonSuccessKind::Error,
                "skipped",
                "the run stopped before the tests",
            ),
            CellState::Waiting | CellState::Running => (
                NonSuccessKind::Error,
                "unfinished",
                "the run ended before it",
            ),
        };
        let text = cause
            .map(|cause| cause.text.as_str())
            .or(reason)
            .unwrap_or(fallback);
        let type_of = clean(
            cause
                .and_then(|cause| cause.status.as_ref())
                .map(ResourceStatus::as_str)
                .unwrap_or(type_of),
        );
        let message = text::shortened(&text::one_line(text), MESSAGE_LIMIT);
        let notes = cause.map(RootCause::notes).unwrap_or_default();
        let whole = std::iter::once(text.to_owned())
            .chain(notes)
            .collect::<Vec<_>>()
            .join("\n");
        Some(Self {
            kind,
            type_of,
            message,
            text: clean(&whole),
        })
    }
}

/// Text that XML can hold. Tabs become spaces: the library drops them.
fn clean(text: &str) -> String {
    text::clean(text).replace('\t', " ")
}

fn seconds(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
