//! Handles signals: the first one stops the run, which then deletes what it has created; a second
//! one, at least a second later, ends the deletion as well.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::stop::{StopReason, StopSwitch};
use crate::event::EventSender;
use crate::os;

/// A second signal that arrives earlier belongs to the first: CI systems, and terminals whose shell
/// forwards signals, send two.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

pub(super) struct InterruptHandler {
    /// Cancelled to stop immediately, whatever exists.
    pub abandon: CancellationToken,
    listener: JoinHandle<()>,
}

impl InterruptHandler {
    /// Listens for signals; the first one stops the run through `stop`.
    pub(super) fn listen(events: EventSender, stop: StopSwitch) -> Self {
        let abandon = CancellationToken::new();
        let listener = tokio::spawn(listen(events, stop, abandon.clone()));
        Self { abandon, listener }
    }

    /// Stops listening and drops the sender of events.
    pub(super) async fn end(self) {
        self.listener.abort();
        // The task ends only by being aborted, so this always fails.
        let _ = self.listener.await;
    }
}

async fn listen(events: EventSender, stop: StopSwitch, abandon: CancellationToken) {
    let mut signals = match os::stop_signals() {
        Ok(signals) => signals,
        Err(error) => {
            events.warn(
                None,
                format!("cannot catch signals ({error}): an interrupted run won't clean up"),
            );
            return std::future::pending().await;
        }
    };
    let mut first = None;
    while let Some(name) = signals.recv().await {
        match first {
            None => {
                first = Some(Instant::now());
                stop.stop(StopReason::Signal(name), &events);
            }
            Some(at) if at.elapsed() < SAME_SIGNAL => {}
            Some(_) => abandon.cancel(),
        }
    }
}
