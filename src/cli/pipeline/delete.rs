//! `taskcat pipeline delete`.

use std::io::{self, IsTerminal};

use clap::Args;

use super::{PipelineArgs, find, missing, refused};
use crate::aws::Aws;
use crate::cli::error::{CliError, ExitStatus, exit_of};
use crate::cli::{AwsArgs, Verbosity, block_on, output, question, streams};
use crate::diagnostic::Diagnostic;
use crate::pipeline::Target;
use crate::run::pipeline::{self, PipelineBuckets, PipelineStack, ToolsBucket};
use crate::status::StackStatus;

/// Delete a pipeline, with its buckets and everything in them.
///
/// Deletes the stack, every version of every object in its buckets, and its programs. Keeps the
/// production stack. Refuses while an execution of the pipeline is in progress.
#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    pipeline: PipelineArgs,

    /// Delete without asking.
    #[arg(short, long)]
    yes: bool,
}

impl Delete {
    pub(crate) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        if !self.yes && !io::stdin().is_terminal() {
            return Err(CliError::Usage(
                "stdin is not a terminal; pass --yes to delete without asking".to_owned(),
            ));
        }
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let target = self.pipeline.target(aws, &clients).await?;
            let Some(found) = find(&target, endpoint.as_deref(), &clients).await? else {
                return self
                    .delete_leftover_tools(&target, &clients, endpoint, verbosity)
                    .await;
            };
            refuse_protected(&found, endpoint.as_deref())?;
            refuse_while_executing(&found, &clients, endpoint.as_deref()).await?;
            let buckets = pipeline::buckets(&found, &clients)
                .await
                .map_err(refused(&target))?;
            if !(self.yes && verbosity.quiet) {
                tell(&found, &buckets, &clients).await?;
            }
            if !self.yes && !question::confirm("Delete all of it?")? {
                return Ok(ExitStatus::Passed);
            }
            let consumers = vec![output::terminal(verbosity, false, None)];
            Ok(exit_of(
                &pipeline::delete(&found, &clients, endpoint, consumers).await,
            ))
        })
    }

    /// Deletes the bucket of programs that an interrupted deployment or deletion has left without a
    /// stack.
    async fn delete_leftover_tools(
        &self,
        target: &Target,
        aws: &Aws,
        endpoint: Option<String>,
        verbosity: Verbosity,
    ) -> Result<ExitStatus, CliError> {
        let leftover = pipeline::leftover_tools(target, aws)
            .await
            .map_err(refused(target))?;
        let bucket = leftover.ok_or_else(|| missing(target))?;
        if !(self.yes && verbosity.quiet) {
            let Target { name, region, .. } = target;
            streams::tell(format_args!(
                "There is no stack {name} in {region}. The bucket of its programs will be deleted: \
                 {bucket}"
            ));
        }
        if !self.yes && !question::confirm("Delete all of it?")? {
            return Ok(ExitStatus::Passed);
        }
        let consumers = vec![output::terminal(verbosity, false, None)];
        Ok(exit_of(
            &pipeline::delete_leftover_tools(target, aws, endpoint, consumers).await,
        ))
    }
}

/// Refuses a stack whose deletion CloudFormation would refuse, before anything is done.
fn refuse_protected(found: &PipelineStack, endpoint: Option<&str>) -> Result<(), CliError> {
    let PipelineStack { target, stack, .. } = found;
    let message = if stack.is_protected {
        let words = [
            "update-termination-protection",
            "--no-enable-termination-protection",
            "--stack-name",
            &target.name,
        ];
        let disable = pipeline::aws_cli(target, endpoint).command("cloudformation", &words);
        let message = format!(
            "termination protection is enabled for the stack {} in {}",
            target.name, target.region
        );
        Diagnostic::error(message).help(format!("disable it with `{disable}`"))
    } else if stack.status.is_in_progress()
        && !stack.is_in_review()
        && stack.status != StackStatus::DeleteInProgress
    {
        let message = format!(
            "the stack {} in {} is in {}",
            target.name, target.region, stack.status
        );
        Diagnostic::error(message).help("wait until that has finished, then delete the pipeline")
    } else {
        return Ok(());
    };
    Err(CliError::Diagnostics(vec![message]))
}

/// Refuses while an execution is in progress: a killed build doesn't delete the stacks that it
/// tests, and other actions stop half-way.
async fn refuse_while_executing(
    found: &PipelineStack,
    aws: &Aws,
    endpoint: Option<&str>,
) -> Result<(), CliError> {
    let stages = match pipeline::state(found, aws).await {
        Ok(stages) => stages.unwrap_or_default(),
        Err(error) => {
            output::warning(&format!(
                "cannot find out whether an execution is in progress: {error}"
            ));
            return Ok(());
        }
    };
    let Some(stage) = stages
        .iter()
        .find(|it| it.status.as_deref() == Some("InProgress"))
    else {
        return Ok(());
    };
    let message = match stage.name.as_str() {
        "Test" => "a test is running, and its stacks would not be deleted".to_owned(),
        name => format!("an execution of the pipeline is in progress, in the stage {name}"),
    };
    let pipeline = found.stack.output("PipelineName").unwrap_or_default();
    let mut words = vec!["stop-pipeline-execution", "--pipeline-name", pipeline];
    if let Some(id) = &stage.execution_id {
        words.extend(["--pipeline-execution-id", id]);
    }
    let stop = pipeline::aws_cli(&found.target, endpoint).command("codepipeline", &words);
    let help = format!("wait until it has finished, or stop it with `{stop}`");
    Err(CliError::Diagnostics(vec![
        Diagnostic::error(message).help(help),
    ]))
}

/// Prints what is deleted, what is kept, and what needs attention.
async fn tell(found: &PipelineStack, buckets: &PipelineBuckets, aws: &Aws) -> Result<(), CliError> {
    let Target { name, region, .. } = &found.target;
    streams::tell(format_args!(
        "This deletes the stack {name} in {region}, and every version of every object in:"
    ));
    let tools = match &buckets.tools {
        ToolsBucket::Ours(bucket) => Some(bucket),
        ToolsBucket::Absent | ToolsBucket::Foreign { .. } => None,
    };
    for bucket in buckets.own.iter().chain(tools) {
        streams::tell(format_args!("  {bucket}"));
    }
    if let ToolsBucket::Foreign { bucket, reason } = &buckets.tools {
        output::warning(&format!("the bucket {bucket} is not deleted: {reason}"));
    }
    let Some(production) = pipeline::production(found, aws)
        .await
        .map_err(refused(&found.target))?
    else {
        return Ok(());
    };
    streams::tell(format_args!(
        "The production stack {} is kept.",
        production.stack_name
    ));
    let role = production
        .role_arn
        .as_deref()
        .filter(|role| role.contains(&format!("/{name}-ProductionRole")));
    if let Some(role) = role {
        let stack = &production.stack_name;
        let message = format!(
            "CloudFormation changes the stack {stack} with {role}, which is deleted with the \
             pipeline"
        );
        let help = format!(
            "give the stack another role first, or it cannot be updated or deleted any more: `aws \
             cloudformation update-stack --stack-name {stack} --use-previous-template --role-arn …`"
        );
        output::diagnostics(&[Diagnostic::warning(message).help(help)]);
    }
    Ok(())
}
