//! Checks that no resource of the stack has drifted.

use super::{CheckFailure, Checked, CheckedStack};
use crate::aws::DriftedResource;
use crate::event::CheckResult;

/// Detects the stack's drift. Resources of types that drift detection doesn't support remain
/// unchecked, as everywhere in CloudFormation.
pub(super) async fn check(stack: &CheckedStack<'_>) -> Checked {
    let drift = stack.clients.stack_drift(stack.stack_id).await;
    let drift = drift.map_err(|error| CheckFailure::new(error.to_string()))?;
    if !drift.resources.is_empty() {
        let found: Vec<String> = drift.resources.iter().map(described).collect();
        let found = found.join("; ");
        return Err(CheckFailure::found("the stack", "no drift", found));
    }
    match drift.failure {
        Some(reason) => Err(CheckFailure::new(format!(
            "drift detection failed: {reason}"
        ))),
        None => Ok(CheckResult::Passed),
    }
}

/// `Queue MODIFIED (/VisibilityTimeout: expected 30, found 60)`
fn described(resource: &DriftedResource) -> String {
    let DriftedResource {
        logical_id,
        status,
        differences,
    } = resource;
    let differences = differences
        .iter()
        .map(|it| format!("{}: expected {}, found {}", it.path, it.expected, it.actual))
        .collect::<Vec<_>>()
        .join(", ");
    if differences.is_empty() {
        format!("{logical_id} {status}")
    } else {
        format!("{logical_id} {status} ({differences})")
    }
}
