//! Checks `$[taskcat_getval_X]`: each must refer to a parameter, without circles. TaskCat resolves
//! parameters in order and fails on one that comes later; here the order doesn't matter.

use super::syntax::PseudoParameter;
use super::{ParsedParameter, TestParameters};
use crate::diagnostic::Diagnostic;
use crate::spelling::did_you_mean;

/// Returns the problems of a test's `getval`s: unknown parameters, and each circle once with its
/// path.
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
                help: did_you_mean(target, keys),
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

/// Follows the `getval`s; `path` leads here, and `done` needn't be visited again.
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
        problems.push(parameter.problem(format!("circular getval: {}", circle.join(" -> "))));
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

/// Returns the parameters that the value refers to, with the pseudo-parameter as written.
pub(super) fn targets(parameter: &ParsedParameter) -> impl Iterator<Item = (&str, &str)> {
    parameter
        .pseudos()
        .filter_map(|(kind, written)| match kind {
            PseudoParameter::GetVal { parameter } => Some((parameter.as_str(), written)),
            PseudoParameter::Cell(_)
            | PseudoParameter::Random(_)
            | PseudoParameter::Stored(_)
            | PseudoParameter::Output(_) => None,
        })
}
