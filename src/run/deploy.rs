//! `taskcat deploy run`: stacks that stay are created and changed by change sets, which somebody has looked at.
//!
//! All change sets are worked out before the question is asked, once for all of them. There is no journal, and nothing is
//! ever deleted but what was not wanted: the stacks are not this run's.

use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::oneshot;

use super::conductor::{Conductor, Ended, Spine};
use super::{Context, Job, RunError, before_cells, not_run, refuse, secrets, staging, started};
use crate::aws::{Aws, Clients};
use crate::event::{CellId, Change, Happening, Outcome, RunStarted, Task};
use crate::launch::change_set::{self, Proposal};
use crate::plan::StackPlan;
use crate::report::Consumer;
use crate::stage::bucket::Bucket;
use crate::watch::Watcher;

/// What is to become of the change sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Execute,
    /// They stay, for somebody else's review.
    Leave,
    /// They go.
    Drop,
}

/// A change set that is to be decided on.
#[derive(Clone, Debug)]
pub struct Proposed {
    pub cell: CellId,
    pub stack_name: String,
    pub change_set: String,
    pub changes: Vec<Change>,
}

/// Decides, on a thread of its own: it may wait for an answer as long as it likes.
pub type Decide = Box<dyn FnOnce(Vec<Proposed>) -> Decision + Send>;

/// Stages the project, works the change sets out, has them decided on, and follows what is executed.
pub async fn deploy(job: &Job, aws: &Aws, decide: Decide, consumers: Vec<Box<dyn Consumer>>) -> Ended {
    let started = RunStarted { task: Task::Deploy, ..started(job, aws) };
    let conductor = Conductor { secrets: secrets(&job.plan), ..Conductor::new(started, consumers) };
    let work = async |spine: &Spine| {
        let context = Context::new(job, aws, spine);
        let decision = steps(&context, decide).await;
        staging::release(&context).await;
        decision.map(drop)
    };
    conductor.conduct(work).await
}

/// The steps, of a run that may have others around them. Where there was nothing to decide, nothing was to be executed.
pub(super) async fn steps(context: &Context<'_>, decide: Decide) -> Result<Decision, RunError> {
    let buckets = match context.cancel.run_until_cancelled(before_cells(context)).await {
        Some(Ok(buckets)) => buckets,
        Some(Err(error)) if !matches!(error, RunError::Stopped) => {
            not_run(context, Some(&error.to_string()));
            return Err(error);
        }
        Some(Err(_)) | None => {
            not_run(context, None);
            return Ok(Decision::Drop);
        }
    };
    refuse(context);
    let plan = &context.job.plan;
    // Short, and not interrupted: what is begun here is known, and so can be taken away.
    let proposed = join_all(plan.cells.iter().map(|cell| propose(context, cell, &buckets[cell.bucket]))).await;
    let open: Vec<Open> = proposed.into_iter().flatten().collect();
    let decision = match open.is_empty() {
        true => Decision::Drop,
        false => context.cancel.run_until_cancelled(decided(&open, decide)).await.unwrap_or(Decision::Drop),
    };
    join_all(open.iter().map(|open| carry_out(context, open, decision))).await;
    Ok(decision)
}

/// A cell whose change set waits.
struct Open<'p> {
    plan: &'p StackPlan,
    proposal: Proposal,
    clients: Arc<Clients>,
}

/// The cell's change set, if there is something to decide.
async fn propose<'p>(context: &Context<'_>, plan: &'p StackPlan, bucket: &Bucket) -> Option<Open<'p>> {
    let cell = plan.cell.clone();
    if context.cancel.is_cancelled() {
        finish(context, &cell, Outcome::Interrupted, None);
        return None;
    }
    let clients = context.aws.clients(&plan.profile, &cell.region).await;
    let name = format!("taskcat-{}", context.job.plan.run_id.simple());
    let template_url = bucket.url(&plan.template_key);
    match change_set::propose(plan, &name, &template_url, &clients, context.events).await {
        Ok(proposal) if proposal.changes.is_empty() => {
            finish(context, &cell, Outcome::Passed, Some("unchanged"));
            None
        }
        Ok(proposal) => Some(Open { plan, proposal, clients }),
        Err(error) => {
            let reason = error.to_string();
            let failed = Happening::LaunchFailed { cell: cell.clone(), reason: reason.clone(), may_exist: false };
            context.events.send(failed);
            finish(context, &cell, Outcome::Failed, Some(&reason));
            None
        }
    }
}

async fn decided(open: &[Open<'_>], decide: Decide) -> Decision {
    let proposed = open.iter().map(|open| Proposed {
        cell: open.plan.cell.clone(),
        stack_name: open.plan.stack_name.clone(),
        change_set: open.proposal.name.clone(),
        changes: open.proposal.changes.clone(),
    });
    let (proposed, (answer, decision)) = (proposed.collect(), oneshot::channel());
    // A thread that waits for an answer must not keep the process from its end.
    std::thread::spawn(move || answer.send(decide(proposed)));
    decision.await.unwrap_or(Decision::Drop)
}

async fn carry_out(context: &Context<'_>, open: &Open<'_>, decision: Decision) {
    let Open { plan, proposal, clients } = open;
    let (cell, change_set) = (plan.cell.clone(), proposal.name.clone());
    let interrupted = context.cancel.is_cancelled();
    match decision {
        Decision::Execute if !interrupted => execute(context, open).await,
        Decision::Leave => {
            context.events.send(Happening::ChangeSetLeft { cell: cell.clone(), change_set });
            finish(context, &cell, Outcome::Passed, Some("left for review"));
        }
        Decision::Execute | Decision::Drop => match change_set::discard(proposal, clients).await {
            Ok(()) => {
                context.events.send(Happening::ChangeSetDropped { cell: cell.clone(), change_set });
                let outcome = if interrupted { Outcome::Interrupted } else { Outcome::Passed };
                finish(context, &cell, outcome, Some("not executed"));
            }
            Err(error) => finish(context, &cell, Outcome::Failed, Some(&format!("{change_set} is left: {error}"))),
        },
    }
}

async fn execute(context: &Context<'_>, open: &Open<'_>) {
    let Open { plan, proposal, clients } = open;
    let cell = &plan.cell;
    let mut watcher = Watcher::new(cell.clone(), proposal.stack_id.clone(), clients.clone(), context.events.clone());
    let begun = match watcher.catch_up().await {
        Ok(()) => change_set::execute(proposal, clients).await,
        Err(error) => Err(error),
    };
    if let Err(error) = begun {
        // Whether or not it was begun, the change set is left as evidence.
        return finish(context, cell, Outcome::Failed, Some(&error.to_string()));
    }
    context.events.send(Happening::ChangeSetExecuted { cell: cell.clone(), change_set: proposal.name.clone() });
    match context.cancel.run_until_cancelled(watcher.changed()).await {
        None => finish(context, cell, Outcome::Interrupted, Some("CloudFormation goes on with it")),
        Some(Err(error)) => {
            let reason = format!("the stack can't be followed: {error}");
            finish(context, cell, Outcome::Failed, Some(&reason));
        }
        Some(Ok(settled)) if settled.status.is_deployed() => finish(context, cell, Outcome::Passed, None),
        Some(Ok(settled)) => {
            let status = settled.status.to_string();
            let reason = settled.reason.map_or(status.clone(), |reason| format!("{status}: {reason}"));
            finish(context, cell, Outcome::Failed, Some(&reason));
        }
    }
}

fn finish(context: &Context<'_>, cell: &CellId, outcome: Outcome, reason: Option<&str>) {
    let (cell, reason) = (cell.clone(), reason.map(str::to_owned));
    context.events.send(Happening::CellFinished { cell, outcome, reason });
}
