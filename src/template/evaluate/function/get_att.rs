//! `Fn::GetAtt`: an attribute of a resource, or an output of a nested stack.

use super::reference::nowhere;
use super::texts;
use crate::diagnostic::Position;
use crate::template::evaluate::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::expression::{Attribute, GetAtt};
use crate::template::value::{Evaluated, Unknown, UnknownForm, Value, together};
use crate::yaml::Node;

const MALFORMED: &str = "Template error: every Fn::GetAtt object requires two non-empty \
    parameters, the resource name and \
                         the resource attribute";

/// Evaluates `Logical.Attribute` in a string, or a list of the logical ID and the attribute, which
/// may be an expression.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let malformed = || Err(evaluator.fail(argument.at, MALFORMED));
    let (id, name) = match GetAtt::of(argument).map(|it| it.attribute) {
        Some(Attribute::Text { id, name }) if !id.is_empty() && !name.is_empty() => {
            return attribute(evaluator, id, name, argument.at);
        }
        Some(Attribute::List { id, names: [name] }) => (id, name),
        _ => return malformed(),
    };
    // The extensions have been applied by now.
    if !id.is_scalar() && !evaluator.macros.has_language_extensions() {
        return malformed();
    }
    let values = together(
        [id, name]
            .into_iter()
            .map(|part| evaluator.value(part, scope)),
    )?;
    match texts(&values).as_ref().map(|known| known.as_deref()) {
        Some(Err(unknown)) => Ok(unknown.clone().with_form(UnknownForm::Any).into()),
        Some(Ok([id, name])) if !id.is_empty() && !name.is_empty() => {
            attribute(evaluator, id, name, argument.at)
        }
        _ => malformed(),
    }
}

/// Returns an attribute of a resource, for `Fn::GetAtt` and for `${…}` in `Fn::Sub`.
pub(super) fn attribute(evaluator: &Evaluator, id: &str, name: &str, at: Position) -> Evaluated {
    if let Some(ConditionValue::False) | None = evaluator.resource_exists(id) {
        return Ok(nowhere(evaluator, id, format!("attribute {name} of {id}")).into());
    }
    if let Some(output) = name.strip_prefix("Outputs.")
        && let Some(value) = evaluator.nested_output(id, output, at)
    {
        // An output that is known only after the launch is named relative to this template.
        return match value? {
            Value::Unknown(unknown) => {
                let named = Unknown::launched(format!("output {output} of nested stack {id}"));
                Ok(named.with_form(unknown.form().clone()).into())
            }
            known => evaluator.spend(known.size(), at).map(|()| known),
        };
    }
    let value = evaluator.environment.attribute(id, name);
    match value.map_err(|message| evaluator.fail(at, message))? {
        // Attributes of custom resources are anything.
        Value::Unknown(unknown)
            if ["Arn", "Id"].iter().any(|suffix| name.ends_with(suffix))
                && evaluator.resource_type(id).starts_with("AWS::") =>
        {
            Ok(unknown.non_empty().into())
        }
        value => Ok(value),
    }
}
