//! `taskcat test clean` and `taskcat test list`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::error::{CliError, Exit, exit_of};
use super::{AwsArgs, Verbosity, block_on, listed, output};
use crate::aws::DEFAULT_PROFILE;
use crate::run::{self, CleanRequest, Search};

#[derive(Args)]
pub(super) struct Clean {
    /// A project's name, the id of a run, or ALL.
    project: String,

    #[command(flatten)]
    place: Place,

    /// Root of the project, where killed runs have left their journals.
    #[arg(short, long, default_value = "./", value_name = "DIR")]
    project_root: PathBuf,

    /// Wait until the stacks are gone.
    #[arg(short, long)]
    wait_for_delete: bool,
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
struct Place {
    /// AWS profile to search with; --profile does the same.
    #[arg(short, long, value_name = "NAME")]
    aws_profile: Option<String>,

    /// Regions to search, separated by commas; ALL searches every region that the account has enabled.
    #[arg(short, long, default_value = "ALL", value_name = "REGIONS")]
    region: String,
}

impl Place {
    fn search(&self, aws: &AwsArgs) -> Search {
        let profile = self.aws_profile.as_deref().or(aws.profile.as_deref()).unwrap_or(DEFAULT_PROFILE);
        Search { profile: profile.to_owned(), regions: listed(&self.region) }
    }
}

impl Clean {
    pub fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<Exit, CliError> {
        block_on(async {
            let (clients, endpoint) = aws.connect()?;
            let search = self.place.search(aws);
            let request = CleanRequest {
                what: self.project,
                wait: self.wait_for_delete,
                project_root: self.project_root,
                endpoint,
                search,
            };
            let cleaned = run::clean(&request, &clients, vec![output::terminal(verbosity, false, None)]).await;
            let ended = cleaned.map_err(|error| CliError::Aws { profile: request.search.profile.clone(), error })?;
            Ok(exit_of(&ended))
        })
    }
}

impl List {
    /// One line a run and region: its project, id, region, and how many of its stacks stand.
    pub fn run(self, aws: &AwsArgs) -> Result<Exit, CliError> {
        block_on(async {
            let (clients, _) = aws.connect()?;
            let search = self.place.search(aws);
            let (stacks, warnings) = run::find_stacks(&search, &clients)
                .await
                .map_err(|error| CliError::Aws { profile: search.profile.clone(), error })?;
            warnings.iter().for_each(|warning| output::warning(warning));
            let mut runs: BTreeMap<_, usize> = BTreeMap::new();
            for stack in &stacks {
                *runs.entry((stack.project(), stack.run_id(), stack.region())).or_default() += 1;
            }
            let width = runs.keys().map(|(project, ..)| project.len()).max().unwrap_or_default().max("PROJECT".len());
            anstream::println!("{:width$}  {:32}  {:14}  STACKS", "PROJECT", "ID", "REGION");
            for ((project, id, region), count) in runs {
                anstream::println!("{project:width$}  {id:32}  {region:14}  {count}");
            }
            Ok(Exit::Passed)
        })
    }
}
