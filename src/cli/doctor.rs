//! `taskcat doctor`: how AWS would be called, and what keeps it from being called.

use clap::Args;

use super::error::{CliError, ExitStatus};
use super::{AwsArgs, block_on, streams};
use crate::aws::{DEFAULT_PROFILE, explicit_profile};

/// Show which profile, credentials, region and network settings AWS is called with.
///
/// Names the file and line, or the variable, that sets each of them, and asks STS for the identity.
/// Exits with code 3 if AWS can't be called.
#[derive(Args)]
pub(super) struct DoctorArgs {}

impl DoctorArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        block_on(async {
            let (clients, _) = aws.connect(None)?;
            let profile = aws.profile().map_or(DEFAULT_PROFILE, explicit_profile);
            let setup = clients.setup(profile).await;
            for (name, value) in &setup.rows {
                streams::print_line(format_args!("{name:<12} {value}"));
            }
            match setup.error {
                Some(error) => Err(CliError::aws(profile, error)),
                None => Ok(ExitStatus::Passed),
            }
        })
    }
}
