//! `taskcat test clean`, and what it shares with `taskcat delete`: what earlier runs have not
//! deleted is found, shown and deleted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::error::{CliError, ExitStatus, exit_of};
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, Verbosity, block_on, listed, output, question, remains, streams};
use crate::aws::{DEFAULT_PROFILE, explicit_profile};
use crate::diagnostic::Diagnostic;
use crate::duration::HumanDuration;
use crate::plan::TestLimits;
use crate::run::{
    self, CleanFindings, CleanRequest, DeletionOptions, Leftover, SearchScope, StackType,
};

/// Delete stacks and buckets left by earlier test runs.
///
/// Finds them by the journals of killed runs and by their tags. Skips runs that are still in
/// progress: those that hold the lock of their journal and, without a journal, those whose newest
/// event is less than an hour old (unless you name the run by its ID). Permanent stacks are kept;
/// `taskcat delete` deletes them, too.
///
/// On a terminal, shows what it has found and asks before deleting it. Without a terminal, ALL
/// needs --yes.
#[derive(Args)]
pub(super) struct CleanArgs {
    /// Project name, run ID (or the beginning of one), or ALL.
    project: String,

    #[command(flatten)]
    place: SearchArgs,

    #[command(flatten)]
    deletion: DeletionArgs,
}

/// How to delete what was found.
#[derive(Args)]
pub(super) struct DeletionArgs {
    #[command(flatten)]
    journals: JournalArgs,

    /// Wait until the stacks are deleted.
    #[arg(short, long)]
    wait_for_delete: bool,

    /// Delete without asking.
    #[arg(short, long)]
    yes: bool,

    /// Print what would be deleted, without deleting anything.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,

    /// With --dry-run, print JSON: one object per stack and bucket.
    #[arg(long, requires = "dry_run")]
    json: bool,

    /// Delete only what is older than this, by the newest event of its run.
    #[arg(long, value_name = "DURATION")]
    older_than: Option<HumanDuration>,

    /// Delete runs that are still in progress, too.
    #[arg(long)]
    include_running: bool,

    /// As a last resort, delete stacks but retain the resources that cannot be deleted.
    #[arg(long)]
    force_delete: bool,

    /// Time limit for the deletion of a stack, retries included [default: 3h].
    #[arg(long, value_name = "DURATION")]
    delete_timeout: Option<HumanDuration>,
}

#[derive(Args)]
pub(super) struct SearchArgs {
    /// AWS profile to search with; the same as --profile.
    #[arg(short, long, value_name = "NAME")]
    aws_profile: Option<String>,

    /// Regions to search, separated by commas; ALL searches every region that the account has
    /// enabled.
    #[arg(short, long, default_value = "ALL", value_name = "REGIONS")]
    pub region: String,
}

impl SearchArgs {
    pub(super) fn search(&self, aws: &AwsArgs) -> SearchScope {
        SearchScope {
            profiles: vec![profile_or_default(self.aws_profile.as_deref(), aws)],
            regions: listed(&self.region),
        }
    }
}

/// Returns the profile to search with: the one given, the one of --profile, or the default one.
pub(super) fn profile_or_default(given: Option<&str>, aws: &AwsArgs) -> String {
    let profile = given.or(aws.profile());
    profile.map_or(DEFAULT_PROFILE, explicit_profile).to_owned()
}

/// Directories to search for journals.
#[derive(Args)]
pub(super) struct JournalArgs {
    /// Root of the project, which holds the journals of runs that were killed.
    #[arg(short, long, default_value = "./", value_name = "DIR", value_parser = path())]
    project_root: PathBuf,

    /// Directory of the reports, which holds the journals where the project cannot be written.
    #[arg(short, long, default_value = "./taskcat_outputs", value_name = "DIR",
        value_parser = path())]
    output_directory: PathBuf,
}

impl JournalArgs {
    pub(super) fn folders(&self) -> run::journal::JournalFolders {
        remains::journal_folders(&self.project_root, Some(&self.output_directory))
    }
}

impl CleanArgs {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        let deletion = Deletion {
            what: self.project,
            search: self.place.search(aws),
            stack_type: StackType::Test,
            args: self.deletion,
        };
        deletion.run(aws, verbosity)
    }
}

/// What to find and delete.
pub(super) struct Deletion {
    /// A project, a run, an installation, or ALL.
    pub what: String,
    pub search: SearchScope,
    pub stack_type: StackType,
    pub args: DeletionArgs,
}

impl Deletion {
    pub(super) fn run(self, aws: &AwsArgs, verbosity: Verbosity) -> Result<ExitStatus, CliError> {
        self.refuse_undecided()?;
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let request = CleanRequest {
                what: self.what.clone(),
                search: self.search.clone(),
                folders: self.args.journals.folders(),
                endpoint: endpoint.clone(),
                include_running: self.args.include_running,
                older_than: self.args.older_than.map(|it| it.0),
                stack_type: self.stack_type,
                stacks_only: false,
            };
            let findings = run::find(&request, &clients).await?;
            self.refuse_unknown(&findings, aws)?;
            warn(&findings);
            let is_complete = findings.unsearched.is_empty();
            if self.args.dry_run {
                self.print(&findings.leftovers);
                return Ok(incomplete_unless(is_complete, ExitStatus::Passed));
            }
            if !self.confirmed(&findings) {
                return Ok(ExitStatus::Passed);
            }
            let options = DeletionOptions {
                wait: self.args.wait_for_delete,
                force: self.args.force_delete,
                limit: self
                    .args
                    .delete_timeout
                    .map_or(TestLimits::default().deletion, |it| it.0),
            };
            let consumers = vec![output::terminal(verbosity, false, None)];
            let ended =
                run::clean(&self.what, findings, options, &clients, endpoint, consumers).await;
            Ok(incomplete_unless(is_complete, exit_of(&ended)))
        })
    }

    /// Returns an error if nothing is named, or if everything is and nobody can be asked. A script
    /// that names a project or a run has decided, as with TaskCat, which never asks.
    fn refuse_undecided(&self) -> Result<(), CliError> {
        if self.what.trim().is_empty() {
            let message = "expected a project name, a run ID or ALL, found an empty text";
            return Err(CliError::Usage(message.to_owned()));
        }
        let is_decided = self.args.yes || self.args.dry_run || self.what != "ALL";
        if !is_decided && !io::stdin().is_terminal() {
            let message = "stdin is not a terminal; pass --yes to delete, or --dry-run to see what \
                would be deleted";
            return Err(CliError::Usage(message.to_owned()));
        }
        Ok(())
    }

    fn print(&self, leftovers: &[Leftover]) {
        if self.args.json {
            let found: Vec<Value> = leftovers.iter().map(to_json).collect();
            streams::print_line(format_args!("{:#}", Value::from(found)));
        } else if leftovers.is_empty() {
            streams::tell("nothing to delete");
        } else {
            streams::print(table(leftovers));
        }
    }

    /// Returns an error if nothing is known about the name, unless it is this project's name, or if
    /// it is the beginning of several run IDs.
    fn refuse_unknown(&self, findings: &CleanFindings, aws: &AwsArgs) -> Result<(), CliError> {
        let what = &self.what;
        let refused = |message: String, help: String| {
            Err(CliError::Diagnostics(vec![
                Diagnostic::error(message).help(help),
            ]))
        };
        let found = findings
            .leftovers
            .iter()
            .chain(&findings.running)
            .filter(|it| it.project != *what && it.installer.as_ref() != Some(what));
        let runs: BTreeSet<&str> = found.map(|it| it.run_id.as_str()).collect();
        if what != "ALL" && runs.len() > 1 {
            let runs: Vec<_> = runs.into_iter().collect();
            return refused(
                format!("`{what}` is the beginning of several run IDs"),
                format!("name one: {}", runs.join(", ")),
            );
        }
        // A run whose ID is known may have left nothing.
        if what == "ALL"
            || !findings.is_unknown()
            || run::run_id(what).is_some()
            || self.is_project_at_hand(aws)
        {
            return Ok(());
        }
        let known: Vec<_> = findings
            .others
            .iter()
            .map(|(project, run_id)| match run_id.as_str() {
                "" => project.clone(),
                run_id => format!("{project} (run {run_id})"),
            })
            .collect();
        let help = if known.is_empty() {
            "no leftovers of other projects or runs were found either".to_owned()
        } else {
            format!("leftovers were found of {}", known.join(", "))
        };
        refused(format!("no project or run matches `{what}`"), help)
    }

    /// Finding nothing to delete in one's own project is fine.
    fn is_project_at_hand(&self, aws: &AwsArgs) -> bool {
        let input = Path::new("./.taskcat.yml");
        let project = CliProject::load(&self.args.journals.project_root, input, aws, Vec::new());
        project.is_ok_and(|it| it.loaded.config.project.name.as_deref() == Some(&self.what))
    }

    fn confirmed(&self, findings: &CleanFindings) -> bool {
        if self.args.yes || findings.leftovers.is_empty() || !io::stdin().is_terminal() {
            return true;
        }
        streams::tell_in_line(table(&findings.leftovers));
        question::confirm("Delete them?").unwrap_or(false)
    }
}

/// An incomplete search is a failure.
pub(super) fn incomplete_unless(is_complete: bool, exit: ExitStatus) -> ExitStatus {
    if !is_complete && exit == ExitStatus::Passed {
        ExitStatus::LeftBehind
    } else {
        exit
    }
}

fn warn(findings: &CleanFindings) {
    findings
        .unsearched
        .iter()
        .for_each(|warning| output::warning(warning));
    if let Some(first) = findings.running.first() {
        let count = findings.running.len();
        let message = format!(
            "skipped {count} {} of runs that seem to be in progress, such as {} of run {} \
             (--include-running deletes them, too)",
            if count == 1 { "resource" } else { "resources" },
            first.name,
            first.run_id,
        );
        output::warning(&message);
    }
}

/// Returns one line per resource.
fn table(leftovers: &[Leftover]) -> String {
    let mut text = String::new();
    for it in leftovers {
        let kind = if it.is_stack() { "stack " } else { "bucket" };
        let origin = match &it.installer {
            Some(installer) => format!("permanent stack {installer}"),
            None => format!("run {}", it.run_id),
        };
        let _ = writeln!(
            text,
            "{kind}  {}  {}  {}  {origin}",
            it.name, it.region, it.account_id
        );
    }
    text
}

fn to_json(found: &Leftover) -> Value {
    json!({
        "type": if found.is_stack() { "stack" } else { "bucket" },
        "name": found.name,
        "stack_id": found.stack_id(),
        "region": found.region,
        "account_id": found.account_id,
        "profile": found.profile,
        "project_name": given(&found.project),
        "test_name": found.test,
        "id": given(&found.run_id),
        "installer": found.installer,
        "created": found.created.map(|it| it.to_string()),
    })
}

/// Returns a text that isn't empty.
pub(super) fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
