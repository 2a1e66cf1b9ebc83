//! `Fn::Length` of AWS::LanguageExtensions: the number of a list's items
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-length.html>).

use super::needs;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::FunctionCall;
use crate::template::value::{Evaluated, Value};
use crate::yaml::Node;

/// The transform does its work before there are resources, and asks nobody: of what is written out
/// it counts the items, whatever they are, but it can't know the length of what only others know.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    if FunctionCall::of(argument).is_some() && needs::others(evaluator, argument) {
        let message = "Transform AWS::LanguageExtensions failed with: The Fn::Length value could \
            not be resolved for properties";
        return Err(evaluator.fail(argument.at, message));
    }
    match evaluator.value(argument, scope)? {
        Value::List(items) => Ok(Value::Number(items.len().into())),
        Value::Unknown(unknown) => Ok(unknown.into()),
        _ => {
            let message =
                "Transform AWS::LanguageExtensions failed with: Fn::Length layout is incorrect";
            Err(evaluator.fail(argument.at, message))
        }
    }
}
