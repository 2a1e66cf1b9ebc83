//! Follows stacks and their nested stacks by their events until their status is terminal.
//!
//! Each stack in progress is polled once per interval, only for new events. Called by `run`;
//! depends on `event` and `aws`.

mod pace;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use crate::aws::{AwsError, CheckedOperation, Clients, ErrorKind, FailedCheck, INVISIBLE, Stack};
use crate::event::{CellId, EventKind, EventSender, StackEvent, StackOutput};
use crate::status::{ResourceStatus, StackStatus};

/// How long polling a stack may fail before following it is given up.
const LONGEST_FAILURE: Duration = Duration::from_secs(15);

/// Number of consecutive times that a stack must be missing to count as deleted. CloudFormation
/// shows deleted stacks by ID for 90 days, so a stack that is missing once may only not be visible
/// everywhere.
const MISSES: u32 = 3;

/// The type of nested stacks.
pub(crate) const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// Follows a cell's stack.
pub(crate) struct Watcher {
    cell: CellId,
    clients: Arc<Clients>,
    events: EventSender,
    /// The cell's own stack, followed by nested ones as they appear.
    stacks: Vec<FollowedStack>,
    /// The reason of the first failed resource.
    first_failure: Option<String>,
    failed_checks: Vec<NestedCheck>,
}

/// A failed check, and the stack that it was made for.
#[derive(Clone, Debug)]
pub(crate) struct NestedCheck {
    /// Logical IDs from the cell's own stack to the nested one; empty for the cell's own.
    pub path: Vec<String>,
    pub check: FailedCheck,
}

struct FollowedStack {
    stack_id: String,
    /// Logical IDs from the cell's own stack to this one.
    path: Vec<String>,
    seen: HashSet<String>,
    status: StackStatus,
    reason: Option<String>,
    failing_since: Option<Instant>,
    /// Number of consecutive times that it was reported missing.
    misses: u32,
    since: Instant,
}

/// A stack with a terminal status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SettledStack {
    pub status: StackStatus,
    pub reason: Option<String>,
    pub outputs: Vec<StackOutput>,
}

impl Watcher {
    pub(crate) fn new(
        cell: CellId,
        stack_id: String,
        clients: Arc<Clients>,
        events: EventSender,
    ) -> Self {
        Self {
            cell,
            clients,
            events,
            stacks: vec![FollowedStack::new(stack_id, Vec::new())],
            first_failure: None,
            failed_checks: Vec::new(),
        }
    }

    pub(crate) fn stack_id(&self) -> &str {
        &self.stacks[0].stack_id
    }

    pub(crate) fn clients(&self) -> Arc<Clients> {
        self.clients.clone()
    }

    fn is_deleted(&self) -> bool {
        *self.status() == StackStatus::DeleteComplete
    }

    /// Returns the last known status of the cell's own stack.
    pub(crate) fn status(&self) -> &StackStatus {
        &self.stacks[0].status
    }

    /// Returns the reason of the resource, here or in a nested stack, that failed first.
    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.first_failure.as_deref()
    }

    /// Returns the failed checks of the settled stack and those nested in it.
    pub(crate) fn failed_checks(&self) -> &[NestedCheck] {
        &self.failed_checks
    }

    /// Applies an event that was reported earlier, and follows the nested stack that it mentions.
    pub(crate) fn recall(&mut self, event: &StackEvent) {
        self.follow(event);
        if let Some(stack) = self
            .stacks
            .iter_mut()
            .find(|stack| stack.stack_id == event.stack_id)
        {
            stack.seen.insert(event.event_id.clone());
            stack.take(event);
        }
    }

    /// Skips all events so far, for a stack of an earlier run.
    pub(crate) async fn catch_up(&mut self) -> Result<(), AwsError> {
        self.stacks[0].poll(&self.clients).await.map(|_| ())
    }

    /// Waits until the status of the new stack is terminal, and returns it with its outputs.
    pub(crate) async fn settled(&mut self) -> Result<SettledStack, AwsError> {
        let start = Instant::now();
        loop {
            sleep(pace::delay(start.elapsed())).await;
            self.poll().await?;
            if self.stacks[0].status.is_terminal() {
                break;
            }
        }
        // Events of nested stacks between their last poll and the end.
        self.poll().await?;
        self.report_failed_checks().await;
        let described = self.described().await?;
        let root = &self.stacks[0];
        let settled = SettledStack {
            status: root.status.clone(),
            reason: root
                .reason
                .clone()
                .or_else(|| described.as_ref().and_then(|stack| stack.reason.clone())),
            outputs: described.map(|stack| stack.outputs).unwrap_or_default(),
        };
        self.events.send(EventKind::StackSettled {
            cell: self.cell.clone(),
            status: settled.status.clone(),
            reason: settled.reason.clone(),
            outputs: settled.outputs.clone(),
        });
        Ok(settled)
    }

    /// Reports the failed checks of each failed stack as events, since DescribeStackEvents doesn't
    /// say which resource failed a validation, nor why a Hook refused one. Where the endpoint lacks
    /// the call, or denies it, CloudFormation's reason is all that is known.
    async fn report_failed_checks(&mut self) {
        for index in 0..self.stacks.len() {
            let stack = &self.stacks[index];
            if !stack.status.is_failed() && !stack.status.is_rollback() {
                continue;
            }
            let operation = CheckedOperation::Stack(&stack.stack_id);
            let reading = self.clients.failed_checks(operation);
            let checks = match timeout(LONGEST_FAILURE, reading).await {
                Ok(Ok(checks)) => checks,
                Ok(Err(error)) => {
                    tracing::debug!("failed checks cannot be read: {error}");
                    return;
                }
                Err(_) => return,
            };
            let path = stack.path.clone();
            let fresh: Vec<_> = checks
                .into_iter()
                .filter(|check| self.stacks[index].seen.insert(check.event_id.clone()))
                .collect();
            let events = fresh.iter().map(|check| self.stacks[index].event_of(check));
            self.take(events.collect());
            self.failed_checks
                .extend(fresh.into_iter().map(|check| NestedCheck {
                    path: path.clone(),
                    check,
                }));
        }
    }

    /// Returns the stack's description, which may be newer than its events.
    async fn described(&self) -> Result<Option<Stack>, AwsError> {
        let start = Instant::now();
        loop {
            let found = self.clients.describe_stack(self.stack_id()).await?;
            if found.is_some() || self.is_deleted() || start.elapsed() >= INVISIBLE {
                return Ok(found);
            }
            sleep(pace::delay(start.elapsed())).await;
        }
    }

    /// Waits until the status is terminal again after an operation on a stack whose earlier events
    /// were [skipped](Self::catch_up).
    pub(crate) async fn changed(&mut self) -> Result<SettledStack, AwsError> {
        self.await_change();
        self.settled().await
    }

    /// Takes the stack as in progress, since an operation on it has begun.
    pub(crate) fn await_change(&mut self) {
        self.stacks[0].status = StackStatus::CreateInProgress;
        self.stacks[0].reason = None;
    }

    /// Waits until no operation on the stack is in progress.
    pub(crate) async fn idle(&mut self) -> Result<(), AwsError> {
        let start = Instant::now();
        loop {
            let found = self.clients.describe_stack(self.stack_id()).await?;
            if found.is_none_or(|stack| stack.status.is_terminal()) {
                return Ok(());
            }
            sleep(pace::delay(start.elapsed())).await;
        }
    }

    /// Waits until a requested deletion has ended, and returns the stack's last status and its
    /// reason. Only the cell's own stack is polled, since nested stacks are deleted with it. If the
    /// deletion fails, all are polled once more to find the reason.
    pub(crate) async fn deleted(&mut self) -> Result<(StackStatus, Option<String>), AwsError> {
        // A deletion that somebody else requested may have ended before.
        if !self.is_deleted() {
            self.stacks[0].status = StackStatus::CreateInProgress;
            self.stacks[0].reason = None;
        }
        let start = Instant::now();
        while !self.stacks[0].status.is_terminal() {
            sleep(pace::delay(start.elapsed())).await;
            let found = self.stacks[0].poll(&self.clients).await?;
            self.take(found);
        }
        if !self.is_deleted() {
            self.stacks[1..]
                .iter_mut()
                .for_each(|nested| nested.status = StackStatus::CreateInProgress);
            self.poll().await?;
        }
        Ok((self.stacks[0].status.clone(), self.stacks[0].reason.clone()))
    }

    /// Polls every stack in progress, and those found by that.
    async fn poll(&mut self) -> Result<(), AwsError> {
        let mut from = 0;
        while from < self.stacks.len() {
            let live = self.stacks[from..]
                .iter_mut()
                .filter(|stack| !stack.status.is_terminal());
            let polls: Vec<_> = join_all(live.map(|stack| stack.poll(&self.clients))).await;
            from = self.stacks.len();
            for found in polls {
                self.take(found?);
            }
        }
        Ok(())
    }

    /// Follows the nested stack that an event mentions, and keeps the first failure.
    fn follow(&mut self, event: &StackEvent) {
        let nested = event
            .physical_id
            .as_ref()
            .filter(|_| event.resource_type == STACK_TYPE && !event.is_of_stack());
        if let Some(nested) = nested
            && let Some(known) = self.stacks.iter_mut().find(|it| it.stack_id == *nested)
        {
            // It was complete before its parent's update.
            if event.status == ResourceStatus::UpdateInProgress {
                known.status = StackStatus::UpdateInProgress;
            }
        } else if let Some(nested) = nested {
            let parent = self
                .stacks
                .iter()
                .find(|stack| stack.stack_id == event.stack_id);
            let mut path = parent.map(|it| it.path.clone()).unwrap_or_default();
            path.push(event.logical_id.clone());
            self.stacks.push(FollowedStack::new(nested.clone(), path));
        }
        let is_cause = event.status.is_failed()
            && event.resource_type != STACK_TYPE
            && event
                .reason
                .as_deref()
                .is_some_and(|reason| !reason.contains("cancelled"));
        if is_cause && self.first_failure.is_none() {
            self.first_failure.clone_from(&event.reason);
        }
    }

    /// Passes events on, and follows the stacks that they mention.
    fn take(&mut self, found: Vec<StackEvent>) {
        for event in found {
            self.follow(&event);
            self.events.send(EventKind::StackEvent {
                cell: self.cell.clone(),
                detail: event,
            });
        }
    }
}

impl FollowedStack {
    fn new(stack_id: String, path: Vec<String>) -> Self {
        let status = StackStatus::CreateInProgress;
        Self {
            stack_id,
            path,
            seen: HashSet::new(),
            status,
            reason: None,
            failing_since: None,
            misses: 0,
            since: Instant::now(),
        }
    }

    /// Returns how deep the stack is nested; 0 is the cell's own stack.
    fn depth(&self) -> u32 {
        u32::try_from(self.path.len()).unwrap_or(u32::MAX)
    }

    /// Returns the event of the resource that has failed a check.
    fn event_of(&self, check: &FailedCheck) -> StackEvent {
        let reason = match &check.hook {
            Some(hook) => format!("denied by the Hook {hook}: {}", check.reason),
            None => check.reason.clone(),
        };
        StackEvent {
            event_id: check.event_id.clone(),
            stack_id: self.stack_id.clone(),
            stack_name: stack_name(&self.stack_id).to_owned(),
            depth: self.depth(),
            timestamp: check.timestamp,
            logical_id: check.logical_id.clone(),
            physical_id: None,
            resource_type: check.resource_type.clone(),
            status: if self.status.is_update() {
                ResourceStatus::UpdateFailed
            } else {
                ResourceStatus::CreateFailed
            },
            reason: Some(reason),
        }
    }

    /// Returns whether the stack is new and no event has been seen yet.
    fn is_new(&self) -> bool {
        self.seen.is_empty() && self.since.elapsed() < INVISIBLE
    }

    /// Returns the stack's new events, oldest first; empty after a temporary failure, since the
    /// next poll returns them.
    async fn poll(&mut self, clients: &Clients) -> Result<Vec<StackEvent>, AwsError> {
        let depth = self.depth();
        let found = match clients
            .new_events(&self.stack_id, depth, &mut self.seen)
            .await
        {
            Ok(found) => found,
            // It may not be visible yet.
            Err(error) if error.is_of_missing_stack() && self.is_new() => {
                return Ok(Vec::new());
            }
            Err(error) if error.is_of_missing_stack() => {
                self.misses += 1;
                if self.misses >= MISSES {
                    self.status = StackStatus::DeleteComplete;
                }
                return Ok(Vec::new());
            }
            Err(error) => {
                let since = self.failing_since.get_or_insert_with(Instant::now);
                let may_pass = since.elapsed() < LONGEST_FAILURE;
                let passing = error.may_pass() || error.is(ErrorKind::Other);
                return if passing && may_pass {
                    Ok(Vec::new())
                } else {
                    Err(error)
                };
            }
        };
        self.failing_since = None;
        self.misses = 0;
        found.iter().for_each(|event| self.take(event));
        Ok(found)
    }

    fn take(&mut self, event: &StackEvent) {
        if event.is_of_stack() {
            self.status = StackStatus::from(&event.status);
            self.reason = event.reason.clone();
        }
    }
}

/// Returns the name in a stack's ARN.
fn stack_name(stack_id: &str) -> &str {
    stack_id.split('/').nth(1).unwrap_or(stack_id)
}
