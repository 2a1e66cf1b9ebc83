//! `taskcat deploy run`: creates and updates permanent stacks by change sets that somebody has
//! reviewed.
//!
//! All change sets are worked out before the question is asked, once for all of them. There is no
//! journal, and nothing is ever deleted but what was not wanted: the stacks are not this run's. A
//! stack that somebody else has created is refused or, where the user wants it, adopted.

mod checks;
mod unfinished;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::oneshot;

use super::harness::{EndedRun, RunContext, RunHarness};
use super::stop::WaitOutcome;
use super::{
    RunError, RunJob, StepContext, before_cells, not_run, refuse, secrets, staging, started,
};
use crate::aws::{Aws, ChangeSetOptions, Clients, StackFailureAction};
use crate::duration::HumanDuration;
use crate::event::{CellId, EventKind, Outcome, ReportedChange, RunStarted, RunTask};
use crate::launch::LaunchError;
use crate::launch::aws_cli::AwsCli;
use crate::launch::change_set::{self, ChangeSetRequest, ProposedChangeSet, TagChanges};
use crate::launch::ownership::{self, ForeignStack, OwnershipTag};
use crate::plan::{INSTALLER_TAG, Plan, StackPlan};
use crate::report::EventConsumer;
use crate::stage::bucket::StagingBucket;
use crate::status::StackStatus;
use crate::watch::Watcher;
pub(super) use unfinished::Unfinished;

/// The mark of stacks that `taskcat deploy run` has created.
pub(super) const MARK: OwnershipTag = OwnershipTag {
    tag: INSTALLER_TAG,
    command: "taskcat deploy run",
    replaces_failed: Some("--replace-failed"),
};

/// How stacks are deployed.
#[derive(Clone, Debug)]
pub(crate) struct DeployOptions {
    /// Take over stacks that lack the mark.
    pub adopt: bool,
    /// Delete stacks whose creation was rolled back, and create them anew.
    pub replace_failed: bool,
    /// The change sets' name in place of one that holds the run's ID. One of that name that exists
    /// is replaced, and one that would change nothing stays: who executes it later finds it.
    pub change_set: Option<String>,
    pub change_set_options: ChangeSetOptions,
    /// For working a change set out.
    pub change_set_limit: Duration,
    /// For executing it.
    pub limit: Duration,
}

/// What is to become of the change sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Execute,
    /// They stay, for somebody else's review.
    Leave,
    /// They go.
    Drop,
}

/// A change set that is to be decided on.
#[derive(Clone, Debug)]
pub(crate) struct Proposed {
    pub cell: CellId,
    pub stack_name: String,
    pub changes: Vec<ReportedChange>,
    /// The stack is somebody else's.
    pub adoption: Option<TagChanges>,
}

/// Decides, on a thread of its own: it may wait for an answer as long as it likes.
pub(crate) type Decide = Box<dyn FnOnce(Vec<Proposed>) -> Decision + Send>;

/// Stages the project, works the change sets out, has them decided on, and follows what is
/// executed.
pub(crate) async fn deploy(
    job: &RunJob<'_>,
    options: DeployOptions,
    aws: &Aws,
    decide: Decide,
    consumers: Vec<Box<dyn EventConsumer>>,
) -> EndedRun {
    let started = RunStarted {
        task: RunTask::Deploy,
        ..started(job, aws)
    };
    let harness = RunHarness {
        secrets: secrets(&job.plan),
        ..RunHarness::new(started, consumers)
    };
    let work = async |context: &RunContext| {
        let context = StepContext::new(job, aws, context);
        let decision = steps(&context, &options, MARK, decide).await;
        staging::release(&context).await;
        decision.map(drop)
    };
    harness.run_to_end(work).await
}

/// The planned stacks that exist and were created by somebody else. What can't be described is left
/// out: its deployment will fail, and say why.
pub(crate) async fn foreign_stacks(plan: &Plan, aws: &Aws) -> Vec<ForeignStack> {
    let found = join_all(plan.cells.iter().map(async |cell| {
        let clients = aws.clients(&cell.profile, &cell.cell.region).await;
        let stack = clients.describe_stack(&cell.stack_name).await.ok()??;
        ownership::foreign(&stack, MARK, &cell.account_id, &clients)
            .await
            .ok()?
    }))
    .await;
    found.into_iter().flatten().collect()
}

/// Pairs of tests that would deploy the same stack.
pub(crate) fn shared_stacks(plan: &Plan) -> Vec<[&StackPlan; 2]> {
    let mut stacks = BTreeMap::new();
    let mut shared = Vec::new();
    for cell in &plan.cells {
        let key = (&cell.account_id, &*cell.cell.region, &cell.stack_name);
        match stacks.get(&key) {
            Some(other) => shared.push([*other, cell]),
            None => _ = stacks.insert(key, cell),
        }
    }
    shared
}

/// The steps, of a run that may have others around them. Where there was nothing to decide, nothing
/// was to be executed.
pub(super) async fn steps(
    context: &StepContext<'_>,
    options: &DeployOptions,
    mark: OwnershipTag,
    decide: Decide,
) -> Result<Decision, RunError> {
    let buckets = match context
        .cancel
        .run_until_cancelled(before_cells(context))
        .await
    {
        Some(Ok(buckets)) => buckets,
        Some(Err(error)) if !matches!(error, RunError::Stopped) => {
            not_run(context, Outcome::Skipped, Some(&error.to_string()));
            return Err(error);
        }
        Some(Err(_)) | None => {
            not_run(context, Outcome::Interrupted, None);
            return Ok(Decision::Drop);
        }
    };
    refuse(context);
    let plan = &context.job.plan;
    let proposals = plan
        .cells
        .iter()
        .map(async |cell| match &buckets[cell.bucket] {
            Ok(bucket) => propose(context, cell, bucket, options, mark).await,
            Err(error) => {
                fail_launch(context, &cell.cell, &error.to_string());
                None
            }
        });
    let pending: Vec<PendingChangeSet> = join_all(proposals).await.into_iter().flatten().collect();
    let decision = if pending.is_empty() {
        Decision::Drop
    } else {
        context
            .cancel
            .run_until_cancelled(decided(&pending, decide))
            .await
            .unwrap_or(Decision::Drop)
    };
    join_all(
        pending
            .into_iter()
            .map(|pending| carry_out(context, pending, decision, options)),
    )
    .await;
    Ok(decision)
}

/// A cell whose change set waits.
struct PendingChangeSet<'p> {
    plan: &'p StackPlan,
    proposal: ProposedChangeSet,
    clients: Arc<Clients>,
    cli: AwsCli,
    unfinished: Unfinished<'p>,
}

/// The cell's change set, if there is something to decide.
async fn propose<'p>(
    context: &StepContext<'p>,
    plan: &'p StackPlan,
    bucket: &StagingBucket,
    options: &DeployOptions,
    mark: OwnershipTag,
) -> Option<PendingChangeSet<'p>> {
    let cell = &plan.cell;
    if context.cancel.is_cancelled() {
        finish(context, cell, Outcome::Interrupted, None);
        return None;
    }
    let clients = context.aws.clients(&plan.profile, &cell.region).await;
    let cli = AwsCli {
        profile: plan.profile.clone(),
        region: cell.region.to_string(),
        endpoint: context.job.endpoint.clone(),
    };
    let of_run = || format!("taskcat-{}", context.job.plan.run_id.simple());
    let name = options.change_set.clone().unwrap_or_else(of_run);
    let template_url = bucket.url(&plan.template_key);
    let replace_failed = options.replace_failed.then_some(options.limit);
    let request = ChangeSetRequest {
        plan,
        name: &name,
        replaces: options.change_set.is_some(),
        template_url: &template_url,
        mark,
        adopt: options.adopt,
        replace_failed,
        options: options.change_set_options,
    };
    let delete = cli.delete_change_set(&plan.stack_name, &name);
    let mut unfinished = Unfinished::new(cell, context.events);
    unfinished.remains(format!(
        "the change set {name} may have been created; delete it with `{delete}`"
    ));
    // Not interrupted: what is requested here is known, and so can be deleted.
    let proposal = match change_set::create(request, &cli, &clients, context.events).await {
        Ok(proposal) => proposal,
        Err(error) => {
            unfinished.ends();
            let may_exist =
                matches!(&error, LaunchError::Aws(error) if error.may_have_taken_effect());
            let more = may_exist.then(|| {
                format!("; should the change set appear all the same, delete it with `{delete}`")
            });
            fail_launch(
                context,
                cell,
                &format!("{error}{}", more.unwrap_or_default()),
            );
            return None;
        }
    };
    let pending = PendingChangeSet {
        plan,
        proposal,
        clients,
        cli,
        unfinished,
    };
    work_out(context, pending, options).await
}

/// Waits for the change set to be worked out; one that can't be executed is deleted.
async fn work_out<'p>(
    context: &StepContext<'p>,
    mut pending: PendingChangeSet<'p>,
    options: &DeployOptions,
) -> Option<PendingChangeSet<'p>> {
    let limit = options.change_set_limit;
    pending.unfinished.remains(pending.remains());
    let PendingChangeSet {
        plan,
        proposal,
        clients,
        ..
    } = &mut pending;
    let cell = &plan.cell;
    let worked_out = context
        .cancel
        .run_until_cancelled(change_set::work_out(proposal, plan, limit, clients))
        .await;
    if let Some(Ok(())) = worked_out {
        if let Some(adoption) = &proposal.adoption {
            context
                .events
                .warn(Some(cell), format!("adopts {}", adoption.stack));
        }
        context.events.send(EventKind::ChangeSetCreated {
            cell: cell.clone(),
            stack_id: proposal.stack_id.clone(),
            change_set: proposal.name.clone(),
            changes: proposal.changes.clone(),
            options: described(options.change_set_options, proposal.is_new),
        });
        if !proposal.is_unchanged {
            return Some(pending);
        }
        if options.change_set.is_some() {
            pending.unfinished.ends();
            finish(context, cell, Outcome::Passed, Some("unchanged"));
            return None;
        }
    }
    let failed_checks = match &worked_out {
        Some(Err(_)) => checks::described(context, plan, &proposal.id, clients).await,
        Some(Ok(())) | None => String::new(),
    };
    let discarded = change_set::discard(proposal, clients).await;
    let remains = discarded
        .err()
        .map(|error| format!("; {} ({error})", pending.remains()));
    pending.unfinished.ends();
    match (worked_out, remains) {
        (Some(Err(error)), remains) => {
            let remains = remains.unwrap_or_default();
            fail_launch(context, cell, &format!("{error}{failed_checks}{remains}"));
        }
        (Some(Ok(())), Some(remains)) => {
            fail_launch(context, cell, &format!("nothing would change{remains}"))
        }
        (Some(Ok(())), None) => finish(context, cell, Outcome::Passed, Some("unchanged")),
        (None, remains) => {
            let reason = format!("not executed{}", remains.unwrap_or_default());
            finish(context, cell, Outcome::Interrupted, Some(&reason));
        }
    }
    None
}

impl PendingChangeSet<'_> {
    /// The change set still exists, and how to delete it.
    fn remains(&self) -> String {
        let PendingChangeSet {
            plan,
            proposal: ProposedChangeSet { name, is_new, .. },
            cli,
            ..
        } = self;
        let stack = &plan.stack_name;
        match is_new {
            // The stack exists only for the change set, and goes with it.
            true => {
                let delete = cli.delete_stack(stack);
                format!(
                    "the change set {name} and its stack {stack} in review remain; delete them \
                     with `{delete}`"
                )
            }
            false => self.remains_itself(),
        }
    }

    /// The same of the change set alone. Unlike its stack it can't be deleted while it is executed.
    fn remains_itself(&self) -> String {
        let stack = &self.plan.stack_name;
        let name = &self.proposal.name;
        format!(
            "the change set {name} remains; delete them with `{}`",
            self.cli.delete_change_set(stack, name)
        )
    }
}

/// Describes the options of a change set for whoever must approve it; those that are the default
/// aren't mentioned.
fn described(options: ChangeSetOptions, is_new: bool) -> Vec<String> {
    let failure = match options.on_stack_failure {
        StackFailureAction::Rollback => {
            "if the creation fails, the stack is rolled back and remains"
        }
        StackFailureAction::DoNothing => {
            "if the creation fails, the stack remains with its resources"
        }
        StackFailureAction::Delete => "",
    };
    let all = [
        (is_new && !failure.is_empty(), failure),
        (
            options.import_existing_resources,
            "existing resources with the names of new ones are imported",
        ),
        (
            options.revert_drift && !is_new,
            "resources that were changed outside of the stack are changed back",
        ),
        (
            options.retain_except_on_create,
            "if the execution is rolled back, new resources are deleted even if they are to be \
             retained",
        ),
    ];
    let chosen = all.into_iter().filter(|(is_chosen, _)| *is_chosen);
    chosen.map(|(_, text)| text.to_owned()).collect()
}

async fn decided(pending: &[PendingChangeSet<'_>], decide: Decide) -> Decision {
    let proposed = pending.iter().map(|pending| Proposed {
        cell: pending.plan.cell.clone(),
        stack_name: pending.plan.stack_name.clone(),
        changes: pending.proposal.changes.clone(),
        adoption: pending.proposal.adoption.clone(),
    });
    let (proposed, (answer, decision)) = (proposed.collect(), oneshot::channel());
    // A thread that waits for an answer must not keep the process from its end.
    std::thread::spawn(move || answer.send(decide(proposed)));
    decision.await.unwrap_or(Decision::Drop)
}

async fn carry_out(
    context: &StepContext<'_>,
    mut pending: PendingChangeSet<'_>,
    decision: Decision,
    options: &DeployOptions,
) {
    let cell = pending.plan.cell.clone();
    let change_set = pending.proposal.name.clone();
    let interrupted = context.cancel.is_cancelled();
    match decision {
        Decision::Execute if !interrupted => execute(context, &mut pending, options).await,
        Decision::Leave => {
            context.events.send(EventKind::ChangeSetLeft {
                cell: cell.clone(),
                change_set,
            });
            finish(context, &cell, Outcome::Passed, Some("left for review"));
        }
        Decision::Execute | Decision::Drop => {
            match change_set::discard(&pending.proposal, &pending.clients).await {
                Ok(()) => {
                    context.events.send(EventKind::ChangeSetDropped {
                        cell: cell.clone(),
                        change_set,
                    });
                    let outcome = if interrupted {
                        Outcome::Interrupted
                    } else {
                        Outcome::Passed
                    };
                    finish(context, &cell, outcome, Some("not executed"));
                }
                Err(error) => fail(
                    context,
                    &cell,
                    &format!("not executed; {} ({error})", pending.remains()),
                ),
            }
        }
    }
    pending.unfinished.ends();
}

async fn execute(
    context: &StepContext<'_>,
    pending: &mut PendingChangeSet<'_>,
    options: &DeployOptions,
) {
    let limit = options.limit;
    let PendingChangeSet {
        plan,
        proposal,
        clients,
        ..
    } = &*pending;
    let cell = &plan.cell;
    let plan = *plan;
    let mut watcher = Watcher::new(
        cell.clone(),
        proposal.stack_id.clone(),
        clients.clone(),
        context.events.clone(),
    );
    let begun = match watcher.catch_up().await {
        Ok(()) => change_set::execute(proposal, options.change_set_options, clients).await,
        Err(error) => Err(error),
    };
    if let Err(error) = begun {
        // It may be executed late, so it isn't deleted.
        let remains = if error.may_have_taken_effect() {
            format!(
                "whether it is executed isn't known; {}",
                pending.remains_itself()
            )
        } else {
            pending.remains()
        };
        return fail(context, cell, &format!("{error}; {remains}"));
    }
    let goes_on = format!(
        "CloudFormation continues to execute {} in {}",
        proposal.name, plan.stack_name
    );
    context.events.send(EventKind::ChangeSetExecuted {
        cell: cell.clone(),
        change_set: proposal.name.clone(),
    });
    pending.unfinished.remains(goes_on.clone());
    match context.stop.within(limit, watcher.changed()).await {
        WaitOutcome::Stopped => finish(context, cell, Outcome::Interrupted, Some(&goes_on)),
        WaitOutcome::TimedOut => {
            let limit = HumanDuration(limit);
            fail(
                context,
                cell,
                &format!("the stack is not finished after {limit} (--timeout); {goes_on}"),
            );
        }
        WaitOutcome::Done(Err(error)) => fail(
            context,
            cell,
            &format!("the stack cannot be followed: {error}; {goes_on}"),
        ),
        WaitOutcome::Done(Ok(settled)) if settled.status.is_deployed() => {
            finish(context, cell, Outcome::Passed, None)
        }
        WaitOutcome::Done(Ok(settled)) => {
            // As every new stack: see `Clients::create_change_set`.
            if settled.status == StackStatus::DeleteComplete {
                let deleted = format!(
                    "CloudFormation deleted the stack {}, whose creation failed",
                    plan.stack_name
                );
                context.events.warn(Some(cell), deleted);
            }
            let status = settled.status.to_string();
            let reason = settled
                .reason
                .map_or(status.clone(), |reason| format!("{status}: {reason}"));
            finish(context, cell, Outcome::Failed, Some(&reason));
        }
    }
}

/// Ends a cell that has no change set to execute.
fn fail_launch(context: &StepContext<'_>, cell: &CellId, reason: &str) {
    let failed = EventKind::LaunchFailed {
        cell: cell.clone(),
        reason: reason.to_owned(),
        may_exist: false,
    };
    context.events.send(failed);
    fail(context, cell, reason);
}

/// Ends a cell that could not be deployed.
fn fail(context: &StepContext<'_>, cell: &CellId, reason: &str) {
    finish(context, cell, Outcome::Failed, Some(reason));
}

fn finish(context: &StepContext<'_>, cell: &CellId, outcome: Outcome, reason: Option<&str>) {
    let cell = cell.clone();
    let reason = reason.map(str::to_owned);
    context.events.send(EventKind::CellFinished {
        cell,
        outcome,
        reason,
    });
}
