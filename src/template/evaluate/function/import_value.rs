//! `Fn::ImportValue`: returns a value that another stack of the account and region exports
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-importvalue.html>).

use super::needs;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, UnknownForm, Value};
use crate::yaml::Node;

const DEPENDS: &str = "Template error: the attribute in Fn::ImportValue must not depend on any \
    resources, imported values, \
                       or Fn::GetAZs";

/// Evaluates the export's name, which CloudFormation must know before it creates anything.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    if scope.is_condition() {
        return Err(evaluator.fail(
            argument.at,
            "Template error: Cannot use Fn::ImportValue in Conditions.",
        ));
    }
    if needs::others(evaluator, argument) {
        return Err(evaluator.fail(argument.at, DEPENDS));
    }
    let name = match evaluator.value(argument, scope)? {
        Value::Unknown(unknown) => return Ok(unknown.with_form(UnknownForm::Any).into()),
        // The message isn't confirmed.
        value => value.as_text().ok_or_else(|| {
            let message =
                "Template error: every Fn::ImportValue object must have a String-typed value.";
            evaluator.fail(argument.at, message)
        })?,
    };
    evaluator
        .environment
        .export(&name)
        .map_err(|message| evaluator.fail(argument.at, message))
}
