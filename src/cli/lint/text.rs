//! Findings for people: with their source lines, and TaskCat's own lines for scripts.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::cli::{output, stdin, streams};
use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::lint::Finding;
use crate::lint::output::{LintResult, where_it_holds};

/// Prints the findings, and the templates that pass.
pub(super) fn tell(report: &LintResult, root: &Path) {
    let mut before = None;
    for finding in report.findings {
        let template = Some(&finding.template);
        if before != template {
            let path = shown(&root.join(&finding.template));
            streams::tell(format_args!("Linting detected issues in: {path}"));
        }
        before = template;
        output::diagnostics(&[diagnostic(finding, root)]);
        streams::tell(as_taskcat(finding));
    }
    let found: BTreeSet<_> = report.findings.iter().map(|it| &it.template).collect();
    let passed: BTreeSet<_> = report
        .linted
        .iter()
        .filter(|path| !found.contains(path))
        .collect();
    for path in passed {
        let path = shown(&root.join(path));
        streams::tell(format_args!("Linting passed for file: {path}"));
    }
}

fn shown(path: &Path) -> String {
    if stdin::is_from_stdin(path) {
        return "<stdin>".to_owned();
    }
    path.display().to_string()
}

/// Returns the line that TaskCat prints (`_cfn_lint.py`), for scripts that parse it.
fn as_taskcat(finding: &Finding) -> String {
    let Finding {
        rule,
        short_description,
        message,
        location,
        ..
    } = finding;
    let number = rule.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let number = if number.is_empty() { rule } else { number };
    let message = message.replace('\n', " ");
    format!(
        "    line {} [{number}] [{short_description}] {message}",
        location.at.line
    )
}

fn diagnostic(finding: &Finding, root: &Path) -> Diagnostic {
    let message = format!("{}: {}", finding.rule, finding.message);
    let location = Location {
        file: Arc::from(root.join(&finding.location.file)),
        at: finding.location.at,
    };
    let severity = if finding.is_error() {
        Severity::Error
    } else {
        Severity::Warning
    };
    Diagnostic {
        severity,
        help: where_it_holds(finding),
        ..Diagnostic::error(message).at(location)
    }
}
