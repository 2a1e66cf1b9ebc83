//! Findings as a JSON array, an object each.

use serde_json::{Map, Value, json};

use super::{LintResult, slashed};
use crate::lint::Finding;

/// Returns the findings as JSON. `tests`, `regions` and `cells` are there if a finding doesn't hold
/// for all tests and regions that use the template.
pub(crate) fn json(report: &LintResult) -> String {
    let findings: Vec<Value> = report.findings.iter().map(object).collect();
    serde_json::to_string_pretty(&findings).unwrap_or_default() + "\n"
}

fn object(finding: &Finding) -> Value {
    let at = finding.location.at;
    let mut object = Map::new();
    object.insert("file".to_owned(), slashed(&finding.template).into());
    object.insert("line".to_owned(), at.line.into());
    object.insert("column".to_owned(), at.column.into());
    object.insert("rule".to_owned(), finding.rule.clone().into());
    object.insert("severity".to_owned(), finding.level.name().into());
    object.insert("message".to_owned(), finding.message.clone().into());
    let description = &finding.short_description;
    if !description.is_empty() {
        object.insert("description".to_owned(), description.clone().into());
    }
    if let Some(resource) = &finding.resource {
        object.insert("resource".to_owned(), resource.clone().into());
    }
    let cells = &finding.only_in;
    if !cells.is_empty() {
        let tests = distinct(cells.iter().map(|cell| &*cell.test));
        let regions = distinct(cells.iter().map(|cell| &*cell.region));
        object.insert("tests".to_owned(), tests);
        object.insert("regions".to_owned(), regions);
        let cells = cells
            .iter()
            .map(|cell| json!({"test": &*cell.test, "region": &*cell.region}));
        object.insert("cells".to_owned(), cells.collect());
    }
    object.into()
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    let mut known: Vec<&str> = Vec::new();
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    known.into()
}
