//! What stands around the work of every command that makes or deletes something: the dispatcher, the journal, and the
//! interruption by signals.

use tokio_util::sync::CancellationToken;

use super::RunError;
use super::dispatcher::Dispatcher;
use super::interrupt::Interrupt;
use super::journal::Journal;
use super::redact::Secrets;
use crate::event::{Events, Happening, RunFinished, RunStarted};
use crate::report::Consumer;

pub(super) struct Conductor {
    pub started: RunStarted,
    pub secrets: Secrets,
    /// `None` where nothing is made that would have to go again, or that outlives the process.
    pub journal: Option<Journal>,
    pub consumers: Vec<Box<dyn Consumer>>,
}

/// What the work holds on to.
pub(super) struct Spine {
    pub events: Events,
    /// Cancelled when the run is to stop: whatever waits stops waiting, and everything made is taken away.
    pub cancel: CancellationToken,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub finished: RunFinished,
    /// What kept it from its work.
    pub error: Option<RunError>,
    /// A signal stopped it.
    pub interrupted: bool,
}

impl Conductor {
    /// Does the work between the first event and the last.
    pub async fn conduct(self, work: impl AsyncFnOnce(&Spine) -> Result<(), RunError>) -> Ended {
        let (events, inbox) = Events::channel();
        let dispatching = Dispatcher::start(inbox, self.consumers, self.journal, self.secrets);
        events.send(Happening::RunStarted(self.started));
        let interrupt = Interrupt::listen(events.clone());
        let spine = Spine { events, cancel: interrupt.stop.clone() };
        let ended = interrupt.abandon.run_until_cancelled(work(&spine)).await;
        let error = ended.unwrap_or(Err(RunError::Abandoned)).err();
        let interrupted = interrupt.stop.is_cancelled();
        interrupt.end().await;
        drop(spine);
        let finished = dispatching.finish(error.as_ref().map(ToString::to_string)).await;
        Ended { finished, error, interrupted }
    }
}
