//! What stands around the work of every command that makes or deletes something: the dispatcher,
//! the journal, and the interruption by signals.

use tokio_util::sync::CancellationToken;

use super::RunError;
use super::dispatcher::{Dispatcher, DispatcherResult};
use super::interrupt::InterruptHandler;
use super::journal::{Journal, LeftoverLedger};
use super::stop::{Budget, StopReason, StopSwitch};
use crate::event::{EventKind, EventSender, RunEvent, RunFinished, RunStarted};
use crate::mask::Secrets;
use crate::report::EventConsumer;

pub(super) struct RunHarness {
    pub started: RunStarted,
    pub secrets: Secrets,
    /// `None` where nothing is made that would have to go again, or that outlives the process.
    pub journal: Option<Journal>,
    pub consumers: Vec<Box<dyn EventConsumer>>,
    pub budget: Option<Budget>,
    /// The events of a run that is resumed, which the consumers get once more; `started` is in
    /// them.
    pub replay: Vec<RunEvent>,
}

/// What the work holds on to.
pub(super) struct RunContext {
    pub events: EventSender,
    /// Cancelled when the run is to stop: whatever waits stops waiting, and everything that was
    /// created is deleted.
    pub cancel: CancellationToken,
    pub stop: StopSwitch,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct EndedRun {
    pub finished: RunFinished,
    /// What kept it from its work.
    pub error: Option<RunError>,
    /// A signal stopped it.
    pub interrupted: bool,
    /// What was not seen to be deleted; `None` where that is nothing, or nothing of interest.
    pub remains: Option<LeftoverLedger>,
    /// Reports, and the journal, that could not be written: which, and why.
    pub unwritten: Vec<String>,
}

impl RunHarness {
    pub(super) fn new(started: RunStarted, consumers: Vec<Box<dyn EventConsumer>>) -> Self {
        Self {
            started,
            secrets: Secrets::default(),
            journal: None,
            consumers,
            budget: None,
            replay: Vec::new(),
        }
    }

    /// Does the work between the first event and the last.
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
