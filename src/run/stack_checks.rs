//! Makes the checks of a test once its stack is complete.

use super::StepContext;
use crate::event::{CheckResult, EventKind};
use crate::launch::check::{self, CheckedStack};
use crate::plan::StackPlan;
use crate::watch::SettledStack;

/// Makes the checks one after the other, all of them even if one fails. Returns the first failure.
/// A stack that isn't complete is not checked.
pub(super) async fn run(
    context: &StepContext<'_>,
    plan: &StackPlan,
    stack_id: &str,
    settled: &SettledStack,
) -> Option<String> {
    if plan.checks.is_empty() || !settled.status.is_deployed() {
        return None;
    }
    let clients = context.aws.clients(&plan.profile, &plan.cell.region).await;
    let stack = CheckedStack {
        cell: &plan.cell,
        stack_name: &plan.stack_name,
        stack_id,
        outputs: &settled.outputs,
        parameters: &plan.parameters,
        clients: &clients,
        is_simulated: context.aws.is_simulated(),
        project_root: &context.job.plan.project_root,
        environment: &context.job.hook_environment,
    };
    let mut failed = None;
    for planned in &plan.checks {
        let cell = plan.cell.clone();
        let check = planned.check.clone();
        context.events.send(EventKind::CheckStarted {
            cell: cell.clone(),
            check: check.clone(),
        });
        let result = check::run(planned, &stack).await;
        if let CheckResult::Failed { reason, .. } = &result {
            failed.get_or_insert_with(|| format!("check {} failed: {reason}", check.name));
        }
        context.events.send(EventKind::CheckFinished {
            cell,
            check,
            result,
        });
    }
    failed
}
