//! The forecast for programs: what `taskcat plan --format json` prints. Its shape is published as
//! `schemas/plan.schema.json`.

use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Forecast, ForecastCell, ForecastVerdict, UnknownUse};
use crate::diagnostic::Location;
use crate::plan::BucketKind;
use crate::template::{self, Value};

/// The version of the shape. It grows when a reader of the former shape would break.
const SCHEMA_VERSION: u32 = 1;

/// What would become of every test in every region, without AWS.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanReport {
    /// The version of this shape.
    pub schema_version: u32,
    pub taskcat_version: String,
    pub project: String,
    /// In the order of the configuration: test by test, region by region.
    cells: Vec<ForecastCellReport>,
    summary: VerdictCounts,
}

/// How many cells there are of each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerdictCounts {
    pub cells: usize,
    pub would_launch: usize,
    pub would_fail: usize,
    pub needs_aws: usize,
}

/// One test in one region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ForecastCellReport {
    test: String,
    region: String,
    /// Whether the configuration names the region for the test; with --all-regions others are there
    /// too.
    declared: bool,
    /// As a run would call it; the id of the run in it is another in each run.
    stack_name: String,
    /// Path of the template, relative to the project root.
    template: String,
    bucket: ForecastBucketReport,
    /// What the stack is given, by the parameter's key, in the template's order. Secrets are
    /// `****`, and what is drawn at random is drawn anew in each run.
    parameters: IndexMap<String, ParameterReport>,
    /// In the order in which they are sent; `taskcat-id` is another in each run.
    tags: IndexMap<String, String>,
    verdict: VerdictReport,
    /// Everything that CloudFormation would refuse; empty unless the cell would fail.
    failures: Vec<FailureReport>,
    /// What AWS would have to be asked.
    unknowns: Vec<UnknownReport>,
    /// What may fail for something that nobody knows before the stack is launched.
    possible_failures: Vec<FailureReport>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ForecastBucketReport {
    /// Of a bucket that taskcat makes, the end of the name depends on the account.
    name: String,
    kind: BucketKindReport,
}

#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum BucketKindReport {
    /// Made for the run and deleted with it.
    Auto,
    /// Made where it is missing, shared by later runs.
    RegionalAuto,
    /// The user's own.
    Given,
    /// The user's own name with the region, made where it is missing.
    RegionalGiven,
}

/// A parameter's value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum ParameterReport {
    /// As CreateStack takes it; a list is joined with commas.
    Known(String),
    /// Only AWS knows.
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
    /// In CloudFormation's words.
    message: String,
    #[serde(flatten)]
    at: LocationReport,
    /// The nested stacks that lead to the template, from the outermost.
    nested_in: Vec<NestedInReport>,
    /// Further places that have a part in it: where a parameter's value is set.
    notes: Vec<NoteReport>,
}

/// A place in a file. Lines and columns count from 1.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct LocationReport {
    /// Relative to the project root; absolute for a file outside of it.
    file: String,
    line: u32,
    column: u32,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct NestedInReport {
    logical_id: String,
    /// Of its `TemplateURL`.
    #[serde(flatten)]
    at: LocationReport,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct NoteReport {
    message: String,
    /// Absent where a value comes from the environment or the command line.
    at: Option<LocationReport>,
}

/// Something that only AWS knows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct UnknownReport {
    /// `availability zones of us-east-1`
    what: String,
    /// The parameters of the test whose value it is, or is part of.
    parameters: Vec<String>,
    /// What would fail, or might.
    possible_failures: Vec<FailureReport>,
}

/// The JSON Schema (2020-12) of the whole.
pub fn schema() -> schemars::Schema {
    crate::json_schema::of_output::<PlanReport>()
}

impl VerdictCounts {
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

    /// `UPDATE_SCHEMAS=1 cargo test --lib plan::forecast::model` writes the file anew.
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
