//! Whether an expression hangs on what isn't in the template: a resource, another stack, the account's zones. Some
//! functions refuse such arguments, whatever their values are.

use super::sub;
use crate::template::evaluate::{Evaluator, Truth};
use crate::template::long_form::call;
use crate::yaml::Node;

/// True as soon as one part of the expression does. Of `Fn::If` the branch that is taken counts, or both if it isn't
/// known which.
pub fn others(evaluator: &Evaluator, expression: &Node) -> bool {
    match call(expression) {
        Some(("Fn::GetAtt" | "Fn::GetAZs" | "Fn::GetStackOutput" | "Fn::ImportValue", _)) => true,
        Some(("Ref", name)) => is_resource(evaluator, &name.text),
        Some(("Fn::Sub", argument)) => names_others(evaluator, argument),
        Some(("Fn::If", argument)) => match argument.as_sequence() {
            Some([condition, yes, no]) => match evaluator.condition(&condition.text) {
                Truth::True => others(evaluator, yes),
                Truth::False => others(evaluator, no),
                Truth::Unknown(_) => others(evaluator, yes) || others(evaluator, no),
            },
            _ => false,
        },
        _ => {
            let items = expression.as_sequence().unwrap_or_default().iter();
            items.chain(expression.entries().iter().map(|(_, value)| value)).any(|part| others(evaluator, part))
        }
    }
}

fn names_others(evaluator: &Evaluator, argument: &Node) -> bool {
    let (text, own) = match argument.as_sequence() {
        Some([text, own]) => (text, own.entries()),
        _ => (argument, &[][..]),
    };
    let is_own = |name: &str| own.iter().any(|(key, _)| &*key.text == name);
    own.iter().any(|(_, value)| others(evaluator, value))
        || sub::names(&text.text).any(|name| {
            let id = name.split_once('.').map_or(name, |(id, _)| id);
            !is_own(name) && is_resource(evaluator, id)
        })
}

fn is_resource(evaluator: &Evaluator, name: &str) -> bool {
    evaluator.entry("Resources", name).is_some()
}
