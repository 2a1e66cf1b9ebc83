//! Findings as SARIF 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), with what GitHub's code
//! scanning needs
//! (<https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning>).

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{LintResult, full_message, slashed};
use crate::lint::{Finding, FindingLevel};

/// Everything but what a path of a URI may contain.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns the log.
pub(crate) fn sarif(report: &LintResult) -> String {
    let mut rules: Vec<&Finding> = Vec::new();
    let results = report.findings.iter().map(|finding| {
        let known = rules.iter().position(|rule| rule.rule == finding.rule);
        let index = known.unwrap_or_else(|| {
            rules.push(finding);
            rules.len() - 1
        });
        result(finding, index)
    });
    let results: Vec<Value> = results.collect();
    let rules: Vec<Value> = rules.into_iter().map(rule).collect();
    let artifacts = report
        .linted
        .iter()
        .map(|path| json!({"location": {"uri": uri(path)}}));
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "taskcat",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "artifacts": artifacts.collect::<Vec<_>>(),
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default() + "\n"
}

fn rule(finding: &Finding) -> Value {
    let description = match finding.short_description.as_str() {
        "" => &finding.rule,
        description => description,
    };
    json!({
        "id": finding.rule,
        "shortDescription": {"text": description},
        "defaultConfiguration": {"level": level(finding)},
    })
}

fn result(finding: &Finding, rule: usize) -> Value {
    let at = finding.location.at;
    json!({
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": level(finding),
        "message": {"text": full_message(finding)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": uri(&finding.template)},
                "region": {"startLine": at.line, "startColumn": at.column},
            },
        }],
    })
}

fn level(finding: &Finding) -> &'static str {
    match finding.level {
        FindingLevel::Error => "error",
        FindingLevel::Warning => "warning",
        FindingLevel::Info => "note",
    }
}

/// Returns a relative URI, or one with a scheme for a path outside of the project.
fn uri(path: &Path) -> String {
    let path = slashed(path);
    let encoded = utf8_percent_encode(&path, ESCAPED);
    if path.starts_with('/') {
        format!("file://{encoded}")
    } else {
        encoded.to_string()
    }
}
