//! `Fn::Join`: joins the items of a list with a delimiter
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-join.html>).

use super::texts;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::Join;
use crate::template::value::{ConcatenatedForm, Evaluated, UnknownForm, Value, together};
use crate::yaml::Node;

const MALFORMED: &str = "Template error: every Fn::Join object requires two parameters, (1) a \
    string delimiter and (2) a \
                         list of strings to be joined or a function that returns a list of strings \
                         (such as Fn::GetAZs) \
                         to be joined.";

/// Evaluates `[delimiter, list]`.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let malformed = || evaluator.fail(argument.at, MALFORMED);
    let Some(Join { delimiter, list }) = Join::of(argument) else {
        return Err(malformed());
    };
    let values = together(
        [delimiter, list]
            .into_iter()
            .map(|node| evaluator.value(node, scope)),
    )?;
    let [delimiter, list] = values.as_slice() else {
        return Err(malformed());
    };
    let items = match list {
        Value::List(items) => items.as_slice(),
        Value::Unknown(_) => std::slice::from_ref(list),
        _ => return Err(malformed()),
    };
    match texts(std::iter::once(delimiter).chain(items))
        .ok_or_else(malformed)?
        .as_deref()
    {
        Err(unknown) => Ok(unknown.clone().with_form(form(delimiter, items)).into()),
        Ok([delimiter, items @ ..]) => {
            // Counted before joining: a few items with a long delimiter make a long string.
            evaluator.spend(
                items.iter().map(|item| item.len() + delimiter.len()).sum(),
                argument.at,
            )?;
            Ok(Value::String(items.join(delimiter)))
        }
        Ok([]) => Err(malformed()),
    }
}

/// Returns what is known about the items joined, some of which are unknown.
fn form(delimiter: &Value, items: &[Value]) -> UnknownForm {
    let mut form = ConcatenatedForm::default();
    let mut push = |part: &Value| match part {
        Value::Unknown(unknown) => form.push_unknown(unknown),
        known => form.push(&known.as_text().unwrap_or_default()),
    };
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            push(delimiter);
        }
        push(item);
    }
    form.finish()
}
