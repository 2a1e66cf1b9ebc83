//! Findings of the lint engine that are wrong, each with the reason.
//!
//! CloudFormation decides: what it accepts, by AWS's documentation, is no error. An entry can be
//! deleted with the version of the engine that corrects it.

use cloudformation_validate::Diagnostic;

use crate::diagnostic::Position;
use crate::template::Template;

/// A kind of finding that is wrong.
struct Correction {
    rule: &'static str,
    /// A part of the message; empty for any.
    message: &'static str,
    /// The section of the template that it is in; empty for any.
    section: &'static str,
}

const CORRECTIONS: [Correction; 2] = [
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
];

/// Rules about the way that a template is written: they must hold whatever values it gets. With the
/// values of a test, every condition is constant and every property is hardcoded.
const AS_WRITTEN: [&str; 7] = [
    "W1028", "W3010", "W8003", "W9002", "W9010", "W9013", "W9053",
];

/// Returns whether a finding is wrong.
pub(super) fn is_wrong(found: &Diagnostic, template: &Template, at: Option<Position>) -> bool {
    CORRECTIONS.iter().any(|it| {
        found.rule_id == it.rule
            && found.message.contains(it.message)
            && (it.section.is_empty() || section(template, at) == Some(it.section))
    })
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
