//! Resumes a run that was killed: follows, reports and deletes its stacks, using its journal or,
//! without one, the tags of its stacks.
//!
//! What can't be determined anymore is reported: a test whose stack wasn't created yet, or whose
//! hooks didn't run, is interrupted.

use std::io;

use futures::future::join_all;

use super::RunSettings;
use super::clean::{self, CleanFindings, CleanRequest, Leftover, LeftoverKind, SearchError};
use super::deletion::{self, DeletionOptions};
use super::harness::{EndedRun, RunContext, RunHarness};
use super::journal::{Journal, JournalHeader, JournalRecord};
use super::staging;
use super::stop::WaitOutcome;
use super::verdict::CellVerdict;
use crate::aws::{Aws, AwsError};
use crate::duration::HumanDuration;
use crate::event::{
    CellId, EventKind, KeepReason, Outcome, PlannedCell, RunEvent, RunStarted, RunTask, StackEvent,
};
use crate::plan::TestLimits;
use crate::report::EventConsumer;
use crate::status::StackStatus;
use crate::teardown;
use crate::watch::Watcher;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ResumeError {
    #[error("the run {0} is still in progress")]
    Running(String),
    #[error("no journal, stack or bucket was found for run {0}")]
    NotFound(String),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error("the run's journal: {0}")]
    Journal(#[from] io::Error),
}

/// What to resume.
#[derive(Clone, Debug)]
pub(crate) struct ResumeRequest {
    /// The search; its `what` is the run's ID.
    pub find: CleanRequest,
    pub limits: TestLimits,
    pub settings: RunSettings,
}

/// A run that can be resumed.
#[derive(Debug)]
pub(crate) struct Resumption {
    run_id: String,
    header: Option<JournalHeader>,
    record: Option<JournalRecord>,
    leftovers: Vec<Leftover>,
    /// What could not be searched.
    pub warnings: Vec<String>,
}

impl Resumption {
    /// Finds the run in its journal and by its tags.
    ///
    /// # Errors
    /// It is still in progress, or nothing was found.
    pub(crate) async fn find(request: &ResumeRequest, aws: &Aws) -> Result<Self, ResumeError> {
        let Some(run_id) = request.find.run_id() else {
            return Err(ResumeError::NotFound(request.find.what.clone()));
        };
        let mut findings = clean::find(&request.find, aws).await?;
        let record = findings.journals.pop();
        if findings.is_running(&run_id) {
            return Err(ResumeError::Running(run_id));
        }
        let CleanFindings {
            leftovers,
            unsearched: warnings,
            ..
        } = findings;
        if record.is_none() && leftovers.is_empty() {
            return Err(ResumeError::NotFound(run_id));
        }
        let header = record.as_ref().map(|record| record.header.clone());
        Ok(Self {
            run_id,
            header,
            record,
            leftovers,
            warnings,
        })
    }

    /// Returns the folder of the run's reports, if a journal names it.
    pub(crate) fn output(&self) -> Option<&std::path::Path> {
        self.header.as_ref()?.output.as_deref()
    }

    /// Returns whether these are the events of this run until it was killed.
    pub(crate) fn is_record(&self, events: &[RunEvent]) -> bool {
        matches!(events.first().map(|it| &it.kind),
            Some(EventKind::RunStarted(run)) if run.run_id == self.run_id)
    }

    /// Returns the cells with their leftover stacks.
    fn tasks(&self, replay: &[RunEvent]) -> Vec<ResumedCell> {
        let planned: Vec<_> = match &self.header {
            Some(header) => header
                .stacks
                .iter()
                .map(|it| ResumedCell {
                    cell: it.cell.clone(),
                    stack_name: it.stack_name.clone(),
                    template: it.template.clone(),
                    account_id: it.account_id.clone(),
                    has_posthooks: it.has_posthooks,
                    ..ResumedCell::default()
                })
                .collect(),
            None => self
                .leftovers
                .iter()
                .filter(|it| it.is_stack())
                .map(ResumedCell::of_stack)
                .collect(),
        };
        let with_leftover = |mut task: ResumedCell| {
            let mut left = self.leftovers.iter();
            task.leftover = left
                .find(|it| {
                    it.is_stack() && it.name == task.stack_name && *it.region == *task.cell.region
                })
                .cloned();
            replay.iter().for_each(|event| task.recall(&event.kind));
            task
        };
        planned.into_iter().map(with_leftover).collect()
    }

    fn started(&self, tasks: &[ResumedCell], aws: &Aws, endpoint: Option<String>) -> RunStarted {
        let project = self.header.as_ref().map(|it| it.project.clone());
        let project = project.or_else(|| self.leftovers.first().map(|it| it.project.clone()));
        RunStarted {
            task: RunTask::Test,
            run_id: self.run_id.clone(),
            taskcat_version: env!("CARGO_PKG_VERSION").to_owned(),
            project: project.unwrap_or_default(),
            endpoint,
            simulated: aws.is_simulated(),
            templates: Vec::new(),
            cells: tasks.iter().map(ResumedCell::to_event).collect(),
        }
    }
}

/// A cell of the run with what is known about it and its leftover stack.
#[derive(Debug)]
struct ResumedCell {
    cell: CellId,
    stack_name: String,
    template: String,
    account_id: String,
    has_posthooks: bool,
    /// Whether it has a verdict.
    is_finished: bool,
    outcome: Option<Outcome>,
    /// Whether its stack was being deleted.
    is_deleting: bool,
    events: Vec<StackEvent>,
    leftover: Option<Leftover>,
}

impl Default for ResumedCell {
    fn default() -> Self {
        Self {
            cell: CellId {
                test: "".into(),
                region: "".into(),
            },
            stack_name: String::new(),
            template: String::new(),
            account_id: String::new(),
            has_posthooks: false,
            is_finished: false,
            outcome: None,
            is_deleting: false,
            events: Vec::new(),
            leftover: None,
        }
    }
}

impl ResumedCell {
    fn of_stack(stack: &Leftover) -> Self {
        let test = stack.test.as_deref().unwrap_or(&stack.name);
        Self {
            cell: CellId {
                test: test.into(),
                region: stack.region.as_str().into(),
            },
            stack_name: stack.name.clone(),
            account_id: stack.account_id.clone(),
            ..Self::default()
        }
    }

    fn to_event(&self) -> PlannedCell {
        PlannedCell {
            id: self.cell.clone(),
            stack_name: self.stack_name.clone(),
            template: self.template.clone(),
            account_id: self.account_id.clone(),
            parameters: Vec::new(),
            update_from: None,
        }
    }

    /// Applies what was recorded before the run was killed.
    fn recall(&mut self, kind: &EventKind) {
        match kind {
            EventKind::StackEvent { cell, detail } if *cell == self.cell => {
                self.events.push(detail.clone())
            }
            EventKind::CellFinished { cell, outcome, .. } if *cell == self.cell => {
                self.is_finished = true;
                self.outcome = Some(*outcome);
            }
            EventKind::StackDeleting { cell, .. } if *cell == self.cell => self.is_deleting = true,
            EventKind::CellRetried { cell, .. } if *cell == self.cell => {
                self.is_deleting = false;
                self.events.clear();
            }
            _ => {}
        }
    }
}

/// Resumes a run. `replay` contains its recorded events, if they still exist.
///
/// # Errors
/// The journal can't be written.
pub(crate) async fn resume(
    mut resumption: Resumption,
    request: &ResumeRequest,
    replay: Vec<RunEvent>,
    aws: &Aws,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> Result<EndedRun, ResumeError> {
    let tasks = resumption.tasks(&replay);
    let started = resumption.started(&tasks, aws, request.find.endpoint.clone());
    let markers = resumption
        .record
        .as_ref()
        .map(JournalRecord::markers)
        .unwrap_or_default();
    let journal = resumption.record.take().and_then(Journal::resume);
    let harness = RunHarness {
        journal,
        replay,
        budget: request.settings.budget,
        ..RunHarness::new(started, consumers)
    };
    let ended = harness
        .run_to_end(async |context: &RunContext| {
            let resumed = ResumedRun {
                request,
                resumption: &resumption,
                aws,
                context,
            };
            join_all(tasks.iter().map(|task| resumed.cell(task))).await;
            join_all(resumption.leftovers.iter().map(|it| resumed.bucket(it))).await;
            staging::release_left(markers, aws, &context.events).await;
            Ok(())
        })
        .await;
    Ok(ended)
}

struct ResumedRun<'r> {
    request: &'r ResumeRequest,
    resumption: &'r Resumption,
    aws: &'r Aws,
    context: &'r RunContext,
}

impl ResumedRun<'_> {
    async fn cell(&self, task: &ResumedCell) {
        let events = &self.context.events;
        let stack = match self.stack(task).await {
            Ok(stack) => stack,
            Err(error) => {
                if !task.is_finished {
                    self.finish(
                        task,
                        Outcome::Failed,
                        Some(format!("the stack cannot be followed: {error}")),
                    );
                }
                return;
            }
        };
        let Some(mut watcher) = stack else {
            if !task.is_finished {
                let reason = "the run was killed before the stack was created".to_owned();
                self.finish(task, Outcome::Interrupted, Some(reason));
            }
            return;
        };
        task.events.iter().for_each(|event| watcher.recall(event));
        let outcome = match task.outcome {
            Some(outcome) => outcome,
            None => {
                let verdict = self.verdict(task, &mut watcher).await;
                self.finish(task, verdict.outcome, verdict.reason);
                verdict.outcome
            }
        };
        let header = self.resumption.header.as_ref();
        let (no_delete, keep_failed) = header
            .map(|it| (it.no_delete, it.keep_failed))
            .unwrap_or_default();
        if let Some(why) = KeepReason::of(outcome, no_delete, keep_failed) {
            let stack_id = watcher.stack_id().to_owned();
            return events.send(EventKind::StackKept {
                cell: task.cell.clone(),
                stack_id,
                why,
            });
        }
        let options = DeletionOptions {
            wait: true,
            force: self.request.settings.force_delete,
            limit: self.request.limits.deletion,
        };
        deletion::delete(&task.cell, &mut watcher, options, events).await;
    }

    /// Returns a watcher of the cell's stack; `None` if it has none.
    async fn stack(&self, task: &ResumedCell) -> Result<Option<Watcher>, AwsError> {
        let Some(found) = &task.leftover else {
            return Ok(None);
        };
        let LeftoverKind::Stack {
            stack_id,
            unconfirmed_since,
        } = &found.kind
        else {
            return Ok(None);
        };
        let clients = self.aws.clients(&found.profile, &found.region).await;
        let current =
            clean::current_stack(found, stack_id.as_deref(), *unconfirmed_since, &clients).await?;
        let Some(stack_id) = current else {
            let stack_id = stack_id.clone().unwrap_or_else(|| found.name.clone());
            self.context.events.send(EventKind::StackDeleted {
                cell: task.cell.clone(),
                stack_id,
            });
            return Ok(None);
        };
        let cell = task.cell.clone();
        self.context.events.send(EventKind::StackCreated {
            cell: cell.clone(),
            stack_id: stack_id.clone(),
        });
        Ok(Some(Watcher::new(
            cell,
            stack_id,
            clients,
            self.context.events.clone(),
        )))
    }

    async fn verdict(&self, task: &ResumedCell, watcher: &mut Watcher) -> CellVerdict {
        if task.is_deleting {
            return CellVerdict::interrupted_because(
                "the run was killed while the stack was being deleted",
            );
        }
        let limit = self.request.limits.test;
        match self.context.stop.within(limit, watcher.settled()).await {
            WaitOutcome::Stopped => {
                let reason = self.context.stop.reason().map(|reason| reason.to_string());
                CellVerdict::interrupted_because(&reason.unwrap_or_default())
            }
            WaitOutcome::TimedOut => {
                let limit = HumanDuration(limit);
                let status = watcher.status();
                CellVerdict::failed(format!(
                    "timed out after {limit}: the stack was still {status}"
                ))
            }
            WaitOutcome::Done(Err(error)) => {
                CellVerdict::failed(format!("the stack cannot be followed: {error}"))
            }
            WaitOutcome::Done(Ok(settled))
                if settled.status.is_deployed() && task.has_posthooks =>
            {
                CellVerdict::interrupted_because(
                    "the stack is complete, but its update, checks or posthooks did not run: the \
                     run was killed",
                )
            }
            WaitOutcome::Done(Ok(settled)) => {
                let complete = StackStatus::CreateComplete;
                CellVerdict::of(&settled, &complete, watcher.first_failure(), None)
            }
        }
    }

    fn finish(&self, task: &ResumedCell, outcome: Outcome, reason: Option<String>) {
        self.context.events.send(EventKind::CellFinished {
            cell: task.cell.clone(),
            outcome,
            reason,
        });
    }

    /// Deletes a bucket that the run created.
    async fn bucket(&self, found: &Leftover) {
        let Some(origin) = found.bucket_origin() else {
            return;
        };
        let events = &self.context.events;
        if self
            .resumption
            .header
            .as_ref()
            .is_some_and(|it| it.no_delete)
        {
            return events.send(EventKind::BucketKept {
                bucket: found.name.clone(),
                why: KeepReason::NoDelete,
            });
        }
        let clients = self.aws.clients(&found.profile, &found.region).await;
        teardown::delete_bucket_of_run(&found.name, &origin, &clients, events).await;
    }
}
