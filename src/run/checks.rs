//! Finds the lines of the templates that CloudFormation's failed checks are about.

use std::path::Path;
use std::sync::Arc;

use crate::event::{PredictedFailure, TemplateSource};
use crate::input;
use crate::plan::StackPlan;
use crate::watch::NestedCheck;
use crate::yaml::{self, Node};

/// The largest template that CloudFormation takes:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LARGEST_TEMPLATE: u64 = 1024 * 1024;

/// Returns where the properties are that failed a check of a test's stack.
pub(super) fn places(
    checks: &[NestedCheck],
    plan: &StackPlan,
    project_root: &Path,
    templates: &[TemplateSource],
) -> Vec<PredictedFailure> {
    let place = |nested: &NestedCheck| {
        let template = nested_template(templates, &plan.template, &nested.path)?;
        let root = read(&project_root.join(template))?;
        Some(PredictedFailure {
            message: nested.check.reason.clone(),
            file: template.to_owned(),
            line: line(&root, nested.check.path.as_deref()?)?,
            hint: None,
        })
    };
    checks.iter().filter_map(place).collect()
}

/// Returns the template of the stack at a path of logical IDs.
fn nested_template<'t>(
    templates: &'t [TemplateSource],
    root: &'t str,
    path: &[String],
) -> Option<&'t str> {
    path.iter().try_fold(root, |template, id| {
        let source = templates.iter().find(|it| it.template == template)?;
        source.resources.get(id)?.template.as_deref()
    })
}

/// Returns the root of a template; none if it cannot be read.
pub(super) fn read(template: &Path) -> Option<Node> {
    let text = String::from_utf8(input::read(template, LARGEST_TEMPLATE).ok()?).ok()?;
    yaml::parse(&Arc::from(template), &text).root
}

/// Returns the line of the node at a path, or of the last part of the path that the template has.
pub(super) fn line(root: &Node, path: &str) -> Option<u32> {
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
    fn a_path_leads_to_its_line() {
        let text = "Resources:\n  Queue:\n    Type: AWS::SQS::Queue\n    Properties:\n      \
            Tags:\n        - Key: a\n          Name: b\n";
        let root = yaml::parse(&Arc::from(Path::new("t.yaml")), text)
            .root
            .unwrap();
        let check =
            |path: &str, expect: Option<u32>| assert_eq!(line(&root, path), expect, "{path}");
        check("/Resources/Queue/Properties/Tags/0/Name", Some(7));
        check("/Resources/Queue/Properties/Gone", Some(4));
        check("/Nowhere", None);
    }
}
