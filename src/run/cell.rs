//! One cell from its hooks to its deletion: the life of a stack on one screen.

use std::sync::Arc;

use super::limits::Limits;
use super::{Context, Settings};
use crate::aws::Clients;
use crate::event::{CellId, Events, Happening, Hook, HookStage, KeptWhy, Outcome};
use crate::launch::hook::{self, HookInput, HookOutput};
use crate::launch::launch;
use crate::plan::{HookPlan, StackPlan};
use crate::stage::bucket::Bucket;
use crate::teardown;
use crate::watch::{Settled, Watcher};

/// How a cell ended, and why it did not pass.
struct Verdict {
    outcome: Outcome,
    reason: Option<String>,
}

/// Takes one cell through everything. Whatever goes wrong ends this cell alone, and never before its stack is dealt with.
pub(super) async fn run_cell(context: &Context<'_>, limits: &Limits, plan: &StackPlan, bucket: &Bucket) {
    let permit = context.cancel.run_until_cancelled(limits.permit(&plan.cell.region)).await;
    let mut stack = None;
    let verdict = match permit {
        None => Verdict::interrupted(),
        Some(_) => test(context, plan, bucket, &mut stack).await,
    };
    let outcome = verdict.outcome;
    context.events.send(Happening::CellFinished { cell: plan.cell.clone(), outcome, reason: verdict.reason });
    if let Some(watcher) = stack {
        tear_down(context, &plan.cell, watcher, outcome).await;
    }
}

/// Hooks, launch, wait, hooks. `stack` is set as soon as there is one.
async fn test(context: &Context<'_>, plan: &StackPlan, bucket: &Bucket, stack: &mut Option<Watcher>) -> Verdict {
    let cell = &plan.cell;
    let refuse = |reason: String| {
        context.events.send(Happening::LaunchFailed { cell: cell.clone(), reason: reason.clone() });
        Verdict::failed(reason)
    };
    let input = hook_input(context, plan);
    let hooks = run_hooks(context, cell, &plan.prehooks, &input);
    match context.cancel.run_until_cancelled(hooks).await {
        None => return Verdict::interrupted(),
        Some(Err(reason)) => return Verdict::failed(reason),
        Some(Ok(())) => {}
    }
    if context.cancel.is_cancelled() {
        return Verdict::interrupted();
    }
    let clients = context.aws.clients(&plan.profile, &cell.region).await;
    let template_url = bucket.url(&plan.template_key);
    let launched = launch(plan, context.job.plan.run_id, &template_url, &clients, context.events).await;
    let stack_id = match launched {
        Ok(stack_id) => stack_id,
        Err(error) => return refuse(error.to_string()),
    };
    let watcher = stack.insert(Watcher::new(cell.clone(), stack_id.clone(), clients, context.events.clone()));
    let settled = match context.cancel.run_until_cancelled(watcher.settled()).await {
        None => return Verdict::interrupted(),
        Some(Err(error)) => return Verdict::failed(format!("the stack can't be followed: {error}")),
        Some(Ok(settled)) => settled,
    };
    let input = HookInput {
        stage: HookStage::Posthooks,
        stack_id: Some(stack_id),
        status: Some(settled.status.to_string()),
        outputs: Some(settled.outputs.clone()),
        ..input
    };
    let hooks = run_hooks(context, cell, &plan.posthooks, &input);
    match context.cancel.run_until_cancelled(hooks).await {
        None => Verdict::interrupted(),
        Some(hooks) => Verdict::of(&settled, hooks.err()),
    }
}

impl Verdict {
    fn of(settled: &Settled, hook_error: Option<String>) -> Self {
        if settled.status.is_created() {
            return hook_error.map_or(Self { outcome: Outcome::Passed, reason: None }, Self::failed);
        }
        Self::failed(match &settled.reason {
            Some(reason) => format!("{}: {reason}", settled.status),
            None if settled.status.is_deleted() => "the stack was deleted by somebody else during the test".to_owned(),
            None => settled.status.to_string(),
        })
    }

    fn failed(reason: String) -> Self {
        Self { outcome: Outcome::Failed, reason: Some(reason) }
    }

    fn interrupted() -> Self {
        Self { outcome: Outcome::Interrupted, reason: None }
    }
}

/// Runs the hooks one after the other; the first that fails is the last, and its error is returned.
async fn run_hooks(context: &Context<'_>, cell: &CellId, hooks: &[HookPlan], input: &HookInput) -> Result<(), String> {
    for planned in hooks {
        let hook = Hook { stage: input.stage, kind: planned.kind.clone() };
        context.events.send(Happening::HookStarted { cell: cell.clone(), hook: hook.clone() });
        let result = hook::run(planned, input, &context.job.plan.project_root, &context.job.hook_environment).await;
        let (output, error) = match result {
            Ok(output) => (printed(&output), None),
            // The error's text holds the end of the output.
            Err(error) => (None, Some(error.to_string())),
        };
        context.events.send(Happening::HookFinished { cell: cell.clone(), hook, error: error.clone(), output });
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

/// What prehooks are told; posthooks are told more.
fn hook_input(context: &Context<'_>, plan: &StackPlan) -> HookInput {
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

/// Deletes the cell's stack, or leaves it as the user asked. An interruption doesn't stop this; it is what it leads to.
async fn tear_down(context: &Context<'_>, cell: &CellId, mut watcher: Watcher, outcome: Outcome) {
    let stack_id = watcher.stack_id().to_owned();
    let Settings { no_delete, keep_failed, wait_for_delete, .. } = context.job.settings;
    let kept = match outcome {
        _ if no_delete => Some(KeptWhy::NoDelete),
        Outcome::Failed if keep_failed => Some(KeptWhy::KeepFailed),
        _ => None,
    };
    if let Some(why) = kept {
        context.events.send(Happening::StackKept { cell: cell.clone(), stack_id, why });
        return;
    }
    let deleted = delete(context.events, cell, &mut watcher, wait_for_delete).await;
    tell_deletion(context.events, cell, &watcher, deleted, wait_for_delete).await;
}

/// Deletes a stack that an earlier run left, and returns whether that went well.
pub(super) async fn delete_found(
    cell: CellId,
    stack_id: String,
    clients: Arc<Clients>,
    wait: bool,
    events: &Events,
) -> bool {
    let mut watcher = Watcher::new(cell.clone(), stack_id, clients, events.clone());
    let deleted = match watcher.catch_up().await {
        Ok(()) => delete(events, &cell, &mut watcher, wait).await,
        Err(error) => Err(error.to_string()),
    };
    let went_well = deleted.is_ok();
    tell_deletion(events, &cell, &watcher, deleted, wait).await;
    went_well
}

/// Sends how the deletion of a stack ended, or that its end was not awaited.
async fn tell_deletion(events: &Events, cell: &CellId, watcher: &Watcher, deleted: Result<(), String>, wait: bool) {
    let (cell, stack_id) = (cell.clone(), watcher.stack_id().to_owned());
    events.send(match deleted {
        Ok(()) if wait => Happening::StackDeleted { cell, stack_id },
        Ok(()) => Happening::StackDeleteUnawaited { cell, stack_id },
        Err(reason) => {
            let left = teardown::left_behind(&stack_id, &watcher.clients()).await;
            Happening::StackDeleteFailed { cell, stack_id, reason, left }
        }
    });
}

/// Asks for the deletion and, if told to, waits for it; what blocks it is cleared, once, before a second try.
async fn delete(events: &Events, cell: &CellId, watcher: &mut Watcher, wait: bool) -> Result<(), String> {
    let (stack_id, clients) = (watcher.stack_id().to_owned(), watcher.clients());
    let mut second_try = false;
    loop {
        let asked = teardown::delete_stack(cell, &stack_id, &clients, events).await;
        asked.map_err(|error| error.to_string())?;
        if !wait {
            return Ok(());
        }
        let (status, reason) = watcher.deleted().await.map_err(|error| error.to_string())?;
        if status.is_deleted() {
            return Ok(());
        }
        if second_try || !teardown::unblock(cell, &stack_id, &clients, events).await {
            return Err(reason.unwrap_or_else(|| status.to_string()));
        }
        second_try = true;
    }
}
