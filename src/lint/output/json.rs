//! Findings as a JSON array, an object each. Its format is that of [`JsonFinding`], published as
//! `schemas/lint.schema.json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{LintResult, slashed};
use crate::event::CellId;
use crate::lint::{Finding, FindingLevel};

/// What is wrong with a template.
#[derive(Serialize, JsonSchema)]
struct JsonFinding<'a> {
    /// The template, relative to the project root.
    file: String,
    /// The line, from 1.
    line: u32,
    /// The column in characters, from 1.
    column: u32,
    /// ID of the rule: `E3002`.
    rule: &'a str,
    severity: JsonSeverity,
    message: &'a str,
    /// What the rule is about.
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    /// Logical ID of the resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    /// The tests that it holds for; absent if it holds for all that use the template.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tests: Vec<&'a str>,
    /// The regions that it holds for; absent if it holds for all of the tests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regions: Vec<&'a str>,
    /// The tests and regions that it holds for; absent if it holds for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cells: Vec<JsonCell<'a>>,
}

/// A test in a region.
#[derive(Serialize, JsonSchema)]
struct JsonCell<'a> {
    test: &'a str,
    region: &'a str,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum JsonSeverity {
    Error,
    Warning,
    Info,
}

/// Returns the findings as JSON.
pub(crate) fn json(report: &LintResult) -> String {
    let findings: Vec<JsonFinding> = report.findings.iter().map(JsonFinding::of).collect();
    serde_json::to_string_pretty(&findings).unwrap_or_default() + "\n"
}

impl<'a> JsonFinding<'a> {
    fn of(finding: &'a Finding) -> Self {
        let at = finding.location.at;
        let cells = &finding.only_in;
        let cell = |it: &'a CellId| JsonCell {
            test: &it.test,
            region: &it.region,
        };
        Self {
            file: slashed(&finding.template),
            line: at.line,
            column: at.column,
            rule: &finding.rule,
            severity: match finding.level {
                FindingLevel::Error => JsonSeverity::Error,
                FindingLevel::Warning => JsonSeverity::Warning,
                FindingLevel::Info => JsonSeverity::Info,
            },
            message: &finding.message,
            description: &finding.short_description,
            resource: finding.resource.as_deref(),
            tests: distinct(cells.iter().map(|cell| &*cell.test)),
            regions: distinct(cells.iter().map(|cell| &*cell.region)),
            cells: cells.iter().map(cell).collect(),
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Run `UPDATE_SCHEMAS=1 cargo test --lib lint::output` to regenerate the file.
    #[test]
    fn the_published_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/lint.schema.json");
        let schema = crate::json_schema::of_output::<Vec<JsonFinding>>("lint");
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), current);
    }
}
