//! The intrinsic functions, one file each
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html>).
//!
//! A function gets its argument unevaluated and uses the evaluator for the values in it. The tables
//! in `fixtures/functions` hold test cases for each function.

mod base64;
#[cfg(test)]
mod cases;
mod cidr;
mod condition;
mod find_in_map;
mod get_att;
mod get_azs;
mod get_stack_output;
#[cfg(test)]
mod hostile;
mod import_value;
mod join;
mod length;
mod needs;
#[cfg(test)]
mod properties;
mod reference;
mod rule;
mod select;
mod split;
mod sub;
mod to_json_string;

use super::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::expression::{Function, FunctionCall, Usage};
use crate::template::macros;
use crate::template::value::{Evaluated, Failures, Unknown, Value};
use crate::yaml::Node;

pub(in crate::template) use needs::others as depends_on_others;
pub(in crate::template) use reference::is_pseudo_parameter;

/// Computes the value of a function from its unevaluated argument.
type ApplyFunction = fn(&Evaluator, &Node, EvaluationScope) -> Evaluated;

/// Decides a condition function.
type DecideCondition = fn(&Evaluator, &Node, EvaluationScope) -> Result<ConditionValue, Failures>;

/// The functions that CloudFormation lists in its error about an unknown one.
const SUPPORTED: [Function; 23] = [
    Function::Base64,
    Function::GetAtt,
    Function::GetAZs,
    Function::ImportValue,
    Function::Join,
    Function::Split,
    Function::FindInMap,
    Function::Select,
    Function::Ref,
    Function::Equals,
    Function::If,
    Function::Not,
    Function::Condition,
    Function::And,
    Function::Or,
    Function::Contains,
    Function::EachMemberEquals,
    Function::EachMemberIn,
    Function::ValueOf,
    Function::ValueOfAll,
    Function::RefAll,
    Function::Sub,
    Function::Cidr,
];

/// Returns the implementation of a function that has a value; `None` for condition functions.
fn applied(function: Function) -> Option<ApplyFunction> {
    let apply: ApplyFunction = match function {
        Function::Base64 => base64::apply,
        Function::Cidr => cidr::apply,
        Function::FindInMap => find_in_map::apply,
        Function::GetAZs => get_azs::apply,
        Function::GetAtt => get_att::apply,
        Function::GetStackOutput => get_stack_output::apply,
        Function::If => condition::choose,
        Function::ImportValue => import_value::apply,
        Function::Join => join::apply,
        Function::Length => length::apply,
        Function::Ref => reference::apply,
        Function::RefAll => rule::ref_all,
        Function::Select => select::apply,
        Function::Split => split::apply,
        Function::Sub => sub::apply,
        Function::ToJsonString => to_json_string::apply,
        Function::Transform => |_, argument, _| Ok(macros::of_calls(argument).into()),
        Function::ValueOf => rule::value_of,
        Function::ValueOfAll => rule::value_of_all,
        Function::And
        | Function::Condition
        | Function::Contains
        | Function::EachMemberEquals
        | Function::EachMemberIn
        | Function::Equals
        | Function::ForEach
        | Function::Not
        | Function::Or => return None,
    };
    Some(apply)
}

/// Returns the implementation of a condition function, in conditions or in rules.
fn decided(function: Function) -> Option<DecideCondition> {
    let decide: DecideCondition = match function {
        Function::And => condition::and,
        Function::Condition => condition::named,
        Function::Contains => rule::contains,
        Function::EachMemberEquals => rule::each_member_equals,
        Function::EachMemberIn => rule::each_member_in,
        Function::Equals => condition::equals,
        Function::Not => condition::not,
        Function::Or => condition::or,
        Function::Transform => {
            |_, argument, _| Ok(ConditionValue::Unknown(macros::of_calls(argument)))
        }
        _ => return None,
    };
    Some(decide)
}

/// Applies a function where a value is expected.
pub(super) fn apply(
    evaluator: &Evaluator,
    call: &FunctionCall,
    scope: EvaluationScope,
) -> Evaluated {
    let argument = call.argument;
    if evaluator.macros.are_called()
        && let Some(unknown) = macros::in_argument(argument)
    {
        return Ok(unknown.into());
    }
    let function = call.function_used_as(|usage| match usage {
        Usage::Value => true,
        Usage::Extension => evaluator.macros.has_language_extensions(),
        Usage::RuleValue => scope == EvaluationScope::Rule,
        Usage::Condition | Usage::RuleCondition | Usage::Loop => false,
    });
    if let Some(apply) = function.and_then(applied) {
        return apply(evaluator, argument, scope);
    }
    let name = call.name;
    let message = match call.function.map(Function::usage) {
        // The message isn't confirmed for the functions of rules.
        Some(Usage::Condition | Usage::RuleCondition | Usage::RuleValue) => {
            format!("Template error: {name} cannot be partially collapsed")
        }
        _ => {
            let supported = SUPPORTED.map(Function::key).join(", ");
            format!(
                "Template Error: Encountered unsupported function: {name} Supported functions are: \
                 [{supported}]"
            )
        }
    };
    Err(evaluator.fail(argument.at, message))
}

/// Evaluates a condition expression.
pub(super) fn condition_value(
    evaluator: &Evaluator,
    expression: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    if evaluator.macros.are_called()
        && let Some(unknown) = macros::in_argument(expression)
    {
        return Ok(ConditionValue::Unknown(unknown));
    }
    let is_accepted = |usage| usage != Usage::RuleCondition || scope == EvaluationScope::Rule;
    if let Some(call) = FunctionCall::of(expression)
        && let Some(decide) = call.function_used_as(is_accepted).and_then(decided)
    {
        return decide(evaluator, call.argument, scope);
    }
    let message = "Template format error: Conditions can only be boolean operations on parameters \
        and other conditions";
    Err(evaluator.fail(expression.at, message))
}

/// Returns whether an expression is a condition function.
fn is_truth(expression: &Node) -> bool {
    FunctionCall::of(expression)
        .and_then(|call| call.function)
        .and_then(decided)
        .is_some()
}

/// Returns several values as strings, or why they aren't all known; `None` if one of them isn't a
/// string.
fn texts<'v>(values: impl IntoIterator<Item = &'v Value>) -> Option<Result<Vec<String>, Unknown>> {
    let mut texts = Vec::new();
    let mut unknowns = Vec::new();
    for value in values {
        match value {
            Value::Unknown(unknown) => unknowns.push(unknown.clone()),
            value => texts.push(value.as_text()?),
        }
    }
    Some(Unknown::all(unknowns).map_or(Ok(texts), Err))
}
