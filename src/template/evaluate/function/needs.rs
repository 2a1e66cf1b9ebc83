//! Finds expressions that depend on something outside of the template: a resource, another stack,
//! the account's zones. Some functions refuse such arguments, whatever their values are.

use crate::template::evaluate::{ConditionValue, Evaluator};
use crate::template::expression::{Expression, Function, FunctionCall, Sub};
use crate::yaml::Node;

/// Returns whether a part of the expression depends on something outside. For `Fn::If`, the taken
/// branch counts, or both if it isn't known which is taken.
pub(crate) fn others(evaluator: &Evaluator, expression: &Node) -> bool {
    if FunctionCall::of(expression)
        .and_then(|call| call.function)
        .is_some_and(Function::asks_aws)
    {
        return true;
    }
    match Expression::of(expression) {
        Expression::Ref(name) => is_resource(evaluator, &name.text),
        Expression::Sub(sub) => names_others(evaluator, &sub),
        Expression::If(choice) => match evaluator.condition(&choice.condition.text) {
            ConditionValue::True => others(evaluator, choice.yes),
            ConditionValue::False => others(evaluator, choice.no),
            ConditionValue::Unknown(_) => {
                others(evaluator, choice.yes) || others(evaluator, choice.no)
            }
        },
        Expression::Call(FunctionCall {
            function: Some(Function::If),
            ..
        }) => false,
        _ => {
            let items = expression.as_sequence().unwrap_or_default().iter();
            items
                .chain(expression.entries().iter().map(|(_, value)| value))
                .any(|part| others(evaluator, part))
        }
    }
}

fn names_others(evaluator: &Evaluator, sub: &Sub) -> bool {
    sub.own().iter().any(|(_, value)| others(evaluator, value))
        || sub.segments().names().any(|name| {
            let id = name.split_once('.').map_or(name, |(id, _)| id);
            sub.variable(name).is_none() && is_resource(evaluator, id)
        })
}

fn is_resource(evaluator: &Evaluator, name: &str) -> bool {
    evaluator.entry("Resources", name).is_some()
}
