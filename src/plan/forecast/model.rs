//! The forecast as JSON, for `taskcat plan --format json`. Its format is published as
//! `schemas/plan.schema.json`.

use std::path::Path;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{CellAssumption, Forecast, ForecastCell, ForecastVerdict, PossibleFailure};
use crate::diagnostic::{Diagnostic, Location};
use crate::plan::BucketKind;
use crate::template::{self, Assumption, Value};

/// The version of the format. Incremented when the format changes incompatibly.
const SCHEMA_VERSION: u32 = 2;

/// Predicted outcome of every test in every region.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlanReport {
    /// The version of this format.
    pub schema_version: u32,
    /// The version of taskcat.
    pub taskcat_version: String,
    /// The project's name; null if the project could not be read.
    pub project: Option<String>,
    /// One entry per test and region, in the order of the configuration: test by test, region by
    /// region.
    cells: Vec<ForecastCellReport>,
    summary: VerdictCounts,
    /// Why nothing could be planned; empty otherwise.
    errors: Vec<ErrorReport>,
}

/// An error in the configuration or on the command line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ErrorReport {
    message: String,
    /// The location; absent for an error that isn't in a file.
    at: Option<LocationReport>,
    /// What to do about it.
    help: Option<String>,
}

/// The number of cells per verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerdictCounts {
    /// All cells, each one test in one region.
    pub cells: usize,
    /// Cells that would launch.
    pub would_launch: usize,
    /// Cells that would launch if their assumptions hold.
    pub would_launch_if: usize,
    /// Cells that would fail.
    pub would_fail: usize,
    /// Cells with a part that depends on something unknown and would fail.
    pub undecided: usize,
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
    /// The tests and regions, as `test/region`, whose stacks must be complete before the launch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    bucket: ForecastBucketReport,
    /// The stack's parameter values by parameter name, in the template's order. Secrets are `****`;
    /// random values differ in each run.
    parameters: IndexMap<String, ParameterReport>,
    /// The tags in the order in which they are sent; `taskcat-id` differs in each run.
    tags: IndexMap<String, String>,
    verdict: VerdictReport,
    /// Everything that CloudFormation would refuse; empty unless the cell would fail.
    failures: Vec<FailureReport>,
    /// What must hold in AWS for the stack to be launched, except for what holds in practically
    /// every account.
    assumptions: Vec<AssumptionReport>,
    /// Failures that depend on something unknown.
    possible_failures: Vec<PossibleFailureReport>,
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
    /// The stack would be launched.
    WouldLaunch,
    /// The stack would be launched if its assumptions hold.
    WouldLaunchIf,
    /// CloudFormation would refuse the stack.
    WouldFail,
    /// A part of the template that depends on something unknown would fail.
    Undecided,
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

/// A failure that depends on something unknown.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct PossibleFailureReport {
    #[serde(flatten)]
    failure: FailureReport,
    /// What isn't known, such as `AWS::AccountId`.
    depends_on: Vec<String>,
    /// Whether it certainly fails in a part of the template that depends on something unknown, so
    /// that the cell is undecided. Otherwise an unknown value would have to be an unsuitable one.
    certain_in_branch: bool,
}

/// What must hold in AWS for a stack to be launched.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct AssumptionReport {
    /// What it is about.
    #[serde(flatten)]
    subject: AssumptionSubject,
    /// Its description, such as ``key pair `cikey` exists in eu-west-1``.
    text: String,
    /// The test's parameters whose values need it.
    parameters: Vec<String>,
}

/// What an assumption is about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum AssumptionSubject {
    /// A region has a number of Availability Zones.
    AvailabilityZones {
        region: String,
        count: usize,
        /// IDs of zones that don't count.
        excluded: Vec<String>,
    },
    /// A key pair exists.
    KeyPair { region: String, name: String },
    /// Something else that the type of a parameter names exists.
    Resource {
        region: String,
        /// The parameter's type, such as `AWS::EC2::VPC::Id`.
        #[serde(rename = "type")]
        parameter_type: String,
        name: String,
    },
    /// An SSM parameter is set.
    SsmParameter { region: String, name: String },
    /// A secret exists.
    Secret { region: String, name: String },
    /// An export exists.
    Export { region: String, name: String },
    /// A stack has an output.
    StackOutput {
        region: String,
        /// The stack's name or ARN.
        stack: String,
        /// The output's logical ID.
        name: String,
    },
    /// An S3 object exists.
    Object { bucket: String, key: String },
    /// An object exists at a URL that taskcat doesn't understand.
    Url { url: String },
    /// The account has a macro.
    Macro { region: String, name: String },
    /// The region offers a resource type.
    ResourceType { region: String, name: String },
    /// An unknown value is what the template requires.
    Value {
        /// The requirement in words.
        requirement: String,
    },
}

/// Returns the JSON Schema (2020-12) of the report.
pub fn schema() -> schemars::Schema {
    crate::json_schema::of_output::<PlanReport>("plan")
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
                ForecastVerdict::WouldLaunchIf => &mut summary.would_launch_if,
                ForecastVerdict::Undecided => &mut summary.undecided,
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
            project: Some(forecast.project.clone()),
            cells: forecast
                .cells
                .iter()
                .map(|cell| reporter.cell(cell))
                .collect(),
            summary: VerdictCounts::of(&forecast.cells),
            errors: Vec::new(),
        }
    }

    /// Creates the report of a project that can't be planned.
    pub fn of_errors(errors: &[Diagnostic], project_root: &Path) -> Self {
        let reporter = PlanReporter { project_root };
        let report = |error: &Diagnostic| ErrorReport {
            message: error.message.clone(),
            at: error.location.as_ref().map(|at| reporter.place(at)),
            help: error.help.clone(),
        };
        Self {
            schema_version: SCHEMA_VERSION,
            taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
            project: None,
            cells: Vec::new(),
            summary: VerdictCounts::default(),
            errors: errors.iter().map(report).collect(),
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
            depends_on: cell.dependencies.iter().map(ToString::to_string).collect(),
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
                ForecastVerdict::WouldLaunchIf => VerdictReport::WouldLaunchIf,
                ForecastVerdict::Undecided => VerdictReport::Undecided,
            },
            failures: self.failures(&cell.failures),
            assumptions: cell
                .notable_assumptions()
                .map(|it| assumption(it, &cell.region))
                .collect(),
            possible_failures: cell.possible.iter().map(|it| self.possible(it)).collect(),
        }
    }

    fn possible(&self, possible: &PossibleFailure) -> PossibleFailureReport {
        PossibleFailureReport {
            failure: self.failure(&possible.failure),
            depends_on: possible.depends_on.clone(),
            certain_in_branch: possible.is_certain_in_branch,
        }
    }

    fn failures(&self, failures: &[template::Failure]) -> Vec<FailureReport> {
        failures
            .iter()
            .map(|failure| self.failure(failure))
            .collect()
    }

    fn failure(&self, failure: &template::Failure) -> FailureReport {
        FailureReport {
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
        }
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

/// Converts an assumption of a cell in `region`. One whose text had to be masked contains a secret,
/// and only its text is reported.
fn assumption(it: &CellAssumption, region: &str) -> AssumptionReport {
    let in_region = || region.to_owned();
    let subject = match &it.assumption {
        secret if secret.described(region) != it.text => AssumptionSubject::Value {
            requirement: it.text.clone(),
        },
        Assumption::AvailabilityZones {
            region,
            count,
            excluded,
        } => AssumptionSubject::AvailabilityZones {
            region: region.clone(),
            count: *count,
            excluded: excluded.clone(),
        },
        Assumption::Named {
            parameter_type,
            name,
        } => named(parameter_type, name, in_region()),
        Assumption::SsmParameter { name } => AssumptionSubject::SsmParameter {
            region: in_region(),
            name: name.clone(),
        },
        Assumption::Secret { id } => AssumptionSubject::Secret {
            region: in_region(),
            name: id.clone(),
        },
        Assumption::Export { name } => AssumptionSubject::Export {
            region: in_region(),
            name: name.clone(),
        },
        Assumption::StackOutput {
            stack,
            output,
            region,
        } => AssumptionSubject::StackOutput {
            region: region.clone().unwrap_or_else(in_region),
            stack: stack.clone(),
            name: output.clone(),
        },
        Assumption::Object { bucket, key } => AssumptionSubject::Object {
            bucket: bucket.clone(),
            key: key.clone(),
        },
        Assumption::Url { url } => AssumptionSubject::Url { url: url.clone() },
        Assumption::Macro { name } => AssumptionSubject::Macro {
            region: in_region(),
            name: name.clone(),
        },
        Assumption::ResourceType { name } => AssumptionSubject::ResourceType {
            region: in_region(),
            name: name.clone(),
        },
        Assumption::Value { requirement } => AssumptionSubject::Value {
            requirement: requirement.clone(),
        },
    };
    AssumptionReport {
        subject,
        text: it.text.clone(),
        parameters: it.parameters.clone(),
    }
}

fn named(parameter_type: &str, name: &str, region: String) -> AssumptionSubject {
    let name = name.to_owned();
    if parameter_type == "AWS::EC2::KeyPair::KeyName" {
        AssumptionSubject::KeyPair { region, name }
    } else {
        AssumptionSubject::Resource {
            region,
            parameter_type: parameter_type.to_owned(),
            name,
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
