//! `Fn::Select`: returns the item of a list at an index, from 0
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-select.html>).

use crate::template::assumption::Assumption;
use crate::template::evaluate::{EvaluationScope, Evaluator, examples};
use crate::template::expression::Select;
use crate::template::value::{Evaluated, Failure, Unknown, UnknownForm, Value, together};
use crate::yaml::Node;

/// Number of items to assume in a list that only AWS knows.
const TAKEN_FOR_GRANTED: i64 = 2;

/// Evaluates `[index, list]`.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let malformed = || {
        let message = "Template error: Fn::Select requires a list argument with two elements: an \
            integer index and a list";
        evaluator.fail(argument.at, message)
    };
    let missing = |index: &str| {
        let message =
            format!("Template error: Fn::Select cannot select nonexistent value at index {index}");
        evaluator.failure(argument.at, message)
    };
    let Some(Select { index, list }) = Select::of(argument) else {
        return Err(malformed());
    };
    if is_refused_as_written(index, list) {
        return Err(malformed());
    }
    let values = together(
        [index, list]
            .into_iter()
            .map(|node| evaluator.value(node, scope)),
    )?;
    let Ok([index, list]) = <[Value; 2]>::try_from(values) else {
        return Err(malformed());
    };
    if !matches!(list, Value::List(_) | Value::Unknown(_)) {
        return Err(malformed());
    }
    if let Value::Unknown(unknown) = index {
        if let Value::List(items) = &list
            && items.is_empty()
        {
            return Err(missing(&format!("<{unknown}>")).into());
        }
        let requirement = format!("{unknown} is the index of an existing item");
        evaluator.required(&unknown, missing(&format!("<{unknown}>")), requirement);
        let list = match list {
            Value::Unknown(unknown) => Some(unknown),
            _ => None,
        };
        return Ok(list
            .map_or(unknown.clone(), |list| unknown.and(list))
            .into());
    }
    let Some(index) = index.as_text().and_then(|index| index.parse::<i64>().ok()) else {
        let message = "Template error: Fn::Select requires a list argument with a valid index \
            value as its first element";
        return Err(evaluator.fail(argument.at, message));
    };
    let items = match list {
        Value::List(items) => items,
        Value::Unknown(_) if index < 0 => Vec::new(),
        Value::Unknown(unknown) => {
            let failure = missing(&index.to_string());
            return Ok(item_of_unknown(evaluator, unknown, index, failure).into());
        }
        _ => return Err(malformed()),
    };
    let item = usize::try_from(index)
        .ok()
        .and_then(|index| items.into_iter().nth(index));
    item.ok_or_else(|| missing(&index.to_string()).into())
}

/// Returns whether the arguments are wrong as written: a literal index that isn't valid or is
/// outside of a literal list. For errors found in evaluation, CloudFormation has other messages.
fn is_refused_as_written(index: &Node, list: &Node) -> bool {
    if !index.is_scalar() {
        return false;
    }
    match (index.text.parse::<usize>(), list.as_sequence()) {
        (Err(_), _) => true,
        (Ok(index), Some(items)) => index >= items.len() && items.iter().all(Node::is_scalar),
        (Ok(_), None) => false,
    }
}

/// Returns the item at an index of an unknown list; `failure` is that of a list without it.
fn item_of_unknown(evaluator: &Evaluator, list: Unknown, index: i64, failure: Failure) -> Unknown {
    if let UnknownForm::Zones(region) = list.form() {
        let index = usize::try_from(index).unwrap_or_default();
        let assumption = Assumption::AvailabilityZones {
            region: region.clone(),
            count: index + 1,
            excluded: Vec::new(),
        };
        evaluator.assumed(&list, failure, assumption);
        let example = examples::zone(region, index);
        return match example {
            Some(example) => list.like(example),
            None => list.with_form(UnknownForm::NonEmpty),
        };
    }
    if index >= TAKEN_FOR_GRANTED && list.needs_aws() {
        let requirement = format!("{list} has at least {} items", index + 1);
        evaluator.required(&list, failure, requirement);
    }
    list.with_form(UnknownForm::Any)
}
