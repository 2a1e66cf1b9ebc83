//! `taskcat pipeline deploy`.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use indexmap::IndexMap;

use super::questions::{self, Suggestions};
use super::{Which, find, refused};
use crate::aws::Aws;
use crate::cli::deploy::{DeployLimits, decide, refuse_unasked};
use crate::cli::error::{CliError, ExitStatus, exit_of};
use crate::cli::paths::path;
use crate::cli::{AwsArgs, Verbosity, block_on, key_and_value, output, streams};
use crate::config::nearest;
use crate::diagnostic::Diagnostic;
use crate::pipeline::{self, Kit, OWN_PARAMETERS, Parameters, Programs, Target};
use crate::plan;
use crate::run::pipeline::{PipelineStack, ToolsBucket, deploy, holds, usable_tools_bucket};
use crate::run::{RunJob, RunSettings, Staging};
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
pub struct Deploy {
    #[command(flatten)]
    which: Which,

    /// Value of a parameter of the template, such as Repository=example/shop; can be repeated.
    #[arg(short = 'P', long = "parameter", value_name = "KEY=VALUE", value_parser = key_and_value)]
    parameters: Vec<(String, String)>,

    /// Folder with `taskcat` and `git-merge.zip` for the pipeline, built by `pipeline/package.sh`
    /// [default: the folder of this program].
    #[arg(long, value_name = "DIR", value_parser = path())]
    programs: Option<PathBuf>,

    /// Root of the project, from which values are suggested.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Create the change set and leave it for review.
    #[arg(long, conflicts_with = "yes")]
    no_execute: bool,

    /// Execute the change set without asking, and fail if a parameter is missing.
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    limits: DeployLimits,
}

impl Deploy {
    pub fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let trouble = |error: io::Error| CliError::local("can't put the pipeline together", error);
        let template =
            pipeline::template().ok_or_else(|| trouble(io::Error::other("it has no template")))?;
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
            let target = self.which.target(aws, &clients).await?;
            let standing = find(&target, endpoint.as_deref(), &clients).await?;
            refuse_unchangeable(standing.as_ref())?;
            let mut known: Parameters = standing
                .iter()
                .flat_map(|it| it.stack.parameters.clone())
                .collect();
            known.extend(given);
            known
                .entry("ToolsBucket".to_owned())
                .or_insert_with(|| target.tools_bucket());
            if known.get("ToolsBucket") == Some(&target.tools_bucket()) {
                refuse_foreign_bucket(&target, standing.as_ref(), &clients).await?;
            }
            // Nothing lies around yet that a question without an answer would leave.
            let mut parameters = self.answered(&template, known, &target)?;
            let kit = Kit::assemble(&target.name, &programs).map_err(trouble)?;
            parameters.extend(kit.own_parameters());
            refuse_impossible(&template, &parameters, &target)?;
            let job = RunJob {
                plan: target.plan(&kit, &parameters),
                settings: RunSettings::default(),
                lint: None,
                staging: Some(Staging {
                    package: None,
                    exclusions: Exclusions::load(kit.folder(), &[])
                        .map_err(CliError::Diagnostics)?,
                    follow_links: false,
                    marker_limit: marker::LIMIT,
                }),
                templates: plan::sources(kit.templates()),
                endpoint,
                journal: None,
                output: None,
                hook_environment: Vec::new(),
                foresee: None,
            };
            let (decide, consumers) = (
                decide(self.yes, self.no_execute, verbosity),
                vec![output::log(verbosity)],
            );
            let previous = standing.map(|it| it.stack);
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
                tell(&target, job.endpoint.as_deref(), &clients).await?;
            }
            Ok(exit)
        })
    }

    fn programs(&self) -> Result<PathBuf, CliError> {
        if let Some(folder) = &self.programs {
            return Ok(folder.clone());
        }
        let own = env::current_exe()
            .map_err(|error| CliError::local("can't find this program", error))?;
        Ok(own.parent().map(PathBuf::from).unwrap_or_default())
    }

    /// The parameters of the command line.
    fn given(&self, template: &Template) -> Result<Parameters, Vec<Diagnostic>> {
        let declared = || template.parameters.iter().map(|it| it.key.as_str());
        let mut faults = Vec::new();
        for (name, _) in &self.parameters {
            if OWN_PARAMETERS.contains(&name.as_str()) {
                faults.push(Diagnostic::error(format!(
                    "parameter `{name}` is decided by the programs"
                )));
            } else if !declared().any(|key| key == name) {
                let help = nearest(name, declared()).map(|near| format!("did you mean `{near}`?"));
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

    /// What is known, with the answers to what isn't.
    fn answered(
        &self,
        template: &Template,
        known: Parameters,
        target: &Target,
    ) -> Result<Parameters, CliError> {
        let open = questions::open(template, &known);
        let asks = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        let answers = match asks {
            true => {
                let suggestions = Suggestions::of(&self.project_root);
                questions::ask(template, &open, &suggestions, &target.region)?
            }
            false => Parameters::new(),
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
                Diagnostic::error(message).help(format!("give it with -P {}=…", it.key))
            };
            return Err(CliError::Diagnostics(missing.iter().map(fault).collect()));
        }
        // In the template's order, which is the one that people know.
        let all = template.parameters.iter().filter_map(|it| {
            let value = known.get(&it.key).or_else(|| answers.get(&it.key))?;
            Some((it.key.clone(), value.clone()))
        });
        Ok(all.collect())
    }
}

/// A stack whose creation failed can't become anything else, and one that is being changed has to
/// come to its end.
fn refuse_unchangeable(standing: Option<&PipelineStack>) -> Result<(), CliError> {
    let Some(stack) = standing.map(|it| &it.stack) else {
        return Ok(());
    };
    let (name, status) = (&stack.stack_name, &stack.status);
    if matches!(
        status,
        StackStatus::RollbackComplete
            | StackStatus::RollbackFailed
            | StackStatus::CreateFailed
            | StackStatus::DeleteFailed
    ) {
        let message = format!("the stack {name} is in {status} and can't be updated");
        let help = format!("delete it with `taskcat pipeline delete {name}`");
        return Err(CliError::Diagnostics(vec![
            Diagnostic::error(message).help(help),
        ]));
    }
    if status.is_in_progress() && !stack.is_in_review() {
        let help = "wait until that has ended and deploy again";
        return Err(CliError::Diagnostics(vec![
            Diagnostic::error(format!("the stack {name} is in {status}")).help(help),
        ]));
    }
    Ok(())
}

/// Programs are not put into a bucket that somebody else has created under the name of ours.
async fn refuse_foreign_bucket(
    target: &Target,
    standing: Option<&PipelineStack>,
    aws: &Aws,
) -> Result<(), CliError> {
    let usable = usable_tools_bucket(target, standing.map(|it| &it.stack), aws)
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

/// What CloudFormation would refuse is said before anything is made.
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

/// What comes next.
async fn tell(target: &Target, endpoint: Option<&str>, aws: &Aws) -> Result<(), CliError> {
    let Target { name, region, .. } = target;
    // Not executed.
    let Some(pipeline) = find(target, endpoint, aws)
        .await?
        .filter(|it| !it.stack.outputs.is_empty())
    else {
        return Ok(());
    };
    let output = |key: &str| pipeline.stack.output(key).unwrap_or_default().to_owned();
    let bucket = output("ConfigurationBucketName");
    streams::print_line(format_args!(
        "Pipeline {name} in {region}: {}",
        output("PipelineUrl")
    ));
    let key = "configuration.zip";
    if !holds(target, &bucket, key, aws)
        .await
        .map_err(refused(target))?
    {
        streams::print_line(format_args!(
            "\nIt starts with its configuration, taskcat.yml and production.json:\n"
        ));
        streams::print_line(format_args!("    zip {key} taskcat.yml production.json"));
        streams::print_line(format_args!(
            "    aws s3 cp {key} s3://{bucket}/ --region {region}\n"
        ));
    }
    streams::print_line(format_args!(
        "`taskcat pipeline status {name} -r {region}` shows the status of its stages."
    ));
    Ok(())
}
