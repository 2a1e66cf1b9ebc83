//! `taskcat test resume`.

use std::path::PathBuf;

use clap::Args;

use super::clean::SearchArgs;
use super::error::{CliError, ExitStatus, exit_of};
use super::paths::path;
use super::{AwsArgs, Verbosity, block_on, output, remains};
use crate::duration::HumanDuration;
use crate::plan::TestLimits;
use crate::report::folder::Folder;
use crate::report::{self, terminal};
use crate::run::{
    self, CleanRequest, ResumeError, ResumeRequest, Resumption, RunSettings, StackType,
};

/// Follow, report and delete the stacks of a run that was killed.
///
/// Continues where the run was killed, from its journal or, without one, from the tags of its
/// stacks. Tests whose stacks had not been created, or whose posthooks had not run, count as
/// interrupted.
#[derive(Args)]
pub(super) struct ResumeArgs {
    /// ID of the run.
    run_id: String,

    #[command(flatten)]
    place: SearchArgs,

    /// Root of the project, which holds the journal.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Directory for the reports [default: that of the run, if its journal names it].
    #[arg(short, long, value_name = "DIR", value_parser = path())]
    output_directory: Option<PathBuf>,

    /// As a last resort, delete stacks but retain the resources that cannot be deleted.
    #[arg(long)]
    force_delete: bool,

    /// Time limit for a stack to reach a final status [default: 12h].
    #[arg(long, value_name = "DURATION")]
    timeout: Option<HumanDuration>,

    /// Time limit for the deletion of a stack, retries included [default: 3h].
    #[arg(long, value_name = "DURATION")]
    delete_timeout: Option<HumanDuration>,
}

impl ResumeArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let request = self.request(aws, endpoint);
            let resumption = match Resumption::find(&request, &clients).await {
                Ok(found) => found,
                Err(error) => return Err(refused(error)),
            };
            resumption
                .warnings
                .iter()
                .for_each(|warning| output::warning(warning));
            let folder = self
                .output_directory
                .clone()
                .or_else(|| resumption.output().map(PathBuf::from));
            let folder = folder.unwrap_or_else(|| PathBuf::from("./taskcat_outputs"));
            let recorded = report::events::read(&folder.join("events.ndjson"))
                .ok()
                .filter(|events| resumption.is_record(events));
            let _claimed = Folder::claim(&folder)?;
            let mut consumers = report::files(&folder).map_err(CliError::unwritten)?;
            let index = folder.join("index.html").display().to_string();
            consumers.push(terminal::consumer(output::view(
                verbosity,
                false,
                Some(index),
            )));
            let resumed = run::resume(
                resumption,
                &request,
                recorded.unwrap_or_default(),
                &clients,
                consumers,
            )
            .await;
            let ended = resumed.map_err(refused)?;
            remains::report(&ended, aws);
            Ok(exit_of(&ended))
        })
    }

    fn request(&self, aws: &AwsArgs, endpoint: Option<String>) -> ResumeRequest {
        let output = self
            .output_directory
            .clone()
            .unwrap_or_else(|| PathBuf::from("./taskcat_outputs"));
        let default = TestLimits::default();
        ResumeRequest {
            find: CleanRequest {
                what: self.run_id.clone(),
                search: self.place.search(aws),
                folders: remains::journal_folders(&self.project_root, Some(&output)),
                endpoint,
                include_running: false,
                older_than: None,
                stack_type: StackType::Test,
                stacks_only: false,
            },
            limits: TestLimits {
                test: self.timeout.map_or(default.test, |it| it.0),
                deletion: self.delete_timeout.map_or(default.deletion, |it| it.0),
                ..default
            },
            settings: RunSettings {
                force_delete: self.force_delete,
                ..RunSettings::default()
            },
        }
    }
}

fn refused(error: ResumeError) -> CliError {
    match error {
        ResumeError::Search(error) => error.into(),
        error @ ResumeError::Journal(_) => CliError::unwritten(error),
        error => CliError::Usage(error.to_string()),
    }
}
