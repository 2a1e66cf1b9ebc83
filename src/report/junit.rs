//! `junit.xml`: a suite for each test, a case for each region, as CodeBuild, Jenkins, GitLab and GitHub read it.

use std::io::{self, Write};
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::model::{CellReport, CellState, RunReport};
use super::text;

/// Readers cut or refuse longer attributes; the whole text stands in the element.
const MESSAGE_LIMIT: usize = 1000;

pub fn render(report: &RunReport, out: &mut dyn Write) -> io::Result<()> {
    let mut junit = Report::new(clean(&report.project));
    // The field's type reads RFC 3339; so no second library of dates is named here.
    junit.timestamp = report.started_at.and_then(|at| at.to_string().parse().ok());
    junit.time = seconds(report.duration_seconds());
    if let Ok(id) = uuid::Uuid::try_parse(&report.run_id) {
        junit.set_uuid(id);
    }
    let mut tests: Vec<&str> = Vec::new();
    for cell in &report.cells {
        if !tests.contains(&&*cell.id.test) {
            tests.push(&cell.id.test);
        }
    }
    for test in tests {
        junit.add_test_suite(suite(report, test));
    }
    junit.serialize(out).map_err(io::Error::other)
}

fn suite(report: &RunReport, test: &str) -> TestSuite {
    let mut suite = TestSuite::new(clean(test));
    let cells = report.cells.iter().filter(|cell| &*cell.id.test == test);
    suite.timestamp = cells.clone().filter_map(|it| it.started_at).min().and_then(|at| at.to_string().parse().ok());
    suite.time = seconds(Some(cells.clone().filter_map(|it| it.duration_seconds).sum()));
    suite.add_property(Property::new("taskcat-id", clean(&report.run_id)));
    suite.add_property(Property::new("taskcat-version", clean(&report.taskcat_version)));
    suite.add_property(Property::new("project", clean(&report.project)));
    if report.simulated {
        suite.add_property(Property::new("simulated", "true"));
    }
    suite.add_test_cases(cells.map(|cell| case(report, cell)));
    suite
}

fn case(report: &RunReport, cell: &CellReport) -> TestCase {
    let mut case = TestCase::new(clean(&cell.id.region), status(cell));
    case.set_classname(format!("{}.{}", clean(&report.project), clean(&cell.id.test)));
    case.timestamp = cell.started_at.and_then(|at| at.to_string().parse().ok());
    case.time = seconds(cell.duration_seconds);
    let properties = [
        ("template", Some(cell.template.as_str())),
        ("region", Some(&*cell.id.region)),
        ("account", Some(cell.account_id.as_str())),
        ("stack-name", Some(cell.stack_name.as_str())),
        ("stack-id", cell.stack_id.as_deref()),
        ("stack-status", cell.stack_status.as_deref()),
    ];
    for (name, value) in properties {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            case.add_property(Property::new(name, clean(value)));
        }
    }
    case
}

fn status(cell: &CellReport) -> TestCaseStatus {
    let (kind, kind_of, fallback) = match cell.state {
        CellState::Passed => return TestCaseStatus::success(),
        CellState::Failed => (NonSuccessKind::Failure, "failed", "failed"),
        CellState::Interrupted => (NonSuccessKind::Error, "interrupted", "the run was interrupted"),
        CellState::Waiting | CellState::Running => (NonSuccessKind::Error, "unfinished", "the run ended before it"),
    };
    let cause = cell.root_cause.as_ref();
    let text = cause.map(|cause| cause.text.as_str()).or(cell.reason.as_deref()).unwrap_or(fallback);
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(clean(cause.and_then(|cause| cause.status.as_deref()).unwrap_or(kind_of)));
    let line = text::one_line(text);
    let message: String = line.chars().take(MESSAGE_LIMIT).collect();
    status.set_message(if message.len() < line.len() { message + "…" } else { message });
    status.set_description(clean(text));
    status
}

/// Text that XML can hold. Tabs become spaces: the library drops them.
fn clean(text: &str) -> String {
    text::clean(text).replace('\t', " ")
}

fn seconds(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
