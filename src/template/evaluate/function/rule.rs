//! The functions of the `Rules` section
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html>).
//!
//! CloudFormation's messages for wrong arguments aren't published; these are ours.

use crate::template::evaluate::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::expression::Function;
use crate::template::value::{Evaluated, Failures, Unknown, Value, together};
use crate::yaml::Node;

/// Evaluates `Fn::Contains`: whether a member of the list equals the string.
pub(super) fn contains(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let sides = ComparedLists::of(evaluator, Function::Contains, argument, scope)?;
    sides.known(|list, other| any(list, |member| all(other, |wanted| equal(member, wanted))))
}

/// Evaluates `Fn::EachMemberEquals`: whether every member of the list equals the string.
pub(super) fn each_member_equals(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let sides = ComparedLists::of(evaluator, Function::EachMemberEquals, argument, scope)?;
    sides.known(|list, other| all(list, |member| all(other, |wanted| equal(member, wanted))))
}

/// Evaluates `Fn::EachMemberIn`: whether every member of the first list is in the second.
pub(super) fn each_member_in(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let sides = ComparedLists::of(evaluator, Function::EachMemberIn, argument, scope)?;
    sides.known(|list, other| all(list, |member| any(other, |allowed| equal(member, allowed))))
}

/// The two sides of a comparison: strings or unknown values, or an entire side that isn't known.
struct ComparedLists {
    list: Result<Vec<Value>, Unknown>,
    other: Result<Vec<Value>, Unknown>,
}

impl ComparedLists {
    /// Evaluates both sides. A string counts as a list of one item.
    fn of(
        evaluator: &Evaluator,
        function: Function,
        argument: &Node,
        scope: EvaluationScope,
    ) -> Result<Self, Failures> {
        let malformed = || {
            let message = format!(
                "Template error: every {} object requires two parameters, a list of strings and \
                 what its members are \
                 compared with",
                function.key()
            );
            evaluator.fail(argument.at, message)
        };
        let Some(arguments @ [_, _]) = argument.as_sequence() else {
            return Err(malformed());
        };
        let values = together(arguments.iter().map(|node| evaluator.value(node, scope)))?;
        let sides: Vec<_> = values
            .into_iter()
            .map(side)
            .collect::<Option<_>>()
            .ok_or_else(malformed)?;
        let Ok([list, other]) = <[_; 2]>::try_from(sides) else {
            return Err(malformed());
        };
        let length = |side: &Result<Vec<Value>, Unknown>| side.as_ref().map_or(1, Vec::len);
        evaluator.spend(length(&list).saturating_mul(length(&other)), argument.at)?;
        Ok(Self { list, other })
    }

    /// Compares the sides, if at least their lengths are known.
    fn known(
        self,
        holds: impl Fn(&[Value], &[Value]) -> ConditionValue,
    ) -> Result<ConditionValue, Failures> {
        Ok(match (self.list, self.other) {
            (Ok(list), Ok(other)) => holds(&list, &other),
            (Err(list), Err(other)) => ConditionValue::Unknown(list.and(other)),
            (Err(unknown), _) | (_, Err(unknown)) => ConditionValue::Unknown(unknown),
        })
    }
}

fn side(value: Value) -> Option<Result<Vec<Value>, Unknown>> {
    let is_member = |value: &Value| matches!(value, Value::Unknown(_)) || value.as_text().is_some();
    match value {
        Value::Unknown(unknown) => Some(Err(unknown)),
        Value::List(items) => items.iter().all(is_member).then_some(Ok(items)),
        value => is_member(&value).then(|| Ok(vec![value])),
    }
}

fn any<'v>(values: &'v [Value], holds: impl Fn(&'v Value) -> ConditionValue) -> ConditionValue {
    ConditionValue::any(values.iter().map(holds))
}

fn all<'v>(values: &'v [Value], holds: impl Fn(&'v Value) -> ConditionValue) -> ConditionValue {
    ConditionValue::all(values.iter().map(holds))
}

fn equal(one: &Value, other: &Value) -> ConditionValue {
    match Unknown::all([one, other].into_iter().filter_map(Value::unknown)) {
        Some(unknown) => ConditionValue::Unknown(unknown),
        None => ConditionValue::of(one.as_text() == other.as_text()),
    }
}

/// Evaluates `Fn::RefAll`: all values of a parameter type.
pub(super) fn ref_all(_: &Evaluator, argument: &Node, _: EvaluationScope) -> Evaluated {
    Ok(Unknown::asked(format!("all values of {}", argument.text)).into())
}

/// Evaluates `Fn::ValueOf`: an attribute of what a parameter names, or a list of attributes.
pub(super) fn value_of(evaluator: &Evaluator, argument: &Node, _: EvaluationScope) -> Evaluated {
    let (parameter, attribute) = two(evaluator, Function::ValueOf, argument)?;
    Ok(Unknown::asked(format!("attribute {attribute} of parameter {parameter}")).into())
}

/// Evaluates `Fn::ValueOfAll`: an attribute of everything of a parameter type.
pub(super) fn value_of_all(
    evaluator: &Evaluator,
    argument: &Node,
    _: EvaluationScope,
) -> Evaluated {
    let (kind, attribute) = two(evaluator, Function::ValueOfAll, argument)?;
    Ok(Unknown::asked(format!("attribute {attribute} of all {kind}")).into())
}

fn two<'n>(
    evaluator: &Evaluator,
    function: Function,
    argument: &'n Node,
) -> Result<(&'n str, &'n str), Failures> {
    match argument.as_sequence() {
        Some([first, attribute]) if first.is_scalar() && attribute.is_scalar() => {
            Ok((&first.text, &attribute.text))
        }
        _ => {
            let message = format!(
                "Template error: every {} object requires two string parameters",
                function.key()
            );
            Err(evaluator.fail(argument.at, message))
        }
    }
}
