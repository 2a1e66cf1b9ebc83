//! The forecast as JSON, for `taskcat plan --format json`. Its format is published as
//! `schemas/plan.schema.json`.

use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Forecast, ForecastCell, ForecastVerdict, UnknownUse};
use crate::diagnostic::Location;
use crate::plan::BucketKind;
use crate::template::{self, Value};

/// The version of the format. Incremented when the format changes incompatibly.
const SCHEMA_VERSION: u32 = 1;

/// Predicted outcome of every test in every region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanReport {
    /// The version of this format.
    pub schema_version: u32,
    /// The version of taskcat.
    pub taskcat_version: String,
    /// The project's name.
    pub project: String,
    /// One entry per test and region, in the order of the configuration: test by test, region by
    /// region.
    cells: Vec<ForecastCellReport>,
    summary: VerdictCounts,
}

/// The number of cells per verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerdictCounts {
    /// All cells, each one test in one region.
    pub cells: usize,
    /// Cells that would launch.
    pub would_launch: usize,
    /// Cells that would fail.
    pub would_fail: usize,
    /// Cells for which only AWS can decide.
    pub needs_aws: usize,
}

/// A test in a region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ForecastCellReport {
    test: String,
    region: String,
    /// Whether the configuration names the region for the test; false for regions added by
    /// --all-regions.
    declared: bool,
    /// The stack's name; the run ID in it differs in each run.
    stack_name: String,
    /// Path of the template, relative to the project root.
    template: String,
    bucket: ForecastBucketReport,
    /// The stack's parameter values by parameter name, in the template's order. Secrets are `****`;
    /// random values differ in each run.
    parameters: IndexMap<String, ParameterReport>,
    /// The tags in the order in which they are sent; `taskcat-id` differs in each run.
    tags: IndexMap<String, String>,
    verdict: VerdictReport,
    /// Everything that CloudFormation would refuse; empty unless the cell would fail.
    failures: Vec<FailureReport>,
    /// What only AWS knows.
    unknowns: Vec<UnknownReport>,
    /// Failures that depend on something unknown until the stack is launched.
    possible_failures: Vec<FailureReport>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ForecastBucketReport {
    /// The bucket's name. For a bucket that taskcat creates, its suffix depends on the account.
    name: String,
    kind: BucketKindReport,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BucketKindReport {
    /// Created for the run and deleted with it.
    Auto,
    /// Created if missing, shared by later runs.
    RegionalAuto,
    /// The user's own.
    Given,
    /// The user's bucket name with the region appended; created if missing.
    RegionalGiven,
}

/// A parameter's value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ParameterReport {
    /// The value as CreateStack takes it; a list is joined with commas.
    Known(String),
    /// A value that only AWS knows.
    Unknown {
        #[serde(rename = "Unknown")]
        unknown: String,
    },
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum VerdictReport {
    WouldLaunch,
    WouldFail,
    NeedsAws,
}

/// Why a stack can't be launched.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct FailureReport {
    /// CloudFormation's message.
    message: String,
    #[serde(flatten)]
    at: LocationReport,
    /// The nested stacks that lead to the template, outermost first.
    nested_in: Vec<NestedInReport>,
    /// Other locations involved, such as where a parameter's value is set.
    notes: Vec<NoteReport>,
}

/// A location in a file. Lines and columns count from 1.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct LocationReport {
    /// The file, relative to the project root; absolute for a file outside of it.
    file: String,
    line: u32,
    column: u32,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct NestedInReport {
    logical_id: String,
    /// Location of its `TemplateURL`.
    #[serde(flatten)]
    at: LocationReport,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct NoteReport {
    message: String,
    /// The location; absent for a value from the environment or the command line.
    at: Option<LocationReport>,
}

/// Something that only AWS knows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct UnknownReport {
    /// What it is, such as `availability zones of us-east-1`.
    what: String,
    /// The test's parameters whose value depends on it.
    parameters: Vec<String>,
    /// What would fail, or may.
    possible_failures: Vec<FailureReport>,
}

/// Returns the JSON Schema (2020-12) of the report.
pub fn schema() -> schemars::Schema {
    crate::json_schema::of_output::<PlanReport>()
}

impl VerdictCounts {
    /// Counts the verdicts.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a ForecastCell>) -> Self {
        let mut summary = Self::default();
        for cell in cells {
            summary.cells += 1;
            *match cell.verdict() {
                ForecastVerdict::WouldLaunch => &mut summary.would_launch,
                ForecastVerdict::WouldFail => &mut summary.would_fail,
                ForecastVerdict::NeedsAws => &mut summary.needs_aws,
            } += 1;
        }
        summary
    }
}

impl PlanReport {
    /// Converts a forecast; files are named relative to `project_root`.
    pub fn of(forecast: &Forecast, project_root: &Path) -> Self {
        let reporter = PlanReporter { project_root };
        Self {
            schema_version: SCHEMA_VERSION,
            taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
            project: forecast.project.clone(),
            cells: forecast
                .cells
                .iter()
                .map(|cell| reporter.cell(cell))
                .collect(),
            summary: VerdictCounts::of(&forecast.cells),
        }
    }
}

struct PlanReporter<'a> {
    project_root: &'a Path,
}

impl PlanReporter<'_> {
    fn cell(&self, cell: &ForecastCell) -> ForecastCellReport {
        ForecastCellReport {
            test: cell.test.clone(),
            region: cell.region.clone(),
            declared: cell.is_declared,
            stack_name: cell.stack_name.clone(),
            template: cell.template.clone(),
            bucket: ForecastBucketReport {
                name: cell.bucket.name.clone(),
                kind: match cell.bucket.kind {
                    BucketKind::Auto => BucketKindReport::Auto,
                    BucketKind::RegionalAuto => BucketKindReport::RegionalAuto,
                    BucketKind::Given => BucketKindReport::Given,
                    BucketKind::RegionalGiven => BucketKindReport::RegionalGiven,
                },
            },
            parameters: cell
                .parameters
                .iter()
                .map(|(key, value)| (key.clone(), parameter(value)))
                .collect(),
            tags: cell.tags.iter().cloned().collect(),
            verdict: match cell.verdict() {
                ForecastVerdict::WouldLaunch => VerdictReport::WouldLaunch,
                ForecastVerdict::WouldFail => VerdictReport::WouldFail,
                ForecastVerdict::NeedsAws => VerdictReport::NeedsAws,
            },
            failures: self.failures(&cell.failures),
            unknowns: cell
                .needs
                .iter()
                .map(|(what, need)| self.unknown(what, need))
                .collect(),
            possible_failures: self.failures(&cell.possible),
        }
    }

    fn unknown(&self, what: &str, need: &UnknownUse) -> UnknownReport {
        let (what, parameters) = (what.to_owned(), need.parameters.clone());
        UnknownReport {
            what,
            parameters,
            possible_failures: self.failures(&need.failures),
        }
    }

    fn failures(&self, failures: &[template::Failure]) -> Vec<FailureReport> {
        let report = |failure: &template::Failure| FailureReport {
            message: failure.message.clone(),
            at: self.place(&failure.at),
            nested_in: failure
                .nested_in
                .iter()
                .map(|it| NestedInReport {
                    logical_id: it.logical_id.clone(),
                    at: self.place(&it.at),
                })
                .collect(),
            notes: failure
                .notes
                .iter()
                .map(|it| NoteReport {
                    message: it.message.clone(),
                    at: it.at.as_ref().map(|at| self.place(at)),
                })
                .collect(),
        };
        failures.iter().map(report).collect()
    }

    fn place(&self, location: &Location) -> LocationReport {
        let file = location
            .file
            .strip_prefix(self.project_root)
            .unwrap_or(&location.file);
        LocationReport {
            file: file.display().to_string(),
            line: location.at.line,
            column: location.at.column,
        }
    }
}

fn parameter(value: &Value) -> ParameterReport {
    match value.unknown() {
        Some(unknown) => ParameterReport::Unknown {
            unknown: unknown.to_string(),
        },
        None => ParameterReport::Known(value.as_text().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Run `UPDATE_SCHEMAS=1 cargo test --lib plan::forecast::model` to regenerate the file.
    #[test]
    fn the_published_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/plan.schema.json");
        let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), current);
    }
}
