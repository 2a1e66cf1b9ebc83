//! Deletes a stack: requests the deletion, follows it, and repeats it until the stack is deleted or
//! the time limit is reached.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::aws::{Clients, request_token};
use crate::duration::HumanDuration;
use crate::event::{CellId, EventKind, EventSender};
use crate::status::StackStatus;
use crate::teardown::{self, DeletionMode};
use crate::watch::Watcher;

/// Number of attempts at a deletion that fails for a reason that can't be removed.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; doubled before each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// How stacks are deleted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeletionOptions {
    /// Whether to wait until the stack is deleted.
    pub wait: bool,
    /// Whether to delete the stack without the resources that can't be deleted, as a last step.
    pub force: bool,
    /// Time limit for all attempts together.
    pub limit: Duration,
}

/// Deletes the stack that `watcher` follows and sends the result as an event. Returns whether it
/// was deleted.
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

/// Deletes a stack that an earlier run has not deleted. Returns whether it was deleted.
pub(super) async fn delete_found(
    cell: &CellId,
    stack_id: String,
    clients: Arc<Clients>,
    options: DeletionOptions,
    events: &EventSender,
) -> bool {
    let mut watcher = Watcher::new(cell.clone(), stack_id, clients, events.clone());
    // If reading earlier events fails, the first poll reports them, which is no reason not to
    // delete.
    if let Err(error) = watcher.catch_up().await {
        tracing::debug!("the events so far cannot be read: {error}");
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
            if teardown::is_operation_in_progress(&reason) {
                self.end_update(watcher).await?;
                continue;
            }
            failures += 1;
            let unblocked =
                teardown::unblock(self.cell, self.stack_id, self.clients, self.events).await;
            // What others use is released eventually: an export by the importing stack, a network
            // interface by Lambda.
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

    /// Cancels an update in progress, during which CloudFormation deletes nothing, and waits until
    /// the stack is rolled back, or until another operation on it has ended.
    async fn end_update(&self, watcher: &mut Watcher) -> Result<(), String> {
        let token = request_token();
        // It may have ended by itself, or is being rolled back already.
        if let Err(error) = self.clients.cancel_update(self.stack_id, &token).await {
            tracing::debug!("the update isn't cancelled: {error}");
        }
        watcher.idle().await.map_err(|error| error.to_string())
    }

    /// Deletes once, and waits if requested; the error is CloudFormation's reason.
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

    /// As the last step with `--force-delete`, deletes the stack without the resources that can't
    /// be deleted, and reports those.
    async fn give_up(&self, watcher: &mut Watcher, reason: String) -> Result<(), String> {
        if !self.options.force {
            return Err(reason);
        }
        let left = teardown::left_behind(self.stack_id, self.clients).await;
        self.attempt(watcher, &DeletionMode::Force).await?;
        let names: Vec<_> = left.iter().map(teardown::describe).collect();
        if names.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "the stack was deleted by force, without these resources: {} ({reason})",
                names.join(", ")
            ))
        }
    }
}
