//! `Fn::Sub`: a text with `${…}` replaced by what the names in them stand for
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-sub.html>).

use indexmap::IndexMap;

use super::{get_att, reference};
use crate::diagnostic::Position;
use crate::template::evaluate::Evaluator;
use crate::template::expression::Sub;
use crate::template::value::{Evaluated, Failures, Unknown, Value, together};
use crate::yaml::Node;

const MALFORMED: &str = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify \
                         a string as first argument, and an optional second argument to specify a mapping of values to \
                         replace in the string";

/// A part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'t> {
    Text(&'t str),
    /// `${Name}`: the name, without white space around it.
    Name(&'t str),
}

/// The parts of a text, in order. `${!` is the text `${`, and so is what is never closed; what follows is looked through
/// like any other text, so that `${!A:-${B}}` holds the name `B`.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, inside) = (&rest[..start], &rest[start + 2..]);
        if let Some(literal) = inside.trim_start().strip_prefix('!') {
            pieces.push(Piece::Text(&rest[..start + 2]));
            rest = literal;
            continue;
        }
        let Some((name, after)) = inside.split_once('}') else { break };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::Name(name.trim()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// What is to be replaced in a text: `Name`, `Name.Attribute`, `AWS::Region`; what can be no name is left out.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    pieces(text).into_iter().filter_map(|piece| match piece {
        Piece::Name(name) if is_name(name) => Some(name),
        Piece::Name(_) | Piece::Text(_) => None,
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.:".contains(c))
}

/// A text, or a list of a text and a mapping of names of its own.
pub fn apply(evaluator: &Evaluator, argument: &Node) -> Evaluated {
    let malformed = || evaluator.fail(argument.at, MALFORMED);
    let sub = Sub::of(argument);
    if !sub.is_well_formed() {
        return Err(malformed());
    }
    let text = sub.text;
    let own = variables(evaluator, sub.own());
    let content = evaluator.value(text)?.as_text().ok_or_else(malformed)?;
    let pieces = pieces(&content);
    let values = own.and_then(|own| values(evaluator, &pieces, &own, text.at))?;
    // What the text doesn't name doesn't matter.
    if let Some(unknown) = Unknown::all(values.values().filter_map(Value::unknown)) {
        return Ok(unknown.into());
    }
    let texts: IndexMap<&str, String> =
        values.iter().map(|(name, value)| (*name, value.as_text().unwrap_or_default())).collect();
    let parts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => *text,
        Piece::Name(name) => texts.get(name).map_or("", String::as_str),
    });
    // Counted before it is made: a name may occur as often as the text has room for it.
    evaluator.spend(parts.clone().map(str::len).sum(), argument.at)?;
    Ok(Value::String(parts.collect()))
}

/// The names that the function brings along, all evaluated, used or not.
fn variables(evaluator: &Evaluator, own: &[(Node, Node)]) -> Result<IndexMap<String, Value>, Failures> {
    let variable = |(key, node): &(Node, Node)| {
        if key.text.is_empty() || !key.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            let message = "Template error: every key of the context object of every Fn::Sub object must contain only \
                           alphanumeric characters and underscores";
            return Err(evaluator.fail(key.at, message));
        }
        match evaluator.value(node)? {
            Value::List(_) | Value::Map(_) | Value::Null | Value::NoValue => {
                let message = "Template error: every value of the context object of every Fn::Sub object must be a \
                               string or a function that returns a string";
                Err(evaluator.fail(node.at, message))
            }
            value => Ok((key.text.to_string(), value)),
        }
    };
    Ok(together(own.iter().map(variable))?.into_iter().collect())
}

/// What the names in the text stand for, each asked for once.
fn values<'t>(
    evaluator: &Evaluator,
    pieces: &[Piece<'t>],
    own: &IndexMap<String, Value>,
    at: Position,
) -> Result<IndexMap<&'t str, Value>, Failures> {
    let mut values: IndexMap<&str, Evaluated> = IndexMap::new();
    for piece in pieces {
        if let Piece::Name(name) = *piece
            && !values.contains_key(name)
        {
            let value = own.get(name).cloned().map_or_else(|| named(evaluator, name, at), Ok);
            values.insert(name, value);
        }
    }
    let values = values.into_iter().map(|(name, value)| Ok((name, value?)));
    Ok(together(values)?.into_iter().collect())
}

fn named(evaluator: &Evaluator, name: &str, at: Position) -> Evaluated {
    if !is_name(name) {
        let message = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, \
                       underscores, periods, and colons";
        return Err(evaluator.fail(at, message));
    }
    let value = match name.split_once('.') {
        Some((id, attribute)) => get_att::attribute(evaluator, id, attribute, at)?,
        None => reference::named(evaluator, name, at)?,
    };
    match value {
        Value::List(_) | Value::Map(_) | Value::Null => {
            let message = format!("Template error: variable {name} in Fn::Sub expression does not resolve to a string");
            Err(evaluator.fail(at, message))
        }
        // `AWS::NoValue` is nothing in a text.
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        use Piece::{Name, Text};
        let check = |text: &str, expect: &[Piece]| assert_eq!(pieces(text), expect, "{text}");
        check("", &[]);
        check("a", &[Text("a")]);
        check("a${B}c", &[Text("a"), Name("B"), Text("c")]);
        check("${A}${B.C}", &[Name("A"), Name("B.C")]);
        check("${ C }\t${\nD\n}", &[Name("C"), Text("\t"), Name("D")]);
        check("${!B}", &[Text("${"), Text("B}")]);
        check("a${!B}${C}", &[Text("a${"), Text("B}"), Name("C")]);
        check("${!A:-${B}}", &[Text("${"), Text("A:-"), Name("B"), Text("}")]);
        check("${!A:-${!B}}", &[Text("${"), Text("A:-${"), Text("B}}")]);
        check("${ !B}", &[Text("${"), Text("B}")]);
        check("$${B}", &[Text("$"), Name("B")]);
        check("${B", &[Text("${B")]);
        check("${!", &[Text("${")]);
        check("a${", &[Text("a${")]);
        check("}${A}}", &[Text("}"), Name("A"), Text("}")]);
        check("${A${B}}", &[Name("A${B"), Text("}")]);
        check("${}", &[Name("")]);
    }
}
