//! `taskcat plan`.

mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::project::CliProject;
use super::selection::SelectionArgs;
use super::streams;
use super::{AwsArgs, block_on, check};
use crate::lint;
use crate::plan::forecast::{
    Facts, Forecast, ForecastCell, ForecastVerdict, PlanReport, RegionScope,
};

/// Predict for every test and region whether it would launch (offline).
///
/// Evaluates templates as CloudFormation does, nested ones included. A test would launch, would
/// launch if assumptions about the account hold (a key pair exists, an SSM parameter is set), would
/// fail (with the reason, file and line), or is undecided if a part that depends on something
/// unknown would fail. Exits with 1 if a test would fail.
#[derive(Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    selection: SelectionArgs,

    /// Evaluate the tests in every region of the partition. Only the regions of the tests count for
    /// the exit code.
    #[arg(long)]
    all_regions: bool,

    /// Ask AWS, read-only, whether the assumptions hold.
    #[arg(long)]
    check: bool,

    /// Exit with 1 for undecided tests as well.
    #[arg(long)]
    strict: bool,

    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    input_file: PathBuf,

    /// Root of the project.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Don't check the properties of resources with the engine of `taskcat lint`.
    #[arg(short, long)]
    lint_disable: bool,

    /// Output format.
    #[arg(short, long, value_enum, default_value_t = PlanFormat::Text)]
    format: PlanFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum PlanFormat {
    Text,
    Json,
}

impl PlanArgs {
    /// Returns the arguments for all tests of a configuration.
    pub(super) fn of(project_root: PathBuf, input_file: PathBuf) -> Self {
        Self {
            selection: SelectionArgs::all(),
            all_regions: false,
            check: false,
            strict: false,
            input_file,
            project_root,
            follow_links: false,
            lint_disable: false,
            format: PlanFormat::Text,
        }
    }

    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        if !self.lint_disable {
            lint::prepare_schemas();
        }
        let mut root = PathBuf::new();
        let planned = self.planned(aws, &mut root).inspect_err(|error| {
            if matches!(self.format, PlanFormat::Json) {
                let report = PlanReport::of_errors(&error.diagnostics(), &root);
                // The error itself is what the caller must see.
                _ = print_json(&report);
            }
        })?;
        let Some(planned) = planned else {
            if matches!(self.format, PlanFormat::Json) {
                print_json(&PlanReport::of_errors(&[], &root))?;
            }
            return Ok(ExitStatus::Passed);
        };
        match self.format {
            PlanFormat::Text if planned.refused.is_err() => {}
            PlanFormat::Text => {
                streams::print(text::text(&planned.forecast, self.all_regions));
            }
            PlanFormat::Json => print_json(&PlanReport::of(&planned.forecast, &root))?,
        }
        planned.refused?;
        let fails = |cell: &ForecastCell| {
            let verdict = cell.verdict();
            let is_refused = verdict == ForecastVerdict::WouldFail
                || self.strict && verdict == ForecastVerdict::Undecided;
            cell.is_declared && is_refused
        };
        Ok(if planned.forecast.cells.iter().any(fails) {
            ExitStatus::Failed
        } else {
            ExitStatus::Passed
        })
    }

    /// Predicts every test and region, and sets `root` to the project's as soon as it is known.
    /// `None` if the selection leaves none.
    fn planned(
        &self,
        aws: &AwsArgs,
        root: &mut PathBuf,
    ) -> Result<Option<PlannedProject>, CliError> {
        let mut project = CliProject::load(
            &self.project_root,
            &self.input_file,
            aws,
            self.selection.arguments(),
        )?;
        root.clone_from(&project.root);
        project.follow_links = self.follow_links;
        if !self.selection.apply(&mut project)? {
            return Ok(None);
        }
        // A constant ID makes the plan reproducible.
        let run_id = Uuid::new_v5(&Uuid::nil(), b"taskcat plan");
        let (mut draft, mut templates) = project.draft(run_id)?;
        project.add_earlier_versions(&mut draft, run_id)?;
        project.mark_bad_hooks(&mut draft, None);
        project.mark_excluded(&mut draft)?;
        let regions = if self.all_regions {
            RegionScope::All
        } else {
            RegionScope::Declared
        };
        let facts = if self.check {
            let (clients, _) = aws.connect(Some(&project.loaded.config))?;
            block_on(check::facts(&project, &draft, &mut templates, &clients))?
        } else {
            Facts::default()
        };
        let mut forecast = project.forecast_with(&draft, &mut templates, regions, &facts)?;
        if !self.lint_disable {
            project.check_properties(&mut forecast, &templates)?;
        }
        Ok(Some(PlannedProject {
            forecast,
            refused: CliProject::refuse_unplannable(&draft),
        }))
    }
}

/// What is predicted for a project.
struct PlannedProject {
    forecast: Forecast,
    /// An error if no test can be planned.
    refused: Result<(), CliError>,
}

fn print_json(report: &PlanReport) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(report);
    streams::print_line(json.map_err(|error| CliError::local("the plan", error))?);
    Ok(())
}
