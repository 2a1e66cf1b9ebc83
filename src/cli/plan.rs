//! `taskcat plan`.

mod text;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use uuid::Uuid;

use super::AwsArgs;
use super::error::{CliError, ExitStatus};
use super::paths::path;
use super::project::{CliProject, argument};
use super::streams;
use crate::config::CommandLineValue;
use crate::plan::forecast::{ForecastCell, ForecastVerdict, PlanReport, RegionScope};

/// Predict for every test and region whether it would launch (offline).
///
/// Evaluates templates as CloudFormation does, nested ones included. A test would launch, would
/// fail (with the reason, file and line), or needs AWS for values that aren't known offline:
/// availability zones, stored values, exports. Exits with 1 if a test would fail.
#[derive(Args)]
pub(super) struct PlanArgs {
    /// Tests to evaluate, separated by commas; ALL evaluates every test of the configuration.
    #[arg(short, long, default_value = "ALL", value_name = "NAMES")]
    test_names: String,

    /// Regions to evaluate, separated by commas; ALL uses the regions of each test.
    #[arg(short, long, default_value = "ALL", value_name = "REGIONS")]
    regions: String,

    /// Evaluate the tests in every region of the partition. Only the regions of the tests count for
    /// the exit code.
    #[arg(long)]
    all_regions: bool,

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
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let mut project =
            CliProject::load(&self.project_root, &self.input_file, aws, self.arguments())?;
        project.follow_links = self.follow_links;
        project.trim(&self.test_names, &self.regions)?;
        // A constant ID makes the plan reproducible.
        let (draft, mut templates) = project.draft(Uuid::new_v5(&Uuid::nil(), b"taskcat plan"))?;
        project.refuse_bad_hooks(&draft, None)?;
        project.refuse_excluded(&draft)?;
        let regions = if self.all_regions {
            RegionScope::All
        } else {
            RegionScope::Declared
        };
        let forecast = project.forecast(&draft, &mut templates, regions)?;
        let refused = CliProject::refuse_unplannable(&draft);
        match self.format {
            PlanFormat::Text if refused.is_err() => {}
            PlanFormat::Text => streams::print(text::text(&forecast, self.all_regions)),
            PlanFormat::Json => {
                let report = PlanReport::of(&forecast, &project.root);
                let json = serde_json::to_string_pretty(&report);
                streams::print_line(json.map_err(|error| CliError::local("the plan", error))?);
            }
        }
        refused?;
        let fails =
            |cell: &ForecastCell| cell.is_declared && cell.verdict() == ForecastVerdict::WouldFail;
        Ok(if forecast.cells.iter().any(fails) {
            ExitStatus::Failed
        } else {
            ExitStatus::Passed
        })
    }

    fn arguments(&self) -> Vec<CommandLineValue> {
        // For tests without regions of their own.
        let regions = (self.regions != "ALL")
            .then(|| argument("project.regions", &self.regions, "--regions"));
        regions.into_iter().collect()
    }
}
