//! What stands around the work of every command that makes or deletes something: the dispatcher,
//! the journal, and the interruption by signals.

use tokio_util::sync::CancellationToken;

use super::RunError;
use super::dispatcher::{Closed, Dispatcher};
use super::interrupt::Interrupt;
use super::journal::{Header, Journal, Ledger};
use super::stop::{Budget, Stop, StopReason};
use crate::event::{Events, Happening, RunEvent, RunFinished, RunStarted};
use crate::mask::Secrets;
use crate::report::Consumer;

pub(super) struct Conductor {
    pub started: RunStarted,
    pub secrets: Secrets,
    /// `None` where nothing is made that would have to go again, or that outlives the process.
    pub journal: Option<Journal>,
    pub consumers: Vec<Box<dyn Consumer>>,
    pub budget: Option<Budget>,
    /// The events of a run that is resumed, which the consumers get once more; `started` is in
    /// them.
    pub replay: Vec<RunEvent>,
}

/// What the work holds on to.
pub(super) struct Spine {
    pub events: Events,
    /// Cancelled when the run is to stop: whatever waits stops waiting, and everything that was
    /// created is deleted.
    pub cancel: CancellationToken,
    pub stop: Stop,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub finished: RunFinished,
    /// What kept it from its work.
    pub error: Option<RunError>,
    /// A signal stopped it.
    pub interrupted: bool,
    /// What was not seen to be deleted; `None` where that is nothing, or nothing of interest.
    pub remains: Option<Remains>,
    /// Reports, and the journal, that could not be written: which, and why.
    pub unwritten: Vec<String>,
}

/// What the journal of a run still holds at its end.
#[derive(Debug)]
pub struct Remains {
    pub header: Header,
    pub ledger: Ledger,
}

impl Conductor {
    pub fn new(started: RunStarted, consumers: Vec<Box<dyn Consumer>>) -> Self {
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
    pub async fn conduct(self, work: impl AsyncFnOnce(&Spine) -> Result<(), RunError>) -> Ended {
        let (events, inbox) = Events::channel();
        let resumed = !self.replay.is_empty();
        let dispatching = Dispatcher::start(
            inbox,
            self.consumers,
            self.journal,
            self.secrets,
            self.replay,
        );
        if !resumed {
            events.send(Happening::RunStarted(self.started));
        }
        let stop = Stop::default();
        let interrupt = Interrupt::listen(events.clone(), stop.clone());
        let spine = Spine {
            events,
            cancel: stop.token.clone(),
            stop,
        };
        let worked = interrupt
            .abandon
            .run_until_cancelled(within_budget(self.budget, &spine, work))
            .await;
        let error = worked.unwrap_or(Err(RunError::Abandoned)).err();
        let interrupted = matches!(spine.stop.reason(), Some(StopReason::Signal(_)));
        interrupt.end().await;
        drop(spine);
        let Closed {
            finished,
            remains,
            unwritten,
        } = dispatching
            .finish(error.as_ref().map(ToString::to_string))
            .await;
        Ended {
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
    spine: &Spine,
    work: impl AsyncFnOnce(&Spine) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let watched = async {
        if let Some(budget) = budget {
            budget.watch(&spine.stop, &spine.events).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        worked = work(spine) => worked,
        never = watched => never,
    }
}
