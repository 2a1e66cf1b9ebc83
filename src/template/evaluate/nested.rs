//! Evaluates nested stacks: an `AWS::CloudFormation::Stack` gets parameters from its parent and
//! returns its outputs
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-nested-stacks.html>).

use std::rc::Rc;

use indexmap::IndexMap;

use super::{
    ConditionValue, EvaluatedStack, EvaluationScope, Evaluator, NestedTemplate, ParameterValue,
    ParameterValues, StackEnvironment, Value,
};
use crate::diagnostic::Position;
use crate::template::expression::{Expression, FunctionCall};
use crate::template::value::{CIRCLE, Evaluated, FailureNote, TOO_MANY, Unknown};
use crate::template::{Template, TemplateParameter};
use crate::yaml::{self, Node};

/// Maximum number of nested stacks, including nested stacks of nested stacks: the default quota of
/// stacks per region
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>).
/// Templates that double at each level soon reach it.
pub(in crate::template) const MAX_NESTED: usize = 2_000;

impl Evaluator<'_> {
    /// Returns the nested stack of a resource, evaluated only once; `None` if its template isn't
    /// known, or during its evaluation. Its failures don't include the path to the nested stack
    /// yet.
    pub(in crate::template) fn nested_stack(&self, logical_id: &str) -> Option<Rc<EvaluatedStack>> {
        if let Some(known) = self.nested.borrow().get(logical_id) {
            return known.clone();
        }
        self.nested.borrow_mut().insert(logical_id.to_owned(), None);
        let stack = self
            .entry("Resources", logical_id)
            .and_then(|(_, entry)| self.evaluated_stack(logical_id, entry));
        let stack = stack.map(Rc::new);
        self.nested
            .borrow_mut()
            .insert(logical_id.to_owned(), stack.clone());
        stack
    }

    fn evaluated_stack(&self, logical_id: &str, entry: &Node) -> Option<EvaluatedStack> {
        let properties = entry.get("Properties")?;
        let url_node = properties.get("TemplateURL")?;
        // Failures in the properties are reported with the resource.
        let url = self.value(url_node, EvaluationScope::Stack).ok()?;
        let deeper = self.deeper(url_node.at);
        if let Err(failures) = deeper {
            return Some(EvaluatedStack {
                failures: failures.into_iter().collect(),
                ..EvaluatedStack::default()
            });
        }
        let count = self.bounds.stacks.get() + 1;
        self.bounds.stacks.set(count);
        if count > MAX_NESTED {
            let message = format!("{TOO_MANY}: at most {MAX_NESTED} are allowed");
            return Some(EvaluatedStack {
                failures: vec![self.failure(url_node.at, message)],
                ..EvaluatedStack::default()
            });
        }
        match self.environment.nested(self.template, logical_id, &url) {
            NestedTemplate::Template(template) => Some(self.child(template, properties)),
            NestedTemplate::Missing { message, likely } => {
                // Whoever checks the template itself needs its values.
                let mut stack = likely
                    .map(|template| self.child(template, properties))
                    .unwrap_or_default();
                stack.failures = vec![self.failure(url_node.at, message)];
                stack.undecided.clear();
                stack.resources.clear();
                stack.outputs.clear();
                Some(stack)
            }
            NestedTemplate::Unknown { unknown, likely } => {
                let mut stack = likely
                    .map(|template| self.child(template, properties))
                    .unwrap_or_default();
                stack.hang_on(&unknown);
                stack.resources.clear();
                stack.outputs.clear();
                Some(stack)
            }
        }
    }

    fn child(&self, template: &Template, properties: &Node) -> EvaluatedStack {
        let place = StackEnvironment {
            stack_name: None,
            stack_id: None,
            notification_arns: Vec::new(),
            ..self.place.clone()
        };
        let mut ancestors = self.ancestors.clone();
        ancestors.push(self.itself());
        let evaluate_nested = self.bounds.evaluate_nested;
        let stack = evaluate_nested(
            template,
            &place,
            &self.parameter_values(template, properties),
            self.environment,
            self.bounds.clone(),
            ancestors,
        );
        stack.unwrap_or_else(|| self.nests_itself(template, properties))
    }

    /// The stack of a template that leads back to itself.
    fn nests_itself(&self, template: &Template, properties: &Node) -> EvaluatedStack {
        let ancestors = self.ancestors.iter();
        let way: Vec<&str> = ancestors
            .map(|ancestor| ancestor.template.as_str())
            .chain([&*self.template.relative, &*template.relative])
            .collect();
        let at = properties
            .get("TemplateURL")
            .map_or(properties.at, |url| url.at);
        let failure = self.failure(at, format!("{CIRCLE}: {}", way.join(" → ")));
        EvaluatedStack {
            failures: vec![failure],
            ..EvaluatedStack::default()
        }
    }

    /// Whether the template nests itself, with the same parameters.
    pub(in crate::template) fn is_among_ancestors(&self) -> bool {
        self.ancestors.contains(&self.itself())
    }

    fn itself(&self) -> Ancestor {
        Ancestor {
            template: self.template.relative.clone(),
            parameters: self.parameters.clone(),
        }
    }

    /// Returns the parameters of a nested stack. Failures in them are reported with the resource.
    fn parameter_values(&self, child: &Template, properties: &Node) -> ParameterValues {
        let Some(node) = properties
            .get("Parameters")
            .map(|node| self.taken_branch(node))
        else {
            return ParameterValues::new();
        };
        if FunctionCall::of(node).is_none() {
            let given = |(key, node): &(Node, Node)| match self.value(node, EvaluationScope::Stack)
            {
                Ok(Value::NoValue) => None,
                value => Some((
                    key.text.to_string(),
                    self.given(child, &key.text, node, value),
                )),
            };
            return node.entries().iter().filter_map(given).collect();
        }
        match self.value(node, EvaluationScope::Stack) {
            Ok(Value::Map(entries)) => entries
                .into_iter()
                .map(|(key, value)| (key.clone(), self.given(child, &key, node, Ok(value))))
                .collect(),
            Ok(Value::NoValue) => ParameterValues::new(),
            // Any of the template's parameters may be set.
            _ => {
                let given = |it: &TemplateParameter| {
                    (
                        it.key.clone(),
                        self.given(child, &it.key, node, Ok(unknown(&it.key))),
                    )
                };
                child.parameters.iter().map(given).collect()
            }
        }
    }

    /// Returns the branch of an `Fn::If` that is certainly taken, so that its position is kept;
    /// other nodes unchanged.
    fn taken_branch<'n>(&self, mut node: &'n Node) -> &'n Node {
        while let Expression::If(choice) = Expression::of(node) {
            node = match self.condition(&choice.condition.text) {
                ConditionValue::True => choice.yes,
                ConditionValue::False => choice.no,
                ConditionValue::Unknown(_) => break,
            };
        }
        node
    }

    /// Returns a parameter with the value of an expression.
    fn given(&self, child: &Template, key: &str, node: &Node, value: Evaluated) -> ParameterValue {
        let value = value.and_then(|value| self.resolved(value, node.at)).ok();
        let value = value.and_then(as_given).unwrap_or_else(|| unknown(key));
        let is_secret = child
            .parameters
            .iter()
            .any(|parameter| parameter.key == key && parameter.no_echo);
        let message = format!("parameter {key} is set here");
        let mut set = vec![FailureNote {
            message,
            at: Some(self.location(node.at)),
            is_secret,
        }];
        self.set_in(node, &mut set);
        set.iter_mut().for_each(|note| note.is_secret |= is_secret);
        ParameterValue { value, set }
    }

    /// Collects where the parameters that an expression mentions were set.
    fn set_in(&self, node: &Node, set: &mut Vec<FailureNote>) {
        let mut mention = |name: &str| {
            let notes = self.set.get(name).into_iter().flatten();
            set.extend(
                notes
                    .filter(|note| !set.contains(note))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
        };
        match (Expression::of(node), &node.value) {
            (Expression::Ref(name), _) => mention(&name.text),
            (Expression::Sub(sub), _) if sub.argument.is_scalar() => {
                sub.segments().names().for_each(mention);
            }
            (_, yaml::NodeValue::Sequence(items)) => {
                items.iter().for_each(|item| self.set_in(item, set))
            }
            (_, yaml::NodeValue::Mapping(entries)) => entries
                .iter()
                .for_each(|(_, value)| self.set_in(value, set)),
            _ => {}
        }
    }

    /// Returns an output of a nested stack, or `None` if its template isn't known.
    pub(in crate::template) fn nested_output(
        &self,
        logical_id: &str,
        output: &str,
        at: Position,
    ) -> Option<Evaluated> {
        let stack = self.nested_stack(logical_id)?;
        // Failed, or not known well enough to tell which outputs it has.
        if stack.outputs.is_empty() && stack.resources.is_empty() {
            return None;
        }
        Some(match stack.outputs.get(output) {
            Some(found) => Ok(found.value().cloned().unwrap_or_else(|| unknown(output))),
            None if stack.rewritten_by.is_some() || stack.macros.may_have("Outputs", output) => {
                return None;
            }
            None => Err(self.fail(
                at,
                format!(
                    "Template error: resource {logical_id} does not support attribute type \
                 Outputs.{output} in Fn::GetAtt"
                ),
            )),
        })
    }
}

/// An outer template of a nested one, with its parameters. A circle repeats both.
#[derive(Clone, PartialEq)]
pub(in crate::template) struct Ancestor {
    template: String,
    parameters: IndexMap<String, Value>,
}

/// Returns a value in the form that `CreateStack` takes, or `None` for values that no parameter can
/// have, such as nested lists; those failures are reported with the properties.
fn as_given(value: Value) -> Option<Value> {
    match value {
        Value::Unknown(unknown) => Some(unknown.into()),
        other => other.as_text().map(Value::String),
    }
}

fn unknown(parameter: &str) -> Value {
    Unknown::asked(format!("parameter {parameter}")).into()
}
