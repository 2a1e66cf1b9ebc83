//! Findings as JUnit XML: a suite per template, a case per finding. Findings that don't fail the
//! command are cases that pass, with their message in `system-out`.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{LintResult, full_message, slashed};
use crate::lint::Finding;

/// Returns the report.
pub(crate) fn junit(report: &LintResult) -> String {
    let mut junit = Report::new("taskcat lint");
    let mut templates: Vec<&Path> = report.linted.iter().map(|path| &**path).collect();
    templates.extend(report.findings.iter().map(|it| &*it.template));
    templates.sort();
    templates.dedup();
    for template in templates {
        junit.add_test_suite(suite(template, report));
    }
    let xml = junit.to_string().unwrap_or_default();
    // Jenkins's schema (junit-10.xsd) doesn't allow the first of these attributes. Names can't
    // contain it, since quotes are escaped.
    xml.replacen(" skipped=\"0\"", "", 1)
}

fn suite(template: &Path, report: &LintResult) -> TestSuite {
    let name = slashed(template);
    let mut suite = TestSuite::new(name.clone());
    let findings = report.findings.iter().filter(|it| it.template == template);
    let cases: Vec<_> = findings.map(|it| case(it, &name, report)).collect();
    if cases.is_empty() {
        let mut passed = TestCase::new("no findings", TestCaseStatus::success());
        passed.set_classname(name.clone());
        suite.add_test_case(passed);
    }
    suite.add_test_cases(cases);
    suite
}

fn case(finding: &Finding, template: &str, report: &LintResult) -> TestCase {
    let at = finding.location.at;
    let place = format!("{template}:{}:{}", at.line, at.column);
    let message = full_message(finding);
    let text = format!("{place}: {}: {message}", finding.rule);
    let status = if report.fails(finding) {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status
            .set_type(finding.level.name())
            .set_message(message)
            .set_description(text.clone());
        status
    } else {
        TestCaseStatus::success()
    };
    let name = format!("{} line {} column {}", finding.rule, at.line, at.column);
    let mut case = TestCase::new(name, status);
    case.set_classname(template);
    if !report.fails(finding) {
        case.set_system_out(text);
    }
    case
}
