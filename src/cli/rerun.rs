//! `taskcat test run --rerun-failed`: what the last run didn't pass.

use std::path::Path;

use serde::Deserialize;

use super::error::CliError;
use super::project::CliProject;
use crate::diagnostic::Diagnostic;
use crate::event::CellId;
use crate::input;
use crate::spelling::did_you_mean_one_of;

/// The parts of a `report.json` that are used.
#[derive(Deserialize)]
struct EarlierReport {
    cells: Vec<EarlierCell>,
    /// `passed` if no test failed.
    verdict: String,
}

#[derive(Deserialize)]
struct EarlierCell {
    #[serde(flatten)]
    id: CellId,
    state: String,
}

/// Returns the tests and regions that the last run did not pass: failed, interrupted or skipped.
///
/// # Errors
/// There is no report, it can't be read, or its run didn't start.
pub(super) fn not_passed(folder: &Path) -> Result<Vec<CellId>, CliError> {
    let shown = folder.display();
    let refused = |message: String, help: &str| {
        CliError::Diagnostics(vec![Diagnostic::error(message).help(help)])
    };
    let file = folder.join("report.json");
    if !file.exists() {
        return Err(refused(
            format!("--rerun-failed: there is no report of an earlier run in {shown}"),
            "run the tests without --rerun-failed first, or name the directory of the report with \
             -o DIR",
        ));
    }
    let bytes = input::read(&file, input::RECORD)
        .map_err(|error| CliError::local(format_args!("cannot read {}", file.display()), error))?;
    let report: EarlierReport = serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!(
            "--rerun-failed: {} is not a report: {error}",
            file.display()
        );
        refused(message, "run the tests without --rerun-failed")
    })?;
    if report.cells.is_empty() && report.verdict != "passed" {
        return Err(refused(
            format!("--rerun-failed: the last run in {shown} ended before its tests were known"),
            "run the tests without --rerun-failed",
        ));
    }
    let not_passed = report.cells.into_iter().filter(|it| it.state != "passed");
    Ok(not_passed.map(|it| it.id).collect())
}

impl CliProject {
    /// Refuses tests and regions of an earlier run that the configuration no longer has.
    pub(super) fn refuse_removed(&self, cells: &[CellId]) -> Result<(), CliError> {
        let tests = &self.loaded.config.tests;
        let known: Vec<&str> = tests.keys().map(String::as_str).collect();
        let mut refused: Vec<Diagnostic> = Vec::new();
        for cell in cells {
            let CellId { test, region } = cell;
            let diagnostic = match tests.get(&**test) {
                None => {
                    let message = format!(
                        "--rerun-failed: the configuration no longer has the test `{test}`"
                    );
                    Diagnostic::error(message).help(did_you_mean_one_of(test, &known))
                }
                Some(config) if !has_region(config.regions.as_deref(), region) => {
                    let message = format!(
                        "--rerun-failed: test `{test}` no longer has the region `{region}`"
                    );
                    Diagnostic::error(message).help("run the test without --rerun-failed")
                }
                Some(_) => continue,
            };
            if !refused.contains(&diagnostic) {
                refused.push(diagnostic);
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(CliError::Diagnostics(refused))
        }
    }
}

fn has_region(regions: Option<&[String]>, region: &str) -> bool {
    regions.into_iter().flatten().any(|it| it == region)
}
