//! `taskcat test` and its subcommands.

use clap::Subcommand;

use super::clean::CleanArgs;
use super::error::{CliError, ExitStatus};
use super::list::TestListArgs;
use super::resume::ResumeArgs;
use super::retry::RetryArgs;
use super::test::TestRunArgs;
use super::{AwsArgs, Verbosity};

#[derive(Subcommand)]
pub(super) enum TestCommand {
    /// Launch every test in every region, write reports, and delete the stacks.
    ///
    /// Press `s`, or send SIGUSR1, to print the status of every stack while the run is in progress.
    Run(Box<TestRunArgs>),

    Resume(ResumeArgs),

    Retry(RetryArgs),

    Clean(CleanArgs),

    List(TestListArgs),
}

impl TestCommand {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        match self {
            Self::Run(args) => args.run(aws, verbosity),
            Self::Retry(args) => args.run(aws, verbosity),
            Self::Resume(args) => args.run(aws, verbosity),
            Self::Clean(args) => args.run(aws, verbosity),
            Self::List(args) => args.run(aws),
        }
    }
}
