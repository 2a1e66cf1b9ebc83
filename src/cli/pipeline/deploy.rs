//! `taskcat pipeline deploy`.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use indexmap::IndexMap;

use super::configuration;
use super::questions::{self, Suggestions};
use super::{PipelineArgs, find, refused};
use crate::aws::Aws;
use crate::cli::deploy::{DeployLimits, decide, refuse_unasked};
use crate::cli::error::{CliError, ExitStatus, exit_of};
use crate::cli::paths::path;
use crate::cli::{AwsArgs, Verbosity, block_on, key_and_value, output, question, streams};
use crate::diagnostic::{Diagnostic, Severity};
use crate::pipeline::{
    self, CONFIGURATION, OWN_PARAMETERS, Parameters, PipelineFiles, Programs, Target,
};
use crate::plan::{self, Plan};
use crate::run::pipeline::{
    PipelineStack, ToolsBucket, bucket_region, deploy, holds, upload_configuration,
    usable_tools_bucket,
};
use crate::run::{RunJob, Staging};
use crate::spelling::did_you_mean;
use crate::stage::exclude::Exclusions;
use crate::stage::marker;
use crate::status::StackStatus;
use crate::template::{self, OfflineEnvironment, ParameterValue, Template, Templates, Value};

/// Create or update a pipeline.
///
/// The pipeline is a stack that tests each push to GitHub, merges it into the release branch if the
/// tests pass, copies it to S3, and updates the production stack once its change set is approved.
///
/// Asks for parameters that have no value yet; those of an existing pipeline keep theirs. Uploads
/// the programs of the pipeline to a bucket that it creates, shows the change set, and executes it
/// after confirmation. pipeline/README.md lists what must exist first.
#[derive(Args)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pipeline: PipelineArgs,

    /// Value of a parameter of the template, such as Repository=example/shop; can be repeated.
    #[arg(short = 'P', long = "parameter", value_name = "KEY=VALUE", value_parser = key_and_value)]
    parameters: Vec<(String, String)>,

    /// Directory with `taskcat` and `git-merge.zip` for the pipeline, built by
    /// `pipeline/package.sh` [default: the directory of this program].
    #[arg(long, value_name = "DIR", value_parser = path())]
    programs: Option<PathBuf>,

    /// Root of the project, from which values are suggested.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Create the change set and leave it for review.
    #[arg(long, conflicts_with = "yes")]
    no_execute: bool,

    /// Upload a first configuration.zip, made from .taskcat.yml and production.json of the project,
    /// unless the pipeline has one.
    #[arg(long, conflicts_with = "no_execute")]
    upload_configuration: bool,

    /// Execute the change set without asking, and fail if a parameter is missing.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    limits: DeployLimits,
}

impl Deploy {
    pub(crate) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let trouble =
            |error: io::Error| CliError::local("cannot prepare the pipeline's files", error);
        let template = pipeline::template()
            .ok_or_else(|| trouble(io::Error::other("the template cannot be read")))?;
        let (programs, warnings, given) =
            match (Programs::find(&self.programs()?), self.given(&template)) {
                (Ok((programs, warnings)), Ok(given)) => (programs, warnings, given),
                (programs, given) => {
                    let faults = [programs.err(), given.err()]
                        .into_iter()
                        .flatten()
                        .flatten();
                    return Err(CliError::Diagnostics(faults.collect()));
                }
            };
        refuse_unasked(self.yes, self.no_execute)?;
        output::diagnostics(&warnings);
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let target = self.pipeline.target(aws, &clients).await?;
            let existing = find(&target, endpoint.as_deref(), &clients).await?;
            refuse_unchangeable(existing.as_ref())?;
            let mut known: Parameters = existing
                .iter()
                .flat_map(|it| it.stack.parameters.clone())
                .collect();
            known.extend(given);
            known
                .entry("ToolsBucket".to_owned())
                .or_insert_with(|| target.tools_bucket());
            match known.get("ToolsBucket") {
                Some(bucket) if *bucket != target.tools_bucket() => {
                    refuse_distant_bucket(&target, bucket, &clients).await?;
                }
                _ => refuse_foreign_bucket(&target, existing.as_ref(), &clients).await?,
            }
            // Nothing exists yet that would remain if a question is interrupted.
            let mut parameters = self.answered(&template, known, &target)?;
            let files = PipelineFiles::assemble(&target.name, &programs).map_err(trouble)?;
            parameters.extend(files.own_parameters());
            refuse_impossible(&template, &parameters, &target)?;
            let configuration = self
                .given_configuration(existing.as_ref(), &parameters, &clients)
                .await?;
            let job = job(&files, target.plan(&files, &parameters), endpoint)?;
            let decide = decide(self.yes, self.no_execute, verbosity);
            let consumers = vec![output::log(verbosity)];
            let previous = existing.map(|it| it.stack);
            let options = self.limits.options(false);
            let ended = deploy(
                &job,
                &target,
                previous.as_ref(),
                options,
                &clients,
                decide,
                consumers,
            )
            .await;
            let exit = exit_of(&ended);
            if exit == ExitStatus::Passed {
                let deployed = find(&target, job.endpoint.as_deref(), &clients).await?;
                let is_new = previous.is_none_or(|it| it.outputs.is_empty());
                let made = configuration.map(Ok);
                let made =
                    made.unwrap_or_else(|| configuration::first(&self.project_root, &parameters));
                self.tell(deployed, is_new, made, &clients).await?;
            }
            Ok(exit)
        })
    }

    /// Returns the configuration that --upload-configuration asks for, made before anything is
    /// created.
    async fn given_configuration(
        &self,
        existing: Option<&PipelineStack>,
        parameters: &Parameters,
        aws: &Aws,
    ) -> Result<Option<Vec<u8>>, CliError> {
        let is_configured = match existing {
            Some(pipeline) if self.upload_configuration => is_configured(pipeline, aws).await?,
            _ => false,
        };
        if !self.upload_configuration || is_configured {
            return Ok(None);
        }
        configuration::first(&self.project_root, parameters)
            .map(Some)
            .map_err(CliError::Diagnostics)
    }

    /// Prints what to do next, and uploads the first configuration if the owner wants it.
    async fn tell(
        &self,
        deployed: Option<PipelineStack>,
        is_new: bool,
        configuration: Result<Vec<u8>, Vec<Diagnostic>>,
        aws: &Aws,
    ) -> Result<(), CliError> {
        // The outputs are missing where the change set was not executed.
        let Some(pipeline) = deployed.filter(|it| !it.stack.outputs.is_empty()) else {
            return Ok(());
        };
        let Target { name, region, .. } = &pipeline.target;
        let url = pipeline.stack.output("PipelineUrl").unwrap_or_default();
        streams::print_line(format_args!("Pipeline {name} in {region}: {url}"));
        if !is_configured(&pipeline, aws).await? {
            let bucket = configuration_bucket(&pipeline);
            // https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-about-starting.html
            if is_new {
                streams::print_line(format_args!(
                    "\nCodePipeline starts a new pipeline at once. This first execution fails in \
                     the stage Source,\nsince s3://{bucket}/{CONFIGURATION} did not exist yet."
                ));
            }
            match configuration {
                Ok(archive) if self.upload_configuration || self.wants_upload()? => {
                    upload_configuration(&pipeline.target, bucket, archive, aws)
                        .await
                        .map_err(refused(&pipeline.target))?;
                    streams::print_line(format_args!(
                        "\nUploaded a first {CONFIGURATION}, which starts the pipeline.\n"
                    ));
                }
                Ok(_) => tell_how_to_configure(&pipeline),
                Err(faults) => {
                    if self.asks() {
                        output::diagnostics(&as_warnings(faults));
                    }
                    tell_how_to_configure(&pipeline);
                }
            }
        }
        streams::print_line(format_args!(
            "`taskcat pipeline status {name} -r {region}` shows the status of its stages."
        ));
        Ok(())
    }

    /// Whether the owner, asked on a terminal, wants a first configuration uploaded.
    fn wants_upload(&self) -> Result<bool, CliError> {
        if !self.asks() {
            return Ok(false);
        }
        question::confirm(&format!(
            "Upload a first {CONFIGURATION} made from the project?"
        ))
    }

    /// Whether somebody can be asked, and is to be.
    fn asks(&self) -> bool {
        !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    fn programs(&self) -> Result<PathBuf, CliError> {
        if let Some(folder) = &self.programs {
            return Ok(folder.clone());
        }
        let own = env::current_exe()
            .map_err(|error| CliError::local("cannot find this program", error))?;
        Ok(own.parent().map(PathBuf::from).unwrap_or_default())
    }

    /// Returns the parameters of the command line.
    fn given(&self, template: &Template) -> Result<Parameters, Vec<Diagnostic>> {
        let declared = || template.parameters.iter().map(|it| it.key.as_str());
        let mut faults = Vec::new();
        for (name, _) in &self.parameters {
            if OWN_PARAMETERS.contains(&name.as_str()) {
                faults.push(Diagnostic::error(format!(
                    "parameter `{name}` cannot be set: it follows from the programs"
                )));
            } else if !declared().any(|key| key == name) {
                let help = did_you_mean(name, declared());
                faults.push(Diagnostic {
                    help,
                    ..Diagnostic::error(format!("the pipeline has no parameter `{name}`"))
                });
            }
        }
        if faults.is_empty() {
            Ok(self.parameters.iter().cloned().collect())
        } else {
            Err(faults)
        }
    }

    /// Returns the known parameters and, where somebody can be asked, the answers to the others.
    fn answered(
        &self,
        template: &Template,
        known: Parameters,
        target: &Target,
    ) -> Result<Parameters, CliError> {
        let open = questions::open(template, &known);
        let answers = if self.asks() {
            let suggestions = Suggestions::of(&self.project_root);
            questions::ask(template, &open, &suggestions, &target.region)?
        } else {
            Parameters::new()
        };
        let missing: Vec<_> = open
            .iter()
            .filter(|it| it.default.is_none() && !answers.contains_key(&it.key))
            .collect();
        if !missing.is_empty() {
            let fault = |it: &&&template::TemplateParameter| {
                let message = format!(
                    "parameter `{}` is missing: {}",
                    it.key,
                    questions::description(template, it)
                );
                Diagnostic::error(message).help(format!("pass -P {}=…", it.key))
            };
            return Err(CliError::Diagnostics(missing.iter().map(fault).collect()));
        }
        // In the template's order, as people know it.
        let all = template.parameters.iter().filter_map(|it| {
            let value = known.get(&it.key).or_else(|| answers.get(&it.key))?;
            Some((it.key.clone(), value.clone()))
        });
        Ok(all.collect())
    }
}

/// Refuses a stack whose creation failed, which can only be deleted, and one that is being changed.
fn refuse_unchangeable(existing: Option<&PipelineStack>) -> Result<(), CliError> {
    let Some(stack) = existing.map(|it| &it.stack) else {
        return Ok(());
    };
    let name = &stack.stack_name;
    let status = &stack.status;
    if matches!(
        status,
        StackStatus::RollbackComplete
            | StackStatus::RollbackFailed
            | StackStatus::CreateFailed
            | StackStatus::DeleteFailed
    ) {
        let message = format!("the stack {name} is in {status} and cannot be updated");
        let help = format!("delete it with `taskcat pipeline delete {name}`");
        return Err(CliError::Diagnostics(vec![
            Diagnostic::error(message).help(help),
        ]));
    }
    if status.is_in_progress() && !stack.is_in_review() {
        let help = "wait until that has finished, then deploy again";
        return Err(CliError::Diagnostics(vec![
            Diagnostic::error(format!("the stack {name} is in {status}")).help(help),
        ]));
    }
    Ok(())
}

/// Refuses a bucket that somebody else has created under the name of the pipeline's own.
async fn refuse_foreign_bucket(
    target: &Target,
    existing: Option<&PipelineStack>,
    aws: &Aws,
) -> Result<(), CliError> {
    let usable = usable_tools_bucket(target, existing.map(|it| &it.stack), aws)
        .await
        .map_err(refused(target))?;
    let ToolsBucket::Foreign { bucket, reason } = usable else {
        return Ok(());
    };
    let message =
        format!("the bucket {bucket} was not created by `taskcat pipeline deploy`: {reason}");
    let help =
        "name a bucket of yours with -P ToolsBucket=NAME, or delete that one if nobody needs it";
    Err(CliError::Diagnostics(vec![
        Diagnostic::error(message).help(help),
    ]))
}

/// Refuses a bucket in another region, from which Lambda doesn't read the code of a function
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-lambda-function-code.html>).
async fn refuse_distant_bucket(target: &Target, bucket: &str, aws: &Aws) -> Result<(), CliError> {
    // Where S3 doesn't say, the upload will.
    let Ok(Some(region)) = bucket_region(target, bucket, aws).await else {
        return Ok(());
    };
    if region == target.region {
        return Ok(());
    }
    let message = format!(
        "the bucket {bucket} is in {region} and the pipeline in {}: Lambda reads code only from \
         buckets in its own region",
        target.region
    );
    let help = format!(
        "name a bucket in {} with -P ToolsBucket=NAME, or none to have one created",
        target.region
    );
    Err(CliError::Diagnostics(vec![
        Diagnostic::error(message).help(help),
    ]))
}

/// Returns the run that deploys a pipeline.
fn job<'p>(
    files: &'p PipelineFiles,
    plan: Plan,
    endpoint: Option<String>,
) -> Result<RunJob<'p>, CliError> {
    let exclusions = Exclusions::load(files.folder(), &[]).map_err(CliError::Diagnostics)?;
    Ok(RunJob {
        staging: Some(Staging {
            earlier: Vec::new(),
            package: None,
            exclusions,
            follow_links: false,
            marker_limit: marker::LIMIT,
        }),
        templates: plan::sources(files.templates()),
        ..RunJob::new(plan, endpoint)
    })
}

/// Refuses parameters that CloudFormation would refuse, before anything is created.
fn refuse_impossible(
    template: &Template,
    parameters: &Parameters,
    target: &Target,
) -> Result<(), CliError> {
    let given = parameters.iter().map(|(key, value)| {
        let given = ParameterValue {
            value: Value::text(value),
            set: Vec::new(),
        };
        (key.clone(), given)
    });
    let parameter_values: IndexMap<_, _> = given.collect();
    let stack = template::evaluate(
        template,
        &target.place(),
        &parameter_values,
        &OfflineEnvironment(&Templates::default()),
    );
    if stack.failures.is_empty() {
        return Ok(());
    }
    let faults = stack
        .failures
        .into_iter()
        .map(|failure| Diagnostic::error(failure.message));
    Err(CliError::Diagnostics(faults.collect()))
}

/// Name of the bucket that holds the configuration.
fn configuration_bucket(pipeline: &PipelineStack) -> &str {
    let bucket = pipeline.stack.output("ConfigurationBucketName");
    bucket.unwrap_or_default()
}

/// Whether the pipeline has a configuration already.
async fn is_configured(pipeline: &PipelineStack, aws: &Aws) -> Result<bool, CliError> {
    let bucket = configuration_bucket(pipeline);
    if bucket.is_empty() {
        return Ok(false);
    }
    holds(&pipeline.target, bucket, CONFIGURATION, aws)
        .await
        .map_err(refused(&pipeline.target))
}

/// Prints the commands that upload a configuration.
fn tell_how_to_configure(pipeline: &PipelineStack) {
    let bucket = configuration_bucket(pipeline);
    let region = &pipeline.target.region;
    streams::print_line(format_args!(
        "\nIt starts with its configuration, taskcat.yml and production.json:\n"
    ));
    streams::print_line(format_args!(
        "    zip {CONFIGURATION} taskcat.yml production.json"
    ));
    streams::print_line(format_args!(
        "    aws s3 cp {CONFIGURATION} s3://{bucket}/ --region {region}\n"
    ));
}

/// Why no configuration could be made: the deployment has succeeded all the same.
fn as_warnings(faults: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let warning = |fault: Diagnostic| Diagnostic {
        severity: Severity::Warning,
        ..fault
    };
    faults.into_iter().map(warning).collect()
}
