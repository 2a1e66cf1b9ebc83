//! `Fn::Length` of AWS::LanguageExtensions: returns the number of items in a list
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-length.html>).

use super::needs;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::FunctionCall;
use crate::template::value::{Evaluated, UnknownForm, Value};
use crate::yaml::Node;

/// Evaluates a list. The transform runs before resources exist and without access to them: it
/// counts the items of a literal list whatever they are, but can't know the length of a list that
/// only AWS knows.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    if FunctionCall::of(argument).is_some() && needs::others(evaluator, argument) {
        let message = "Transform AWS::LanguageExtensions failed with: The Fn::Length value could \
            not be resolved for properties";
        return Err(evaluator.fail(argument.at, message));
    }
    match evaluator.value(argument, scope)? {
        Value::List(items) => Ok(Value::Number(items.len().into())),
        Value::Unknown(unknown) => Ok(unknown.with_form(UnknownForm::NonEmpty).into()),
        _ => {
            let message =
                "Transform AWS::LanguageExtensions failed with: Fn::Length layout is incorrect";
            Err(evaluator.fail(argument.at, message))
        }
    }
}
