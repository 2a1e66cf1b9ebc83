//! `Fn::Select`: returns the item of a list at an index, from 0
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-select.html>).

use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::Select;
use crate::template::value::{Evaluated, KnownWhen, Unknown, Value, together};
use crate::yaml::Node;

/// Number of items to assume in a list that only AWS knows: every region has two zones, but some
/// don't have a third.
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
        evaluator.undecided(&unknown, missing(&format!("<{unknown}>")));
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
            if index >= TAKEN_FOR_GRANTED && may_be_short(&unknown) {
                evaluator.undecided(&unknown, missing(&index.to_string()));
            }
            return Ok(unknown.into());
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

/// Returns whether only AWS knows the length.
fn may_be_short(unknown: &Unknown) -> bool {
    unknown
        .reasons()
        .any(|reason| reason.until == KnownWhen::Asked)
}
