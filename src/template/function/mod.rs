//! The intrinsic functions, one file each
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html>).
//!
//! A function gets its argument as it stands in the template and asks the evaluator for the values in it. Cases for each
//! of them are the tables in `fixtures/functions`.

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

use super::evaluate::{Evaluator, Truth};
use super::long_form::call;
use super::transform;
use super::value::{Evaluated, Failures, Unknown, Value};
use crate::yaml::Node;

pub use needs::others as depends_on_others;
pub use reference::is_pseudo_parameter;
pub use sub::names;

/// What a function of a value is given: its argument as it stands in the template.
type Apply = fn(&Evaluator, &Node) -> Evaluated;

/// The same for a function that is true or false.
type Decide = fn(&Evaluator, &Node) -> Result<Truth, Failures>;

/// Functions that stand wherever a value is wanted.
const VALUES: [(&str, Apply); 14] = [
    ("Ref", reference::apply),
    ("Fn::Base64", base64::apply),
    ("Fn::Cidr", cidr::apply),
    ("Fn::FindInMap", find_in_map::apply),
    ("Fn::GetAtt", get_att::apply),
    ("Fn::GetAZs", get_azs::apply),
    ("Fn::GetStackOutput", get_stack_output::apply),
    ("Fn::If", condition::choose),
    ("Fn::ImportValue", import_value::apply),
    ("Fn::Join", join::apply),
    ("Fn::Select", select::apply),
    ("Fn::Split", split::apply),
    ("Fn::Sub", sub::apply),
    ("Fn::Transform", |_, argument| transform::apply(argument)),
];

/// Those that `AWS::LanguageExtensions` adds.
const EXTENSIONS: [(&str, Apply); 2] = [("Fn::Length", length::apply), ("Fn::ToJsonString", to_json_string::apply)];

/// Those of the `Rules` section.
const RULE_VALUES: [(&str, Apply); 3] =
    [("Fn::RefAll", rule::ref_all), ("Fn::ValueOf", rule::value_of), ("Fn::ValueOfAll", rule::value_of_all)];

/// What is true or false, in conditions and rules.
const TRUTHS: [(&str, Decide); 6] = [
    ("Condition", condition::named),
    ("Fn::And", condition::and),
    ("Fn::Equals", condition::equals),
    ("Fn::Not", condition::not),
    ("Fn::Or", condition::or),
    ("Fn::Transform", |_, argument| Ok(transform::truth(argument))),
];

/// What is true or false in rules alone.
const RULE_TRUTHS: [(&str, Decide); 3] = [
    ("Fn::Contains", rule::contains),
    ("Fn::EachMemberEquals", rule::each_member_equals),
    ("Fn::EachMemberIn", rule::each_member_in),
];

/// What CloudFormation names where it doesn't know a function.
const SUPPORTED: &str = "Fn::Base64, Fn::GetAtt, Fn::GetAZs, Fn::ImportValue, Fn::Join, Fn::Split, Fn::FindInMap, \
                         Fn::Select, Ref, Fn::Equals, Fn::If, Fn::Not, Condition, Fn::And, Fn::Or, Fn::Contains, \
                         Fn::EachMemberEquals, Fn::EachMemberIn, Fn::ValueOf, Fn::ValueOfAll, Fn::RefAll, Fn::Sub, Fn::Cidr";

/// Applies a function in a place where a value is wanted.
pub fn apply(evaluator: &Evaluator, name: &str, argument: &Node) -> Evaluated {
    if evaluator.macros.are_called()
        && let Some(unknown) = transform::in_argument(argument)
    {
        return Ok(unknown.into());
    }
    let extensions = if evaluator.macros.has_language_extensions() { &EXTENSIONS[..] } else { &[] };
    let of_rules = if evaluator.in_rule() { &RULE_VALUES[..] } else { &[] };
    let mut functions = VALUES.iter().chain(extensions).chain(of_rules);
    if let Some((_, function)) = functions.find(|(known, _)| *known == name) {
        return function(evaluator, argument);
    }
    // Of the rules' functions it isn't confirmed that these are the words.
    let message = if has(&TRUTHS, name) || has(&RULE_TRUTHS, name) || has(&RULE_VALUES, name) {
        format!("Template error: {name} cannot be partially collapsed")
    } else {
        format!("Template Error: Encountered unsupported function: {name} Supported functions are: [{SUPPORTED}]")
    };
    Err(evaluator.fail(argument.at, message))
}

/// A condition expression.
pub fn truth(evaluator: &Evaluator, expression: &Node) -> Result<Truth, Failures> {
    let of_rules = if evaluator.in_rule() { &RULE_TRUTHS[..] } else { &[] };
    if evaluator.macros.are_called()
        && let Some(unknown) = transform::in_argument(expression)
    {
        return Ok(Truth::Unknown(unknown));
    }
    if let Some((name, argument)) = call(expression)
        && let Some((_, function)) = TRUTHS.iter().chain(of_rules).find(|(known, _)| *known == name)
    {
        return function(evaluator, argument);
    }
    let message = "Template format error: Conditions can only be boolean operations on parameters and other conditions";
    Err(evaluator.fail(expression.at, message))
}

/// Whether an expression is a function that is true or false.
fn is_truth(expression: &Node) -> bool {
    call(expression).is_some_and(|(name, _)| has(&TRUTHS, name) || has(&RULE_TRUTHS, name))
}

fn has<F>(functions: &[(&str, F)], name: &str) -> bool {
    functions.iter().any(|(known, _)| *known == name)
}

/// Several values as texts, or why they aren't all known; none if one of them is no text.
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
