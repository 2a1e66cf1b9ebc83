//! `Fn::ToJsonString` of AWS::LanguageExtensions: converts a map or list to a JSON string
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-ToJsonString.html>).

use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, Value};
use crate::yaml::Node;

pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let value = evaluator.value(argument, scope)?;
    if let Some(unknown) = value.unknown() {
        return Ok(unknown.into());
    }
    if !matches!(value, Value::List(_) | Value::Map(_)) {
        let message =
            "Transform AWS::LanguageExtensions failed with: Fn::ToJsonString layout is incorrect";
        return Err(evaluator.fail(argument.at, message));
    }
    // The parts have been counted, and a byte of them becomes at most six.
    let text = value.to_json().to_string();
    evaluator.spend(text.len(), argument.at)?;
    Ok(Value::String(text))
}
