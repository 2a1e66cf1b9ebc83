//! `taskcat pipeline`: the CI/CD pipeline from a push to production.

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
pub(super) enum PipelineCommand {
    Deploy(deploy::Deploy),
    Status(status::Status),
    Delete(delete::Delete),
}

impl PipelineCommand {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        match self {
            Self::Deploy(args) => args.run(aws, verbosity),
            Self::Status(args) => args.run(aws),
            Self::Delete(args) => args.run(aws, verbosity),
        }
    }
}

/// The pipeline that a command is about.
#[derive(Args)]
struct PipelineArgs {
    /// Name of the pipeline's stack.
    #[arg(value_parser = stack_name)]
    name: String,

    /// Region of the pipeline [default: the region of the profile].
    #[arg(short, long, value_name = "REGION")]
    region: Option<String>,
}

impl PipelineArgs {
    async fn target(&self, args: &AwsArgs, aws: &Aws) -> Result<Target, CliError> {
        let profile = args.profile().map_or(DEFAULT_PROFILE, explicit_profile);
        let target = pipeline::target(&self.name, self.region.as_deref(), profile, aws).await;
        target.map_err(|error| CliError::aws(profile, error))
    }
}

/// Checks the name of a stack as CloudFormation does.
fn stack_name(text: &str) -> Result<String, String> {
    if valid_stack_name(text) == text {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits and hyphens that begin with a letter".to_owned())
    }
}

/// Finds the stack of that name, if it exists and is a pipeline.
///
/// # Errors
/// It was created by somebody else.
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
            format!("it has no resources; if nobody needs it, delete it with `{delete}`")
        }
        _ => "choose another name, or another region with -r".to_owned(),
    };
    Err(CliError::Diagnostics(vec![
        Diagnostic::error(foreign.to_string()).help(help),
    ]))
}

/// Finds the pipeline, which must exist.
async fn find_existing(
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
        "stack {name} does not exist in {region} (choose another region with -r)"
    ))
}

fn refused(target: &Target) -> impl Fn(AwsError) -> CliError {
    |error| CliError::aws(target.profile.clone(), error)
}
