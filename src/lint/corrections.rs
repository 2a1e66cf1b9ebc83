//! Findings of the lint engine that are wrong, each with the reason.
//!
//! CloudFormation decides: what it accepts, by AWS's documentation, is no error. An entry can be
//! deleted with the version of the engine that corrects it.

use cloudformation_validate::Diagnostic;

use super::LintSubject;
use crate::diagnostic::Position;
use crate::template::{self, Template};

/// A kind of finding that is wrong.
struct Correction {
    rule: &'static str,
    /// A part of the message; empty for any.
    message: &'static str,
    /// The section of the template that it is in; empty for any.
    section: &'static str,
}

const CORRECTIONS: [Correction; 3] = [
    // `Fn::ValueOf` returns a string, and a rule may compare it
    // (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html).
    Correction {
        rule: "E8003",
        message: "is not of type 'string'",
        section: "Rules",
    },
    // `Data` of a wait condition is a JSON text, which AWS's own example outputs
    // (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-waitcondition.html).
    Correction {
        rule: "F6101",
        message: ".Data' returns type 'object'",
        section: "Outputs",
    },
    // The ARN of a secret is not one.
    Correction {
        rule: "W2509",
        message: "Arn' appears to be a password",
        section: "Parameters",
    },
];

/// Rules about the way that a template is written: they must hold whatever values it gets. With the
/// values of a test, every condition is constant and every property is hardcoded.
const AS_WRITTEN: [&str; 7] = [
    "W1028", "W3010", "W8003", "W9002", "W9010", "W9013", "W9053",
];

/// Rules about what CloudFormation checks against the schema of a resource's type before it creates
/// the resource.
const OF_SCHEMA: [&str; 15] = [
    "F3002", "F3003", "F3012", "F3014", "F3017", "F3018", "F3020", "F3021", "F3030", "F3031",
    "F3032", "F3033", "F3034", "F3037", "F3058",
];

/// Returns whether CloudFormation refuses the properties of a resource for that.
pub(super) fn is_property_error(rule: &str) -> bool {
    OF_SCHEMA.contains(&rule)
}

/// Returns whether a finding is wrong.
pub(super) fn is_wrong(found: &Diagnostic, template: &Template, at: Option<Position>) -> bool {
    CORRECTIONS.iter().any(|it| {
        found.rule_id == it.rule
            && found.message.contains(it.message)
            && (it.section.is_empty() || section(template, at) == Some(it.section))
    })
}

/// Returns whether a finding is about a value that the test doesn't use: it is in a branch that its
/// conditions exclude. In large templates the engine gives up on telling which values go together.
pub(super) fn is_unused(found: &Diagnostic, template: &Template, subject: &LintSubject) -> bool {
    let resource = found.entity.as_ref().map(|entity| &*entity.logical_id);
    let resource = resource.and_then(|id| template.root.get("Resources")?.get(id));
    let (Some(resource), Some(path)) = (resource, &found.property_path) else {
        return false;
    };
    let path: Vec<&str> = path.split('.').collect();
    is_about_a_value(&found.rule_id) && template::is_excluded(resource, &path, &subject.conditions)
}

/// Returns whether a rule is about the value of a property, rather than about its name or its
/// references.
fn is_about_a_value(rule: &str) -> bool {
    let number = rule.get(1..).and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(
        |number| matches!(number, 1030..=1036 | 1100..=1199 | 3008..=3999 | 9000..=9999),
    )
}

/// Returns whether a finding counts only if it is also there without the values of a test.
pub(super) fn is_as_written(rule: &str) -> bool {
    AS_WRITTEN.contains(&rule)
}

/// Returns the name of the section that contains the position.
fn section(template: &Template, at: Option<Position>) -> Option<&str> {
    let at = at?;
    let sections = template.root.entries().iter();
    let before = sections.filter(|(key, _)| key.at <= at);
    let last = before.max_by_key(|(key, _)| key.at);
    last.map(|(key, _)| &*key.text)
}
