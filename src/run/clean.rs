//! What earlier runs left is found and taken away: `taskcat test clean` and `test list`.
//!
//! Two sources tell of it: the journals of killed runs in the project, which name stacks and buckets exactly, and the
//! tags that every stack of a run carries. TaskCat's `_cli_modules/delete.py` and `list.py` know the tags only.

use std::fs;
use std::path::PathBuf;

use futures::future::join_all;
use uuid::Uuid;

use super::cell;
use super::conductor::{Conductor, Ended};
use super::journal::{self, PlannedBucket, Unfinished};
use super::redact::Secrets;
use crate::aws::{Aws, AwsError, Stack};
use crate::event::{CellId, Events, RunStarted, Task};
use crate::report::Consumer;
use crate::teardown;

/// What is to go.
#[derive(Clone, Debug)]
pub struct CleanRequest {
    /// A project's name, a run's `taskcat-id`, or `ALL`.
    pub what: String,
    pub search: Search,
    pub wait: bool,
    /// Where journals are looked for.
    pub project_root: PathBuf,
    pub endpoint: Option<String>,
}

/// Where stacks are looked for.
#[derive(Clone, Debug)]
pub struct Search {
    pub profile: String,
    /// `None`: every region that the account has enabled.
    pub regions: Option<Vec<String>>,
}

/// A stack that a run made and that stands, not nested in another.
#[derive(Clone, Debug)]
pub struct RunStack {
    profile: String,
    region: String,
    stack: Stack,
}

impl RunStack {
    /// The `taskcat-id`.
    pub fn run_id(&self) -> &str {
        self.stack.tag("taskcat-id").unwrap_or_default()
    }

    pub fn project(&self) -> &str {
        self.stack.tag("taskcat-project-name").unwrap_or_default()
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// Called by the stack's name, since several runs of one test may have left one each.
    fn cell(&self) -> CellId {
        CellId { test: self.stack.stack_name.as_str().into(), region: self.region.as_str().into() }
    }
}

/// The stacks that runs have made, by their tags. Regions that can't be searched are named in the warnings.
pub async fn find_stacks(search: &Search, aws: &Aws) -> Result<(Vec<RunStack>, Vec<String>), AwsError> {
    let regions = match &search.regions {
        Some(regions) => regions.clone(),
        None => aws.regions(&search.profile).await?,
    };
    Ok(find_in(regions.into_iter().map(|region| (search.profile.clone(), region)).collect(), aws).await)
}

async fn find_in(places: Vec<(String, String)>, aws: &Aws) -> (Vec<RunStack>, Vec<String>) {
    let searched = join_all(places.into_iter().map(async |(profile, region)| {
        let stacks = aws.clients(&profile, &region).await.all_stacks().await;
        (profile, region, stacks)
    }))
    .await;
    let (mut found, mut warnings) = (Vec::new(), Vec::new());
    for (profile, region, stacks) in searched {
        match stacks {
            Err(error) => warnings.push(format!("{region} was not searched: {error}")),
            // A nested stack goes with the one it is nested in.
            Ok(stacks) => found.extend(
                stacks
                    .into_iter()
                    .filter(|stack| stack.tag("taskcat-id").is_some() && !stack.is_nested())
                    .map(|stack| RunStack { profile: profile.clone(), region: region.clone(), stack }),
            ),
        }
    }
    (found, warnings)
}

/// Finds and deletes. What can't be deleted counts as left behind.
pub async fn clean(request: &CleanRequest, aws: &Aws, consumers: Vec<Box<dyn Consumer>>) -> Result<Ended, AwsError> {
    let journals = journal::unfinished(&request.project_root);
    let journals: Vec<_> =
        journals.into_iter().filter(|it| request.means(&it.header.project, &it.header.run_id)).collect();
    let (mut stacks, mut warnings) = find_stacks(&request.search, aws).await?;
    let (journalled, more) = find_in(other_places(&journals, request, &stacks), aws).await;
    stacks.extend(journalled);
    stacks.retain(|stack| request.means(stack.project(), stack.run_id()));
    warnings.extend(more);

    let conductor = Conductor {
        started: started(&request.what, request.endpoint.clone(), aws),
        secrets: Secrets::default(),
        journal: None,
        consumers,
    };
    let buckets = journals.iter().flat_map(|journal| &journal.buckets);
    let ended = conductor
        .conduct(async |spine| {
            warnings.into_iter().for_each(|warning| spine.events.warn(None, warning));
            join_all(stacks.into_iter().map(|stack| delete_stack(stack, request.wait, aws, &spine.events))).await;
            join_all(buckets.map(|bucket| delete_bucket(bucket, aws, &spine.events))).await;
            Ok(())
        })
        .await;
    if ended.finished.left_behind == 0 && request.wait {
        // A journal that can't be removed is only clutter.
        journals.iter().for_each(|journal| _ = fs::remove_file(&journal.path));
    }
    Ok(ended)
}

impl CleanRequest {
    fn means(&self, project: &str, run_id: &str) -> bool {
        // TaskCat takes both spellings of a UUID.
        let is_run = Uuid::parse_str(&self.what).is_ok_and(|id| id.simple().to_string() == run_id);
        is_run || self.what == "ALL" || self.what == project
    }
}

/// Where the journals' stacks are, as far as it is outside of what is searched anyway: other profiles, other regions.
fn other_places(journals: &[Unfinished], request: &CleanRequest, found: &[RunStack]) -> Vec<(String, String)> {
    let journalled = journals.iter().flat_map(|journal| &journal.stacks);
    let searched = |profile: &str, region: &str| {
        let all = request.search.regions.as_ref();
        profile == request.search.profile && all.is_none_or(|regions| regions.iter().any(|it| it == region))
            || found.iter().any(|stack| stack.profile == profile && stack.region == region)
    };
    let mut places: Vec<_> = journalled
        .map(|planned| (planned.profile.clone(), planned.cell.region.to_string()))
        .filter(|(profile, region)| !searched(profile, region))
        .collect();
    places.sort_unstable();
    places.dedup();
    places
}

async fn delete_stack(found: RunStack, wait: bool, aws: &Aws, events: &Events) {
    let clients = aws.clients(&found.profile, &found.region).await;
    cell::delete_found(found.cell(), found.stack.stack_id, clients, wait, events).await;
}

async fn delete_bucket(bucket: &PlannedBucket, aws: &Aws, events: &Events) {
    let clients = aws.clients(&bucket.profile, &bucket.region).await;
    teardown::delete_bucket(&bucket.name, &[], &clients, events).await;
}

/// Without cells: nothing is tested. `what` is a project, or what else is taken away.
pub(super) fn started(what: &str, endpoint: Option<String>, aws: &Aws) -> RunStarted {
    RunStarted {
        task: Task::Clean,
        run_id: Uuid::new_v4().simple().to_string(),
        taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: what.to_owned(),
        endpoint,
        simulated: aws.is_simulated(),
        templates: Vec::new(),
        cells: Vec::new(),
    }
}
