//! Converts the event kinds that the steps send to events: stamps, orders, journals and counts them
//! and passes them to every consumer. A consumer that fails is dropped, without effect on the
//! others or on teardown.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::journal::{Journal, LeftoverLedger};
use super::redact;
use crate::event::{self, CellId, DispatcherMessage, EventKind, Outcome, RunEvent, RunFinished};
use crate::mask::Secrets;
use crate::report::EventConsumer;

pub(super) struct Dispatcher {
    consumers: Vec<Box<dyn EventConsumer>>,
    /// The journal; `None` if nothing is created that must be deleted.
    journal: Option<Journal>,
    secrets: RunSecrets,
    seq: u64,
    /// The time of the last event; no later event has an earlier one, not even in a resumed run.
    last: Timestamp,
    tally: OutcomeCounts,
    /// Errors of consumers and the journal.
    unwritten: Vec<String>,
}

/// The secrets of a run.
#[derive(Clone, Default)]
pub(super) struct RunSecrets {
    all: Secrets,
    values: Vec<String>,
    /// Outputs whose values are secret, too, as soon as they are known.
    outputs: BTreeSet<(CellId, String)>,
}

impl RunSecrets {
    pub(super) fn new(values: Vec<String>, outputs: BTreeSet<(CellId, String)>) -> Self {
        Self {
            all: Secrets::long(values.iter().cloned()),
            values,
            outputs,
        }
    }

    /// Adds the secret outputs of a stack that has settled.
    fn learn(&mut self, kind: &EventKind) {
        let EventKind::StackSettled { cell, outputs, .. } = kind else {
            return;
        };
        let is_secret = |key: &str| self.outputs.contains(&(cell.clone(), key.to_owned()));
        let found = outputs.iter().filter(|it| is_secret(&it.key));
        let found: Vec<String> = found.map(|it| it.value.clone()).collect();
        if !found.is_empty() {
            self.values.extend(found);
            self.all = Secrets::long(self.values.iter().cloned());
        }
    }
}

/// The counts that determine the run's verdict.
#[derive(Default)]
struct OutcomeCounts {
    passed: usize,
    failed: usize,
    interrupted: usize,
    /// IDs of stacks and names of buckets that should have been deleted but still exist.
    left_behind: BTreeSet<String>,
}

/// The running dispatcher.
pub(super) struct DispatcherTask {
    error: oneshot::Sender<Option<String>>,
    task: JoinHandle<DispatcherResult>,
}

/// What the dispatcher knows at the end.
pub(super) struct DispatcherResult {
    pub finished: RunFinished,
    pub remains: Option<LeftoverLedger>,
    /// Errors of consumers and the journal.
    pub unwritten: Vec<String>,
}

impl DispatcherTask {
    /// Waits until every sender of events is dropped, sends the last event, closes everything and
    /// returns the verdict. `error` is what prevented the tests.
    pub(super) async fn finish(self, error: Option<String>) -> DispatcherResult {
        // Sending fails only if the dispatcher panicked, which the next line passes on.
        let _ = self.error.send(error);
        self.task
            .await
            .unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))
    }
}

impl Dispatcher {
    pub(super) fn start(
        inbox: UnboundedReceiver<DispatcherMessage>,
        consumers: Vec<Box<dyn EventConsumer>>,
        journal: Option<Journal>,
        secrets: RunSecrets,
        replay: Vec<RunEvent>,
    ) -> DispatcherTask {
        let (seq, last, tally, unwritten) =
            (0, Timestamp::MIN, OutcomeCounts::default(), Vec::new());
        let mut dispatcher = Self {
            consumers,
            journal,
            secrets,
            seq,
            last,
            tally,
            unwritten,
        };
        replay.iter().for_each(|event| dispatcher.replay(event));
        let (error, told) = oneshot::channel();
        let task = tokio::spawn(async move {
            let dispatcher = dispatcher.dispatch(inbox).await;
            dispatcher.close(told.await.unwrap_or_default())
        });
        DispatcherTask { error, task }
    }

    async fn dispatch(mut self, mut inbox: UnboundedReceiver<DispatcherMessage>) -> Self {
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message),
                    None => return self,
                },
                _ = ticks.tick() => {
                    self.journal.iter_mut().for_each(Journal::touch);
                    self.each(|consumer| consumer.tick());
                }
            }
        }
    }

    /// Applies an event that was recorded before the run was resumed.
    fn replay(&mut self, event: &RunEvent) {
        self.tally.count(&event.kind);
        self.seq = event.seq;
        self.last = self.last.max(event.at);
        self.each(|consumer| consumer.take(event));
    }

    /// Sends the last event and closes everything.
    fn close(mut self, error: Option<String>) -> DispatcherResult {
        let finished = RunFinished {
            passed: self.tally.passed,
            failed: self.tally.failed,
            interrupted: self.tally.interrupted,
            left_behind: self.tally.left_behind.len(),
            error,
        };
        self.take(DispatcherMessage {
            kind: EventKind::RunFinished(finished.clone()),
            recorded: None,
        });
        self.finish_consumers();
        let remains = self.journal.and_then(|journal| {
            let header = journal.header().clone();
            let ledger = journal.ledger().clone();
            journal.close();
            (!ledger.is_empty()).then_some(LeftoverLedger { header, ledger })
        });
        DispatcherResult {
            finished,
            remains,
            unwritten: self.unwritten,
        }
    }

    /// Later consumers get the errors of earlier ones.
    fn finish_consumers(&mut self) {
        let mut open = VecDeque::from(std::mem::take(&mut self.consumers));
        while let Some(mut consumer) = open.pop_front() {
            if let Err(error) = consumer.finish() {
                self.consumers = open.into();
                self.give_up(&error);
                open = std::mem::take(&mut self.consumers).into();
            }
        }
    }

    fn take(&mut self, message: DispatcherMessage) {
        self.secrets.learn(&message.kind);
        let kind = redact::mask(&self.secrets.all, message.kind);
        self.tally.count(&kind);
        self.seq += 1;
        let event = RunEvent {
            seq: self.seq,
            at: event::now().max(self.last),
            kind,
        };
        self.last = event.at;
        let journalled = match &mut self.journal {
            Some(journal) => journal
                .write(&event, message.recorded.is_some())
                .map_err(|error| error.to_string()),
            None => Ok(()),
        };
        if let Err(error) = &journalled {
            let what = format!("the run's journal: {error}");
            if !self.unwritten.contains(&what) {
                self.unwritten.push(what);
            }
        }
        if let Some(recorded) = message.recorded {
            // The sender may have been cancelled; then nobody waits for the answer.
            let _ = recorded.send(journalled);
        }
        self.each(|consumer| consumer.take(&event));
    }

    /// Calls every consumer, drops those that fail, and informs the others.
    fn each(&mut self, mut call: impl FnMut(&mut dyn EventConsumer) -> io::Result<()>) {
        let mut errors = Vec::new();
        self.consumers.retain_mut(|consumer| {
            call(consumer.as_mut())
                .map_err(|error| errors.push(error))
                .is_ok()
        });
        errors.iter().for_each(|error| self.give_up(error));
    }

    fn give_up(&mut self, error: &io::Error) {
        self.unwritten.push(error.to_string());
        let message = format!("a report cannot be written and was abandoned: {error}");
        self.take(DispatcherMessage {
            kind: EventKind::Warning {
                cell: None,
                message,
            },
            recorded: None,
        });
    }
}

impl OutcomeCounts {
    fn count(&mut self, kind: &EventKind) {
        match kind {
            EventKind::CellFinished { outcome, .. } => match outcome {
                Outcome::Passed => self.passed += 1,
                Outcome::Failed => self.failed += 1,
                Outcome::Interrupted => self.interrupted += 1,
                Outcome::Skipped => {}
            },
            EventKind::StackDeleteFailed { stack_id: id, .. }
            | EventKind::BucketDeleteFailed { bucket: id, .. } => {
                self.left_behind.insert(id.clone());
            }
            EventKind::StackDeleted { stack_id: id, .. }
            | EventKind::BucketDeleted { bucket: id } => {
                self.left_behind.remove(id);
            }
            // Whether it must be deleted isn't known.
            EventKind::LaunchFailed {
                cell,
                may_exist: true,
                ..
            } => {
                self.left_behind.insert(format!("stack of {cell}"));
            }
            EventKind::StackKept { .. }
            | EventKind::StackDeleteUnawaited { .. }
            | EventKind::BucketKept { .. }
            | EventKind::CellRetried { .. }
            | EventKind::RunStarted(_)
            | EventKind::FailuresLocated { .. }
            | EventKind::Warning { .. }
            | EventKind::LintStarted { .. }
            | EventKind::LintFinding(_)
            | EventKind::LintFinished { .. }
            | EventKind::LintSkipped { .. }
            | EventKind::PackageStarted { .. }
            | EventKind::PackageFinished { .. }
            | EventKind::BucketCreating { .. }
            | EventKind::BucketCreated { .. }
            | EventKind::StagingMarked { .. }
            | EventKind::StagingReleased { .. }
            | EventKind::UploadStarted { .. }
            | EventKind::ObjectUploaded { .. }
            | EventKind::ObjectRemoved { .. }
            | EventKind::UploadFinished { .. }
            | EventKind::HookStarted { .. }
            | EventKind::ParametersResolved { .. }
            | EventKind::CheckStarted { .. }
            | EventKind::CheckFinished { .. }
            | EventKind::HookFinished { .. }
            | EventKind::StackCreating { .. }
            | EventKind::StackCreated { .. }
            | EventKind::LaunchFailed { .. }
            | EventKind::StackEvent { .. }
            | EventKind::StackSettled { .. }
            | EventKind::ChangeSetCreating { .. }
            | EventKind::ChangeSetCreated { .. }
            | EventKind::ChangeSetExecuted { .. }
            | EventKind::ChangeSetLeft { .. }
            | EventKind::ChangeSetDropped { .. }
            | EventKind::StackDeleting { .. }
            | EventKind::Interrupted { .. }
            | EventKind::RunFinished(_) => {}
        }
    }
}
