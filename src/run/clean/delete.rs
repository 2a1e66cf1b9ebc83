//! Deletes what was found of earlier runs.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tokio::time::sleep;
use uuid::Uuid;

use super::{CleanFindings, Leftover, LeftoverKind, age};
use crate::aws::{Aws, AwsError, Clients, INVISIBLE};
use crate::event::{EventKind, EventSender, RunStarted, RunTask};
use crate::report::EventConsumer;
use crate::run::deletion::{self, DeletionOptions};
use crate::run::harness::{EndedRun, RunContext, RunHarness};
use crate::run::journal::JournalRecord;
use crate::run::staging;
use crate::status::StackStatus;
use crate::teardown;

const LOOK: Duration = Duration::from_millis(500);

/// Deletes what was found. If something can't be deleted, it is counted and its journal is kept.
pub(crate) async fn clean(
    what: &str,
    findings: CleanFindings,
    options: DeletionOptions,
    aws: &Aws,
    endpoint: Option<String>,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> EndedRun {
    let CleanFindings {
        leftovers,
        journals,
        ..
    } = findings;
    let harness = RunHarness::new(started(what, endpoint, aws), consumers);
    let mut undeleted: BTreeSet<String> = leftovers.iter().map(|it| it.run_id.clone()).collect();
    undeleted.extend(journals.iter().map(|it| it.header.run_id.clone()));
    let ended = harness
        .run_to_end(async |context: &RunContext| {
            let (stacks, buckets): (Vec<_>, Vec<_>) =
                leftovers.iter().partition(|it| it.is_stack());
            let stacks = stacks
                .into_iter()
                .map(|it| delete_stack(it, options, aws, &context.events));
            let deleted = context.stop.until_stopped(join_all(stacks)).await;
            // Stacks may read from the buckets while they are being deleted.
            let buckets = buckets
                .into_iter()
                .map(|it| delete_bucket(it, aws, &context.events));
            let markers = journals.iter().flat_map(JournalRecord::markers).collect();
            let released = staging::release_left(markers, aws, &context.events).await;
            if deleted.is_some()
                && released
                && context
                    .stop
                    .until_stopped(join_all(buckets))
                    .await
                    .is_some()
            {
                undeleted.clear();
            }
            Ok(())
        })
        .await;
    // A deletion that isn't awaited counts as done; if it fails, the stack can be found by its
    // tags.
    if ended.finished.left_behind == 0 {
        // The journal of a run in progress is kept.
        let ended = journals.iter().filter(|it| !it.is_alive());
        for record in ended.filter(|it| !undeleted.contains(&it.header.run_id)) {
            // A journal that can't be removed does no harm.
            let _ = fs::remove_file(&record.path);
        }
    }
    ended
}

async fn delete_stack(found: &Leftover, options: DeletionOptions, aws: &Aws, events: &EventSender) {
    let LeftoverKind::Stack {
        stack_id,
        unconfirmed_since,
    } = &found.kind
    else {
        return;
    };
    let clients = aws.clients(&found.profile, &found.region).await;
    let stack_id =
        match current_stack(found, stack_id.as_deref(), *unconfirmed_since, &clients).await {
            Ok(Some(stack_id)) => stack_id,
            Ok(None) => return,
            Err(error) => {
                let cell = found.cell();
                let stack_id = found.name.clone();
                let failed = EventKind::StackDeleteFailed {
                    cell,
                    stack_id,
                    reason: error.to_string(),
                    left: Vec::new(),
                };
                return events.send(failed);
            }
        };
    deletion::delete_found(&found.cell(), stack_id, clients, options, events).await;
}

/// Returns the ID of the stack that was found; `None` if it doesn't exist anymore. A stack whose
/// creation wasn't confirmed may appear late, so its absence is checked repeatedly.
pub(in crate::run) async fn current_stack(
    found: &Leftover,
    stack_id: Option<&str>,
    unconfirmed_since: Option<Timestamp>,
    clients: &Clients,
) -> Result<Option<String>, AwsError> {
    loop {
        let stack = clients
            .describe_stack(stack_id.unwrap_or(&found.name))
            .await?;
        let ours = stack.filter(|stack| found.is_marked_as(stack));
        if let Some(stack) = ours {
            return Ok((stack.status != StackStatus::DeleteComplete).then_some(stack.stack_id));
        }
        if age(unconfirmed_since) >= INVISIBLE {
            return Ok(None);
        }
        sleep(LOOK).await;
    }
}

async fn delete_bucket(found: &Leftover, aws: &Aws, events: &EventSender) {
    let Some(origin) = found.bucket_origin() else {
        return;
    };
    let clients = aws.clients(&found.profile, &found.region).await;
    teardown::delete_bucket_of_run(&found.name, &origin, &clients, events).await;
}

/// Returns a start event without cells, since nothing is tested. `what` is a project or another
/// description.
pub(in crate::run) fn started(what: &str, endpoint: Option<String>, aws: &Aws) -> RunStarted {
    RunStarted {
        task: RunTask::Clean,
        run_id: Uuid::new_v4().simple().to_string(),
        taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
        project: what.to_owned(),
        endpoint,
        simulated: aws.is_simulated(),
        templates: Vec::new(),
        cells: Vec::new(),
    }
}
