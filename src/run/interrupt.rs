//! Ctrl-C and termination: the first stops the run, which then cleans up; the second gives the clean-up up.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::event::{Events, Happening};

pub(super) struct Interrupt {
    /// Stop testing, take everything away.
    pub stop: CancellationToken,
    /// Stop at once, whatever stands.
    pub abandon: CancellationToken,
    listener: JoinHandle<()>,
}

impl Interrupt {
    pub fn listen(events: Events) -> Self {
        let (stop, abandon) = (CancellationToken::new(), CancellationToken::new());
        let listener = tokio::spawn(listen(events, stop.clone(), abandon.clone()));
        Self { stop, abandon, listener }
    }

    /// Stops listening and gives the sender of events back.
    pub async fn end(self) {
        self.listener.abort();
        // The task only ever ends by being aborted, which is what this says.
        let _ = self.listener.await;
    }
}

async fn listen(events: Events, stop: CancellationToken, abandon: CancellationToken) {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        events.warn(None, "signals can't be caught here: an interrupted run will not clean up");
        return std::future::pending().await;
    };
    let name = next(&mut interrupt, &mut terminate).await;
    events.send(Happening::Interrupted { signal: name.to_owned() });
    stop.cancel();
    next(&mut interrupt, &mut terminate).await;
    abandon.cancel();
    std::future::pending().await
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
