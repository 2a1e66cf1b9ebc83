//! `Fn::GetAZs`: lists the account's Availability Zones in a region
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-getavailabilityzones.html>).

use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::value::{Evaluated, UnknownForm, Value};
use crate::yaml::Node;

/// Evaluates a region's name; an empty string means the region of the stack.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let region = match evaluator.value(argument, scope)? {
        Value::Unknown(unknown) => return Ok(unknown.with_form(UnknownForm::Any).into()),
        value => value.as_text().ok_or_else(|| {
            evaluator.fail(
                argument.at,
                "Template error: every Fn::GetAZs object must have a String-typed value.",
            )
        })?,
    };
    let region = if region.is_empty() {
        &evaluator.place.region
    } else {
        &region
    };
    evaluator
        .environment
        .availability_zones(region)
        .map_err(|message| evaluator.fail(argument.at, message))
}
