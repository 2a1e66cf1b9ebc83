//! `Fn::Base64`: encodes a string in Base64, as EC2 requires for user data
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-base64.html>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, UnknownForm, Value};
use crate::yaml::Node;

pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let text = match evaluator.value(argument, scope)? {
        Value::Unknown(unknown) => return Ok(unknown.with_form(UnknownForm::Any).into()),
        value => value.as_text().ok_or_else(|| {
            evaluator.fail(
                argument.at,
                "Template error: every Fn::Base64 object must have a String-typed value.",
            )
        })?,
    };
    // Three bytes become four.
    evaluator.spend(text.len().div_ceil(3) * 4, argument.at)?;
    Ok(Value::String(STANDARD.encode(text)))
}
