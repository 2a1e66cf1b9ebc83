//! `taskcat pipeline`: from a push to production.

mod configuration;
mod delete;
mod deploy;
mod questions;
mod status;

use clap::{Args, Subcommand};

use super::error::{CliError, ExitStatus};
use super::{AwsArgs, Verbosity};
use crate::aws::{Aws, AwsError, DEFAULT_PROFILE, explicit_profile};
use crate::diagnostic::Diagnostic;
use crate::launch::ownership::ForeignEvidence;
use crate::pipeline::Target;
use crate::plan::valid_stack_name;
use crate::run::pipeline::{self, PipelineStack};

#[derive(Subcommand)]
pub(super) enum Command {
    Deploy(deploy::Deploy),
    Status(status::Status),
    Delete(delete::Delete),
}

impl Command {
    pub fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        match self {
            Self::Deploy(args) => args.run(aws, verbosity),
            Self::Status(args) => args.run(aws),
            Self::Delete(args) => args.run(aws, verbosity),
        }
    }
}

/// Which pipeline.
#[derive(Args)]
struct Which {
    /// Name of the pipeline's stack.
    #[arg(value_parser = stack_name)]
    name: String,

    /// Region of the pipeline [default: the region of the profile].
    #[arg(short, long, value_name = "REGION")]
    region: Option<String>,
}

impl Which {
    async fn target(&self, args: &AwsArgs, aws: &Aws) -> Result<Target, CliError> {
        let profile = args.profile().map_or(DEFAULT_PROFILE, explicit_profile);
        let target = pipeline::target(&self.name, self.region.as_deref(), profile, aws).await;
        target.map_err(|error| CliError::aws(profile, error))
    }
}

/// As CloudFormation takes it.
fn stack_name(text: &str) -> Result<String, String> {
    match valid_stack_name(text) == text {
        true => Ok(text.to_owned()),
        false => Err(
            "a stack's name is made of letters, digits and dashes, and begins with a letter"
                .to_owned(),
        ),
    }
}

/// The stack of that name, if it exists and is a pipeline.
async fn find(
    target: &Target,
    endpoint: Option<&str>,
    aws: &Aws,
) -> Result<Option<PipelineStack>, CliError> {
    let Some(found) = pipeline::find(target, aws).await.map_err(refused(target))? else {
        return Ok(None);
    };
    let Some(foreign) = &found.foreign else {
        return Ok(Some(found));
    };
    let help = match foreign.evidence {
        ForeignEvidence::NoChangeSet => {
            let delete = pipeline::aws_cli(target, endpoint).delete_stack(&target.name);
            format!("it holds nothing; if nobody needs it, delete it with `{delete}`")
        }
        _ => "choose another name, or another region with -r".to_owned(),
    };
    Err(CliError::Diagnostics(vec![
        Diagnostic::error(foreign.to_string()).help(help),
    ]))
}

/// The same where there must be one.
async fn find_standing(
    target: &Target,
    endpoint: Option<&str>,
    aws: &Aws,
) -> Result<PipelineStack, CliError> {
    find(target, endpoint, aws)
        .await?
        .ok_or_else(|| missing(target))
}

fn missing(target: &Target) -> CliError {
    let Target { name, region, .. } = target;
    CliError::Usage(format!(
        "there is no stack {name} in {region} (-r names another region)"
    ))
}

fn refused(target: &Target) -> impl Fn(AwsError) -> CliError {
    |error| CliError::aws(target.profile.clone(), error)
}
