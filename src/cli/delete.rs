//! `taskcat delete`: deletes everything that taskcat has created, permanent stacks included.

use clap::Args;

use super::clean::{Deletion, DeletionArgs, SearchArgs};
use super::error::{CliError, ExitStatus};
use super::list::StackTypeChoice;
use super::{AwsArgs, Verbosity};
use crate::catalog;
use crate::diagnostic::{Diagnostic, Severity};
use crate::plan;
use crate::run::{OWN_REGION, SearchScope};

/// Delete permanent stacks, and what earlier test runs have left.
///
/// Finds stacks by the tags of taskcat: those that `taskcat deploy run` has created (by their
/// names), those that TaskCat's `deploy run` has installed (by the name of the installation, such
/// as `nifty-fox`), and those of test runs with their buckets. Nothing without these tags is
/// deleted, and no run that is in progress; see `taskcat test clean`.
///
/// On a terminal, shows what it has found and asks before deleting it. Without a terminal, ALL
/// needs --yes.
#[derive(Args)]
pub(super) struct DeleteArgs {
    /// Name of a permanent stack or installation, project name, run ID (or the beginning of one),
    /// or ALL.
    project: String,

    #[command(flatten)]
    place: SearchArgs,

    /// Search regions that taskcat doesn't know, too, instead of refusing them.
    #[arg(short, long)]
    no_verify: bool,

    /// Which stacks to delete: permanent ones (project), those of test runs, or ALL.
    #[arg(
        short,
        long,
        value_enum,
        ignore_case = true,
        default_value = "ALL",
        value_name = "TYPE"
    )]
    stack_type: StackTypeChoice,

    #[command(flatten)]
    deletion: DeletionArgs,
}

impl DeleteArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let search = self.place.search(aws);
        if !self.no_verify {
            refuse_unknown_regions(&search)?;
        }
        let deletion = Deletion {
            what: self.project,
            search,
            stack_type: self.stack_type.into(),
            args: self.deletion,
        };
        deletion.run(aws, verbosity)
    }
}

/// Refuses regions that aren't in the table, as TaskCat does: a misspelled one would be a search
/// that finds nothing.
fn refuse_unknown_regions(search: &SearchScope) -> Result<(), CliError> {
    let regions = search.regions.iter().flatten();
    let unknown = regions.filter(|it| *it != OWN_REGION && !catalog::is_known_region(it));
    let refused = unknown.map(|region| {
        let found = plan::unknown_region(region);
        let verify = "--no-verify searches regions that taskcat doesn't know, too";
        let help = match &found.help {
            Some(near) => format!("{near} ({verify})"),
            None => verify.to_owned(),
        };
        Diagnostic {
            severity: Severity::Error,
            help: Some(help),
            ..found
        }
    });
    let refused: Vec<_> = refused.collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(CliError::Diagnostics(refused))
    }
}
