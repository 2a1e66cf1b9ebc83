//! `Fn::Split`: splits a string at a delimiter
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-split.html>).

use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::Split;
use crate::template::value::{Evaluated, UnknownForm, Value};
use crate::yaml::Node;

const MALFORMED: &str = "Template error: every Fn::Split object requires two parameters, (1) a \
    string delimiter and (2) a \
                         string to be split or a function that returns a string to be split.";

/// Evaluates `[delimiter, text]`. The delimiter is a literal; the text may be an expression.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let malformed = || evaluator.fail(argument.at, MALFORMED);
    let Some(Split { delimiter, text }) = Split::of(argument) else {
        return Err(malformed());
    };
    if !delimiter.is_scalar() {
        return Err(malformed());
    }
    let delimiter = evaluator
        .value(delimiter, scope)?
        .as_text()
        .filter(|it| !it.is_empty())
        .ok_or_else(malformed)?;
    let text = match evaluator.value(text, scope)? {
        Value::Unknown(unknown) => {
            let items = (delimiter == ",").then(|| unknown.items()).flatten();
            let any = || unknown.clone().with_form(UnknownForm::Any).into();
            return Ok(items.map_or_else(any, Value::List));
        }
        value => value.as_text().ok_or_else(malformed)?,
    };
    // An item takes more memory than its bytes.
    evaluator.spend(
        text.len() + text.matches(&*delimiter).count() * size_of::<Value>(),
        argument.at,
    )?;
    Ok(Value::List(
        text.split(&*delimiter).map(Value::text).collect(),
    ))
}
