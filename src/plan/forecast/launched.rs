//! The templates that a test launches in a region, each with the values that its stack gets: what
//! `lint` checks.

use super::super::draft::TestDraft;
use crate::mask::Secrets;
use crate::template::{
    ConditionValue, EvaluatedStack, NestingStack, TemplateParameter, Templates, Value,
};

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
    /// The parameters that have their default, likewise.
    pub defaults: Vec<(String, String)>,
    /// Parameters that get a value other than their default, which isn't known.
    pub unknown: Vec<String>,
    /// The conditions whose value is known.
    pub conditions: Vec<(String, bool)>,
    /// The logical IDs of the resources that certainly exist.
    pub certain: Vec<String>,
    /// The nested stacks that lead to it, outermost first.
    pub nested_in: Vec<NestingStack>,
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
    StackCollector {
        templates,
        secrets,
        found: &mut found,
    }
    .collect(stack, true, &mut Vec::new());
    if let Some(own) = found.first_mut() {
        own.stack_name = Some(test.stack_name.clone());
    }
    found
}

struct StackCollector<'a> {
    templates: &'a Templates,
    secrets: &'a Secrets,
    found: &'a mut Vec<ForecastStack>,
}

impl StackCollector<'_> {
    /// Collects a stack and its nested stacks; `is_certain` tells whether the stack exists for
    /// sure.
    fn collect(
        &mut self,
        stack: &EvaluatedStack,
        is_certain: bool,
        nested_in: &mut Vec<NestingStack>,
    ) {
        let is_certain = is_certain && stack.doubt().is_none();
        let certain = |exists: &ConditionValue| is_certain && *exists == ConditionValue::True;
        let resources = stack.resources.iter();
        let existing: Vec<String> = resources
            .filter(|(_, resource)| certain(&resource.exists))
            .map(|(id, _)| id.clone())
            .collect();
        self.add(stack, existing, nested_in);
        for (id, resource) in &stack.resources {
            if let Some(nested) = &resource.nested {
                nested_in.push(NestingStack {
                    logical_id: id.clone(),
                    at: resource.at.clone(),
                });
                self.collect(nested, certain(&resource.exists), nested_in);
                nested_in.pop();
            }
        }
    }

    fn add(&mut self, stack: &EvaluatedStack, certain: Vec<String>, nested_in: &[NestingStack]) {
        // A stack that could not be evaluated has no template.
        let Some(template) = self.templates.get(&stack.template) else {
            return;
        };
        let mut known = Vec::new();
        let mut defaults = Vec::new();
        let mut unknown = Vec::new();
        for parameter in &template.parameters {
            let value = stack.parameters.get(&parameter.key);
            // What such a parameter gets isn't what its default is.
            let Some(value) = value.filter(|_| !parameter.kind.starts_with(STORED)) else {
                continue;
            };
            match text(value) {
                Some(text) if parameter.default_text().as_ref() == Some(&text) => {
                    if is_public(parameter, &text, self.secrets) {
                        defaults.push((parameter.key.clone(), text));
                    }
                }
                Some(text) if is_public(parameter, &text, self.secrets) => {
                    known.push((parameter.key.clone(), text));
                }
                _ => unknown.push(parameter.key.clone()),
            }
        }
        let conditions = stack.conditions.iter().filter_map(|(name, value)| {
            let value = match value {
                ConditionValue::True => true,
                ConditionValue::False => false,
                ConditionValue::Unknown(_) => return None,
            };
            Some((name.clone(), value))
        });
        self.found.push(ForecastStack {
            template: template.relative.clone(),
            stack_name: None,
            parameters: known,
            defaults,
            unknown,
            conditions: conditions.collect(),
            certain,
            nested_in: nested_in.to_vec(),
        });
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
