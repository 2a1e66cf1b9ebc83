//! The functions of the `Rules` section
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html>).
//!
//! No public text quotes CloudFormation's words for wrong arguments; these are ours.

use crate::template::evaluate::{ConditionValue, EvaluationScope, Evaluator};
use crate::template::expression::Function;
use crate::template::value::{Evaluated, Failures, Unknown, Value, together};
use crate::yaml::Node;

/// `Fn::Contains`: a member of the list equals the text.
pub(super) fn contains(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let sides = ComparedLists::of(evaluator, Function::Contains, argument, scope)?;
    sides.known(|list, other| any(list, |member| all(other, |wanted| equal(member, wanted))))
}

/// `Fn::EachMemberEquals`: every member of the list equals the text.
pub(super) fn each_member_equals(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let sides = ComparedLists::of(evaluator, Function::EachMemberEquals, argument, scope)?;
    sides.known(|list, other| all(list, |member| all(other, |wanted| equal(member, wanted))))
}

/// `Fn::EachMemberIn`: every member of the first list is one of the second.
pub(super) fn each_member_in(
    evaluator: &Evaluator,
    argument: &Node,
    scope: EvaluationScope,
) -> Result<ConditionValue, Failures> {
    let sides = ComparedLists::of(evaluator, Function::EachMemberIn, argument, scope)?;
    sides.known(|list, other| all(list, |member| any(other, |allowed| equal(member, allowed))))
}

/// What stands on both sides: texts or unknown, or a whole side that isn't known.
struct ComparedLists {
    list: Result<Vec<Value>, Unknown>,
    other: Result<Vec<Value>, Unknown>,
}

impl ComparedLists {
    /// A text counts as a list of that text alone.
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

    /// What holds of the sides, if both are known at least by their lengths.
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

/// `Fn::RefAll`: all values of a parameter type.
pub(super) fn ref_all(_: &Evaluator, argument: &Node, _: EvaluationScope) -> Evaluated {
    Ok(Unknown::asked(format!("all values of {}", argument.text)).into())
}

/// `Fn::ValueOf`: an attribute of what a parameter names, or a list of them.
pub(super) fn value_of(evaluator: &Evaluator, argument: &Node, _: EvaluationScope) -> Evaluated {
    let (parameter, attribute) = two(evaluator, Function::ValueOf, argument)?;
    Ok(Unknown::asked(format!("attribute {attribute} of parameter {parameter}")).into())
}

/// `Fn::ValueOfAll`: an attribute of everything of a parameter type.
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
