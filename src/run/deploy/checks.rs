//! The failed checks of a change set, with the lines of the template that they concern.

use std::path::Path;
use std::sync::Arc;

use crate::aws::{Clients, FailedCheck};
use crate::input;
use crate::plan::StackPlan;
use crate::run::StepContext;
use crate::yaml::{self, Node};

/// The largest template that CloudFormation takes:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LARGEST_TEMPLATE: u64 = 1024 * 1024;

/// Returns the failed checks of a change set as text that follows CloudFormation's own reason,
/// which names only their types; empty if there are none, or they can't be read.
pub(super) async fn described(
    context: &StepContext<'_>,
    plan: &StackPlan,
    change_set: &str,
    clients: &Clients,
) -> String {
    let checks = clients.failed_checks(change_set).await.unwrap_or_default();
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

fn read(template: &Path) -> Option<Node> {
    let text = String::from_utf8(input::read(template, LARGEST_TEMPLATE).ok()?).ok()?;
    yaml::parse(&Arc::from(template), &text).root
}

/// Returns `Queue: [reason] (QueueName in templates/shop.yaml:12)`.
fn line_of(check: &FailedCheck, template: &str, root: Option<&Node>) -> String {
    let FailedCheck {
        logical_id,
        path,
        reason,
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

/// Returns the line of the node at a path, or of the last part of the path that the template has.
fn line(root: &Node, path: &str) -> Option<u32> {
    let mut node = root;
    let mut line = None;
    for step in path.split('/').filter(|step| !step.is_empty()) {
        let item = step
            .parse()
            .ok()
            .and_then(|index: usize| node.as_sequence()?.get(index));
        let found = match node.entries().iter().find(|(key, _)| &*key.text == step) {
            Some((key, value)) => Some((key.at.line, value)),
            None => item.map(|item| (item.at.line, item)),
        };
        let Some((at, value)) = found else { break };
        line = Some(at);
        node = value;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_leads_to_its_line() {
        let text = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      \
            Tags:\n        - Key: a\n          Name: b\n";
        let root = yaml::parse(&Arc::from(Path::new("t.yaml")), text)
            .root
            .unwrap();
        let check = |path: Option<&str>, expect: &str| {
            let check = FailedCheck {
                logical_id: "Queue".into(),
                path: path.map(str::to_owned),
                reason: "no".into(),
            };
            assert_eq!(line_of(&check, "t.yaml", Some(&root)), expect);
        };
        check(
            Some("/Resources/Queue/Properties/Tags/0/Name"),
            "Queue: no (Tags/0/Name in t.yaml:7)",
        );
        check(
            Some("/Resources/Queue/Properties/Gone"),
            "Queue: no (Gone in t.yaml:4)",
        );
        check(Some("/Nowhere"), "Queue: no (Nowhere)");
        check(None, "Queue: no");
    }
}
