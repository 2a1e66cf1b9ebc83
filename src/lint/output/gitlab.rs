//! Findings as GitLab's code quality report
//! (<https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>).

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LintResult, full_message, slashed};
use crate::lint::FindingLevel;

/// Returns the report.
pub(crate) fn gitlab(report: &LintResult) -> String {
    let mut known: HashMap<String, usize> = HashMap::new();
    let issues = report.findings.iter().map(|finding| {
        let file = slashed(&finding.template);
        let description = full_message(finding);
        // Without the line, so that an edit above doesn't make the finding a new one.
        let identity = format!("{}\0{file}\0{description}", finding.rule);
        let count = known.entry(identity.clone()).or_default();
        *count += 1;
        let fingerprint = Sha256::digest(format!("{identity}\0{count}"));
        json!({
            "description": format!("{}: {description}", finding.rule),
            "check_name": finding.rule,
            "fingerprint": hex::encode(fingerprint),
            "severity": match finding.level {
                FindingLevel::Error => "major",
                FindingLevel::Warning => "minor",
                FindingLevel::Info => "info",
            },
            "location": {
                "path": file,
                "lines": {"begin": finding.location.at.line},
            },
        })
    });
    let issues: Vec<Value> = issues.collect();
    serde_json::to_string_pretty(&issues).unwrap_or_default() + "\n"
}
