//! `Fn::Sub`: replaces each `${…}` in a string by its value
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html>).

use indexmap::IndexMap;

use super::{get_att, reference};
use crate::diagnostic::Position;
use crate::template::evaluate::{EvaluationScope, Evaluator};
use crate::template::expression::Sub;
use crate::template::substitution::{Segment, Segments, is_name};
use crate::template::value::{
    ConcatenatedForm, Evaluated, Failures, Unknown, UnknownForm, Value, together,
};
use crate::yaml::Node;

const MALFORMED: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify \
    expected arguments. Specify \
                         a string as first argument, and an optional second argument to specify a \
                         mapping of values to \
                         replace in the string";

/// Evaluates a string, or a list of a string and a mapping of variables.
pub(super) fn apply(evaluator: &Evaluator, argument: &Node, scope: EvaluationScope) -> Evaluated {
    let malformed = || evaluator.fail(argument.at, MALFORMED);
    let sub = Sub::of(argument);
    if !sub.is_well_formed() {
        return Err(malformed());
    }
    let text = sub.text;
    let own = variables(evaluator, sub.own(), scope);
    let content = evaluator
        .value(text, scope)?
        .as_text()
        .ok_or_else(malformed)?;
    let segments = Segments::of(&content);
    let values = own.and_then(|own| values(evaluator, segments.clone(), &own, text.at, scope))?;
    // Variables that the string doesn't use don't matter.
    if let Some(unknown) = Unknown::all(values.values().filter_map(Value::unknown)) {
        return Ok(unknown.with_form(form(segments, &values)).into());
    }
    let texts: IndexMap<&str, String> = values
        .iter()
        .map(|(name, value)| (*name, value.as_text().unwrap_or_default()))
        .collect();
    let parts = segments.map(|segment| match segment {
        Segment::Text(text) => text,
        Segment::Escape(_) => Segment::ESCAPED,
        Segment::Variable(variable) => texts.get(variable.name()).map_or("", String::as_str),
    });
    // Counted before building the string, since a name may occur many times.
    evaluator.spend(parts.clone().map(str::len).sum(), argument.at)?;
    Ok(Value::String(parts.collect()))
}

/// Returns what is known about a string with these values in it, some of which are unknown.
fn form(segments: Segments, values: &IndexMap<&str, Value>) -> UnknownForm {
    let mut form = ConcatenatedForm::default();
    for segment in segments {
        match segment {
            Segment::Text(text) => form.push(text),
            Segment::Escape(_) => form.push(Segment::ESCAPED),
            Segment::Variable(variable) => match values.get(variable.name()) {
                Some(Value::Unknown(unknown)) => form.push_unknown(unknown),
                Some(known) => form.push(&known.as_text().unwrap_or_default()),
                None => {}
            },
        }
    }
    form.finish()
}

/// Evaluates all variables that the function declares, used or not.
fn variables(
    evaluator: &Evaluator,
    own: &[(Node, Node)],
    scope: EvaluationScope,
) -> Result<IndexMap<String, Value>, Failures> {
    let variable = |(key, node): &(Node, Node)| {
        if key.text.is_empty()
            || !key
                .text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            let message = "Template error: every key of the context object of every Fn::Sub object \
                must contain only \
                           alphanumeric characters and underscores";
            return Err(evaluator.fail(key.at, message));
        }
        match evaluator.value(node, scope)? {
            Value::List(_) | Value::Map(_) | Value::Null | Value::NoValue => {
                let message = "Template error: every value of the context object of every Fn::Sub \
                    object must be a \
                               string or a function that returns a string";
                Err(evaluator.fail(node.at, message))
            }
            value => Ok((key.text.to_string(), value)),
        }
    };
    Ok(together(own.iter().map(variable))?.into_iter().collect())
}

/// Returns the values of the names in the string, each evaluated once.
fn values<'t>(
    evaluator: &Evaluator,
    segments: Segments<'t>,
    own: &IndexMap<String, Value>,
    at: Position,
    scope: EvaluationScope,
) -> Result<IndexMap<&'t str, Value>, Failures> {
    let mut values: IndexMap<&str, Evaluated> = IndexMap::new();
    for segment in segments {
        let Segment::Variable(variable) = segment else {
            continue;
        };
        let name = variable.name();
        if !values.contains_key(name) {
            let value = own
                .get(name)
                .cloned()
                .map_or_else(|| named(evaluator, name, at, scope), Ok);
            values.insert(name, value);
        }
    }
    let values = values.into_iter().map(|(name, value)| Ok((name, value?)));
    Ok(together(values)?.into_iter().collect())
}

fn named(evaluator: &Evaluator, name: &str, at: Position, scope: EvaluationScope) -> Evaluated {
    if !is_name(name) {
        let message = "Template error: variable names in Fn::Sub syntax must contain only \
            alphanumeric characters, \
                       underscores, periods, and colons";
        return Err(evaluator.fail(at, message));
    }
    let value = match name.split_once('.') {
        Some((id, attribute)) => get_att::attribute(evaluator, id, attribute, at)?,
        None => reference::named(evaluator, name, at, scope)?,
    };
    match value {
        Value::List(_) | Value::Map(_) | Value::Null => {
            let message = format!(
                "Template error: variable {name} in Fn::Sub expression does not resolve to a string"
            );
            Err(evaluator.fail(at, message))
        }
        // `AWS::NoValue` is the empty string here.
        value => Ok(value),
    }
}
