//! `Fn::GetStackOutput`: an output of a stack, possibly of another region or account
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getstackoutput.html>).
//!
//! CloudFormation's messages for wrong arguments aren't confirmed.

use super::texts;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, UnknownForm, together};
use crate::yaml::Node;

/// Evaluates a mapping with `StackName` and `OutputName`, optionally `Region` and `RoleArn`; each
/// may be an expression.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    if scope.is_condition() {
        return Err(evaluator.fail(
            argument.at,
            "Template error: Cannot use Fn::GetStackOutput in Conditions.",
        ));
    }
    let (Some(stack), Some(output)) = (argument.get("StackName"), argument.get("OutputName"))
    else {
        let message =
            "Template error: every Fn::GetStackOutput object requires StackName and OutputName";
        return Err(evaluator.fail(argument.at, message));
    };
    let no_texts = || {
        let message = "Template error: every value of a Fn::GetStackOutput object must be a string \
            or a function that \
                       returns a string";
        evaluator.fail(argument.at, message)
    };
    let region = argument.get("Region");
    let role = argument.get("RoleArn");
    let nodes = [stack, output].into_iter().chain(region).chain(role);
    let values = together(nodes.map(|node| evaluator.value(node, scope)))?;
    match texts(&values).ok_or_else(no_texts)?.as_deref() {
        Err(unknown) => Ok(unknown.clone().with_form(UnknownForm::Any).into()),
        Ok([stack, output, others @ ..]) => {
            let region = region.and(others.first()).map(String::as_str);
            let answer = evaluator.environment.stack_output(stack, output, region);
            answer.map_err(|message| evaluator.fail(argument.at, message))
        }
        Ok(_) => Err(no_texts()),
    }
}
