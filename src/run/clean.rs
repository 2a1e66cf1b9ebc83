//! What earlier runs left is found and taken away: `taskcat test clean`.
//!
//! Two sources tell of it: the journals of killed runs in the project, which name stacks and buckets exactly, and the
//! tags that every stack of a run carries. TaskCat's `_cli_modules/delete.py` knows the tags only.

use std::fs;
use std::path::PathBuf;

use futures::future::join_all;
use uuid::Uuid;

use super::conductor::{Conductor, Ended};
use super::journal::{self, PlannedBucket, Unfinished};
use super::redact::Secrets;
use super::{RunError, cell};
use crate::aws::{Aws, AwsError, Stack};
use crate::event::{Cell, CellId, Events, Happening, RunStarted};
use crate::report::Consumer;
use crate::teardown;
use crate::watch::Watcher;

/// What is to go.
#[derive(Clone, Debug)]
pub struct CleanRequest {
    /// A project's name, a run's `taskcat-id`, or `ALL`.
    pub what: String,
    pub profile: String,
    /// `None`: every region that the account has.
    pub regions: Option<Vec<String>>,
    pub wait: bool,
    /// Where journals are looked for.
    pub project_root: PathBuf,
    pub endpoint: Option<String>,
}

/// A stack that a run left.
struct Remains {
    cell: CellId,
    profile: String,
    stack: Stack,
}

/// Finds and deletes. Regions that can't be searched are warnings; what can't be deleted counts as left behind.
pub async fn clean(request: &CleanRequest, aws: &Aws, consumers: Vec<Box<dyn Consumer>>) -> Result<Ended, AwsError> {
    let journals: Vec<_> =
        journal::unfinished(&request.project_root).into_iter().filter(|it| request.means(it)).collect();
    let (remains, warnings) = find(request, &journals, aws).await?;
    let buckets: Vec<_> = journals.iter().flat_map(|journal| &journal.buckets).collect();
    let conductor =
        Conductor { started: started(request, &remains), secrets: Secrets::default(), journal: None, consumers };
    let ended = conductor
        .conduct(async |spine| {
            warnings.into_iter().for_each(|warning| spine.events.warn(None, warning));
            join_all(remains.into_iter().map(|remains| delete_stack(request, remains, aws, &spine.events))).await;
            join_all(buckets.into_iter().map(|bucket| delete_bucket(bucket, aws, &spine.events))).await;
            Ok::<_, RunError>(())
        })
        .await;
    if ended.finished.left_behind == 0 && request.wait {
        // A journal that can't be removed is only clutter.
        journals.iter().for_each(|journal| _ = fs::remove_file(&journal.path));
    }
    Ok(ended)
}

impl CleanRequest {
    fn means(&self, journal: &Unfinished) -> bool {
        self.what == "ALL" || self.what == journal.header.project || self.is_run(&journal.header.run_id)
    }

    fn is_run(&self, run_id: &str) -> bool {
        // TaskCat takes both spellings of a UUID.
        Uuid::parse_str(&self.what).is_ok_and(|id| id.simple().to_string() == run_id)
    }

    /// By its tags. A nested stack goes with the one it is nested in.
    fn means_stack(&self, stack: &Stack) -> bool {
        let Some(run_id) = stack.tag("taskcat-id") else { return false };
        let is_root = stack.root_id.as_deref().is_none_or(|root| root == stack.stack_id);
        is_root && (self.what == "ALL" || stack.tag("taskcat-project-name") == Some(&self.what) || self.is_run(run_id))
    }
}

async fn find(
    request: &CleanRequest,
    journals: &[Unfinished],
    aws: &Aws,
) -> Result<(Vec<Remains>, Vec<String>), AwsError> {
    let regions = match &request.regions {
        Some(regions) => regions.clone(),
        None => aws.regions(&request.profile).await?,
    };
    let mut places: Vec<_> = regions.into_iter().map(|region| (request.profile.clone(), region)).collect();
    let journalled = journals.iter().flat_map(|journal| &journal.stacks);
    places.extend(journalled.map(|planned| (planned.profile.clone(), planned.cell.region.to_string())));
    places.sort_unstable();
    places.dedup();

    let searched = join_all(places.iter().map(async |(profile, region)| {
        let stacks = aws.clients(profile, region).await.all_stacks().await;
        (profile, region, stacks)
    }))
    .await;
    let (mut remains, mut warnings) = (Vec::new(), Vec::new());
    for (profile, region, stacks) in searched {
        match stacks {
            Err(error) => warnings.push(format!("{region} was not searched: {error}")),
            Ok(stacks) => remains.extend(stacks.into_iter().filter(|stack| request.means_stack(stack)).map(|stack| {
                let test = stack.tag("taskcat-test-name").unwrap_or(&stack.stack_name);
                let cell = CellId { test: test.into(), region: region.as_str().into() };
                Remains { cell, profile: profile.clone(), stack }
            })),
        }
    }
    Ok((remains, warnings))
}

async fn delete_stack(request: &CleanRequest, remains: Remains, aws: &Aws, events: &Events) {
    let Remains { cell, profile, stack } = remains;
    let (stack_id, clients) = (stack.stack_id, aws.clients(&profile, &cell.region).await);
    if !request.wait {
        let asked = teardown::delete_stack(&cell, &stack_id, &clients, events).await;
        events.send(match asked {
            Ok(()) => Happening::StackDeleteUnawaited { cell, stack_id },
            Err(error) => Happening::StackDeleteFailed { cell, stack_id, reason: error.to_string(), left: Vec::new() },
        });
        return;
    }
    let mut watcher = Watcher::new(cell.clone(), stack_id.clone(), clients.clone(), events.clone());
    let deleted = match watcher.catch_up().await {
        Ok(()) => cell::delete(events, &cell, &mut watcher).await,
        Err(error) => Err(error.to_string()),
    };
    events.send(match deleted {
        Ok(()) => Happening::StackDeleted { cell, stack_id },
        Err(reason) => {
            let left = teardown::left_behind(&stack_id, &clients).await;
            Happening::StackDeleteFailed { cell, stack_id, reason, left }
        }
    });
}

async fn delete_bucket(bucket: &PlannedBucket, aws: &Aws, events: &Events) {
    let clients = aws.clients(&bucket.profile, &bucket.region).await;
    teardown::delete_bucket(&bucket.name, &[], &clients, events).await;
}

fn started(request: &CleanRequest, remains: &[Remains]) -> RunStarted {
    let cells = remains.iter().map(|remains| Cell {
        id: remains.cell.clone(),
        stack_name: remains.stack.stack_name.clone(),
        template: String::new(),
        account_id: remains.stack.stack_id.split(':').nth(4).unwrap_or_default().to_owned(),
        parameters: Vec::new(),
    });
    RunStarted {
        run_id: Uuid::new_v4().simple().to_string(),
        taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: request.what.clone(),
        endpoint: request.endpoint.clone(),
        cells: cells.collect(),
    }
}
