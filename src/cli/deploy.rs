//! `taskcat deploy`: creates and updates long-lived stacks.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

use super::checkout::ProjectSource;
use super::error::{CliError, ExitStatus, exit_of};
use super::list::DeployListArgs;
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, Verbosity, block_on, output, question, streams};
use crate::aws::{Aws, ChangeSetOptions, StackFailureAction};
use crate::config::Selection;
use crate::diagnostic::Diagnostic;
use crate::duration::HumanDuration;
use crate::launch::change_set::TagChanges;
use crate::launch::ownership::listed;
use crate::lint;
use crate::plan::forecast::RegionScope;
use crate::plan::{self, BucketKind, Plan};
use crate::report::changes_page::ChangesPage;
use crate::report::{changes, text};
use crate::run::{self, Decide, Decision, DeployOptions, Proposed, RunJob};

#[derive(Subcommand)]
pub(super) enum DeployCommand {
    Run(DeployRunArgs),

    List(DeployListArgs),
}

impl DeployCommand {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        match self {
            Self::Run(args) => args.run(aws, verbosity),
            Self::List(args) => args.run(aws),
        }
    }
}

/// Create or update permanent stacks through change sets, after showing the changes.
///
/// Stages the project to its bucket, creates a change set for the stack of each test, shows the
/// changes, and executes them after confirmation.
///
/// The name of a stack is the `stack_name` of its test, or <project>-<test>. The stack has no tag
/// by which `taskcat test clean` would find it. A stack that `taskcat deploy run` didn't create is
/// refused (see --adopt). The configuration must name a permanent bucket (`s3_bucket` or
/// `s3_regional_buckets`).
#[derive(Args)]
pub(super) struct DeployRunArgs {
    /// Root of the project, URL of a git repository, org/repo on GitHub, or name of an AWS Quick
    /// Start [default: ./]. Repositories are cloned into a temporary directory.
    #[arg(value_name = "PROJECT", value_parser = path())]
    project: Option<PathBuf>,

    /// The same as PROJECT.
    #[arg(short, long = "project", id = "project_option", conflicts_with = "project",
        value_name = "PROJECT", value_parser = path())]
    project_option: Option<PathBuf>,

    /// Tests whose stacks to deploy, separated by commas; ALL deploys every test.
    #[arg(short, long, default_value = "ALL", value_name = "NAMES")]
    test_names: String,

    /// Regions to deploy to, separated by commas; ALL uses the regions of each test.
    #[arg(short, long, default_value = "ALL", value_name = "REGIONS")]
    regions: String,

    /// Name of the stack, or the prefix of their names if there are several.
    #[arg(short, long)]
    name: Option<String>,

    /// Configuration or template, relative to the project root.
    #[arg(short, long, default_value = "./.taskcat.yml", value_name = "FILE",
        value_parser = path())]
    input_file: PathBuf,

    /// Accepted for compatibility; deployments always use change sets.
    #[arg(long)]
    change_set: bool,

    /// Create the change sets and leave them for review.
    #[arg(long, conflicts_with = "yes")]
    no_execute: bool,

    /// Execute the change sets without asking.
    #[arg(short, long)]
    yes: bool,

    /// Update stacks that `taskcat deploy run` didn't create, after confirmation.
    #[arg(long)]
    adopt: bool,

    /// Delete and recreate stacks in ROLLBACK_COMPLETE, whose creation failed.
    #[arg(long)]
    replace_failed: bool,

    /// What to do with a new stack whose creation fails. One that remains cannot be updated (see
    /// --replace-failed).
    #[arg(long, value_enum, default_value_t = OnStackFailure::Delete, value_name = "ACTION")]
    on_stack_failure: OnStackFailure,

    /// Import existing resources with the names of new ones into the stack.
    #[arg(long)]
    import_existing_resources: bool,

    /// Change resources back that were changed outside of the stack.
    #[arg(long)]
    revert_drift: bool,

    /// If the execution is rolled back, delete new resources even if their DeletionPolicy is
    /// Retain.
    #[arg(long)]
    retain_except_on_create: bool,

    /// Name of the change sets; existing ones of that name are replaced
    #[arg(long, value_name = "NAME", value_parser = change_set_name)]
    change_set_name: Option<String>,

    /// Deploy what is already in the bucket, without packaging or uploading
    #[arg(long)]
    staged: bool,

    /// Write what would change to changes.html and changes.json in this directory
    #[arg(short, long, value_name = "DIR", value_parser = path())]
    output_directory: Option<PathBuf>,

    #[command(flatten)]
    limits: DeployLimits,

    /// Time limit for cloning a repository.
    #[arg(long, value_name = "DURATION", default_value = "10m")]
    clone_timeout: HumanDuration,

    /// Follow symbolic links that lead out of the project.
    #[arg(long)]
    follow_links: bool,

    /// Don't check the templates with `taskcat lint` first.
    #[arg(short, long)]
    lint_disable: bool,
}

/// What to do with a new stack whose creation fails.
#[derive(Clone, Copy, ValueEnum)]
enum OnStackFailure {
    /// Delete it
    Delete,
    /// Delete its resources and keep the stack
    Rollback,
    /// Keep it with its resources
    DoNothing,
}

impl From<OnStackFailure> for StackFailureAction {
    fn from(action: OnStackFailure) -> Self {
        match action {
            OnStackFailure::Delete => Self::Delete,
            OnStackFailure::Rollback => Self::Rollback,
            OnStackFailure::DoNothing => Self::DoNothing,
        }
    }
}

/// Parses a name that CloudFormation accepts
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html>).
fn change_set_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.len() <= 128
        && text.chars().all(is_plain)
    {
        Ok(text.to_owned())
    } else {
        Err("expected at most 128 letters, digits and hyphens that begin with a letter".to_owned())
    }
}

/// Time limits of a deployment.
#[derive(Args)]
pub(super) struct DeployLimits {
    /// Time limit for the creation of a change set; one that takes longer is deleted.
    #[arg(long, value_name = "DURATION", default_value = "30m")]
    change_set_timeout: HumanDuration,

    /// Time limit for waiting for the execution of a change set; CloudFormation continues
    /// afterwards.
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    timeout: HumanDuration,
}

impl DeployLimits {
    pub(super) fn options(&self, adopt: bool) -> DeployOptions {
        DeployOptions {
            adopt,
            replace_failed: false,
            change_set: None,
            change_set_options: ChangeSetOptions::default(),
            change_set_limit: self.change_set_timeout.0,
            limit: self.timeout.0,
        }
    }
}

impl DeployRunArgs {
    fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        if !self.lint_disable {
            lint::prepare();
        }
        let named = self.project.as_ref().or(self.project_option.as_ref());
        let checkout;
        let root = match ProjectSource::of(named.map_or(Path::new("./"), |it| it))? {
            ProjectSource::Folder(folder) => folder,
            ProjectSource::Repository(repository) => {
                if !verbosity.quiet {
                    streams::tell(format_args!("cloning {}", repository.url));
                }
                // Lives as long as the deployment.
                checkout = block_on(repository.clone_for(self.clone_timeout.0))?;
                checkout.root.clone()
            }
        };
        let mut project = CliProject::load(&root, &self.input_file, aws, Vec::new())?;
        project.follow_links = self.follow_links;
        project.trim(&Selection {
            tests: super::listed(&self.test_names),
            regions: super::listed(&self.regions),
            ..Selection::default()
        })?;
        refuse_dependent(&project)?;
        let (mut draft, mut templates) = project.draft(Uuid::new_v4())?;
        project.mark_excluded(&mut draft)?;
        let problems = draft.problems();
        if !problems.is_empty() {
            return Err(CliError::Diagnostics(problems));
        }
        project.refuse_endless(&draft, &templates)?;
        refuse_unasked(self.yes, self.no_execute)?;
        let staging = project.staging(true, &[])?;
        let lint_job = if self.lint_disable {
            None
        } else {
            let scope = RegionScope::Declared;
            let forecast = project.forecast(&draft, &mut templates, scope)?;
            Some(project.lint_job(&forecast, &templates)?)
        };
        block_on(async {
            let (clients, endpoint) = aws.connect(Some(&project.loaded.config))?;
            let (mut plan, warnings) = run::prepare(&draft, &clients).await?;
            output::diagnostics(&warnings);
            self.settle(&project, &mut plan)?;
            self.refuse_foreign(&plan, &clients).await?;
            let job = RunJob {
                lint: lint_job,
                staging: (!self.staged).then_some(staging),
                templates: plan::sources(&templates),
                ..RunJob::new(plan, endpoint)
            };
            let mut consumers = vec![output::log(verbosity)];
            if let Some(folder) = &self.output_directory {
                consumers.push(Box::new(ChangesPage::new(folder)));
            }
            let decide = decide(self.yes, self.no_execute, verbosity);
            let options = DeployOptions {
                replace_failed: self.replace_failed,
                change_set: self.change_set_name.clone(),
                change_set_options: ChangeSetOptions {
                    on_stack_failure: self.on_stack_failure.into(),
                    import_existing_resources: self.import_existing_resources,
                    revert_drift: self.revert_drift,
                    retain_except_on_create: self.retain_except_on_create,
                },
                ..self.limits.options(self.adopt)
            };
            let ended = run::deploy(&job, options, &clients, decide, consumers).await;
            Ok(exit_of(&ended))
        })
    }

    /// Gives the stacks their permanent names.
    fn settle(&self, project: &CliProject, plan: &mut Plan) -> Result<(), CliError> {
        if plan
            .buckets
            .iter()
            .any(|bucket| bucket.kind == BucketKind::Auto)
        {
            let error = Diagnostic::error("permanent stacks need a permanent bucket").help(
                "set project.s3_bucket or project.s3_regional_buckets, or the environment \
                     variable TASKCAT_PROJECT_S3_BUCKET",
            );
            return Err(CliError::Diagnostics(vec![error]));
        }
        let tests = &project.loaded.config.tests;
        let own = |test: &str| tests.get(test).and_then(|test| test.stack_name.clone());
        let project_name = plan.project_name.clone();
        plan.to_stay(|test| {
            let name = match &self.name {
                Some(name) if tests.len() == 1 => name.clone(),
                Some(name) => format!("{name}-{test}"),
                None => own(test).unwrap_or_else(|| format!("{project_name}-{test}")),
            };
            name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "-")
        });
        let shared = run::shared_stacks(plan).into_iter().map(|[one, other]| {
            let stack = &one.stack_name;
            let region = &one.cell.region;
            let one = &one.cell.test;
            let other = &other.cell.test;
            let message = format!(
                "the tests {one} and {other} would both deploy the stack {stack} in {region}"
            );
            Diagnostic::error(message)
                .help("give each test a `stack_name` of its own, or choose one with -t")
        });
        let shared: Vec<_> = shared.collect();
        if shared.is_empty() {
            Ok(())
        } else {
            Err(CliError::Diagnostics(shared))
        }
    }

    /// Refuses stacks that somebody else has created, before anything is done.
    async fn refuse_foreign(&self, plan: &Plan, aws: &Aws) -> Result<(), CliError> {
        let mut foreign = run::foreign_stacks(plan, aws).await;
        foreign.retain(|stack| !self.adopt || !stack.can_be_adopted());
        let refused = foreign.iter().map(|stack| {
            let name = "choose another name with --name or the test's `stack_name`";
            let help = if stack.can_be_adopted() {
                format!("pass --adopt to take it over, or {name}")
            } else {
                name.into()
            };
            Diagnostic::error(stack.to_string()).help(help)
        });
        let refused: Vec<_> = refused.collect();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(CliError::Diagnostics(refused))
        }
    }
}

/// Shows the change sets, and asks unless the command line decides.
pub(super) fn decide(yes: bool, no_execute: bool, verbosity: Verbosity) -> Decide {
    Box::new(move |proposed| {
        // Changes to somebody else's stack are always shown.
        let adopts = proposed.iter().any(|it| it.adoption.is_some());
        if adopts || !(yes && verbosity.quiet) {
            show(&proposed);
        }
        match (yes, no_execute) {
            (true, _) => Decision::Execute,
            (_, true) => Decision::Leave,
            _ => ask(&proposed),
        }
    })
}

/// Refuses tests that depend on others: their values exist only during a test run.
fn refuse_dependent(project: &CliProject) -> Result<(), CliError> {
    let tests = project.loaded.config.tests.iter();
    let dependent = tests.filter(|(_, test)| test.dependencies().next().is_some());
    let refused = dependent.map(|(name, _)| {
        let message = format!("test `{name}` depends on other tests and cannot be deployed");
        let help = "deploy a test that has all values in its `parameters`";
        let location = project.loaded.location(&format!("tests.{name}.depends_on"));
        Diagnostic {
            location,
            ..Diagnostic::error(message).help(help)
        }
    });
    let refused: Vec<Diagnostic> = refused.collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(CliError::Diagnostics(refused))
    }
}

/// Without a terminal, the command line must decide.
pub(super) fn refuse_unasked(yes: bool, no_execute: bool) -> Result<(), CliError> {
    if yes || no_execute || io::stdin().is_terminal() {
        return Ok(());
    }
    let message = "stdin is not a terminal; pass --yes to execute the change sets or --no-execute \
        to leave them for review";
    Err(CliError::Usage(message.to_owned()))
}

/// Prints what every change set would do, in one piece, since log lines come from another thread.
fn show(proposed: &[Proposed]) {
    let mut shown = String::new();
    for it in proposed {
        shown += &format!(
            "\n{} in {}: {}\n",
            it.stack_name,
            it.cell.region,
            changes::summary(&it.changes)
        );
        changes::lines(&it.changes)
            .iter()
            .for_each(|line| shown += &format!("  {line}\n"));
        let adoption = it
            .adoption
            .iter()
            .flat_map(|adoption| adoption_lines(adoption, it));
        adoption.for_each(|line| shown += &format!("  {}\n", text::one_line(&line)));
    }
    shown.push('\n');
    // If they can't be printed, no answer can be given either.
    streams::tell_in_line(shown);
}

/// Returns how adopting a stack changes it.
fn adoption_lines(adoption: &TagChanges, proposed: &Proposed) -> Vec<String> {
    let mut lines = vec![format!("adopts {}", adoption.stack)];
    for (what, resources) in [
        ("deletes", changes::deleted(&proposed.changes)),
        ("replaces", changes::replaced(&proposed.changes)),
    ] {
        lines.extend(
            resources
                .into_iter()
                .map(|resource| format!("{what} its {resource}")),
        );
    }
    lines.extend(
        adoption
            .removed
            .iter()
            .map(|tag| format!("removes its tag {}", listed(std::slice::from_ref(tag)))),
    );
    let overwritten = adoption.overwritten.iter();
    lines.extend(
        overwritten
            .map(|(key, before, after)| format!("overwrites its tag {key}: {before} → {after}")),
    );
    lines
}

/// Asks on the terminal. No answer means no.
fn ask(proposed: &[Proposed]) -> Decision {
    let destructive = proposed
        .iter()
        .any(|it| changes::is_destructive(&it.changes));
    let warning = if destructive {
        "Resources are deleted or replaced. "
    } else {
        ""
    };
    let adopted = proposed.iter().filter(|it| it.adoption.is_some()).count();
    let adoption = match adopted {
        0 => String::new(),
        1 => "1 stack that somebody else has created is taken over. ".to_owned(),
        _ => format!("{adopted} stacks that somebody else has created are taken over. "),
    };
    let answer = question::line(&format!(
        "{adoption}{warning}Execute? [y]es, [l]eave for review, [N]o"
    ));
    match answer.unwrap_or_default().to_lowercase().as_str() {
        "y" | "yes" => Decision::Execute,
        "l" | "leave" => Decision::Leave,
        _ => Decision::Drop,
    }
}
