//! Evaluates a whole template: applies its transforms and evaluates the result.

use std::rc::Rc;

use super::assumption::Assumption;
use super::evaluate::{
    Ancestor, EvaluatedStack, EvaluationEnvironment, EvaluationLimits, Evaluator, ParameterValues,
    StackEnvironment,
};
use super::{Template, graph, limits, macros, transform};

/// Evaluates the whole template.
pub fn evaluate(
    template: &Template,
    place: &StackEnvironment,
    parameter_values: &ParameterValues,
    world: &dyn EvaluationEnvironment,
) -> EvaluatedStack {
    evaluated_stack(evaluator(template, place, parameter_values, world))
}

/// Returns the evaluator of a template after its transforms.
pub fn evaluator<'a>(
    template: &'a Template,
    place: &'a StackEnvironment,
    parameter_values: &ParameterValues,
    world: &'a dyn EvaluationEnvironment,
) -> Evaluator<'a> {
    let limits = Rc::new(EvaluationLimits::new(evaluate_nested));
    expanded(Evaluator::of_written(
        template,
        place,
        parameter_values,
        world,
        limits,
        Vec::new(),
    ))
}

fn expanded(written: Evaluator) -> Evaluator {
    let expanded = transform::expanded(&written);
    written.of_expanded(expanded)
}

fn evaluate_nested(
    template: &Template,
    place: &StackEnvironment,
    parameter_values: &ParameterValues,
    world: &dyn EvaluationEnvironment,
    limits: Rc<EvaluationLimits>,
    ancestors: Vec<Ancestor>,
) -> Option<EvaluatedStack> {
    let written =
        Evaluator::of_written(template, place, parameter_values, world, limits, ancestors);
    let evaluator = expanded(written);
    (!evaluator.is_among_ancestors()).then(|| evaluated_stack(evaluator))
}

/// Evaluates everything in the evaluator's template.
pub fn evaluated_stack(mut evaluator: Evaluator) -> EvaluatedStack {
    let mut failures = std::mem::take(&mut evaluator.early);
    failures.extend(limits::exceeded(&evaluator));
    failures.extend(graph::problems(&evaluator));
    failures.extend(evaluator.broken_rules());
    let (conditions, failed) = evaluator.all_conditions();
    failures.extend(failed);
    let mut stack = EvaluatedStack {
        template: evaluator.template.relative.clone(),
        parameters: evaluator.parameters.clone(),
        conditions,
        ..EvaluatedStack::default()
    };
    stack.resources = evaluator.all_resources(&mut failures);
    stack.outputs = evaluator.all_outputs(&mut failures);
    stack.undecided = evaluator.undecided.take();
    stack.failures = failures;
    stack.rewritten_by = evaluator.macros.unknown();
    stack.macros_of_aws = evaluator.macros.only_aws_runs();
    for name in stack.macros_of_aws.iter().flat_map(macros::of_account) {
        let name = name.to_owned();
        evaluator.environment.assume(Assumption::Macro { name });
    }
    if let Some(unknown) = evaluator.macros.doubt() {
        stack.hang_on(&unknown);
    }
    stack.macros = evaluator.macros;
    stack
}
