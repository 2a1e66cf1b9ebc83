//! Writes `junit.xml` for CodeBuild, Jenkins, GitLab and GitHub: a suite per test, a case per
//! region, and a case for each check of a stack.
//!
//! It follows the schema of Jenkins's xUnit plugin (`junit-10.xsd`), which has properties only for
//! suites: details of a case are in its `system-out`. Earlier results of a cell that several runs
//! have tested are reruns, with Maven Surefire's elements.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::RootCause;
use super::model::{Attempt, CellReport, CellState, CheckReport, RunReport};
use super::text;
use crate::event::CheckResult;
use crate::status::{ResourceStatus, StackStatus};

/// Maximum length of a message attribute, since some tools cut or refuse longer ones; the element
/// has the whole text.
const MESSAGE_LIMIT: usize = 1000;

/// Maximum number of cases in a CodeBuild report
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/test-report.html>).
const CASE_LIMIT: usize = 500;

/// Writes the report as JUnit XML.
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
        let all = of_test(&report.cells, test);
        let cells = of_test(shown.iter().copied(), test);
        junit.add_test_suite(suite(report, test, all.len(), &cells));
    }
    if let Some(error) = report.error.as_ref().filter(|_| report.cells.is_empty()) {
        junit.add_test_suite(not_started(report, error));
    }
    let xml = junit.to_string().map_err(io::Error::other)?;
    // The schema doesn't allow the first of these attributes. Names can't contain it, since quotes
    // are escaped.
    out.write_all(without_skipped(&xml).as_bytes())
}

/// Removes the number of skipped cases from the first element that has one, `testsuites`.
fn without_skipped(xml: &str) -> String {
    const ATTRIBUTE: &str = " skipped=\"";
    let rest = xml.split_once(ATTRIBUTE);
    let rest = rest.and_then(|(before, after)| Some((before, after.split_once('"')?.1)));
    rest.map_or_else(
        || xml.to_owned(),
        |(before, after)| before.to_owned() + after,
    )
}

/// Returns a suite for a run that could not start. Without a case, tools would take the run for a
/// success.
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

/// Returns the cells up to the limit in the report's order; if necessary, those that passed are
/// omitted first.
fn shown(report: &RunReport) -> Vec<&CellReport> {
    let (passed, other): (Vec<_>, Vec<_>) = report
        .cells
        .iter()
        .enumerate()
        .partition(|(_, cell)| cell.state == CellState::Passed);
    let mut cases = 0;
    let fits = |(_, cell): &(usize, &CellReport)| {
        cases += 1 + cell.checks.len();
        cases <= CASE_LIMIT
    };
    let mut shown: Vec<_> = other.into_iter().chain(passed).take_while(fits).collect();
    shown.sort_unstable_by_key(|(index, _)| *index);
    shown.into_iter().map(|(_, cell)| cell).collect()
}

fn of_test<'c>(cells: impl IntoIterator<Item = &'c CellReport>, test: &str) -> Vec<&'c CellReport> {
    cells
        .into_iter()
        .filter(|cell| &*cell.id.test == test)
        .collect()
}

/// Returns the suite of a test with the shown `cells` of `all`.
fn suite(report: &RunReport, test: &str, all: usize, cells: &[&CellReport]) -> TestSuite {
    let mut suite = TestSuite::new(clean(test));
    // Parsed from RFC 3339, so that the other library of dates isn't named here.
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
    for cell in cells {
        suite.add_test_case(case(report, cell));
        suite.add_test_cases(
            cell.checks
                .iter()
                .map(|check| check_case(report, cell, check)),
        );
    }
    suite
}

fn case(report: &RunReport, cell: &CellReport) -> TestCase {
    let status = match skipped(report, cell) {
        Some(skipped) => skipped,
        None => status(cell),
    };
    let mut case = TestCase::new(clean(&cell.id.region), status);
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

/// Returns the case of a check.
fn check_case(report: &RunReport, cell: &CellReport, check: &CheckReport) -> TestCase {
    let name = &check.check.name;
    let number = check.check.number;
    let is_other = |it: &&CheckReport| it.check.name == *name && it.check.number != number;
    let number = match cell.checks.iter().find(is_other) {
        Some(_) => format!(" (check {number})"),
        None => String::new(),
    };
    let region = &cell.id.region;
    let name = clean(&format!("{region}: {}{number}", text::one_line(name)));
    let mut case = TestCase::new(name, check_status(check));
    case.set_classname(format!(
        "{}.{}",
        clean(&report.project),
        clean(&cell.id.test)
    ));
    case.time = seconds(check.duration_seconds);
    if !check.check.file.is_empty() {
        case.set_system_out(clean(&format!("{}:{}", check.check.file, check.check.line)));
    }
    case
}

fn check_status(check: &CheckReport) -> TestCaseStatus {
    let mut status = match &check.result {
        Some(CheckResult::Passed) => return TestCaseStatus::success(),
        Some(CheckResult::NotChecked { .. }) => TestCaseStatus::skipped(),
        Some(CheckResult::Failed { .. }) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        None => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let reason = check.reason().unwrap_or("the check did not end");
    let message = text::shortened(&text::one_line(reason), MESSAGE_LIMIT);
    status.set_message(message);
    if check.has_failed() {
        let place = format!("{}:{}", check.check.file, check.check.line);
        status
            .set_type("check failed")
            .set_description(clean(&format!("{reason}\nset at {place}")));
    }
    status
}

/// Returns the status of a cell whose dependencies didn't pass. Those are failures of their own; if
/// an error stopped the run before its tests, skipped ones are errors.
fn skipped(report: &RunReport, cell: &CellReport) -> Option<TestCaseStatus> {
    if cell.state != CellState::Skipped || report.error.is_some() {
        return None;
    }
    let mut status = TestCaseStatus::skipped();
    let reason = text::one_line(cell.reason.as_deref()?);
    status.set_message(text::shortened(&reason, MESSAGE_LIMIT));
    Some(status)
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

/// Returns an earlier attempt that didn't pass as a rerun.
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

/// The parts of a failure element.
struct FailureElement {
    kind: NonSuccessKind,
    type_of: String,
    /// The message on one line.
    message: String,
    text: String,
}

impl FailureElement {
    /// Returns the failure of a cell; `None` if it passed.
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

/// Removes characters that XML can't represent. Tabs become spaces, since the library drops them.
fn clean(text: &str) -> String {
    text::clean(text).replace('\t', " ")
}

fn seconds(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
