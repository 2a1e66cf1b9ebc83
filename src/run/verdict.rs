//! Waits until a test's stack is settled, and judges it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::StepContext;
use super::retry;
use crate::duration::HumanDuration;
use crate::event::{CellId, Outcome, StackOutput};
use crate::plan::StackPlan;
use crate::status::StackStatus;
use crate::watch::{SettledStack, Watcher};

/// The verdict of a cell, and why it did not pass.
pub(super) struct CellVerdict {
    pub outcome: Outcome,
    pub reason: Option<String>,
    /// The reason of the failure, if AWS is responsible for it and a retry may succeed.
    pub transient: Option<String>,
    /// The outputs of the stack if the cell passed.
    pub outputs: Vec<StackOutput>,
}

impl CellVerdict {
    /// Returns the verdict of a stack, which passes with the status `complete`. `first_failure` is
    /// the reason of the resource that failed first, `error` that of a check or hook.
    pub(super) fn of(
        settled: &SettledStack,
        complete: &StackStatus,
        first_failure: Option<&str>,
        error: Option<String>,
    ) -> Self {
        // TaskCat always accepts `UPDATE_COMPLETE`, too, but a stack that somebody else updates
        // during the test isn't the stack to test.
        if settled.status == *complete {
            let passed = Self {
                outcome: Outcome::Passed,
                reason: None,
                transient: None,
                outputs: settled.outputs.clone(),
            };
            return error.map_or(passed, Self::failed_for_good);
        }
        let mut failed = Self::failed(match &settled.reason {
            Some(reason) => format!("{}: {reason}", settled.status),
            None if settled.status == StackStatus::DeleteComplete => {
                "the stack was deleted by somebody else during the test".to_owned()
            }
            None => settled.status.to_string(),
        });
        if let Some(first) = first_failure {
            failed.transient = retry::is_transient(first).then(|| first.to_owned());
        }
        failed
    }

    pub(super) fn failed(reason: String) -> Self {
        let transient = retry::is_transient(&reason).then(|| reason.clone());
        Self {
            outcome: Outcome::Failed,
            reason: Some(reason),
            transient,
            outputs: Vec::new(),
        }
    }

    /// Returns a failure that isn't retried, whatever the reason says.
    pub(super) fn failed_for_good(reason: String) -> Self {
        Self {
            outcome: Outcome::Failed,
            reason: Some(reason),
            transient: None,
            outputs: Vec::new(),
        }
    }

    pub(super) fn timed_out(plan: &StackPlan, what: &str) -> Self {
        let limit = HumanDuration(plan.limits.test);
        Self::failed_for_good(format!("timed out after {limit}: {what}"))
    }

    pub(super) fn interrupted(context: &StepContext<'_>) -> Self {
        let reason = context.stop.reason().map(|reason| reason.to_string());
        Self {
            outcome: Outcome::Interrupted,
            reason,
            transient: None,
            outputs: Vec::new(),
        }
    }

    pub(super) fn interrupted_because(reason: &str) -> Self {
        Self {
            outcome: Outcome::Interrupted,
            reason: Some(reason.to_owned()),
            transient: None,
            outputs: Vec::new(),
        }
    }
}

/// Follows the stack until its status is terminal; warns if that takes unusually long.
pub(super) async fn settled(
    context: &StepContext<'_>,
    cell: &CellId,
    watcher: &mut Watcher,
) -> Result<SettledStack, crate::aws::AwsError> {
    let slow_after = context.settings().slow_after;
    let slow = async {
        sleep(slow_after).await;
        let message = format!(
            "the stack is still in progress after {}",
            HumanDuration(slow_after)
        );
        context.events.warn(Some(cell), message);
        std::future::pending().await
    };
    tokio::select! {
        settled = watcher.settled() => settled,
        never = slow => never,
    }
}

pub(super) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
