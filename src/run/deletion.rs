//! The deletion of a stack: requested, followed, and repeated until the stack is deleted or its
//! time is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::aws::Clients;
use crate::duration::HumanDuration;
use crate::event::{CellId, EventKind, EventSender};
use crate::status::StackStatus;
use crate::teardown::{self, DeletionMode};
use crate::watch::Watcher;

/// Attempts at a deletion that fails for a reason that nothing is known to remove.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How stacks are deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeletionOptions {
    /// Wait until the stack is deleted.
    pub wait: bool,
    /// As a last step, delete the stack without the resources that can't be deleted.
    pub force: bool,
    /// For all attempts together.
    pub limit: Duration,
}

/// Deletes the stack that `watcher` follows, sends how that ended, and returns whether it was
/// deleted.
pub(super) async fn delete(
    cell: &CellId,
    watcher: &mut Watcher,
    options: DeletionOptions,
    events: &EventSender,
) -> bool {
    let stack_id = watcher.stack_id().to_owned();
    let clients = watcher.clients();
    let attempts = DeletionAttempts {
        cell,
        stack_id: &stack_id,
        clients: &clients,
        events,
        options,
    };
    let deleted = timeout(options.limit, attempts.delete(watcher))
        .await
        .unwrap_or_else(|_| {
            Err(format!(
                "the stack was not deleted within {}",
                HumanDuration(options.limit)
            ))
        });
    let is_deleted = deleted.is_ok();
    events.send(match deleted {
        Ok(()) if options.wait => EventKind::StackDeleted {
            cell: cell.clone(),
            stack_id,
        },
        Ok(()) => EventKind::StackDeleteUnawaited {
            cell: cell.clone(),
            stack_id,
        },
        Err(reason) => {
            let left = teardown::left_behind(&stack_id, &clients).await;
            EventKind::StackDeleteFailed {
                cell: cell.clone(),
                stack_id,
                reason,
                left,
            }
        }
    });
    is_deleted
}

/// Deletes a stack that an earlier run has not deleted, and returns whether it was deleted.
pub(super) async fn delete_found(
    cell: &CellId,
    stack_id: String,
    clients: Arc<Clients>,
    options: DeletionOptions,
    events: &EventSender,
) -> bool {
    let mut watcher = Watcher::new(cell.clone(), stack_id, clients, events.clone());
    // Without the past the first poll reports it, which is no reason not to delete.
    if let Err(error) = watcher.catch_up().await {
        tracing::debug!("the events so far can't be read: {error}");
    }
    delete(cell, &mut watcher, options, events).await
}

struct DeletionAttempts<'a> {
    cell: &'a CellId,
    stack_id: &'a str,
    clients: &'a Clients,
    events: &'a EventSender,
    options: DeletionOptions,
}

impl DeletionAttempts<'_> {
    async fn delete(&self, watcher: &mut Watcher) -> Result<(), String> {
        let mut wait = FIRST_WAIT;
        let mut failures = 0;
        loop {
            let reason = match self.attempt(watcher, &DeletionMode::Standard).await {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            };
            failures += 1;
            let unblocked =
                teardown::unblock(self.cell, self.stack_id, self.clients, self.events).await;
            // What others hold on to is released in time: an export by the importing stack, a
            // network interface by Lambda.
            let may_pass = unblocked || teardown::is_held_by_others(&reason);
            if failures >= ATTEMPTS && !may_pass {
                return self.give_up(watcher, reason).await;
            }
            if !unblocked {
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }

    /// One deletion, awaited where the user wants it; the error is CloudFormation's reason.
    async fn attempt(&self, watcher: &mut Watcher, mode: &DeletionMode) -> Result<(), String> {
        let Self {
            cell,
            stack_id,
            clients,
            events,
            ..
        } = self;
        let requested = teardown::delete_stack(cell, stack_id, mode, clients, events).await;
        requested.map_err(|error| error.to_string())?;
        if !self.options.wait {
            return Ok(());
        }
        let (status, reason) = watcher.deleted().await.map_err(|error| error.to_string())?;
        if status == StackStatus::DeleteComplete {
            Ok(())
        } else {
            Err(reason.unwrap_or_else(|| status.to_string()))
        }
    }

    /// The last step: with `--force-delete` the stack goes without what can't be deleted, which is
    /// then reported as not deleted.
    async fn give_up(&self, watcher: &mut Watcher, reason: String) -> Result<(), String> {
        if !self.options.force {
            return Err(reason);
        }
        let left = teardown::left_behind(self.stack_id, self.clients).await;
        self.attempt(watcher, &DeletionMode::Force).await?;
        let names: Vec<_> = left.iter().map(teardown::describe).collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "the stack was deleted by force, without these resources: {} ({reason})",
                names.join(", ")
            )),
        }
    }
}
