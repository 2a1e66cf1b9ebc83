//! The templates that a test launches in a region, each with the values that its stack gets: what
//! `lint` checks.

use super::super::draft::TestDraft;
use crate::mask::Secrets;
use crate::template::{EvaluatedStack, TemplateParameter, Templates, Value};

/// A stack of a test in a region, the test's own or a nested one. Secrets are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForecastStack {
    /// [`crate::template::Template::relative`].
    pub template: String,
    /// The stack's name; unknown for a nested one.
    pub stack_name: Option<String>,
    /// The parameters that are known and don't have their default, by name; lists joined with
    /// commas.
    pub parameters: Vec<(String, String)>,
    /// Parameters that get a value other than their default, which isn't known.
    pub unknown: Vec<String>,
}

/// Prefix of the types of parameters whose value names an SSM parameter.
const STORED: &str = "AWS::SSM::Parameter::Value<";

/// Returns the test's stack and its nested stacks.
pub(super) fn stacks(
    stack: &EvaluatedStack,
    test: &TestDraft,
    templates: &Templates,
    secrets: &Secrets,
) -> Vec<ForecastStack> {
    let mut found = Vec::new();
    collect(stack, templates, secrets, &mut found);
    if let Some(own) = found.first_mut() {
        own.stack_name = Some(test.stack_name.clone());
    }
    found
}

fn collect(
    stack: &EvaluatedStack,
    templates: &Templates,
    secrets: &Secrets,
    found: &mut Vec<ForecastStack>,
) {
    // A stack that could not be evaluated has no template.
    if let Some(template) = templates.get(&stack.template) {
        let mut known = Vec::new();
        let mut unknown = Vec::new();
        for parameter in &template.parameters {
            let value = stack.parameters.get(&parameter.key);
            // What such a parameter gets isn't what its default is.
            let Some(value) = value.filter(|_| !parameter.kind.starts_with(STORED)) else {
                continue;
            };
            match text(value) {
                Some(text) if parameter.default_text().as_ref() == Some(&text) => {}
                Some(text) if is_public(parameter, &text, secrets) => {
                    known.push((parameter.key.clone(), text));
                }
                _ => unknown.push(parameter.key.clone()),
            }
        }
        found.push(ForecastStack {
            template: template.relative.clone(),
            stack_name: None,
            parameters: known,
            unknown,
        });
    }
    for nested in stack.resources.values().filter_map(|it| it.nested.as_ref()) {
        collect(nested, templates, secrets, found);
    }
}

fn is_public(parameter: &TemplateParameter, text: &str, secrets: &Secrets) -> bool {
    !parameter.no_echo && secrets.mask(text) == text
}

/// Returns a parameter's value as CloudFormation takes it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::List(items) => {
            let texts = items.iter().map(Value::as_text).collect::<Option<Vec<_>>>();
            texts.map(|texts| texts.join(","))
        }
        value => value.as_text(),
    }
}
