//! `Ref`: a pseudo parameter, a parameter, or a resource's physical ID.

use crate::diagnostic::Position;
use crate::mask::MASK;
use crate::template::evaluate::{ConditionValue, EvaluationScope, Evaluator, examples};
use crate::template::value::{Evaluated, Unknown, Value};
use crate::yaml::Node;

pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    if !argument.is_scalar() {
        return Err(evaluator.fail(
            argument.at,
            "Template error: All References must be of type string",
        ));
    }
    named(evaluator, &argument.text, argument.at, scope)
}

/// Returns the value of a name, for `Ref` and for `${…}` in `Fn::Sub`.
pub(super) fn named(
    evaluator: &Evaluator,
    name: &str,
    at: Position,
    scope: EvaluationScope,
) -> Evaluated {
    if let Some(value) = pseudo_parameter(evaluator, name) {
        return Ok(value);
    }
    if let Some(value) = evaluator.parameters.get(name) {
        evaluator.spend(value.size(), at)?;
        let is_hidden = !scope.is_condition() && hidden(evaluator, name, value);
        return Ok(if is_hidden {
            Value::text(MASK)
        } else {
            value.clone()
        });
    }
    // The parameter is declared but has no value, which has been reported.
    if evaluator
        .template
        .parameters
        .iter()
        .any(|parameter| parameter.key == name)
    {
        return Ok(Unknown::asked(format!("parameter {name}")).into());
    }
    match evaluator.resource_exists(name) {
        Some(ConditionValue::True | ConditionValue::Unknown(_)) => {
            let value = evaluator.environment.physical_id(name);
            match value.map_err(|message| evaluator.fail(at, message))? {
                Value::Unknown(unknown) => {
                    let example = examples::physical_id(evaluator.resource_type(name));
                    Ok(match example {
                        Some(example) => unknown.like(example),
                        None => unknown.non_empty(),
                    }
                    .into())
                }
                known => Ok(known),
            }
        }
        Some(ConditionValue::False) | None => {
            Ok(nowhere(evaluator, name, format!("physical ID of {name}")).into())
        }
    }
}

/// Returns whether a parameter's value must not be shown. Conditions use it nevertheless.
fn hidden(evaluator: &Evaluator, name: &str, value: &Value) -> bool {
    let is_secret = || {
        evaluator
            .template
            .parameters
            .iter()
            .any(|it| it.key == name && it.no_echo)
    };
    evaluator.environment.hides_secrets() && value.unknown().is_none() && is_secret()
}

/// Returns the unknown value of an unresolved name. `template::graph` reports the name, unless a
/// transform may declare it. A resource that the Serverless Application Model may add is unknown
/// with the reason `what`.
pub(super) fn nowhere(evaluator: &Evaluator, name: &str, what: String) -> Unknown {
    match evaluator.macros.made("Resources", name) {
        Some(unknown) => unknown,
        None if evaluator.macros.is_serverless() => Unknown::launched(what),
        None => Unknown::asked(format!("reference to {name}")),
    }
}

pub(crate) fn is_pseudo_parameter(name: &str) -> bool {
    matches!(
        name,
        "AWS::AccountId"
            | "AWS::NoValue"
            | "AWS::NotificationARNs"
            | "AWS::Partition"
            | "AWS::Region"
            | "AWS::StackId"
            | "AWS::StackName"
            | "AWS::URLSuffix"
    )
}

/// Returns the value of a pseudo parameter
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html>).
fn pseudo_parameter(evaluator: &Evaluator, name: &str) -> Option<Value> {
    let place = evaluator.place;
    let known = |value: &Option<String>, unknown: Unknown| {
        value.clone().map_or(Value::Unknown(unknown), Value::String)
    };
    Some(match name {
        "AWS::AccountId" => known(
            &place.account_id,
            Unknown::asked(name).like(examples::ACCOUNT_ID),
        ),
        "AWS::NoValue" => Value::NoValue,
        "AWS::NotificationARNs" => {
            Value::List(place.notification_arns.iter().map(Value::text).collect())
        }
        "AWS::Partition" => Value::text(&place.partition),
        "AWS::Region" => Value::text(&place.region),
        "AWS::StackId" => known(&place.stack_id, Unknown::launched(name).non_empty()),
        "AWS::StackName" => known(&place.stack_name, Unknown::launched(name).non_empty()),
        "AWS::URLSuffix" => Value::text(&place.url_suffix),
        _ => return None,
    })
}
