//! Runs one cell from its prehooks to the deletion of its stack.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::checks;
use super::deletion::{self, DeletionOptions};
use super::dependencies::CellGraph;
use super::limits::{LaunchLimits, LaunchPermit};
use super::stack_checks;
use super::stop::WaitOutcome;
use super::update::StackUpdate;
use super::verdict::{CellVerdict, settled, until};
use super::{RunSettings, StepContext};
use crate::duration::HumanDuration;
use crate::event::{CellId, EventKind, Hook, HookStage, KeepReason, Outcome};
use crate::launch::hook::{self, HookInput, HookOutput};
use crate::launch::launch;
use crate::plan::{HookPlan, StackPlan};
use crate::stage::bucket::StagingBucket;
use crate::status::StackStatus;
use crate::watch::Watcher;

/// Runs one cell. A failure affects only this cell, and its stack is always dealt with first.
pub(super) async fn run_cell(
    context: &StepContext<'_>,
    limits: &LaunchLimits,
    plan: &StackPlan,
    bucket: &StagingBucket,
    graph: &CellGraph,
) {
    let permit = context
        .stop
        .until_stopped(limits.permit(&plan.cell.region))
        .await;
    let mut attempt = 1;
    loop {
        let mut stack = None;
        let verdict = match &permit {
            None => CellVerdict::interrupted(context),
            Some(_) => test(context, plan, bucket, &mut stack).await,
        };
        let retried = match &verdict.transient {
            Some(reason)
                if attempt <= plan.limits.retries && !context.stop.token.is_cancelled() =>
            {
                retry(context, plan, stack.as_mut(), attempt, reason).await
            }
            _ => false,
        };
        if !retried {
            return finish(context, plan, verdict, stack, (permit, graph)).await;
        }
        attempt += 1;
    }
}

/// Deletes what a failed attempt created, so that a new stack may have the same name. Returns
/// whether that succeeded.
async fn retry(
    context: &StepContext<'_>,
    plan: &StackPlan,
    stack: Option<&mut Watcher>,
    attempt: u32,
    reason: &str,
) -> bool {
    let cell = &plan.cell;
    let options = DeletionOptions {
        wait: true,
        ..deletion_options(context, plan)
    };
    let is_deleted = match stack {
        Some(watcher) => deletion::delete(cell, watcher, options, context.events).await,
        None => true,
    };
    if is_deleted {
        let reason = reason.to_owned();
        context.events.send(EventKind::CellRetried {
            cell: cell.clone(),
            attempt,
            reason,
        });
    }
    is_deleted
}

async fn finish(
    context: &StepContext<'_>,
    plan: &StackPlan,
    verdict: CellVerdict,
    stack: Option<Watcher>,
    (permit, graph): (Option<LaunchPermit<'_>>, &CellGraph),
) {
    let CellVerdict {
        outcome,
        reason,
        outputs,
        ..
    } = verdict;
    let cell = plan.cell.clone();
    if outcome == Outcome::Failed {
        let found = stack.as_ref().map(Watcher::failed_checks);
        let job = context.job;
        let places = checks::places(
            found.unwrap_or_default(),
            plan,
            &job.plan.project_root,
            &job.templates,
        );
        context.locate_failures(&cell, places);
    }
    context.events.send(EventKind::CellFinished {
        cell,
        outcome,
        reason,
    });
    if outcome == Outcome::Failed {
        context.count_failure();
    }
    graph.decide(&plan.cell, outcome, outputs);
    let mut keep = None;
    if graph.has_dependents(&plan.cell) {
        // Dependents may need the place of a stack that only waits for them.
        drop(permit);
        keep = graph.dependents_over(&plan.cell).await;
    }
    let settings = context.settings();
    let own = KeepReason::of(outcome, settings.no_delete, settings.keep_failed);
    let has_stack = stack.is_some();
    if let Some((watcher, why)) = stack.as_ref().zip(keep.filter(|_| own.is_none())) {
        // A stack that was kept needs this one.
        context.events.send(EventKind::StackKept {
            cell: plan.cell.clone(),
            stack_id: watcher.stack_id().to_owned(),
            why,
        });
    } else if let Some(watcher) = stack {
        tear_down(
            context.settings(),
            &plan.cell,
            watcher,
            outcome,
            deletion_options(context, plan),
            context,
        )
        .await;
    }
    graph.end(&plan.cell, keep.or(own.filter(|_| has_stack)));
}

/// Runs prehooks, launch, wait, checks and posthooks. `stack` is set as soon as the stack exists.
async fn test(
    context: &StepContext<'_>,
    plan: &StackPlan,
    bucket: &StagingBucket,
    stack: &mut Option<Watcher>,
) -> CellVerdict {
    let cell = &plan.cell;
    let deadline = Instant::now() + plan.limits.test;
    let input = hook_input(context, plan);
    let hooks = run_hooks(context, plan, &plan.prehooks, &input);
    match context.stop.within(until(deadline), hooks).await {
        WaitOutcome::Stopped => return CellVerdict::interrupted(context),
        WaitOutcome::TimedOut => {
            return CellVerdict::timed_out(plan, "its prehooks were still running");
        }
        WaitOutcome::Done(Err(reason)) => return CellVerdict::failed(reason),
        WaitOutcome::Done(Ok(())) => {}
    }
    if context.stop.token.is_cancelled() {
        return CellVerdict::interrupted(context);
    }
    let clients = context.aws.clients(&plan.profile, &cell.region).await;
    let previous = plan.previous();
    let first = previous.as_ref().unwrap_or(plan);
    let template_url = bucket.url(&first.template_key);
    let run_id = context.job.plan.run_id;
    // Never cancelled, since a call in progress may take effect.
    let launched = launch(
        first,
        run_id,
        &template_url,
        &clients,
        &context.stop.token,
        context.events,
    )
    .await;
    let stack_id = match launched {
        Ok(stack_id) => stack_id,
        Err(error) => {
            let reason = error.to_string();
            let may_exist = error.may_exist();
            let failed = EventKind::LaunchFailed {
                cell: cell.clone(),
                reason: reason.clone(),
                may_exist,
            };
            context.events.send(failed);
            if context.stop.token.is_cancelled() {
                return CellVerdict::interrupted(context);
            }
            return CellVerdict::failed(reason);
        }
    };
    let watcher = stack.insert(Watcher::new(
        cell.clone(),
        stack_id.clone(),
        clients,
        context.events.clone(),
    ));
    let settled = match context
        .stop
        .within(until(deadline), settled(context, cell, watcher))
        .await
    {
        WaitOutcome::Stopped => return CellVerdict::interrupted(context),
        WaitOutcome::TimedOut => {
            let status = format!("the stack was still {}", watcher.status());
            return CellVerdict::timed_out(plan, &status);
        }
        WaitOutcome::Done(Err(error)) => {
            return CellVerdict::failed(format!("the stack cannot be followed: {error}"));
        }
        WaitOutcome::Done(Ok(settled)) => settled,
    };
    let mut complete = StackStatus::CreateComplete;
    let settled = if settled.status == complete && !plan.update.is_empty() {
        let update = StackUpdate {
            context,
            plan,
            template_url: bucket.url(&plan.template_key),
            deadline,
        };
        match update.run(settled, watcher).await {
            Ok(updated) => {
                complete = updated.complete;
                updated.settled
            }
            Err(verdict) => return verdict,
        }
    } else {
        settled
    };
    let failed_check = stack_checks::run(context, plan, &stack_id, &settled);
    let failed_check = match context.stop.within(until(deadline), failed_check).await {
        WaitOutcome::Stopped => return CellVerdict::interrupted(context),
        WaitOutcome::TimedOut => {
            return CellVerdict::timed_out(plan, "its checks were still running");
        }
        WaitOutcome::Done(failed) => failed,
    };
    let input = HookInput {
        stage: HookStage::Posthooks,
        stack_id: Some(stack_id),
        status: Some(settled.status.clone()),
        outputs: Some(settled.outputs.clone()),
        ..input
    };
    let hooks = run_hooks(context, plan, &plan.posthooks, &input);
    match context.stop.within(until(deadline), hooks).await {
        WaitOutcome::Stopped => CellVerdict::interrupted(context),
        WaitOutcome::TimedOut => CellVerdict::timed_out(plan, "its posthooks were still running"),
        WaitOutcome::Done(hooks) => {
            let error = failed_check.or(hooks.err());
            CellVerdict::of(&settled, &complete, watcher.first_failure(), error)
        }
    }
}

pub(super) fn deletion_options(context: &StepContext<'_>, plan: &StackPlan) -> DeletionOptions {
    let RunSettings {
        wait_for_delete,
        force_delete: force,
        ..
    } = *context.settings();
    DeletionOptions {
        // What it depends on can be deleted only afterwards.
        wait: wait_for_delete || !plan.dependencies.is_empty(),
        force,
        limit: plan.limits.deletion,
    }
}

/// Runs the hooks one after the other, until one fails; returns its error.
async fn run_hooks(
    context: &StepContext<'_>,
    plan: &StackPlan,
    hooks: &[HookPlan],
    input: &HookInput,
) -> Result<(), String> {
    for planned in hooks {
        let cell = plan.cell.clone();
        let hook = Hook {
            stage: input.stage,
            kind: planned.kind.clone(),
        };
        context.events.send(EventKind::HookStarted {
            cell: cell.clone(),
            hook: hook.clone(),
        });
        // The hook's own limit takes precedence.
        let limit = match planned.config.get("timeout") {
            None => plan.limits.hook,
            Some(_) => Duration::MAX,
        };
        let running = hook::run(
            planned,
            input,
            &context.job.plan.project_root,
            &context.job.hook_environment,
        );
        let (output, error) = match timeout(limit, running).await {
            Ok(Ok(output)) => (printed(&output), None),
            // The error's text contains the end of the output.
            Ok(Err(error)) => (None, Some(error.cause.to_string())),
            Err(_) => {
                let kind = &planned.kind;
                let limit = HumanDuration(limit);
                (
                    None,
                    Some(format!(
                        "the hook `{kind}` timed out after {limit} (`hook_timeout`)"
                    )),
                )
            }
        };
        context.events.send(EventKind::HookFinished {
            cell,
            hook,
            error: error.clone(),
            output,
        });
        if let Some(error) = error {
            return Err(error);
        }
    }
    Ok(())
}

fn printed(output: &HookOutput) -> Option<String> {
    let text = format!("{}{}", output.stdout, output.stderr);
    (!text.trim().is_empty()).then(|| text.trim_end().to_owned())
}

/// Returns the input of prehooks; posthooks get more.
fn hook_input(context: &StepContext<'_>, plan: &StackPlan) -> HookInput {
    HookInput {
        stage: HookStage::Prehooks,
        project: context.job.plan.project_name.clone(),
        test: plan.cell.test.to_string(),
        region: plan.cell.region.to_string(),
        account_id: plan.account_id.clone(),
        stack_name: plan.stack_name.clone(),
        stack_id: None,
        status: None,
        parameters: plan.parameters.clone(),
        outputs: None,
    }
}

/// Deletes the cell's stack, or keeps it as the user requested. Runs even when the run is
/// interrupted.
pub(super) async fn tear_down(
    settings: &RunSettings,
    cell: &CellId,
    mut watcher: Watcher,
    outcome: Outcome,
    options: DeletionOptions,
    context: &StepContext<'_>,
) {
    if let Some(why) = KeepReason::of(outcome, settings.no_delete, settings.keep_failed) {
        let stack_id = watcher.stack_id().to_owned();
        context.events.send(EventKind::StackKept {
            cell: cell.clone(),
            stack_id,
            why,
        });
        return;
    }
    deletion::delete(cell, &mut watcher, options, context.events).await;
}
