//! Stops a run before its tests have ended: because of a signal, its time budget, or too many
//! failures. What it has created is still deleted.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::duration::HumanDuration;
use crate::event::{EventKind, EventSender};

/// Stops the run, once; shared by its clones.
#[derive(Clone, Default)]
pub(super) struct StopSwitch {
    /// Cancelled when the run must stop, which ends all waits.
    pub token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    Signal(&'static str),
    Budget(HumanDuration),
    /// The limit of `--max-fail`.
    Failures(usize),
}

/// Formats the reason of a test that was interrupted.
impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal(name) => write!(f, "interrupted by {name}"),
            Self::Budget(budget) => {
                write!(
                    f,
                    "interrupted to clean up within the time budget of {budget}"
                )
            }
            Self::Failures(1) => f.write_str("interrupted because a test failed (--max-fail 1)"),
            Self::Failures(count) => {
                write!(
                    f,
                    "interrupted because {count} tests failed (--max-fail {count})"
                )
            }
        }
    }
}

impl StopSwitch {
    /// Stops the run; only the first reason counts.
    pub(super) fn stop(&self, reason: StopReason, events: &EventSender) {
        if self.reason.set(reason).is_ok() {
            match reason {
                StopReason::Signal(signal) => {
                    events.send(EventKind::Interrupted {
                        signal: signal.to_owned(),
                    });
                }
                StopReason::Budget(_) | StopReason::Failures(_) => {
                    events.warn(None, format!("the run is {reason}"));
                }
            }
            self.token.cancel();
        }
    }

    pub(super) fn reason(&self) -> Option<StopReason> {
        self.reason.get().copied()
    }

    /// Completes the future unless the run stops first; then returns `None`.
    pub(super) async fn until_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.token.run_until_cancelled(work).await
    }

    /// Completes the future unless the run stops or `limit` elapses first.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> WaitOutcome<T> {
        match self.until_stopped(timeout(limit, work)).await {
            Some(Ok(done)) => WaitOutcome::Done(done),
            Some(Err(_)) => WaitOutcome::TimedOut,
            None => WaitOutcome::Stopped,
        }
    }
}

/// The result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaitOutcome<T> {
    Done(T),
    TimedOut,
    Stopped,
}

/// The time budget of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// The budget for the whole run.
    total: HumanDuration,
    /// When the budget is used up.
    end: Instant,
}

impl Budget {
    /// Creates a budget of which `used` has elapsed: the age of a CI job that started before this
    /// process.
    pub(crate) fn new(total: HumanDuration, used: Duration) -> Self {
        Self {
            total,
            end: Instant::now() + total.0.saturating_sub(used),
        }
    }

    /// Waits, and stops the run early enough to delete everything in time.
    pub(super) async fn watch(self, stop: &StopSwitch, events: &EventSender) {
        sleep_until(self.end.checked_sub(self.reserve()).unwrap_or(self.end)).await;
        stop.stop(StopReason::Budget(self.total), events);
    }

    /// Returns the time reserved for deletion: a fifth, but at least a minute, at most half an
    /// hour, and never more than half of the budget.
    fn reserve(self) -> Duration {
        let fifth = self.total.0 / 5;
        fifth
            .clamp(Duration::from_secs(60), Duration::from_secs(30 * 60))
            .min(self.total.0 / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_for_the_deletion_is_set_aside() {
        let reserve = |budget: &str| {
            let budget = Budget::new(budget.parse().unwrap(), Duration::ZERO);
            HumanDuration(budget.reserve()).to_string()
        };
        assert_eq!(reserve("10s"), "5s");
        assert_eq!(reserve("4m"), "1m");
        assert_eq!(reserve("1h"), "12m");
        assert_eq!(reserve("8h"), "30m");
    }

    #[tokio::test]
    async fn the_first_reason_counts() {
        let (events, _inbox) = EventSender::channel();
        let stop = StopSwitch::default();
        assert_eq!(
            stop.within(Duration::ZERO, std::future::pending::<()>())
                .await,
            WaitOutcome::TimedOut
        );
        assert_eq!(
            stop.within(Duration::from_secs(60), async { 1 }).await,
            WaitOutcome::Done(1)
        );
        stop.stop(StopReason::Failures(2), &events);
        stop.stop(StopReason::Signal("SIGINT"), &events);
        assert_eq!(stop.reason(), Some(StopReason::Failures(2)));
        assert_eq!(
            stop.within(Duration::from_secs(60), async { 1 }).await,
            WaitOutcome::Stopped
        );
    }
}
