//! The frame of every command that creates or deletes something: the dispatcher, the journal, and
//! handling of signals.

use tokio_util::sync::CancellationToken;

use super::RunError;
use super::dispatcher::{Dispatcher, DispatcherResult, RunSecrets};
use super::interrupt::InterruptHandler;
use super::journal::{Journal, LeftoverLedger};
use super::stop::{Budget, StopReason, StopSwitch};
use crate::event::{EventKind, EventSender, RunEvent, RunFinished, RunStarted};
use crate::report::EventConsumer;

pub(super) struct RunHarness {
    pub started: RunStarted,
    pub secrets: RunSecrets,
    /// The journal's folders; `None` if nothing is created that must be deleted or outlives the
    /// process.
    pub journal: Option<Journal>,
    pub consumers: Vec<Box<dyn EventConsumer>>,
    pub budget: Option<Budget>,
    /// The events of a resumed run, including `started`, which the consumers get again.
    pub replay: Vec<RunEvent>,
}

/// The context of the command's work.
pub(super) struct RunContext {
    pub events: EventSender,
    /// Cancelled when the run must stop: waits end, and everything that was created is deleted.
    pub cancel: CancellationToken,
    pub stop: StopSwitch,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct EndedRun {
    pub finished: RunFinished,
    /// What prevented its work.
    pub error: Option<RunError>,
    /// Whether a signal stopped it.
    pub interrupted: bool,
    /// What wasn't confirmed to be deleted; `None` if that is nothing, or not relevant.
    pub remains: Option<LeftoverLedger>,
    /// Errors of reports and the journal that could not be written.
    pub unwritten: Vec<String>,
}

impl RunHarness {
    pub(super) fn new(started: RunStarted, consumers: Vec<Box<dyn EventConsumer>>) -> Self {
        Self {
            started,
            secrets: RunSecrets::default(),
            journal: None,
            consumers,
            budget: None,
            replay: Vec::new(),
        }
    }

    /// Runs the work between the first event and the last.
    pub(super) async fn run_to_end(
        self,
        work: impl AsyncFnOnce(&RunContext) -> Result<(), RunError>,
    ) -> EndedRun {
        let (events, inbox) = EventSender::channel();
        let resumed = !self.replay.is_empty();
        let dispatching = Dispatcher::start(
            inbox,
            self.consumers,
            self.journal,
            self.secrets,
            self.replay,
        );
        if !resumed {
            events.send(EventKind::RunStarted(self.started));
        }
        let stop = StopSwitch::default();
        let interrupt = InterruptHandler::listen(events.clone(), stop.clone());
        let context = RunContext {
            events,
            cancel: stop.token.clone(),
            stop,
        };
        let worked = interrupt
            .abandon
            .run_until_cancelled(within_budget(self.budget, &context, work))
            .await;
        let error = worked.unwrap_or(Err(RunError::Abandoned)).err();
        let interrupted = matches!(context.stop.reason(), Some(StopReason::Signal(_)));
        interrupt.end().await;
        drop(context);
        let DispatcherResult {
            finished,
            remains,
            unwritten,
        } = dispatching
            .finish(error.as_ref().map(ToString::to_string))
            .await;
        EndedRun {
            finished,
            error,
            interrupted,
            remains,
            unwritten,
        }
    }
}

async fn within_budget(
    budget: Option<Budget>,
    context: &RunContext,
    work: impl AsyncFnOnce(&RunContext) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let watched = async {
        if let Some(budget) = budget {
            budget.watch(&context.stop, &context.events).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        worked = work(context) => worked,
        never = watched => never,
    }
}
