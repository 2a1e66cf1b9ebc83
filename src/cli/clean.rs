//! `taskcat test clean` and `taskcat test list`: resources that earlier runs have not deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::error::{CliError, ExitStatus, exit_of};
use super::paths::path;
use super::project::CliProject;
use super::{AwsArgs, Verbosity, block_on, listed, output, question, remains, streams};
use crate::aws::{DEFAULT_PROFILE, explicit_profile};
use crate::diagnostic::Diagnostic;
use crate::duration::HumanDuration;
use crate::plan::TestLimits;
use crate::report::text;
use crate::run::{self, CleanFindings, CleanRequest, DeletionOptions, Leftover, SearchScope};

/// Delete stacks and buckets left by earlier runs.
///
/// Finds them by the journals of killed runs and by their tags. Skips runs that are still in
/// progress: those that hold the lock of their journal and, without a journal, those whose newest
/// event is less than an hour old (unless you name the run by its ID).
///
/// Asks before deleting anything. Without a terminal, pass --yes or name a run by its ID.
#[derive(Args)]
pub(super) struct CleanArgs {
    /// Project name, run ID (or the beginning of one), or ALL.
    project: String,

    #[command(flatten)]
    place: SearchArgs,

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

    /// Delete only runs whose newest event is older than this.
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

/// List runs with leftover stacks or buckets.
#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    place: SearchArgs,

    #[command(flatten)]
    journals: JournalArgs,
}

#[derive(Args)]
pub(super) struct SearchArgs {
    /// AWS profile to search with; the same as --profile.
    #[arg(short, long, value_name = "NAME")]
    aws_profile: Option<String>,

    /// Regions to search, separated by commas; ALL searches every region that the account has
    /// enabled.
    #[arg(short, long, default_value = "ALL", value_name = "REGIONS")]
    region: String,
}

impl SearchArgs {
    pub(super) fn search(&self, aws: &AwsArgs) -> SearchScope {
        let profile = self.aws_profile.as_deref().or(aws.profile());
        let profile = profile.map_or(DEFAULT_PROFILE, explicit_profile);
        SearchScope {
            profile: profile.to_owned(),
            regions: listed(&self.region),
        }
    }
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
        if self.project.trim().is_empty() {
            let message = "expected a project name, a run ID or ALL, found an empty text";
            return Err(CliError::Usage(message.to_owned()));
        }
        let is_decided = self.yes || self.dry_run || run::run_id(&self.project).is_some();
        if !is_decided && !io::stdin().is_terminal() {
            let message = "stdin is not a terminal; pass --yes to delete, or --dry-run to see what \
                would be deleted";
            return Err(CliError::Usage(message.to_owned()));
        }
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let request = CleanRequest {
                what: self.project.clone(),
                search: self.place.search(aws),
                folders: self.journals.folders(),
                endpoint: endpoint.clone(),
                include_running: self.include_running,
                older_than: self.older_than.map(|it| it.0),
            };
            let found = run::find(&request, &clients).await;
            let findings =
                found.map_err(|error| CliError::aws(request.search.profile.clone(), error))?;
            self.refuse_unknown(&findings, aws)?;
            warn(&findings);
            let is_complete = findings.unsearched.is_empty();
            if self.dry_run {
                streams::print(table(&findings.leftovers));
                return Ok(incomplete_unless(is_complete, ExitStatus::Passed));
            }
            if !self.confirmed(&findings) {
                return Ok(ExitStatus::Passed);
            }
            let options = DeletionOptions {
                wait: self.wait_for_delete,
                force: self.force_delete,
                limit: self
                    .delete_timeout
                    .map_or(TestLimits::default().deletion, |it| it.0),
            };
            let consumers = vec![output::terminal(verbosity, false, None)];
            let ended = run::clean(
                &self.project,
                findings,
                options,
                &clients,
                endpoint,
                consumers,
            )
            .await;
            Ok(incomplete_unless(is_complete, exit_of(&ended)))
        })
    }

    /// Returns an error if nothing is known about the name, unless it is this project's name, or if
    /// it is the beginning of several run IDs.
    fn refuse_unknown(&self, findings: &CleanFindings, aws: &AwsArgs) -> Result<(), CliError> {
        let what = &self.project;
        let refused = |message: String, help: String| {
            Err(CliError::Diagnostics(vec![
                Diagnostic::error(message).help(help),
            ]))
        };
        let found = findings
            .leftovers
            .iter()
            .chain(&findings.running)
            .filter(|it| it.project != *what);
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
            .map(|(project, run_id)| format!("{project} (run {run_id})"))
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
        let project = CliProject::load(&self.journals.project_root, input, aws, Vec::new());
        project.is_ok_and(|it| it.loaded.config.project.name.as_deref() == Some(&self.project))
    }

    fn confirmed(&self, findings: &CleanFindings) -> bool {
        if self.yes || findings.leftovers.is_empty() || !io::stdin().is_terminal() {
            return true;
        }
        streams::tell_in_line(table(&findings.leftovers));
        question::confirm("Delete them?").unwrap_or(false)
    }
}

/// An incomplete search is a failure.
fn incomplete_unless(is_complete: bool, exit: ExitStatus) -> ExitStatus {
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
        let _ = writeln!(
            text,
            "{kind}  {}  {}  {}  run {}",
            it.name, it.region, it.account_id, it.run_id
        );
    }
    text
}

impl ListArgs {
    /// Prints one line per run, account and region.
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        block_on(async {
            let (clients, endpoint) = aws.connect(None)?;
            let request = CleanRequest {
                what: "ALL".to_owned(),
                search: self.place.search(aws),
                folders: self.journals.folders(),
                endpoint,
                include_running: true,
                older_than: None,
            };
            let found = run::find(&request, &clients).await;
            let findings =
                found.map_err(|error| CliError::aws(request.search.profile.clone(), error))?;
            findings
                .unsearched
                .iter()
                .for_each(|warning| output::warning(warning));
            streams::print(runs(&findings.leftovers));
            Ok(incomplete_unless(
                findings.unsearched.is_empty(),
                ExitStatus::Passed,
            ))
        })
    }
}

/// Returns the table of `test list`.
fn runs(leftovers: &[Leftover]) -> String {
    #[derive(Default)]
    struct LeftoverCounts {
        stacks: usize,
        buckets: usize,
        created: Option<Timestamp>,
    }
    let mut runs: BTreeMap<_, LeftoverCounts> = BTreeMap::new();
    for it in leftovers {
        let counts = runs
            .entry((&it.project, &it.run_id, &it.region, &it.account_id))
            .or_default();
        if it.is_stack() {
            counts.stacks += 1;
        } else {
            counts.buckets += 1;
        }
        counts.created = [counts.created, it.created].into_iter().flatten().min();
    }
    let width = runs
        .keys()
        .map(|(project, ..)| project.len())
        .max()
        .unwrap_or_default()
        .max("PROJECT".len());
    let mut text = format!(
        "{:width$}  {:32}  {:14}  {:12}  {:6}  {:7}  AGE\n",
        "PROJECT", "ID", "REGION", "ACCOUNT", "STACKS", "BUCKETS"
    );
    for (
        (project, id, region, account),
        LeftoverCounts {
            stacks,
            buckets,
            created,
        },
    ) in runs
    {
        let age = created.map_or_else(|| "-".to_owned(), |at| text::duration(age(at)));
        let _ = writeln!(
            text,
            "{project:width$}  {id:32}  {region:14}  {account:12}  {stacks:<6}  {buckets:<7}  {age}"
        );
    }
    text
}

/// Returns the age in seconds.
fn age(at: Timestamp) -> f64 {
    Timestamp::now().duration_since(at).as_secs_f64()
}
