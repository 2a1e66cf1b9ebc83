//! The condition functions: `Fn::If`, `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not`, `Condition`
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-conditions.html>).

use super::{is_truth, texts};
use crate::template::evaluate::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::expression::{Function, If};
use crate::template::value::{Evaluated, Failures, Unknown, UnknownForm, Value, together};
use crate::yaml::Node;

/// Evaluates `Fn::If`. Only the branch that is taken is evaluated. If the condition is unknown,
/// both are, and their failures depend on it.
pub(super) fn choose(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let If {
        condition: name,
        yes,
        no,
    } = match If::of(argument) {
        Some(choice) if choice.condition.is_scalar() => choice,
        None if argument.as_sequence().is_some() => {
            let message = "Template error: Fn::If requires a list argument with three elements";
            return Err(evaluator.fail(argument.at, message));
        }
        Some(_) | None => {
            let message = "Template error: Fn::If requires a list argument with the first element \
                being a condition";
            return Err(evaluator.fail(argument.at, message));
        }
    };
    match evaluator.condition(&name.text) {
        ConditionValue::True => evaluator.value(yes, scope),
        ConditionValue::False => evaluator.value(no, scope),
        ConditionValue::Unknown(unknown) => {
            let instead = unknown.renamed(format!("condition {}", name.text));
            either(
                evaluator,
                &unknown,
                instead,
                evaluator.value(yes, scope),
                evaluator.value(no, scope),
            )
        }
    }
}

/// Returns one of two values if the condition is unknown: `unknown` says why, `instead` is the
/// result.
fn either(
    evaluator: &Evaluator,
    unknown: &Unknown,
    instead: Unknown,
    yes: Evaluated,
    no: Evaluated,
) -> Evaluated {
    match (yes, no) {
        (Err(yes), Err(no)) => Err(yes.and(no)),
        (Ok(yes), Ok(no)) if yes == no => Ok(yes),
        (Ok(yes), Ok(no)) if is_non_empty(&yes) && is_non_empty(&no) => {
            Ok(instead.non_empty().into())
        }
        (Ok(_), Ok(_)) => Ok(instead.into()),
        (Err(failed), Ok(_)) | (Ok(_), Err(failed)) => {
            failed
                .into_iter()
                .for_each(|failure| evaluator.undecided(unknown, failure));
            Ok(instead.into())
        }
    }
}

/// Evaluates `Fn::Equals`, which compares strings and scalars as strings: `true` equals `"true"`,
/// but `1` doesn't equal `1.0`.
pub(super) fn equals(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let malformed = || {
        let message =
            "Template error: every Fn::Equals object requires a list of 2 string parameters.";
        evaluator.fail(argument.at, message)
    };
    let Some(sides @ [_, _]) = argument.as_sequence() else {
        return Err(malformed());
    };
    let values = together(sides.iter().map(|node| evaluator.value(node, scope)))?;
    match texts(&values) {
        Some(Ok(texts)) => Ok(ConditionValue::of(texts.first() == texts.last())),
        Some(Err(unknown)) => Ok(equal(&values)
            .unwrap_or_else(|| ConditionValue::Unknown(unknown.with_form(UnknownForm::Any)))),
        None => Err(malformed()),
    }
}

/// Returns whether a value is certainly not an empty string.
fn is_non_empty(value: &Value) -> bool {
    match value {
        Value::Unknown(unknown) => *unknown.form() != UnknownForm::Any,
        Value::String(text) => !text.is_empty(),
        _ => false,
    }
}

/// Compares two values of which at least one is unknown; `None` if their forms don't decide.
fn equal(values: &[Value]) -> Option<ConditionValue> {
    match values {
        [Value::Unknown(one), Value::Unknown(other)] if one.reasons().eq(other.reasons()) => {
            (one.example()? != other.example()?).then_some(ConditionValue::False)
        }
        [Value::Unknown(unknown), known] | [known, Value::Unknown(unknown)]
            if known.as_text().is_some_and(|text| text.is_empty())
                && *unknown.form() != UnknownForm::Any =>
        {
            Some(ConditionValue::False)
        }
        _ => None,
    }
}

/// Evaluates `Fn::And`.
pub(super) fn and(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    Ok(ConditionValue::all(operands(
        evaluator,
        Function::And,
        argument,
        scope,
    )?))
}

/// Evaluates `Fn::Or`.
pub(super) fn or(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    Ok(ConditionValue::any(operands(
        evaluator,
        Function::Or,
        argument,
        scope,
    )?))
}

fn operands(
    evaluator: &Evaluator,
    function: Function,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<Vec<ConditionValue>, Failures> {
    match argument.as_sequence() {
        Some(items) if (2..=10).contains(&items.len()) && items.iter().all(is_truth) => together(
            items
                .iter()
                .map(|item| evaluator.condition_value(item, scope)),
        ),
        _ => {
            let message = format!(
                "Template error: every {} object requires a list of at least 2 and at most 10 \
                 boolean parameters.",
                function.key()
            );
            Err(evaluator.fail(argument.at, message))
        }
    }
}

/// Evaluates `Fn::Not`.
pub(super) fn not(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let message = match argument.as_sequence() {
        Some([operand]) if is_truth(operand) => {
            return evaluator
                .condition_value(operand, scope)
                .map(ConditionValue::not);
        }
        Some([_]) => "Template error: Fn::Not requires a list argument with one function token",
        _ => "Template error: Fn::Not requires a list argument with one element",
    };
    Err(evaluator.fail(argument.at, message))
}

/// Evaluates `Condition`: another condition by its name.
pub(super) fn named(
    evaluator: &Evaluator,
    argument: &Node,
    _: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    if !argument.is_scalar() {
        return Err(evaluator.fail(
            argument.at,
            "Template format error: Every Condition member must be a string.",
        ));
    }
    Ok(evaluator.condition(&argument.text))
}
