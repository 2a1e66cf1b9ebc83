//! The failed checks of a change set, with the lines of the template that they concern.

use crate::aws::{CheckedOperation, Clients, FailedCheck};
use crate::plan::StackPlan;
use crate::run::StepContext;
use crate::run::checks::{line, read};
use crate::yaml::Node;

/// Returns the failed checks of a change set as text that follows CloudFormation's own reason,
/// which names only their types; empty if there are none, or they can't be read.
pub(super) async fn described(
    context: &StepContext<'_>,
    plan: &StackPlan,
    change_set: &str,
    clients: &Clients,
) -> String {
    let checks = clients
        .failed_checks(CheckedOperation::ChangeSet(change_set))
        .await
        .unwrap_or_default();
    let template = context.job.plan.project_root.join(&plan.template);
    let root = if checks.is_empty() {
        None
    } else {
        read(&template)
    };
    checks
        .iter()
        .map(|check| format!("; {}", line_of(check, &plan.template, root.as_ref())))
        .collect()
}

/// Returns `Queue: [reason] (QueueName in templates/shop.yaml:12)`.
fn line_of(check: &FailedCheck, template: &str, root: Option<&Node>) -> String {
    let FailedCheck {
        logical_id,
        path,
        reason,
        ..
    } = check;
    let Some(path) = path else {
        return format!("{logical_id}: {reason}");
    };
    let name = path.trim_start_matches('/');
    let name = name
        .strip_prefix(&format!("Resources/{logical_id}/Properties/"))
        .unwrap_or(name);
    match root.and_then(|root| line(root, path)) {
        Some(line) => format!("{logical_id}: {reason} ({name} in {template}:{line})"),
        None => format!("{logical_id}: {reason} ({name})"),
    }
}
