//! `taskcat list`, `taskcat deploy list` and `taskcat test list`: the stacks that taskcat has
//! created, by their tags.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::clean::{JournalArgs, given, incomplete_unless, profile_or_default};
use super::error::{CliError, ExitStatus};
use super::{AwsArgs, block_on, listed, output, streams};
use crate::report::text;
use crate::run::{self, CleanFindings, CleanRequest, Leftover, SearchScope, StackType};

/// List the stacks that taskcat has created: permanent ones, and those of test runs.
///
/// Finds them by their tags, and prints one line per installation or test run and region. A stack
/// that `taskcat deploy run` has created is listed by its name, without a project and an ID.
#[derive(Args)]
pub(super) struct StackListArgs {
    #[command(flatten)]
    place: ListScopeArgs,

    /// Which stacks to list: permanent ones (project), those of test runs, or ALL.
    #[arg(
        short,
        long,
        value_enum,
        ignore_case = true,
        default_value = "ALL",
        value_name = "TYPE"
    )]
    stack_type: StackTypeChoice,
}

/// List permanent stacks, those of `taskcat deploy run` and those that TaskCat has installed.
#[derive(Args)]
pub(super) struct DeployListArgs {
    #[command(flatten)]
    place: ListScopeArgs,
}

/// List test runs with leftover stacks or buckets.
#[derive(Args)]
#[command(mut_arg("project_root", |arg| arg.short(None)))]
pub(super) struct TestListArgs {
    #[command(flatten)]
    place: ListScopeArgs,

    #[command(flatten)]
    journals: JournalArgs,
}

/// Where to search, and how to print what was found.
#[derive(Args)]
struct ListScopeArgs {
    /// AWS profiles to search with, separated by commas [default: the one of --profile].
    #[arg(
        short,
        long,
        short_alias = 'a',
        alias = "aws-profile",
        value_name = "NAMES"
    )]
    profiles: Option<String>,

    /// Regions to search, separated by commas; ALL searches every region that the account has
    /// enabled.
    #[arg(short, long, default_value = "ALL", value_name = "REGIONS")]
    regions: String,

    /// Print JSON: one object per line of the table.
    #[arg(long)]
    json: bool,
}

/// The values of TaskCat's `--stack-type`.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum StackTypeChoice {
    Project,
    Test,
    #[value(name = "ALL")]
    All,
}

impl From<StackTypeChoice> for StackType {
    fn from(choice: StackTypeChoice) -> Self {
        match choice {
            StackTypeChoice::Project => Self::Project,
            StackTypeChoice::Test => Self::Test,
            StackTypeChoice::All => Self::All,
        }
    }
}

impl ListScopeArgs {
    fn scope(&self, aws: &AwsArgs) -> Result<SearchScope, CliError> {
        let names = self
            .profiles
            .as_deref()
            .map(|it| it.split(',').map(str::trim));
        let profiles: Vec<String> = match names {
            Some(names) => names
                .filter(|name| !name.is_empty())
                .map(|name| profile_or_default(Some(name), aws))
                .collect(),
            None => vec![profile_or_default(None, aws)],
        };
        if profiles.is_empty() {
            let message = "expected names of profiles, found an empty list (--profiles)";
            return Err(CliError::Usage(message.to_owned()));
        }
        Ok(SearchScope {
            profiles,
            regions: listed(&self.regions),
        })
    }
}

impl StackListArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        list_stacks(&self.place, self.stack_type.into(), aws)
    }
}

impl DeployListArgs {
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        list_stacks(&self.place, StackType::Project, aws)
    }
}

/// Prints the jobs of `list` and `deploy list`.
fn list_stacks(
    place: &ListScopeArgs,
    stack_type: StackType,
    aws: &AwsArgs,
) -> Result<ExitStatus, CliError> {
    let found = find(place, stack_type, None, aws)?;
    let jobs = jobs(&found.leftovers);
    if place.json {
        print_json(jobs.iter().map(|(key, job)| job.to_json(key)));
    } else if jobs.is_empty() {
        streams::tell("no stacks found");
    } else {
        streams::print(stack_table(&jobs, stack_type));
    }
    Ok(exit(&found))
}

impl TestListArgs {
    /// Prints one line per run, account and region.
    pub(super) fn run(self, aws: &AwsArgs) -> Result<ExitStatus, CliError> {
        let found = find(&self.place, StackType::Test, Some(&self.journals), aws)?;
        let jobs = jobs(&found.leftovers);
        if self.place.json {
            print_json(jobs.iter().map(|(key, job)| {
                let mut object = job.to_json(key);
                object["buckets"] = job.buckets.into();
                object
            }));
        } else if jobs.is_empty() {
            streams::tell("no stacks or buckets found");
        } else {
            streams::print(run_table(&jobs));
        }
        Ok(exit(&found))
    }
}

/// Searches with the tags alone or, with `journals`, for everything that test runs have left.
fn find(
    place: &ListScopeArgs,
    stack_type: StackType,
    journals: Option<&JournalArgs>,
    aws: &AwsArgs,
) -> Result<CleanFindings, CliError> {
    let search = place.scope(aws)?;
    let found = block_on(async {
        let (clients, endpoint) = aws.connect(None)?;
        let request = CleanRequest {
            what: "ALL".to_owned(),
            search,
            folders: journals.map(JournalArgs::folders).unwrap_or_default(),
            endpoint,
            include_running: true,
            older_than: None,
            stack_type,
            stacks_only: journals.is_none(),
        };
        Ok(run::find(&request, &clients).await?)
    })?;
    found.unsearched.iter().for_each(|it| output::warning(it));
    Ok(found)
}

fn exit(found: &CleanFindings) -> ExitStatus {
    incomplete_unless(found.unsearched.is_empty(), ExitStatus::Passed)
}

fn print_json(objects: impl Iterator<Item = Value>) {
    streams::print_line(format_args!("{:#}", Value::Array(objects.collect())));
}

/// What one run or installation has in a region; TaskCat's "job".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ListedJobKey<'f> {
    /// The name of the installation, or else of the project.
    name: &'f str,
    project: &'f str,
    id: &'f str,
    region: &'f str,
    account_id: &'f str,
}

#[derive(Debug, Default)]
struct ListedJob<'f> {
    profile: &'f str,
    is_permanent: bool,
    stacks: usize,
    buckets: usize,
    /// When the oldest of them was created.
    created: Option<Timestamp>,
}

impl ListedJob<'_> {
    /// Returns the job with the keys of TaskCat's `_cli_modules/list.py`, and more.
    fn to_json(&self, key: &ListedJobKey) -> Value {
        json!({
            "name": key.name,
            "id": given(key.id),
            "project_name": given(key.project),
            "active_stacks": self.stacks,
            "region": key.region,
            "account_id": key.account_id,
            "profile": self.profile,
            "stack_type": if self.is_permanent { "project" } else { "test" },
            "created": self.created.map(|it| it.to_string()),
        })
    }
}

fn jobs(leftovers: &[Leftover]) -> BTreeMap<ListedJobKey<'_>, ListedJob<'_>> {
    let mut jobs = BTreeMap::new();
    for it in leftovers {
        let key = ListedJobKey {
            name: it.installer.as_ref().unwrap_or(&it.project),
            project: &it.project,
            id: &it.run_id,
            region: &it.region,
            account_id: &it.account_id,
        };
        let job: &mut ListedJob = jobs.entry(key).or_default();
        job.profile = &it.profile;
        job.is_permanent = it.installer.is_some();
        if it.is_stack() {
            job.stacks += 1;
        } else {
            job.buckets += 1;
        }
        job.created = [job.created, it.created].into_iter().flatten().min();
    }
    jobs
}

/// Returns the table of `list` with the columns of TaskCat's; that of test runs has no project,
/// which is the name.
fn stack_table(jobs: &BTreeMap<ListedJobKey, ListedJob>, stack_type: StackType) -> String {
    let longest = |of: fn(&ListedJobKey) -> usize| jobs.keys().map(of).max().unwrap_or_default();
    let name = longest(|it| it.name.len()) + 4;
    let project = longest(|it| shown(it.project).len()) + 7;
    let line = |cells: [&str; 4]| {
        let [name_cell, project_cell, id, region] = cells;
        if stack_type == StackType::Test {
            format!("{name_cell:name$}{id:36}{region}\n")
        } else {
            format!("{name_cell:name$}{project_cell:project$}{id:36}{region}\n")
        }
    };
    let mut text = line(["NAME", "PROJECT", "ID", "REGION"]);
    for key in jobs.keys() {
        text += &line([key.name, shown(key.project), shown(key.id), key.region]);
    }
    text
}

/// Returns the table of `test list`.
fn run_table(jobs: &BTreeMap<ListedJobKey, ListedJob>) -> String {
    let width = jobs
        .keys()
        .map(|it| it.project.len())
        .max()
        .unwrap_or_default()
        .max("PROJECT".len());
    let mut text = format!(
        "{:width$}  {:32}  {:14}  {:12}  {:6}  {:7}  AGE\n",
        "PROJECT", "ID", "REGION", "ACCOUNT", "STACKS", "BUCKETS"
    );
    for (key, job) in jobs {
        let ListedJobKey {
            project,
            id,
            region,
            account_id,
            ..
        } = key;
        let stacks = job.stacks;
        let buckets = job.buckets;
        let age = job
            .created
            .map_or_else(|| "-".to_owned(), |at| text::duration(age(at)));
        let _ = writeln!(
            text,
            "{project:width$}  {id:32}  {region:14}  {account_id:12}  {stacks:<6}  {buckets:<7}  \
             {age}"
        );
    }
    text
}

/// Returns a dash for what a stack doesn't have.
fn shown(text: &str) -> &str {
    given(text).unwrap_or("-")
}

/// Returns the age in seconds.
fn age(at: Timestamp) -> f64 {
    Timestamp::now().duration_since(at).as_secs_f64()
}
