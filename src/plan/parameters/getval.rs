//! `$[taskcat_getval_X]`: that each leads to a parameter, and none in a circle. TaskCat reads
//! parameters in order and fails on one that comes later; here the order doesn't matter.

use super::syntax::PseudoParameter;
use super::{ParsedParameter, TestParameters};
use crate::config::nearest;
use crate::diagnostic::Diagnostic;

/// What is wrong with a test's `getval`s: unknown parameters, and each circle once, with its path.
pub(super) fn problems(parameters: &TestParameters) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for parameter in &parameters.parameters {
        let unknown = targets(parameter).filter(|(target, _)| parameters.get(target).is_none());
        problems.extend(unknown.map(|(target, written)| {
            let problem = parameter.problem(format!(
                "{written} names parameter {target}, which the test doesn't have"
            ));
            let keys = parameters
                .parameters
                .iter()
                .map(|parameter| parameter.key.as_str());
            Diagnostic {
                help: nearest(target, keys).map(|near| format!("did you mean `{near}`?")),
                ..problem
            }
        }));
    }
    let mut done = Vec::new();
    for parameter in &parameters.parameters {
        let mut path = Vec::new();
        circles(parameter, parameters, &mut path, &mut done, &mut problems);
    }
    problems
}

/// Walks along the `getval`s; `path` is the way here, `done` what needs no second visit.
fn circles<'a>(
    parameter: &'a ParsedParameter,
    parameters: &'a TestParameters,
    path: &mut Vec<&'a str>,
    done: &mut Vec<&'a str>,
    problems: &mut Vec<Diagnostic>,
) {
    let key = parameter.key.as_str();
    if let Some(start) = path.iter().position(|passed| *passed == key) {
        let circle: Vec<&str> = path[start..].iter().copied().chain([key]).collect();
        problems
            .push(parameter.problem(format!("getval leads in a circle: {}", circle.join(" -> "))));
        return;
    }
    if done.contains(&key) {
        return;
    }
    path.push(key);
    for target in targets(parameter).filter_map(|(target, _)| parameters.get(target)) {
        circles(target, parameters, path, done, problems);
    }
    path.pop();
    done.push(key);
}

/// The parameters that the value takes from, with the pseudo-parameter as it is written.
fn targets(parameter: &ParsedParameter) -> impl Iterator<Item = (&str, &str)> {
    parameter
        .pseudos()
        .filter_map(|(kind, written)| match kind {
            PseudoParameter::GetVal { parameter } => Some((parameter.as_str(), written)),
            PseudoParameter::Cell(_) | PseudoParameter::Random(_) | PseudoParameter::Stored(_) => {
                None
            }
        })
}
